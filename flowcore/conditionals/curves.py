"""Curves: the density of one unknown column, by quadrature on nodes that follow its mass.

    p(x_k | rest) = p(x_k, rest) / Z        Z = p(rest) = int p(x_k, rest) dx_k

Every row has its own nodes. The first ones are draws of the column, and lie around the components
of the proposal's exact conditional, from its centre far into its tails. Then cells are halved where
the trapezoid rule errs. With h the length of a cell, and f'' from divided differences at its ends,

    int f = h (f_0 + f_1) / 2 - h^3 f'' / 12 + ...

A cell is halved while the second term is above `TOLERANCE` times the mass of its row, for the
larger |f''| of both ends. Their sum corrects Z. A mode is missed if it is narrow, and neither the
proposal nor one of the draws has it. The share of the draws that are alone in their mode estimates
the mass of the missed modes (Good 1953, after Turing), and is a part of the error. If it is above
`MISSING`, more are drawn; if it is then still above, the curve is not resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core import warn, without_warnings
from ..core.inputs import as_numbers, as_probabilities, named, show
from ..mixtures.elliptical_mixture import EllipticalMixture
from .angles import TURN, turned
from .answering import not_nan
from .weights import Weighted

if TYPE_CHECKING:
    from ..core.typing import ArrayLike
    from .numbers import Numbers

TOLERANCE, ROUNDS, MOST_NODES = 2e-5, 60, 8000  # of the mass, a cell; halvings; nodes of a row
OFFSETS = 0.5 * np.sinh(0.83 * np.arange(-12, 13))  # first nodes: 10,000 scales far
LEAST_SHARE, COMPONENTS = 1e-4, 8  # of the proposal that have first nodes
DRAWS, MORE_DRAWS = 64, 512  # nodes that are drawn, the second time; DRAWS: nodes of a turn
MISSING, DIP = 0.015, 5.0  # of the mass: less than one draw; nats, between two modes
TAIL = 1e-3  # of the mass: more beyond the last node is too much
ROWS = 128  # answered at once
NEGLIGIBLE = -10.0  # nats below the peak of a curve
COARSE = 0.05  # of the mass
UNRESOLVED = (
    "is not resolved: the density is 0 there, falls off too slowly, or has too many modes or jumps"
)
OFF = "is off for more than 5% of its mass: take a finer or a longer grid, or grid=None"
TINY, LOWEST, ROUNDING = np.finfo(float).tiny, np.finfo(float).min, 1e-9


@dataclass(frozen=True)
class Posterior:
    """The density of one column given the others, a curve for each of n rows.

    Attributes
    ----------
    column : int or str
        The column, by its name if the density knows it.
    grid : numpy.ndarray
        (n, G), the nodes of each curve in ascending order; (G,) for the caller's grid.
    density : numpy.ndarray
        (n, G), p(x_k | rest) at the nodes. Its integral is 1; NaN for rows without mass.
    mass : numpy.ndarray
        (n,), the integral of p(x_k, rest) before normalising: p(rest), or 1 at dim 1.
    angle : bool
        Whether the column is an angle.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> found = p.posterior([[1.0, np.nan], [2.0, np.nan]], 1)
    >>> found, found.mean().round(3), found.quantiles([0.5]).round(3)
    (Posterior(column=1, rows=2, nodes=164), array([5.8, 6.6]), array([[5.8, 6.6]]))
    """

    column: Any
    grid: np.ndarray
    density: np.ndarray
    mass: np.ndarray
    angle: bool = False

    def mean(self) -> np.ndarray:
        """The mean of each curve, (n,); of an angle the circular mean, in [-pi, pi]."""
        share = node_lengths(self.grid) * self.density
        if self.angle:
            return np.angle((share * np.exp(1j * self.grid)).sum(axis=1))
        return (share * self.grid).sum(axis=1) / share.sum(axis=1)

    def quantiles(self, q: ArrayLike) -> np.ndarray:
        """The quantiles of each curve, (len(q), n), with a density that is linear between nodes.

        For an angle, values are counted from half a turn before the circular mean.
        """
        x, f = np.broadcast_to(self.grid, self.density.shape), self.density
        if self.angle:
            pairs = zip(x, f, self.mean() - TURN / 2, strict=True)
            x, f = np.stack([_turn_from(*pair) for pair in pairs], axis=1)
        levels = as_probabilities(q)
        return inverse_cdf(x, f, np.broadcast_to(levels, (len(f), len(levels)))).T

    def __repr__(self):
        n, nodes = self.density.shape
        return f"Posterior(column={self.column!r}, rows={n}, nodes={nodes})"


def posterior_of(
    numbers: Numbers, rows: np.ndarray, column: Any, grid: ArrayLike | None
) -> Posterior:
    """The curves of rows (n, C + D) that have NaN in the same one column, in blocks of rows."""
    angle = bool(numbers.angle[np.isnan(rows).any(axis=0)].any())
    if grid is not None:
        grid = as_numbers("grid", grid).astype(float)
        if grid.ndim != 1 or len(grid) < 2 or not (np.diff(grid) > 0).all() or np.isinf(grid).any():
            raise ValueError(f"grid must be finite numbers (G,) that ascend, not {show(grid)}")
        if angle and (turns := np.ptp(grid) / TURN) > 1 + ROUNDING:
            raise ValueError(f"grid covers {turns:.4g} turns of an angle: pass one, 2 pi long")
    if not len(rows):
        x = np.zeros((0, 2)) if grid is None else grid
        return Posterior(column, x, np.zeros((0, x.shape[-1])), np.zeros(0))
    blocks = [rows[i : i + ROWS] for i in range(0, len(rows), ROWS)]
    parts = [curves_of(numbers, block, grid) for block in blocks]
    x, log_p, log_mass, _, resolved = joined(parts)
    _warn_of_rows(~resolved, UNRESOLVED)
    with np.errstate(invalid="ignore", divide="ignore"):  # rows without mass
        density, mass = np.exp(log_p - log_mass[:, None]), np.exp(log_mass)
        if grid is None:
            return Posterior(column, x, density, mass, angle)
        share, h = (node_lengths(grid) * density).sum(axis=1), np.diff(grid)  # of the mass
        between = np.abs(np.diff(np.diff(density) / h)) @ (h[1:] * h[:-1]) / 12  # as in `refined`
        _warn_of_rows(np.maximum(np.abs(share - 1), between) > COARSE, OFF)
        return Posterior(column, grid, density / share[:, None], mass * share, angle)


def _warn_of_rows(bad: np.ndarray, problem: str) -> None:
    """A warning that counts the rows (n,) with a problem."""
    if bad.any():
        rows = named("row", np.flatnonzero(bad))
        warn(f"the curve of {bad.sum()} of {len(bad)} rows {problem} ({rows})")


class Curves(NamedTuple):
    """Curves of m rows: nodes x and log p (m, G), log of the mass (m,), its error, and whether each
    row is resolved (m,)."""

    x: np.ndarray
    log_p: np.ndarray
    log_mass: np.ndarray
    error: np.ndarray
    resolved: np.ndarray


def joined(parts: list[Curves]) -> Curves:
    """The curves of several blocks of rows; shorter ones repeat their last node."""
    width = max(part.x.shape[1] for part in parts)
    pads = [[(0, 0), (0, width - part.x.shape[1])] for part in parts]
    pairs = zip(parts, pads, strict=True)
    padded = [[np.pad(a, pad[: a.ndim], "edge") for a in part] for part, pad in pairs]
    return Curves(*map(np.concatenate, zip(*padded, strict=True)))


def curves_of(
    numbers: Numbers, rows: np.ndarray, grid: np.ndarray | None = None, n_draws: int = DRAWS
) -> Curves:
    """The curves of rows (m, C + D) that have NaN in the same one column."""
    column = int(np.flatnonzero(np.isnan(rows[0]))[0])
    angle, m = bool(numbers.angle[column]), len(rows)

    def log_prob(row, x):
        states = rows[row]
        states[:, column] = x
        c, x = np.split(states, [numbers.width], axis=1)
        with without_warnings():  # about contexts: `Conditionals.known` has warned
            log_p = numbers.density.log_prob(x, **({"context": c} if numbers.width else {}))
        return not_nan(log_p, numbers.density)

    draws = draws_of_column(numbers, rows, column, n_draws)
    row, x = first_nodes(numbers, rows, column, draws)
    if angle:
        draws, x = (turned(a[..., None], [True])[..., 0] for a in (draws, x))
        row = np.append(row, np.repeat(np.arange(m), DRAWS + 1))
        x = np.append(x, np.tile(np.linspace(-np.pi, np.pi, DRAWS + 1), m))
    curves = refined(log_prob, row, x, m, angle)
    missing = share_alone(curves, draws)
    error, few = np.hypot(curves.error, missing), missing > MISSING
    curves = curves._replace(error=error, resolved=curves.resolved & ~few)
    if few.any() and n_draws == DRAWS:
        more, index = curves_of(numbers, rows[few], n_draws=MORE_DRAWS), np.arange(m)
        index[few] = m + np.arange(few.sum())
        curves = Curves(*(a[index] for a in joined([curves, more])))
    return curves if grid is None else on_grid(log_prob, curves, grid, angle)


def first_nodes(
    numbers: Numbers, rows: np.ndarray, column: int, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of rows, and nodes x, both (P,), of which draws (m, S) of the column are some."""
    m, nodes, row, x = len(rows), [draws], np.zeros(0, int), np.zeros(0)
    known = np.delete(np.arange(rows.shape[1]), column)
    proposal = numbers.proposal_of(rows[0]) if len(known) > numbers.width else None
    if isinstance(proposal, EllipticalMixture):
        log_w, mean, stretch, factors = proposal.components_given(known, rows[:, known])
        share = np.exp(log_w - log_w.max(axis=0))
        enough = np.maximum(np.sort(share, axis=0)[-COMPONENTS:][0], LEAST_SHARE)
        k, row = np.nonzero(share >= enough)
        x = mean[k, row] + (stretch[k, row] * factors[k, 0, 0])[:, None] * OFFSETS
        row, x = np.repeat(row, len(OFFSETS)), x.ravel()
    elif proposal is not None:
        rngs = [np.random.default_rng(0) for _ in rows]
        nodes.append(proposal.sample_given(rows, DRAWS, rngs)[0][..., column])
    low, middle, high = np.quantile(nodes[-1], [0.25, 0.5, 0.75], axis=1)[..., None]
    every = np.hstack([*nodes, middle + (high - low) * OFFSETS])
    return np.append(row, np.repeat(np.arange(m), every.shape[1])), np.append(x, every)


@np.errstate(all="ignore")  # a column may be constant
def draws_of_column(numbers: Numbers, rows: np.ndarray, column: int, n: int) -> np.ndarray:
    """Draws (m, n) of the column, about as it is in each row: given the context of the row, or from
    the nearest of the draws of whole rows. A proposal may lack modes. They are the same for equal
    rows, whatever the other rows are."""
    if numbers.width:
        contexts = np.repeat(rows[:, None, : numbers.width], n, axis=1)
        draws = [numbers.sample_given(c, np.random.default_rng(0)) for c in contexts]
        return np.stack(draws)[..., column]
    draws, known = numbers.draws, np.arange(rows.shape[1]) != column
    units = draws[:, known].std(axis=0)
    apart = (turned(draws - row, numbers.angle)[:, known] / units for row in rows)
    nearest = [np.argsort((u**2).sum(axis=1), kind="stable")[:n] for u in apart]
    return draws[np.stack(nearest), column]


def share_alone(curves: Curves, draws: np.ndarray) -> np.ndarray:
    """The share of the draws (m, S) of each row that are alone in their mode: log p falls by `DIP`
    on the way to both neighbours, and rises again."""
    shares = []
    for x, log_p, own in zip(curves.x, curves.log_p, np.sort(draws, axis=1), strict=True):
        at = np.minimum(np.searchsorted(x, own), len(x) - 1)
        lowest, height = np.minimum.reduceat(log_p, at)[:-1], log_p[at]  # between neighbours
        apart = np.pad(lowest < np.minimum(height[1:], height[:-1]) - DIP, 1, constant_values=True)
        shares.append((apart[1:] & apart[:-1]).mean())
    return np.array(shares)


def refined(log_prob: Callable, row: np.ndarray, x: np.ndarray, m: int, angle: bool) -> Curves:
    """The curves of m rows from their first nodes (P,); log_prob(row (N,), x (N,)) -> (N,)."""
    order = np.lexsort((x, row))
    row, x = row[order], x[order]
    apart = (np.diff(x) > 1e-12 * np.abs(x[1:])) | (np.diff(row) > 0)
    row, x = (a[np.append(True, apart)] for a in (row, x))
    log_p = log_prob(row, x)
    for step in range(ROUNDS):
        first = np.searchsorted(row, np.arange(m))
        top = np.maximum.reduceat(log_p, first)
        f = np.exp(log_p - np.maximum(top, LOWEST)[row])
        inside = row[1:] == row[:-1]
        h = np.where(inside, np.diff(x), np.inf)
        slope, bend = np.diff(f) / h, np.zeros(len(x))
        bend[1:-1] = 2 * np.diff(slope) / (h[1:] + h[:-1])  # 0 at the ends of a row
        h, owner = np.where(inside, h, 0), row[1:]
        mass = np.bincount(owner, h * (f[1:] + f[:-1]) / 2, m)
        second = np.bincount(owner, h**3 * (bend[1:] + bend[:-1]) / 24, m)
        error = h**3 / 12 * np.maximum(np.abs(bend[1:]), np.abs(bend[:-1]))
        middle = x[:-1] + h / 2
        cut = (error > TOLERANCE * mass[owner]) & (x[:-1] < middle) & (middle < x[1:])
        count = np.bincount(row, minlength=m)
        at = np.flatnonzero(cut & (count < MOST_NODES)[owner])
        if not at.size or step == ROUNDS - 1:
            break
        new = log_prob(row[at], middle[at])
        row, x, log_p = (
            np.insert(a, at + 1, b) for a, b in ((row, row[at]), (x, middle[at]), (log_p, new))
        )
    last = first + count - 1
    padded = np.minimum(first[:, None] + np.arange(count.max()), last[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_mass = top + np.log(mass - second)
        x, f, log_p = x[padded], f[padded], log_p[padded]
        peak = np.take_along_axis(x, f.argmax(axis=1)[:, None], axis=1)
        tail = 0 if angle else (f * np.abs(x - peak))[:, [0, -1]].max(axis=1)
        unresolved = np.bincount(owner, error * cut, m) > 0
        resolved = (tail < TAIL * mass) & ~unresolved & np.isfinite(log_mass)
        off = np.sqrt(np.bincount(owner, error**2, m)) / mass + ROUNDING  # cells err either way
        return Curves(x, log_p, log_mass, off, resolved)


def on_grid(log_prob: Callable, curves: Curves, grid: np.ndarray, angle: bool) -> Curves:
    """These curves at the nodes of a grid (G,): interpolated where they are negligible. Their mass
    stays that of their own nodes."""
    at = turned(grid[:, None], [angle])[:, 0]
    top = np.maximum(curves.log_p.max(axis=1, keepdims=True), LOWEST)
    fall = np.maximum(curves.log_p - top, -800)  # exp is 0; -inf has no slope
    fall = np.stack([np.interp(at, *curve) for curve in zip(curves.x, fall, strict=True)])
    log_p, (row, g) = fall + top, np.nonzero(fall > NEGLIGIBLE)
    log_p[row, g] = log_prob(row, grid[g])
    return curves._replace(x=np.broadcast_to(grid, log_p.shape), log_p=log_p)


def drawn(curves: Curves, rows: np.ndarray, n: int, rngs: list) -> Weighted:
    """n draws for the one NaN of each row (m, W): one of each n-th of its mass, in random order."""
    strata = np.tile(np.arange(n), (len(rows) // len(rngs), 1))
    levels = [own.permuted(strata + own.random(strata.shape), axis=1) / n for own in rngs]
    f = np.exp(curves.log_p - np.maximum(curves.log_p.max(axis=1, keepdims=True), LOWEST))
    x = np.repeat(rows[:, None], n, axis=1)
    x[np.isnan(x)] = inverse_cdf(curves.x, f, np.concatenate(levels)).ravel()
    good, no = curves.resolved, np.zeros(len(rows), bool)
    ess, k_hat = np.where(good, n, 0.0), np.where(good, -np.inf, np.inf)
    share = np.full(x.shape[:2], 1 / n)
    return Weighted(x, share, curves.log_mass, curves.error, ess, k_hat, no)


def node_lengths(x: np.ndarray) -> np.ndarray:
    """Half of the cells beside each node, (..., G): the weights of the trapezoid rule."""
    h = np.diff(x) / 2
    zero = np.zeros_like(h[..., :1])
    return np.concatenate([zero, h], axis=-1) + np.concatenate([h, zero], axis=-1)


def inverse_cdf(x: np.ndarray, f: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The points (m, S) where the integral of f, linear between nodes x (m, G), is a share
    (levels, (m, S)) of the whole."""
    cells = np.diff(x) * (f[:, 1:] + f[:, :-1]) / 2
    cdf = np.cumsum(cells, axis=1)
    goal = levels * cdf[:, -1:]
    k = np.stack([np.searchsorted(*pair) for pair in zip(cdf, goal, strict=True)])
    k = np.minimum(k, cells.shape[1] - 1)
    own = lambda a: np.take_along_axis(a, k, axis=1)  # noqa: E731
    h, a, b = own(np.diff(x)), own(f), own(f[:, 1:])
    left = np.maximum(goal - own(cdf) + own(cells), 0) / np.maximum(h, TINY)
    root = a + np.sqrt(np.maximum(a**2 + 2 * left * (b - a), 0))
    return own(x) + h * np.minimum(2 * left / np.maximum(root, TINY), 1)


def _turn_from(x: np.ndarray, f: np.ndarray, start: float) -> np.ndarray:
    """A curve over one turn, cut at another place: (2, G + 2)."""
    seam = np.interp(start, x, f, period=TURN)
    x = np.concatenate([[start], start + (x - start) % TURN, [start + TURN]])
    order = np.argsort(x, kind="stable")
    return np.stack([x[order], np.concatenate([[seam], f, [seam]])[order]])
