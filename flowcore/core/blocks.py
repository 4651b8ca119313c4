"""Large inputs in blocks of rows, in a few threads: bounded memory, every core busy.

A block of rows fits the cache where a whole table does not, so blocks alone are faster; NumPy
releases the interpreter lock in its products, so threads are faster still. While they run, BLAS is
limited to one thread each. The edges of the blocks are fixed: results are bit for bit the same for
any number of threads.

The gradient of a batch is not split: idle BLAS threads spin for a while, on the cores that ours
need, and that cost a training step more than the blocks saved.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock

import numpy as np

ROWS = 1024  # per block
MANY = 4 * ROWS  # fewer rows than this are one block: threads would cost more than they save
ENVIRONMENT = "FLOWCORE_THREADS"


def keep_freed_memory() -> None:
    """Let the C library keep freed memory instead of giving it back to the system at once.

    Splines and mixtures allocate their arrays in every call. glibc hands large freed ones back to
    the system and asks for them again, page by page: 425 page faults, half of the time of 500
    samples of a spline layer at D = 6. It learns the largest size that is worth keeping from what
    is freed: so free 31 MB once, untouched. (It keeps 62 MB then, and what lies below memory that
    is still used.)
    """
    np.empty(31 * 2**20, np.uint8)


keep_freed_memory()


def n_threads(threads: int | None = None) -> int:
    """The number of threads: the argument, else the environment variable FLOWCORE_THREADS, else
    the cores that this process may use, at most 8."""
    if threads is None:
        threads = os.environ.get(ENVIRONMENT) or min(_cores(), 8)
    try:
        value = int(threads)
        if value >= 1 and value == float(threads):
            return value
    except (TypeError, ValueError):
        pass
    raise ValueError(f"threads (or {ENVIRONMENT}) must be an integer >= 1, not {threads!r}")


def _cores() -> int:
    if sys.platform == "emscripten":  # a browser: no threads
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_blocks(f: Callable, inputs: Sequence, threads=None, out=None) -> list[np.ndarray]:
    """The results of f for blocks of rows of the inputs, each array whole.

    f(*inputs)   a list of arrays, with the rows on the first axis
    inputs       arrays with as many rows, or None (handed on)
    out          where the first result goes, e.g. an input that has the same shape

    The edges of the blocks depend on the number of rows alone, and BLAS has one thread meanwhile:
    bit for bit the same for any number of threads. The first error ends the run.
    """
    n_rows, workers = len(inputs[0]), n_threads(threads)
    wholes: list = [] if out is None else [out]
    size = ROWS if n_rows >= MANY else max(n_rows, 1)
    starts = range(0, max(n_rows, 1), size)

    def run(start):
        rows = slice(start, start + size)
        found = f(*(None if a is None else a[rows] for a in inputs))
        with _MAKING:
            for a in found[len(wholes) :]:
                wholes.append(np.empty((n_rows, *a.shape[1:]), a.dtype))
        for whole, a in zip(wholes, found, strict=True):
            whole[rows] = a

    if len(starts) == 1:
        run(0)
        return wholes
    with BLAS.single_threaded():
        in_threads(run, starts, workers)
    return wholes


def in_threads(f: Callable, items: Sequence, workers: int) -> list:
    """[f(item) for item in items]; the first error ends the run."""
    workers, state = min(workers, len(items)), np.geterr()
    if workers <= 1:
        return [f(item) for item in items]

    def run(item):
        with np.errstate(**state):  # threads do not inherit it
            return f(item)

    with ThreadPoolExecutor(workers) as pool:
        try:
            return [done.result() for done in [pool.submit(run, item) for item in items]]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _Blas:
    """BLAS limited to one thread while anybody asks for it; then as it was.

    The limit belongs to the process, so users are counted: the first one in sets it, the last one
    out restores what was there.
    """

    def __init__(self):
        self._lock, self._users, self._controller, self._limit = Lock(), 0, None, None

    @contextmanager
    def single_threaded(self):
        with self._lock:
            if self._users == 0:
                from threadpoolctl import ThreadpoolController

                self._controller = self._controller or ThreadpoolController()
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._limit.restore_original_limits()


BLAS = _Blas()
_MAKING = Lock()  # of the arrays that all blocks write to
