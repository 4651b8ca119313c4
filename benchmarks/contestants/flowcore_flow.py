"""flowcore itself: a step is what its `fit` takes for one."""

from __future__ import annotations

import time

import numpy as np

from .base import N_SAMPLES, Library

BEFORE = 3  # epochs of `fit` that do not count: it binds the flow in the first, and checks it


class Flowcore(Library):
    """The recipes of `flowcore.flows`, every setting named, so that another default changes
    nothing here.

    A step is one epoch of `fit` on one batch, its checks and log-densities included: what a longer
    run takes more than a shorter one, so that what `fit` does once does not count.
    """

    imports = "import flowcore"
    packages = ("flowcore", "numpy", "autograd")
    kinds = ("maf", "iaf", "nsf", "nsf_coupling")
    log_scale_bound = 2.0

    def build(self):
        # without a seed at random parameters, as the other libraries begin with
        fresh = {} if self.seed is None else {"rng": self.seed, "noise": 0.0}
        self.flow = self.case.flow(
            self.kind, self.dtype, log_scale_bound=self.log_scale_bound, **fresh
        )

    def start(self):
        import flowcore

        rate = self.rate
        if self.decay is not None:
            rate = flowcore.cosine_decay(rate, self.decay)
        self._settings = {"learning_rate": rate, "schedule": "constant", "average": None}

    def _fit(self, epochs: int, batch_size: int | None = None, **options):
        """(flow, history) of `fit` on the rows, without validation unless it is asked for."""
        import flowcore

        options = {"validation_split": 0, "rng": self.seed or 0, **self._settings, **options}
        batch_size = len(self.rows) if batch_size is None else batch_size
        return flowcore.fit(
            self.flow, self.rows, epochs=epochs, batch_size=batch_size, patience=None, **options
        )

    def step(self):
        return self._fit(1)[1].train_nll[-1]

    def timed(self, what, repeats):
        if what != "step":
            return super().timed(what, repeats)
        start = time.perf_counter()
        self._fit(BEFORE)
        middle = time.perf_counter()
        history = self._fit(BEFORE + repeats)[1]
        end = time.perf_counter()
        seconds = (end - middle) - (middle - start)
        return max(seconds, 1e-9), np.asarray(history.train_nll[-1])

    def each_step(self, repeats, at_once=1):
        ends: list[float] = []
        self._fit(
            BEFORE + repeats * at_once,
            callbacks=[lambda report: ends.append(time.perf_counter())],
        )
        return np.diff(ends[BEFORE - 1 :: at_once]).tolist()

    def log_prob(self, x):
        return self.flow.log_prob(x)

    def sample(self):
        return self.flow.sample(N_SAMPLES, rng=0)

    def train(self, validation, epochs):
        self.flow, _ = self._fit(epochs, validation_data=self.put(validation))

    def learn(self, validation, epochs, batch_size, tell):
        self.flow, _ = self._fit(
            epochs,
            batch_size,
            validation_data=self.put(validation),
            callbacks=[lambda report: tell(-report.val_nll)],
        )

    @property
    def n_weights(self):
        networks = (leaf for leaf in self.flow.leaves if hasattr(leaf, "weights"))
        return sum(w.size + b.size for network in networks for w, b, _ in network.weights())


class FlowcoreForTables(Flowcore):
    """With the wider bound on the log-scales that tables with narrow columns want."""

    log_scale_bound = 5.0
