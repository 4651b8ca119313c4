"""The start of `infer`: the Gaussian closest to the target, and a flow around it.

Posteriors of regressions in raw units have correlations up to 0.9999, which a flow would learn
last. Here they are found first.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import Chain, ElementwiseAffine, LULinear
from ..distributions import Normal, TransformedDistribution
from ..flows import iaf
from ..transformers import Affine, RationalQuadratic
from .modes import Gaussian
from .nearest_gaussian import best_gaussian, gaussian_rows
from .unnormalised import LogTarget

LAYERS, LEAST_WIDTH = 4, 32  # of the IAF
BINS, TAIL = 16, 6.0  # of the spline
LOG_SCALE = 5.0  # its bound: scales of a funnel vary much
ROWS = 1000  # of the Gaussian with independent coordinates, where the search begins
BOUND = 50.0  # of the log-scales of the linear layer


def first_gaussian(target: LogTarget, start: np.ndarray | None, rng) -> Gaussian:
    """The Gaussian closest to the target, as the search finds it.

    start   rows of which the best is where the search starts; of more than 2 d: their Gaussian
    """
    rows = np.zeros((1, target.dim)) if start is None else start
    if len(rows) > 2 * target.dim and np.ptp(rows, axis=0).all():
        return Gaussian(rows.mean(axis=0), factor_of(rows))
    best = rows[np.argmax(target.values(rows))] if len(rows) > 1 else rows[0]
    near = gaussian_rows(target, best, ROWS, rng)
    return Gaussian(*best_gaussian(target, near.mean(axis=0), near.std(axis=0), rng))


def flow_around(mean: np.ndarray, factor: np.ndarray) -> TransformedDistribution:
    """An IAF of four layers behind mean and Cholesky factor of a Gaussian."""
    dim = len(mean)
    scale = np.sqrt(np.sum(factor**2, axis=1))
    diagonal = np.diag(factor / scale[:, None])
    packed = np.tril(factor / scale[:, None] / diagonal, -1) + np.diag(diagonal)
    linear = LULinear.from_lu(packed, log_scale_bound=BOUND)
    layers = [ElementwiseAffine(mean, scale), linear, *layers_of(dim)]
    return TransformedDistribution(Normal(dim), Chain(layers))


def layers_of(dim: int) -> list:
    """The four layers of IAF, near the identity; in D = 1, where these are affine, a spline."""
    options = {"standardize": False, "rng": 0, "activation": "silu"}
    if dim == 1:
        inner = iaf(1, 1, [LEAST_WIDTH], transformer=RationalQuadratic(BINS, TAIL), **options)
    else:
        width = max(LEAST_WIDTH, 2 * dim)
        inner = iaf(dim, LAYERS, [width] * 2, transformer=Affine(LOG_SCALE), **options)
    return inner.bijector.bijectors


def factor_of(rows: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the covariance of n > 2 d rows, with smaller correlations."""
    n, dim = rows.shape
    share = 2 * dim / n  # of no correlation: a few rows have wild ones
    correlation = (1 - share) * np.corrcoef(rows.T).reshape(dim, dim) + share * np.eye(dim)
    return rows.std(axis=0)[:, None] * np.linalg.cholesky(correlation)
