"""Numbers of a table as points of the whole line, where a density of them lives, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Bijector, Blockwise
from ..core import derived
from ..discrete import Dequantize

if TYPE_CHECKING:
    from .kind import Kind

POINTS = 32  # of a cell, a power of 2
TAIL = 10  # a draw may be as much farther out than the last row as that is than the tenth last
FARTHEST = 1e150  # of fillers: squares of them do not overflow
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class Coordinates:
    """D numbers x of a row, each of a kind, mapped to z on the whole line.

        log p(x) = log 1/M sum_m q(z(x, u_m)) w(x, u_m)

    w has the factor |dz/dx| of each number without a grid; u in the unit cube stands for what x
    leaves open. Gridded: any point y = x + step u of the cell,
    w has the factor step |dz/dy|. Not there, since an atom is (x is NaN): any z = F^-1(u) from the
    normal distribution r = N(centre, scale^2) that filled its place for training, w has the factor
    1 / r(z). So p is a probability of the grid value, and the marginal density without what is not
    there. M = 32 fixed points, the first of Sobol's sequence at the centres of their intervals, or
    M = 1 if nothing is open.

    Parameters
    ----------
    kinds : sequence of Kind
        Without atoms.
    optional : sequence of bool
        Which of them may not be there.
    fillers : ndarray or None
        (2, D): centre and scale. None: 0 and 1.
    reach : ndarray or None
        (2, D): z of draws lie between; None: anywhere.
    """

    def __init__(self, kinds: Sequence[Kind], optional: Sequence[bool], fillers=None, reach=None):
        self.kinds, self.optional, self.dim = tuple(kinds), tuple(optional), len(kinds)
        fillers = np.tile([[0.0], [1.0]], self.dim) if fillers is None else fillers
        self.fillers = np.clip(fillers, -FARTHEST, FARTHEST)
        self.reach = np.tile([[-np.inf], [np.inf]], self.dim) if reach is None else reach
        self.step = np.array([kind.step for kind in kinds])
        self.line, self.noise = line(kinds), noise(kinds)

    @np.errstate(over="ignore")
    def fitted(self, x: np.ndarray, u: np.ndarray) -> Coordinates:
        """The same with fillers and reach of the rows x (n, D), NaN where a number is not there."""
        z = np.where(np.isnan(x), np.nan, self.to_line(x, u)[0])
        fillers, reach = [], []
        for kind, y, own, optional in zip(self.kinds, x.T, z.T, self.optional, strict=True):
            own = own[np.isfinite(own)] if np.isfinite(own).any() else np.zeros(1)
            reach.append(_reach_of_grid(kind, y[~np.isnan(y)]) if kind.step else _reach(own))
            fillers.append((own.mean(), own.std() or 1.0) if optional else (0.0, 1.0))
        ends = (np.array(pairs).reshape(-1, 2).T for pairs in (fillers, reach))
        return Coordinates(self.kinds, self.optional, *ends)

    def outside(self, x: np.ndarray) -> np.ndarray:
        """(n, D): the numbers outside of their supports; an infinite one is."""
        inside = [kind.contains(own) for kind, own in zip(self.kinds, x.T, strict=True)]
        return ~np.isnan(x) & ~np.array(inside, bool).reshape(self.dim, len(x)).T

    def is_open(self, x: np.ndarray) -> np.ndarray:
        """(n,): whether u matters."""
        return np.isnan(x).any(axis=1) | bool(self.step.any())

    @derived
    def points(self) -> np.ndarray:
        """u (M, D)."""
        is_open = (self.step > 0) | np.array(self.optional, bool)
        u = np.full((POINTS, self.dim), 0.5)
        if is_open.any():
            u[:, is_open] = _unit_cube(np.count_nonzero(is_open))
        return u

    def to_line(self, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(z (n, D), log w (n,)) of rows x, inside of their supports, and u, of the same shape."""
        gone = np.isnan(x)
        y = x
        if self.noise is not None:
            y = self.noise.points(np.where(gone, self.noise.low, x), u)
        y = np.where(gone, self._zero, y)
        z, log_w = (y, np.zeros(len(y))) if self.line is None else self.line.inverse_and_log_det(y)
        steps = np.log(self.step, where=self.step > 0, out=np.zeros(self.dim))
        log_w = log_w + np.where(gone, self._log_slope, steps).sum(axis=1)
        if not gone.any():
            return z, log_w
        from scipy.special import ndtri

        centre, scale = self.fillers
        normal = ndtri(np.clip(u, 1e-12, 1 - 1e-12))
        log_r = -0.5 * normal**2 - HALF_LOG_2PI - np.log(scale)
        return (
            np.where(gone, centre + scale * normal, z),
            log_w - np.where(gone, log_r, 0.0).sum(axis=1),
        )

    @derived
    def _zero(self) -> np.ndarray:
        """y of z = 0: what stands for a number that is not there."""
        z = np.zeros((1, self.dim))
        return z[0] if self.line is None else self.line.forward(z)[0]

    @derived
    def _log_slope(self) -> np.ndarray:
        """log |dy/dz| of every coordinate at z = 0, which does not count where it is not there."""
        lines, z = [line([kind]) for kind in self.kinds], np.zeros((1, 1))
        return np.array([0.0 if own is None else own.forward_log_det(z)[0] for own in lines])

    def from_line(self, z: np.ndarray) -> np.ndarray:
        """x of z (n, D): without noise, and inside of the supports, as floats allow."""
        y = z if self.line is None else self.line.forward(z)
        x = y if self.noise is None else self.noise.quantize(y)
        return np.column_stack([k.restored(own) for k, own in zip(self.kinds, x.T, strict=True)])


@np.errstate(over="ignore")
def _reach(x: np.ndarray) -> tuple[float, float]:
    """As far beyond the least and the largest number as these are from the tenth."""
    x = np.sort(x) if len(x) else np.zeros(1)
    inner = min(TAIL, len(x)) - 1
    return 2 * x[0] - x[inner], 2 * x[-1] - x[-1 - inner]


@np.errstate(all="ignore")
def _reach_of_grid(kind: Kind, x: np.ndarray) -> tuple[float, float]:
    """The same, on the line, of whole cells: none beyond one that ten rows are in."""
    low, high = _reach(x)
    ends, own = np.array([[low], [high + kind.step]]), line([kind])
    z = (ends if own is None else own.inverse(ends))[:, 0]
    inside = (ends[:, 0] > kind.support[0]) & (ends[:, 0] < kind.support[1])
    z = np.where(inside, z, [-np.inf, np.inf])
    return float(z[0]), float(z[1])


def line(kinds: Sequence[Kind]) -> Bijector | None:
    """The map from the whole line to each kind's support; None if all are the whole line."""
    if np.isinf([kind.support for kind in kinds]).all():
        return None
    runs = [(kind, len([*run])) for kind, run in groupby(kinds)]
    return Blockwise([kind.line(n) for kind, n in runs], [n for _, n in runs])


def noise(kinds: Sequence[Kind]) -> Dequantize | None:
    """What spreads gridded numbers over their cells; None if there are none."""
    steps = np.array([kind.step for kind in kinds])
    lows = [(kind.low or 0.0) if kind.is_gridded else 0.0 for kind in kinds]
    return Dequantize(steps, np.array(lows)) if steps.any() else None


@cache
def _unit_cube(dim: int) -> np.ndarray:
    """(M, dim): the first points of Sobol's sequence, at the centres of their intervals."""
    from scipy.stats.qmc import Sobol  # half a second, which only open numbers cost

    return Sobol(dim, scramble=False).random(POINTS) + 0.5 / POINTS
