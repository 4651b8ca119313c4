"""Threads change no number and do not wait for each other.

conftest.py pins BLAS to one thread, so what needs a BLAS that is free to use two of its own runs in
a process of its own.
"""

import json
import os
import subprocess
import sys

import pytest

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
