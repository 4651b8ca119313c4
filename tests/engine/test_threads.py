"""Threads change no number and do not wait for each other.

conftest.py pins BLAS to one thread, so what needs a BLAS that is free to use two of its own runs in
a process of its own.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from flowcore.core import threads

SCRIPT = """
import json, sys, warnings
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
import flowcore as fc
from flowcore.testing import randomize

def blas():
    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    return [p["num_threads"] for p in pools if "numpy" in p["filepath"]]

threadpool_limits(limits=2, user_api="blas")
free = blas()
flows = {
    "float32": fc.flows.maf(
        43, layers=2, hidden=[512, 512], dtype=np.float32, standardize=False
    ),
    "float64": fc.flows.maf(64, layers=2, hidden=[128, 128], standardize=False),
    "walked": fc.flows.iaf(64, layers=1, hidden=[128, 128], standardize=False),
}
unequal = []
for name, flow in flows.items():
    flow = randomize(flow, 0.3)
    x = np.random.default_rng(0).normal(size=(4000, flow.dim))
    calls = {
        "log_prob": lambda t: [flow.log_prob(x, threads=t)],
        "to_latent": lambda t: [flow.to_latent(x, threads=t)],
        "sample": lambda t: [flow.sample(4000, 1, threads=t)],
        "sample_and_log_prob": lambda t: flow.sample_and_log_prob(4000, 1, threads=t),
    }
    for what, call in calls.items():
        one = call(1)
        for threads in (2, 3):
            pairs = zip(one, call(threads))
            if not all(np.array_equal(a, b) for a, b in pairs):
                unequal.append(f"{name} {what} {threads}")
print(json.dumps({"free": free, "unequal": unequal, "after": blas()}))
"""


def test_bit_identical_for_any_number_of_threads_though_blas_has_two():
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if set(found["free"]) != {2}:
        pytest.skip("this BLAS has no second thread")
    assert found["unequal"] == []
    assert found["after"] == found["free"]


def test_the_calling_thread_is_one_of_the_workers():
    """Two new threads may begin on one core, and then the second core gains nothing."""
    seen, both = set(), threading.Barrier(2)

    def f(item):
        seen.add(threading.get_ident())
        both.wait(5)  # until each worker has one

    threads.in_threads(f, range(2), 2)
    assert len(seen) == 2 and threading.get_ident() in seen


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_ends_the_run(workers):
    seen = []

    def f(item):
        seen.append(item)
        if item == 2:
            raise KeyError(item)
        time.sleep(1e-3)

    with pytest.raises(KeyError):
        threads.in_threads(f, range(1000), workers)
    assert len(seen) < 1000


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_error_is_that_of_the_first_item_that_has_one(workers):
    def f(item):
        time.sleep(0.02 if item == 1 else 0)
        if item:
            raise KeyError(item)

    with pytest.raises(KeyError, match="1"):
        threads.in_threads(f, range(9), workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_arrays_of_a_call_that_failed_are_freed_with_its_error(workers):
    left, both = [], threading.Barrier(workers, timeout=30)

    def f(item):
        array = np.zeros(3)
        left.append(weakref.ref(array))
        both.wait()
        raise KeyError(item)

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(KeyError):
            threads.in_threads(f, range(2), workers)
        assert len(left) == workers and not any(array() is not None for array in left)
    finally:
        gc.enable()


def two_at_once():
    """The threads that do two pieces of work, of which each waits for the other to begin."""
    seen, both = [], threading.Barrier(2, timeout=5)

    def f(item):
        seen.append(threading.get_ident())
        both.wait()

    threads.in_threads(f, range(2), 2)
    return set(seen)


def test_a_thread_is_kept_for_the_next_call_and_ends_when_it_stays_idle(monkeypatch):
    monkeypatch.setattr(threads, "IDLE", 0.1)
    monkeypatch.setattr(threads, "_HELPERS", threads._Helpers())
    assert two_at_once() == two_at_once()
    deadline = time.monotonic() + 5
    while threads._HELPERS._alive and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not threads._HELPERS._alive
    assert len(two_at_once()) == 2  # another one is started


def test_calls_inside_of_calls_do_not_wait_for_each_other():
    done = []

    def nested(depth):
        if depth:
            threads.in_threads(lambda _: nested(depth - 1), range(3), 3)
        else:
            done.append(1)

    nested(4)
    assert len(done) == 3**4


def test_the_calling_thread_does_everything_where_no_thread_can_be_started(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_HELPERS", threads._Helpers())
    monkeypatch.setattr(threads.Thread, "start", start)
    done = []
    threads.in_threads(done.append, range(9), 3)
    assert done == list(range(9)) and threads._HELPERS._queue.empty()


AT_EXIT = """
import atexit
import numpy as np
import flowcore as fc

class Last:  # goes with the module, when no thread runs any more
    def __del__(self):
        again()

flow = fc.flows.maf(2, layers=1, hidden=[8], standardize=False)
x = np.random.default_rng(0).normal(size=(9000, 2))
before = flow.log_prob(x, threads=1)
again = lambda: print((flow.log_prob(x, threads=2) == before).all())
"""


LAST = ["atexit.register(again); flow.log_prob(x, threads=2)", "last = Last()"]


@pytest.mark.parametrize("last", LAST)
def test_a_call_at_the_interpreters_exit_is_answered(last):
    run = [sys.executable, "-c", f"{AT_EXIT}{last}"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    two_at_once()
    pid = os.fork()
    if pid == 0:
        signal.alarm(5)
        os._exit(len(two_at_once()) != 2)
    assert os.waitpid(pid, 0)[1] == 0
