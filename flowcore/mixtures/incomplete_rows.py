"""EM for mixtures of Gaussians, or of t densities, of rows with holes: exact maximum likelihood.

    maximise   sum_n v_n log sum_k w_k p_k(x_na),        x_na: the known values of row n

A step of EM needs, beside the shares and precisions of component k for the known values, only the
regression of the unknown columns b on the known ones a:

    E x_b = m_b + S_ba S_aa^-1 (x_a - m_a),    E u (x x^T)_bb = u E x_b (E x_b)^T + C,
    C = S_bb - S_ba S_aa^-1 S_ab               u the precision of a t density; 1 for Gaussians

There is one such matrix for every pattern of holes and component. With the rows and columns of b
replaced by those of the identity, all S_aa have the same size and are inverted together.
(Ghahramani and Jordan, "Supervised learning from incomplete data via an EM approach", 1994; t
densities: Liu and Rubin, "ML estimation of the t distribution using EM and its extensions", 1995.)

Whitening would mix known with unknown values, so the rows are only standardised, and the prior of a
component is the prior for whitened rows: a covariance in proportion to the covariance of all rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import inf, lgamma, log, pi
from typing import NamedTuple

import numpy as np

from ..core import limit, log_sum_exp
from ..core.inputs import named, where
from .expectation_maximization import (
    LEAST_GAIN,
    STEPS,
    Components,
    by_bic,
    first_shares,
    maximized,
    scarcity,
)

MISSING = ("error", "learn")  # what NaN is
BLOCK = 2**19  # numbers of matrices that are held at once
WORK, FEWEST = 6e8, 10  # D^3 for each pattern, component and step of EM, in all; steps at least


def check_seen(x: np.ndarray, labels: list | None = None) -> None:
    """A ValueError that names the columns of x (n, D) without a value, or with one value only, and
    the place of a value that is infinite."""
    if (wild := np.isinf(x)).any():
        raise ValueError(f"X has infinite values {where(wild, labels)}")
    hole = np.isnan(x)
    if hole.all(axis=0).any():
        columns = np.flatnonzero(hole.all(axis=0))
        raise ValueError(f"X has no value in {named('column', columns, labels)}: leave it out")
    constant = np.flatnonzero(np.nanmin(x, axis=0) == np.nanmax(x, axis=0))
    if constant.size:
        raise ValueError(
            f"X is constant in {named('column', constant, labels)}, as far as it is known: a "
            "constant has no density, drop it"
        )


def moments_of_seen(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of each column of x (n, D), of its known values, in any units;
    weight (n,)."""
    unit = np.nanmax(np.abs(x), axis=0)
    unit[unit == 0] = 1.0  # no square overflows, none underflows
    seen = np.ma.masked_invalid(x / unit)
    mean = np.ma.average(seen, axis=0, weights=weight)
    variance = np.ma.average((seen - mean) ** 2, axis=0, weights=weight)
    return unit * np.asarray(mean), unit * np.sqrt(np.asarray(variance))


class IncompleteRows:
    """Standardised rows x (n, D) with NaN in their holes, weight (n,) with the sum 1; each row has
    at least one value."""

    def __init__(self, x: np.ndarray, weight: np.ndarray):
        patterns, which = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        self.order, self.which, self.seen = order, which.ravel()[order], patterns
        self.x, self.weight = np.nan_to_num(x[order]), weight[order]
        self.dim, self.n_rows = x.shape[1], 1 / np.sum(weight**2)  # the effective number of rows

    @property
    def together(self) -> float:
        """The effective number of rows that have both columns of the rarest pair."""
        known = self.seen[self.which].astype(float)
        return float(((known.T * self.weight) @ known).min()) * self.n_rows

    def blocks(self, k: int) -> Iterator[slice]:
        """Slices of the rows, small enough for k components."""
        size = max(1, BLOCK // (k * self.dim**2))
        return (slice(at, at + size) for at in range(0, len(self.x), size))


class Expected(NamedTuple):
    """Expectations for the rows of a block, by each component.

    value (n,) is log p(x_a); share, precision (n, K); x (n, K, D) are completed rows. which (n,):
    the pattern of holes, of those in the block; residuals (P, K, D, D): the covariance of b given
    a, 0 elsewhere
    """

    value: np.ndarray
    share: np.ndarray
    precision: np.ndarray
    x: np.ndarray
    which: np.ndarray
    residuals: np.ndarray


def components(
    x: np.ndarray, weight: np.ndarray, sizes: list[int], rng: np.random.Generator, df: float = inf
) -> Components:
    """The components of standardised rows x (n, D) with holes, as many of `sizes` as have the best
    BIC; see `by_bic`. Cost: O(n K D^2) a step of EM, and O(D^3) for each pattern and component."""
    rows = IncompleteRows(x, weight)
    one = np.zeros((1, rows.dim)), np.eye(rows.dim)[None], np.ones(1)
    share = scarcity(rows.together, rows.dim)
    # with many holes EM is slow: its last small gains still move the correlations
    value, single = climbed(rows, one, np.eye(rows.dim), df, share, LEAST_GAIN / 100)
    factor = single[1][0]

    def fit(k):
        if k == 1:
            return value, single
        spread = k ** (-2 / rows.dim) * factor @ factor.T
        return climbed(rows, started(rows, single, k, spread, rng), spread, df)

    return by_bic(fit, rows.n_rows, rows.dim, sizes)


def climbed(
    rows: IncompleteRows, found: Components, spread: np.ndarray, df: float, prior: float = 1.0,
    gain: float = LEAST_GAIN,
) -> tuple[float, Components]:  # fmt: skip
    """(mean log-density of the known values in nats, the components) where EM ends that starts at
    these. spread (D, D): the covariance of the pseudo-rows, prior * D of each component. It ends
    when a step gains less than `gain`, in nats a row."""
    reached, before = -np.inf, -np.inf
    most = int(WORK / (len(rows.seen) * len(found[0]) * rows.dim**3))
    for _ in range(min(STEPS, max(FEWEST, most))):
        if np.isfinite(before) and time.monotonic() > limit():  # the best so far
            break
        reached, sums = 0.0, Sums(len(found[0]), rows)
        for here, expected in expectations(rows, found, df):
            reached += rows.weight[here] @ expected.value
            sums.add(here, expected)
        new = sums.maximized(spread, prior)
        if reached - before < gain:
            break
        before, found = reached, new
    return float(reached), found


def started(
    rows: IncompleteRows, single: Components, k: int, spread: np.ndarray, rng: np.random.Generator
) -> Components:
    """k components from the shares that k-means finds in rows which one component completes."""
    mean, factor = single[0][0], single[1][0]
    completed = np.concatenate([found.x[:, 0] for _, found in expectations(rows, single, inf)])
    white = np.linalg.solve(factor, (completed - mean).T).T
    shares, sums = first_shares(white, rows.weight, k, rng), Sums(k, rows)
    for here, found in expectations(rows, single, inf):
        x, residuals = (np.repeat(a, k, axis=1) for a in (found.x, found.residuals))
        ones = np.ones_like(shares[here])
        sums.add(here, found._replace(share=shares[here], precision=ones, x=x, residuals=residuals))
    return sums.maximized(spread)


class Sums:
    """The sums over rows that a step of EM needs: shares (K,), and moments of 0th to 2nd order
    (K,), (K, D), (K, D, D)."""

    def __init__(self, k: int, rows: IncompleteRows):
        self.rows, d = rows, rows.dim
        self.mass = np.zeros(k)
        self.moments = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))

    def add(self, here: slice, found: Expected) -> None:
        """Those of a block."""
        share = found.share * (self.rows.n_rows * self.rows.weight[here])[:, None]
        of_patterns = np.zeros(found.residuals.shape[:2])
        np.add.at(of_patterns, found.which, share)
        self.mass += of_patterns.sum(axis=0)
        weighted = share * found.precision
        x = found.x.transpose(1, 0, 2)  # (K, n, D)
        scaled = x * weighted.T[..., None]
        zeroth, first, second = self.moments
        zeroth += weighted.sum(axis=0)
        first += scaled.sum(axis=1)
        second += scaled.transpose(0, 2, 1) @ x
        second += np.einsum("pk,pkij->kij", of_patterns, found.residuals)

    def maximized(self, spread: np.ndarray, prior: float = 1.0) -> Components:
        """The components of the largest posterior."""
        zeroth, first, second = self.moments
        i, j = np.triu_indices(self.rows.dim)
        sums = np.hstack([zeroth[:, None], first, second[:, i, j]])
        return maximized(self.mass, sums, self.rows.dim, self.rows.n_rows, prior, spread)


def expectations(
    rows: IncompleteRows, found: Components, df: float
) -> Iterator[tuple[slice, Expected]]:
    """(the rows of a block, their expectations)."""
    means, factors, weights = found
    covariances = factors @ factors.transpose(0, 2, 1)
    for here in rows.blocks(len(means)):
        patterns, which = np.unique(rows.which[here], return_inverse=True)
        inverse, log_det, residuals = given_seen(rows.seen[patterns], covariances)
        seen, x = rows.seen[patterns][which], rows.x[here]
        apart = np.where(seen[:, None], x[:, None] - means, 0)  # (n, K, D)
        pulled = (inverse[which] @ apart[..., None])[..., 0]
        squares, a = (apart * pulled).sum(axis=2), seen.sum(axis=1)[:, None]
        guess = means + (pulled.transpose(1, 0, 2) @ covariances).transpose(1, 0, 2)
        log_p = np.log(weights) - 0.5 * log_det[which] + log_profile(squares, a, df)
        value, share = log_sum_exp(log_p.T)
        precision = np.ones_like(squares) if df == inf else (df + a) / (df + squares)
        x = np.where(seen[:, None], x[:, None], guess)
        yield here, Expected(value, share.T, precision, x, which, residuals)


def given_seen(seen: np.ndarray, covariances: np.ndarray) -> tuple:
    """For patterns (P, D) and covariances S (K, D, D): S_aa^-1 (P, K, D, D), log det S_aa (P, K),
    and the residual covariances of b. Matrices are D x D, and 0 elsewhere."""
    both = (seen[:, :, None] & seen[:, None, :])[:, None]
    neither = ~(seen[:, :, None] | seen[:, None, :])[:, None]
    known = np.where(both, covariances, np.eye(seen.shape[1]))
    inverse = np.where(both, np.linalg.inv(known), 0)
    residuals = np.where(neither, covariances - covariances @ inverse @ covariances, 0)
    return inverse, np.linalg.slogdet(known)[1], residuals


def log_profile(squares: np.ndarray, a: np.ndarray, df: float) -> np.ndarray:
    """log g of `a` columns at squared lengths; `EllipticalMixture` has the formula."""
    if df == inf:
        return -0.5 * (squares + a * log(2 * pi))
    norms = [
        lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) for d in range(a.max() + 1)
    ]
    return np.array(norms)[a] - (df + a) / 2 * np.log1p(squares / df)
