"""Targets of angles, in radians: a product of von Mises densities, and a correlated torus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..distributions import VonMises
from .base import Exact, set_positive


class Angles(Exact):
    """A target on [-pi, pi)^D; its log_prob is periodic."""

    def mean(self) -> np.ndarray:
        raise NotImplementedError("angles have no mean: it would depend on where the circle is cut")


@dataclass(frozen=True)
class VonMisesProduct(Angles):
    """Independent von Mises angles: log p(x) = sum_i [k_i cos(x_i - m_i) - log(2 pi I_0(k_i))].

    `log_prob` is exact. Errors: ValueError unless there are as many means as concentrations > 0.

    Parameters
    ----------
    means, concentrations : sequence of float
        m and k, (D,).

    Examples
    --------
    >>> target = von_mises_product()
    >>> print(f"{target.dim} angles, {target.entropy():.4f} nats")
    2 angles, 1.9420 nats
    """

    means: Sequence[float] = (3.0, -1.0)
    concentrations: Sequence[float] = (2.0, 5.0)

    def __post_init__(self):
        means, k = tuple(map(float, self.means)), tuple(map(float, self.concentrations))
        if len(means) != len(k) or not k or not all(0 < c < math.inf for c in k):
            raise ValueError(f"as many means as concentrations > 0: got {means} and {k}")
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "concentrations", k)

    @property
    def dim(self) -> int:
        """D."""
        return len(self.means)

    def _draw(self, n, rng):
        return self._angles.sample(n, rng)

    def _log_p(self, x):
        return self._angles.log_prob(x)

    def entropy(self) -> float:
        """H = sum_i [log(2 pi I_0(k_i)) - k_i I_1(k_i) / I_0(k_i)], in nats."""
        return self._angles.entropy()

    @property
    def _angles(self) -> VonMises:
        return VonMises(self.means, self.concentrations)


von_mises_product = VonMisesProduct


@dataclass(frozen=True)
class Torus(Angles):
    """Two correlated angles: log p(x) = k cos(x_1) + c cos(x_1 - 2 x_2) - log Z.

    x_1 is von Mises with concentration k. Given x_1, the angle 2 x_2 is von Mises around x_1, with
    concentration c. So x_2 has two modes, x_1/2 and x_1/2 + pi. The second mode crosses the seam of
    x_2, and the two modes change places at the seam of x_1. With u = x_1 - 2 x_2, Z = (2 pi)^2
    I_0(k) I_0(c), and the entropy has a closed form. `log_prob` is exact.

    Parameters
    ----------
    concentration, coupling : float
        k and c, > 0 (ValueError).

    Examples
    --------
    >>> print(f"{torus().entropy():.4f} nats")
    2.4362 nats
    """

    dim = 2
    concentration: float = 1.0
    coupling: float = 4.0

    def __post_init__(self):
        set_positive(self, "concentration", "coupling")

    def _draw(self, n, rng):
        x1, u = (rng.vonmises(0.0, k, n) for k in (self.concentration, self.coupling))
        x2 = (x1 - u) / 2 + np.pi * rng.integers(2, size=n)
        return np.stack([x1, (x2 + np.pi) % (2 * np.pi) - np.pi], axis=1)

    def _log_p(self, x):
        return self._angles.log_prob(np.stack([x[:, 0], x[:, 0] - 2 * x[:, 1]], axis=1))

    def entropy(self) -> float:
        """H = log Z - k I_1(k) / I_0(k) - c I_1(c) / I_0(c), in nats."""
        return self._angles.entropy()

    @property
    def _angles(self) -> VonMises:
        """The density of x_1 and u, which are independent."""
        return VonMises([0.0, 0.0], [self.concentration, self.coupling])


torus = Torus
