"""Runs of `fit` on the banana, stopped and compared: for the tests of checkpoints."""

import numpy as np
from stub_flows import Banana, banana_data
from stub_flows import textbook_fit as fit

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
