"""Exact floors: no flow of a family comes closer to a target, however long it learns.

KL(p || q) of a target p in the plane and the best q of a family, in nats, by the midpoint rule on a
grid. A floor above 0 is what the architecture costs: no width, depth or training takes it away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..core.inputs import as_integers, check_dim
from ..targets import Target

DRAWS = 20_000  # samples that say where a target has its mass
MARGIN = 0.15  # of their extent, added on each side of the grid
UNSETTLED = 5e-3  # nats by which another grid may move a floor
LOST = 0.02  # of the mass: more outside the grid is an error
SPREAD = 0.8  # cells: what varies by less is not seen exactly by sums over cells
THIN = 1e-4  # of the mass: more in columns that vary by less is an error


def affine_floor(target: Target, order: Sequence[int] = (1, 2), n: int = 400) -> float:
    """The floor of affine autoregressive layers of one order, however many: MAF, RealNVP.

    One such layer over a Gaussian base makes the first coordinate a Gaussian, and the second one a
    Gaussian whose mean and scale depend on the first in any way:

        q(x) = N(x_a; m, s^2) N(x_b; mu(x_a), sigma(x_a)^2)

    Layers of the same order, one upon the other, are again of this form. The best of them has the
    target's own moments. With V for variances, in nats,

        KL = log(2 pi e) + 1/2 log V[x_a] + 1/2 E[log V[x_b | x_a]] - H(p)

    Errors: ValueError for a target that is not in the plane, for an order that is not (1, 2) or
    (2, 1), for a target too heavy in its tails for a grid, or too fine. Cost: n^2 densities.

    Parameters
    ----------
    target : Target
        A density in the plane that is known exactly.
    order : sequence of int
        The degrees of both coordinates, as for a MADE: (1, 2) means that the first comes first.
    n : int
        Grid points along each side.

    Returns
    -------
    float
        The floor in nats.

    References
    ----------
    That a composition of affine layers of one order is one affine layer: Papamakarios, Pavlakou,
    Murray 2017, Masked autoregressive flow, section 3.1, of the conditionals of one layer.

    Examples
    --------
    >>> from flowcore.targets import two_moons
    >>> print(f"{affine_floor(two_moons(0.05)):.3f} {affine_floor(two_moons(0.05), (2, 1)):.3f}")
    0.844 1.335
    """
    first = as_integers("order", order).tolist()
    if sorted(first) != [1, 2]:
        raise ValueError(f"order must be (1, 2) or (2, 1), not {order!r}")
    mass, axes, _ = _mass(target, n)
    if first == [2, 1]:
        mass, axes = mass.T, axes[::-1]
    x_a, x_b = axes
    marginal, var_b = _given_first(mass, x_b)
    cell = float(x_b[1] - x_b[0])
    if marginal[var_b < (SPREAD * cell) ** 2].sum() > THIN:
        raise ValueError(
            f"{n} x {n} cells are too wide for the details of {target!r}: given one coordinate, "
            f"the other varies by {math.sqrt(var_b.min()):.2g} only, cells are {cell:.2g} wide"
        )
    found, inside = (
        _least_cross_entropy(*part) for part in ((mass, x_a, x_b), _inner(mass, *axes))
    )
    if abs(found - inside) > UNSETTLED:
        raise ValueError(
            f"the tails of {target!r} are too heavy: what lies beyond {DRAWS:,} samples moves the "
            f"floor by {abs(found - inside):.2g} nats or more"
        )
    return found - target.entropy()


def _least_cross_entropy(mass, x_a, x_b) -> float:
    """log(2 pi e) + 1/2 log V[x_a] + 1/2 E log V[x_b | x_a], of masses on a grid."""
    marginal, var_b = _given_first(mass, x_b)
    var_b = np.maximum(var_b, (x_b[1] - x_b[0]) ** 2 / 12)  # one cell thick: uniform in the cell
    var_a = float(_variances(marginal[None], x_a)[0])
    return math.log(2 * math.pi * math.e) + 0.5 * (
        math.log(var_a) + float(marginal @ np.log(var_b))
    )


def _given_first(mass, x_b) -> tuple[np.ndarray, np.ndarray]:
    """p(x_a) and V[x_b | x_a] at each x_a, (m,) both; where there is no mass, 0 and 1."""
    marginal = mass.sum(axis=1) / mass.sum()
    seen, var_b = marginal > 0, np.ones(len(mass))
    var_b[seen] = _variances(mass[seen] / mass[seen].sum(axis=1, keepdims=True), x_b)
    return marginal, var_b


def _variances(mass, x) -> np.ndarray:
    """Of each row of masses at x, (m, n) -> (m,)."""
    return (mass * (x - (mass @ x)[:, None]) ** 2).sum(axis=1)


def _inner(mass, x_a, x_b) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same grid without its margin."""
    a, b = (slice(k, len(x) - k) for x in (x_a, x_b) for k in [_margin_cells(len(x))])
    return mass[a, b], x_a[a], x_b[b]


def _margin_cells(n: int) -> int:
    """How many of n cells lie in the margin, on each side."""
    return int(n * MARGIN / (1 + 2 * MARGIN))


def volume_preserving_floor(target: Target, n: int = 400) -> float:
    """The floor of maps that keep volumes, up to one constant factor: NICE, whatever its depth.

    Over a Gaussian base such a map only moves the base's density values around. The best it can do
    is to put the highest of them where p is highest. Let V(x) be the area of {y: p(y) >= p(x)};
    then the radius at which the base's value for x stands is r^2 = V(x) / pi, and with the best
    constant factor

        KL = 1 + log E[V(x)] - H(p)

    For a uniform density of area A, E[V] = A / 2 and H = log A: the floor is 1 - log 2, whatever
    its shape. Errors: ValueError for a target that is not in the plane, too heavy in its tails for
    a grid, or too fine in its details for n. Cost: 1.6 n^2 densities.

    Parameters
    ----------
    target : Target
        A density in the plane that is known exactly.
    n : int
        Grid points along each side; cells should be smaller than the target's finest details.

    Returns
    -------
    float
        The floor in nats; 0 for a Gaussian.

    References
    ----------
    Dinh, Krueger, Bengio 2015, NICE, section 3.3, on why its layers keep volumes; the bound is the
    rearrangement inequality (Hardy, Littlewood, Polya 1934, Inequalities, chapter 10).

    Examples
    --------
    >>> from flowcore.targets import checkerboard, correlated_gaussian
    >>> print(f"{volume_preserving_floor(checkerboard()):.3f}")
    0.307
    >>> print(f"{abs(volume_preserving_floor(correlated_gaussian(0.8))):.3f}")
    0.000
    """
    n = check_dim("n", n, 2)
    found, coarser = (_log_mean_volume(target, m) for m in (n, max(2, int(0.8 * n))))
    if abs(found - coarser) > UNSETTLED:
        raise ValueError(
            f"{n} x {n} cells are too wide for the details of {target!r}: with fewer the floor is "
            f"{abs(found - coarser):.2g} nats off"
        )
    return 1 + found - target.entropy()


def _log_mean_volume(target: Target, n: int) -> float:
    """log E[V(x)], V(x) the area where p is as high as at x or higher."""
    mass, _, cell = _mass(target, n)
    falling = np.sort(mass.ravel())[::-1]
    return math.log(falling @ (cell * (np.arange(falling.size) + 0.5)))


def _mass(target: Target, n: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    """The mass in each cell of a grid, (n, n), which sums to 1; the middles of the cells; the area
    of one, on average: at a sharp edge some cells lie inside by a part only."""
    if target.dim != 2:
        raise ValueError(f"floors are for targets in the plane; this one has dim {target.dim}")
    n = check_dim("n", n, 2)
    drawn = target.sample(DRAWS, 0)
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    edges = np.linspace(low, high, n + 1)
    x_a, x_b = ((edges[1:] + edges[:-1]) / 2).T
    points = np.stack(np.meshgrid(x_a, x_b, indexing="ij"), axis=-1)
    cell = (x_a[1] - x_a[0]) * (x_b[1] - x_b[0])
    mass = target.prob(points) * cell
    total = float(mass.sum())
    if abs(total - 1) > LOST:
        raise ValueError(
            f"a grid of {n} x {n} cells holds {total:.3f} of the mass of {target!r}, not 1: "
            "its tails are too heavy, or its details too fine for n"
        )
    return mass / total, (x_a, x_b), cell / total
