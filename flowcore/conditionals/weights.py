"""Weighted draws of the unknown values of rows, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..core import log_sum_exp
from ..pareto import pareto_smoothed

MOST_K, LEAST_ESS = 0.7, 30.0  # beyond them an answer is not to be trusted


class Judged:
    """Answers with an effective sample size `ess` and a Pareto `k_hat`, for one row or many."""

    ess: np.ndarray
    k_hat: np.ndarray

    @property
    def trusted(self) -> np.ndarray:
        """Whether k-hat is at most 0.7 and the effective sample size at least 30."""
        return trusted(self.ess, self.k_hat)


@dataclass(frozen=True)
class Weighted(Judged):
    """S draws for each of m rows, with weights, and the quality of the weights.

    x (m, S, D) are whole rows; share (m, S) sums to 1. log_p (m,) is the log-density in nats of the
    known values, `error` its standard error: sqrt(1/ESS - 1/S), before `of_equal_weight`.
    """

    x: np.ndarray
    share: np.ndarray
    log_p: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    k_hat: np.ndarray
    annealed: np.ndarray

    def replace(self, rows: np.ndarray, other: Weighted) -> None:
        """Replace the answers for some rows, in place."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def resampled(self, n: int, rngs: list[np.random.Generator]) -> np.ndarray:
        """n draws a row, all of the same weight, in random order: (m, n, D).

        rngs: a generator for each row, or one for all.
        """
        parts = zip(np.array_split(self.share, len(rngs)), rngs, strict=True)
        index = [rng.permuted(systematic(share, n, rng), axis=1) for share, rng in parts]
        return np.take_along_axis(self.x, np.concatenate(index)[..., None], axis=1)

    def of_equal_weight(self, n: int, rngs: list[np.random.Generator]) -> Weighted:
        """n of the draws, with equal weights: fewer numbers, and at most n effective ones."""
        x = self.resampled(n, rngs)
        share, ess = np.full(x.shape[:2], 1 / n), np.minimum(self.ess, n)
        return Weighted(x, share, self.log_p, self.error, ess, self.k_hat, self.annealed)


def weighted(x: np.ndarray, log_ratio: np.ndarray) -> Weighted:
    """Draws x (m, S, D) of q(x_b | x_a) with weights p(x) / q(x_b | x_a), whose mean is p(x_a)."""
    smoothed, k_hat = pareto_smoothed(log_ratio)
    log_p, share, ess = normalized(smoothed)
    no = np.zeros(len(x), bool)
    return Weighted(x, share, log_p, error_of(ess, x.shape[1]), ess, k_hat, no)


def counted(x: np.ndarray, kept: np.ndarray, log_p: np.ndarray) -> Weighted:
    """Draws x (m, S, D) of p; those that kept (m, S) marks answer the question, with equal weights.

    log_p (m,): the log-density of the known values in which all draws agree.
    """
    n, total = kept.shape[1], np.maximum(kept.sum(axis=1), 1)
    with np.errstate(divide="ignore"):
        log_p = log_p + np.log(kept.mean(axis=1))
    error = np.where(kept.any(axis=1), np.sqrt(np.maximum(1 / total - 1 / n, 0)), np.inf)
    ess = np.where(np.isneginf(log_p), 0.0, kept.sum(axis=1))
    k_hat, no = np.where(ess > 0, -np.inf, np.inf), np.zeros(len(x), bool)
    return Weighted(x, kept / total[:, None], log_p, error, ess, k_hat, no)


def enumerated(x: np.ndarray, log_p: np.ndarray) -> Weighted:
    """All rows x (m, S, D) that there can be, with log p (m, S): the row itself, if it is one."""
    total, n = np.logaddexp.reduce(log_p, axis=1), log_p.shape[1]
    with np.errstate(invalid="ignore"):
        share = np.exp(log_p - total[:, None])
    share[np.isneginf(total)] = 1 / n
    nothing, zero = np.isneginf(total) & (n > 1), np.zeros(len(total))
    ess, k_hat = np.where(nothing, 0.0, np.inf), np.where(nothing, np.inf, -np.inf)
    return Weighted(x, share, total, zero, ess, k_hat, np.zeros(len(total), bool))


def error_of(ess: np.ndarray, n: int) -> np.ndarray:
    """sqrt(1/ESS - 1/n), of the log of the mean of n weights; 1/ESS <= 1e9."""
    return np.sqrt(np.maximum(1 / np.maximum(ess, 1e-9) - 1 / n, 0))


def normalized(log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For weights (m, S): the log of their mean (m,), their shares (m, S), and the effective number
    of draws, 1 / (sum of squared shares), (m,), or 0 if all weights are 0."""
    total, share = log_sum_exp(log_weight.T)
    squares = (share**2).sum(axis=0)
    ess = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
    return total - np.log(log_weight.shape[1]), share.T, ess


def quantiles(x: np.ndarray, share: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Quantiles (len(q), D) of weighted draws x (n, D), with shares (n,) of sum 1."""
    columns = []
    for column in x.T:
        order = np.argsort(column)
        middle = np.cumsum(share[order]) - share[order] / 2
        columns.append(np.interp(q, middle, column[order]))
    return np.stack(columns, axis=1)


def systematic(share: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n indices of draws per row, (m, n), by systematic resampling in proportion to the shares."""
    steps = (np.arange(n) + rng.random((len(share), 1))) / n
    ends = np.cumsum(share, axis=1)
    index = [np.searchsorted(row_ends, at) for row_ends, at in zip(ends, steps, strict=True)]
    return np.minimum(index, share.shape[1] - 1)


def trusted(ess: np.ndarray, k_hat: np.ndarray) -> np.ndarray:
    """Whether answers can be trusted: k-hat <= 0.7 and an effective sample size >= 30."""
    return (k_hat <= MOST_K) & (ess >= LEAST_ESS)
