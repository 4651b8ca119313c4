"""How every library is set up: the same network, the same rows, its own fastest documented way.

A contestant is one flow of one library: `layers` masked autoregressive layers with the hidden
widths of a `Case`, ReLU, an affine map, the order reversed (or permuted) between layers.

    step()       one training step: mean NLL of the rows, its gradient, Adam. Nothing else
    density()    log-densities of the rows, without anything that serves gradients
    sample()     1000 new rows, likewise

Every library keeps its own numbers of threads, its own initial weights and its own bound on the
scale. `n_weights` counts the entries of the dense matrices and biases; it must be the same for all.
Nothing here imports more than NumPy: a library is imported by the process that measures it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..cases import Case, adam_step

N_SAMPLES = 1000
TINY = 1e-7  # a learning rate with which thousands of steps stay where they began


class Contestant(ABC):
    """A flow of one library for one case; `x` are the rows that it trains on, (n, D)."""

    imports: str  # what its user imports
    packages: tuple[str, ...]  # whose versions are reported
    environment = "peers"
    kinds = ("maf", "iaf")
    min_hidden_layers = 1

    def __init__(self, case: Case, kind="maf", dtype="float32", *, x=None, rate=TINY, seed=None):
        """x, rate, seed: for real training; left out, everything stays where it begins."""
        self.case, self.kind, self.dtype, self.rate, self.seed = case, kind, dtype, rate, seed
        self.build()
        self.rows = self.put(case.data(dtype=dtype) if x is None else x)
        self.start()

    @classmethod
    def can_build(cls, case: Case, kind: str = "maf") -> bool:
        """Does the library have this network?"""
        return kind in cls.kinds and len(case.hidden) >= cls.min_hidden_layers

    @abstractmethod
    def build(self) -> None:
        """Import the library and make the flow."""

    @abstractmethod
    def start(self) -> None:
        """A new Adam, ready for `step`."""

    @abstractmethod
    def step(self):
        """One training step on the rows; returns the loss, which may still be being computed."""

    @abstractmethod
    def log_prob(self, x):
        """Log-densities of rows that `put` made, without gradients."""

    @abstractmethod
    def sample(self):
        """N_SAMPLES new rows."""

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """Entries of all weight matrices, masked ones included, and of all biases."""

    def density(self):
        return self.log_prob(self.rows)

    def put(self, x: np.ndarray):
        """Rows as an array of the library."""
        return np.asarray(x, self.dtype)

    @abstractmethod
    def train(self, validation: np.ndarray, epochs: int) -> None:
        """Full batches; the parameters of the best validation NLL are kept."""


class TrainedByLoop(Contestant):
    """A contestant whose users write the training loop themselves; it does what `fit` does."""

    @abstractmethod
    def snapshot(self):
        """The parameters as they are now, for `restore`."""

    @abstractmethod
    def restore(self, snapshot) -> None:
        """Go back to these parameters."""

    def train(self, validation, epochs):
        validation, best, kept = self.put(validation), np.inf, self.snapshot()
        for _ in range(epochs):
            self.step()
            nll = -float(np.asarray(self.log_prob(validation)).mean())
            if nll < best:
                best, kept = nll, self.snapshot()
        self.restore(kept)


class Flowcore(Contestant):
    """The recipe `flows.maf`; a step is what `fit` does in one."""

    imports = "import flowcore"
    packages = ("flowcore", "numpy", "autograd")

    def build(self):
        import flowcore

        case = self.case
        if self.seed is None:  # random parameters, as the other libraries begin with
            self.flow = case.flow(self.kind, self.dtype)
            return
        self.flow = getattr(flowcore.flows, self.kind)(
            case.dim, case.layers, list(case.hidden), standardize=False, rng=self.seed,
            activation="relu", dtype=self.dtype,
        )  # fmt: skip

    def start(self):
        self._step = adam_step(self.flow, self.rows)

    def step(self):
        return self._step()

    def log_prob(self, x):
        return self.flow.log_prob(x)

    def sample(self):
        return self.flow.sample(N_SAMPLES, rng=0)

    def train(self, validation, epochs):
        import flowcore

        self.flow, _ = flowcore.fit(
            self.flow,
            self.rows,
            epochs=epochs,
            batch_size=None,
            learning_rate=self.rate,
            schedule="constant",
            average=None,
            validation_data=self.put(validation),
        )

    @property
    def n_weights(self):
        networks = (leaf for leaf in self.flow.leaves if hasattr(leaf, "weights"))
        return sum(w.size + b.size for network in networks for w, b, _ in network.weights())
