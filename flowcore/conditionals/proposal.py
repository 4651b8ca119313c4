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
