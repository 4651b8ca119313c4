"""Numbers of a table as points of the whole line, where their density is defined, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from ..bijectors import Bijector, Blockwise, Chain
from ..discrete import LARGEST, OFF_GRID, Dequantize
from .soft_log import soft_log
from .tail import tail

if TYPE_CHECKING:
    from .kind import Kind
    from .normal_scores import NormalScores

FIRST = 32  # points of a cell, which suffice where the density hardly changes in it
POINTS = FIRST, 64  # of a cell of one gridded number, and of several: powers of 2
WIDE = 1.0  # standard normal units: in cells that `NormalScores` map to more, u is not even
DF, LOG_T = 3.0, np.log(2 / (np.pi * np.sqrt(3)))  # of the Student t there: df, log t(0)
FARTHEST = 1e150  # of fillers: squares of them do not overflow


class Coordinates:
    """D numbers x of a row, each of a kind, mapped to z on the whole line.

        log p(x) = log 1/M sum_m q(z(x, u_m)) w(x, u_m)

    u in the unit cube stands for a place in the cells of x, and w has a factor for each number. A
    number without a grid: |dz/dx|. A gridded number: any point y = x + step u of the cell, with the
    factor step |dz/dy|. So p is a probability of the grid value. Columns that have heaps or stop at
    once are mapped by `NormalScores`, amounts by a `SoftLog` and a `Tail`. A number that is absent
    because there is an atom (x is NaN) has no factor, and z is NaN. The M = 32 points are fixed,
    the first of Sobol's sequence, or 64 if several numbers are gridded; M = 1 without grids.

    Parameters
    ----------
    kinds : sequence of Kind
        The kinds of the numbers, without atoms.
    fillers : ndarray or None
        (2, D): mean and standard deviation of the noise z in place of absent numbers, see `Filled`.
        None: 0 and 1.
    scores : sequence of Bijector or None
        The map of each number; None: that of its kind.
    n_points : int or None
        M, a power of 2. None: 32, or 64 if several numbers are gridded.
    """

    def __init__(self, kinds: Sequence[Kind], fillers=None, scores=None, n_points=None):
        self.kinds, self.dim = tuple(kinds), len(kinds)
        self.scores = (None,) * self.dim if scores is None else tuple(scores)
        fillers = np.tile([[0.0], [1.0]], self.dim) if fillers is None else fillers
        self.fillers = np.clip(fillers, -FARTHEST, FARTHEST)
        self.step = np.array([kind.step for kind in kinds])
        self.n_points = n_points or POINTS[int(np.count_nonzero(self.step) > 1)]
        self.line, self.noise = line(kinds, self.scores), noise(kinds)

    @np.errstate(over="ignore")
    def fitted(self, x: np.ndarray, u: np.ndarray, rows=slice(None), weight=None) -> Coordinates:
        """The same with scores and fillers of the rows x (n, D), NaN where none is there.

        rows, weight: the distinct rows, and the weight of each with its copies.
        """
        x, u = x[rows], u[rows]
        there = ~np.isnan(x)
        scores = [
            _map_of(kind, own[rows], None if weight is None else weight[rows])
            for own, rows, kind in zip(x.T, there.T, self.kinds, strict=True)
        ]
        z, fillers = Coordinates(self.kinds, scores=scores).to_line(x, u)[0], []
        for own in z.T:
            own = own[np.isfinite(own)] if np.isfinite(own).any() else np.zeros(1)
            fillers.append((own.mean(), own.std() or 1.0))
        return Coordinates(self.kinds, np.array(fillers).reshape(-1, 2).T, scores)

    def with_points(self, n: int) -> Coordinates:
        """The same with n points of a cell."""
        return Coordinates(self.kinds, self.fillers, self.scores, n)

    def outside(self, x: np.ndarray) -> np.ndarray:
        """(n, D): the numbers outside of their supports; an infinite one is."""
        inside = [kind.contains(own) for kind, own in zip(self.kinds, x.T, strict=True)]
        return ~np.isnan(x) & ~np.array(inside, bool).reshape(self.dim, len(x)).T

    def is_open(self, x: np.ndarray) -> np.ndarray:
        """(n,): whether u matters: a gridded number is present."""
        return (~np.isnan(x) & (self.step > 0)).any(axis=1)

    def points(self, n: int) -> np.ndarray:
        """u (n, D); n: `n_points`, or fewer."""
        u, gridded = np.full((n, self.dim), 0.5), self.step > 0
        if gridded.any():
            u[:, gridded] = _unit_cube(np.count_nonzero(gridded), n)
        return u

    def to_line(self, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(z (n, D), log w (n,)) of rows x, inside of their supports, and u, of the same shape.

        z is NaN, and log w has no factor, where x is NaN.
        """
        gone = np.isnan(x)
        y = x
        if self.noise is not None:
            y = self.noise.points(np.where(gone, self.noise.low, x), u)
        y = np.where(gone, self._zero, y)
        z, log_w = (y, np.zeros(len(y))) if self.line is None else self.line.inverse_and_log_det(y)
        steps = np.log(self.step, where=self.step > 0, out=np.zeros(self.dim))
        log_w = log_w + np.where(gone, self._log_slope, steps).sum(axis=1)
        return np.where(gone, np.nan, z) if gone.any() else z, log_w

    def in_cells(self, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(z (m, n, D), log w (m, n)) of rows x (n, D), each at the points u (m, D).

        As `to_line` of all pairs, except in wide cells; but each number is mapped once, in however
        many rows it is.
        """
        z, log_w = np.empty((len(u), *x.shape)), np.zeros((len(u), len(x)))
        for j, (kind, scores) in enumerate(zip(self.kinds, self.scores, strict=True)):
            own = Coordinates([kind], scores=[scores])  # no plans are kept for each number of rows
            at = u[: len(u) if self.step[j] else 1, j]
            number, place = np.unique(x[:, j], return_inverse=True)
            pairs = np.tile(number, len(at))[:, None], np.repeat(at, len(number))[:, None]
            mapped, own_w = own.to_line(*pairs)
            ends = np.tile(np.hstack(own.cells(number[:, None])), (len(at), 1))
            wide = np.ptp(ends, axis=1) >= (WIDE if scores else np.inf)
            if wide.any():
                found = _in_wide_cells(ends[wide].T, pairs[1][wide, 0], *self.fillers[:, j])
                mapped[wide, 0], own_w[wide] = found
            z[..., j] = mapped.reshape(len(at), -1)[:, place]
            log_w += own_w.reshape(len(at), -1)[:, place]
        return z, log_w

    def filled(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """z (n, D) with normal noise in place of NaN, its quantiles at u (n, D)."""
        from scipy.special import ndtri

        centre, scale = self.fillers
        return np.where(np.isnan(z), centre + scale * ndtri(np.clip(u, 1e-12, 1 - 1e-12)), z)

    def cells(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z (n, D) of both ends of the cells of gridded numbers; NaN of all others."""
        low, high = np.array([kind.support for kind in self.kinds]).reshape(-1, 2).T
        with np.errstate(all="ignore"):  # ends of a support are infinite
            y = np.stack([x, np.minimum(x + self.step, LARGEST)])
            y = np.clip(np.where(np.isnan(y) | (self.step == 0), self._zero, y), low, high)
            z = y if self.line is None else np.stack([self.line.inverse(own) for own in y])
        z = np.where(y == low, -np.inf, np.where(y == high, np.inf, z))
        z[:, np.isnan(x) | (self.step == 0)] = np.nan
        return z[0], z[1]

    def interval(self, j: int, low: float, high: float) -> np.ndarray:
        """z (2,) of the ends of the numbers from low to high of column j, whole cells on a grid.

        Equal ends, if no number of the column lies between.
        """
        kind, own = self.kinds[j], line([self.kinds[j]], [self.scores[j]])
        least, most = kind.support
        if kind.is_gridded:
            start = kind.low or 0.0
            low = start + kind.step * np.ceil((low - start) / kind.step - OFF_GRID)
            high = start + kind.step * (np.floor((high - start) / kind.step + OFF_GRID) + 1)
        low = max(low, least)
        ends = np.array([[low], [max(low, min(high, most))]])
        with np.errstate(all="ignore"):
            z = (ends if own is None else own.inverse(ends))[:, 0]
        return np.where(ends[:, 0] == least, -np.inf, np.where(ends[:, 0] == most, np.inf, z))

    @cached_property
    def _zero(self) -> np.ndarray:
        """y of z = 0: a placeholder for an absent number."""
        z = np.zeros((1, self.dim))
        return z[0] if self.line is None else self.line.forward(z)[0]

    @cached_property
    def _log_slope(self) -> np.ndarray:
        """log |dy/dz| of every coordinate at z = 0, which does not count where it is not there."""
        pairs, z = zip(self.kinds, self.scores, strict=True), np.zeros((1, 1))
        lines = [line([kind], [scores]) for kind, scores in pairs]
        return np.array([0.0 if own is None else own.forward_log_det(z)[0] for own in lines])

    def from_line(self, z: np.ndarray) -> np.ndarray:
        """x of z (n, D): without noise, and inside of the supports, as floats allow."""
        y = z if self.line is None else self.line.forward(z)
        x = y if self.noise is None else self.noise.quantize(y)
        return np.column_stack([k.restored(own) for k, own in zip(self.kinds, x.T, strict=True)])


def _map_of(kind: Kind, x: np.ndarray, weight: np.ndarray | None) -> Bijector | None:
    """The map of a column by its numbers; None: that of its kind."""
    if kind.name in ("continuous", "positive"):
        own = soft_log(x, weight) if kind.name == "continuous" else kind.line(1)
        end = own and tail(own.inverse(x[:, None])[:, 0], weight)
        return Chain([own, end]) if end else own
    from .normal_scores import normal_scores

    return normal_scores(x, kind, weight)


def _in_wide_cells(ends: np.ndarray, u: np.ndarray, centre: float, scale: float) -> tuple:
    """(z, log dz/du) of points u (n,) of cells with ends (2, n) on the line.

        T(z) = T(low) + u (T(high) - T(low))

    T is the distribution function of a Student t about the rows.
    """
    ends = (ends - centre) / scale
    sign = np.where(ends.sum(axis=0) > 0, -1.0, 1.0)  # the lower tail of T is accurate far out
    low, high = stdtr(DF, np.sort(sign * ends, axis=0))
    t = stdtrit(DF, low + u * (high - low))
    log_density = LOG_T - (DF + 1) / 2 * np.log1p(t * t / DF)
    return centre + sign * scale * t, np.log(scale * (high - low)) - log_density


def line(kinds: Sequence[Kind], scores: Sequence[NormalScores | None]) -> Bijector | None:
    """The map from the whole line to each kind's support; None if all are the identity."""
    if np.isinf([kind.support for kind in kinds]).all() and not any(scores):
        return None
    parts = []
    for (kind, own), run in groupby(zip(kinds, scores, strict=True)):
        n = len([*run])
        parts += [kind.line(n)] if own is None else [own] * n
    return Blockwise(parts, [part.dim for part in parts])


def noise(kinds: Sequence[Kind]) -> Dequantize | None:
    """The noise that spreads gridded numbers over their cells; None if there are none."""
    steps = np.array([kind.step for kind in kinds])
    lows = [(kind.low or 0.0) if kind.is_gridded else 0.0 for kind in kinds]
    return Dequantize(steps, np.array(lows)) if steps.any() else None


@cache
def _unit_cube(dim: int, n: int) -> np.ndarray:
    """(n, dim): the first points of Sobol's sequence, at the centres of their intervals.

    Of more points than FIRST, these alone are at the centres of theirs; the others are, as they
    come, at odd multiples of 1 / n.
    """
    from scipy.stats.qmc import Sobol  # half a second, which only open numbers cost

    first = min(n, FIRST)
    u = Sobol(dim, scramble=False).random(n)
    u[:first] += 0.5 / first
    return u
