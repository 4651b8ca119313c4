"""The CPU time of a few lines, whatever other tests have left in memory."""

import gc
import time
from contextlib import contextmanager


@contextmanager
def cpu_seconds():
    """A function: the CPU seconds of this thread since here. What exists already is frozen, or a
    full collection that falls in between would walk through all of it (0.4 s were seen)."""
    gc.freeze()
    begun = time.thread_time()
    try:
        yield lambda: time.thread_time() - begun
    finally:
        gc.unfreeze()
