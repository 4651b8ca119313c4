"""Fits in parallel: joblib's processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from heapq import heapreplace

from ..core import OutOfTime, n_threads, until
from ..training.history import sparse_bar

LIGHT = 2.0  # seconds of one core: what is done by then is not worth a second process
SHORT = 10.0  # seconds: processes take too much of them to start


def run(
    tasks: Sequence[Callable], seconds: Sequence[float], n_jobs: int | None,
    progress: bool = False, ends: float = math.inf,
) -> list:  # fmt: skip
    """The results of the tasks, in order.

    seconds: the expected time of each on one core; ends: the time when all have to be done. Each
    task gets its part of the remaining time when it starts; if it is OutOfTime, its result is None.
    """
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    if n_jobs is None and configured in (None, 1) and not backend.nesting_level:
        n_jobs = n_threads()  # neither a joblib context nor a worker: all cores
    light = sum(seconds) <= LIGHT or len(tasks) < 2 or ends - time.time() < SHORT
    jobs = 1 if light else n_jobs
    threads = {} if jobs == 1 else {"threads": 1}
    free = [0.0] * effective_n_jobs(jobs)  # when each process is, by these seconds
    begins = [heapreplace(free, free[0] + expected) for expected in seconds]
    calls = (
        delayed(_within)(ends, expected / (max(free) - begin), task, **threads)
        for task, expected, begin in zip(tasks, seconds, begins, strict=True)
    )
    if not backend.supports_return_generator:  # multiprocessing: all at once
        return Parallel(n_jobs=jobs)(calls)
    results = Parallel(n_jobs=jobs, return_as="generator")(calls)
    if progress:
        bar = sparse_bar(len(tasks), "flow")
        bar.iterable, results = results, bar
    return list(results)


def _within(ends: float, part: float, task: Callable, **options):
    now = time.time()
    try:
        with until(now + part * (ends - now)):
            return task(**options)
    except OutOfTime:
        return None
