"""Errors and notes in one line, each with its fix as what to type."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..training import TrainingDivergedError
from .problem import Problem, one_line
from .signals import at_once

MENDABLE = (ValueError, OSError, ImportError, MemoryError, TrainingDivergedError)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Whatever the user can mend becomes a `Problem`; warnings become notes."""
    try:
        with at_once(), warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _as_note
            yield
    except BrokenPipeError:
        raise
    except MENDABLE as problem:
        raise Problem(_sentence(problem)) from problem


def note(text: str) -> None:
    """One line on standard error."""
    print(one_line(f"flowcore: note: {text}"), file=sys.stderr)


def option(name: str, value) -> str:
    """An argument of the library as what to type.

    >>> option("header", False), option("missing_values", "no answer")
    ('--no-header', "--missing-values 'no answer'")
    >>> option("kind", {"age": "integer(0)", "id": "aside"})
    "--kind 'age=integer(0)' --kind id=aside"
    """
    flag = name.replace("_", "-")
    if value is False:
        return f"--no-{flag}"
    if isinstance(value, dict):
        return " ".join(option(name, f"{column}={kind}") for column, kind in value.items())
    text = ",".join(map(str, value)) if isinstance(value, list) else value
    quote = shlex.quote if any(map(str.isalnum, text)) else repr  # a comma alone would look odd
    return f"--{flag} {quote(text)}"


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, MemoryError):
        return "there is not enough memory"
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename
        return problem.strerror if name is None else f"{name or repr(name)}: {problem.strerror}"
    if not getattr(problem, "fix", ()):
        return str(problem)
    typed = (" ".join(option(*pair) for pair in one.items()) for one in problem.fix)
    return f"{problem.problem}pass {' or '.join(typed)}"


def _as_note(message, category, *_, **__) -> None:
    if issubclass(category, UserWarning):  # others are for those who write programs
        note(_sentence(message))
