"""The density over a rectangle, as filled contours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import warn
from .drawing import (
    BLUE,
    SMALL,
    check_plane,
    count_outside,
    interval,
    limits_of,
    name_axes,
    new_axes,
    points,
    remark,
    set_limits,
    square,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .._typing import Context, Limits

NO_SAMPLES = (-3.0, 3.0)  # the window of a function
DRAWS = 1000  # samples that say where a flow has its mass


def density(
    flow: Any,
    xlim: Limits = None,
    ylim: Limits = None,
    n: int = 200,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """Filled contours of the density p(x) over a rectangle, with a colour bar.

    If 1% of the samples or more lie outside of the rectangle, the picture says so ("12% outside");
    if all of them do, a UserWarning does, too: what is drawn is then a far tail, if anything.
    log p = -inf is an honest density of 0. Grid points where p is NaN or infinite are left out: a
    hatched hole, counted in the legend. The colours end at the density that only 1% of the mass
    exceeds (the bar then ends in an arrow): one narrow spike does not make all the rest pale.
    Errors: ValueError for dim other than 2, an empty rectangle, results of a wrong shape or
    below 0.

    Parameters
    ----------
    flow : flow, base, target or function
        Anything with `log_prob` (a flow, a base, a target), or a function that takes points (m, 2)
        and returns p, not log p, of shape (m,).
    xlim, ylim : (float, float)
        The rectangle; None: where 1000 samples of the flow lie, but for a few far outliers ((-3, 3)
        for a function, or if there is no `sample`).
    n : int
        Grid points along each side; cost: n^2 density evaluations, and the samples.
    ax : Axes
        Where to draw; None: a new figure.
    context : array_like
        For a conditional flow: one context, (C,).

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import Normal
    >>> ax = density(Normal(2), (-3, 3), (-2, 2), n=20)
    >>> ax.get_ylim() == (-2, 2), ax.figure.axes[1].get_ylabel()
    (True, 'density')
    """
    drawn = _samples(flow, context)
    around = square(*limits_of(drawn)) if len(drawn) else (NO_SAMPLES, NO_SAMPLES)
    xlim = around[0] if xlim is None else interval("xlim", xlim)
    ylim = around[1] if ylim is None else interval("ylim", ylim)
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
    _tell_outside(ax, drawn, xlim, ylim)
    return ax


def _samples(flow, context) -> np.ndarray:
    """Some samples (DRAWS, 2) of the flow, always the same ones; none (0, 2) if it has none."""
    if not (hasattr(flow, "sample") and hasattr(flow, "log_prob")):
        return np.empty((0, 2))
    check_plane(flow)
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):  # what overflows lies outside, and is counted
        drawn = flow.sample(DRAWS, rng=np.random.default_rng(0), **options)
    return points("the sample", drawn)


def _tell_outside(ax, drawn, xlim, ylim):
    """The share of the samples outside of the frame, unless it is small."""
    out = count_outside(drawn, xlim, ylim)
    if out and out >= 0.01 * len(drawn):
        remark(ax, f"{out / len(drawn):.0%} outside")
    if len(drawn) and out == len(drawn):
        warn(
            f"none of {len(drawn):,} samples lies in the window, x in {xlim} and y in {ylim}: "
            "leave xlim and ylim out, and it is where the samples are",
        )


def _density_at(flow, grid, context) -> np.ndarray:
    """p at the points of a grid (m, 2), in float64; whatever is not finite stays what it is."""
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):
        if hasattr(flow, "log_prob"):
            check_plane(flow)
            p = np.exp(np.asarray(flow.log_prob(grid, **options), float))
        elif callable(flow):
            p = np.asarray(flow(grid, **options), float)
        else:
            raise TypeError(f"density takes a flow or a function, not {flow!r}")
    if p.shape != grid.shape[:1]:
        raise ValueError(f"the density of points {grid.shape} has shape {p.shape}: not one a row")
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
