"""Slides for teachers: the pictures of a lesson, each question before the picture that answers it.

    python docs/builder/slides.py docs/_build/html     # adds slides/ to a built site

A slide fills the screen: Page Down or a swipe goes on; on paper each one is a page. They are made
of what the gallery has written for the lessons, so pictures and questions are those of the site.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

from flowcore import teaching

COURSE = Path(__file__).resolve().parents[1] / "built" / "course"
PART = re.compile(
    r"^(?P<title>\S.*)\n[-=]{3,}$"
    r"|^\*\*(?P<question>\d+[a-z])\.\*\*"
    r"|^ *\.\. image-sg:: /built/course/images/(?P<image>\S+)\n *:alt: (?P<alt>.*)",
    flags=re.M,
)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../_static/favicon.svg">
<style>
html {{ scroll-snap-type: y mandatory; font: 2.2vmin/1.4 system-ui, sans-serif; color: #18222c; }}
body {{ margin: 0; }}
section {{ box-sizing: border-box; height: 100vh; padding: 4vmin 6vmin; scroll-snap-align: start;
  display: flex; flex-direction: column; gap: 3vmin; }}
h1 {{ margin: auto 0; font-size: 7vmin; line-height: 1.15; }}
h2 {{ margin: 0; font-size: 3.2vmin; font-weight: 600; color: #55616c; }}
p {{ margin: auto 0; font-size: 4.6vmin; max-width: 34em; }}
img {{ flex: 1; min-height: 0; object-fit: contain; }}
a {{ color: #005f8a; }}
@media print {{ section {{ page-break-after: always; }} }}
</style>
{slides}
</html>
"""


class Slide(NamedTuple):
    """A question, or a picture with its alternative text; under the title of its section."""

    section: str
    question: str = ""
    image: str = ""
    alt: str = ""


def of_lesson(rst: str) -> tuple[str, list[Slide]]:
    r"""The title of a lesson, and its slides in the order of the page.

    >>> title, slides = of_lesson("4. Why?\n=======\n\nPredict\n-------\n\n**4a.** How many?\n")
    >>> title, slides[0].section
    ('4. Why?', 'Predict')
    """
    lesson = section = ""
    found = []
    for part in PART.finditer(rst):
        if part["title"] and not lesson:
            lesson = section = part["title"]
        elif part["title"]:
            section = part["title"]
        elif part["question"]:
            found.append(Slide(section, question=teaching.question(part["question"])))
        else:
            found.append(Slide(section, image=part["image"], alt=part["alt"]))
    return lesson, found


def page(lesson: str, slides: list[Slide]) -> str:
    """The HTML of a lesson's slides, in the folder slides/ of the site."""
    made = [f"<section><h1>{escape(lesson)}</h1></section>"]
    for section, question, image, alt in slides:
        inside = f"<p>{escape(question)}</p>"
        if image:
            inside = f'<img src="../_images/{image}" alt="{escape(alt)}">'
        made.append(f"<section><h2>{escape(section)}</h2>{inside}</section>")
    return PAGE.format(title=escape(lesson), slides="\n".join(made))


def write(site: Path) -> None:
    """Slides of all lessons, and a list of them, into the folder slides/ of a built site."""
    folder = site / "slides"
    folder.mkdir(exist_ok=True)
    links = []
    scripts = COURSE.glob("lesson_*.rst")
    for path in sorted(scripts, key=lambda path: int(path.stem.split("_")[1])):
        lesson, slides = of_lesson(path.read_text(encoding="utf-8"))
        (folder / f"{path.stem}.html").write_text(page(lesson, slides), encoding="utf-8")
        links.append(f'<a href="{path.stem}.html">{escape(lesson)}</a> ({len(slides)})')
    listed = "<h1>Slides</h1><p>" + "<br>".join(links) + "</p>"
    back = '<h2><a href="../learn/teaching.html">For teachers</a></h2>'
    text = PAGE.format(title="Slides", slides=f"<section>{back}{listed}</section>")
    (folder / "index.html").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
