"""Targets of separate pieces: `checkerboard` and `eight_gaussians`, as in the FFJORD code."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .base import Exact, normal_grid


@dataclass(frozen=True)
class Checkerboard(Exact):
    """The checkerboard of the FFJORD paper's code: a uniform density on 8 of 16 squares.

    The 8 squares are every other one of the 4 x 4 squares of side 2 in [-4, 4)^2:

        p(x) = 1/32  if -4 <= x1, x2 < 4 and floor(x1 / 2) + floor(x2 / 2) is even, else 0

    `log_prob` is exact, and takes 0.1 microseconds a row.

    References
    ----------
    The toy data of Grathwohl et al. 2019, FFJORD.

    Examples
    --------
    >>> print(f"{checkerboard().entropy():.4f}")
    3.4657
    >>> checkerboard().log_prob([[1.0, 1.0], [1.0, -1.0]]).round(4)
    array([-3.4657,    -inf])
    """

    dim = 2

    def _draw(self, n, rng):
        column = rng.integers(-2, 2, n)
        row = 2 * rng.integers(-1, 1, n) + column % 2
        return 2.0 * (np.stack([column, row], axis=-1) + rng.random((n, 2)))

    def entropy(self) -> float:
        """H = log 32 nats, exactly."""
        return math.log(32.0)

    def std(self) -> np.ndarray:
        """4 / sqrt(3) for both coordinates, (2,): each alone is uniform on [-4, 4)."""
        return np.full(2, 4.0 / math.sqrt(3.0))

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        on_board = ((x >= -4.0) & (x < 4.0)).all(axis=-1)
        filled = np.floor(x / 2.0).sum(axis=-1) % 2 == 0
        return np.where(on_board & filled, -math.log(32.0), -np.inf)


checkerboard = Checkerboard


SHRINK = 1.414  # the source's rounded square root of 2, by which it divides everything


@dataclass(frozen=True)
class EightGaussians(Exact):
    """Eight Gaussians on a circle, as in the FFJORD paper's code and in many papers on GANs.

    The Gaussians are equal and round, at evenly spaced angles, starting at 0:

        p(x) = 1/8 sum over k of  N(x; R (cos(k pi/4), sin(k pi/4)), s^2 I)
        R = 4 / 1.414,   s = 0.5 / 1.414

    `log_prob` is exact to rounding, and takes 0.3 microseconds a row.

    References
    ----------
    The toy data of Grathwohl et al. 2019, FFJORD.

    Examples
    --------
    >>> target = eight_gaussians()
    >>> print(f"{target.entropy():.4f} nats, radius {target.radius:.3f}, sd {target.noise:.4f}")
    2.8319 nats, radius 2.829, sd 0.3536
    >>> print(target.log_prob([[4 / 1.414, 0.0]]).round(4))
    [-1.8382]
    """

    dim = 2
    radius = 4.0 / SHRINK
    noise = 0.5 / SHRINK

    @property
    def centres(self) -> np.ndarray:
        """The means of all Gaussians, (8, 2)."""
        angle = np.arange(8) * (np.pi / 4.0)
        return self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def _draw(self, n, rng):
        centre = self.centres[rng.integers(8, size=n)]
        return centre + self.noise * rng.standard_normal((n, 2))

    def entropy(self) -> float:
        """H = -E log p in nats, to 1e-10, by the trapezoid rule around one centre: all are alike.

        Cost: about 2 ms.
        """
        n, weight = normal_grid(0.2)
        return float(-np.sum(weight * self._log_p(self.centres[0] + self.noise * n)))

    def std(self) -> np.ndarray:
        """sqrt(R^2 / 2 + s^2) for both coordinates, (2,)."""
        return np.full(2, math.sqrt(self.radius**2 / 2.0 + self.noise**2))

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        square = np.sum(((x[:, None] - self.centres) / self.noise) ** 2, axis=-1)
        log_sum = np.logaddexp.reduce(-0.5 * square, axis=-1)
        return log_sum - math.log(8.0 * 2.0 * np.pi) - 2.0 * math.log(self.noise)


eight_gaussians = EightGaussians
