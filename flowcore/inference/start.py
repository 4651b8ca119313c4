"""The start of `infer`: the Gaussian closest to the target, and a flow around it.

Posteriors of regressions in raw units have correlations up to 0.9999. A flow would learn them last.
Here they are found first, so that the flow has to learn only the rest.
"""

from __future__ import annotations

import math

import numpy as np

from ..bijectors import Chain, ElementwiseAffine, LULinear
from ..distributions import Normal, TransformedDistribution
from ..flows import iaf
from ..training.nearest_gaussian import best_gaussian, gaussian_rows
from ..training.unnormalised import LogTarget
from ..transformers import Affine
from .modes import Gaussian

LAYERS, LEAST_WIDTH = 4, 32  # of the IAF
LOG_SCALE = 5.0  # its bound: scales of a funnel vary much
ROWS = 1000  # of the Gaussian with independent coordinates, where the search begins
BOUND = 50.0  # of the log-scales of the linear layer


def first_gaussian(target: LogTarget, start: np.ndarray | None, rng) -> Gaussian:
    """The Gaussian closest to the target, as the search finds it.

    start   None, or one row: the search for it starts there; more rows: it is their Gaussian
    """
    rows = np.zeros((1, target.dim)) if start is None else start
    if len(rows) > 1:
        return Gaussian(rows.mean(axis=0), _factor_of(rows))
    near = gaussian_rows(target, rows[0], ROWS, rng)
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
    """The four layers of IAF, near the identity."""
    inner = iaf(
        dim, LAYERS, [max(LEAST_WIDTH, 2 * dim)] * 2, standardize=False, rng=0,
        activation="silu", transformer=Affine(LOG_SCALE),
    )  # fmt: skip
    return inner.bijector.bijectors


def _factor_of(rows: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the covariance of rows; of few rows, their deviations alone."""
    n, dim = rows.shape
    scale = np.maximum(rows.std(axis=0), math.sqrt(np.finfo(float).tiny))
    share = min(1.0, 2 * dim / n)  # of no correlation: a few rows have wild ones
    correlation = (1 - share) * np.nan_to_num(np.cov((rows / scale).T, bias=True)).reshape(dim, dim)
    return scale[:, None] * np.linalg.cholesky(correlation + share * np.eye(dim))
