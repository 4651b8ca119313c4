"""How modules are imported: when their names are first used, and whole, whoever forks meanwhile.

A forked child has one thread, the one that forked, and every lock as it was. What another thread
was in the middle of stays half done there for ever: a module half imported, BLAS limited by
somebody who will never come back. So what takes a moment and belongs to the whole process is done
`with unforked():`, and a fork waits for it.

What nobody here can mend: imports by others, such as `import flowcore.flows` or those of `pickle`.
A child that imports a module while another thread of its parent was importing the same one waits
for ever, whatever the module. And so do two threads of which one is the first to import a module
here, while the other forks in the middle of importing it. Threads that are the first to import
different modules of one package may get Python's `_DeadlockError`.

No module of flowcore may take this lock while it is imported: a thread that has the lock may be
waiting for that import. (So it imports from rooms, and asks `flowcore` itself for nothing.)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any

_lock = RLock()  # may be taken again: a signal handler, which may fork, runs in any line of ours


def unforked():
    """A context that a fork, from whatever thread, waits for; one thread at a time is in it."""
    return _lock


def imported(name: str) -> ModuleType:
    """The module of this name, for functions that many threads may be the first to call.

    What is there is returned at once. Else a fork waits for the import, and the import for other
    threads that import the same: see above what they must not do meanwhile.
    """
    module = sys.modules.get(name)
    if module is not None and not _is_half_there(module):
        return module
    with unforked():
        return import_module(name)


def door(package: str, rooms: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package; rooms: a module, as import_module takes it -> its names."""

    def found(name: str) -> Any:
        for module, names in rooms.items():
            if name in names:
                with unforked():  # a fork waits until the room is whole
                    return getattr(import_module(module, package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return found


def _is_half_there(module: ModuleType) -> bool:
    """Is somebody in the middle of importing it? The import system itself asks like this."""
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def _renew() -> None:
    """In the child: threads that are not there may have been waiting for the lock.

    A `with` that the fork came in the middle of releases the lock that it took, the old one: it is
    held by this thread, and nobody takes it any more.
    """
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release())
    os.register_at_fork(after_in_child=_renew)
