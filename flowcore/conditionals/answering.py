"""Rows with holes, answered many at a time: draws by pattern of holes, densities by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import BLAS
from .annealing import annealed
from .weights import Weighted, trusted, weighted

NUMBERS = 2**20  # of draws that are held at once
MORE = 5  # times as many draws where the first ones fail


def blocks_of(X: np.ndarray, n_draws: int) -> list[np.ndarray]:
    """Numbers of rows that are complete, that have holes, or that are empty; each list a block of
    bounded memory."""
    holes = np.isnan(X)
    kind = holes.any(axis=1) + 1 * holes.all(axis=1)
    size = max(1, NUMBERS // (n_draws * X.shape[1]))
    found = [np.flatnonzero(kind == k) for k in range(3)]
    return [rows[start : start + size] for rows in found for start in range(0, len(rows), size)]


def answered(
    rows: np.ndarray, n: int, rngs: list[np.random.Generator], density: Any,
    proposal_for: Callable[[np.ndarray], Any], width: int,
) -> Weighted:  # fmt: skip
    """Weighted draws for one block of `blocks_of`, n a row.

    rows (m, C + D) begin with `width` columns of context. rngs: a generator for each row, so that
    its draws depend on no other row. proposal_for(hole (C + D,)) has
    `sample_given`, and `log_prob` if its weights may fail. If the weights fail, draws are taken
    from five times as many, and if these fail, too, from annealed ones.
    """

    def log_prob(x):
        found = np.asarray(density.log_prob(x.reshape((-1, x.shape[-1]))), float)
        if np.isnan(found).any():
            raise ValueError(f"the log-density is NaN at some draws: {density!r}")
        return found.reshape(x.shape[:-1])

    hole = np.isnan(rows[0, width:])
    if not hole.any():
        return _certain(rows[:, None], log_prob(rows), np.inf)
    if hole.all():
        pairs = zip(rows, rngs, strict=True)
        draw = density.draws if width else lambda row, n, rng: [density.sample(n, rng)]
        x = np.concatenate([draw(row[None], n, rng) for row, rng in pairs])
        return _certain(x, np.zeros(len(rows)), n)
    with BLAS.single_threaded():
        x, log_q = _drawn(proposal_for, rows, n, rngs)
        found = weighted(x, log_prob(x) - log_q)
        bad = np.flatnonzero(~trusted(found.ess, found.k_hat))
        if bad.size:
            rngs = [rngs[i] for i in bad]
            x, log_q = _drawn(proposal_for, rows[bad], MORE * n, rngs)
            log_p = log_prob(x)
            more = weighted(x, log_p - log_q)
            for i in np.flatnonzero(~trusted(more.ess, more.k_hat)):
                k, hole = [i], np.isnan(rows[bad[i]])
                start = proposal_for(hole), hole, x[k], log_p[k], log_q[k]
                more.put(k, annealed(log_prob, *start, rngs[i]))
            found.put(bad, more.thinned(n, rngs))
    return found


def _drawn(proposal_for, rows, n, rngs):
    """Draws (m, n, D) and log q(x_b | x_a) (m, n)."""
    x, log_q = np.empty((len(rows), n, rows.shape[1])), np.empty((len(rows), n))
    for own in same_holes(np.isnan(rows)):
        proposal = proposal_for(np.isnan(rows[own[0]]))
        x[own], log_q[own] = proposal.sample_given(rows[own], n, [rngs[i] for i in own])
    return x, log_q


def same_holes(hole: np.ndarray) -> list[np.ndarray]:
    """Numbers of rows, those with the same holes (n, D) together."""
    patterns, which = np.unique(hole, axis=0, return_inverse=True)
    return [np.flatnonzero(which.ravel() == k) for k in range(len(patterns))]


def _certain(x, log_p, ess) -> Weighted:
    """Draws x (m, S, D) of equal weight, where nothing had to be estimated."""
    (m, n), zero = x.shape[:2], np.zeros(len(x))
    share = np.full((m, n), 1 / n)
    return Weighted(x, share, log_p, zero, zero + ess, zero - np.inf, np.zeros(m, bool))
