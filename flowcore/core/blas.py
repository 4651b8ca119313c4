"""BLAS with one thread, while flowcore works.

BLAS threads spin while they wait for cores that other processes use. On a busy machine a product of
a few hundred rows then takes a hundred times as long. So BLAS gets one thread for all work that is
large enough for several. Where threads save time, flowcore uses its own (see `blocks`, `shards`).
"""

from __future__ import annotations

# Imported for its fork hooks, before there are threads. SciPy would import it at first use, and a
# fork in the middle of that import would release a lock that nobody holds.
import concurrent.futures.thread  # noqa: F401
import os
import sys
from contextlib import contextmanager
from threading import get_ident
from weakref import WeakSet

from .._imports import imported, unforked


class _User:
    """One `with`, in one thread. It lives as long as the frame of its context does."""

    def __init__(self):
        self.thread = get_ident()


class _Blas:
    """BLAS is limited to one thread while it has users; then it gets its former number back.

    The limit belongs to the process, so its users are counted: the first one in sets it, the last
    one out restores the former numbers. A forked child counts its only thread.

    An interrupt may come between any two lines. If it comes while a user leaves, leaving is done
    again. Users are held weakly, so that a second interrupt does no harm: a user that could not
    leave disappears with its frame, and the next one to come or leave restores the numbers.
    """

    def __init__(self):
        self._users: WeakSet[_User] = WeakSet()
        self._libraries = self._before = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._count_again)

    @contextmanager
    def single_threaded(self):
        me = _User()
        try:
            try:
                with unforked():
                    self._enter(me)
                yield
            finally:
                self._leave(me)
        except BaseException:  # an interrupt, perhaps, in the middle of `_leave`
            self._leave(me)
            raise

    def _leave(self, user: _User) -> None:
        with unforked():
            self._users.discard(user)
            self._restore_if_unused()

    def _enter(self, user: _User) -> None:
        self._restore_if_unused()
        if self._libraries is None:
            self._libraries = _find_libraries()
        if self._before is None:
            self._before = [library.get_num_threads() for library in self._libraries]
            _set_threads(self._libraries, [1] * len(self._libraries))
        self._users.add(user)  # last: where there is a user, the limit is set

    def _restore_if_unused(self) -> None:
        if self._before is not None and not self._users:
            _set_threads(self._libraries, self._before)
            self._before = None

    def _count_again(self) -> None:
        """In a forked child: all other threads are gone."""
        here = get_ident()
        self._users = WeakSet(user for user in self._users if user.thread == here)
        self._restore_if_unused()


def _find_libraries() -> list:
    """threadpoolctl's handles of all BLAS libraries that are loaded."""
    if sys.platform == "emscripten":  # a browser: no threads, and no threadpoolctl
        return []
    everything = imported("threadpoolctl").ThreadpoolController()
    return everything.select(user_api="blas").lib_controllers


def _set_threads(libraries, numbers) -> None:
    """The number of threads of each library.

    In newer versions of threadpoolctl, the first thread that sets OpenBLAS's number controls it as
    long as that thread lives, and others are ignored. Our users are counted instead, and the last
    one out is seldom the first one in.
    """
    for library, n in zip(libraries, numbers, strict=True):
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(n)
        release(force=True)


BLAS = _Blas()
