"""Two interleaved spirals, blurred by a Gaussian, with the density by quadrature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .base import CUT, Exact, bisect_rising, by_blocks, falling_integral, set_positive

LAST = 3.0 * np.pi  # the angle T at which both spirals end
SCAN = np.linspace(0.0, LAST, 97)  # where the slope of the energy is looked at first


@dataclass(frozen=True)
class TwoSpirals(Exact):
    """The two spirals of the FFJORD paper's code, of one and a half turns each.

    The FFJORD code also adds noise U(0, 1/6)^2 to every point, which moves the mean off the centre;
    this target does not. The spirals are Archimedean, half a turn apart, and blurred by a Gaussian
    of standard deviation s:

        x = c(t) + s n  or  -c(t) + s n,   each with probability 1/2,
        c(t) = t/3 (-cos t, sin t),   t = T sqrt(u),   u ~ U(0, 1),   T = 3 pi,   n ~ N(0, I)

    so t has the density 2 t / T^2, close to uniform along the curve. With a the density of +c,

        p(x) = a(x) / 2 + a(-x) / 2,
        a(x) = 1 / (pi s^2 T^2)  int_0^T t exp(-E(t)) dt,      E(t) = |x - c(t)|^2 / (2 s^2).

    The error of `log_prob` is below 1e-11 (1 + |log p|); it takes 30 microseconds a row.

    Parameters
    ----------
    noise : float
        s, the standard deviation of the Gaussian around the curves, > 0 (ValueError).

    References
    ----------
    The toy data of Grathwohl et al. 2019, FFJORD.

    Examples
    --------
    >>> spirals = two_spirals()
    >>> spirals
    TwoSpirals(noise=0.1)
    >>> x = spirals.sample(1000, rng=0)
    >>> print(f"{-spirals.log_prob(x).mean():.2f} +- 0.03 for {spirals.entropy():.2f} nats")
    2.57 +- 0.03 for 2.54 nats
    >>> on_the_curve, far_away = spirals.log_prob([[np.pi / 3, 0.0], [50.0, -80.0]])
    >>> print(f"{on_the_curve:.3f} {far_away:.0f}")
    -2.052 -422157
    """

    noise: float = 0.1

    dim, block = 2, 256

    def __post_init__(self):
        set_positive(self, "noise", why=": spirals without noise are curves, which have no density")

    def _draw(self, n, rng):
        sign = rng.choice([-1.0, 1.0], (n, 1))
        curve = _curve(LAST * np.sqrt(rng.random(n)))
        return sign * curve + self.noise * rng.standard_normal((n, 2))

    def entropy(self) -> float:
        """H = -E log p in nats, to 1e-6, by the trapezoid rule in the plane.

        It converges faster than any power of its step s/2; points farther than 7 s from the curves
        hold nothing, and are left out. Cost: about 0.05 / s seconds.
        """
        from scipy.spatial import cKDTree

        s, step = self.noise, self.noise / 2.0
        near = 7.0 * s
        t = LAST * np.sqrt(np.linspace(0.0, 1.0, math.ceil(40 + 40 / s)))
        tree = cKDTree(np.concatenate([_curve(t), -_curve(t)]))
        reach = math.ceil((np.pi + near) / step)
        total = 0.0
        for i in range(reach + 1):  # line by line, in the upper half only: p(-x) = p(x)
            line = np.stack([np.arange(-reach, reach + 1), np.full(2 * reach + 1, i)], -1) * step
            x = line[tree.query(line, distance_upper_bound=near + s)[0] < np.inf]
            log_p = by_blocks(self._log_p, x, 256)
            total += (2.0 if i else 1.0) * np.sum(np.exp(log_p) * log_p)
        return float(-total * step**2)

    def std(self) -> np.ndarray:
        """sqrt((T^2 + 3) / 36 + s^2), sqrt((T^2 - 3) / 36 + s^2), (2,).

        From int_0^T t^3 cos(2 t) dt = 3/4 T^2 for T = 3 pi.
        """
        return np.sqrt((LAST**2 + np.array([3.0, -3.0])) / 36.0 + self.noise**2)

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        log_a = self._log_a(np.concatenate([x, -x]))
        return np.logaddexp(log_a[: len(x)], log_a[len(x) :]) - np.log(2.0)

    def _log_a(self, x: np.ndarray) -> np.ndarray:
        """log a(x) of rows (n, 2), (n,). Symbols as in the class.

        For x = r (cos w, sin w),

            2 s^2 E(t)     = r^2 + t^2 / 9 + 2/3 r t cos(t + w)
            9 s^2 dE/dt    = t + 3 r (cos(t + w) - t sin(t + w)).

        The zeros of dE/dt cut [0, T] into pieces on which exp(-E) only falls from one end to the
        other. Each is an easy integral, for any small s and any distant x (`falling_integral`).
        """
        s = self.noise
        row, low, way, length = _falling_pieces(x)
        energy = np.sum(((x[row] - _curve(low)) / s) ** 2, axis=-1) / 2.0
        lowest = np.minimum.reduceat(energy, np.searchsorted(row, np.arange(len(x))))
        keep = energy - lowest[row] < CUT + 6.0  # the rest adds less than 1e-16 of the whole
        row, low, way, length, energy = (a[keep] for a in (row, low, way, length, energy))
        r, w = np.hypot(x[row, 0], x[row, 1])[:, None], np.arctan2(x[row, 1], x[row, 0])[:, None]
        low, way = low[:, None], way[:, None]
        integral = falling_integral(
            lambda h: _energy_difference(low, way * h, r, w) / (2.0 * s) / s,
            length,
            weight=lambda h: low + way * h,
        )
        parts = np.exp(lowest[row] - energy) * integral
        total = np.bincount(row, parts, minlength=len(x))
        return np.log(total) - lowest - np.log(np.pi) - 2.0 * np.log(s * LAST)


two_spirals = TwoSpirals


def _curve(t: np.ndarray) -> np.ndarray:
    """c(t), (..., 2)."""
    return (t / 3.0)[..., None] * np.stack([-np.cos(t), np.sin(t)], axis=-1)


def _slope(t, r, w):
    """9 s^2 dE/dt."""
    return t + 3.0 * r * (np.cos(t + w) - t * np.sin(t + w))


def _energy_difference(t, k, r, w):
    """2 s^2 (E(t + k) - E(t)), without the cancellation of the two.

    From cos(b + k) - cos(b) = -2 sin(b + k/2) sin(k/2).
    """
    turned = k * np.cos(t + k + w) - 2.0 * t * np.sin(t + w + k / 2.0) * np.sin(k / 2.0)
    return (2.0 * t + k) * k / 9.0 + 2.0 / 3.0 * r * turned


def _falling_pieces(x: np.ndarray):
    """(row, low, way, length) of all pieces of [0, T] on which E is monotone, ordered by row.

    From `low`, E rises for `length` in the direction `way` (1 or -1). A minimum and a maximum
    between two neighbours of SCAN are overlooked: the distance hardly changes between them.
    """
    r, w = np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])
    falls = _slope(SCAN, r[:, None], w[:, None]) < 0.0
    row, k = np.nonzero(falls[:, 1:] != falls[:, :-1])
    sign = np.where(falls[row, k], 1.0, -1.0)
    zero = bisect_rising(lambda t: sign * _slope(t, r[row], w[row]), SCAN[k], SCAN[k + 1], 30)

    every = np.arange(len(x))
    row = np.concatenate([every, row, every])
    t = np.concatenate([np.zeros(len(x)), zero, np.full(len(x), LAST)])
    order = np.lexsort((t, row))
    row, t = row[order], t[order]
    piece = np.flatnonzero((row[1:] == row[:-1]) & (t[1:] > t[:-1]))
    row, start, length = row[piece], t[piece], t[piece + 1] - t[piece]
    rises = _energy_difference(start, length, r[row], w[row]) >= 0.0
    return row, np.where(rises, start, start + length), np.where(rises, 1.0, -1.0), length
