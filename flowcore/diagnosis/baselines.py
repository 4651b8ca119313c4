"""What a density has to beat: a Gaussian, and a mixture of Gaussians.

Both have full covariance matrices. With a context they are fitted to rows (x, c), and judged by
p(x | c) = p(x, c) / p(c), which for a Gaussian is linear regression.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import Standardize
from ..distributions import MultivariateNormalMixture
from ..distributions.normal_mixture import fitted

MOST_ROWS = 10_000  # that they learn from: more hardly change them


def name_of(mixture: MultivariateNormalMixture) -> str:
    """As a sentence has it."""
    k = mixture.n_components
    return "a Gaussian" if k == 1 else f"a mixture of {k} Gaussians"


def conditional_log_prob(
    p: MultivariateNormalMixture, x: np.ndarray, context: np.ndarray | None
) -> np.ndarray:
    """log p(x), or log p(x | c), of rows, (n,)."""
    if context is None:
        return p.log_prob(x)
    of_context = p.marginal(range(x.shape[1], p.dim))
    return p.log_prob(np.hstack([x, context])) - of_context.log_prob(context)


def baselines(
    x: np.ndarray, context: np.ndarray | None, rng: np.random.Generator
) -> list[MultivariateNormalMixture]:
    """[a Gaussian, and the mixture of the best BIC, if it has two components or more]."""
    rows = x if context is None else np.hstack([x, context])
    if len(rows) < 2:
        raise ValueError("X_train has one row: a Gaussian beside the density needs two at least")
    if len(rows) > MOST_ROWS:
        rows = rows[rng.choice(len(rows), MOST_ROWS, replace=False)]
    # a column may be constant, such as a category's: `from_data` would raise
    standardize = Standardize(rows.shape[1]).initialize_from_context(rows)
    weight = np.full(len(rows), 1 / len(rows))
    gaussian, best = (fitted(rows, weight, k, rng, standardize) for k in (1, "bic"))
    return [gaussian] if best.n_components == 1 else [gaussian, best]
