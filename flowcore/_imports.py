"""Lazy imports, and a lock that a fork waits for.

A forked child has one thread, the one that forked, and every lock in the state that it had. Work
that another thread had begun stays half done in the child for ever: a module half imported, BLAS
limited by a thread that does not exist. So short work that belongs to the whole process is done
`with unforked():`, and a fork waits for it.

OpenBLAS has such a lock, too, which every product takes, and no child renews it. So a fork keeps
the interpreter to itself, without running Python, until the products of other threads are done.

Two cases remain. Other imports, such as `import flowcore.flows` or imports by `pickle`, do not take
the lock: a child that imports a module while another thread of its parent was importing it waits
for ever. So do two threads of which one is the first to import a module here, while the other forks
in the middle of importing the same one. (Threads that are the first to import different modules of
one package may get Python's `_DeadlockError`.)

No module of flowcore may take this lock while it is imported: a thread that holds the lock may be
waiting for that import. So modules import from rooms, and no names from `flowcore` itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any

LONG, PRODUCT = 0.05, 6000  # seconds until a thread is interrupted; microseconds for a product

_interval = sys.getswitchinterval()
_lock = RLock()  # may be taken again: a signal handler, which may fork, runs in any line of ours


def unforked():
    """A context for one thread at a time; a fork in any thread waits until it is left."""
    return _lock


def imported(name: str) -> ModuleType:
    """The module of this name, for functions that many threads may be the first to call.

    A module that is loaded is returned at once. Otherwise a fork waits for the import, and the
    import waits for other threads that import the same module: see above.
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
    """True while a thread is importing it; the import system uses the same attribute."""
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def _renew() -> None:
    """A new lock for the child: threads of the parent may have been waiting for the old one.

    If the fork came inside of a `with`, this thread holds the old lock and releases it at the end.
    """
    global _lock
    _lock = RLock()
    sys.setswitchinterval(_interval)


def _before_fork() -> None:
    global _interval
    _lock.acquire()
    _interval = sys.getswitchinterval()
    ctypes = sys.modules.get("ctypes")  # without it nobody has limited BLAS, see `core/blas.py`
    if ctypes is None or threading.active_count() == 1:
        return
    sys.setswitchinterval(LONG)
    for _ in range(2):  # in between, a thread that has asked for the interpreter gets it
        ctypes.PyDLL(None).usleep(PRODUCT)  # keeps the interpreter, which `time.sleep` does not


def _after_fork() -> None:
    sys.setswitchinterval(_interval)
    _lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_renew)
