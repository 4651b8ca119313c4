"""A grid of coloured cells, carried through the layers of a flow: `grid`, `grid_animation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.inputs import check_dim
from .drawing import (
    BLUE,
    GREEN,
    ORANGE,
    SMALL,
    VERMILLION,
    check_plane,
    frame,
    limits_of,
    new_axes,
    panels,
    square,
)

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

    from .._typing import Context, Limits

# A colour for each quadrant of the base; light and dark cells in turn, so that it reads in grey
QUADRANTS = (BLUE, ORANGE, GREEN, VERMILLION)
PALER = 0.45  # of every other cell
ON_A_SIDE = 8  # points on each side of a cell: enough for its sides to bend
HOLD = 6  # frames that an animation rests at each stage


def grid(
    flow: Any,
    cells: int = 10,
    reach: float = 2.5,
    ax: Any = None,
    context: Context = None,
    xlim: Limits = None,
    ylim: Limits = None,
) -> np.ndarray:
    """A grid over the base, and what every layer makes of it: where cells grow, density thins out.

    The cells of a quadrant have its colour, light and dark in turn, and keep it. A cell's area is
    multiplied by |det dx/dz|; the mass in it stays what it was. Errors: ValueError for a dim other
    than 2, fewer than two cells, a reach that is not positive.

    Parameters
    ----------
    flow : flow or bijector
        A flow (base, then one panel for every bijector), or one bijector (before, after).
    cells : int
        On each side of the square [-reach, reach]^2 of the base.
    reach : float
        Half the side of that square; 2.5 holds 97.5% of N(0, I).
    ax : sequence of Axes
        As many Axes as there are stages, in any arrangement; None: a new figure.
    context : array_like
        For a conditional flow: one context, (C,).
    xlim, ylim : (float, float)
        One frame for all panels; None: each has its own, around its cells.

    Returns
    -------
    array of Axes
        One for every stage.

    Examples
    --------
    >>> from flowcore import ElementwiseAffine
    >>> before, after = grid(ElementwiseAffine([0.0, 0.0], [2.0, 1.0]), cells=4)
    >>> len(before.collections[0].get_paths()), len(after.collections[0].get_paths())
    (16, 16)
    """
    names, sides = _stages_of_cells(flow, cells, reach, context)
    columns = min(len(names), 4)
    axes = panels(ax, len(names), columns, (2.5 * columns, 2.7 * -(-len(names) // columns)))
    for k, (panel, name) in enumerate(zip(axes, names, strict=True)):
        _draw_cells(panel, sides[k], cells)
        corners = sides[k].reshape(-1, 2)
        around = square(*limits_of(corners))
        frame(panel, corners, xlim or around[0], ylim or around[1])
        panel.set_title(f"{k}: {name}" if k else name)
        panel.tick_params(labelsize=SMALL)
    return axes


def grid_animation(
    flow: Any,
    cells: int = 10,
    reach: float = 2.5,
    frames: int = 12,
    ax: Axes | None = None,
    context: Context = None,
) -> FuncAnimation:
    """The grid of `grid` on its way through the layers, as a film.

    `grid_animation(flow).save("grid.gif", writer="pillow", fps=12)` writes it. Between two stages
    the points go straight on: the layer itself has no "half of the way". Errors: as in `grid`.

    Parameters
    ----------
    flow : flow or bijector
        As for `grid`.
    cells : int
        On each side of the square of the base.
    reach : float
        Half the side of that square.
    frames : int
        Of the way from one stage to the next.
    ax : Axes
        Where to draw; None: a new figure.
    context : array_like
        For a conditional flow: one context, (C,).

    Returns
    -------
    FuncAnimation
        Of matplotlib; keep it until it is saved.

    Examples
    --------
    >>> from flowcore import ElementwiseAffine
    >>> film = grid_animation(ElementwiseAffine([0.0, 0.0], [2.0, 1.0]), cells=4, frames=3)
    >>> len(list(film.new_frame_seq()))
    15
    >>> film._draw_was_started = True              # or matplotlib warns that nobody saved it
    """
    from matplotlib.animation import FuncAnimation

    names, sides = _stages_of_cells(flow, cells, reach, context)
    frames = check_dim("frames", frames)
    ax = new_axes((4.2, 4.4)) if ax is None else ax
    polygons = _draw_cells(ax, sides[0], cells)
    limits = square(*limits_of(*(stage.reshape(-1, 2) for stage in sides)))
    moments = list(_moments(len(names), frames))

    def draw(moment):
        k, share = moment
        goal = min(k + 1, len(names) - 1)
        polygons.set_verts((1 - share) * sides[k] + share * sides[goal])
        shown = names[k] if share < 0.5 else names[goal]
        number = k if share < 0.5 else goal
        ax.set_title(f"{number}: {shown}" if number else shown)
        return [polygons]

    frame(ax, np.empty((0, 2)), *limits)
    film = FuncAnimation(ax.figure, draw, frames=moments, interval=80)
    return film


def _moments(n_stages: int, frames: int) -> Iterator[tuple[int, float]]:
    """(stage, share of the way to the next), slow at both ends; a rest at every stage."""
    for k in range(n_stages):
        yield from [(k, 0.0)] * HOLD
        if k + 1 < n_stages:
            t = (np.arange(frames) + 1) / (frames + 1)
            yield from ((k, float(share)) for share in t * t * (3 - 2 * t))


def _stages_of_cells(flow, cells, reach, context) -> tuple[list[str], list[np.ndarray]]:
    """The stages' names, and the outlines of all cells there, (cells^2, points, 2) each."""
    check_plane(flow)
    cells = check_dim("cells", cells, 2)
    if not 0 < reach < np.inf:
        raise ValueError(f"reach must be a finite number > 0, not {reach!r}")
    outlines = _outlines(cells, reach)
    found = _stages(flow, context)(outlines.reshape(-1, 2))
    with np.errstate(all="ignore"):
        return [name for name, _ in found], [x.reshape(outlines.shape) for _, x in found]


def _stages(flow, context) -> Callable:
    """points -> [(name, where they are)] of a flow, or of one bijector."""
    if hasattr(flow, "stages"):
        return lambda z: flow.stages(z, context=context)
    if hasattr(flow, "forward"):
        return lambda z: [("before", z), ("after", flow.forward(z, context=context))]
    raise TypeError(f"grid takes a flow or a bijector, not {flow!r:.60}")


def _outlines(cells: int, reach: float) -> np.ndarray:
    """The outlines of the cells, row by row, (cells^2, 4 ON_A_SIDE, 2)."""
    side = 2 * reach / cells
    t = np.linspace(0, 1, ON_A_SIDE, endpoint=False)
    low, high = np.zeros_like(t), np.ones_like(t)
    outline = np.concatenate(
        [np.stack(edge, -1) for edge in ((t, low), (high, t), (1 - t, high), (low, 1 - t))]
    )
    corner = -reach + side * np.arange(cells)
    corners = np.stack(np.meshgrid(corner, corner), axis=-1).reshape(-1, 1, 2)
    return corners + side * outline


def _draw_cells(ax, outlines, cells: int):
    """All cells, in their colours."""
    from matplotlib.collections import PolyCollection

    polygons = PolyCollection(
        outlines, facecolors=_colours(cells), edgecolors="white", linewidths=0.3
    )
    ax.add_collection(polygons)
    return polygons


def _colours(cells: int) -> np.ndarray:
    """The colour of each cell, (cells^2, 4)."""
    from matplotlib.colors import to_rgba_array

    middle = np.arange(cells) - (cells - 1) / 2
    x1, x2 = (m.ravel() for m in np.meshgrid(middle, middle))
    quadrant = 2 * (x2 < 0) + ((x1 < 0) ^ (x2 < 0))
    rgba = to_rgba_array(QUADRANTS)[quadrant]
    pale = (np.indices((cells, cells)).sum(axis=0) % 2 == 1).ravel()
    rgba[pale, :3] += (1 - PALER) * (1 - rgba[pale, :3])
    return rgba
