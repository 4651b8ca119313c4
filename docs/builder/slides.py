"""Slides for teachers: what a lesson shows and asks, one thing a slide, with the speaker's notes.

    python docs/builder/slides.py docs/_build/html     # adds slides/ to a built site

They are taken from the lesson's page in its order, so a question stands before the picture that
answers it. A slide is a question, or a formula, a picture, a table, a list or a code, below the
sentences that lead to it; two short formulas share one. The rest of the page's text is in the
notes, which N shows and hides, also for paper: one slide a page. A shows the answer of a question,
too, and three mistakes to expect. The site's MathJax sets formulas.

Minutes are estimates: half a minute to look, 120 words a minute, two minutes for a question. The
lecture of 90 minutes is a deck of its own, with the clock of its plan in learn/teaching.md.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
from bs4 import BeautifulSoup, Tag

from flowcore import teaching

PLAN = Path(__file__).resolve().parents[1] / "learn" / "teaching.md"
CELL = "div.highlight-Python"
RUNS = re.compile(r"^(?!def |from |import |[A-Z]+ = )\S", re.M)
SHOWN = f"div.math, img, table, ul, ol, div.highlight-text, div.highlight-python, {CELL}"
LEFT_OUT = ".sphx-glr-footer, .admonition, .bench-here, #where-this-comes-from, form"
QUESTION = re.compile(r"(\d+[a-z]|Predict)\.")
SENTENCE = re.compile(r"(?<=[.?!:]) (?=[A-Z(<])")
TO_LOOK, WORDS_A_MINUTE, TO_ANSWER = 0.5, 120, 2  # minutes, words, minutes
LECTURE = {  # slides for the rows of its plan: words that only one slide of the lesson has
    "0:05": "Take a short piece / How high is the density of / 1a. / histograms show the same",
    "0:14": "Where is it steep / the map, what it makes",
    "0:20": "A shear lifts / 2a. / z, x, sheared / z, linear, bent / into a box / - 2 bc - ac",
    "0:31": "two things are expensive / Suppose that no coordinate / one layer $",
    "0:37": "2c. / the chain rule of probability holds",
    "0:43": "The divergence is never negative / two tables, with 2,000 rows",
    "0:51": "a neural network mixes / Give every unit a degree / Two rules decide",
    "0:57": "Which cells of its two weight / 4e. / 4f. / hidden 1 to output, product",
    "1:04": "Follow a path from input",
    "1:09": "4a. / Here is the network of 4a",
    "1:14": "To draw from such a conditional / In both directions the network / 5a.",
    "1:19": "the loop runs once more / 5d.",
    "1:25": "Turn the bijector round / Look at the slopes",
}
OPENING = (  # the densities of the picture, without their titles
    '<div style="flex: none; aspect-ratio: 100/18; overflow: hidden"><img alt="" '
    'src="../_images/three_flows.png" style="width: 109%; margin-top: -3.2%"></div>'
)
LEAD, FULL = 45, 60  # words: of the sentences that lead to it; of a slide that takes no more
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../_static/favicon.svg">
<style>
html {{ scroll-snap-type: y proximity; font: 2.2vmin/1.4 system-ui, sans-serif; color: #18222c;
  background: white; }}
body {{ margin: 0; }}
section {{ box-sizing: border-box; min-height: 100vh; padding: 4vmin 6vmin;
  scroll-snap-align: start; display: flex; flex-direction: column; gap: 3vmin; }}
h1 {{ margin: auto 0; font-size: 7vmin; line-height: 1.15; }}
h2 {{ margin: 0; font-size: 3.2vmin; font-weight: 600; color: #55616c; }}
.shown {{ flex: 1; display: flex; flex-direction: column; justify-content: center; gap: 2.5vmin;
  font-size: 3.6vmin; min-height: 0; }}
.shown > * {{ margin: 0; }}
.shown > .math {{ overflow: hidden; }}
.shown.question {{ font-size: 4.4vmin; }}
.shown li {{ margin: 1.5vmin 0; }}
img {{ flex: 1 1 60vh; min-height: 0; object-fit: contain; }}
pre {{ margin: 0; font: min(3vmin, 70vh / var(--lines) / 1.35, 88vw / var(--columns) / .61)/1.35
  monospace; }}
th, td {{ padding: .3em 2em .3em 0; text-align: left; }}
th {{ border-bottom: 1px solid; }}
p {{ margin: 0; }}
a {{ color: #005f8a; }}
aside {{ display: none; border-top: 1px solid; padding-top: 1vmin; color: #55616c; }}
.notes aside {{ display: block; }}
body:not(.notes) section {{ height: 100vh; }}
body:not(.answers) .answer {{ display: none; }}
footer {{ font-size: 2vmin; color: #55616c; }}
.notes img {{ flex-basis: 35vh; }}
aside > * {{ margin: 0 0 .6em; max-width: 60em; }}
@page {{ size: 297mm 210mm; margin: 0; }}
@media print {{ section {{ break-after: page; }} section:last-child {{ break-after: auto; }} }}
</style>
<script>
async function typeset() {{
  await MathJax.startup.defaultPageReady();
  for (const formula of document.querySelectorAll(".shown > .math")) {{
    formula.style.fontSize = `${{Math.min(1.15, formula.clientWidth / formula.scrollWidth)}}em`;
  }}
}}
MathJax = {{ options: {{ enableMenu: false }}, startup: {{ pageReady: typeset }} }};
const FAR = {{ ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }};
addEventListener("keydown", (event) => {{
  const {{ key }} = event, {{ classList }} = document.body;
  const all = [...document.querySelectorAll("section")];
  if (key === "n") classList.toggle("notes");
  if (key === "a") classList.toggle("notes", classList.toggle("answers"));
  if (!FAR[key]) return;
  const here = all.findLastIndex((one) => one.getBoundingClientRect().top < innerHeight / 2);
  all[here + FAR[key]]?.scrollIntoView();
  event.preventDefault();
}});
</script>
<script defer src="../_static/mathjax/tex-chtml.js"></script>
<main>
{slides}
</main>
</html>
"""


@dataclass
class Slide:
    """What is shown under the title of a section, in HTML, and the text that goes with it."""

    section: str
    shown: list[str]
    kind: str  # "title", "question", "formula", "other"
    notes: list[str] = field(default_factory=list)

    @property
    def answer(self) -> list[str]:
        """Of an exercise: its answer, and up to three mistakes with what they reveal."""
        found = QUESTION.match(as_text(self.shown[:1]))
        if self.kind != "question" or not found or found[1] not in teaching.EXERCISES:
            return []
        exercise = teaching.EXERCISES[found[1]]
        lines = [f"Answer: {teaching.solution(found[1])}"]
        for wrong, hint, _ in exercise.mistakes[:3]:
            is_number = not callable(wrong) and not np.ndim(wrong)
            number = f" {np.round(wrong, 3):g}" if is_number else ""
            lines.append(f"Mistake{number}: {hint}")
        code = [f"<pre>{escape(exercise.solution)}</pre>"] * bool(exercise.solution)
        return [*(f"<p>{escape(line)}</p>" for line in lines), *code]

    @property
    def words(self) -> int:
        """How many words, or signs of formulas, are shown."""
        return n_words(self.shown)

    @property
    def minutes(self) -> float:
        """About how long it takes: its text and its notes are spoken."""
        spoken = (self.words + n_words(self.notes)) / WORDS_A_MINUTE
        return TO_LOOK + spoken + TO_ANSWER * (self.kind == "question")


def n_words(html: list[str]) -> int:
    """The number of words in pieces of HTML."""
    return len(as_text(html).split())


def as_text(html: list[str]) -> str:
    """The text of pieces of HTML, without their tags."""
    return BeautifulSoup(" ".join(html), "html.parser").get_text()


def of_lesson(html: str) -> list[Slide]:
    r"""The slides of a lesson's page, in its order; the first one is its title.

    >>> slides = of_lesson('<article><h1>4. Why?</h1><h2>A</h2><p>So</p><div class="math">x</div>')
    >>> [(slide.kind, slide.section) for slide in slides], slides[1].shown[0]
    ([('title', '4. Why?'), ('formula', 'A')], '<p>So</p>')
    """
    article = BeautifulSoup(html, "html.parser").article
    _make_plain(article)
    slides: list[Slide] = []
    section, text, earlier = "", [], []  # what was read since the last slide, here and before

    def add(shown: list[str], kind: str) -> None:
        slides.append(Slide(section, shown, kind, [*earlier, *text]))
        earlier.clear()
        text.clear()

    for block in article.select(f"h1, h2, p, {SHOWN}"):
        if block.find_parent(["p", "ul", "ol", "table"]):  # a part of it
            continue
        if block.name in ("h1", "h2"):
            section = block.get_text()
            if not slides:
                add([], "title")
            # the notes of a question must not have the answer
            (earlier if slides[-1].kind == "question" else slides[-1].notes).extend(text)
            text.clear()
        elif block.name == "p" and not text and _goes_on(block, slides[-1]):
            first, *rest = sentences(str(block))
            slides[-1].shown.append(f"<p>{first}</p>")
            text += [f"<p>{' '.join(rest)}</p>"] if rest else []
        elif block.name == "p" and is_question(block, section):
            add([without_none(block)], "question")
        elif block.name == "p":
            text.append(str(block))
        else:
            first, lead = parted(text.pop()) if text else ([], [])
            text += first
            kind, last = "formula" if "math" in block.get("class", []) else "other", slides[-1]
            if kind == "other" and "?" in "".join(lead):
                add(lead, "question")
                add([str(block)], kind)
            elif kind == last.kind == "formula" and last.section == section and last.words < FULL:
                last.shown += [*lead, str(block)]
                last.notes += text
                text.clear()
            else:
                add([*lead, str(block)], kind)
    slides[-1].notes += text
    return slides


def _make_plain(article: Tag) -> None:
    """What only the page needs is taken away: links, marks, colours of code."""
    for tag in article.select(f"a.headerlink, {LEFT_OUT}"):
        tag.decompose()
    for cell in article.select(CELL):  # of the program: cells that do nothing but define functions
        if "def " not in cell.get_text() or RUNS.search(cell.get_text()):
            cell.decompose()
    for code in article.select("pre"):
        code.string = code.get_text().rstrip()
        lines = code.string.splitlines()
        code["style"] = f"--lines: {len(lines)}; --columns: {max(map(len, lines), default=1)}"
    for image in article.select("img"):
        image.attrs = {"src": image["src"].replace("../../", "../"), "alt": image.get("alt", "")}
    pictures = "ul.sphx-glr-horizontal"  # several of one cell
    for tag in article.select(f"a, p > span[id], {pictures}, {pictures} > li"):
        tag.unwrap()


def _goes_on(block: Tag, last: Slide) -> bool:
    """Whether a paragraph begins with the rest of the sentence of a formula."""
    return last.kind == "formula" and block.get_text()[:1].islower()


def is_question(block: Tag, section: str) -> bool:
    """Whether a paragraph asks: "2a. ..." or, among the predictions, any with a question mark."""
    text = block.get_text()
    return bool(QUESTION.match(text)) or (section == "Predict" and "?" in text)


def sentences(html: str) -> list[str]:
    """The sentences of a paragraph, without its tags <p>."""
    inner = re.sub(r"</?p\b[^>]*>", "", html)
    return SENTENCE.split(" ".join(inner.split()))


def without_none(block: Tag) -> str:
    """A question without the sentence that sends readers of a script to its `None`."""
    return f"<p>{' '.join(part for part in sentences(str(block)) if '>None<' not in part)}</p>"


def parted(html: str) -> tuple[list[str], list[str]]:
    """A paragraph: its first sentences, if any, and the last ones, which have LEAD words at most.

    >>> parted("<p>" + "word " * 45 + "end. So:</p>")[1]
    ['<p>So:</p>']
    """
    found, first = sentences(html), []
    while len(found) > 1 and n_words(found) > LEAD:
        first.append(found.pop(0))
    return [f"<p>{' '.join(first)}</p>"] if first else [], [f"<p>{' '.join(found)}</p>"]


def planned(plan: str) -> list[tuple[str, str, str, str]]:
    r"""The rows of the lecture's plan: clock, lesson or "", question or topic, line for the notes.

    >>> planned("| 0:05 | 1 | Mass | Half? |\n| 0:14 | 2 | A shear | |\n")[0]
    ('0:05', '1', 'Half?', '0:05, 9 minutes: Mass. Hands up: Half?')
    """
    text = plan.replace("\\|", "&#124;").replace("**", "")
    rows = re.findall(r"^\| (\d):(\d\d) \| (\d*) *\| (.*) \| ?(.*) ?\|$", text, flags=re.M)
    found = []
    for (h, m, lesson, what, hands), (later_h, later_m, *_) in pairwise([*rows, ("1", "30")]):
        minutes = 60 * (int(later_h) - int(h)) + int(later_m) - int(m)
        asked = f". Hands up: {hands.strip()}" if hands.strip() else ""
        line = f"{h}:{m}, {minutes} minutes: {what}{asked}"
        found.append((f"{h}:{m}", lesson, hands.strip() or what, line))
    return found


def lecture(lessons: dict[str, list[Slide]], plan: str) -> list[Slide]:
    """The slides of the lecture of 90 minutes, out of those of lessons 1 to 5; the title first."""
    made = [Slide("A lecture of 90 minutes", [], "title")]
    for clock, lesson, topic, line in planned(plan):
        opening = OPENING if clock == "0:00" else ""
        chosen = [Slide("A lecture of 90 minutes", [f"<p>{topic}</p>{opening}"], "other")]
        if lesson:
            chosen = [_with(words, lessons[lesson]) for words in LECTURE[clock].split(" / ")]
        made += [replace(slide, notes=[f"<p>{line}</p>", *slide.notes]) for slide in chosen]
    return made


def _with(words: str, slides: list[Slide]) -> Slide:
    """The one slide that has these words, also as a picture's text, or that begins with them."""
    starts = words[0].isdigit()
    found = []
    for slide in slides:
        html = "".join(slide.shown)
        text = " ".join([as_text(slide.shown), *re.findall('alt="([^"]*)"', html)])
        text = " ".join(text.split())
        if text.startswith(words) if starts else words in text:
            found.append(slide)
    if len(found) != 1:
        raise ValueError(f"{len(found)} slides of {slides[0].section!r} have {words!r}, not one")
    return found[0]


def page(slides: list[Slide]) -> str:
    """The HTML of slides, the title first, in the folder slides/ of the site."""
    title, *others = slides
    minutes = sum(slide.minutes for slide in others)
    made = [
        f"<section><h1>{escape(title.section)}</h1><p>N: notes. A: notes with answers. Arrows: the "
        f"next slide, the last one.</p><aside><p>{len(others)} slides, about {minutes:.0f} minutes "
        f"if all of their text is spoken.</p>{''.join(title.notes)}</aside><footer>flowcore, CC BY "
        "4.0: use and change these slides, and name flowcore.</footer></section>"
    ]
    for slide in others:
        made.append(
            f'<section><h2>{escape(slide.section)}</h2><div class="shown {slide.kind}">'
            f"{''.join(slide.shown)}</div><aside><p>About {slide.minutes:.1f} minutes.</p>"
            f'<div class="answer">{"".join(slide.answer)}</div>{"".join(slide.notes)}</aside>'
            "</section>"
        )
    return PAGE.format(title=escape(title.section), slides="\n".join(made))


def write(site: Path) -> None:
    """Slides of the lecture and of all lessons, and their list, in slides/ of a built site."""
    folder = site / "slides"
    folder.mkdir(exist_ok=True)
    paths = (site / "built" / "course").glob("lesson_*.html")
    decks = {
        path.name: of_lesson(path.read_text(encoding="utf-8"))
        for path in sorted(paths, key=lambda path: int(path.stem.split("_")[1]))
    }
    lessons = {name.split("_")[1]: slides for name, slides in decks.items()}
    if (site / "_images" / "three_flows.png").exists():  # not where pages are made for a test
        plan = PLAN.read_text(encoding="utf-8")
        decks = {"lecture.html": lecture(lessons, plan), **decks}
    links = []
    for name, slides in decks.items():
        (folder / name).write_text(page(slides), encoding="utf-8")
        links.append(f'<a href="{name}">{escape(slides[0].section)}</a> ({len(slides)})')
    listed = "<h1>Slides</h1><p>" + "<br>".join(links) + "</p>"
    back = '<h2><a href="../learn/teaching.html">For teachers</a></h2>'
    text = PAGE.format(title="Slides", slides=f"<section>{back}{listed}</section>")
    (folder / "index.html").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
