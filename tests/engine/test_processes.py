"""Pools of workers: the same numbers; errors come back with the objects that they hold."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from joblib.externals.loky import ProcessPoolExecutor as Loky
from support.flows import Cliff

import flowcore as fc
from flowcore.testing import randomize
from flowcore.training import TrainingDivergedError

X = np.random.default_rng(3).normal(1.0, 2.0, (5000, 3))  # more than one block


def numbers(flow):
    fitted, _ = fc.fit(flow, X[:60], epochs=2, batch_size=20, rng=1)
    return flow.log_prob(X, threads=2), flow.sample(len(X), rng=2, threads=3), fitted.params


def diverge():
    fc.fit(Cliff(), X[:20, :2], epochs=99, batch_size=5, learning_rate=0.3)


@pytest.mark.parametrize("kind", ["spawn", "loky"])
def test_workers_have_the_same_numbers_and_their_errors_come_back(kind):
    flow = randomize(fc.flows.maf(3, layers=2, hidden=[16], standardize=False), 0.3)
    context = multiprocessing.get_context("spawn")
    with Loky(1) if kind == "loky" else ProcessPoolExecutor(1, context) as pool:
        results = pool.submit(numbers, flow).result(60)
        error = pool.submit(diverge).exception(60)
    for result, expected in zip(results, numbers(flow), strict=True):
        np.testing.assert_array_equal(result, expected)
    assert isinstance(error, TrainingDivergedError) and error.epoch >= 0
    assert isinstance(error.flow, Cliff) and np.isfinite(error.flow.params).all()
