"""Points in a plane: `scatter`, `compare`, and the `stages` of sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from ..core.typing import Context, Limits, Seed


def scatter(
    x: ArrayLike,
    labels: ArrayLike | None = None,
    ax: Axes | None = None,
    xlim: Limits = None,
    ylim: Limits = None,
) -> Axes:
    """Points x (n, 2), coloured by `labels` (n,) with a legend.

    Errors: ValueError for x not of shape (n, 2), labels of another length or too many of them, an
    empty rectangle.

    Parameters
    ----------
    x : array_like
        (n, 2).
    labels : array_like
        One label per point, e.g. its class: at most eight different values of a sortable type.
    ax : Axes
        Where to draw; None: a new figure.
    xlim, ylim : (float, float)
        The frame; None: around the points. Points outside are counted in the picture.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> ax = scatter([[0.0, 1.0], [1.0, 0.0]], labels=["left", "right"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['left', 'right']
    """
    x = drawing.points("x", x)
    names, which = drawing.classes(labels, len(x))
    ax = drawing.new_axes((4.5, 4.2)) if ax is None else ax
    for k, name in enumerate(names):
        drawing.dots(ax, x[which == k], drawing.PALETTE[k], n=len(x), label=name)
    if labels is not None:
        drawing.legend_of_dots(ax, len(x))
    drawing.frame(ax, x, *drawing.window(xlim, ylim, drawing.square(*drawing.limits_of(x))))
    drawing.name_axes(ax)
    return ax


def compare(
    data: ArrayLike, samples: ArrayLike, ax: Axes | Sequence[Axes] | None = None
) -> Axes | np.ndarray:
    """Data (n, 2) beside samples (m, 2) of a flow, in the same frame.

    Errors: ValueError for arrays that are not (n, 2).

    Parameters
    ----------
    data, samples : array_like
        (n, 2) and (m, 2).
    ax : Axes or sequence of Axes
        None or two Axes: data and samples side by side; an array of two Axes is returned. One Axes:
        the samples are drawn over the data.

    Returns
    -------
    Axes or array of two Axes
        Where they were drawn.

    Examples
    --------
    >>> left, right = compare(np.eye(2), np.zeros((3, 2)))
    >>> left.get_title(), right.get_title(), left.get_xlim() == right.get_xlim()
    ('data', 'samples', True)
    """
    data, samples = drawing.points("data", data), drawing.points("samples", samples)
    overlay = ax is not None and not isinstance(ax, Sequence | np.ndarray)
    left, right = axes = np.array([ax, ax]) if overlay else drawing.panels(ax, 2, 2, (8.4, 4.2))
    limits, n = drawing.square(*drawing.limits_of(data, samples)), max(len(data), len(samples))
    drawing.dots(left, data, drawing.BLUE, n, label="data")
    drawing.dots(right, samples, drawing.VERMILLION, n, label="samples")
    if overlay:
        drawing.legend_of_dots(ax, n)
        drawing.frame(ax, np.concatenate([data, samples]), *limits)
    else:
        for panel, x, title in ((left, data, "data"), (right, samples, "samples")):
            panel.set_title(title)
            drawing.frame(panel, x, *limits)
    drawing.name_axes(*axes)
    return ax if overlay else axes


def stages(
    flow: Any,
    n: int = 1000,
    rng: Seed = 0,
    labels: ArrayLike | None = None,
    ax: Sequence[Axes] | None = None,
    context: Context = None,
) -> np.ndarray:
    """How sampling deforms the base: a panel for the base sample, and one after every bijector.

    All panels share a frame, unless the stages differ so much in place or size that a stage would
    look like a dot. Then each panel has its own frame.

    Parameters
    ----------
    flow : flow or list
        A flow with dim 2, through which n points of its base are sent (`flow.stages`); or a list of
        (name, array (n, 2)), which is drawn.
    n : int
        Points to follow.
    rng : int or numpy Generator
        Seed of the base sample.
    labels : array_like
        (n,), labels that give each point the same colour in all panels; None: the quadrant in which
        a point starts.
    ax : sequence of Axes
        As many Axes as there are stages, in any arrangement.
    context : array_like
        For a conditional flow: one context (C,), or one for each point (n, C).

    Returns
    -------
    array of Axes
        One for every stage.

    Examples
    --------
    >>> from flowcore import flows
    >>> axes = stages(flows.maf(2, layers=2, hidden=[8], standardize=False), n=50)
    >>> [ax.get_title() for ax in axes]
    ['base', '1: MAF', '2: MAF']
    """
    found = flow
    if hasattr(flow, "stages"):
        drawing.check_plane(flow)
        z = flow.base.sample(n, np.random.default_rng(rng))
        with np.errstate(all="ignore"):  # points that overflow are counted in the picture
            found = flow.stages(z, context=context)
    arrays = [drawing.points(f"stage {name!r}", x) for name, x in found]
    if len({len(x) for x in arrays}) != 1:
        raise ValueError(f"stages need the same points in all: they have {list(map(len, arrays))}")
    kinds, which = drawing.classes(
        drawing.quadrant(arrays[0]) if labels is None else labels, len(arrays[0])
    )
    colours = np.array(drawing.PALETTE)[which]

    axes, frames = drawing.film_strip(ax, arrays)
    for k, (panel, x, (name, _)) in enumerate(zip(axes, arrays, found, strict=True)):
        drawing.dots(panel, x, colours, n=2 * len(x))
        drawing.frame(panel, x, *frames[k])
        panel.set_title(f"{k}: {name}" if k else name)
    if labels is not None:
        for kind, colour in zip(kinds, drawing.PALETTE, strict=False):
            axes[0].scatter([], [], color=colour, label=kind)
        drawing.legend_of_dots(axes[0], len(which), fontsize=drawing.SMALL)
    return axes
