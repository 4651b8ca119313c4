"""The proposal for importance weights: a mixture of t densities, fitted to draws of the density.

It has exact conditionals, and heavier tails than most densities. It needs no rows, since it is
fitted to draws of the density itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BLAS
from ..distributions import MultivariateTMixture

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Seed

DRAWS, DF = 8000, 5.0  # of the density; degrees of freedom
MOST_DONORS = 200
NOISE = 1e-3  # of a context, whose columns may be constant, in standard deviations


def fitted_proposal(density: Any, rng: Seed = 0) -> MultivariateTMixture:
    """The mixture of t(5) densities that EM fits to 8,000 draws of the density."""
    draws = np.asarray(density.sample(DRAWS, np.random.default_rng(rng)), float)
    near = np.isfinite(draws).all(axis=1)
    with BLAS.single_threaded():
        return MultivariateTMixture.from_data(draws[near], rng=rng, df=DF)


def with_donors(
    proposal: MultivariateTMixture, donors: ArrayLike, rng: Seed = 0
) -> MultivariateTMixture:
    """Half of the proposal, half of kernels around M rows, at most 200 of them.

    Each kernel has the shape of the component that its row belongs to, shrunk by Silverman's
    h = (4 / (M (D + 2)))^(1/(D + 4)). So it helps if a density has features that a mixture lacks.
    """
    x = np.asarray(donors, float)
    x = np.random.default_rng(rng).permutation(x[np.isfinite(x).all(axis=1)])[:MOST_DONORS]
    m, dim = x.shape
    u = proposal.inverse_factors @ (x.T - proposal.means[..., None])  # (K, D, M)
    sizes = np.diagonal(proposal.scale_tril, axis1=1, axis2=2)
    far = (DF + dim) / 2 * np.log1p((u**2).sum(axis=1) / DF)
    who = np.argmin(far + (np.log(sizes).sum(axis=1) - np.log(proposal.weights))[:, None], axis=0)
    h = (4 / (m * (dim + 2))) ** (1 / (dim + 4))
    return MultivariateTMixture(
        np.vstack([proposal.means, x]),
        np.vstack([proposal.scale_tril, h * proposal.scale_tril[who]]),
        np.concatenate([proposal.weights, np.full(m, 1 / m)]),
        min(proposal.df, DF),
    )


class WithContext:
    """p(x | c) as a density of whole rows (c, x): a context is columns that are always known.

    `log_prob` is that of x given c. `sample` takes the contexts from `contexts` (n, C).
    """

    def __init__(self, density: Any, contexts: np.ndarray):
        self.density, self.contexts = density, contexts
        self.dim = contexts.shape[1] + density.dim

    def sample(self, n: int, rng: Seed = None) -> np.ndarray:
        """(n, C + D). The contexts have a little noise: a column may be constant."""
        rng = np.random.default_rng(rng)
        c = self.contexts[rng.integers(len(self.contexts), size=n)]
        x = self.density.sample((), rng, context=c)
        scale = np.maximum(self.contexts.std(axis=0), NOISE * (1 + np.abs(c).max(axis=0)))
        return np.hstack([c + NOISE * scale * rng.standard_normal(c.shape), x])

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """log p(x | c) of rows (n, C + D)."""
        width = self.contexts.shape[1]
        return self.density.log_prob(rows[:, width:], context=rows[:, :width])

    def draws(self, rows: np.ndarray, n: int, rng: Seed) -> np.ndarray:
        """n whole rows for each context, (m, n, C + D)."""
        c = np.repeat(rows[:, None, : self.contexts.shape[1]], n, axis=1)
        return np.concatenate([c, self.density.sample((), rng, context=c)], axis=2)
