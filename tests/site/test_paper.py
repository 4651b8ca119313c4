"""The paper: what it cites exists, its commands too, and its numbers are those of the pages."""

import re

import pytest
from support.places import ROOT

FOLDER = ROOT / "docs" / "paper"
HEADER, BODY = (FOLDER / "paper.md").read_text("utf-8").split("\n---\n", 1)
BIB = (FOLDER / "paper.bib").read_text("utf-8")
PAGES = "\n".join(
    (ROOT / page).read_text("utf-8")
    for page in ("README.md", "docs/measured/benchmarks.md", "docs/measured/accuracy.md")
)


def test_everything_cited_is_in_the_bibliography_and_nothing_else():
    entries = re.findall(r"^@\w+\{(\w+),", BIB, flags=re.M)
    assert len(entries) == len(set(entries))
    assert set(re.findall(r"@(\w+)", BODY)) == set(entries)
    for entry in BIB.split("\n\n"):
        for field in ("author", "title", "year"):
            assert re.search(rf"^  {field} +=", entry, flags=re.M), entry
        assert re.search(r"^  (doi|url) +=", entry, flags=re.M), entry


def test_the_header_is_what_the_journal_asks_for():
    for field in ("title", "tags", "authors", "affiliations", "date", "bibliography"):
        assert re.search(rf"^{field}:", HEADER, flags=re.M), field
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"- name: (.+)", HEADER.split("affiliations:")[0]) == re.findall(
        r'- name: "(.+)"', citation
    )
    sections = re.findall(r"^# (.+)", BODY, flags=re.M)
    assert sections[:4] == ["Summary", "Statement of need", "State of the field", "What is new"]
    assert sections[-1] == "References"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(python[^`]*)`", BODY))))
def test_its_commands_exist(command):
    command = " ".join(command.split())
    if module := re.search(r"-m benchmarks\.([\w.]+)", command):
        place = ROOT / "benchmarks" / module[1].replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file()
    for file in re.findall(r"[\w/]+\.py\b", command):
        assert (ROOT / file).is_file()


def test_measured_numbers_are_those_of_the_pages():
    """If this fails, a table has been measured anew: write its numbers into the paper."""
    sentences = re.findall(r"([^.]*(?:\d\.\d[^.]*)*)\(`(?:python -m\s+benchmarks|flowcore)", BODY)
    numbers = {n for s in sentences for n in re.findall(r"\d+\.\d+|\b\d{4}(?= ms)", s)}
    table = "".join(line for line in BODY.splitlines() if line.startswith("|"))
    numbers |= set(re.findall(r"\d\.\d+", table))
    assert numbers
    for number in numbers:
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d])", PAGES), number


def test_the_course_has_as_many_exercises_as_the_paper_counts():
    from flowcore.teaching import EXERCISES

    assert f"judges {len(EXERCISES)} exercises" in BODY
