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
from ..training.nearest_gaussian import check_proper, gaussian_rows
from ..training.unnormalised import Target
from ..transformers import Affine

LAYERS, LEAST_WIDTH = 4, 32  # of the IAF
LOG_SCALE = 5.0  # its bound: scales of a funnel vary much
ROWS, FIXED, STEPS = 1000, 400, 500  # of the first search; draws, and most steps, of the second
ROUNDS, CLOSE = 10, 0.01  # of the second; nats for which no further one is made
BOUND = 50.0  # of the log-scales of the linear layer


def flow_around(target: Target, start: np.ndarray | None, rng) -> TransformedDistribution:
    """An IAF of four layers behind mean and Cholesky factor of a Gaussian.

    start   None, or one row: the search for it starts there; more rows: it is their Gaussian
    """
    dim = target.dim
    rows = np.zeros((1, dim)) if start is None else start
    if len(rows) == 1:
        near = gaussian_rows(target, rows[0], ROWS, rng)
        mean, factor = best_gaussian(target, near.mean(axis=0), near.std(axis=0), rng)
    else:
        mean, factor = rows.mean(axis=0), _factor_of(rows)
    scale = np.sqrt(np.sum(factor**2, axis=1))
    diagonal = np.diag(factor / scale[:, None])
    packed = np.tril(factor / scale[:, None] / diagonal, -1) + np.diag(diagonal)
    linear = LULinear.from_lu(packed, log_scale_bound=BOUND)
    inner = iaf(
        dim, LAYERS, [max(LEAST_WIDTH, 2 * dim)] * 2, standardize=False, rng=0,
        activation="silu", transformer=Affine(LOG_SCALE),
    )  # fmt: skip
    layers = [ElementwiseAffine(mean, scale), linear, *inner.bijector.bijectors]
    return TransformedDistribution(Normal(dim), Chain(layers))


def best_gaussian(
    target: Target, mean: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(mean (D,), Cholesky factor (D, D)) of the Gaussian with the largest ELBO, by L-BFGS.

        ELBO = mean of log p~(m + L z) + sum_i log L_ii          of the same draws z

    from a first mean and standard deviations. z has exactly the mean 0 and the covariance I, so
    that the answer for a Gaussian target is exact. L-BFGS stops early if parameters differ much in
    scale, so it is restarted in the coordinates of the Gaussian that it has found, until that no
    longer helps. Errors: ValueError if the ELBO climbs without end.
    """
    dim = len(mean)
    half = rng.standard_normal((max(FIXED // 2, 2 * dim), dim))
    z = np.concatenate([half, -half])
    z = np.linalg.solve(np.linalg.cholesky(z.T @ z / len(z)), z.T).T
    factor, best = np.diag(scale), math.inf
    for _ in range(ROUNDS):
        (m, inner), value = _searched(target, mean, factor, z)
        new_mean, new = mean + factor @ m, factor @ inner
        if not (np.isfinite(new).all() and np.isfinite(new_mean).all() and np.diag(new).all()):
            break  # the search has left what floats can hold: what was found before stays
        mean, factor = new_mean, new
        check_proper(mean, np.log(np.sqrt(np.sum(factor**2, axis=1))))
        value -= np.log(np.diag(factor)).sum() - np.log(np.diag(inner)).sum()
        if not value < best - CLOSE:
            break
        best = value
    return mean, factor


def _searched(target: Target, mean, outer, z) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """((m, L), mean of -log p~ - log det L) of the best x = mean + outer (m + L z)."""
    from scipy.optimize import minimize

    dim = len(mean)
    below = np.tril_indices(dim, -1)

    def unpacked(theta):
        factor = np.diag(np.exp(np.clip(theta[dim : 2 * dim], -BOUND, 2 * BOUND)))
        factor[below] = theta[2 * dim :]
        return theta[:dim], factor

    def minus_elbo(theta):
        m, factor = unpacked(theta)
        value, slope = target.avoiding(mean + (m + z @ factor.T) @ outer.T)
        slope = slope @ outer
        by_factor = slope.T @ z / len(z)
        by_diagonal = np.diag(by_factor) * np.diag(factor) + 1
        gradient = np.concatenate([slope.mean(axis=0), by_diagonal, by_factor[below]])
        loss = -value.mean() - np.log(np.diag(factor)).sum()
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(theta)
        return loss, -gradient

    first, options = np.zeros(2 * dim + len(below[0])), {"maxiter": STEPS, "ftol": 1e-12}
    with np.errstate(all="ignore"):
        found = minimize(minus_elbo, first, jac=True, method="L-BFGS-B", options=options)
    return unpacked(found.x), float(found.fun)


def _factor_of(rows: np.ndarray) -> np.ndarray:
    """The Cholesky factor of the covariance of rows; of few rows, their deviations alone."""
    n, dim = rows.shape
    scale = np.maximum(rows.std(axis=0), math.sqrt(np.finfo(float).tiny))
    share = min(1.0, 2 * dim / n)  # of no correlation: a few rows have wild ones
    correlation = (1 - share) * np.nan_to_num(np.cov((rows / scale).T, bias=True)).reshape(dim, dim)
    return scale[:, None] * np.linalg.cholesky(correlation + share * np.eye(dim))
