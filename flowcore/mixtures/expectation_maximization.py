"""Mixtures of Gaussians, or of t densities, with full matrices, fitted by EM to weighted rows.

    p(x) = sum_k w_k N(x; m_k, S_k)

One step of EM is two products of matrices: with phi(x) = (1, x_i, x_i x_j for i <= j),
log w_k N(x; m_k, S_k) is linear in phi(x), and the moments of every component are sums of shares
times phi(x). The rows are whitened first, so that the prior and the stopping rule have a scale.

A t density with df degrees of freedom is a Gaussian with a random precision. So the weight of a row
in the moments of component k is its share times the expected precision u_k(x), and log t follows
from the same linear function (Peel and McLachlan 2000):

    s = (x - m_k)^T S_k^-1 (x - m_k),   u_k = (df + D)/(df + s),
    log t = const - (df + D)/2 log(1 + s/df)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import inf, lgamma, log

import numpy as np

from ..core import check_time, log_sum_exp

STEPS, LEAST_GAIN = 200, 1e-4  # of EM: how many at most, and the gain in nats a row that goes on
ROUNDS = 10  # of k-means, where EM starts
BLOCK = 2**18  # numbers phi(x) that are held at once
TINY = 1e-9  # of a variance: what keeps a Cholesky factor apart from zero
upper = lru_cache(4)(np.triu_indices)  # with few columns, a third of a step


# means (K, D), factors (K, D, D) of the covariance matrices L_k L_k^T, weights (K,)
Components = tuple[np.ndarray, np.ndarray, np.ndarray]


def whitened(
    x: np.ndarray, weight: np.ndarray, shrink: float = 1.0, more: float = TINY
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A^-1 (x - mean), mean, A) of rows x (n, D), with A A^T their covariance, lower triangular.

    weight (n,) sums to 1. shrink: this times the OAS rule shrinks the covariance towards the
    identity, so that few rows are enough. Each variance grows by the factor 1 + more (a variance of
    0 becomes `more`), so that directions without variance, such as columns that follow from others,
    get a tiny one.
    """
    mean = weight @ x
    apart = x - mean
    covariance = (apart * weight[:, None]).T @ apart
    if shrink:
        covariance = shrunk(covariance, 1 / np.sum(weight**2), shrink)
    variance = np.diagonal(covariance)
    jitter = more * np.where(variance > 0, variance, 1.0)
    factor = np.linalg.cholesky(covariance + np.diag(jitter))
    return np.linalg.solve(factor, apart.T).T, mean, factor


def moved(found: Components, mean: np.ndarray, factor: np.ndarray) -> Components:
    """The components of mean + A x; A (D, D) is lower triangular."""
    means, factors, weights = found
    return means @ factor.T + mean, factor @ factors, weights


def by_bic(
    fit: Callable[[int], tuple[float, Components]], n: float, dim: int, sizes: Sequence[int]
) -> Components:
    """The components that fit(k) returns, with their mean log-likelihood of n rows (n, D), for the
    k in `sizes` with the best BIC.

        BIC = -2 log-likelihood + (free parameters) log n       the lower, the better

    Larger sizes are tried until two in a row are no better.
    """
    found, scores = [], []
    for k in sizes:
        log_p, components = fit(k)
        found.append(components)
        free = k - 1 + k * dim + k * dim * (dim + 1) / 2
        scores.append(-2 * n * log_p + free * np.log(n))
        if len(scores) > 2 and all(a <= b for a, b in pairwise(scores[-3:])):
            break
    return found[int(np.argmin(scores))]


def best_of_starts(
    x: np.ndarray,
    weight: np.ndarray,
    starts: Sequence[np.ndarray],
    k: int,
    rng: np.random.Generator,
    prior: float = 1.0,
    df: float = inf,
) -> tuple[float, Components]:
    """(mean log-likelihood in nats, k components) of white rows x (n, D), by EM.

    starts: for each, the rows as k-means sees them. One Gaussian is N(0, I) itself. df: that of t
    densities; inf for Gaussians.
    """
    dim = x.shape[1]
    if k == 1 and df == inf:
        log_p = -0.5 * (weight @ (x**2).sum(axis=1) + dim * np.log(2 * np.pi))
        return float(log_p), (np.zeros((1, dim)), np.eye(dim)[None], np.ones(1))
    shares = (first_shares(rows, weight, k, rng) for rows in starts)
    found = [expectation_maximization(x, weight, own, prior, df) for own in shares]
    return max(found, key=lambda one: one[0])


def scarcity(n: float, dim: int) -> float:
    """min(1, D/n)^2: the share of a prior against few rows. It vanishes faster than the standard
    errors of correlations, in proportion to n^(-1/2), so that it moves none of them much."""
    return min(1.0, dim / max(n, 1.0)) ** 2


def shrunk(covariance: np.ndarray, n: float, share: float = 1.0) -> np.ndarray:
    """(1 - rho) S + rho tr(S)/D I, with rho a share of what the OAS rule has for n rows.

    Chen, Wiesel, Eldar and Hero, "Shrinkage algorithms for MMSE covariance estimation", 2010, as
    scikit-learn has it.
    """
    dim = len(covariance)
    scale = np.trace(covariance) / dim
    squares = np.mean((covariance / scale) ** 2) if scale > 0 else 1.0  # no square overflows
    spread = (n + 1) * (squares - 1 / dim)
    rho = 1.0 if spread <= 0 else min(1.0, (squares + 1) / spread)
    return (1 - share * rho) * covariance + share * rho * scale * np.eye(dim)


def first_shares(x: np.ndarray, weight: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Each row belongs to its nearest centre, (n, K), by a few rounds of k-means from k-means++
    (Arthur and Vassilvitskii 2007): centres are drawn where the others are far.
    """
    centres = x[[rng.choice(len(x), p=weight)]]
    while len(centres) < k:
        chance = weight * np.maximum(_distances(x, centres).min(axis=1), 1e-300)
        centres = np.vstack([centres, x[rng.choice(len(x), p=chance / chance.sum())]])
    for _ in range(ROUNDS):
        shares = np.eye(k)[_distances(x, centres).argmin(axis=1)]
        mass = weight @ shares
        means = (shares * weight[:, None]).T @ x / np.maximum(mass, 1e-300)[:, None]
        centres = np.where(mass[:, None] > 0, means, centres)
    return shares


def expectation_maximization(
    x: np.ndarray, weight: np.ndarray, shares: np.ndarray, prior: float, df: float = inf,
    beside: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[float, Components]:  # fmt: skip
    """(mean log-likelihood in nats, the components) that EM finds from their shares (n, K).

    x (n, D) is white as a whole: mean 0, covariance I; weight (n,) sums to 1. Every covariance has
    a prior of prior * D pseudo-rows with the variance K^(-2/D), as if each of K components had an
    equal part of the volume (Fraley and Raftery, "Bayesian regularization for normal mixture
    estimation", 2007). So none collapses onto a single row. beside: a model of other data of the
    rows, independent of x given the component: it is fitted to shares (K, n), and returns its
    log-densities (K, n).
    """
    dim, n_rows = x.shape[1], 1 / np.sum(weight**2)  # the effective number of rows
    columns, weights = np.ascontiguousarray(x.T), n_rows * weight
    sums = sum(
        (weights[rows] * shares[rows].T) @ phi.T for rows, phi in _features(columns)
    )  # (K, F)
    reached, before = -np.inf, -np.inf
    mass, spread, more = sums[:, 0], shares.shape[1] ** (-2 / dim) * np.eye(dim), None
    every = shares.T.astype(float)
    for _ in range(STEPS):
        check_time()
        found = maximized(mass, sums, dim, n_rows, prior, spread)
        linear, top = _linear(found)
        if beside is not None:
            more = beside(every)
        mass, sums, reached = np.zeros_like(mass), np.zeros_like(sums), 0.0
        for rows, phi in _features(columns):
            log_p = linear @ phi
            precision = _heavy_tails(log_p, top, dim, df) if df < inf else None
            if more is not None:
                log_p += more[:, rows]
            value, posterior = log_sum_exp(log_p, out=log_p)
            every[:, rows] = posterior
            reached += weight[rows] @ value
            posterior *= weights[rows]
            mass += posterior.sum(axis=1)
            sums += (posterior if precision is None else posterior * precision) @ phi.T
        if reached - before < LEAST_GAIN:
            break
        before = reached
    return float(reached), found


def _features(columns: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(rows, phi(x) (F, rows)) of blocks of the rows, from columns (D, n)."""
    dim, n = columns.shape
    n_features = 1 + dim + dim * (dim + 1) // 2
    step = max(1, min(n, BLOCK // n_features))
    held = np.empty((n_features, step))
    held[0] = 1.0
    for start in range(0, n, step):
        x = columns[:, start : start + step]
        phi = held[:, : x.shape[1]]
        phi[1 : 1 + dim] = x
        at = 1 + dim
        for i in range(dim):
            np.multiply(x[i], x[i:], out=phi[at : at + dim - i])
            at += dim - i
        yield slice(start, start + step), phi


def _heavy_tails(log_p: np.ndarray, top: np.ndarray, dim: int, df: float) -> np.ndarray:
    """The expected precisions (K, n). log w_k N, of the largest value `top`, becomes log w_k t."""
    squares = np.maximum(2 * (top[:, None] - log_p), 0)
    constant = lgamma((df + dim) / 2) - lgamma(df / 2) - dim / 2 * log(df / 2)
    log_p[...] = (top + constant)[:, None] - (df + dim) / 2 * np.log1p(squares / df)
    return (df + dim) / (df + squares)


def maximized(
    mass: np.ndarray, sums: np.ndarray, dim: int, n_rows: float, prior: float, spread: np.ndarray
) -> Components:
    """The components of the largest posterior, from the sums of shares (K,), and of shares times
    phi(x), (K, F); of t densities the latter times the precision.

    prior: pseudo-rows per column of every component, with the covariance `spread` (D, D).
    """
    k = len(sums)
    moment = np.maximum(sums[:, 0], 1e-300)
    means = sums[:, 1 : 1 + dim] / moment[:, None]
    i, j = upper(dim)
    scatter = np.empty((k, dim, dim))
    scatter[:, i, j] = scatter[:, j, i] = sums[:, 1 + dim :]
    scatter -= moment[:, None, None] * means[:, :, None] * means[:, None, :]
    prior_rows = prior * dim
    covariances = (scatter + prior_rows * spread) / (mass + prior_rows)[:, None, None]
    # no component has the weight zero
    return means, np.linalg.cholesky(covariances), (mass + 1) / (n_rows + k)


def _linear(found: Components) -> tuple[np.ndarray, np.ndarray]:
    """C (K, F) with log w_k N(x; m_k, S_k) = C_k phi(x), and the values (K,) at x = m_k."""
    means, factors, weights = found
    dim = means.shape[1]
    inverse = np.linalg.inv(factors)
    precision = inverse.transpose(0, 2, 1) @ inverse
    pulled = np.einsum("kij,kj->ki", precision, means)
    log_det = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    square = np.einsum("kd,kd->k", pulled, means)
    first = np.log(weights) - log_det - 0.5 * (square + dim * np.log(2 * np.pi))
    i, j = upper(dim)
    quadratic = np.where(i == j, -0.5, -1.0) * precision[:, i, j]
    return np.hstack([first[:, None], pulled, quadratic]), first + 0.5 * square


def _distances(x, centres):
    """Squared, (n, K)."""
    squares = (x**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.maximum(squares - 2 * x @ centres.T, 0)
