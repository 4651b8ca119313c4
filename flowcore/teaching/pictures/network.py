"""A MADE as a drawing: its units, their degrees, and the edges that its masks leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...plots.drawing import BLACK, BLUE, PALE, SMALL, VERMILLION, as_made, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...networks import MADE

MOST_UNITS = 24  # in a layer: more are too small
AREA = 150  # of a unit, in square points


def network(made: MADE, output: int | None = None, ax: Axes | None = None) -> Axes:
    """The units of a MADE, left to right from inputs to outputs, and the edges between them.

    The number in a unit is its degree d. A hidden unit of degree d reads units of the same degree
    or lower, so it depends at most on the inputs of degree 1..d. An output reads units of lower
    degree only. With `output`, the units and edges that this output depends on are dark, all others
    pale. Biases and the context, which every unit may read, are not drawn. Errors: TypeError for
    anything but a MADE; ValueError for more than 24 units in a layer, for a residual MADE, for an
    output that does not exist.

    Parameters
    ----------
    made : MADE
        One unit is drawn for each output phi_d, whatever its `n_out`.
    output : int
        The output whose paths are shown, counted from 0; None: all edges alike.
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
    _check(made, output)
    degrees = [made.degrees[0][made.features], *made.degrees[1:], made.degrees[0]]
    masks = [*made.masks[:-1], made.masks[-1][:, :: made.n_out]]
    active = _active(masks, output)

    ax = new_axes((1.9 * len(degrees), 0.42 * max(map(len, degrees)) + 1)) if ax is None else ax
    places = [_places(k, len(d)) for k, d in enumerate(degrees)]
    for k, mask in enumerate(masks):
        for i, j in np.argwhere(mask):
            on = active[k][i] and active[k + 1][j]
            style = {"color": BLUE, "lw": 1.1} if on else {"color": PALE, "lw": 0.7}
            ax.plot(*zip(places[k][i], places[k + 1][j], strict=True), zorder=int(on), **style)
    for k, (place, units) in enumerate(zip(places, degrees, strict=True)):
        ink = VERMILLION if k == len(degrees) - 1 else BLACK
        edges = [ink if on else "0.75" for on in active[k]]
        ax.scatter(*place.T, s=AREA, c="white", edgecolors=edges, linewidths=1.4, zorder=2)
        for (x, y), degree, on in zip(place, units, active[k], strict=True):
            ax.text(x, y, str(degree), ha="center", va="center", fontsize=SMALL, zorder=3,
                    color=BLACK if on else "0.6")  # fmt: skip
    _name_ends(ax, places, active, made)
    ax.set(xlim=(-0.45, len(degrees) - 0.55), ylim=(0, 1.08))
    ax.axis("off")
    return ax


def _check(made, output):
    widest = max(map(len, as_made("network", made).degrees))
    if widest > MOST_UNITS:
        raise ValueError(
            f"a layer of {widest} units cannot be drawn, only up to {MOST_UNITS}: plots.masks "
            "takes any number"
        )
    if made.residual:
        raise ValueError(f"the skips of a residual network are not drawn: {made!r}")
    if output is not None and output not in range(made.dim):
        raise ValueError(f"output must be an integer 0..{made.dim - 1}, not {output!r}")


def _active(masks, output) -> list[np.ndarray]:
    """Which units of each layer lie on a path to the output; all if there is none."""
    if output is None:
        return [np.ones(n, bool) for n in (*map(len, masks), masks[-1].shape[1])]
    active = [np.arange(masks[-1].shape[1]) == output]
    for mask in reversed(masks):
        active.insert(0, (mask & active[0]).any(axis=1))
    return active


def _places(k: int, n: int) -> np.ndarray:
    """Where the n units of column k stand, the first on top."""
    return np.stack([np.full(n, float(k)), 1 - (np.arange(n) + 0.5) / n], axis=-1)


def _name_ends(ax, places, active, made):
    """x_i before the inputs (twice before an angle's cosine and sine), phi_i after the outputs, a
    heading over each column."""
    ends = (0, "x", -10, "right", made.features), (-1, r"\phi", 10, "left", range(made.dim))
    for k, symbol, points, side, names in ends:
        for i, place, on in zip(names, places[k], active[k], strict=True):
            ax.annotate(f"${symbol}_{{{i + 1}}}$", place, (points, 0), textcoords="offset points",
                        ha=side, va="center", color=BLACK if on else "0.6")  # fmt: skip
    names = ["input", *(f"hidden {k}" for k in range(1, len(places) - 1)), "output"]
    for place, name in zip(places, names, strict=True):
        ax.text(place[0, 0], 1.03, name, ha="center", va="bottom")
