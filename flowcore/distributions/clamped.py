"""`ClampedBase`: a base density of the coordinates that a row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import check_dim, sample_gate
from .distribution import Distribution

if TYPE_CHECKING:
    from ..core.typing import Base, Bound, Context, Seed, Workspace


class ClampedBase(Distribution):
    """The marginal density p(z_a) of the coordinates that a row has: a_i = 1 if it has z_i.

        log p(z_a) = sum_i a_i log p_i(z_i)                  independent coordinates
        log p(z_a) = log sum_k w_k p_k(z_a)                  mixtures: marginals of the components

    The last D columns of the context are a. Absent coordinates are 0 in draws, and ignored in
    `log_prob`. Use it as the base of a `Clamped` bijector. Over a mixture of Gaussians, a
    ClampedBase is, by itself, a density of rows that lack some numbers. Cost: that of p; for full
    covariances also O(K D^3) for each different a. Errors: ValueError for a density not listed
    below.

    Parameters
    ----------
    base : Distribution
        p: Normal, StudentT, GaussianMixture, MultivariateNormalMixture or MultivariateTMixture.
    context_dim : int
        The width of the context, at least D; only the last D columns are read. None: D.

    Examples
    --------
    >>> from flowcore import Normal
    >>> ClampedBase(Normal(2)).log_prob([[0, 0], [0, 0]], context=[[1, 1], [0, 1]]).round(4)
    array([-1.8379, -0.9189])
    """

    def __init__(self, base: Base, context_dim: int | None = None):
        if not getattr(base, "clampable", False):
            raise ValueError(
                f"ClampedBase: {base!r:.200} cannot leave out coordinates: take Normal, StudentT, "
                "or a mixture of Gaussians"
            )
        self.parts, self.dim = (base,), base.dim
        context_dim = self.dim if context_dim is None else context_dim
        self.context_dim = check_dim("context_dim", context_dim, least=self.dim)

    @property
    def base(self) -> Base:
        """The density of rows that have all coordinates."""
        return self.parts[0]

    def sample(
        self, n: int | tuple[int, ...] = 1, rng: Seed = None, context: Context = None
    ) -> np.ndarray:
        """Draws of shape (n, *c.shape[:-1], D) for a context c; 0 where a coordinate is absent."""
        rows, context, lead = sample_gate(self, n, context)
        z = np.where(context[:, -self.dim :], self.base.sample(rows, rng), 0.0)
        return z.reshape((*lead, self.dim))

    def bind(self, at: Workspace) -> Bound:
        own = at.with_present(self.dim)
        inner, inner_back = self.base.bind(own)
        at.nbytes, present = own.nbytes, own.present

        def run(z, l):
            present[...] = at.context[-self.dim :]
            inner(np.where(present, z, 0), l)

        def back(l_bar):
            return inner_back(l_bar) * present

        return run, back

    def __repr__(self):
        return f"ClampedBase({self.base!r})"
