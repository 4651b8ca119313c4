"""What belongs to the whole process, and so to the user, stays as it was: whatever is called, from
however many threads, however it ends."""

import inspect
import os
import random
import signal
import subprocess
import sys
import threading
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.special  # noqa: F401 - its import adds a filter, which is SciPy's affair
from support.flows import Cliff
from test_blocks import blas_threads
from threadpoolctl import threadpool_limits

import flowcore
from flowcore.core import MANY
from flowcore.testing import check_bijector
from flowcore.training import TrainingDivergedError

N = MANY + 9
HANDLED = sorted(signal.valid_signals() - {getattr(signal, "SIGKILL", 0)})


def snapshot():
    """Everything global that a numerical library might touch."""
    return {
        "warning filters": list(warnings.filters),
        "the way warnings are shown": (warnings.showwarning, warnings._showwarnmsg_impl),
        "NumPy's error state": (np.geterr(), np.geterrcall()),
        "NumPy's print options": np.get_printoptions(),
        "NumPy's generator": [str(part) for part in np.random.get_state()],  # noqa: NPY002
        "Python's generator": random.getstate(),
        "BLAS threads": blas_threads(),
        "signal handlers": [signal.getsignal(number) for number in HANDLED],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.gettrace()),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval()),
        # but for those that wait a second for more work
        "threads": sum(thread.name != "flowcore" for thread in threading.enumerate()),
    }


def interrupt(report=None):
    raise KeyboardInterrupt


class Broken(flowcore.Distribution):
    """A base that fails in the middle of many rows, in whichever thread."""

    dim, sample = 2, flowcore.Normal(2).sample

    def log_prob(self, x, params=None, context=None):
        raise ZeroDivisionError


class Interrupted(Broken):
    def log_prob(self, x, params=None, context=None):
        raise KeyboardInterrupt


FLOW = flowcore.flows.maf(2, layers=2, hidden=[8], standardize=False)
MIXTURE = flowcore.flows.made_mog(2, components=2, hidden=[8], standardize=False)
with pytest.warns(UserWarning, match="minimum width"):
    NARROW = flowcore.MADE(5, hidden=[2])
X = np.random.default_rng(0).normal(size=(N, 2))
FAR = np.full((N, 2), 1e300)


def with_base(base):
    return flowcore.TransformedDistribution(base(), FLOW.bijector)


def new_file(folder):
    return folder / f"{uuid.uuid4()}.npz"


def saved_and_loaded(flow, folder, **options):
    path = new_file(folder)
    flowcore.save(flow, path)
    return flowcore.load(path, **options)


def damaged(folder):
    path = new_file(folder)
    path.write_bytes(b"no flow")
    flowcore.load(path)


def trained(flow=FLOW, **options):
    return flowcore.fit(flow, X[:50], **{"epochs": 2, "batch_size": 20, **options})


def diverging(folder):
    trained(Cliff(), epochs=99, learning_rate=0.3)


OPERATIONS = {
    "log_prob": (lambda folder: FLOW.log_prob(X[:9]), None),
    "log_prob of many": (lambda folder: FLOW.log_prob(X, threads=3), None),
    "log_prob far out": (lambda folder: FLOW.log_prob(FAR, threads=3), None),
    "log_prob of a mixture": (lambda folder: MIXTURE.log_prob(X, threads=2), None),
    "an error": (lambda folder: with_base(Broken).log_prob(X, threads=3), ZeroDivisionError),
    "interrupt": (lambda folder: with_base(Interrupted).log_prob(X, threads=3), KeyboardInterrupt),
    "sample": (lambda folder: FLOW.sample(N, rng=0, threads=2), None),
    "sample and log_prob": (lambda folder: MIXTURE.sample_and_log_prob(N, rng=0), None),
    "fit": (lambda folder: trained(), None),
    "fit, interrupted": (lambda folder: trained(callbacks=[interrupt]), None),
    "fit, diverging": (diverging, TrainingDivergedError),
    "fit, by a checkpoint": (lambda folder: trained(checkpoint=new_file(folder)), None),
    "save and load": (lambda folder: saved_and_loaded(FLOW, folder), None),
    "load what is damaged": (damaged, ValueError),
    "estimator": (lambda folder: flowcore.FlowDensity(budget=1e-4, n_jobs=1).fit(X[:30]), None),
    "check": (lambda folder: check_bijector(flowcore.Permute([1, 0])), None),
}


@pytest.fixture
def free_blas():
    with threadpool_limits(limits=2, user_api="blas"):
        yield


def do(name, folder):
    operation, error = OPERATIONS[name]
    if error is None:
        return operation(folder)
    with pytest.raises(error):
        operation(folder)


@pytest.mark.usefixtures("free_blas")
@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_global_is_changed(name, tmp_path):
    with np.errstate(over="raise", invalid="warn", divide="print", under="ignore"):
        before = snapshot()
        do(name, tmp_path)
        assert snapshot() == before


def test_eight_threads_that_save_and_load_leave_the_warning_filters_alone(tmp_path):
    gate = threading.Barrier(8)

    def work(k):
        gate.wait()
        for _ in range(5):
            made = saved_and_loaded(NARROW, tmp_path)
        return made.params

    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        for theta in pool.map(work, range(8)):
            np.testing.assert_array_equal(theta, NARROW.params)
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="minimum width") as caught:  # whoever makes one, and where
        flowcore.MADE(5, hidden=[2])
    assert [warning.filename for warning in caught] == [__file__]


def test_import_changes_nothing():
    head = f"""
import os, random, signal, sys, threading, warnings
import autograd.numpy, numpy as np
from threadpoolctl import threadpool_info
HANDLED = {[int(number) for number in HANDLED]}
blas_threads = threadpool_info
"""
    tail = """
before = snapshot()
import flowcore, flowcore.cli
from flowcore.core.blocks import keep_freed_memory
assert snapshot() == before
assert keep_freed_memory.cache_info().misses == 0
flowcore.Normal(1).log_prob([[0.0]])
assert keep_freed_memory.cache_info().misses == 1
"""
    script = f"{head}\n{inspect.getsource(snapshot)}\n{tail}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
