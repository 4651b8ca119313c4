"""Mixtures of Gaussians with full covariance matrices, by EM, for weighted rows.

    p(x) = sum_k w_k N(x; m_k, S_k)

What a flow has to beat, and where bases with modes start. One step of EM is two products of
matrices: with phi(x) = (1, x_i, x_i x_j for i <= j), log w_k N(x; m_k, S_k) is linear in phi(x),
and the moments of every component are sums of shares times phi(x).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

STEPS, LEAST_GAIN = 200, 1e-4  # of EM: how many at most, and the gain in nats a row that goes on
ROUNDS = 10  # of k-means, where EM starts
BLOCK = 2**18  # numbers phi(x) that are held at once
TINY = 1e-9  # of a variance: what keeps a Cholesky factor apart from zero


def moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (D,) and covariance matrix (D, D) of rows x (n, D); weight (n,) sums to 1."""
    mean = weight @ x
    apart = x - mean
    return mean, (apart * weight[:, None]).T @ apart


def shrunk(covariance: np.ndarray, n: float) -> np.ndarray:
    """(1 - rho) S + rho tr(S)/D I, with rho by the OAS rule for n rows.

    Chen, Wiesel, Eldar and Hero, "Shrinkage algorithms for MMSE covariance estimation", 2010, as
    scikit-learn has it.
    """
    dim = len(covariance)
    scale = np.trace(covariance) / dim
    squares = np.mean((covariance / scale) ** 2) if scale > 0 else 1.0  # no square overflows
    spread = (n + 1) * (squares - 1 / dim)
    rho = 1.0 if spread <= 0 else min(1.0, (squares + 1) / spread)
    return (1 - rho) * covariance + rho * scale * np.eye(dim)


def cholesky(covariance: np.ndarray, more: float = TINY) -> np.ndarray:
    """L with L L^T = S, lower triangular, (D, D), the diagonal of S by a share of `more` larger: so
    that directions without variance, as of columns that follow from others, get next to none. The
    share is that of each column's own variance (of 1, where it has none): one may be huge.
    """
    variance = np.diagonal(covariance)
    return np.linalg.cholesky(covariance + more * np.diag(np.where(variance > 0, variance, 1.0)))


@dataclass(frozen=True)
class FullMixture:
    """sum_k w_k N(x; m_k, S_k): weights (K,), means (K, D), covariances (K, D, D)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def joint(self, x: np.ndarray) -> np.ndarray:
        """log w_k N(x; m_k, S_k) of rows x (n, D), in nats, (n, K)."""
        found = []
        for weight, mean, covariance in zip(
            self.weights, self.means, self.covariances, strict=True
        ):
            factor = np.linalg.cholesky(covariance)
            z = np.linalg.solve(factor, (x - mean).T)
            log_det = np.log(np.diagonal(factor)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
            found.append(np.log(weight) - 0.5 * np.einsum("dn,dn->n", z, z) - log_det)
        return np.stack(found, axis=1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p of rows x (n, D), in nats, (n,)."""
        log_p = self.joint(x)
        top = log_p.max(axis=1, keepdims=True)
        return top[:, 0] + np.log(np.exp(log_p - top).sum(axis=1))

    def of_columns(self, start: int) -> FullMixture:
        """The density of the columns from `start` on alone."""
        covariances = self.covariances[:, start:, start:]
        return FullMixture(self.weights, self.means[:, start:], covariances)

    def moved(self, mean: np.ndarray, factor: np.ndarray) -> FullMixture:
        """The density of mean + factor x."""
        means = self.means @ factor.T + mean
        return FullMixture(self.weights, means, factor @ self.covariances @ factor.T)


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
    x: np.ndarray, weight: np.ndarray, shares: np.ndarray, prior: float
) -> tuple[float, FullMixture]:
    """(mean log-likelihood in nats, the mixture) that EM finds from the components' shares (n, K).

    x (n, D) is white as a whole: mean 0, covariance I; weight (n,) sums to 1. Every covariance has
    a prior, prior * D imagined rows of the variance K^(-2/D), the volume that each of K components
    has of the whole (Fraley and Raftery, "Bayesian regularization for normal mixture estimation",
    2007): none collapses onto a single row.
    """
    dim, n_rows = x.shape[1], 1 / np.sum(weight**2)  # rows of equal weight that would say as much
    columns, weights = np.ascontiguousarray(x.T), n_rows * weight
    sums = sum(
        (weights[rows] * shares[rows].T) @ phi.T for rows, phi in _features(columns)
    )  # (K, F)
    reached, before = -np.inf, -np.inf
    for _ in range(STEPS):
        mixture = _maximized(sums, dim, n_rows, prior)
        linear = _linear(mixture)
        sums, reached = np.zeros_like(sums), 0.0
        for rows, phi in _features(columns):
            log_p = linear @ phi
            top = log_p.max(axis=0)
            np.exp(np.subtract(log_p, top, out=log_p), out=log_p)
            total = log_p.sum(axis=0)
            reached += weight[rows] @ (top + np.log(total))
            log_p *= weights[rows] / total
            sums += log_p @ phi.T
        if reached - before < LEAST_GAIN:
            break
        before = reached
    return float(reached), mixture


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


def _maximized(sums: np.ndarray, dim: int, n_rows: float, prior: float) -> FullMixture:
    """The mixture of the largest posterior, from the sums of shares times phi(x), (K, F)."""
    k = len(sums)
    mass = np.maximum(sums[:, 0], 1e-300)
    means = sums[:, 1 : 1 + dim] / mass[:, None]
    i, j = np.triu_indices(dim)
    scatter = np.empty((k, dim, dim))
    scatter[:, i, j] = scatter[:, j, i] = sums[:, 1 + dim :]
    scatter -= mass[:, None, None] * means[:, :, None] * means[:, None, :]
    prior_rows = prior * dim
    imagined = prior_rows * k ** (-2 / dim) * np.eye(dim)
    covariances = (scatter + imagined) / (mass + prior_rows)[:, None, None]
    return FullMixture((mass + 1) / (n_rows + k), means, covariances)  # nobody's weight is zero


def _linear(mixture: FullMixture) -> np.ndarray:
    """C (K, F) with log w_k N(x; m_k, S_k) = C_k phi(x)."""
    dim = mixture.means.shape[1]
    factor = np.linalg.cholesky(mixture.covariances)
    precision = np.linalg.inv(mixture.covariances)
    pulled = np.einsum("kij,kj->ki", precision, mixture.means)
    log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    square = np.einsum("kd,kd->k", pulled, mixture.means)
    first = np.log(mixture.weights) - log_det - 0.5 * (square + dim * np.log(2 * np.pi))
    i, j = np.triu_indices(dim)
    quadratic = np.where(i == j, -0.5, -1.0) * precision[:, i, j]
    return np.hstack([first[:, None], pulled, quadratic])


def _distances(x, centres):
    """Squared, (n, K)."""
    squares = (x**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.maximum(squares - 2 * x @ centres.T, 0)
