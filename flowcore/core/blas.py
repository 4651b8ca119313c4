"""BLAS with one thread, while flowcore works.

BLAS threads spin while they wait for cores that other processes use. On a busy machine a product of
a few hundred rows then takes many times as long. So BLAS gets one thread for all work that is
large enough for several. Where threads save time, flowcore uses its own (see `blocks`, `shards`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from functools import cache
from threading import Lock

from .._imports import imported


class _Blas:
    """BLAS is limited to one thread while it has users; then it gets its former number back.

    The limit belongs to the process, so its users are counted: the first one in sets it, the last
    one out restores the former numbers.
    """

    def __init__(self):
        self._lock, self._users = Lock(), 0
        self._before: list[tuple] = []  # (library, its number of threads) without users
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
            os.register_at_fork(after_in_child=self._begin_anew)

    @contextmanager
    def single_threaded(self):
        with self._lock:
            if not self._users:
                self._before = [(blas, blas.get_num_threads()) for blas in _libraries()]
                _set_threads((blas, 1) for blas in _libraries())
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users = max(0, self._users - 1)  # a child may be forked in between
                if not self._users:
                    _set_threads(self._before)

    def _begin_anew(self) -> None:
        """In a forked child: another thread may have held the lock, and no user is left."""
        self._lock = Lock()
        if self._users:
            self._users = 0
            _set_threads(self._before)


@cache
def _libraries() -> list:
    """threadpoolctl's handles of all BLAS libraries that are loaded."""
    if sys.platform == "emscripten":  # a browser: no threads, and no threadpoolctl
        return []
    everything = imported("threadpoolctl").ThreadpoolController()
    return everything.select(user_api="blas").lib_controllers


def _set_threads(numbers: Iterable[tuple]) -> None:
    """The number of threads of each library.

    In newer versions of threadpoolctl, the first thread that sets OpenBLAS's number controls it as
    long as that thread lives, and others are ignored. Our users are counted instead, and the last
    one out is seldom the first one in.
    """
    for library, n in numbers:
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(n)
        release(force=True)


BLAS = _Blas()
