"""The exams: made from a seed, eight questions, points for partial answers."""

import re

import pytest
from support.places import ROOT
from typer.testing import CliRunner

from flowcore.teaching import question
from flowcore.teaching.__main__ import app
from flowcore.teaching.exams import EXAMS, exam, exam_text


def parts_of(seed, number):
    return [part for parts in exam(seed, number) for part in parts]


def run(*options):
    return CliRunner().invoke(app, ["exam", *options])


@pytest.mark.parametrize("number", EXAMS)
def test_eight_questions_and_40_points(number):
    for seed in range(20):
        assert len(exam(seed, number)) == 8
        parts = parts_of(seed, number)
        assert sum(part.points for part in parts) == 40
        for part in parts:
            worth = [points for points, _ in part.partial]
            assert worth == sorted(worth, reverse=True) and all(0 < w < part.points for w in worth)


@pytest.mark.parametrize("number", EXAMS)
def test_a_partial_answer_is_another_one_than_the_right_one(number):
    found = [part for seed in range(20) for part in parts_of(seed, number)]
    assert all(part.partial for part in found)
    pairs = [
        (float(what.partition(": ")[0]), float(part.answer.partition(". ")[0]))
        for part in found
        for _, what in part.partial
        if re.match(r"[-\d.]+: ", what)
    ]
    assert len(pairs) > 20 and all(abs(partial - right) > 0.01 for partial, right in pairs)


@pytest.mark.parametrize("number", EXAMS)
def test_same_seed_same_exam_and_another_seed_another_one(number):
    assert exam_text(7, number, True) == exam_text(7, number, True)
    same = set(map(str, parts_of(7, number))) & set(map(str, parts_of(8, number)))
    assert len(parts_of(7, number)) - len(same) >= 7  # in seven of eight questions


def test_the_exams_share_no_question_and_homework_has_other_numbers():
    first, second = ({part.question for part in parts_of(7, number)} for number in EXAMS)
    assert not first & second
    homework = {question(name, 7) for name in ("1a", "1b", "2a", "2b", "2c", "3b", "3c", "5b")}
    assert not (first | second) & homework


@pytest.mark.parametrize("number", ["1", "2"])
def test_the_command_prints_questions_or_answers(number):
    asked, answered = (
        run("--seed", "7", "--number", number),
        run("--seed", "7", "--number", number, "--answers"),
    )
    assert asked.exit_code == answered.exit_code == 0
    for part in parts_of(7, int(number)):
        assert part.question in asked.output and part.answer not in asked.output
        assert part.answer in answered.output
        assert all(f"of {part.points}: {what}" in answered.output for _, what in part.partial)
    places = [re.findall(r"^\*\*(\d[ab]?)\.\*\*", o.output, re.M) for o in (asked, answered)]
    assert places[0] == places[1] and places[0][-1][0] == "8"


def test_seeds_and_exams_that_there_are_not():
    assert run().exit_code == run("--seed", "-1").exit_code == 2
    assert run("--seed", "1", "--number", "3").exit_code == 2
    with pytest.raises(ValueError, match="negative"):
        exam(-1)


def test_the_page_for_teachers_has_no_answers():
    page = (ROOT / "docs" / "learn" / "teaching.md").read_text("utf-8")
    assert "exam --seed" in page
    for number in EXAMS:
        for part in parts_of(7, number):
            assert part.question not in page and part.answer not in page
