"""Pages that are made anew by every build, and links that lead out of docs/.

On a code host the pages of docs/ link to files beside it, such as `../CHANGELOG.md`. In the site
such a link leads to the page that was made of the file; where there is none, its text is left.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from flowcore import teaching

COPIED = {"CHANGELOG.md": "built/changelog.md", "CONTRIBUTING.md": "built/contributing.md"}
PARTS = {  # of the course, in the order of reading
    "The course": range(1, 9),
    "In a hurry": [0],
    "Further": range(9, 13),
}
MINUTES = re.compile(r"\{minutes:([\w/.]+)\}")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def make(root: Path) -> None:
    """Write what is made: copies of files of the root, the solutions, the cards of the lessons."""
    (root / "docs" / "built").mkdir(exist_ok=True)
    _forget_what_is_gone(root)
    for name, page in COPIED.items():
        text = (root / name).read_text(encoding="utf-8")
        _write(root / "docs" / page, with_links_of_the_site(text, ".", "built"))
    course = root / "examples" / "course"
    _write(root / "docs" / "built" / "solutions.md", solutions(course))
    _write(root / "docs" / "built" / "lesson_cards.inc", lesson_cards(course))


def _forget_what_is_gone(root: Path) -> None:
    """Pages that an earlier build made of scripts and names that there are no longer."""
    built = root / "docs" / "built"
    for folder in ("course", "how_to"):
        names = {"index", *(path.stem for path in (root / "examples" / folder).glob("*.py"))}
        for made in (built / folder).glob("*.*"):
            if made.name.split(".")[0] not in names:
                made.unlink()
    listed = (root / "docs" / "api.rst").read_text(encoding="utf-8").split()
    for made in (built / "api").glob("*.rst"):
        if made.stem.removeprefix("flowcore.") not in listed:
            made.unlink()


def _write(path: Path, text: str) -> None:
    """Only what has changed: Sphinx reads it again otherwise."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def with_links_of_the_site(text: str, folder: str, to: str) -> str:
    """Markdown of a file in `folder` of the repository, with the links of a page in docs/`to`.

    >>> with_links_of_the_site("[changes](../CHANGELOG.md), [tests](../tests)", "docs", "")
    '[changes](built/changelog.md), tests'
    >>> with_links_of_the_site("[parts](docs/use/your_own_parts.md#a-base)", ".", "built")
    '[parts](../use/your_own_parts.md#a-base)'
    """

    def mended(link: re.Match) -> str:
        words, target, anchor = link.groups()
        page = _page_of(posixpath.normpath(posixpath.join(folder, target)))
        if page is None:
            return words
        return f"[{words}]({posixpath.relpath(page, to or '.')}{anchor or ''})"

    return LINK.sub(mended, text)


def _page_of(path: str) -> str | None:
    """The page of the site that shows a file of the repository; None if there is none."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    gallery = re.fullmatch(r"examples/(course|how_to)(?:/(?:README\.rst|(\w+)\.py))?", path)
    if gallery and gallery[1] == "course" and not gallery[2]:
        return "learn/index.rst"
    if gallery:
        return f"built/{gallery[1]}/{gallery[2] or 'index'}.rst"
    return COPIED.get(path)


def mend_links(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`: links out of docs/."""
    if not docname.startswith("built/") and Path(app.env.doc2path(docname)).suffix == ".md":
        folder = posixpath.dirname(docname)
        source[0] = with_links_of_the_site(source[0], f"docs/{folder}", folder)


def fill_minutes(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`: {minutes:docs/start/faq.md} is how long that file takes."""
    root = Path(app.srcdir).parent
    source[0] = MINUTES.sub(lambda found: str(minutes(root / found[1])), source[0])


def fill_address(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`: if the repository has an address, how to clone it."""
    if docname == "start/install" and app.config.repository:
        clone = f"```bash\ngit clone {app.config.repository} flowcore\ncd flowcore\n"
        source[0] = source[0].replace("```bash\n", clone, 1)


def minutes(path: Path) -> int:
    """How long a page or a lesson takes: 100 words a minute, and five minutes an exercise."""
    lesson = re.match(r"lesson_(\d+)_", path.name)
    n_exercises = sum(name[:-1] == lesson[1] for name in teaching.EXERCISES) if lesson else 0
    words = len(path.read_text(encoding="utf-8").split())
    return max(5, 5 * round((words / 100 + 5 * n_exercises) / 5))


def lesson_cards(course: Path) -> str:
    """The lessons in RST, part by part: a card with picture, question and minutes; a toctree."""
    lessons = {int(path.stem.split("_")[1]): path for path in course.glob("lesson_*.py")}
    lines = []
    for part, numbers in PARTS.items():
        lines += [part, "-" * len(part), "", ".. grid:: 1 2 3 4", "   :gutter: 2", ""]
        for script in map(lessons.get, numbers):
            lines += [
                f"   .. grid-item-card:: {_title_of(script)}",
                f"      :link: /built/course/{script.stem}",
                "      :link-type: doc",
                f"      :img-top: /built/course/images/thumb/sphx_glr_{script.stem}_thumb.png",
                "      :img-alt:",
                "",
                f"      {minutes(script)} minutes",
                "",
            ]
    lines += [".. toctree::", "   :hidden:", ""]
    lines += [f"   /built/course/{lessons[k].stem}" for part in PARTS.values() for k in part]
    return "\n".join(lines) + "\n"


def find_public_name(app, env, node, contnode):
    """For Sphinx's event `missing-reference`: things are documented under their public names.

    flowcore.bijectors.bijector.Bijector is `flowcore.Bijector`, and so is fc.Bijector.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not re.match(r"(fc|flowcore)\.", target):
        return None
    python = env.get_domain("py")
    for name in (target.split(".", 1)[1], target.rsplit(".", 1)[1]):
        if f"flowcore.{name}" in python.objects:
            page, role = node.get("refdoc"), node.get("reftype")
            return python.resolve_xref(
                env, page, app.builder, role, f"flowcore.{name}", node, contnode
            )
    return None


class ByNumber:
    """The order of a gallery's files: lesson 2 before lesson 10."""

    def __init__(self, src_dir: str):
        self.src_dir = src_dir

    def __call__(self, name: str) -> list:
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def solutions(course: Path) -> str:
    """The answers of the course's exercises, in Markdown, each behind its question."""
    lines = [
        *("---", "orphan: true", "nosearch: true"),  # in no menu, and not found
        *("myst:", "  html_meta:", "    robots: noindex", "---", ""),
        "# Solutions",
        "",
        "The exercises of the course, lesson by lesson; open a question to see its answer. In a",
        'lesson, `teaching.check("1a", answer)` names your mistake, which teaches more.',
    ]
    for lesson, names in groupby(teaching.EXERCISES, key=lambda name: int(name[:-1])):
        lines += ["", f"## {_title(course, lesson)}"]
        for name in names:
            lines += ["", f":::{{dropdown}} {name}. {plain(teaching.question(name))}"]
            lines += [f"**Answer:** {plain(teaching.solution(name))}", ":::"]
    return "\n".join(lines) + "\n"


def _title(course: Path, lesson: int) -> str:
    """Of a lesson, "1. What ...?": the first line of its docstring."""
    for script in course.glob(f"lesson_{lesson}_*.py"):
        return _title_of(script)
    return f"Lesson {lesson}"


def _title_of(script: Path) -> str:
    return re.match(r'r?"""\s*(.+)', script.read_text(encoding="utf-8")).group(1).strip()


def plain(text: str) -> str:
    r"""Text whose signs mean nothing in Markdown.

    >>> print(plain("x_1 * |y|"))
    x\_1 \* \|y\|
    """
    return re.sub(r"([\\`*_<>\[\]$|~#])", r"\\\1", text)


_while_it_runs = ExitStack()


def warnings_are_errors(gallery_conf, script, when) -> None:
    """Called before and after every example: a warning in one of them is an error."""
    _while_it_runs.close()
    if when == "before":
        _while_it_runs.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
