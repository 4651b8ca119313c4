"""Fits in parallel: joblib's processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from ..core import OutOfTime, limit, n_threads, until
from ..training.history import sparse_bar

LIGHT = 2.0  # seconds of one core: what is done by then is not worth a second process
SHORT = 10.0  # seconds: processes take too much of them to start
_part: ContextVar = ContextVar("flowcore_part_of_a_bar", default=None)  # (bar, size, end)


@contextmanager
def part_of_progress(share: float = 1.0, wanted: bool = False) -> Iterator[None]:
    """Work that is a share of the work around it; the outermost has a bar, if it is wanted.

    The bar is at the end of a part when the part is done: so it is at 100% when all is.
    """
    outer, form = _part.get(), "{l_bar}{bar}| [{elapsed}<{remaining}]"
    bar, size, _ = outer or (sparse_bar(100, "%", disable=not wanted, bar_format=form), 100.0, 0)
    before = _part.set((bar, share * size, bar.n + share * size))
    try:
        yield
        _advance(math.inf)
    finally:
        _part.reset(before)
        if outer is None:
            bar.close()


def _advance(share: float) -> None:
    """Move the bar by a share of the present part, at most to its end."""
    if part := _part.get():
        bar, size, end = part
        bar.update(min(share * size, end - bar.n))


def run(
    tasks: Sequence[Callable], seconds: Sequence[float], n_jobs: int | None,
    budget: float = math.inf,
) -> list:  # fmt: skip
    """The results of the tasks, in order; each moves the bar by its part of the budget.

    seconds: the expected time of each on one core. Each task gets its part of the time until
    `limit` when it starts, as seconds, since its machine may have another clock; if it is
    OutOfTime, its result is None.
    """
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    if n_jobs is None and configured in (None, 1) and not backend.nesting_level:
        n_jobs = n_threads()  # neither a joblib context nor a worker: all cores
    ends, found = limit(), []
    light = sum(seconds) <= LIGHT or len(tasks) < 2 or ends - time.monotonic() < SHORT
    jobs = 1 if light else n_jobs
    threads = {} if jobs == 1 else {"threads": 1}
    remaining = np.cumsum(seconds[::-1])[::-1] / effective_n_jobs(jobs)
    calls = (
        delayed(_within)((ends - time.monotonic()) * expected / max(expected, own), task, **threads)
        for task, expected, own in zip(tasks, seconds, remaining, strict=True)
    )
    form = "generator" if backend.supports_return_generator else "list"
    # a task is handed over when it can start: the seconds that it gets count from then
    results = Parallel(n_jobs=jobs, return_as=form, pre_dispatch="n_jobs")(calls)
    for result, expected in zip(results, seconds, strict=True):
        found.append(result)
        _advance(expected / budget)
    return found


def _within(seconds: float, task: Callable, **options):
    try:
        with until(time.monotonic() + seconds):
            return task(**options)
    except OutOfTime:
        return None
