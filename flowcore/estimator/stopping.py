"""When to stop, of few rows: at the best epoch for the held-out rows of all folds together.

The best epoch by the dozen rows that one fold holds out is one of luck, and their log-density there
is flattered. So snapshots are taken of a flow while it is trained, and every fold takes the one
that is best for all of them: one choice by all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..distributions import Distribution
from .rows import Rows

LARGEST = 1e30  # of what float32 holds well
LOWEST, BELOW = 0.01, 5.0  # nats: a row counts no less than so much below this quantile
LEAST = -1e300  # not -inf, of which no mean is a number


@dataclass(frozen=True)
class Fit:
    """A density fitted to the training rows of a fold, at S snapshots of its training.

    density   the last one; log_p (S, n)   of the held-out rows at each snapshot;
    thetas    (S, P), the parameters there; None: S = 1
    """

    density: Distribution
    log_p: np.ndarray
    thetas: np.ndarray | None = None

    def at(self, snapshot: int) -> tuple[Distribution, np.ndarray]:
        """The density there, and its log-densities of the held-out rows."""
        density, thetas = self.density, self.thetas
        if thetas is not None:
            density = density.with_params(thetas[snapshot].astype(float))
        return density, self.log_p[snapshot]


class Snapshots:
    """A callback of `fit`: every so many epochs it keeps the parameters, and log p of the held-out
    rows; it stops the training when that has not improved for `patience` epochs."""

    def __init__(self, held_out: Rows, every: int, patience: int):
        self.held_out, self.every, self.patience = held_out, every, patience
        self.flow, self.thetas, self.log_p = None, [], []

    def __call__(self, report) -> bool:
        if (report.epoch + 1) % self.every:
            return False
        self.flow = report.flow
        theta = self.flow.params
        small = np.abs(theta).max() < LARGEST  # not the mean of a mode, on a far row
        self.thetas.append(theta.astype(np.float32) if small else theta)
        self.log_p.append(log_prob(self.flow, self.held_out))
        best = int(np.argmax([floored(log_p).mean() for log_p in self.log_p]))
        return (len(self.log_p) - 1 - best) * self.every >= self.patience

    def fit(self) -> Fit:
        """All of them."""
        return Fit(self.flow, np.array(self.log_p), np.array(self.thetas))


def log_prob(density: Distribution, rows: Rows, threads: int | None = None) -> np.ndarray:
    """log p of the rows, (n,), given their context if the density reads one."""
    context = {"context": rows.context} if density.context_dim else {}
    return np.maximum(density.log_prob(rows.x, threads=threads, **context), LEAST)


def floored(log_p: np.ndarray) -> np.ndarray:
    """log p of rows (..., n), the lowest ones raised: one far row does not decide."""
    return np.maximum(log_p, np.quantile(log_p, LOWEST, axis=-1, keepdims=True) - BELOW)


def stopped_together(
    fits: Sequence[Fit], weights: Sequence[np.ndarray]
) -> list[tuple[Distribution, np.ndarray]]:
    """(density, log p of held-out rows) of every fold, at the snapshot that is best for all.

    weights: of each fold's held-out rows. A fold that had ended before takes its own best.
    """
    curves = [floored(fit.log_p) @ weight for fit, weight in zip(fits, weights, strict=True)]
    longest = max(map(len, curves))
    best = int(np.argmax(sum(np.pad(c, (0, longest - len(c)), "edge") for c in curves)))
    return [
        fit.at(best if best < len(curve) else int(np.argmax(curve)))
        for fit, curve in zip(fits, curves, strict=True)
    ]
