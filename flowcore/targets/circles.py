"""Blurred circles: `ring`, one of them, and `circles`, two concentric ones."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from numbers import Real

import numpy as np

from ..core import imported
from .base import Exact, gauss_legendre, set_positive


class BlurredCircles(Exact):
    """Circles around the origin, equally likely, blurred by a Gaussian of standard deviation s.

        x = R (cos t, sin t) + s n,    t ~ U(0, 2 pi), n ~ N(0, I), s = noise

    The integral over t is a modified Bessel function (DLMF 10.32.1); with r = |x|, and
    I0e(k) = exp(-k) I_0(k), which neither over- nor underflows,

        p(x) = mean over R of  exp(-(r - R)^2 / (2 s^2)) I0e(r R / s^2) / (2 pi s^2).

    `log_prob` has a relative error of 1e-14 (1 + |log p|), at any distance, and takes 0.2
    microseconds per row. A subclass has the field `noise`, perhaps others, and the property
    `radii`.
    """

    dim = 2
    noise: float

    @property
    @abstractmethod
    def radii(self) -> np.ndarray:
        """The R of all circles, (k,)."""

    def _draw(self, n, rng):
        t = rng.uniform(0.0, 2.0 * np.pi, n)
        radius = rng.choice(self.radii, (n, 1))
        circle = np.stack([np.cos(t), np.sin(t)], axis=-1)
        return radius * circle + self.noise * rng.standard_normal((n, 2))

    def _log_p(self, x):
        return self._log_p_at_radius(np.hypot(x[:, 0], x[:, 1]))

    def entropy(self) -> float:
        """H = -int p log p 2 pi r dr in nats, to 1e-10, by Gauss-Legendre panels as wide as s.

        Cost: about 1 ms, and 0.01 ms / s.
        """
        s = self.noise
        farthest = self.radii.max() + 10.0 * s
        r, weight = gauss_legendre(16, 0.0, farthest, s)
        with np.errstate(divide="ignore"):
            log_p = np.maximum(self._log_p_at_radius(r), -1e4)  # where p = 0, p log p is too
        return float(-np.sum(weight * 2.0 * np.pi * r * np.exp(log_p) * log_p))

    def std(self) -> np.ndarray:
        """sqrt(mean of R^2 / 2 + s^2) for both coordinates, (2,)."""
        return np.full(2, np.sqrt(np.mean(self.radii**2) / 2.0 + self.noise**2))

    def _log_p_at_radius(self, r: np.ndarray) -> np.ndarray:
        i0e, s = imported("scipy.special").i0e, self.noise
        log_each = [
            -(((r - radius) / s) ** 2) / 2.0 + np.log(i0e(r / s * (radius / s)))
            for radius in self.radii
        ]
        constant = np.log(2.0 * np.pi * len(log_each)) + 2.0 * np.log(s)
        return np.logaddexp.reduce(log_each) - constant


@dataclass(frozen=True)
class Circles(BlurredCircles):
    """The exact density of scikit-learn's `make_circles`, with random, not evenly spaced, angles.

    Two circles of radius 1 and `factor`, equally likely; see `BlurredCircles` for formulas.

    Parameters
    ----------
    noise : float
        Standard deviation of the Gaussian around the circles, > 0 (ValueError).
    factor : float
        Radius of the inner circle, 0 <= factor < 1 (ValueError); the outer radius is 1.

    References
    ----------
    sklearn.datasets.make_circles.

    Examples
    --------
    >>> target = circles()
    >>> target, target.radii
    (Circles(noise=0.05, factor=0.5), array([1. , 0.5]))
    >>> print(f"{target.entropy():.4f} nats, {target.prob([1.0, 0.0]):.4f} on the outer circle")
    0.6061 nats, 0.6351 on the outer circle
    """

    noise: float = 0.05
    factor: float = 0.5

    def __post_init__(self):
        set_positive(self, "noise", why=": circles without noise are curves, which have no density")
        if not (isinstance(self.factor, Real) and 0.0 <= self.factor < 1.0):
            raise ValueError(
                f"factor must be a number with 0 <= factor < 1, not {self.factor!r}: "
                "it is the radius of the inner circle, and the outer one's is 1"
            )
        object.__setattr__(self, "factor", float(self.factor))

    @property
    def radii(self) -> np.ndarray:
        """(1, factor)."""
        return np.array([1.0, self.factor])


circles = Circles


@dataclass(frozen=True)
class Ring(BlurredCircles):
    """One circle about the origin, blurred by a Gaussian: a little denser inside than outside.

    Near the circle p is proportional to exp(-(|x| - R)^2 / (2 s^2)) / sqrt(|x|) with the radius R
    and the noise s.

    See `BlurredCircles` for formulas. The blur is in the plane, so the density is also smooth at
    the origin. (The other usual ring, p proportional to exp(-(|x| - R)^2 / (2 s^2)), has a kink
    there; for s << R both rings agree.)

    Parameters
    ----------
    radius : float
        Radius of the circle, > 0 (ValueError).
    noise : float
        Standard deviation of the Gaussian, > 0 (ValueError).

    Examples
    --------
    >>> print(f"{ring(radius=2.0).entropy():.4f} nats")
    1.6468 nats
    """

    radius: float = 1.0
    noise: float = 0.1

    def __post_init__(self):
        set_positive(self, "radius")
        set_positive(self, "noise", why=": a ring without noise is a curve, which has no density")

    @property
    def radii(self) -> np.ndarray:
        """(radius,)."""
        return np.array([self.radius])


ring = Ring
