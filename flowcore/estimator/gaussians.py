"""Gaussians and mixtures of them, with full covariance matrices and weighted rows: the baselines.

They are candidates that can win, as any other, and what is printed beside a flow.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import LULinear
from ..distributions import (
    GaussianMixture,
    MultivariateNormalMixture,
    Normal,
    TransformedDistribution,
)
from ..distributions.expectation_maximization import best_of_starts, moved, whitened

MANY_ROWS = 5_000  # of which one start of EM has to do
MOST_ROWS = 20_000  # that a mixture learns from: more hardly change it


def gaussian(x: np.ndarray, weight: np.ndarray, shrink: bool = True) -> TransformedDistribution:
    """The Gaussian x = A z + mean of the rows x (n, D), which are standardised; A A^T is their
    covariance. It has a latent space. weight (n,) sums to 1; shrink: see `whitened`.
    """
    _, mean, factor = whitened(x, weight, shrink)
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
) -> MultivariateNormalMixture:
    """The mixture that EM finds for the rows x (n, D), the best of some starts; weight sums to 1.
    Clusters far apart want less of a prior.
    """
    rows, mean, factor = whitened(x, weight, shrink=False, more=1e-6)
    starts = [x, x, rows] if len(x) < MANY_ROWS else [x]  # whitened, clusters may come together
    _, found = best_of_starts(rows, weight, starts, n_components, rng, prior)
    return MultivariateNormalMixture(*moved(found, mean, factor))


def modes(x: np.ndarray, weight: np.ndarray, n_components: int, rng) -> GaussianMixture:
    """The same, of diagonal covariances, as the base of a flow, which learns the rest."""
    found = mixture(x, weight, n_components, rng)
    scales = np.sqrt((found.scale_tril**2).sum(axis=2))
    return GaussianMixture(found.means, scales, found.weights)
