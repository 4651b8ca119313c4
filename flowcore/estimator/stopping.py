"""When to stop, of few rows: where the held-out rows of all folds together are told best.

The best epoch by the dozen rows that one fold holds out is one of luck, and their log-density there
is flattered. So a flow is watched while it learns, and every fold takes the epoch that is best for
all of them: one choice by all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

LARGEST = 1e30  # of what float32 holds well
LOWEST, BELOW = 0.01, 5.0  # nats: a row counts no less than so much below this quantile


@dataclass
class Watch:
    """A callback of `fit`, which keeps what it sees: parameters, and log p of the rows `judge`."""

    judge: np.ndarray
    context: dict
    every: int
    patience: int
    flow: object = None
    thetas: list = field(default_factory=list)
    log_p: list = field(default_factory=list)

    def __call__(self, report) -> bool:
        if (report.epoch + 1) % self.every:
            return False
        self.flow = report.flow
        theta = self.flow.params
        small = np.abs(theta).max() < LARGEST  # not the mean of a mode, on a far row
        self.thetas.append(theta.astype(np.float32) if small else theta)
        self.log_p.append(np.maximum(self.flow.log_prob(self.judge, **self.context), -1e300))
        best = int(np.argmax([floored(seen).mean() for seen in self.log_p]))
        return (len(self.log_p) - 1 - best) * self.every >= self.patience

    def seen(self) -> Seen:
        """What is to be sent back from a worker."""
        return Seen(self.flow, np.array(self.thetas), np.array(self.log_p))


@dataclass(frozen=True)
class Seen:
    """A flow, its parameters at every snapshot (S, P), log p of held-out rows there (S, n)."""

    flow: object
    thetas: np.ndarray
    log_p: np.ndarray

    def at(self, snapshot: int) -> tuple[object, np.ndarray]:
        """The flow as it was, and its log-densities of the held-out rows."""
        return self.flow.with_params(self.thetas[snapshot].astype(float)), self.log_p[snapshot]


def floored(log_p: np.ndarray) -> np.ndarray:
    """log p of rows (..., n), the lowest ones raised: one far row does not decide."""
    return np.maximum(log_p, np.quantile(log_p, LOWEST, axis=-1, keepdims=True) - BELOW)


def stopped_together(
    seen: Sequence[Seen], weights: Sequence[np.ndarray]
) -> list[tuple[object, np.ndarray]]:
    """(flow, log p of held-out rows) of every fold, at the snapshot that is best for all.

    weights: of each fold's held-out rows. A fold that had ended before takes its own best.
    """
    longest = max(len(fold.log_p) for fold in seen)
    curves = [floored(fold.log_p) @ weight for fold, weight in zip(seen, weights, strict=True)]
    total = sum(np.append(c, np.full(longest - len(c), c[-1])) for c in curves)
    best = int(np.argmax(total))
    return [
        fold.at(best if best < len(curve) else int(np.argmax(curve)))
        for fold, curve in zip(seen, curves, strict=True)
    ]
