"""The pinwheel: Gaussian arms, twisted, with the exact density by change of variables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..core.inputs import check_dim
from .base import (
    Exact,
    bisect_rising,
    falling_integral,
    gauss_legendre,
    normal_grid,
    normal_line,
    set_positive,
)


@dataclass(frozen=True)
class Pinwheel(Exact):
    """The pinwheel of Johnson et al. 2016, at the size that the FFJORD paper's code gives it.

    Arms of Gaussian points, each point turned by an angle that grows with its f1:

        f = (1 + a n1, b n2),   n ~ N(0, I),   a = radial_std, b = tangential_std
        x = scale R(-theta) f,  theta = 2 pi k / arms + v,   v = rate exp(f1),   k uniform

    with R(angle) the rotation of the plane. Turning keeps the length, so x / scale has the polar
    coordinates r = |f| and w, and its f must solve

        f1 = r cos(w + 2 pi k / arms + v),     f2 = r sin(w + 2 pi k / arms + v).     (*)

    The first equation has one unknown, v (f1 = log(v / rate)). It may have several solutions, since
    the angle depends on f1, not on r: the map f -> x folds where 1 + v f2 = 0. The density is the
    sum over all of them:

        p(x) = sum over k and solutions f of  N(f; (1, 0), diag(a^2, b^2)) / |1 + v f2|
               / (arms scale^2),          det dx/df = scale^2 (1 + v f2).

    p is infinite on the folds. At the default parameters these curves are at least 5.9 standard
    deviations away from the centre of their arm.

    `log_prob` finds all solutions of (*) with f1 <= `far`, one by one. For larger f1, more than 9
    radial standard deviations out, the folds are so dense that it averages over the angle of x. The
    error is below 1e-8 (1 + |log p|) away from the folds. It takes 15 microseconds a row near the
    arms, ten times as much at |x| = scale `far`.

    Parameters
    ----------
    arms : int
        Number of arms, >= 3 (ValueError).
    radial_std, tangential_std : float
        Standard deviations of an arm, before the twist, along and across it.
    rate : float
        How much the arms are twisted; all four numbers > 0 (ValueError).
    scale : float
        Size of the whole (Johnson et al.: 10, FFJORD: 2).

    References
    ----------
    Johnson et al. 2016, Composing graphical models with neural networks (its code).

    Examples
    --------
    >>> target = pinwheel()
    >>> x = target.sample(1000, rng=0)
    >>> print(f"{-target.log_prob(x).mean():.2f} +- 0.03 for {target.entropy():.2f} nats")
    2.31 +- 0.03 for 2.32 nats
    >>> print(target.log_prob([[0.0, 0.0], [1.5, -1.2]]).round(4))
    [-5.2732 -1.3438]
    """

    arms: int = 5
    radial_std: float = 0.3
    tangential_std: float = 0.1
    rate: float = 0.25
    scale: float = 2.0

    dim, block = 2, 256

    def __post_init__(self):
        object.__setattr__(self, "arms", check_dim("arms", self.arms, 3))
        set_positive(self, "radial_std", "tangential_std", "rate", "scale")
        # 9 radial deviations out, the arms have turned by rate exp(1 + 9 radial_std), fold by fold
        for name, most in (("radial_std", 1.0), ("tangential_std", 10.0), ("rate", 100.0)):
            if getattr(self, name) > most:
                raise ValueError(
                    f"{name} must be at most {most}, not {getattr(self, name)}: beyond it the arms "
                    "are wound up so densely that their folds merge; to enlarge the figure, "
                    "use scale"
                )

    def _draw(self, n, rng):
        arm = rng.integers(self.arms, size=n)
        return self._twist(rng.standard_normal((n, 2)), arm)

    def _twist(self, noise: np.ndarray, arm) -> np.ndarray:
        """x of n (m, 2) and k."""
        f1, f2 = self._untwisted(noise)
        theta = 2.0 * np.pi / self.arms * arm + self.rate * np.exp(f1)
        c, s = np.cos(theta), np.sin(theta)
        return self.scale * np.stack([c * f1 + s * f2, c * f2 - s * f1], axis=-1)

    def _untwisted(self, noise: np.ndarray):
        """f1 and f2 of n (m, 2)."""
        return 1.0 + self.radial_std * noise[:, 0], self.tangential_std * noise[:, 1]

    @property
    def far(self) -> float:
        """The largest f1 that counts exactly: max(1 + 9 a, log(30 / rate))."""
        return max(1.0 + 9.0 * self.radial_std, math.log(30.0 / self.rate))

    def entropy(self, step: float = 0.15) -> float:
        """H = -E log p in nats, by the trapezoid rule in n: all arms are alike, one is enough.

        With q the term of p that n itself contributes, H = -E log q - E log(p / q). The first is
        singular where n lies on a fold, and is integrated in one dimension:

            -E log q = 1 + log(2 pi a b scale^2 arms) + E log |1 + v f2|

        The second is singular, weakly, where another arm's fold covers the arm: H is exact to 1e-8
        at the default parameters, to 1e-4 at rate = 2, and to about 5e-3 with tangential_std = 1;
        to 0.02 if most of the arm is covered (tangential_std = 3, radial_std = 0.5). A smaller
        `step` of the rule shows it. Cost: about 0.5 s (10 s if covered), like 1 / step^2.
        """
        noise, weight = normal_grid(step)
        noise, weight = noise[weight > 1e-17], weight[weight > 1e-17]
        f1, f2 = self._untwisted(noise)
        line, line_weight = normal_line(0.05)
        log_vb = math.log(self.rate * self.tangential_std) + 1.0 + self.radial_std * line
        # |1 + v f2| = v b |1 / (v b) + n2|, as f2 = b n2
        mean_log_det = line_weight @ (log_vb + _mean_log_distance(np.exp(-log_vb)))
        constant = self._log_constant + math.log(self.arms)
        log_det = np.log(np.abs(1.0 + self.rate * np.exp(f1) * f2))
        log_q = -0.5 * np.sum(noise**2, axis=-1) - log_det - constant
        log_p = self.log_prob(self._twist(noise, 0))
        others = weight @ np.maximum(log_p - log_q, 0.0)  # p >= q, but for rounding
        return float(1.0 + constant + mean_log_det - others)

    def std(self) -> np.ndarray:
        """scale sqrt((1 + a^2 + b^2) / 2) for both coordinates, (2,): E |x|^2 is not turned."""
        mean_square = 1.0 + self.radial_std**2 + self.tangential_std**2
        return np.full(2, self.scale * math.sqrt(mean_square / 2.0))

    @property
    def _log_constant(self) -> float:
        """log(2 pi a b scale^2), whose argument may be no float."""
        factors = 2.0 * math.pi, self.radial_std, self.tangential_std, self.scale, self.scale
        return sum(map(math.log, factors))

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        r, w = np.hypot(x[:, 0], x[:, 1]) / self.scale, np.arctan2(x[:, 1], x[:, 0])
        log_p, far = self._log_sum_over_solutions(r, w), r > self.far
        log_p[far] = np.logaddexp(log_p[far], self._log_mean_over_angles(r[far]))
        return log_p - self._log_constant

    def _log_sum_over_solutions(self, r: np.ndarray, w: np.ndarray) -> np.ndarray:
        """log (1 / arms) sum exp(-E(f)) / |1 + v f2| over all f with f1 <= far, (n,)."""
        turns = 2.0 * np.pi / self.arms * np.arange(self.arms)
        start = np.mod(w[:, None] + turns, 2.0 * np.pi).ravel()
        row = np.repeat(np.arange(len(r)), self.arms)
        found, f1 = _solutions(r[row], start, self.rate, self.far)
        row, start = row[found], start[found]
        v = self.rate * np.exp(f1)
        f2 = r[row] * np.sin(start + v)
        energy = (((f1 - 1.0) / self.radial_std) ** 2 + (f2 / self.tangential_std) ** 2) / 2.0
        tiny = np.finfo(float).tiny  # exactly on a fold p is infinite: a large number will do
        log_term = -energy - np.log(np.maximum(np.abs(1.0 + v * f2), tiny))
        largest = np.full(len(r), -np.inf)
        np.maximum.at(largest, row, log_term)
        total = np.bincount(row, np.exp(log_term - largest[row]), len(r))
        return np.log(total / self.arms) + largest

    def _log_mean_over_angles(self, r: np.ndarray) -> np.ndarray:
        """log (1 / pi) int exp(-E(r cos t, r sin t)) dt over 0 < t, r cos t > far: (n,), r > far.

        With c = cos t, 2 E = ((r c - 1) / a)^2 + (r / b)^2 (1 - c^2) is quadratic in c: it is
        monotone between 0, the end and the t of its vertex, if that lies between them.
        """
        a, b = self.radial_std, self.tangential_std
        square, linear = ((r / a) ** 2 - (r / b) ** 2) / 2.0, -r / a**2  # E = square c^2 + linear c
        end = np.arccos(self.far / r)
        vertex = np.nan_to_num(np.arccos(-linear / (2.0 * square)))  # NaN if there is none
        ends = np.stack([np.zeros_like(r), np.minimum(vertex, end), end])
        total = np.full(len(r), -np.inf)
        for start, end in pairwise(ends):

            def difference(t, h):  # E(t + h) - E(t)
                step = -2.0 * np.sin(t + h / 2.0) * np.sin(h / 2.0)
                middle = 2.0 * np.cos(t) + step
                return step * (square[:, None] * middle + linear[:, None])

            length = end - start
            rises = difference(start[:, None], length[:, None])[:, 0] >= 0.0
            low, way = np.where(rises, start, end)[:, None], np.where(rises, 1.0, -1.0)[:, None]
            integral = falling_integral(
                lambda h, low=low, way=way: difference(low, way * h), length
            )
            f1, f2 = r * np.cos(low[:, 0]), r * np.sin(low[:, 0])
            lowest = ((f1 - 1.0) / a) ** 2 / 2.0 + (f2 / b) ** 2 / 2.0
            total = np.logaddexp(total, np.log(integral) - lowest)
        return total - math.log(np.pi)


pinwheel = Pinwheel


def _mean_log_distance(c: np.ndarray) -> np.ndarray:
    """E log |c + n|, n ~ N(0, 1), of c > 0 (m,): to 1e-12."""
    n, weight = normal_line(0.05)
    far = np.maximum(c, 12.0)  # so far out, the logarithm is smooth wherever there is weight
    smooth = np.log(far) + np.log1p(n / far[:, None]) @ weight
    # nearer, u = |c + n| on the scale of t = log u, where it is smooth, too
    t, width = gauss_legendre(16, -40.0, math.log(24.0), 0.1)
    u, near = np.exp(t), np.minimum(c, 12.0)[:, None]
    density = np.exp(-0.5 * (u - near) ** 2) + np.exp(-0.5 * (u + near) ** 2)
    singular = density @ (width * t * u) / math.sqrt(2.0 * np.pi)
    return np.where(c > 12.0, smooth, singular)


def _solutions(r: np.ndarray, start: np.ndarray, rate: float, far: float):
    """(index, t): all t <= far with g(t) = t - r cos(start + v) = 0, where v = rate exp(t).

    r, start   (n,), with 0 <= start < 2 pi
    index      t[i] belongs to (r, start)[index[i]]

    The phase start + v is cut at the multiples of pi. Where the cosine falls, g rises. Where it
    rises, dg/dv = 1/v + r sin(start + v) is convex (the sine is negative there): it has at most
    two zeros, one on either side of its minimum, and g rises, falls and rises between them. So
    every piece is cut in three at `lowest` and around it, wherever that is if g only rises. On a
    monotone piece there is a solution if and only if the sign of g changes.
    """
    low, high = -r - 1e-6, np.minimum(r + 1e-6, far)  # |t| <= r, and an end may be a solution
    n_cuts = 1 + math.ceil(2.0 + rate * math.exp(high.max(initial=0.0)) / np.pi)
    with np.errstate(invalid="ignore", divide="ignore"):
        cut = np.log((np.arange(n_cuts + 1) * np.pi - start[:, None]) / rate)
    cut = np.clip(np.where(np.isnan(cut), -np.inf, cut), low[:, None], high[:, None])
    index, k = np.nonzero(cut[:, 1:] > cut[:, :-1])
    one, four = cut[index, k], cut[index, k + 1]
    r, start = r[index], start[index]

    def slope(t):  # v dg/dv
        v = rate * np.exp(t)
        return 1.0 + v * r * np.sin(start + v)

    def curvature(t):  # v^2 d^2g/dv^2
        v = rate * np.exp(t)
        return v * v * r * np.cos(start + v) - 1.0

    lowest = bisect_rising(curvature, one, four, 30)
    two = bisect_rising(lambda t: -slope(t), one, lowest, 30)
    three = bisect_rising(slope, lowest, four, 30)
    first, last = np.concatenate([one, two, three]), np.concatenate([two, three, four])
    index, r, start = np.tile(index, 3), np.tile(r, 3), np.tile(start, 3)

    def g(t):
        return t - r * np.cos(start + rate * np.exp(t))

    falls = g(first) >= 0.0
    changes = falls != (g(last) >= 0.0)
    index, r, start, first, last = (a[changes] for a in (index, r, start, first, last))
    sign = np.where(falls[changes], -1.0, 1.0)
    return index, bisect_rising(lambda t: sign * g(t), first, last)
