"""Large inputs in row blocks and threads: the same numbers, bounded memory, nothing left over."""

import os
import signal
import threading
import time
import tracemalloc
import warnings
from typing import ClassVar

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from threadpoolctl import threadpool_info, threadpool_limits

import flowcore as fc
from flowcore.core import blocks, calls, cores
from flowcore.testing import randomize

N = blocks.MANY + 3 * blocks.ROWS + 17  # ragged at the end


@pytest.fixture(scope="module")
def flow():
    flow = fc.flows.maf(3, layers=2, hidden=[32, 32], rng=1)
    return randomize(flow.initialize(np.random.default_rng(0).normal(3, 2, size=(500, 3))))


@pytest.fixture(scope="module")
def x(flow):
    return np.random.default_rng(2).normal(3, 2, size=(N, 3))


def test_other_parameters_leading_axes_and_context():
    flow = randomize(fc.flows.maf(2, layers=2, hidden=[8], context_dim=2), rng=4)
    rng = np.random.default_rng(5)
    x, context = rng.normal(size=(3, N // 2, 2)), rng.normal(size=(3, 1, 2))
    theta = flow.params * 0.5
    many = flow.log_prob(x, theta, context)
    assert many.shape == (3, N // 2)
    few = flow.with_params(theta).log_prob(x[:, ::500], context=context)
    np.testing.assert_allclose(many[:, ::500], few, rtol=1e-12, atol=1e-12)


def test_memory_is_bounded(flow):
    x = np.zeros((300_000, 3))
    flow.log_prob(x[:10])
    tracemalloc.start()
    flow.log_prob(x, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    out = 300_000 * 8
    assert peak - out < 8e6  # two blocks' worth; the unblocked pass needs 32 * 300,000 * 8 = 77e6


def blas_threads() -> set[int]:
    """How many threads NumPy's BLAS has now."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]}


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_has_one_thread_meanwhile(x, threads):
    seen = []

    def look(a):
        seen.append(blas_threads())
        return [a]

    with threadpool_limits(limits=2, user_api="blas"):
        blocks.map_blocks(look, (x,), threads)
        assert seen == [{1}] * 8
        blocks.map_blocks(look, (x[: blocks.MANY - 1],), threads)  # one block: as it is
        assert seen[8:] == [{2}]
        with pytest.raises(ZeroDivisionError):
            blocks.map_blocks(lambda a: 1 // 0, (x,), threads)
        assert blas_threads() == {2}


def test_a_large_batch_is_halved(flow, x, monkeypatch):
    """Where a row is much work; bit for bit the same for any number of threads."""
    whole, rows = flow.log_prob(x[:1001]), []
    monkeypatch.setattr(blocks, "LARGE", 0)
    run = calls.Lease.run
    monkeypatch.setattr(calls.Lease, "run", lambda self, theta, x, context: (
        rows.append(len(x)), run(self, theta, x, context)
    )[1])  # fmt: skip
    halves = [flow.log_prob(x[:1001], threads=threads) for threads in (None, 1, 2)]
    assert set(rows) == {501, 500}
    np.testing.assert_array_equal(halves[0], halves[1])
    np.testing.assert_array_equal(halves[0], halves[2])
    np.testing.assert_allclose(halves[0], whole, rtol=1e-12)


class InAnyThread(fc.Bijector):
    """A bijector of somebody's own that remembers in which threads it ran."""

    threads: ClassVar[set] = set()

    def forward_and_log_det(self, z, params=None, context=None):
        return self.inverse_and_log_det(z)

    def inverse_and_log_det(self, x, params=None, context=None):
        self.threads.add(threading.get_ident())
        return 1.0 * x, 0.0 * x[..., 0]


def test_somebodys_own_parts_run_in_one_thread(flow, x):
    """They may use autograd, which counts its traces for the whole process, or arrays of theirs."""
    own = fc.TransformedDistribution(fc.Normal(3), fc.Chain([flow.bijector, InAnyThread(3)]))
    np.testing.assert_allclose(own.log_prob(x, threads=4), flow.log_prob(x), rtol=1e-12)
    own.sample(N, 0, threads=4)
    assert InAnyThread.threads == {threading.get_ident()}


@pytest.mark.parametrize(("n", "wanted"), [(10, {2}), (1000, {1})])
def test_heavy_calls_have_one_blas_thread(flow, x, n, wanted, monkeypatch):
    """Values and gradients alike: threaded BLAS would wait for cores that others have."""
    seen, plan = [], calls.Plan
    for name in ("__call__", "gradient"):
        method = getattr(plan, name)

        def spied(self, *args, method=method):
            seen.append(blas_threads())
            return method(self, *args)

        monkeypatch.setattr(plan, name, spied)
    monkeypatch.setattr(calls, "HEAVY", 100 * flow.n_params)
    with threadpool_limits(limits=2, user_api="blas"):
        flow.log_prob(x[:n])
        flow.sample(n, 0)
        value_and_grad(lambda theta: anp.sum(flow.log_prob(x[:n], params=theta)))(flow.params)
        assert seen == [wanted] * len(seen) and len(seen) >= 4
        assert blas_threads() == {2}


def test_errstate_reaches_the_threads(x):
    def overflow(a):
        return [np.exp(a + 1e4)]

    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        blocks.map_blocks(overflow, (x,), threads=2)
    overflows = []
    with np.errstate(over="call", call=lambda kind, flag: overflows.append(kind)):
        blocks.map_blocks(overflow, (x,), threads=2)
    assert overflows == ["overflow"] * 8


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n", [0, 1, blocks.MANY - 1, blocks.MANY, N])
def test_blocks_are_put_together(x, n, threads):
    sizes = []

    def f(a, absent):
        assert absent is None
        sizes.append(len(a))
        return [a[:, 0], a.astype(np.float32)]

    first, second = blocks.map_blocks(f, (x[:n], None), threads)
    np.testing.assert_array_equal(first, x[:n, 0])
    np.testing.assert_array_equal(second, x[:n].astype(np.float32))
    assert second.dtype == np.float32
    assert sum(sizes) == n
    assert max(sizes) <= blocks.ROWS or n < blocks.MANY


def test_an_interrupt_leaves_no_work_and_no_limit_behind(x, interrupts):
    seen = []

    def interrupt_once(a):
        seen.append(a)
        if len(seen) == 5:
            signal.raise_signal(signal.SIGINT)
        time.sleep(5e-3)
        return [a]

    with threadpool_limits(limits=2, user_api="blas"):
        for workers in (1, 3):
            seen.clear()
            with pytest.raises(KeyboardInterrupt):
                blocks.map_blocks(interrupt_once, (x,), workers)
            n = len(seen)
            time.sleep(0.02)
            assert len(seen) == n
        assert blas_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_a_new_lock_and_a_new_count():
    """Though at that moment a thread of its parent holds the lock, and another one computes."""
    with threadpool_limits(limits=2, user_api="blas"), blocks.BLAS.single_threaded():
        with blocks.BLAS._lock:
            pid = os.fork()
            if pid == 0:
                signal.alarm(5)  # or it would wait for ever
                seen = [blas_threads()]
                with blocks.BLAS.single_threaded():
                    seen.append(blas_threads())
                seen.append(blas_threads())
                os._exit(seen != [{2}, {1}, {2}])
        assert os.waitpid(pid, 0)[1] == 0
        assert blas_threads() == {1}


def test_number_of_threads(monkeypatch, flow, x):
    monkeypatch.setenv(cores.ENVIRONMENT, "3 ")  # as a shell of Windows may have it
    assert cores.n_threads() == 3 and cores.n_threads(2) == 2
    monkeypatch.delenv(cores.ENVIRONMENT)
    assert cores.n_threads() == min(cores.n_cores(), 8) > 0
    monkeypatch.setattr(cores, "n_cores", lambda: 64)
    assert cores.n_threads() == 8
    for bad in (0, 1.5, "two", np.nan, [2]):
        with pytest.raises(ValueError, match=r"^threads must be an integer >= 1, not"):
            flow.log_prob(x[:2], threads=bad)
    with pytest.raises(ValueError, match="threads must be at most 1024"):
        flow.log_prob(x[:2], threads=1025)
    for bad in ("many", "0", "2.5"):
        monkeypatch.setenv(cores.ENVIRONMENT, bad)
        message = f"environment variable {cores.ENVIRONMENT} must be an integer >= 1, not .*{bad}"
        with pytest.raises(ValueError, match=message):
            flow.log_prob(x)
