"""A grid of coloured cells, carried through the layers of a flow: `grid`, `grid_animation`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.inputs import check_dim
from ...plots import drawing

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

    from ...core.typing import Context, Limits

PALER = 0.7  # of the way to white: every other cell, so that cells differ in grey, too
ON_A_SIDE = 48  # points on each side of a cell: a steep layer stretches a short piece across a gap
HOLD = 6  # frames that an animation rests at each stage


def grid(
    flow: Any,
    cells: int = 10,
    reach: float = 2.5,
    ax: Sequence[Axes] | None = None,
    context: Context = None,
    xlim: Limits = None,
    ylim: Limits = None,
) -> np.ndarray:
    """A grid over the base, and what every layer makes of it: where cells grow, density thins out.

    Each cell keeps the colour of its quadrant of the base, light and dark in turn; `stages` has the
    same colours. A layer multiplies a cell's area by |det dx/dz| and does not change the mass in
    it. All panels share a frame, unless a grid would be a dot in it. Then each panel has its own
    frame. Cells that are not finite, or not wholly in the frame, are counted in the picture.
    Errors: ValueError for a dim other than 2, fewer than two cells, a reach that is not positive,
    an empty frame; TypeError for anything but a flow or a bijector.

    Parameters
    ----------
    flow : flow or bijector
        A flow (base, then one panel for every bijector), or one bijector (before, after).
    cells : int
        Number of cells along each side of the square [-reach, reach]^2 of the base.
    reach : float
        Half the side of that square; 2.5 holds 97.5% of N(0, I).
    ax : sequence of Axes
        As many Axes as there are stages, in any arrangement; None: a new figure.
    context : array_like
        For a conditional flow: one context, (C,).
    xlim, ylim : (float, float)
        One frame for all panels; None: around the cells.

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
    names, outlines = _stages_of_cells(flow, cells, reach, context)
    axes, frames = drawing.film_strip(ax, [outline.reshape(-1, 2) for outline in outlines])
    for panel, name, outline, around in zip(axes, names, outlines, frames, strict=True):
        _draw_cells(panel, outline, cells)
        limits = drawing.window(xlim, ylim, around)
        drawing.set_limits(panel, *limits)
        if out := _outside(outline, *limits):
            drawing.remark(panel, out)
        panel.set_title(name)
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
    the points move along straight lines, because the layer itself has no state halfway. If the
    stages cannot share a frame, the frame moves, too. Errors: as in `grid`.

    Parameters
    ----------
    flow : flow or bijector
        As for `grid`.
    cells : int
        Number of cells along each side of the square of the base.
    reach : float
        Half the side of that square.
    frames : int
        Number of pictures between one stage and the next.
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

    names, outlines = _stages_of_cells(flow, cells, reach, context)
    frames = check_dim("frames", frames)
    around = np.array(drawing.frames_of([outline.reshape(-1, 2) for outline in outlines])[0])
    # no layout engine: it would move the panel while the numbers at its edges change
    ax = drawing.new_figure((4.2, 4.4), layout="none").subplots() if ax is None else ax
    polygons, counted = _draw_cells(ax, outlines[0], cells), drawing.remark(ax, "")
    ax.set_box_aspect(1)

    def draw(moment):
        k, share = moment
        goal = min(k + 1, len(names) - 1)
        outline = _between(outlines[k], outlines[goal], share)
        limits = _between(around[k], around[goal], share)
        polygons.set_verts(_finite_cells(outline))
        ax.set(xlim=limits[0], ylim=limits[1], title=names[k if share < 0.5 else goal])
        counted.set_text(_outside(outline, *limits))
        return [polygons, counted]

    draw((0, 0.0))
    return FuncAnimation(ax.figure, draw, frames=list(_moments(len(names), frames)), interval=80)


def _moments(n_stages: int, frames: int) -> Iterator[tuple[int, float]]:
    """(stage, share of the way to the next), slow at both ends; a rest at every stage."""
    for k in range(n_stages):
        yield from [(k, 0.0)] * HOLD
        if k + 1 < n_stages:
            t = (np.arange(frames) + 1) / (frames + 1)
            yield from ((k, float(share)) for share in t * t * (3 - 2 * t))


def _between(start, goal, share: float):
    """`share` of the way from start to goal, which may be infinite."""
    with np.errstate(all="ignore"):
        return start if share == 0 else (1 - share) * start + share * goal


def _stages_of_cells(flow, cells, reach, context) -> tuple[list[str], list[np.ndarray]]:
    """The titles of the stages, and the outlines of all cells there, (cells^2, points, 2) each."""
    if not (hasattr(flow, "stages") or hasattr(flow, "forward")):
        raise TypeError(f"grid takes a flow or a bijector, not {flow!r:.60}")
    drawing.check_plane(flow)
    cells = check_dim("cells", cells, 2)
    if not 0 < reach < np.inf:
        raise ValueError(f"reach must be a finite number > 0, not {reach!r}")
    start = _outlines(cells, reach)
    z = start.reshape(-1, 2)
    with np.errstate(all="ignore"):  # cells that overflow are counted in the picture
        if hasattr(flow, "stages"):
            found = flow.stages(z, context=context)
            names = [f"{k}: {name}" if k else name for k, (name, _) in enumerate(found)]
            images = [image for _, image in found]
        else:
            names, images = ["before", "after"], [z, flow.forward(z, context=context)]
    return names, [np.asarray(image, float).reshape(start.shape) for image in images]


def _outlines(cells: int, reach: float) -> np.ndarray:
    """The outlines of the cells, row by row from below, (cells^2, 4 ON_A_SIDE, 2)."""
    t = np.linspace(0, 1, ON_A_SIDE, endpoint=False)
    low, high = np.zeros_like(t), np.ones_like(t)
    share = np.concatenate(  # of the way from the lower left corner to the upper right one
        [np.stack(edge, -1) for edge in ((t, low), (high, t), (1 - t, high), (low, 1 - t))]
    )
    edges = np.linspace(-reach, reach, cells + 1)
    begin, end = (
        np.stack(np.meshgrid(e, e), -1).reshape(-1, 1, 2) for e in (edges[:-1], edges[1:])
    )
    return (1 - share) * begin + share * end


def _finite_cells(outline: np.ndarray) -> np.ndarray:
    """The outlines, NaN all round where a cell is not finite: such a polygon is not drawn."""
    return np.where(np.isfinite(outline).all(axis=(1, 2), keepdims=True), outline, np.nan)


def _outside(outline: np.ndarray, xlim, ylim) -> str:
    """How many cells are not wholly in the frame; nothing if all are."""
    out = drawing.count_outside(outline, xlim, ylim)
    return f"{out} of {len(outline)} cells outside" if out else ""


def _draw_cells(ax, outline: np.ndarray, cells: int):
    """All cells, in their colours."""
    from matplotlib.collections import PolyCollection

    polygons = PolyCollection(
        _finite_cells(outline), facecolors=_colours(cells), edgecolors="white", linewidths=0.3
    )
    ax.add_collection(polygons)
    return polygons


def _colours(cells: int) -> np.ndarray:
    """The colour of each cell, (cells^2, 4): of its quadrant, as in `stages`, dark or light."""
    from matplotlib.colors import to_rgba_array

    middle = np.arange(cells) - (cells - 1) / 2
    middles = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    rgba = to_rgba_array(drawing.PALETTE)[drawing.quadrant(middles)]
    pale = np.indices((cells, cells)).sum(axis=0).ravel() % 2 == 1
    rgba[pale, :3] += PALER * (1 - rgba[pale, :3])
    return rgba
