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
    """Let the C library keep up to 62 MB of freed memory instead of giving it back at once.

    glibc hands large freed arrays back to the system and asks for them again, page by page, in the
    next training step: 1,600 page faults, a quarter of the step of six MAF [256, 256]. It learns
    the largest size that is worth keeping from what is freed: so free 31 MB once, untouched.
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


def map_rows(f: Callable, inputs: Sequence, threads=None, out=None) -> Sequence[np.ndarray]:
    """f(*inputs), a tuple of arrays, block by block.

    inputs    arrays with the rows on the first axis, or None (handed on)
    out       where to put the results, e.g. one of the inputs: f sees a block before it is
              overwritten; None allocates

    The first error in a block ends the run and is raised here.
    """
    n_threads(threads)  # an error even where there are too few rows to need it
    n_rows = len(inputs[0])
    if out is None:
        if n_rows < MANY:
            return f(*inputs)
        like = f(*(None if a is None else a[:0] for a in inputs))
        out = [np.empty((n_rows, *a.shape[1:]), a.dtype) for a in like]

    def run(start):
        rows = slice(start, start + ROWS)
        results = f(*(None if a is None else a[rows] for a in inputs))
        for whole, result in zip(out, results, strict=True):
            whole[rows] = result

    starts = range(0, n_rows, ROWS)
    _in_threads(run, starts, threads if n_rows >= MANY else 1)
    return out


def _in_threads(f: Callable, items: Sequence, threads: int | None = None) -> list:
    """[f(item) for item in items]; the first error ends the run."""
    workers, state = min(n_threads(threads), len(items)), np.geterr()
    if workers <= 1:
        return [f(item) for item in items]

    def run(item):
        with np.errstate(**state):  # threads do not inherit it
            return f(item)

    with _BLAS.single_threaded(), ThreadPoolExecutor(workers) as pool:
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


_BLAS = _Blas()
