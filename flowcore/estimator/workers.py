"""Fits in parallel: joblib's processes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..core import n_threads
from ..training.history import sparse_bar

LIGHT = 2.0  # seconds of one core: what is done by then is not worth a second process


def run(
    tasks: Sequence[Callable], seconds: float, n_jobs: int | None, progress: bool = False
) -> list:
    """What the tasks return, in order; they are said to take so many seconds of one core."""
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    if n_jobs is None and configured in (None, 1) and not backend.nesting_level:
        n_jobs = n_threads()  # neither a joblib context nor a worker: all cores
    jobs = n_jobs if seconds > LIGHT and len(tasks) > 1 else 1
    threads = {} if jobs == 1 else {"threads": 1}
    calls = (delayed(task)(**threads) for task in tasks)
    if not backend.supports_return_generator:  # multiprocessing: all at once
        return Parallel(n_jobs=jobs)(calls)
    with _deaf_to_interrupts():
        results = Parallel(n_jobs=jobs, return_as="generator")(calls)
    if progress:
        bar = sparse_bar(len(tasks), "flow")
        bar.iterable, results = results, bar
    return list(results)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started here ignore Ctrl-C, which a terminal sends to all of them: each
    would print a traceback of its own. The process that started them gets it, and ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
