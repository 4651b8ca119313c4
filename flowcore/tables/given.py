"""`Given`: a density that learned from standardised contexts, for contexts as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_context
from ..distributions import Distribution

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._typing import Array, Base, Context, Params, Seed, Threads


class Given(Distribution):
    """q(x | c) of a density that wants its context standardised, or does without one.

        log p(x | c) = log q(x | (c - loc) / scale)

    Parameters
    ----------
    density : Distribution
        q, with a context of C numbers, or without: then it is the same for every c.
    loc, scale : array_like
        (C,); scale is positive.

    Examples
    --------
    >>> from flowcore import Normal
    >>> given = Given(Normal(1), loc=[0.5], scale=[2.0])
    >>> given.context_dim, given.log_prob([[0.0]], context=[[1.0]]).round(4)
    (1, array([-0.9189]))
    """

    def __init__(self, density: Base, loc: ArrayLike, scale: ArrayLike):
        self.density, self.dim = density, density.dim
        loc, scale = np.array(as_numbers("loc", loc)), np.array(as_numbers("scale", scale))
        if loc.ndim != 1 or loc.shape != scale.shape or not (scale > 0).all():
            raise ValueError(
                f"loc and scale are (C,), scale positive: got shapes {loc.shape}, {scale.shape}"
            )
        own = getattr(density, "context_dim", 0)
        if own not in (0, len(loc)):
            raise ValueError(f"density has context_dim {own}, but loc has {len(loc)} numbers")
        loc.flags.writeable = scale.flags.writeable = False
        self.loc, self.scale, self.context_dim = loc, scale, len(loc)

    def log_prob(
        self, x: ArrayLike, params: Params = None, context: Context = None, threads: Threads = None
    ) -> Array:
        """log p(x | c), in nats; params are those of the density."""
        given = self.standardised(check_context(context, self.context_dim, self))
        if params is not None:
            given["params"] = params
        return self.density.log_prob(x, **given)

    def sample(self, n: int = 1, rng: Seed = None, context: Context = None) -> np.ndarray:
        """n draws for each row of the context (m, C): (n, m, D)."""
        context = check_context(context, self.context_dim, self)
        given = self.standardised(context)
        if given:
            return self.density.sample(n, rng=rng, **given)
        n, rows = int(n), len(context)
        return self.density.sample(n * rows, rng=rng).reshape((n, rows, self.dim))

    def standardised(self, context: np.ndarray) -> dict:
        """The context as an argument for the density; nothing, if it does without."""
        if not getattr(self.density, "context_dim", 0):
            return {}
        return {"context": (context - self.loc) / self.scale}

    def __repr__(self):
        return f"Given({self.density!r}, {len(self.loc)} numbers)"
