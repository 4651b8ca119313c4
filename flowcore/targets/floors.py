"""Exact floors: no flow of a family comes closer to a target, however long it learns.

KL(p || q) of a target p in the plane and the best q of a family, in nats, by the midpoint rule on a
grid. A floor above 0 is what the architecture costs: no width, depth or training takes it away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..core.inputs import as_integers, check_dim
from .base import Target

DRAWS = 20_000  # samples, which show where a target has its mass
MARGIN = 0.15  # of their extent, added on each side of the grid
UNSETTLED = 5e-3  # nats by which a coarser grid without a margin may move a floor
LOST = 0.02  # of the mass: more outside the grid is an error


def affine_floor(target: Target, order: Sequence[int] = (1, 2), n: int = 400) -> float:
    """The least KL of any number of affine autoregressive layers of one order: MAF, RealNVP.

    One such layer over a Gaussian base makes the first coordinate Gaussian. The second is Gaussian
    given the first, which sets its mean and scale in any way:

        q(x) = N(x_a; m, s^2) N(x_b; mu(x_a), sigma(x_a)^2)

    Several layers of the same order have this form, too. The best q has the target's own moments.
    With V for variances, the divergence of the best q is, in nats,

        KL = log(2 pi e) + 1/2 log V[x_a] + 1/2 E[log V[x_b | x_a]] - H(p)

    Errors: ValueError for a target that is not in the plane, for an order that is not (1, 2) or (2,
    1), for a target whose tails are too heavy for a grid, or whose details are too fine. Cost: 1.4
    n^2 densities.

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
    Papamakarios, Pavlakou, Murray 2017, Masked autoregressive flow, section 3.1 (the conditionals
    of one layer; affine layers of one order compose to one such layer).

    Examples
    --------
    >>> from flowcore.targets import two_moons
    >>> moons = two_moons(0.05)
    >>> print(f"{affine_floor(moons, n=200):.3f} {affine_floor(moons, (2, 1), n=200):.3f}")
    0.844 1.335
    """
    first = as_integers("order", order).tolist()
    if sorted(first) != [1, 2]:
        raise ValueError(f"order must be (1, 2) or (2, 1), not {order!r}")
    return _settled(_least_cross_entropy, target, n, first == [2, 1]) - target.entropy()


def _least_cross_entropy(mass, x_a, x_b, turned: bool) -> float:
    """log(2 pi e) + 1/2 log V[x_a] + 1/2 E log V[x_b | x_a], of masses on a grid."""
    if turned:
        mass, x_a, x_b = mass.T, x_b, x_a
    marginal = mass.sum(axis=1) / mass.sum()
    seen = marginal > 0
    var_b = _variances(mass[seen] / mass[seen].sum(axis=1, keepdims=True), x_b)
    var_b = np.maximum(var_b, (x_b[1] - x_b[0]) ** 2 / 12)  # one cell thick: uniform in the cell
    var_a = float(_variances(marginal[None], x_a)[0])
    mean_log_var_b = float(marginal[seen] @ np.log(var_b))
    return math.log(2 * math.pi * math.e) + 0.5 * (math.log(var_a) + mean_log_var_b)


def _variances(mass, x) -> np.ndarray:
    """The variance of each row of masses at x, (m, n) -> (m,)."""
    return (mass * (x - (mass @ x)[:, None]) ** 2).sum(axis=1)


def volume_preserving_floor(target: Target, n: int = 400) -> float:
    """The least KL of maps that keep volumes, up to one constant factor: NICE of any depth.

    Over a Gaussian base such a map only rearranges the values of the base's density. The best map
    puts the highest values where p is highest. Let V(x) be the area of {y: p(y) >= p(x)}. Then the
    best map takes the value for x from the base at the radius r, with r^2 = V(x) / pi. With the
    best constant factor, its divergence is

        KL = 1 + log E[V(x)] - H(p)

    For a uniform density of area A, E[V] = A / 2 and H = log A, so the floor is 1 - log 2 for any
    shape. Errors: ValueError for a target that is not in the plane, whose tails are too heavy for a
    grid, or whose details are too fine for n. Cost: 1.4 n^2 densities.

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
    return 1 + _settled(_log_mean_volume, target, n) - target.entropy()


def _log_mean_volume(mass, x_a, x_b) -> float:
    """log E[V(x)], V(x) the area where p is as high as at x or higher; of masses on a grid."""
    falling = np.sort(mass.ravel())[::-1]
    # the area of a cell, on average: at a sharp edge some cells lie inside by a part only
    cell = (x_a[1] - x_a[0]) * (x_b[1] - x_b[0]) / mass.sum()
    return math.log(falling @ (cell * (np.arange(falling.size) + 0.5)) / mass.sum())


def _settled(compute: Callable[..., float], target: Target, n: int, *options) -> float:
    """compute(masses, middles, middles, *options) on an n x n grid, if a coarser one agrees."""
    if target.dim != 2:
        raise ValueError(f"floors are for targets in the plane; this one has dim {target.dim}")
    n = check_dim("n", n, 2)
    found = compute(*_mass(target, n, MARGIN), *options)
    coarse = compute(*_mass(target, max(2, int(0.6 * n)), 0.0), *options)
    if abs(found - coarse) > UNSETTLED:
        raise ValueError(
            f"the floor of {target!r} is not settled: a coarser grid within {DRAWS:,} samples "
            f"moves it by {abs(found - coarse):.2g} nats. The tails are too heavy, or {n} x {n} "
            "cells too wide for the details"
        )
    return found


def _mass(target: Target, n: int, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mass in each cell of a grid, (n, n), about 1 in all, and the middles of the cells."""
    drawn = target.sample(DRAWS, 0)
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    edges = np.linspace(low, high, n + 1)
    x_a, x_b = ((edges[1:] + edges[:-1]) / 2).T
    points = np.stack(np.meshgrid(x_a, x_b, indexing="ij"), axis=-1)
    mass = target.prob(points) * (x_a[1] - x_a[0]) * (x_b[1] - x_b[0])
    if abs(mass.sum() - 1) > LOST:
        raise ValueError(
            f"a grid of {n} x {n} cells holds {mass.sum():.3f} of the mass of {target!r}, not 1: "
            "its tails are too heavy, or its details too fine for n"
        )
    return mass, x_a, x_b
