"""Errors and notes in one line, each with its fix as an option to type."""

from __future__ import annotations

import errno
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def printable(text: str) -> str:
    """The text with escapes for characters that control a terminal.

    >>> print(printable("a\x1b[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def print_error(text: str) -> None:
    """One line on standard error."""
    if sys.stderr is not None:  # it may be closed
        print(printable(" ".join(text.split())), file=sys.stderr)


def note(text: str) -> None:
    """One line about something odd."""
    print_error(f"flowcore: note: {text}")


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Warnings are notes, each printed once; those for programmers are not printed."""
    printed = set()

    def show(message, category, *_, **__):
        text = sentence(message)
        if issubclass(category, UserWarning) and text not in printed:
            printed.add(text)
            note(text)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def sentence(problem: Warning | Exception) -> str:
    """An error or warning in words, its fix as options."""
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename
        if name is None:
            is_full = problem.errno == errno.ENOSPC  # a file would have its name
            return f"standard output: {problem.strerror}" if is_full else problem.strerror
        return f"{name or repr(name)}: {problem.strerror}"
    if not getattr(problem, "fix", ()):
        return str(problem) or type(problem).__name__
    typed = (" ".join(option(*pair) for pair in one.items()) for one in problem.fix)
    return f"{problem.problem}pass {' or '.join(typed)}"


def option(name: str, value) -> str:
    """An argument of the library as an option to type.

    >>> option("header", False), option("missing_values", "no answer")
    ('--no-header', "--missing-values 'no answer'")
    >>> option("kind", {"age": "integer(0)", "id": "aside"})
    "--kind 'age=integer(0)' --kind id=aside"
    """
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    if isinstance(value, dict):
        return " ".join(option(name, f"{column}={kind}") for column, kind in value.items())
    text = ",".join(map(str, value)) if isinstance(value, list) else f"{value}"
    quote = shlex.quote if any(map(str.isalnum, text)) else repr  # a comma alone would look odd
    return f"--{flag} {quote(text)}"
