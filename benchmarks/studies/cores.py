"""Which cores and how many threads a process gets, where the system lets one choose."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

THREADS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "FLOWCORE_THREADS",
)  # what libraries read when they start


def usable() -> list[int]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def last(n: int) -> list[int]:
    """So many cores: the last ones, since the first is the one that most interrupts go to."""
    return usable()[-n:]


@contextmanager
def pinned(cores: Sequence[int] | None) -> Iterator[None]:
    """Within, this thread and the processes that it starts stay on these cores.

    None, or a system without affinities: everything stays as it is.
    """
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment_for(cores: Sequence[int] | None) -> dict[str, str]:
    """The variables of a process that shall use as many threads as these cores."""
    limits = {} if cores is None else dict.fromkeys(THREADS, str(len(cores)))
    return {**os.environ, **limits}
