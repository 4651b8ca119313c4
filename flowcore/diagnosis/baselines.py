"""What a density has to beat: a Gaussian, and a mixture of Gaussians.

Both have full covariance matrices. With a context they are fitted to rows (x, c), and judged by
p(x | c) = p(x, c) / p(c), which for a Gaussian is linear regression.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..distributions.full_covariance import (
    FullMixture,
    cholesky,
    expectation_maximization,
    first_shares,
    moments,
    shrunk,
)

SIZES = (1, 2, 3, 4, 5, 6, 8, 10)  # components that are tried, until two in a row are no better
MOST_ROWS = 10_000  # that they learn from: more hardly change them


def name_of(mixture: FullMixture) -> str:
    """As a sentence has it."""
    k = len(mixture.weights)
    return "a Gaussian" if k == 1 else f"a mixture of {k} Gaussians"


def conditional_log_prob(p: FullMixture, x: np.ndarray, context: np.ndarray | None) -> np.ndarray:
    """log p(x), or log p(x | c), of rows, (n,)."""
    if context is None:
        return p.log_prob(x)
    return p.log_prob(np.hstack([x, context])) - p.of_columns(x.shape[1]).log_prob(context)


def baselines(
    x: np.ndarray, context: np.ndarray | None, rng: np.random.Generator
) -> list[FullMixture]:
    """[a Gaussian, and the mixture of the best BIC, if it has two components or more]."""
    rows = x if context is None else np.hstack([x, context])
    if len(rows) > MOST_ROWS:
        rows = rows[rng.choice(len(rows), MOST_ROWS, replace=False)]
    mean, factor = _whitening(rows)
    white = np.linalg.solve(factor, (rows - mean).T).T
    gaussian = FullMixture(np.ones(1), np.zeros((1, rows.shape[1])), np.eye(rows.shape[1])[None])
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
    _, covariance = moments((rows - mean) / scale, _equal(rows))
    return mean, scale[:, None] * cholesky(shrunk(covariance, len(rows)))


def _equal(rows):
    return np.full(len(rows), 1 / len(rows))


def _bic(p: FullMixture, x: np.ndarray) -> float:
    """-2 log-likelihood + (free parameters) log n: the lower, the better."""
    k, dim = p.means.shape
    free = k - 1 + k * dim + k * dim * (dim + 1) / 2
    return -2 * p.log_prob(x).sum() + free * np.log(len(x))


def _em(x: np.ndarray, k: int, rng: np.random.Generator) -> FullMixture:
    """A mixture of k Gaussians of white rows; D imagined rows keep each from collapsing."""
    weight = _equal(x)
    return expectation_maximization(x, weight, first_shares(x, weight, k, rng), prior=1.0)[1]
