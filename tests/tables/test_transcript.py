"""The command line on tables of every kind: all that is printed, and the exit status.

`data/transcript/<case>.txt` has the lines that are typed beside the files of a case, `$ flowcore
...` with `< file` for standard input, or `$ cat file`, and what they printed. Where a change is
wanted, `python tests/data/transcript/write.py` writes it again, and the difference is there to be
reviewed. Numbers are rounded to two places, since machines differ.
"""

import difflib
import io
import os
import re
import shlex
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from support.places import DATA
from support.rough import rough_plans
from support.transcript import CASES, main

from flowcore import __version__

HERE = DATA / "transcript"
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d{3,}(?![\w.])|(?<![\w.])-?\d+(?:\.\d+)?e[+-]?\d+")
OF_OTHERS = [  # what other libraries print, which differs between their versions
    (r"(error: Invalid value for '[^']+'): .* \(see", r"\1: ... (see"),
    (r"(error: No such option: \S+).* \(see", r"\1 ... (see"),
    (r"unexpected extra argument\S*", "unexpected extra argument"),
]


WHOLE = {"numbers"}  # with all folds; others ask what is printed, not how good it is


def transcript(name: str, folder: Path) -> str:
    """What a case prints; it runs in an empty folder."""
    with nullcontext() if name in WHOLE else rough_plans():
        return _transcript(name, folder)


def _transcript(name: str, folder: Path) -> str:
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    for path, data in CASES[name].items():
        (folder / path).write_bytes(data() if callable(data) else data)
    before = os.getcwd()
    os.chdir(folder)
    try:
        return "\n".join(f"$ {line}\n{comparable(printed(line))}" for line in lines)
    finally:
        os.chdir(before)


def printed(line: str) -> str:
    """All that comes of a line that is typed: standard output, errors, the exit status."""
    command, _, source = line.partition(" < ")
    program, *arguments = shlex.split(command)
    if program == "cat":
        return Path(*arguments).read_text(encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    data = io.BytesIO(Path(source).read_bytes() if source else b"")
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.TextIOWrapper(data)):
        status = main(arguments)
    out, err = (stream.buffer.getvalue().decode() for stream in (out, err))
    if out.startswith("{"):  # JSON is a single line, in which no difference would be found
        out = re.sub(r'(?<=\}), |, (?="\w+": [\[{])', ",\n ", out)
    errors = [f"stderr: {one}" for one in err.splitlines(True)]
    return "".join([out, *errors, f"exit status {status}\n"])


def comparable(text: str) -> str:
    """The text with numbers of two places, and nothing of this machine."""
    text = text.replace(os.getcwd(), "FOLDER").replace(__version__, "VERSION")
    for ours, masked in OF_OTHERS:
        text = re.sub(ours, masked, text)
    return NUMBER.sub(rounded, text)


def rounded(number: re.Match) -> str:
    value, is_power = float(number[0]), "e" in number[0]
    return f"{value:.1e}" if is_power else f"{round(value, 2) + 0.0:.2f}"


@pytest.mark.parametrize("name", CASES)
def test_the_same_is_printed(name, tmp_path):
    expected = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    found = transcript(name, tmp_path)
    names = (f"data/transcript/{name}.txt", "printed now")
    change = difflib.unified_diff(expected.splitlines(True), found.splitlines(True), *names)
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":  # it fits other numbers
        expected, found = (re.findall("^exit status .*", t, re.M) for t in (expected, found))
    assert found == expected, "\n" + "".join(change)


def test_every_file_is_a_case():
    assert {path.stem for path in HERE.glob("*.txt")} == set(CASES)
