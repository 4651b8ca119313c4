"""`Filled`: the density of the numbers that a row has, and noise in place of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import imported

if TYPE_CHECKING:
    from .coordinates import Coordinates

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class Filled:
    """A density of all D numbers z, for those who need all: proposals, `diagnose`.

        log q(z | c, a) = log q(z_a | c, a) + sum over a_i = 0 of log N(z_i; m_i, s_i^2)

    a_i is 1 for the numbers that a row has, the last D columns of the context, and q(z_a | c, a)
    the `density`. m and s are the `fillers` of the coordinates. The marginal of z_a is exact.
    """

    def __init__(self, density: Any, coordinates: Coordinates):
        self.density, self.coordinates = density, coordinates
        self.dim, self.context_dim = density.dim, density.context_dim

    def log_prob(self, x: np.ndarray, context: np.ndarray) -> np.ndarray:
        """log q of rows (n, D), (n,)."""
        centre, scale = self.coordinates.fillers
        noise = -0.5 * ((x - centre) / scale) ** 2 - HALF_LOG_2PI - np.log(scale)
        absent = context[:, -self.dim :] == 0
        return self.log_prob_of_present(x, context) + np.where(absent, noise, 0.0).sum(axis=1)

    def log_prob_of_present(self, x: np.ndarray, context: np.ndarray) -> np.ndarray:
        """log q(z_a | c, a), (n,)."""
        present = context[:, -self.dim :] != 0
        return self.density.log_prob(np.where(present, x, 0.0), context=context)

    def sample(self, n: int, rng: np.random.Generator, context: np.ndarray) -> np.ndarray:
        """n draws for each row of the context, (n, m, D)."""
        z = self.density.sample(n, rng=rng, context=context)
        z = np.where(context[:, -self.dim :] == 0, np.nan, z)
        return self.coordinates.filled(z, rng.random(z.shape))

    def uniforms(
        self, x: np.ndarray, rng: np.random.Generator, context: np.ndarray
    ) -> np.ndarray | None:
        """(n, D) numbers that are iid uniform if x are draws; see `diagnosis.uniforms`."""
        absent, (centre, scale) = context[:, -self.dim :] == 0, self.coordinates.fillers
        of = imported("flowcore.diagnosis.uniforms").uniforms
        u = of(self.density, np.where(absent, 0.0, x), rng, context)
        noise = imported("scipy.stats").norm.cdf(x, centre, scale)
        return u if u is None else np.where(absent, noise, u)
