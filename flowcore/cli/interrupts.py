"""Ctrl-C ends a fit at once: `flowcore.fit` would end one flow only, and go on with the next."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Interrupt(BaseException):
    """Nobody's to catch but ours."""


@contextmanager
def at_once() -> Iterator[None]:
    """A KeyboardInterrupt leaves this context, whatever would have caught it inside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _raise)
    try:
        yield
    except _Interrupt:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)


def _raise(*_) -> None:
    raise _Interrupt
