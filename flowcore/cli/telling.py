"""Errors and notes in one line, in the words of the command line."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..training import TrainingDivergedError
from .interrupts import at_once
from .problem import Problem, one_line, printable

MENDABLE = (ValueError, OSError, ImportError, MemoryError, TrainingDivergedError)


def _as_kinds(found: re.Match) -> str:
    """`schema.edit({'a': 'aside'})`, in the words of `fit --kind`."""
    try:
        kinds = ast.literal_eval(found[1])
    except (ValueError, SyntaxError):  # too long to be shown whole
        return "pass --kind NAME=aside for each"
    return "pass " + " ".join(f"--kind {shlex.quote(f'{n}={kind}')}" for n, kind in kinds.items())


WORDS = (  # what the library says -> what to type here
    (r'pass missing="drop"', "pass --missing drop"),
    (r"pass its word in missing_values \((.*)\), or name", r"pass --missing-value \1, or name"),
    (
        r"column ('.*') has no values: leave it out",
        r"column \1 has no values: pass --kind \1=aside to fit",
    ),
    (r"name the column in text=", "name the column in --text"),
    (r"\bX_held_out\b(?![.\w-])", "the table"),
    (r"\bX_train\b(?![.\w-])", "the table of --train"),
    (r"such as separator=", "such as --separator "),
    (r"pass header=False, if there are none", "pass --no-header, if there are none"),
    (r" in the first line, or choose columns=", " in the first line"),
    (r'pass encoding="([\w-]+)"( or )?"?([\w-]*)"?', r"pass --encoding \1\2\3"),
    (
        r"is (-?inf): make it a number, or NaN",
        r"is \1: make it a number, or pass --missing-value \1 (as the file spells it)",
    ),
    (r"(?:set (?:it|them) aside(?:, such as|:) )?schema\.edit\((\{[^{}]*\})\)", _as_kinds),
    (r"pass decimal=", "pass --decimal "),
    (r"choose one by member=", "choose one by --member"),
)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Whatever the user can mend becomes a `Problem`; warnings become notes."""
    try:
        with at_once(), warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _as_note
            yield
    except BrokenPipeError:
        raise
    except MENDABLE as problem:
        raise Problem(_why(problem)) from problem


def settled(kept: Sequence[str] = ()) -> None:
    """Inside of `told_in_one_line`: no warning of codes where the model knows what is a number.

    kept: columns that it does not know, and that lose their zeros.
    """
    names = "|".join(re.escape(f"{name!r:.40}") for name in kept)
    others = f"(?!(?:{names}):)" if names else ""
    warnings.filterwarnings("ignore", message=f".*, column {others}.*: if it is a code")


def note(text: str) -> None:
    """One line on standard error."""
    print(one_line(f"flowcore: note: {text}"), file=sys.stderr)


def show(found, as_json: bool, more: str = "") -> None:
    """A result on standard output: JSON, or text with a last line."""
    print(json.dumps(found.to_dict()) if as_json else printable(f"{found}{more}"))


def _as_note(message, category, *_, **__) -> None:
    if issubclass(category, UserWarning):  # others are for those who write programs
        note(_words(str(message)))


def _why(problem: BaseException) -> str:
    if isinstance(problem, MemoryError):
        return "there is not enough memory"
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename
        return problem.strerror if name is None else f"{name or repr(name)}: {problem.strerror}"
    return _words(str(problem))


def _words(text: str) -> str:
    """What the library says, in the words of the command line."""
    for ours, theirs in WORDS:
        text = re.sub(ours, theirs, text)
    return text
