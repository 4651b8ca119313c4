"""The proposal for importance weights: a mixture of t densities, fitted to draws of the density.

It has exact conditionals, and heavier tails than most densities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BLAS
from ..mixtures import MultivariateTMixture

if TYPE_CHECKING:
    from ..core.typing import Seed

DRAWS, DF = 8000, 5.0  # of the density; degrees of freedom


def fitted_proposal(density: Any, rng: Seed = 0) -> MultivariateTMixture:
    """The mixture of t(5) densities that EM fits to 8,000 draws of the density."""
    draws = np.asarray(density.sample(DRAWS, np.random.default_rng(rng)), float)
    near = np.isfinite(draws).all(axis=1)
    with BLAS.single_threaded():
        return MultivariateTMixture.from_data(draws[near], rng=rng, df=DF)
