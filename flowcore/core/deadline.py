"""A limit by the clock for long computations.

It works like Ctrl-C: training and EM look at the clock after every step, and computations that keep
their best result when interrupted keep it here, too. A moment is a value of `time.monotonic()`,
which never jumps. Another machine has another such clock, so it gets seconds and no moment.
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
    """A context, for this thread alone, in which long computations end at the moment."""
    before = _ends.set(moment)
    try:
        yield
    finally:
        _ends.reset(before)


def moment_after(max_seconds: float | None) -> float:
    """The moment a number of seconds from now, but not after the context's; None: `limit`.

    Errors: ValueError unless it is a positive number.
    """
    if max_seconds is None:
        return limit()
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, Real) or not max_seconds > 0:
        raise ValueError(f"max_seconds is a number of seconds > 0, or None: got {max_seconds!r}")
    return min(limit(), time.monotonic() + float(max_seconds))


def limit() -> float:
    """The moment; infinity outside of the context."""
    return _ends.get()


def check_time() -> None:
    """Raise OutOfTime if it is over."""
    if time.monotonic() > limit():
        raise OutOfTime
