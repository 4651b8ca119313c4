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

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..conditionals.weights import systematic
from ..core import log_sum_exp, until
from ..distributions.columns import equal_rows
from ..mixtures import MultivariateTMixture
from ..training.columns import check_columns
from .candidates import evaluated
from .rows import Sample
from .selection import Selection, select

ROUNDS = 0.2, 0.2, 0.6  # shares of the budget; only the last density is kept
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


def fit_with_holes(
    rows: Sample, planned: Callable[[Sample, float], Callable], how: tuple, ends: float,
    labels: list | None,
) -> tuple[Sample, Selection, np.ndarray]:  # fmt: skip
    """(the rows with their draws, the result of `select`, log p of completed rows (n,)).

    rows: standardised, NaN for an unknown value, each with at least one known value; planned: the
    plan of such rows for a share of the budget; how: the other arguments of `select`.
    """
    rng = np.random.default_rng(how[1].spawn(1)[0])
    now = time.time()
    with until(now + ROUNDS[0] * (ends - now)):
        rows = completed(rows, rng)
    check_columns(rows.x, np.arange(len(rows)), labels)
    for k, share in enumerate(ROUNDS):
        now = time.time()
        own = now + share / sum(ROUNDS[k:]) * (ends - now)
        found = select(rows, planned(rows, share), *how, own)
        log_prob = evaluated(found[0])
        drawn = rows.drawn.resampled(log_prob, rows.context, rng)
        rows = replace(rows, x=drawn.copies[:, 0], drawn=drawn)
    return rows, found, np.where(drawn.hole, log_prob(rows.x, rows.context), found[2])


def completed(rows: Sample, rng: np.random.Generator) -> Sample:
    """The rows with draws of q; x is the first draw."""
    whole, context = rows.x, rows.context
    if context is not None:  # columns that are always known, except for constants
        whole = np.hstack([whole, context[:, (context != context[0]).any(axis=0)]])
    seen = ~np.isnan(whole)
    rare = seen.sum(axis=0) < RARE  # all rows that have such a column, and some others
    some = rng.permutation(len(whole))[:MOST_ROWS]
    some = np.union1d(some, np.flatnonzero(seen[:, rare].any(axis=1)))
    weight = rows.weight[some]
    q = MultivariateTMixture.from_data(
        whole[some], sample_weight=weight, rng=rng, df=DF, missing="learn"
    )
    n, dim = rows.x.shape
    draws = int(np.clip(NUMBERS // (n * dim), COPIES, DRAWS))
    x, log_q = np.repeat(whole[:, None], draws, axis=1), np.zeros((n, draws))
    for own in equal_rows(~seen):
        if not seen[own[0]].all():
            x[own], log_q[own] = q.sample_given(whole[own], draws, rng)
    x = np.ascontiguousarray(x[..., :dim])
    drawn = Drawn(~seen.all(axis=1), x, log_q, x[:, :COPIES])
    return replace(rows, x=x[:, 0], drawn=drawn)
