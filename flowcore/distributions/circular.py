"""Densities of angles, in radians, and the product of densities of blocks of coordinates."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from ..core import imported
from ..core.inputs import as_numbers, check_dim, constant, sample_gate
from .distribution import BaseDistribution, Distribution

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Base, Bound, Seed, Workspace


class UniformCircle(BaseDistribution):
    """Independent uniform angles: log p(z) = -D log(2 pi), periodic, at every z.

    Samples are in [-pi, pi). Unlike `Uniform`, no angle is outside of its support.

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> UniformCircle(1).log_prob([[0.0], [100.0]]).round(4)
    array([-1.8379, -1.8379])
    """

    def __init__(self, dim: int):
        self.dim = check_dim("dim", dim)

    def _draw(self, n, rng):
        return rng.uniform(-pi, pi, (n, self.dim))

    def entropy(self) -> float:
        """H = D log 2 pi, in nats; angles have no mean."""
        return self.dim * log(2 * pi)

    def bind(self, at: Workspace) -> Bound:
        log_volume, nothing = at.number(self.dim * log(2 * pi)), at.zeros(self.dim, at.n_rows)

        def run(z, l):  # a NaN stays one
            np.subtract(l, log_volume + 0 * np.asarray(z, at.dtype).sum(axis=0), l)

        return run, lambda l_bar: nothing


class VonMises(BaseDistribution):
    """Independent von Mises angles: the counterpart of the normal density on a circle.

        log p(z) = sum_i [k_i cos(z_i - loc_i) - log(2 pi I_0(k_i))]

    The density is periodic; samples are in [-pi, pi). Errors: ValueError for a concentration that
    is not positive.

    Parameters
    ----------
    loc : array_like
        (D,), the means, in radians.
    concentration : array_like
        k > 0: a number, or (D,). A large k is nearly a normal density of variance 1 / k.

    Examples
    --------
    >>> VonMises([0.0], 2.0).log_prob([[0.0], [2 * np.pi]]).round(4)
    array([-0.6619, -0.6619])
    """

    def __init__(self, loc: ArrayLike, concentration: ArrayLike = 1.0):
        loc = as_numbers("loc", loc)
        if loc.ndim != 1 or loc.size == 0:
            raise ValueError(f"loc must be a vector of length D, not of shape {loc.shape}")
        self.loc, self.dim = constant("loc", loc), loc.size
        k = constant("concentration", concentration, self.dim, positive=True)
        self.concentration = np.broadcast_to(k, (self.dim,))

    @property
    def _log_norm(self) -> np.ndarray:
        k = self.concentration
        return np.log(2 * pi * imported("scipy.special").i0e(k)) + k

    def _draw(self, n, rng):
        return rng.vonmises(self.loc, self.concentration, (n, self.dim))

    def entropy(self) -> float:
        """H = sum_i [log(2 pi I_0(k_i)) - k_i I_1(k_i) / I_0(k_i)], in nats."""
        k, special = self.concentration, imported("scipy.special")
        return float(np.sum(self._log_norm - k * special.i1e(k) / special.i0e(k)))

    def bind(self, at: Workspace) -> Bound:
        loc, k = (a.astype(at.dtype)[:, None] for a in (self.loc, self.concentration))
        log_norm, u = at.number(self._log_norm.sum()), None

        def run(z, l):
            nonlocal u
            u = np.asarray(z, at.dtype) - loc
            np.add(l, (k * np.cos(u)).sum(axis=0) - log_norm, l)

        return run, lambda l_bar: -k * np.sin(u) * l_bar

    def __repr__(self):
        return f"VonMises(loc={self.loc.tolist()}, concentration={self.concentration.tolist()})"


class Product(Distribution):
    """Independent blocks of coordinates: p(z) = p_1(z_1) ... p_K(z_K), z = (z_1, ..., z_K).

    `params` has the parameters of the blocks. Errors: ValueError for no block, or a block with a
    context.

    Parameters
    ----------
    densities : list
        p_1, ..., p_K: bases of flowcore.

    Examples
    --------
    >>> from flowcore import Normal
    >>> Product([Normal(2), UniformCircle(1)]).sample(4, rng=0).shape
    (4, 3)
    """

    def __init__(self, densities: list):
        self.parts = tuple(densities)
        if not self.parts or not all(isinstance(part, Distribution) for part in self.parts):
            raise ValueError(f"Product takes a list of densities, at least one: {densities!r:.120}")
        if any(part.context_dim for part in self.parts):
            raise ValueError("Product takes densities without a context")
        self.dim = sum(part.dim for part in self.parts)

    @property
    def densities(self) -> list[Base]:
        """p_1, ..., p_K."""
        return list(self.parts)

    def sample(self, n: int | tuple[int, ...] = 1, rng: Seed = None) -> np.ndarray:
        """Independent draws of shape (n, D), or (*n, D)."""
        n_rows, _, lead = sample_gate(self, n)
        rng = np.random.default_rng(rng)
        draws = [part.sample(n_rows, rng) for part in self.parts]
        return np.concatenate(draws, axis=1).reshape((*lead, self.dim))

    def bind(self, at: Workspace) -> Bound:
        ends = np.cumsum([part.dim for part in self.parts]).tolist()
        blocks = [slice(end - part.dim, end) for end, part in zip(ends, self.parts, strict=True)]
        bound = [(block, *part.bind(at)) for block, part in zip(blocks, self.parts, strict=True)]
        z_bar = at.array("product", self.dim, at.n_rows)

        def run(z, l):
            for block, log_prob, _ in bound:
                log_prob(z[block], l)

        def back(l_bar):
            for block, _, log_prob_back in bound:
                z_bar[block] = log_prob_back(l_bar)
            return z_bar

        return run, back

    def __repr__(self):
        return f"Product({list(self.parts)})"
