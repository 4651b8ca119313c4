"""`NormalScores`: the distribution function of heaped numbers, as a map from the whole line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

from ..bijectors.fixed_maps import FixedMap
from ..core.rows import as_counts
from .tail import log_hazard

if TYPE_CHECKING:
    from .kind import Kind

HEAPED = 3.0  # nats, in all, by which heaps have to explain the rows better
END, AT_END, LEAST = 0.05, 0.02, 10  # this part of the range, and the rows in it, show an end
STRENGTHS = 10.0 ** np.arange(-2, 5.5, 0.5)  # A
FAR = 1e-3  # of the mass beyond the rows is not next to them
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class NormalScores(FixedMap):
    """z = Phi^-1(G(y)), where G is a distribution function: if y follows G, z is standard normal.

        G rises between the knots y_0 < y_1 < ... < y_K, by mass_k from y_(k-1) to y_k
        log dz/dy = log G'(y) - log phi(z)

    It rises linearly. A first or last interval that is infinite has an exponential tail: G(y) =
    mass_1 exp(-(y_1 - y) / s), and likewise above, with s = y_(K-1) - y_1.
    Cost: a binary search per number in both directions. Errors: ValueError for knots that do not
    rise, and for masses that are not positive or whose sum is not 1.

    Parameters
    ----------
    knots : ndarray
        (2, K + 1): the knots, and the mass of the interval that ends at each, the first 0.

    References
    ----------
    Chen and Gopinath, "Gaussianization", 2000, section 3 (one coordinate).

    Examples
    --------
    >>> scores = NormalScores([[0, 1, 2], [0, 0.5, 0.5]])
    >>> scores.forward([[0.0], [0.6744897501960817]]).round(3)
    array([[1. ],
           [1.5]])
    """

    def __init__(self, knots):
        super().__init__(1)
        self.knots = np.asarray(knots, float)
        if self.knots.ndim != 2 or len(self.knots) != 2 or self.knots.shape[1] < 3:
            raise ValueError(f"knots has shape {self.knots.shape}, not (2, K + 1) with K >= 2")
        y, mass = self.knots
        rises = (np.diff(y) > 0).all() and np.isfinite(y[1:-1]).all()
        if not rises or (np.isinf(y[[0, -1]]).any() and len(y) < 4):
            raise ValueError("knots do not rise, or only the first and the last are finite")
        if mass[0] != 0 or not (mass[1:] > 0).all() or abs(mass.sum() - 1) > 1e-9:
            raise ValueError("masses must be 0 first, then positive, and add up to 1")
        self._tail = (y[-2] - y[1]) or 1.0
        finite, above = np.isfinite(y), np.append(0, np.cumsum(mass[:0:-1]))
        self._below = _Half(y[finite], np.cumsum(mass)[finite], self._tail)
        self._above = _Half(-y[finite][::-1], above[finite[::-1]], self._tail)

    @property
    def _ends(self):
        return self.knots[0, 0], self.knots[0, -1]

    def _f_inverse(self, x):
        below, above = self._below(x), self._above(-x)
        return np.where(below < above, ndtri_exp(below), -ndtri_exp(above))

    def _f(self, z):
        return np.where(z < 0, self._below.inverse(log_ndtr(z)), -self._above.inverse(log_ndtr(-z)))

    def _log_slope(self, z):
        (knots, mass), s = self.knots, self._tail
        y = self._f(z)
        k = np.clip(np.searchsorted(knots, y, "right"), 1, len(knots) - 1)
        width = np.diff(knots)
        in_tail = np.isinf(width[k - 1])
        log_width = np.log(np.where(in_tail, s, width[k - 1]))
        log_phi = -0.5 * z * z - HALF_LOG_2PI - np.log(mass[k])
        log_slope = log_width + np.where(in_tail, log_hazard(np.abs(z)), log_phi)
        bend = np.where(in_tail, np.sign(z) / s, 0.0)
        return log_slope, bend * np.exp(log_slope) - z

    def __repr__(self):
        return f"NormalScores({self.knots.shape[1] - 1} intervals)"


class _Half(NamedTuple):
    """log G (or log (1 - G) of -y) from its lower end, where G is accurate: the finite knots, and G
    there."""

    knots: np.ndarray
    share: np.ndarray
    tail: float

    @np.errstate(divide="ignore", invalid="ignore")
    def __call__(self, y):
        below = np.log(self.share[0]) - (self.knots[0] - y) / self.tail
        return np.where(y < self.knots[0], below, np.log(np.interp(y, self.knots, self.share)))

    @np.errstate(divide="ignore", invalid="ignore")
    def inverse(self, log_p):
        below = self.knots[0] - self.tail * (np.log(self.share[0]) - log_p)
        inside = np.interp(np.exp(log_p), self.share, self.knots)
        return np.where(log_p < np.log(self.share[0]), below, inside)


def normal_scores(
    x: np.ndarray, kind: Kind, weight: np.ndarray | None = None
) -> NormalScores | None:
    """The map of a gridded column whose values x (n,), without NaN, are heaped or stop at once.

        P(cell) = (c + A S) / (n + A)            c of n rows are in the cell

    S is the share of a smooth distribution through about 1.5 n^(1/3) quantiles, but at most half as
    many as there are values, because with more it would follow any heap. A makes each row as
    probable as possible given the others. If S alone is as good, values are not heaped, and S is
    the map of those that stop at once. Beyond the rows there is a mass of half of 1 / (n + 1), at
    each end where the support goes on: so no row has the probability 0. For weighted rows n is (sum
    w)^2 / sum w^2. None for any other column.
    """
    if not kind.is_gridded or len(x) < 2:
        return None
    weight = as_counts(weight, len(x))
    low, step = kind.low or 0.0, kind.step
    cell, which = np.unique(np.rint((x - low) / step), return_inverse=True)
    n, count = weight.sum(), np.bincount(which, weight)
    if len(cell) < 2:
        return None
    smooth = _smooth(cell, count)
    at = np.unique(np.concatenate([cell, cell + 1]))
    mass = share = np.maximum(np.diff(smooth(at)), 1e-300)
    seen = np.searchsorted(at, cell)
    A = _strength(share[seen], count, which, weight)
    if A is not None:
        mass = A * share
        mass[seen] += count
    elif kind.high is not None or not stops_at_once(cell, count):
        return None
    knots, mass = low + step * at, mass / mass.sum()
    beyond = 0.5 / (n + 1) * np.array([kind.support[0] < knots[0], kind.support[1] > knots[-1]])
    mass *= 1 - beyond.sum()
    sides = zip((0, -1), kind.support, beyond, strict=True)
    below, above = (_beyond(knots, mass, *side) for side in sides)
    knots = np.concatenate([below[0], knots, above[0]])
    mass = np.concatenate([below[1], mass, above[1]])
    kept = np.append(mass > 0, True)
    return NormalScores([knots[kept], np.append(0.0, mass[mass > 0])])


def _beyond(knots, mass, side: int, end: float, beyond: float) -> tuple[list, list]:
    """(knots, masses) beyond the rows at one side, in order.

    On an infinite side nearly all is in an interval next to the rows: so draws beyond the rows stay
    near them, and far rows still have a density.
    """
    if np.isfinite(end):
        return [end], [beyond]
    width, widest = np.diff(knots)[side], END * (knots[-1] - knots[0])
    width = np.clip(width * beyond / mass[side], width, max(width, widest))
    near = knots[side] + np.sign(end) * width
    ends, masses = [end, near], [FAR * beyond, (1 - FAR) * beyond]
    return (ends, masses) if side == 0 else (ends[::-1], masses[::-1])


def _strength(share, count, which, weight) -> float | None:
    """A, from the shares S and the counts c of the cells that occur; None if there are no heaps."""
    A, S = STRENGTHS[:, None], share[which]
    others = np.maximum(count[which] - weight, 0) + A * S
    gain = np.log(others / (count.sum() - weight + A) / S) @ weight
    return None if gain.max() <= HEAPED else float(STRENGTHS[np.argmax(gain)])


def stops_at_once(value: np.ndarray, count: np.ndarray) -> bool:
    """Whether values, in order, do not thin out towards the first or the last.

    >>> stops_at_once(np.arange(100.0), np.full(100, 3.0))
    True
    """
    for away, own in ((value - value[0], count), (value[-1] - value[::-1], count[::-1])):
        near = away <= END * away[-1]
        next_to = ~near & (away <= 2 * END * away[-1])
        sudden = 2 * own[0] >= np.median(own[1:6]) and 2 * own[near].sum() >= own[next_to].sum()
        if sudden and own[near].sum() >= max(AT_END * count.sum(), LEAST):
            return True
    return False


def _smooth(cell: np.ndarray, count: np.ndarray):
    """A distribution function, through quantiles at levels that are even as normal scores."""
    from scipy.interpolate import PchipInterpolator

    n = count.sum()
    m = int(min(np.clip(1.5 * np.cbrt(n), 4, 64), max(len(cell) // 2, 2)))
    end = max(ndtri(1 - 5 / max(n, 20)), 0.5)
    share = np.cumsum(count) / n
    at = np.searchsorted(share, ndtr(np.linspace(-end, end, m)))
    at = np.unique(np.append(at, len(cell) - 1))
    return PchipInterpolator(np.append(cell[0], cell[at] + 1), np.append(0.0, share[at]))
