"""Rows of many columns: every pair of columns, data and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from ..core import imported
from ..core.inputs import as_numbers, column_labels, selected
from .drawing import BLUE, GREY, SMALL, VERMILLION, dots, limits_of, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

MOST = 12  # columns: smaller panels show nothing
DOTS, FEW = 2000, 300  # in a panel: more hide each other; samples are as many as rows, or a few
BINS = 30
INKS = BLUE, VERMILLION  # of data, and of samples
CELLS, WIDER = 128, 0.15  # of the grid of an outline, and how far it is wider than the panel
SHARES = (0.5, 0.95)  # of the samples that lie inside of an outline
SPREAD, LETTERS = 0.35, 12  # of codes; of a category's text
CELL = 1.15  # inches, the side of a panel among many; among few it is larger


def pairs(
    x: ArrayLike,
    samples: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    ax: Sequence[Axes] | None = None,
    categories: Mapping[int, Sequence[str]] | None = None,
) -> np.ndarray:
    """Every pair of columns: data below the diagonal, samples above it, histograms on it.

    A panel and its mirror image show the same two columns within the same limits. Lines over the
    data enclose 50% and 95% of the samples. Panels show at most 2000 rows, and the same number of
    samples, evenly spaced; lines and histograms use all rows and samples. A few distant outliers
    are left out of the frame, and counted in the histogram of their column: rows, then samples.
    Codes of categories are spread by noise, and each has a bar for its share. A NaN is not drawn in
    the panels of its column. Errors: ValueError for rows that are not (n, D) with 1 <= D <= 12, for
    samples of another D, and for a wrong number of names.

    Parameters
    ----------
    x : array_like
        (n, D), the data; a table with names is fine.
    samples : array_like
        (m, D), samples of a flow; None: the data are drawn above the diagonal, too.
    names : sequence of str
        Names of the columns; None: those of the table, else x_1, x_2, ...
    ax : sequence of Axes
        D^2 Axes, row by row.
    categories : mapping
        Position of a column that has codes 0, 1, ... -> the text of each code.

    Returns
    -------
    array of Axes
        (D, D), the panels.

    Examples
    --------
    >>> axes = pairs(np.eye(3), np.zeros((5, 3)), names=["age", "income", "height"])
    >>> axes[2, 0].get_xlabel(), axes[2, 0].get_ylabel(), axes[0, 0].get_ylabel()
    ('age', 'height', 'age')
    """
    names = _names(names, x)
    samples = selected("samples", samples, column_labels(x))
    tables = [_rows("x", x, len(names))]
    tables += [] if samples is None else [_rows("samples", samples, len(names))]
    frames = [limits_of(*(rows[:, [j, j]] for rows in tables))[0] for j in range(len(names))]
    edges, categories = [np.linspace(*frame, BINS + 1) for frame in frames], categories or {}
    for j, texts in categories.items():
        edges[j] = np.arange(len(texts) + 1) - 0.5
        frames[j] = -0.5, len(texts) - 0.5
    shown = [_spread(rows, [*categories]) for rows in tables]
    dim = len(names)
    side = max(CELL, min(2.2, 7 / dim)) * dim + 1
    axes = panels(ax, dim * dim, dim, (side, side)).reshape((dim, dim))
    n_dots = min(max(len(tables[0]), FEW), DOTS)
    for (i, j), panel in np.ndenumerate(axes):
        if i == j:
            _histograms(panel, [rows[:, i] for rows in tables], edges[i])
            continue
        rows, colour = (shown[-1], INKS[len(tables) - 1]) if i < j else (shown[0], INKS[0])
        rows = rows[:: max(1, -(-len(rows) // n_dots)), [j, i]]
        dots(panel, rows, colour, len(rows), scale=2.5 / (len(names) + 1.5))
        if i > j and len(tables) == 2 and not {i, j} & {*categories}:
            outlines(panel, tables[1][:, [j, i]], frames[j], frames[i])
        panel.set(xlim=frames[j], ylim=frames[i])
    _label(axes, names, categories)
    if len(tables) == 2:
        _legend(axes[0, 0].figure)
    return axes


def _names(names, x) -> list[str]:
    labels = column_labels(x) if names is None else list(names)
    shape = np.shape(x)
    if len(shape) != 2 or not 1 <= shape[1] <= MOST:
        hint = (
            f"; choose some of them, x[:, :{MOST}]" if len(shape) == 2 and shape[1] > MOST else ""
        )
        raise ValueError(f"pairs draws rows (n, D) of 1 to {MOST} columns, not {shape}{hint}")
    if labels is None:
        return [f"$x_{{{j + 1}}}$" for j in range(shape[1])]
    if len(labels) != shape[1]:
        raise ValueError(f"{len(labels)} names, but x has {shape[1]} columns")
    return [str(label).replace("$", r"\$") for label in labels]


def _rows(name, x, dim) -> np.ndarray:
    x = as_numbers(name, x).astype(float, copy=False)
    if x.ndim != 2 or x.shape[1] != dim:
        raise ValueError(f"{name} has shape {x.shape}, but x has {dim} columns: (n, {dim})")
    return x


def _spread(x: np.ndarray, codes: list[int]) -> np.ndarray:
    """x with noise in the columns of codes, so that dots do not hide each other."""
    x, rng = x.copy(), np.random.default_rng(0)
    x[:, codes] += rng.uniform(-SPREAD, SPREAD, (len(x), len(codes)))
    return x


def outlines(panel, x, xlim, ylim, fill=None):
    """Lines that enclose half of the points x (n, 2), and 95%; or areas, with two colours."""
    smooth = imported("scipy.ndimage").gaussian_filter
    edges = [np.linspace(low - WIDER * (high - low), high + WIDER * (high - low), CELLS + 1)
             for low, high in (xlim, ylim)]  # fmt: skip
    counts, *_ = np.histogram2d(x[:, 0], x[:, 1], edges)
    if not counts.any():
        return
    height = smooth(counts, 0.07 * CELLS * counts.sum() ** (-1 / 6))  # half of Scott's rule
    ordered = np.sort(height, axis=None)[::-1]
    inside = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(inside, share)]) for share in SHARES})
    middles = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    if fill is None:
        panel.contour(*middles, height.T, levels, colors=VERMILLION, linewidths=0.8)
    else:
        above = [*levels, 2 * height.max()]
        panel.contourf(*middles, height.T, above, colors=fill[-len(levels) :])


def _histograms(panel, columns, edges):
    """Shares of the data in bins, and of the samples as a line; how many values lie outside."""
    frame, outside = edges[[0, -1]], []
    styles = {"color": BLUE, "alpha": 0.45}, {"histtype": "step", "color": VERMILLION, "lw": 1.2}
    for column, style in zip(columns, styles, strict=False):
        column = column[~np.isnan(column)]
        inside = column[(column >= frame[0]) & (column <= frame[1])]
        panel.hist(inside, edges, weights=np.full(len(inside), 1 / max(len(column), 1)), **style)
        outside.append(len(column) - len(inside))
    panel.set(xlim=frame, yticks=[])
    panel.margins(y=0.2)
    if any(outside):
        counts = [f"{out:,}" for out in outside if out]
        panel.text(0.98, 0.97, f"{' + '.join(counts)} outside", ha="right", va="top",
                   fontsize=SMALL - 2, color=GREY, transform=panel.transAxes)  # fmt: skip


def _label(axes, names, categories):
    """Names, and numbers or texts, along the left and lower edge only."""
    many = len(names) > 5
    points = SMALL if many else 10
    room = axes[0, 0].get_window_extent().width * 72 / axes[0, 0].figure.dpi
    names = [_in_two_lines(name, max(6, int(room / (0.52 * points)))) for name in names]
    for (i, j), panel in np.ndenumerate(axes):
        panel.set_xlabel(names[j], fontsize=points)
        panel.set_ylabel(names[i], fontsize=points)
        panel.tick_params(labelsize=SMALL - 1, length=2, pad=1)
        panel.tick_params("x", labelrotation=45 if many else 0)
        for axis, k in ((panel.xaxis, j), (panel.yaxis, i)):
            if k not in categories:
                axis.get_major_locator().set_params(nbins=3)
                axis.get_major_formatter().set_powerlimits((-3, 6))
                axis.get_offset_text().set_size(SMALL - 1)
            elif axis is panel.xaxis or i != j:
                axis.set_ticks(range(len(categories[k])), map(_short, categories[k]))
        if j in categories:
            panel.tick_params("x", labelrotation=90)
        panel.label_outer(remove_inner_ticks=True)
    axes[0, 0].figure.align_labels(axes)


def _short(text: str) -> str:
    text = text if len(text) <= LETTERS else f"{text[: LETTERS - 2]}.."
    return text.replace("$", r"\$")


def _in_two_lines(name: str, letters: int) -> str:
    """A long name, broken at spaces and underscores; it may lose its end."""
    if name.startswith("$"):
        return name
    lines = wrap(name.replace("_", "_ "), letters, max_lines=2, placeholder="..")
    return "\n".join(lines).replace("_ ", "_")


def _legend(figure):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [Patch(color=BLUE, alpha=0.6, label="data"),
               Patch(color=VERMILLION, alpha=0.6, label="samples"),
               Line2D([], [], color=VERMILLION, lw=1, label="50% and 95% of them")]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False,
                  fontsize=SMALL + 1, handlelength=1.4)  # fmt: skip
