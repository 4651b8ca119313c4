r"""The lessons as notebooks, one file each.

    python docs/builder/notebooks.py FOLDER

A script has a docstring and cells that begin with `# %%`: the comments below it are text, what
follows is code. The text is RST, and becomes Markdown here: titles, lists, simple tables, formulas,
roles. The site's own notebooks are made in the same way.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import NamedTuple

import nbformat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CELL = re.compile(r"# ?%%")
INSTALL = """\
try:
    import flowcore
except ModuleNotFoundError:
    %pip install -q git+{repository}"""
BY_HAND = """\
import flowcore  # an error? The page Install, docs/start/install.md, shows how to install it"""
BADGE = """
.. button-link:: {}
   :color: primary
   :outline:

   Open in Colab

"""
BRANCH = "notebooks"  # of the repository: what this program writes, see .github/workflows/site.yml
UNDERLINES = "=-~^"  # titles, from the first level on
RULE = re.compile(r"=+( +=+)+$")


class Cell(NamedTuple):
    """A text in RST, or code."""

    is_code: bool
    text: str


def write_all(folder: Path, repository: str = "") -> list[Path]:
    """The notebooks of all lessons, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    scripts = sorted((EXAMPLES / "course").glob("lesson_*.py"))
    return [write(script, folder / f"{script.stem}.ipynb", repository) for script in scripts]


def write(script: Path, path: Path, repository: str = "") -> Path:
    """The notebook of one script; it installs flowcore from the repository, if that has an address.

    The same script gives the same bytes.
    """
    made = []
    for number, cell in enumerate(cells(script.read_text(encoding="utf-8"))):
        new = nbformat.v4.new_code_cell if cell.is_code else nbformat.v4.new_markdown_cell
        made.append(new(cell.text if cell.is_code else as_markdown(cell.text), id=str(number)))
    install = INSTALL.format(repository=repository) if repository else BY_HAND
    made.insert(1, nbformat.v4.new_code_cell(install, id="install"))  # after the title
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})
    nbformat.write(book, path)
    return path


def cells(source: str) -> list[Cell]:
    r"""The cells of a script, in order.

    >>> for cell in cells("'''Title'''\nx = 1\n\n# %%\n# Text.\nx + 1\n"):
    ...     print(cell.is_code, cell.text)
    False Title
    True x = 1
    False Text.
    True x + 1
    """
    docstring = ast.parse(source).body[0]
    found, lines = [Cell(False, docstring.value.value)], source.splitlines()
    pieces: list[list[str]] = [[]]
    for line in lines[docstring.end_lineno :]:
        if CELL.match(line):
            pieces.append([])
        else:
            pieces[-1].append(line)
    for k, piece in enumerate(pieces):
        n_text = 0
        while k > 0 and n_text < len(piece) and piece[n_text].startswith("#"):
            n_text += 1
        text = "\n".join(re.sub("^# ?", "", line) for line in piece[:n_text])
        found += [Cell(False, text), Cell(True, "\n".join(piece[n_text:]))]
    found = [Cell(cell.is_code, cell.text.strip("\n")) for cell in found]
    return [cell for cell in found if cell.text.strip()]


def as_markdown(rst: str) -> str:
    r"""Markdown of the RST that lessons are written in.

    >>> print(as_markdown("Title\n=====\n\nIf :math:`x > 0`, ``x`` is\n\n.. math:: x\n\nlarge."))
    # Title
    <BLANKLINE>
    If $x > 0$, `x` is
    <BLANKLINE>
    $$
    x
    $$
    <BLANKLINE>
    large.
    """
    lines, made, i = rst.strip("\n").splitlines(), [], 0
    while i < len(lines):
        line = lines[i]
        following = lines[i + 1] if i + 1 < len(lines) else ""
        directive = re.match(r"\.\. ([\w-]+):: ?(.*)", line)
        if re.fullmatch(r"([=~^-])\1{2,}", following) and line.strip():
            made.append("#" * (1 + UNDERLINES.index(following[0])) + " " + line.strip())
            i += 2
        elif RULE.match(line):
            table, i = _block(lines, i, lambda text: bool(text.strip()))
            made += _table(table)
        elif directive:
            inside, i = _block(lines, i + 1, lambda text: not text or text.startswith(" "))
            made += _directive(directive[1], directive[2], textwrap.dedent("\n".join(inside)))
        elif line.endswith("::"):
            inside, i = _block(lines, i + 1, lambda text: not text or text.startswith(" "))
            made += [line[:-1] if line != "::" else ""]
            made += _directive("code-block", "", textwrap.dedent("\n".join(inside)))
        else:
            made.append(line)
            i += 1
    return _roles("\n".join(made)).strip("\n")


def _block(lines, i, belongs):
    start = i
    while i < len(lines) and belongs(lines[i]):
        i += 1
    return lines[start:i], i


def _directive(name: str, argument: str, inside: str) -> list[str]:
    inside = inside.strip("\n")
    if name == "math":
        formula = "\n".join(filter(None, [argument, inside])).strip()
        if r"\\" in formula:  # as Sphinx does it
            formula = "\\begin{aligned}\n" + formula + "\n\\end{aligned}"
        return ["$$", formula, "$$", ""]
    if name in ("code-block", "code"):
        return ["", f"```{argument}", inside, "```", ""]
    return [*filter(None, [argument, inside]), ""]


def _table(lines: list[str]) -> list[str]:
    """A simple table of RST: the first row is its head."""
    edges = [match.start() for match in re.finditer("=+", lines[0])]
    rows: list[list[str]] = []
    for line in (line for line in lines if not RULE.match(line)):
        ends = [*edges[1:], len(line)]
        row = [line[a:b].strip() for a, b in zip(edges, ends, strict=True)]
        if row[0] or not rows:
            rows.append(row)
        else:  # a line that goes on
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], row, strict=True)]
    if sum(map(bool, map(RULE.match, lines))) < 3:  # no head
        rows.insert(0, [""] * len(edges))
    made = ["| " + " | ".join(map(_in_a_table, row)) + " |" for row in rows]
    return [made[0], "|" + " --- |" * len(edges), *made[1:], ""]


def _in_a_table(text: str) -> str:
    """The bars of a cell: in a formula, and elsewhere."""
    text = re.sub(r":math:`[^`]+`", lambda m: m[0].replace("|", r"\vert "), text)
    return text.replace("|", r"\|")


def _roles(text: str) -> str:
    """Inline RST: formulas, code, roles, links; they may go over the end of a line."""
    text = re.sub(r":math:`([^`]+)`", lambda m: f"${' '.join(m[1].split())}$", text)
    text = re.sub(r":\w+(?::\w+)*:`~?([^`<]+?)\s*(?:<[^`]+>)?`", r"\1", text)
    text = re.sub(r"(?<!`)``([^`]+)``(?!`)", lambda m: f"`{' '.join(m[1].split())}`", text)
    text = re.sub(r"`([^`<]+?)\s*<\.\.[^`>]+>`__?", r"\1", text)  # of the site, which is not there
    return re.sub(r"`([^`<]+?)\s*<([^`>]+)>`__?", r"[\1](\2)", text)


def replace_those_of_the_gallery(app) -> None:
    """For Sphinx's event `builder-inited`, after the gallery's: pages offer these notebooks.

    So do the zip files, which get one date: a second build has the same bytes.
    """
    for folder in ("course", "how_to"):
        for book in sorted((Path(app.srcdir) / "built" / folder).glob("*.ipynb")):
            script = EXAMPLES / folder / f"{book.stem}.py"
            if not script.exists():  # any more: the rest of an earlier build
                continue
            write(script, book, app.config.repository)
            with zipfile.ZipFile(book.with_suffix(".zip"), "w") as together:
                for file in (script, book):
                    together.writestr(zipfile.ZipInfo(file.name), file.read_bytes())


def in_colab(repository: str, name: str) -> str | None:
    """The address at which Colab opens a notebook of the branch; None if it is not on GitHub.

    >>> in_colab("https://github.com/owner/name", "lesson_1")
    'https://colab.research.google.com/github/owner/name/blob/notebooks/lesson_1.ipynb'
    """
    _, _, owner_and_name = repository.partition("://github.com/")
    if not owner_and_name:
        return None
    colab = "https://colab.research.google.com/github"
    return f"{colab}/{owner_and_name}/blob/{BRANCH}/{name}.ipynb"


def put_badge(app, docname: str, source: list[str]) -> None:
    """For Sphinx's event `source-read`: below the title of a lesson, a link to Colab."""
    folder, _, name = docname.rpartition("/")
    address = in_colab(app.config.repository, name)
    if folder == "built/course" and address:
        badge = BADGE.format(address)
        source[0] = re.sub(r"\n=+\n", lambda line: line[0] + badge, source[0], count=1)


if __name__ == "__main__":
    settings = runpy.run_path(str(EXAMPLES.parent / "docs" / "conf.py"))
    for written in write_all(Path(sys.argv[1]), settings["repository"]):
        print(written)
