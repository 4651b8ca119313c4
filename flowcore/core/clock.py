"""A limit by the clock for long computations.

It works as Ctrl-C does: training and EM look at the clock after every step, and what keeps its best
when it is interrupted keeps it here, too. Of processes: a moment is one of `time.time()`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real

_ends = ContextVar("when_long_computations_end", default=math.inf)


class OutOfTime(KeyboardInterrupt):
    """The time of `until` is over."""


@contextmanager
def until(moment: float) -> Iterator[None]:
    """A context, of this thread alone, in which long computations end at the moment."""
    before = _ends.set(moment)
    try:
        yield
    finally:
        _ends.reset(before)


def moment_after(max_seconds: float | None) -> float:
    """When so many seconds from now are over, or the context is, if that is sooner; None: `limit`.

    Errors: ValueError unless it is a positive number.
    """
    if max_seconds is None:
        return limit()
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, Real) or not max_seconds > 0:
        raise ValueError(f"max_seconds is a number of seconds > 0, or None: got {max_seconds!r}")
    return min(limit(), time.time() + float(max_seconds))


def limit() -> float:
    """The moment; infinity outside of the context."""
    return _ends.get()


def check_time() -> None:
    """Raise OutOfTime if it is over."""
    if time.time() > limit():
        raise OutOfTime
