"""A class's files become marks: numbers are checked again, code is never run, no file stops it."""

import csv
import json

import pytest
from typer.testing import CliRunner

from flowcore.teaching import EXERCISES, Mark, mark
from flowcore.teaching.__main__ import app


def answer(exercise="1a", text="-1,61 nats", seed=None, right=True, **more):
    return {"exercise": exercise, "seed": seed, "text": text, "right": right,
            "message": "", "time": "2026-11-29T16:30:00.000Z", **more}  # fmt: skip


@pytest.fixture
def work(tmp_path):
    """Writes a file of these answers."""

    def written(*answers, name="ada.json", **changes):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps({"format": "flowcore work 1", "answers": answers, **changes}), "utf-8"
        )
        return path

    return written


def marks(*paths):
    """(the rows of the printed CSV, standard error, exit status)"""
    found = CliRunner().invoke(app, ["mark", *map(str, paths)])
    return list(csv.DictReader(found.stdout.splitlines())), found.stderr, found.exit_code


def test_a_number_is_checked_again_whatever_the_page_said(work):
    path = work(answer(right=False), answer(text="5", right=True), answer("2a", "no idea"))
    assert [row[1:6] for row in mark(path)] == [
        ("1a", None, "right", "not yet", 1),
        ("1a", None, "not yet", "right", 0),
        ("2a", None, "not yet", "right", 0),
    ]


def test_points_are_summed_and_each_exercise_counts_once(work):
    text = str(EXERCISES["1a"].variant(1).answer)
    answers = [
        answer(),
        answer(text=text, seed=1),
        answer("1c", "def f(x): ..."),
        answer("2a", "0"),
    ]
    rows = mark(work(*answers, answer("2b", "1.609", shown=True)))
    assert [row.points for row in rows] == [1, 1, 1, 1, 0] and {row.sum for row in rows} == {3}
    assert rows[-1].page == "shown" and rows[-1].verdict == "right"


def test_an_entry_that_is_no_answer_does_not_drop_the_others(work):
    bad = [
        answer("99a"), answer(text=-1.61), answer(seed=-1), answer(seed=True),
        answer(right="=1+1"), answer(exercise=["1a"]), "1a", {},
    ]  # fmt: skip
    rows = mark(work(*bad, answer("1A"), answer()))
    assert [row.verdict for row in rows] == 9 * ["not read"] + ["right"]
    assert (rows[0].exercise, rows[-2].exercise) == ("99a", "1A") and rows[0].sum == 1


def test_a_seed_has_its_own_answer(work):
    text = str(EXERCISES["1a"].variant(1).answer)
    path = work(answer(text=text, seed=1), answer(text=text))
    assert [(row.seed, row.verdict) for row in mark(path)] == [
        (1, "right"), (None, "not yet"),
    ]  # fmt: skip


def test_code_is_never_run(work, tmp_path):
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w')\ndef log_p(x):\n    return 0"
    path = work(answer("1c", code), answer("1c", code, right=None), answer("1a", code))
    assert [row[3:5] for row in mark(path)] == [
        ("code", "right"), ("code", ""), ("not yet", "right"),
    ]  # fmt: skip
    assert not trap.exists()


BAD = {
    "empty.json": b"",
    "picture.json": b"\x89PNG\xff\x00",
    "list.json": b"[]",
    "deep.json": b"[" * 100_000,
    "other.json": b'{"format": "other"}',
    "none.json": b'{"format": "flowcore work 1"}',
    "large.json": b'{"format": "flowcore work 1", "answers": []}' + b" " * 1_000_000,
}


def test_a_file_that_is_no_work_is_named_skipped_and_counted(work, tmp_path):
    good = work(answer(), name="zoe.json")
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "renamed.txt").write_bytes(good.read_bytes())
    (tmp_path / ".cache").write_bytes(b"")
    for name in BAD:
        with pytest.raises(ValueError, match=f"{name} is no work of a student: "):
            mark(tmp_path / name)
    rows, problems, status = marks(tmp_path, tmp_path / "missing.json")
    assert rows == [
        {"student": "zoe", "exercise": "1a", "seed": "", "verdict": "right", "page": "right",
         "points": "1", "sum": "1", "file": str(good)}
    ]  # fmt: skip
    assert all(problems.count(name) == 1 for name in BAD) and "missing.json" in problems
    assert "renamed.txt does not end in .json" in problems and ".cache" not in problems
    assert problems.splitlines()[-1] == f"1 files marked, {len(BAD) + 2} skipped" and status == 1
    assert "Traceback" not in problems


def test_files_become_one_table(work):
    paths = [
        work(answer(), answer("1c", "def f(x): ..."), name=name) for name in ("a.json", "b.json")
    ]
    rows, problems, status = marks(*paths)
    assert [row["file"] for row in rows] == [str(paths[0])] * 2 + [str(paths[1])] * 2
    assert problems == "2 files marked, 0 skipped\n" and status == 0
    assert list(rows[0]) == list(Mark._fields)


def test_a_folder_for_each_student(work, tmp_path, monkeypatch):
    names = ["Zoë", "Ада"]
    paths = [work(answer(), name=f"{name}/flowcore_work.json") for name in names]
    found = CliRunner(charset="cp1252").invoke(app, ["mark", str(tmp_path)])  # as on Windows
    rows = list(csv.DictReader(found.stdout_bytes.decode("utf-8").splitlines()))
    assert [row["student"] for row in rows] == names
    assert [row["file"] for row in rows] == list(map(str, paths)) and found.exit_code == 0
    monkeypatch.chdir(paths[0].parent)
    assert mark(paths[0].name)[0].student == names[0]


def test_a_folder_without_files_is_an_error(tmp_path):
    assert marks(tmp_path) == ([], "0 files marked, 0 skipped\n", 1)
