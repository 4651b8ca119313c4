"""Ctrl-C and SIGTERM end a command at once, even inside code that catches exceptions.

At a Ctrl-C, `flowcore.fit` ends one flow and returns its best parameters. Some packages interpret
any exception during their import as a missing package. And SIGTERM alone would leave worker
processes and unfinished files behind.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.5  # seconds until it is tried once more
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is that of a terminal that is closed


class _Interrupt(BaseException):
    """Nobody's to catch but ours."""


@contextmanager
def at_once() -> Iterator[None]:
    """After a signal, only its own exception leaves this context, and soon.

    That is a KeyboardInterrupt for Ctrl-C, else a SystemExit with 128 + the signal's number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    alarm = getattr(signal, "SIGALRM", None)  # which not every system has
    came = []

    def stop(number, _):
        came.append(number)
        if alarm is not None:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise _Interrupt

    signals = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    signals = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    signals += [] if alarm is None else [alarm]
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
        if not came:
            raise
    if came:
        raise KeyboardInterrupt if came[0] == signal.SIGINT else SystemExit(128 + came[0])
