"""flowcore itself: a step is what its `fit` takes for one."""

from __future__ import annotations

import numpy as np

from ...support.fit_step import FitStep
from .base import N_SAMPLES, Library


class Flowcore(Library):
    """The recipes of `flowcore.flows`, every setting named, so that another default changes
    nothing here. A step is one of `fit` (benchmarks/support/fit_step.py).
    """

    packages = ("flowcore", "numpy", "autograd")
    kinds = ("maf", "iaf", "nsf", "nsf_coupling")

    def build(self):
        # without a seed at random parameters, as the other libraries begin with
        fresh = {} if self.seed is None else {"rng": self.seed, "noise": 0.0}
        self.flow = self.case.flow(self.kind, self.dtype, **fresh)

    def start(self):
        self._step = FitStep(self.flow, self.rows, learning_rate=self.rate, rng=self.seed or 0)

    def step(self):
        return self._step.fit(1)[1].train_nll[-1]

    def timed(self, what, repeats):
        if what != "step":
            return super().timed(what, repeats)
        seconds = self._step.time(repeats)
        return seconds, np.asarray(self._step.history.train_nll[-1])

    def log_prob(self, x):
        return self.flow.log_prob(x)

    def sample(self):
        return self.flow.sample(N_SAMPLES, rng=0)

    @property
    def n_weights(self):
        networks = (leaf for leaf in self.flow.leaves if hasattr(leaf, "weights"))
        return sum(w.size + b.size for network in networks for w, b, _ in network.weights())
