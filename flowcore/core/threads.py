"""Work shared with a few kept threads.

A thread that is started for a call begins too late for calls of a few milliseconds, and an executor
for each call took longer than the call's own work. So threads wait a second for more work before
they end. Nothing depends on them: what no thread has begun, the calling thread does itself.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import numpy as np

IDLE = 1.0  # seconds until a thread without work ends: os.fork() warns beside threads (Python 3.12)


class _Helpers:
    """Threads that wait for work; each piece of work has a ticket, a `Future`.

    The owner cancels a ticket that nobody has begun. So no call waits for a helper that is busy,
    not even a call that is made by a helper.
    """

    def __init__(self):
        self._begin_anew()
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """Also in a forked child, which has none of its parent's threads."""
        self._lock, self._queue, self._alive = Lock(), SimpleQueue(), 0

    def offer(self, work: Callable, n: int) -> list[Future]:
        """The tickets of n helpers, or of fewer where no more threads can be started."""
        with self._lock, suppress(RuntimeError):  # too many threads, or the interpreter ends
            while self._alive < n and not sys.is_finalizing():  # then a start never returns
                Thread(target=self._help, name="flowcore", daemon=True).start()
                self._alive += 1
        tickets: list[Future] = [Future() for _ in range(min(n, self._alive))]
        for ticket in tickets:
            self._queue.put((ticket, work))
        return tickets

    def _help(self) -> None:
        with suppress(Empty):
            while True:
                ticket, work = self._queue.get(timeout=IDLE)
                if ticket.set_running_or_notify_cancel():
                    work()
                    ticket.set_result(None)
                del ticket, work  # a thread that waits keeps no arrays
        with self._lock:
            self._alive -= 1


_HELPERS = _Helpers()


def in_threads(f: Callable, items: Sequence, workers: int) -> None:
    """f(item) for every item, each once; the error of the first item that has one ends the run.

    The calling thread is one of the workers, since it has a core: two new threads often begin on
    the same one, and then one of them waits for milliseconds.
    """
    workers, todo, errors = min(workers, len(items)), iter(range(len(items))), {}
    state = {"call": np.geterrcall(), **np.geterr()}

    def work():
        k = 0
        with np.errstate(**state):  # threads do not inherit it
            try:
                for k in todo:
                    f(items[k])
            except BaseException as error:  # an interrupt, too
                errors[k] = error
                deque(todo, maxlen=0)  # nobody begins another item

    tickets = _HELPERS.offer(work, workers - 1) if workers > 1 else []
    try:
        work()
    finally:
        _take_back_or_wait(tickets)
    try:
        if errors:
            raise errors[min(errors)]
    finally:
        errors.clear()  # kept, an error and its frames would be a cycle


def _take_back_or_wait(tickets: Sequence[Future]) -> None:
    begun = [ticket for ticket in tickets if not ticket.cancel()]
    try:
        for ticket in begun:
            ticket.result()
    finally:  # an interrupt in here leaves no work behind
        for ticket in begun:
            ticket.result()
