"""How every library is set up: the same network, the same rows, its own fastest documented way.

A contestant is one flow of one library: `layers` masked autoregressive layers with the hidden
widths of a `Case`, ReLU, an affine map, the order reversed (or permuted) between layers.

    step()       one training step: mean NLL of the rows, its gradient, Adam. Nothing else
    density()    log-densities of the rows, without anything that serves gradients
    sample()     1000 new rows, likewise

A `Library` does all of it; a yardstick, which is a step and nothing else, is a `Contestant` only.
Every library keeps its own numbers of threads, its own initial weights and its own bound on the
scale. `n_weights` counts the entries of the dense matrices and biases; it must be the same for all.
Nothing here imports more than NumPy: a library is imported by the process that measures it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np

from ...support.cases import BINS, Case

N_SAMPLES = 1000
TINY = 1e-7  # a learning rate with which thousands of steps stay where they began


class Contestant(ABC):
    """A flow of one library for one case."""

    packages: tuple[str, ...]  # whose versions are reported
    works: tuple[str, ...] = ("step",)
    kinds: tuple[str, ...] = ("maf",)
    min_hidden_layers = 1
    spline_outputs = 3 * BINS - 1  # numbers of the network for one coordinate

    def __init__(self, case: Case, kind="maf", dtype="float32", *, rate=TINY, seed=None):
        """rate, seed: for real training; left out, everything stays where it begins."""
        self.case, self.kind, self.dtype = case, kind, dtype
        self.rate, self.seed = rate, seed
        self.build()
        self.rows = self.put(case.data(dtype=dtype))
        self.start()

    @classmethod
    def can_build(cls, case: Case, kind: str = "maf") -> bool:
        """Does the library have this network?"""
        return kind in cls.kinds and len(case.hidden) >= cls.min_hidden_layers

    @classmethod
    def reads_and_maps(cls, dim: int, kind: str, layer: int) -> tuple[int, int]:
        """How many coordinates a layer's network reads, and how many it is asked about: all, or in
        couplings a half, the smaller and the larger one in turn."""
        if kind != "nsf_coupling":
            return dim, dim
        kept = dim // 2 + dim % 2 * (layer % 2)
        return kept, dim - kept

    @abstractmethod
    def build(self) -> None:
        """Import the library and make the flow."""

    @abstractmethod
    def start(self) -> None:
        """A new Adam, ready for `step`."""

    @abstractmethod
    def step(self):
        """One training step on the rows; returns the loss, which may still be being computed."""

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """Entries of all weight matrices, masked ones included, and of all biases."""

    def put(self, x: np.ndarray):
        """Rows as an array of the library."""
        return np.asarray(x, self.dtype)

    def timed(self, what: str, repeats: int) -> tuple[float, np.ndarray]:
        """Seconds of so many calls of step, density or sample, and the value of the last one."""
        call, start = getattr(self, what), time.perf_counter()
        for _ in range(repeats):
            value = call()
        value = np.asarray(value)  # waits for libraries that still compute
        return time.perf_counter() - start, value


class Library(Contestant):
    """A contestant with everything that a library has."""

    works = ("step", "density", "sample")
    kinds = ("maf", "iaf")

    @abstractmethod
    def log_prob(self, x):
        """Log-densities of rows that `put` made, without gradients."""

    @abstractmethod
    def sample(self):
        """N_SAMPLES new rows."""

    def density(self):
        return self.log_prob(self.rows)
