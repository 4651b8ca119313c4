"""Densities over a rectangle, as filled contours: `density`, and several on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

    from ..core.typing import Context, Limits

NO_SAMPLES = ((-3.0, 3.0), (-3.0, 3.0))  # the window of a function
DRAWS = 1000  # samples, which show where a flow has its mass


def density(
    flow: Any,
    xlim: Limits = None,
    ylim: Limits = None,
    n: int = 200,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """Filled contours of the density p(x) over a rectangle, with a colour bar.

    Nothing is hidden: if 1% of the samples or more lie outside of the rectangle, their share is
    shown ("12% outside"), and grid points where p is NaN or infinite become a hatched hole, which
    is counted in the legend. The colours end at the density that only 1% of the mass exceeds, so
    that a narrow spike does not make all the rest pale. The bar then ends in an arrow. Errors:
    ValueError for dim other than 2, an empty rectangle, a rectangle without a single sample,
    results of a wrong shape or below 0.

    Parameters
    ----------
    flow : flow, base, target or function
        Anything with `log_prob` (a flow, a base, a target), or a function that takes points (m, 2)
        and returns p, not log p, of shape (m,).
    xlim, ylim : (float, float)
        The rectangle; None: around 1000 samples of the flow, without a few distant outliers ((-3,
        3) for a function, or if there is no `sample`).
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
    shown = OnGrid.of([flow], xlim, ylim, n, context)
    ax = drawing.new_axes((5.4, 4.2)) if ax is None else ax
    filled = _fill(ax, shown, 0, *_levels(shown.p[0].compressed()))
    ax.figure.colorbar(filled, ax=ax, label="density")
    return ax


def densities(
    flows: Mapping[str, Any],
    xlim: Limits = None,
    ylim: Limits = None,
    n: int = 200,
    ax: Sequence[Axes] | None = None,
    context: Context = None,
) -> np.ndarray:
    """Several densities side by side, in one frame and with one scale of colours.

    The first density determines the colours, as in `density`, and the window, unless you pass it.
    So put the truth first. Densities above the scale have the colour of the arrow at the end of the
    bar. Each panel shows the share outside of the frame and the points that are not finite, as in
    `density`. Errors: as in `density`; ValueError for no flows, or a wrong number of Axes.

    Parameters
    ----------
    flows : dict
        title -> flow, base, target or function, as for `density`.
    xlim, ylim : (float, float)
        The rectangle; None: around the samples of the first density.
    n : int
        Grid points along each side; cost: n^2 density evaluations of each, and the samples.
    ax : sequence of Axes
        As many Axes as there are flows, in any arrangement; they share a colour bar.
    context : array_like
        For conditional flows: one context, (C,).

    Returns
    -------
    array of Axes
        One for every flow.

    Examples
    --------
    >>> from flowcore import Normal, StudentT
    >>> axes = densities({"truth": StudentT(2), "flow": Normal(2)}, n=20)
    >>> [ax.get_title() for ax in axes], axes[0].get_xlim() == axes[1].get_xlim()
    (['truth', 'flow'], True)
    """
    if not flows:
        raise ValueError("densities needs at least one flow: {title: flow}")
    shown = OnGrid.of(list(flows.values()), xlim, ylim, n, context)
    levels, _ = _levels(shown.p[0].compressed())
    beyond = any(p.max() > levels[-1] for p in shown.p if p.count())
    axes = drawing.panels(ax, len(flows), len(flows), (3.0 * len(flows) + 0.8, 3.2))
    for k, (panel, title) in enumerate(zip(axes, flows, strict=True)):
        filled = _fill(panel, shown, k, levels, beyond)
        panel.set_title(title)
    width = 0.15 / len(axes)  # of all Axes: as broad as that of one
    axes[0].figure.colorbar(filled, ax=list(axes), label="density", fraction=width, pad=width / 3)
    return axes


class OnGrid(NamedTuple):
    """Densities to be drawn: samples (m, 2) of each, a grid, and p of each on it."""

    samples: list[np.ndarray]
    grid: np.ndarray  # (n, n, 2), rows have one x2
    p: list[np.ma.MaskedArray]  # (n, n); what is not finite is masked

    @classmethod
    def of(cls, flows: Sequence, xlim, ylim, n, context=None, wider: float = 0.0) -> OnGrid:
        """Over the given rectangle, or around the samples of the first flow, `wider` on each side.

        Errors: ValueError if all its samples lie outside: the picture would show a distant tail.
        """
        samples = [_samples_of(flow, context) for flow in flows]
        first = samples[0]
        found = drawing.square(*drawing.limits_of(first)) if len(first) else NO_SAMPLES
        around = [(a - wider * (b - a), b + wider * (b - a)) for a, b in found]
        xlim, ylim = drawing.window(xlim, ylim, around)
        if len(first) and drawing.count_outside(first, xlim, ylim) == len(first):
            raise ValueError(
                f"none of {len(first):,} samples lies in the window, x1 in {xlim} and x2 in "
                f"{ylim}: leave xlim and ylim out, and it is where the samples are"
            )
        if n != int(n) or n < 2:
            raise ValueError(f"n must be an integer >= 2, not {n!r}")
        x1, x2 = (np.linspace(*limits, int(n)) for limits in (xlim, ylim))
        grid = np.stack(np.meshgrid(x1, x2), axis=-1)
        return cls(samples, grid, [_density_at(flow, grid, context) for flow in flows])

    def frame(self, ax, k: int) -> None:
        """The Axes of the k-th density; the share of its samples outside, unless it is small."""
        xlim, ylim = (self.grid[[0, -1], [0, -1], i].tolist() for i in (0, 1))
        drawing.set_limits(ax, xlim, ylim)
        drawing.name_axes(ax)
        drawn = self.samples[k]
        out = drawing.count_outside(drawn, xlim, ylim)
        if out and out >= 0.01 * len(drawn):
            drawing.remark(ax, f"{out / len(drawn):.0%} outside")

    def hatch_holes(self, ax, k: int) -> list[Patch]:
        """Hatch where the k-th density is not finite; the handle for a legend, if there is such."""
        from matplotlib.patches import Patch

        p = self.p[k]
        if not (holes := np.ma.count_masked(p)):
            return []
        style = {"facecolor": "#C9E6F7", "edgecolor": drawing.BLUE, "hatch": "xxxx", "linewidth": 0}
        ax.patch.set(**style)
        return [Patch(label=f"not finite at {holes:,} of {p.size:,} points", **style)]


def _fill(ax, shown: OnGrid, k: int, levels, beyond):
    """Filled contours of the k-th density; with `beyond`, a colour for what exceeds the levels."""
    colours, extend = _colours(len(levels) - 1 + beyond), "max" if beyond else "neither"
    x1, x2 = shown.grid[0, :, 0], shown.grid[:, 0, 1]
    filled = ax.contourf(x1, x2, shown.p[k], levels, colors=colours, extend=extend)
    if holes := shown.hatch_holes(ax, k):
        ax.legend(handles=holes, loc="upper right", fontsize=drawing.SMALL, framealpha=1)
    shown.frame(ax, k)
    return filled


def _samples_of(flow, context) -> np.ndarray:
    """Some samples (DRAWS, 2) of the flow, always the same ones; (0, 2) if it cannot sample."""
    if not (hasattr(flow, "sample") and hasattr(flow, "log_prob")):
        return np.empty((0, 2))
    drawing.check_plane(flow)
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):  # what overflows lies outside, and is counted
        drawn = flow.sample(DRAWS, rng=np.random.default_rng(0), **options)
    return drawing.points("the sample", drawn)


def _density_at(flow, grid, context) -> np.ma.MaskedArray:
    """p at the points of a grid (n, n, 2), in float64; whatever is not finite is masked."""
    rows = grid.reshape(-1, 2)
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):
        if hasattr(flow, "log_prob"):
            drawing.check_plane(flow)
            p = np.exp(np.asarray(flow.log_prob(rows, **options), float))
        elif callable(flow):
            p = np.asarray(flow(rows, **options), float)
        else:
            raise TypeError(f"density takes a flow or a function, not {flow!r}")
    if p.shape != rows.shape[:1]:
        raise ValueError(f"the density of points {rows.shape} has shape {p.shape}: not one a row")
    if (p < 0).any():
        raise ValueError(
            f"the density is negative at some points ({np.nanmin(p):.4g}): was log_prob given? "
            "Give the flow itself, or a function that returns p"
        )
    return np.ma.masked_invalid(p.reshape(grid.shape[:2]))


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


def _colours(n: int):
    """n colours from paper to ink: white, then matplotlib's magma from light to dark."""
    from matplotlib import colormaps

    return ["white", *colormaps["magma"](np.linspace(0.9, 0.05, n - 1))]
