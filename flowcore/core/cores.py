"""The number of useful threads: the number of cores that this process may use."""

from __future__ import annotations

import os
import sys
from functools import cache

from .._imports import imported
from .inputs import check_dim

MOST = 1024  # threads: a larger number is a mistake
ENVIRONMENT = "FLOWCORE_THREADS"


def n_threads(threads: int | None = None) -> int:
    """The number of threads: the argument, else the environment variable FLOWCORE_THREADS, else
    the cores that this process may use, at most 8."""
    name, value = "threads", threads
    if value is None:
        name, value = f"the environment variable {ENVIRONMENT}", os.environ.get(ENVIRONMENT, "")
        if not value:
            return min(n_cores(), 8)
        value = int(value) if value.strip().isdecimal() else value
    n = check_dim(name, value)
    if n > MOST:
        raise ValueError(f"{name} must be at most {MOST}: more threads than cores gain nothing")
    return n


def n_cores() -> int:
    """The cores that this process may use, by its affinity and by its container's quota.

    A container limited to 2 of 64 cores sees 64. Sixty-four threads would use up the quota of each
    tenth of a second in a moment, and stand still for the rest of it.
    """
    if sys.platform == "emscripten":  # a browser: no threads
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    return _n_cores(len(affinity(0)) if affinity else None)


@cache
def _n_cores(affinity: int | None) -> int:
    """joblib's count, which reads the quota from files: once for each affinity."""
    return imported("joblib").cpu_count()
