"""BLAS with one thread, for as long as flowcore's own threads keep the cores busy."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import get_ident

from .forks import imported, unforked


class _Blas:
    """BLAS limited to one thread while anybody asks for it; then as it was.

    The limit belongs to the process, so its users are counted: the first one in sets it, the last
    one out restores what was there. A forked child counts its only thread.
    """

    def __init__(self):
        self._users: dict[object, int] = {}  # which thread each of them is in
        self._controller = self._limit = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._count_again)

    @contextmanager
    def single_threaded(self):
        me = object()
        try:
            with unforked():
                self._come(me)
            yield
        finally:  # around all of it: an interrupt may come between any two lines
            with unforked():
                self._users.pop(me, None)
                self._restore_for_nobody()

    def _come(self, user: object) -> None:
        if self._limit is None:
            if self._controller is None:
                self._controller = imported("threadpoolctl").ThreadpoolController()
            self._limit = self._controller.limit(limits=1, user_api="blas")
        self._users[user] = get_ident()

    def _restore_for_nobody(self) -> None:
        if self._limit is not None and not self._users:
            self._limit.restore_original_limits()
            self._limit = None

    def _count_again(self) -> None:
        """In a forked child: all other threads are gone."""
        here = get_ident()
        self._users = {user: thread for user, thread in self._users.items() if thread == here}
        self._restore_for_nobody()


BLAS = _Blas()
