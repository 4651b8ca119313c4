"""The density over a rectangle, as filled contours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .drawing import BLUE, SMALL, check_plane, interval, name_axes, new_axes, set_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def density(
    flow, xlim=(-3.0, 3.0), ylim=(-3.0, 3.0), n: int = 200, ax: Axes | None = None, context=None
) -> Axes:
    """Filled contours of the density p(x) over a rectangle, with a colour bar.

    flow        anything with `log_prob` (a flow, a base, a target), or a function that takes
                points (m, 2) and returns p, not log p, of shape (m,)
    xlim, ylim  the rectangle
    n           grid points along each side; cost: n^2 density evaluations
    context     for a conditional flow: one context, (C,)

    log p = -inf is an honest density of 0. Grid points where p is NaN or infinite are left out: a
    hatched hole, counted in the legend. The colours end at the density that only 1% of the mass
    exceeds (the bar then ends in an arrow), lest one narrow spike bleach all the rest. Errors:
    ValueError for dim other than 2, an empty rectangle, results of a wrong shape or below 0.

    >>> from flowcore import Normal
    >>> ax = density(Normal(2), (-3, 3), (-2, 2), n=20)
    >>> ax.get_ylim() == (-2, 2), ax.figure.axes[1].get_ylabel()
    (True, 'density')
    """
    xlim, ylim = interval("xlim", xlim), interval("ylim", ylim)
    if n != int(n) or n < 2:
        raise ValueError(f"n must be an integer >= 2, not {n!r}")
    x, y = np.linspace(*xlim, int(n)), np.linspace(*ylim, int(n))
    p = _density_at(flow, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), context)
    p = np.ma.masked_invalid(p.reshape(len(y), len(x)))

    ax = new_axes((5.4, 4.2)) if ax is None else ax
    levels, beyond = _levels(p.compressed())
    inks, extend = _inks(len(levels) - 1 + beyond), "max" if beyond else "neither"
    filled = ax.contourf(x, y, p, levels, colors=inks, extend=extend)
    ax.figure.colorbar(filled, ax=ax, label="density")
    if holes := np.ma.count_masked(p):
        _mark_holes(ax, f"not finite at {holes:,} of {p.size:,} points")
    set_limits(ax, xlim, ylim)
    name_axes(ax)
    return ax


def _density_at(flow, points, context) -> np.ndarray:
    """p at the points, in float64; whatever is not finite stays what it is."""
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):
        if hasattr(flow, "log_prob"):
            check_plane(flow)
            p = np.exp(np.asarray(flow.log_prob(points, **options), float))
        elif callable(flow):
            p = np.asarray(flow(points, **options), float)
        else:
            raise TypeError(f"density takes a flow or a function, not {flow!r}")
    if p.shape != points.shape[:1]:
        raise ValueError(f"the density of points {points.shape} has shape {p.shape}: not one a row")
    if (p < 0).any():
        raise ValueError(
            f"the density is negative at some points ({np.nanmin(p):.4g}): was log_prob given? "
            "Give the flow itself, or a function that returns p"
        )
    return p


def _levels(p, mass: float = 0.01):
    """Contour levels from 0 to the density that `mass` of the distribution exceeds; is that < max?

    A density that is merely peaked, up to twice as high, is shown to its top.
    """
    from matplotlib.ticker import MaxNLocator

    top = p.max(initial=0.0)
    if not top > 0:
        return np.array([0.0, 1.0]), False
    descending = np.sort(p / top)[::-1]
    above = np.cumsum(descending) / descending.sum()
    limit = top * descending[np.searchsorted(above, mass)]
    limit = top if top <= 2 * limit else limit
    unit = 10.0 ** math.floor(math.log10(limit))  # the locator takes less than 1e-13 for nothing
    levels = MaxNLocator(10).tick_values(0.0, limit / unit) * unit
    levels[-1] = max(levels[-1], limit)
    return levels, bool(top > levels[-1])


def _inks(n: int):
    """n colours from paper to ink: white, then matplotlib's magma from light to dark."""
    from matplotlib import colormaps

    return ["white", *colormaps["magma"](np.linspace(0.9, 0.05, n - 1))]


def _mark_holes(ax, label: str):
    """Hatch whatever of the Axes stays empty, and say in a legend what that means."""
    from matplotlib.patches import Patch

    style = {"facecolor": "#C9E6F7", "edgecolor": BLUE, "hatch": "xxxx", "linewidth": 0}
    ax.patch.set(**style)
    ax.legend(
        handles=[Patch(label=label, **style)], loc="upper right", fontsize=SMALL, framealpha=1
    )
