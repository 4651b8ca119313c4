"""Figures, frames, dots and arguments of `plots`."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours: distinct for every kind of colour vision
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILLION, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, YELLOW, BLACK)
GREY, PALE = "0.35", "0.83"  # remarks; cells that hold nothing
SMALL = 8  # points, for remarks and crowded ticks; all else has matplotlib's own sizes


def new_figure(size, layout="compressed"):
    """A new figure: pyplot's at a prompt or in a notebook; in a script it belongs to its caller.

    "compressed" is matplotlib's constrained layout for panels of one fixed aspect;
    "constrained" can cut off their titles, but keeps the sizes of unequal panels in proportion.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Python's prompt, IPython and Jupyter kernels all set sys.ps1
    if hasattr(sys, "ps1") or matplotlib.is_interactive():
        from matplotlib.pyplot import figure

        return figure(figsize=size, layout=layout)
    return Figure(figsize=size, layout=layout)


def new_axes(size) -> Axes:
    return new_figure(size).subplots()


def panels(axes, count: int, columns: int, size, width_ratios=None) -> np.ndarray:
    """`count` Axes as a flat array: the given ones, or a new grid with `columns` columns."""
    if axes is not None:
        axes = np.ravel(np.asarray(axes, dtype=object))
        if len(axes) != count:
            raise ValueError(f"{count} Axes are needed, one a panel, not {len(axes)}")
        return axes
    figure = new_figure(size, "compressed" if width_ratios is None else "constrained")
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, squeeze=False, width_ratios=width_ratios)
    for spare in grid.flat[count:]:
        spare.remove()
    return grid.ravel()[:count]


def points(name: str, x) -> np.ndarray:
    """x as floats of shape (n, 2)."""
    x = as_numbers(name, x).astype(float, copy=False)
    if x.ndim != 2 or x.shape[1] != 2:
        hint = f"; choose two columns: {name}[:, [0, 1]]" if x.ndim == 2 and x.shape[1] > 2 else ""
        raise ValueError(f"{name} has shape {x.shape}, but points in a plane are (n, 2){hint}")
    return x


def classes(labels, n: int):
    """The distinct labels, and for each point the index of its label."""
    if labels is None:
        return [None], np.zeros(n, int)
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels have shape {labels.shape}, but there are {n} points: ({n},)")
    names, which = np.unique(labels, return_inverse=True)
    if len(names) > len(PALETTE):
        raise ValueError(
            f"labels have {len(names)} different values, but there are {len(PALETTE)} colours: "
            "group them"
        )
    return names.tolist(), which


def quadrant(x) -> np.ndarray:
    """The quadrant of each point (n, 2): 0 where both are positive, then counterclockwise."""
    left, below = (x < 0).T
    return 2 * below + (left ^ below)


def check_plane(flow):
    dim = getattr(flow, "dim", 2)
    if dim != 2:
        raise ValueError(f"only dim 2 can be drawn in a plane; this density has dim {dim}")


def dots(ax, x, colour, n: int, label=None, scale: float = 1.0):
    """Points, sized for a panel that holds n of them; scale: for a smaller panel, below 1."""
    size = scale * float(np.clip(7000 / max(n, 1), 3, 20))
    ax.scatter(*x.T, s=size, c=colour, alpha=0.7, linewidths=0, label=label, rasterized=True)


def legend_of_dots(ax, n: int, **style):
    """A legend with dots of a readable size; the best place takes too long to find for many."""
    legend = ax.legend(framealpha=0.9, loc="best" if n <= 20_000 else "upper right", **style)
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set(sizes=[25], alpha=1)


def limits_of(*arrays):
    """((low, high), (low, high)) of all finite points, or of all but a few far outliers."""
    boxes = []
    for x in arrays:
        x = x[np.isfinite(x).all(axis=1)]
        if len(x):
            low, high = np.quantile(x, [0.01, 0.99], axis=0)
            reach = (high - low) / 2
            boxes.append([np.maximum(x.min(0), low - reach), np.minimum(x.max(0), high + reach)])
    if not boxes:
        return (-1.0, 1.0), (-1.0, 1.0)
    low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    pad = np.where(high > low, 0.05 * (high - low), 0.5)
    return tuple(zip((low - pad).tolist(), (high + pad).tolist(), strict=True))


def comparable(xlim, ylim) -> bool:
    """Are the units of both axes alike enough for equal scales?"""
    return 0.25 <= (xlim[1] - xlim[0]) / (ylim[1] - ylim[0]) <= 4


def square(xlim, ylim):
    """The same limits, the shorter widened to the longer if their units are comparable."""
    if not comparable(xlim, ylim):
        return xlim, ylim
    half = max(xlim[1] - xlim[0], ylim[1] - ylim[0]) / 2
    return tuple((sum(lim) / 2 - half, sum(lim) / 2 + half) for lim in (xlim, ylim))


def frames_of(clouds) -> tuple[list, bool]:
    """The frame of each cloud, and whether all share one: not if a cloud would be a dot."""
    (left, right), (low, high) = shared = square(*limits_of(*clouds))
    own = [square(*limits_of(x)) for x in clouds]
    sizes = np.diff(own)[..., 0] / [right - left, high - low]
    return ([shared] * len(own), True) if (sizes >= 0.4).all() else (own, False)


def film_strip(axes, clouds) -> tuple[np.ndarray, list]:
    """Axes for one cloud of points after the other, and the frame of each.

    New Axes that share a frame have numbers along the left and lower edge only.
    """
    frames, shared = frames_of(clouds)
    columns = min(len(clouds), 4 if len(clouds) <= 16 else 6)
    size = (2.5 * columns, 2.6 * -(-len(clouds) // columns))
    found = panels(axes, len(clouds), columns, size)
    for k, panel in enumerate(found):
        panel.tick_params(labelsize=SMALL)
        if axes is None and shared:
            panel.tick_params(labelleft=k % columns == 0, labelbottom=k + columns >= len(found))
    return found, frames


def frame(ax, x, xlim, ylim):
    """Set the limits; count the points outside, those that are not finite included."""
    set_limits(ax, xlim, ylim)
    if out := count_outside(x, xlim, ylim):
        remark(ax, f"{out:,} outside")


def count_outside(x, xlim, ylim) -> int:
    """The number of points (n, 2) outside of the rectangle, or of cells (n, points, 2) not wholly
    inside; points that are not finite count as outside."""
    low, high = zip(xlim, ylim, strict=True)
    inside = ((x >= low) & (x <= high)).all(axis=tuple(range(1, x.ndim)))
    return len(x) - np.count_nonzero(inside)


def remark(ax, text: str):
    """A short text in the lower right corner, readable over dots; returns the text."""
    place = {"transform": ax.transAxes, "ha": "right", "va": "bottom"}
    place["bbox"] = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}
    return ax.text(0.98, 0.02, text, fontsize=SMALL, color=GREY, **place)


def set_limits(ax, xlim, ylim):
    ax.set(xlim=xlim, ylim=ylim)
    if comparable(xlim, ylim):
        ax.set_aspect("equal")
    else:
        ax.set_box_aspect(1)


def interval(name: str, limits) -> tuple[float, float]:
    low, high = (float(v) for v in limits)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name} must be (low, high) with low < high, not {limits!r}")
    return low, high


def window(xlim, ylim, around):
    """xlim and ylim, checked; those of `around` where they are None."""
    return (
        around[0] if xlim is None else interval("xlim", xlim),
        around[1] if ylim is None else interval("ylim", ylim),
    )


def name_axes(*axes):
    for ax in axes:
        ax.set(xlabel="$x_{1}$", ylabel="$x_{2}$")


def as_made(name: str, made):
    """A MADE; a TypeError for anything else."""
    if not (hasattr(made, "masks") and hasattr(made, "degrees")):
        hint = "; give its .made" if hasattr(made, "made") else ""
        raise TypeError(f"{name} takes a MADE, not {made!r}{hint}")
    return made


def heat_map(ax, cells, rows, columns, most: int = 12, **style):
    """The image of a matrix; its rows and columns have labels, of many some evenly spaced ones."""
    image = ax.imshow(cells, **style)
    for axis, labels in ((ax.yaxis, rows), (ax.xaxis, columns)):
        places = np.arange(0, len(labels), -(-len(labels) // most))
        axis.set_ticks(places, [str(labels[k]) for k in places])
        if max(cells.shape) <= 32:  # white lines between cells that are large enough
            axis.set_ticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    return image


def subscripted(symbol: str, index) -> list[str]:
    return [f"${symbol}_{{{i + 1}}}$" for i in index]
