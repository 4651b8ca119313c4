"""Rows with missing values: completed several times, scored by the density of the known values.

A mixture q of t densities is fitted to the known values x_a (exact EM). Each row gets S draws x_j
of its hidden values from q(x_b | x_a). Then for any density p

    log p(x_a)  =  log mean_j p(x_a, x_j) / q(x_j | x_a)    the score of a held-out row
    w_j         ~  p(x_a, x_j) / q(x_j | x_a)               weights for draws of p(x_b | x_a)

Densities are fitted to completed rows: first to draws of q, then to draws of the fitted density,
and once more. (Data augmentation: Tanner and Wong 1987; with weights: Wei and Tanner 1990, "A Monte
Carlo implementation of the EM algorithm".)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..core import log_sum_exp
from ..distributions.columns import equal_rows
from ..mixtures import MultivariateTMixture
from .weights import systematic

DRAWS, COPIES = 32, 5  # of a row's hidden values, and how many of them densities are fitted to
NUMBERS = 2**24  # of all draws, at most
MOST_ROWS = 5_000  # that the mixture is fitted to, and all that have a column which is seen in
RARE = 100  # rows at most
BLOCK = 2**18  # numbers of draws that are evaluated at once
DF = 5.0  # its degrees of freedom: heavy tails, so that few weights are large


@dataclass(frozen=True)
class Drawn:
    """Draws of the missing cells of rows.

    hole (n,): whether a row has any; x (n, S, D), whole rows; log_q (n, S), of their hidden values;
    copies (n, m, D), the completed rows that densities are fitted to
    """

    hole: np.ndarray
    x: np.ndarray
    log_q: np.ndarray
    copies: np.ndarray

    def take(self, index: np.ndarray) -> Drawn:
        """Those of some rows."""
        return Drawn(self.hole[index], self.x[index], self.log_q[index], self.copies[index])

    def log_ratio(self, log_prob: Callable, context: np.ndarray | None) -> np.ndarray:
        """log p(x_a, x_j) - log q(x_j | x_a), (n, S); log_prob(x, context) of whole rows."""
        n, s, dim = self.x.shape
        found, size = np.empty((n, s)), max(1, BLOCK // (s * dim))
        for hole, times in ((True, s), (False, 1)):  # the draws of a complete row are all the same
            rows = np.flatnonzero(self.hole == hole)
            for at in range(0, len(rows), size):
                here = rows[at : at + size]
                own = None if context is None else np.repeat(context[here], times, axis=0)
                x = self.x[here, :times].reshape((-1, dim))
                found[here] = log_prob(x, own).reshape((-1, times))
        return found - self.log_q

    def log_marginal(self, log_prob: Callable, context: np.ndarray | None) -> np.ndarray:
        """log p(x_a) of every row, (n,)."""
        return log_sum_exp(self.log_ratio(log_prob, context).T)[0] - np.log(self.x.shape[1])

    def resampled(
        self, log_prob: Callable, context: np.ndarray | None, rng: np.random.Generator
    ) -> Drawn:
        """The same, with copies that are draws of p."""
        share = log_sum_exp(self.log_ratio(log_prob, context).T)[1].T
        index = systematic(share, self.copies.shape[1], rng)
        return replace(self, copies=np.take_along_axis(self.x, index[..., None], axis=1))


def completed(
    x: np.ndarray, context: np.ndarray | None, weight: np.ndarray, rng: np.random.Generator
) -> Drawn:
    """Draws from q of the unknown values (NaN) of rows x (n, D)."""
    whole = x
    if context is not None:  # columns that are always known, except for constants
        whole = np.hstack([x, context[:, (context != context[0]).any(axis=0)]])
    seen = ~np.isnan(whole)
    rare = seen.sum(axis=0) < RARE  # all rows that have such a column, and some others
    some = rng.permutation(len(whole))[:MOST_ROWS]
    some = np.union1d(some, np.flatnonzero(seen[:, rare].any(axis=1)))
    q = MultivariateTMixture.from_data(
        whole[some], sample_weight=weight[some], rng=rng, df=DF, missing="learn"
    )
    n, dim = x.shape
    draws = int(np.clip(NUMBERS // (n * dim), COPIES, DRAWS))
    rows, log_q = np.repeat(whole[:, None], draws, axis=1), np.zeros((n, draws))
    for own in equal_rows(~seen):
        if not seen[own[0]].all():
            rows[own], log_q[own] = q.sample_given(whole[own], draws, rng)
    rows = np.ascontiguousarray(rows[..., :dim])
    return Drawn(~seen.all(axis=1), rows, log_q, rows[:, :COPIES])
