"""The simple densities of rows, which are standardised: Gaussians, their mixtures, Student tails.

They are candidates like any other, and baselines for flows. Those "of present" numbers are for rows
that lack some: the last D columns of the context are 1 for the numbers that a row has, else 0.
"""

from __future__ import annotations

from math import inf

import numpy as np
from scipy.linalg import lu

from ..bijectors import Clamped, LULinear, Standardize
from ..distributions import (
    ClampedBase,
    Distribution,
    GaussianMixture,
    Normal,
    StudentT,
    TransformedDistribution,
)
from ..mixtures import MultivariateNormalMixture, MultivariateTMixture
from ..mixtures.expectation_maximization import best_of_starts, moved, whitened
from .rows import MOST_ROWS, Sample, near

MANY_ROWS = 5_000  # of which one start of EM has to do
MOST_WORK = 3e7  # D^3 for each pattern of present numbers and component
DF, LIGHT_DF = 3.0, 30.0  # degrees of freedom of wide Student t densities; in columns with `light`
LEAST_DF = 10.0  # of mixtures of t densities, if a column is light


def gaussian(rows: Sample, rng=None, shrink: bool = True) -> TransformedDistribution:
    """The Gaussian x = A z + mean of full covariance A A^T. It has a latent space.

    shrink: see `whitened`. Distant values are moved nearer: else one of them would decide alone.
    """
    _, mean, factor = whitened(near(rows.x, rows.weight), rows.weight, shrink)
    scale = np.diagonal(factor)
    packed = np.tril(factor / scale, -1) + np.diag(scale)  # L below the diagonal, s on it
    linear = LULinear.from_lu(packed, bias=mean, log_scale_bound=None)
    return TransformedDistribution(Normal(len(mean)), linear)


def student(rows: Sample, rng=None, shrink: bool = True) -> TransformedDistribution:
    """Heavy tails on every side: wide, independent Student t densities of whitened columns.

        x = diag(s) R^(1/2) z + mean       s the standard deviations, R the correlations

    The root is the symmetric one, so the order of the columns does not matter (ZCA-cor: Kessy,
    Lewin and Strimmer, "Optimal whitening and decorrelation", 2018). It has blocks, of the columns
    with light tails and of the others, so that no heavy tail comes to a light one.
    """
    _, mean, factor = whitened(rows.x, rows.weight, shrink)
    scale = np.linalg.norm(factor, axis=1, keepdims=True)
    light, root = np.broadcast_to(rows.light, len(mean)), np.zeros_like(factor)
    for block in filter(np.any, (light, ~light)):
        u, square, _ = np.linalg.svd((factor / scale)[block], full_matrices=False)
        root[np.ix_(block, block)] = u * square @ u.T
    order, lower, upper = lu(scale * root, p_indices=True)
    linear = LULinear.from_lu(np.tril(lower, -1) + upper, order, mean, log_scale_bound=None)
    return TransformedDistribution(_net(rows), linear)


def mixture(
    rows: Sample, rng: np.random.Generator, n_components: int, df: float = inf, prior: float = 0.3
) -> MultivariateNormalMixture | MultivariateTMixture:
    """The mixture of full matrices that EM finds, the best of some starts: of Gaussians, or of t
    densities with df degrees of freedom.

    Clusters far apart need a weaker prior. If a column has light tails, df is 10 or more.
    """
    df = max(df, LEAST_DF) if np.any(rows.light) else df
    if len(rows) > MOST_ROWS:
        rows = rows.take(rng.choice(len(rows), MOST_ROWS, replace=False))
    x, weight = rows.x, rows.weight
    white, mean, factor = whitened(x, weight, shrink=False, more=1e-6)
    starts = [x, x, white] if len(x) < MANY_ROWS else [x]  # whitened, clusters may come together
    _, components = best_of_starts(white, weight, starts, n_components, rng, prior, df)
    components = moved(components, mean, factor)
    return (
        MultivariateNormalMixture(*components)
        if df == inf
        else MultivariateTMixture(*components, df)
    )


def modes(
    rows: Sample, rng: np.random.Generator, n_components: int, clamped: bool = False
) -> GaussianMixture:
    """The same with diagonal covariances, as the base of a flow, which learns the rest.

    clamped: of the numbers that are present.
    """
    fitted = mixture_of_present(rows, rng, n_components) if clamped else None
    fitted = mixture(rows, rng, n_components) if fitted is None else fitted
    scales = np.sqrt((fitted.scale_tril**2).sum(axis=2))
    return GaussianMixture(fitted.means, scales, fitted.weights)


def present_numbers(rows: Sample) -> np.ndarray:
    """x (n, D), NaN where a row lacks the number."""
    return np.where(rows.context[:, -rows.x.shape[1] :] != 0, rows.x, np.nan)


def mixture_of_present(
    rows: Sample, rng: np.random.Generator, n_components: int = 1
) -> MultivariateNormalMixture | None:
    """The mixture that EM fits to the numbers that are present; None if a column hardly has any, or
    if too many patterns of them would cost minutes."""
    x = present_numbers(rows)
    known = np.isfinite(x).any(axis=1)
    x, weight = x[known], rows.weight[known]
    if len(np.unique(np.isnan(x), axis=0)) * n_components * x.shape[1] ** 3 > MOST_WORK:
        return None
    if not (len(x) and np.ma.filled(np.ma.ptp(np.ma.masked_invalid(x), axis=0), 0.0).all()):
        return None
    return MultivariateNormalMixture.from_data(x, n_components, weight, rng, missing="learn")


def gaussian_of_present(rows: Sample, rng: np.random.Generator) -> Distribution:
    """The Gaussian's marginal of the numbers that are present, whatever the context is."""
    fit = mixture_of_present(rows, rng)
    return student_of_present(rows) if fit is None else ClampedBase(fit, rows.context.shape[1])


def student_of_present(rows: Sample, rng=None) -> TransformedDistribution:
    """Independent Student t densities, wide ones, of the numbers that are present."""
    x, context_dim = np.ma.masked_invalid(present_numbers(rows)), rows.context.shape[1]
    mean = np.ma.average(x, axis=0, weights=rows.weight).filled(0.0)
    scale = np.sqrt(np.ma.average((x - mean) ** 2, axis=0, weights=rows.weight)).filled(1.0)
    scale = Standardize(len(mean)).with_moments(mean, np.where(scale > 0, scale, 1.0))
    return TransformedDistribution(
        ClampedBase(_net(rows), context_dim), Clamped(scale, context_dim)
    )


def _net(rows: Sample) -> StudentT:
    return StudentT(rows.x.shape[1], df=np.where(rows.light, LIGHT_DF, DF))
