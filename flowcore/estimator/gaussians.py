"""Gaussians and mixtures of them, with full covariance matrices and weighted rows: the baselines.

They are candidates that can win, as any other, and what is printed beside a flow. Both are made
of flowcore's own parts, so that a fitted density is one object that `save` takes.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import LULinear
from ..distributions import GaussianMixture, Mixture, Normal, TransformedDistribution

TINY = 1e-9  # of a whitened variance: what keeps a Cholesky factor apart from zero
SMALLEST_STEP, MOST_STEPS = 1e-4, 200  # of EM: nats a row, and how many
ROUNDS = 10  # of k-means, where EM starts
MANY_ROWS = 5_000  # of which one start of EM has to do
MOST_ROWS = 20_000  # that a mixture learns from: more hardly change it


def gaussian(x: np.ndarray, weight: np.ndarray, shrink: bool = True) -> TransformedDistribution:
    """N(mean, covariance) of the rows x (n, D), which are standardised; weight (n,) sums to 1.

    shrink: the covariance matrix is drawn to the identity, by as much as the rule of Chen, Wiesel,
    Eldar and Hero ("Shrinkage algorithms for MMSE covariance estimation", 2010, OAS) says.
    """
    mean, covariance = moments(x, weight)
    if shrink:
        covariance = shrunk(covariance, 1 / np.sum(weight**2))
    return from_moments(mean, covariance)


def moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean (D,) and covariance matrix (D, D), of maximum likelihood."""
    mean = weight @ x
    apart = x - mean
    return mean, (apart * weight[:, None]).T @ apart


def shrunk(covariance: np.ndarray, n: float) -> np.ndarray:
    """(1 - rho) S + rho tr(S)/D I, with the OAS rule for rho."""
    dim = len(covariance)
    scale, squares = np.trace(covariance) / dim, np.mean(covariance**2)
    # the rule as scikit-learn has it: of n rows, D columns
    spread = (n + 1) * (squares - scale**2 / dim)
    rho = 1.0 if spread <= 0 else min(1.0, (squares + scale**2) / spread)
    return (1 - rho) * covariance + rho * scale * np.eye(dim)


def from_moments(mean: np.ndarray, covariance: np.ndarray) -> TransformedDistribution:
    """The Gaussian x = A z + mean with A A^T = covariance, A lower triangular."""
    dim = len(mean)
    jitter = TINY * np.trace(covariance) / dim * np.eye(dim)
    factor = np.linalg.cholesky(covariance + jitter)
    scale = np.diagonal(factor)
    packed = np.tril(factor / scale, -1) + np.diag(scale)  # L below the diagonal, s on it
    linear = LULinear.from_lu(packed, bias=mean, log_scale_bound=None)
    return TransformedDistribution(Normal(dim), linear)


def mixture(
    x: np.ndarray,
    weight: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    prior: float = 0.3,
) -> Mixture:
    """A mixture of `n_components` Gaussians by EM, the best of some starts; weight sums to 1."""
    shares, means, covariances = components(x, weight, n_components, rng, prior)
    return Mixture([from_moments(m, c) for m, c in zip(means, covariances, strict=True)], shares)


def modes(x: np.ndarray, weight: np.ndarray, n_components: int, rng) -> GaussianMixture:
    """The same, of diagonal covariances, as the base of a flow, which learns the rest."""
    shares, means, covariances = components(x, weight, n_components, rng)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    return GaussianMixture(means, np.sqrt(variances), shares)


def components(x, weight, n_components: int, rng, prior: float = 0.3):
    """(weights (K,), means (K, D), covariances (K, D, D)) of a mixture for the rows x (n, D).

    EM runs where the rows as a whole are white. There every covariance has a prior, prior * D
    imagined rows of the variance K^(-2/D), the volume that each of K components has of the whole
    (Fraley and Raftery, "Bayesian regularization for normal mixture estimation", 2007): none
    collapses onto a single row. Clusters far apart want less of it.
    """
    mean, covariance = moments(x, weight)
    factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(mean)))
    white = np.linalg.solve(factor, (x - mean).T).T
    starts = [x, x, white] if len(x) < MANY_ROWS else [x]  # whitened, clusters may come together
    found = [
        _em(white, weight, _first_shares(start, weight, n_components, rng), prior)
        for start in starts
    ]
    _, shares, means, covariances = max(found, key=lambda mixture: mixture[0])
    return shares, means @ factor.T + mean, factor @ covariances @ factor.T


def _em(x, weight, shares, prior):
    """(log-likelihood, weights, means, covariances) of the mixture that EM finds from shares (n, K)
    of the components in white rows x."""
    (n, dim), k = x.shape, shares.shape[1]
    n_rows = 1 / np.sum(weight**2)  # rows of equal weight that would say as much
    imagined, prior_rows = k ** (-2 / dim) * np.eye(dim), prior * dim
    before = -np.inf
    for _ in range(MOST_STEPS):
        mass = np.maximum(weight @ shares, 1e-300)
        means = (shares * weight[:, None]).T @ x / mass[:, None]
        covariances = np.empty((k, dim, dim))
        log_p = np.empty((n, k))
        for j in range(k):
            apart = x - means[j]
            scatter = (apart * (weight * shares[:, j])[:, None]).T @ apart * n_rows
            covariances[j] = (scatter + prior_rows * imagined) / (mass[j] * n_rows + prior_rows)
            factor = np.linalg.cholesky(covariances[j])
            z = np.linalg.solve(factor, apart.T)
            log_p[:, j] = -0.5 * np.einsum("dn,dn->n", z, z) - np.log(np.diagonal(factor)).sum()
        share = (mass * n_rows + 1) / (n_rows + k)  # nobody's weight is zero
        log_p += np.log(share)
        top = log_p.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(log_p - top).sum(axis=1))
        shares = np.exp(log_p - total[:, None])
        now = weight @ total
        if now - before < SMALLEST_STEP:
            break
        before = now
    return now, share, means, covariances


def _first_shares(x, weight, k, rng):
    """Each row belongs to its nearest centre, by a few rounds of k-means from k-means++ (Arthur and
    Vassilvitskii 2007): centres are drawn where the others are far.
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


def _distances(x, centres):
    """Squared, (n, K)."""
    squares = (x**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.maximum(squares - 2 * x @ centres.T, 0)
