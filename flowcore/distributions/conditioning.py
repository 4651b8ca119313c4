"""A density whose context is standardised in every part that reads it."""

from __future__ import annotations

from ..bijectors import StandardizeContext
from ..bijectors.linear import Standardization
from .clamped import ClampedBase
from .distribution import Distribution
from .mixture import Mixture
from .transformed import TransformedDistribution


def with_standardized_context(density: Distribution, standardize: Standardization) -> Distribution:
    """q(x | (c - mean) / scale), or with a Whiten q(x | L^-1 (c - mean)), for a density q: it takes
    contexts in their own units.

    Every bijector that reads the context is put into a `StandardizeContext`, also in the parts of a
    mixture and in bases. A density without a context is returned unchanged, and so is a
    `ClampedBase`: the columns that mark present numbers have the mean 0 and the scale 1, also in L.
    Errors: ValueError for a user's own density that reads the context.
    """
    if not getattr(density, "context_dim", 0) or isinstance(density, ClampedBase):
        return density
    if isinstance(density, Mixture):
        parts = [with_standardized_context(part, standardize) for part in density.densities]
        return Mixture(parts, density.weights)
    if not isinstance(density, TransformedDistribution):
        raise ValueError(f"{density!r} reads a context: standardise it in there")
    bijector = density.bijector
    if bijector.context_dim:
        bijector = StandardizeContext(bijector, standardize)
    return TransformedDistribution(with_standardized_context(density.base, standardize), bijector)
