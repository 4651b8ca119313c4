"""Runs of `fit` on the banana, stopped and compared: for the tests of checkpoints."""

import time

import numpy as np

from flowcore.training import Adam, Loss, Run
from support.flows import Banana, Gaussian, banana_data
from support.flows import textbook_fit as fit

X = banana_data()
W = np.random.default_rng(0).exponential(size=300)
C = np.random.default_rng(1).normal(size=(300, 1))
BASE = {"epochs": 6, "batch_size": 50, "learning_rate": 0.1}


def run(path=None, callback=None, rng=3, flow=None, X=X, **options):
    """fit on the banana; the callback is left out if it is None."""
    callbacks = [] if callback is None else [callback]
    flow = Banana() if flow is None else flow
    if path is not None:
        options = {"checkpoint": path, "checkpoint_every": 0.0, **options}
    return fit(flow, X, callbacks=callbacks, rng=rng, **{**BASE, **options})


def interrupt_at(epoch, error=KeyboardInterrupt):
    def callback(report):
        if report.epoch == epoch:
            raise error("stop")

    return callback


def assert_same(a, b):
    (flow, history), (expected, straight) = a, b
    assert flow.params.dtype == expected.params.dtype
    np.testing.assert_array_equal(flow.params, expected.params)
    for name in ("train_nll", "val_nll", "best_epoch", "interrupted"):
        assert getattr(history, name) == getattr(straight, name), name


class Bowl(Loss):
    """|theta - c|^2 / 2, c around 1, drawn anew for every batch: a loss without any rows."""

    batch_size, n_batches, validated = 5, 2, True

    def batches(self, rng, epoch, first=0):
        for batch in range(first, self.n_batches):
            yield np.random.default_rng([7, epoch, batch]).normal(1.0, 0.1, self.batch_size)

    def value_and_gradient(self, theta, batch):
        away = theta - batch.mean()
        return float(away @ away) / 2, away

    def validation(self, theta):
        return float(np.sum((theta - 1.0) ** 2)) / 2, 0.0

    first_batch = validation


def run_of(loss=None, **options):
    """A `Run` that has not begun."""
    loss = Bowl(Gaussian(np.arange(4.0))) if loss is None else loss
    rng = np.random.default_rng(0)
    options = {"epochs": 5, "rng": rng, "started": time.perf_counter(), **options}
    return Run(loss, Adam(0.1), **options)
