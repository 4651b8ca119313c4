"""Ctrl-C ends a command at once, whoever would have caught it.

`flowcore.fit` ends one flow, and returns what it has; and some packages, while they are imported,
take every exception for a package that is missing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.5  # seconds until it is tried once more


class _Interrupt(BaseException):
    """Nobody's to catch but ours."""


@contextmanager
def at_once() -> Iterator[None]:
    """After a Ctrl-C, only a KeyboardInterrupt leaves this context, and soon."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    alarm = getattr(signal, "SIGALRM", None)  # which not every system has
    came = []

    def stop(*_):
        came.append(True)
        if alarm is not None:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise _Interrupt

    signals = [signal.SIGINT] if alarm is None else [signal.SIGINT, alarm]
    before = [signal.signal(number, stop) for number in signals]
    try:
        try:
            yield
        finally:
            if alarm is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
    except BaseException:
        if came:
            raise KeyboardInterrupt from None
        raise
    if came:
        raise KeyboardInterrupt
