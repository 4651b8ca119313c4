"""A MADE as a drawing: its units, what each may know, and the edges that its masks leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .drawing import BLACK, BLUE, PALE, SMALL, VERMILLION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..networks import MADE

MOST_UNITS = 24  # in a layer: more cannot be told apart
RADIUS = 130  # of a unit, in square points


def network(made: MADE, output: int | None = None, ax: Axes | None = None) -> Axes:
    """The units of a MADE, left to right from inputs to outputs, and the edges between them.

    The number in a unit is its degree d: it knows x_1..x_d (by degree) at most. A hidden unit reads
    units of the same degree or lower, an output reads lower ones only. With `output`, what that
    output depends on is drawn dark, and all else pale. Errors: TypeError for anything but a MADE,
    ValueError for more than 24 units in a layer, or an output that there is not.

    Parameters
    ----------
    made : MADE
        One unit is drawn for each output phi_d, whatever its `n_out`.
    output : int
        0-based: whose paths to show; None: all edges alike.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import MADE
    >>> ax = network(MADE(3, hidden=[4]), output=2)
    >>> [text.get_text() for text in ax.texts[:3]]                 # degrees of the inputs
    ['1', '2', '3']
    """
    if not (hasattr(made, "masks") and hasattr(made, "degrees")):
        hint = "; give its .made" if hasattr(made, "made") else ""
        raise TypeError(f"network takes a MADE, not {made!r}{hint}")
    degrees = [*made.degrees, made.degrees[0]]
    if max(len(d) for d in degrees) > MOST_UNITS:
        raise ValueError(
            f"a layer of {max(len(d) for d in degrees)} units cannot be drawn, only up to "
            f"{MOST_UNITS}: plots.masks takes any number"
        )
    if output is not None and not 0 <= output < made.dim:
        raise ValueError(f"output must be 0..{made.dim - 1}, not {output!r}")
    masks = [*made.masks[:-1], made.masks[-1][:, :: made.n_out]]
    active = _active(masks, output)

    ax = new_axes((1.9 * len(degrees), 0.45 * max(map(len, degrees)) + 1)) if ax is None else ax
    places = [_places(k, len(d)) for k, d in enumerate(degrees)]
    for k, mask in enumerate(masks):
        for i, j in zip(*np.nonzero(mask), strict=True):
            on = active[k][i] and active[k + 1][j]
            style = {"color": BLUE, "lw": 0.9, "zorder": 1} if on else {"color": PALE, "lw": 0.5}
            ax.plot(*zip(places[k][i], places[k + 1][j], strict=True), **{"zorder": 0, **style})
    for k, (place, units) in enumerate(zip(places, degrees, strict=True)):
        edge = [VERMILLION if k == len(degrees) - 1 and a else BLACK if a else PALE
                for a in active[k]]  # fmt: skip
        ax.scatter(*place.T, s=RADIUS, c="white", edgecolors=edge, linewidths=1.2, zorder=2)
        for (x, y), degree, on in zip(place, units, active[k], strict=True):
            ax.text(x, y, str(degree), ha="center", va="center", fontsize=SMALL, zorder=3,
                    color=BLACK if on else "0.6")  # fmt: skip
    _name_ends(ax, places, made)
    ax.set(xlim=(-0.45, len(degrees) - 0.55), ylim=(-0.08, 1.08))
    ax.axis("off")
    return ax


def _active(masks, output) -> list[np.ndarray]:
    """Which units of each layer lie on a path to the output; all if there is none."""
    active = [np.ones(masks[-1].shape[1], bool)]
    if output is not None:
        active = [np.arange(masks[-1].shape[1]) == output]
    for mask in reversed(masks):
        needed = (mask & active[0]).any(axis=1)
        active.insert(0, needed if output is not None else np.ones(len(mask), bool))
    return active


def _places(k: int, n: int) -> np.ndarray:
    """Where the n units of column k stand, the first on top."""
    return np.stack([np.full(n, float(k)), 1 - (np.arange(n) + 0.5) / n], axis=-1)


def _name_ends(ax, places, made):
    for (x, y), i in zip(places[0], range(made.dim), strict=True):
        ax.text(x - 0.14, y, f"$x_{{{i + 1}}}$", ha="right", va="center")
    for (x, y), i in zip(places[-1], range(made.dim), strict=True):
        ax.text(x + 0.14, y, rf"$\phi_{{{i + 1}}}$", ha="left", va="center")
    names = ["input", *(f"hidden {k}" for k in range(1, len(places) - 1)), "output"]
    for place, name in zip(places, names, strict=True):
        ax.text(place[0, 0], 1.04, name, ha="center", va="bottom", fontsize=9)
