"""Errors and warnings whose fix is data; warnings point to the line that called flowcore.

A constructor warns when an object is made; loading the object must not warn again.
`warnings.catch_warnings` cannot silence these warnings: it replaces the filters of the whole
process, and two threads that do so at once leave the wrong filters behind.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

_quiet = ContextVar("flowcore_remakes_an_object", default=False)
_PACKAGE = __name__.partition(".")[0]


@contextmanager
def without_warnings():
    """A context, for this thread alone, in which `warn` is silent: the constructor has warned."""
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


def with_fix(kind: type, problem: str, *fix: dict, words: str = "") -> Any:
    """An exception or warning of this kind; its fix is data, which the command line rephrases.

    problem: the sentence up to its fix. fix: alternatives, each a set of arguments. words: the end
    of the sentence in Python, if the fix is more than passing these arguments.

    >>> error = with_fix(ValueError, "a row misses a value: fill it, or ", {"missing": "drop"})
    >>> str(error), error.fix
    ("a row misses a value: fill it, or pass missing='drop'", ({'missing': 'drop'},))
    """
    passed = [", ".join(f"{name}={value!r}" for name, value in one.items()) for one in fix]
    found = kind(problem + (words or f"pass {' or '.join(passed)}"))
    found.problem, found.fix = problem, fix
    return found


def warn(message: str | Warning, always: bool = False) -> None:
    """A UserWarning that points to the line outside of flowcore from which it was called.

    always: also in `without_warnings`, since the warning is about the present call
    """
    if _quiet.get() and not always:
        return
    frame, level = sys._getframe(1), 2
    while frame is not None:
        module = frame.f_globals.get("__name__")  # of code that is executed: any, or none
        if str(module).partition(".")[0] != _PACKAGE:
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)


def elsewhere(**places: str):
    """A decorator of a constructor: its TypeError for these options names where they belong."""

    def decorated(constructor):
        @wraps(constructor)
        def checked(self, *values, **options):
            for name in places.keys() & options.keys():
                raise TypeError(f"{type(self).__name__} takes no {name}=: {places[name]}")
            constructor(self, *values, **options)

        return checked

    return decorated
