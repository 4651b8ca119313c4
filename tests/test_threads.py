"""Threads change no number and do not wait for each other.

conftest.py pins BLAS to one thread, so what needs a BLAS that is free to use two of its own runs in
a process of its own.
"""

import importlib
import json
import os
import subprocess
import sys
import threading

import pytest

from flowcore.core import derived, imported, unforked

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
    x = np.random.default_rng(0).normal(size=(5000, flow.dim))
    calls = {
        "log_prob": lambda t: [flow.log_prob(x, threads=t)],
        "to_latent": lambda t: [flow.to_latent(x, threads=t)],
        "sample": lambda t: [flow.sample(5000, 1, threads=t)],
        "sample_and_log_prob": lambda t: flow.sample_and_log_prob(5000, 1, threads=t),
    }
    for what, call in calls.items():
        one = call(1)
        for threads in (2, 3, 8):
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


class Slow:
    """Its attribute takes until somebody else's is there."""

    def __init__(self, own=None, other=None):
        self.own, self.other, self.computed = own, other, 0

    @derived
    def value(self):
        """What it is."""
        self.computed += 1
        if self.own is not None:
            self.own.set()
            assert self.other.wait(10)
        return object()


def test_a_derived_attribute_is_computed_once_and_kept():
    slow = Slow()
    assert slow.value is slow.value and slow.computed == 1
    assert Slow.value.__doc__ == "What it is." and Slow().value is not slow.value


def test_objects_of_a_class_compute_derived_attributes_at_once():
    events = [threading.Event() for _ in range(2)]
    objects, found = [Slow(*events), Slow(*events[::-1])], []
    threads = [threading.Thread(target=lambda o=o: found.append(o.value)) for o in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2


def test_threads_that_compute_a_derived_attribute_at_once_get_one_object():
    both, found = threading.Barrier(2), []

    class Met:
        @derived
        def value(self):
            both.wait(10)
            return object()

    met = Met()
    threads = [threading.Thread(target=lambda: found.append(met.value)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] is met.value


def in_a_thread(f):
    """(the thread, which has begun; where its result will be)"""
    found = []
    thread = threading.Thread(target=lambda: found.append(f()), daemon=True)
    thread.start()
    return thread, found


def test_a_module_that_is_there_is_had_without_waiting():
    with unforked():
        thread, found = in_a_thread(lambda: imported("json"))
        thread.join(10)
    assert found == [json]


def test_a_module_that_another_thread_is_importing_is_waited_for(tmp_path, monkeypatch):
    """`slow_module` is in sys.modules, but not all of it is there."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_module.py").write_text(
        "import threading\n"
        "begun, go_on = threading.Event(), threading.Event()\n"
        "begun.set()\n"
        "assert go_on.wait(10)\n"
        "whole = True\n"
    )
    importing, _ = in_a_thread(lambda: importlib.import_module("slow_module"))
    try:
        while not hasattr(sys.modules.get("slow_module"), "go_on"):
            assert importing.is_alive()
        half = sys.modules["slow_module"]
        assert half.begun.wait(10)
        waiting, found = in_a_thread(lambda: hasattr(imported("slow_module"), "whole"))
        waiting.join(0.05)
        assert found == []
        half.go_on.set()
        importing.join(10)
        waiting.join(10)
        assert found == [True]
    finally:
        sys.modules.pop("slow_module", None)
