"""Code computes, prints, warns and raises; only people tell and say.

Docs, docstrings, comments, messages and names are searched for `tell`, `told`, `say` and their
forms. CONTRIBUTING.md has the rule. Put the field's verb in their place, or, where a person speaks,
a line into `PEOPLE`.
"""

import re
from pathlib import Path

from support.places import ROOT

PLACES = "flowcore docs examples benchmarks tests README.md CONTRIBUTING.md CHANGELOG.md noxfile.py"
KINDS = {".py", ".pyi", ".md", ".rst", ".js", ".html", ".css"}
BUILT = {"_build", "built", "generated", "node_modules", "__pycache__"}
WORDS = re.compile(
    r"(?<![A-Za-z])(?i:tell|told|telling|say|saying)(?i:s?)(?![a-z])"  # alone, or in a_name
    r"|(?<=[a-z])(?:Tell|Told|Say)s?(?![a-z])"  # or in aName
)
PEOPLE = {  # file: what a person is asked to say there, or what Python calls so
    "CONTRIBUTING.md": ["only people tell and say"],
    "benchmarks/studies/past_one_machine.py": ["scores.tell()"],
    "docs/live/tasks.js": ["Say first what the flow will do"],
    "examples/course/README.rst": ["first say what you expect"],
    "examples/course/lesson_3_learning.py": ["you can say what the loss is before training"],
    "examples/course/lesson_5_maf_and_iaf.py": ["Say what both densities will look like"],
    "examples/course/lesson_7_composing.py": ["say whether it is 0"],
}


def files():
    for place in PLACES.split():
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in KINDS and not BUILT & set(file.relative_to(ROOT).parts):
                yield file


def prose(file) -> str:
    """The text of a file, without what a person says in it and without past releases."""
    text = file.read_text(encoding="utf-8")
    if file.name == "CHANGELOG.md":
        text = text.partition("\n## ")[2].partition("\n## ")[0]
    for phrase in PEOPLE.get(file.relative_to(ROOT).as_posix(), []):
        text = text.replace(phrase, "")
    return text


def lines_with_words(text) -> list[str]:
    return [line.strip() for line in text.splitlines() if WORDS.search(line)]


def test_only_people_tell_and_say():
    found = [
        f"{file.relative_to(ROOT)}: {line}"
        for file in files()
        if file != Path(__file__)
        for line in lines_with_words(prose(file))
    ]
    assert not found, "\n".join(["Use the field's verb (estimates, prints, warns ...):", *found])
