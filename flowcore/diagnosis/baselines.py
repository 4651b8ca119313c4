"""What a density has to beat: a Gaussian, and a mixture of Gaussians.

Both have full covariance matrices. With a context they are fitted to rows (x, c), and judged by
p(x | c) = p(x, c) / p(c), which for a Gaussian is linear regression.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..core import imported

SIZES = (1, 2, 3, 4, 5, 6, 8, 10)  # components that are tried, until two in a row are no better
MOST_ROWS = 10_000  # that they learn from: more hardly change them
STEPS, LEAST_GAIN = 200, 1e-4  # of EM: how many at most, and the gain in nats a row that goes on


@dataclass(frozen=True)
class Mixed:
    """sum_k w_k N(x; m_k, S_k): weights (K,), means (K, D), covariances (K, D, D)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def name(self) -> str:
        """As a sentence has it."""
        k = len(self.weights)
        return "a Gaussian" if k == 1 else f"a mixture of {k} Gaussians"

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p of rows (n, D), in nats."""
        log_p = self.joint(x)
        top = log_p.max(axis=1, keepdims=True)
        return top[:, 0] + np.log(np.exp(log_p - top).sum(axis=1))

    def joint(self, x: np.ndarray) -> np.ndarray:
        """log w_k N(x; m_k, S_k), (n, K)."""
        found = []
        for weight, mean, covariance in zip(
            self.weights, self.means, self.covariances, strict=True
        ):
            factor = np.linalg.cholesky(covariance)
            z = np.linalg.solve(factor, (x - mean).T)
            log_det = np.log(np.diagonal(factor)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
            found.append(np.log(weight) - 0.5 * np.einsum("dn,dn->n", z, z) - log_det)
        return np.stack(found, axis=1)

    def of_columns(self, start: int) -> Mixed:
        """The density of the columns from `start` on alone."""
        covariances = self.covariances[:, start:, start:]
        return Mixed(self.weights, self.means[:, start:], covariances)

    def moved(self, mean: np.ndarray, factor: np.ndarray) -> Mixed:
        """The density of mean + factor x."""
        means = self.means @ factor.T + mean
        return Mixed(self.weights, means, factor @ self.covariances @ factor.T)


def conditional_log_prob(p: Mixed, x: np.ndarray, context: np.ndarray | None) -> np.ndarray:
    """log p(x), or log p(x | c), of rows, (n,)."""
    if context is None:
        return p.log_prob(x)
    return p.log_prob(np.hstack([x, context])) - p.of_columns(x.shape[1]).log_prob(context)


def baselines(x: np.ndarray, context: np.ndarray | None, rng: np.random.Generator) -> list[Mixed]:
    """[a Gaussian, and the mixture of the best BIC, if it has two components or more]."""
    rows = x if context is None else np.hstack([x, context])
    if len(rows) > MOST_ROWS:
        rows = rows[rng.choice(len(rows), MOST_ROWS, replace=False)]
    mean, factor = _whitening(rows)
    white = np.linalg.solve(factor, (rows - mean).T).T
    gaussian = Mixed(np.ones(1), np.zeros((1, rows.shape[1])), np.eye(rows.shape[1])[None])
    found, scores = [gaussian], [_bic(gaussian, white)]
    for k in SIZES[1:]:
        if k * 5 * (white.shape[1] + 1) > len(white):
            break
        found.append(_em(white, k, rng))
        scores.append(_bic(found[-1], white))
        if len(scores) > 2 and all(a <= b for a, b in pairwise(scores[-3:])):
            break
    best = found[int(np.argmin(scores))]
    chosen = [gaussian] if best is gaussian else [gaussian, best]
    return [p.moved(mean, factor) for p in chosen]


def _whitening(rows):
    """(mean, A) with A A^T the covariance, which the OAS rule shrinks: a few rows will do."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    covariance, _ = imported("sklearn.covariance").oas((rows - mean) / scale, assume_centered=True)
    covariance = covariance + 1e-9 * np.eye(len(mean))
    return mean, scale[:, None] * np.linalg.cholesky(covariance)


def _bic(p: Mixed, x: np.ndarray) -> float:
    """-2 log-likelihood + (free parameters) log n: the lower, the better."""
    k, dim = p.means.shape
    free = k - 1 + k * dim + k * dim * (dim + 1) / 2
    return -2 * p.log_prob(x).sum() + free * np.log(len(x))


def _em(x: np.ndarray, k: int, rng: np.random.Generator) -> Mixed:
    """A mixture of k Gaussians of white rows.

    Every covariance has a prior of D rows with the variance k^(-2/D), the volume that each of k
    components has of the whole (Fraley and Raftery 2007): none collapses onto a single row.
    """
    dim = x.shape[1]
    cluster = imported("sklearn.cluster")
    centres, _ = cluster.kmeans_plusplus(x, k, random_state=int(rng.integers(2**31)))
    apart = ((x[:, None] - centres) ** 2).sum(axis=2)
    shares = np.eye(k)[apart.argmin(axis=1)]
    prior, before = dim * k ** (-2 / dim) * np.eye(dim), -np.inf
    for _ in range(STEPS):
        mass = np.maximum(shares.sum(axis=0), 1e-9)
        means = shares.T @ x / mass[:, None]
        covariances = np.empty((k, dim, dim))
        for j in range(k):
            away = x - means[j]
            covariances[j] = ((away * shares[:, j, None]).T @ away + prior) / (mass[j] + dim)
        found = Mixed(mass / mass.sum(), means, covariances)
        log_p = found.joint(x)
        top = log_p.max(axis=1, keepdims=True)
        shares = np.exp(log_p - top)
        total = shares.sum(axis=1, keepdims=True)
        shares, reached = shares / total, float((top + np.log(total)).mean())
        if reached - before < LEAST_GAIN:
            break
        before = reached
    return found
