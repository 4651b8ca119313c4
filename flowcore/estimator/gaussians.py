"""Gaussians and mixtures of them, with full covariance matrices and weighted rows: the baselines.

They are candidates that can win, as any other, and what is printed beside a flow. Both are made
of flowcore's own parts, so that a fitted density is one object that `save` takes.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import LULinear
from ..distributions import GaussianMixture, Mixture, Normal, TransformedDistribution
from ..distributions.full_covariance import (
    FullMixture,
    cholesky,
    expectation_maximization,
    first_shares,
    moments,
    shrunk,
)

MANY_ROWS = 5_000  # of which one start of EM has to do
MOST_ROWS = 20_000  # that a mixture learns from: more hardly change it


def gaussian(x: np.ndarray, weight: np.ndarray, shrink: bool = True) -> TransformedDistribution:
    """N(mean, covariance) of the rows x (n, D), which are standardised; weight (n,) sums to 1.

    shrink: the covariance matrix is drawn to the identity, by as much as the OAS rule says.
    """
    mean, covariance = moments(x, weight)
    if shrink:
        covariance = shrunk(covariance, 1 / np.sum(weight**2))
    return from_moments(mean, covariance)


def from_moments(mean: np.ndarray, covariance: np.ndarray) -> TransformedDistribution:
    """The Gaussian x = A z + mean with A A^T = covariance, A lower triangular."""
    factor = cholesky(covariance)
    scale = np.diagonal(factor)
    packed = np.tril(factor / scale, -1) + np.diag(scale)  # L below the diagonal, s on it
    linear = LULinear.from_lu(packed, bias=mean, log_scale_bound=None)
    return TransformedDistribution(Normal(len(mean)), linear)


def mixture(
    x: np.ndarray,
    weight: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    prior: float = 0.3,
) -> Mixture:
    """A mixture of `n_components` Gaussians by EM, the best of some starts; weight sums to 1."""
    found = fitted(x, weight, n_components, rng, prior)
    parts = [from_moments(m, c) for m, c in zip(found.means, found.covariances, strict=True)]
    return Mixture(parts, found.weights)


def modes(x: np.ndarray, weight: np.ndarray, n_components: int, rng) -> GaussianMixture:
    """The same, of diagonal covariances, as the base of a flow, which learns the rest."""
    found = fitted(x, weight, n_components, rng)
    variances = np.diagonal(found.covariances, axis1=1, axis2=2)
    return GaussianMixture(found.means, np.sqrt(variances), found.weights)


def fitted(x, weight, n_components: int, rng, prior: float = 0.3) -> FullMixture:
    """The mixture that EM finds for the rows x (n, D), where they are white as a whole; the best of
    some starts. Clusters far apart want less of a prior.
    """
    mean, covariance = moments(x, weight)
    factor = cholesky(covariance, 1e-6)
    white = np.linalg.solve(factor, (x - mean).T).T
    starts = [x, x, white] if len(x) < MANY_ROWS else [x]  # whitened, clusters may come together
    found = [
        expectation_maximization(
            white, weight, first_shares(start, weight, n_components, rng), prior
        )
        for start in starts
    ]
    return max(found, key=lambda mixture: mixture[0])[1].moved(mean, factor)
