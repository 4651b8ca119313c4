"""What a fork must not cut in two.

A forked child has one thread, the one that forked, and every lock as it was. What another thread
was in the middle of stays half done there for ever: a module half imported, BLAS limited by
somebody who will never come back. So what takes a moment and belongs to the whole process is done
`with unforked():`, and a fork waits for it.

What nobody here can mend: imports by others. A child that imports a module while another thread of
its parent was importing the same one waits for ever, whatever the module.
"""

from __future__ import annotations

import os
from importlib import import_module
from threading import RLock
from types import ModuleType

_lock = RLock()  # may be taken again: a signal handler, which may fork, runs in any line of ours


def unforked():
    """A context that a fork, from whatever thread, waits for; one thread at a time is in it."""
    return _lock


def imported(name: str) -> ModuleType:
    """The module of this name, for functions that many threads may be the first to call."""
    with unforked():
        return import_module(name)


def _wait() -> None:
    _lock.acquire()


def _go_on() -> None:
    _lock.release()


def _renew() -> None:
    """In the child: threads that are not there may have been waiting for the lock."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_renew)
