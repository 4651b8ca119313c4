"""The masks of a MADE, and their product: which output depends on which input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from .drawing import BLUE, PALE, as_made, heat_map, panels, subscripted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..networks import MADE


def masks(made: MADE, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """The masks of a MADE, layer by layer, and their product: which output reads which input.

    Rows are the units that a layer reads, columns the units that it computes. So the columns of one
    panel are the rows of the next. Rows and columns are labelled by degree. Blue is a connection:
    degree of the row <= degree of the column, and < in the output layer. In the product the units
    are labelled by name: output phi_d depends on x_i if some path leads from one to the other.
    Errors: TypeError for anything but a MADE.

    Parameters
    ----------
    made : MADE
        A MADE with L hidden layers.
    ax : sequence of Axes
        L + 2 Axes, in any arrangement: L + 1 for the masks, the last one for the product.

    Returns
    -------
    array of Axes
        One for every mask, the last one for the product.

    Examples
    --------
    >>> from flowcore import MADE
    >>> axes = masks(MADE(3, hidden=[4]))
    >>> axes[-1].images[0].get_array().tolist()            # rows x_1..x_3, columns phi_1..phi_3
    [[False, True, True], [False, False, True], [False, False, False]]
    """
    from matplotlib.colors import ListedColormap

    layers = as_made("masks", made).masks
    sees = reduce(np.matmul, layers)  # of booleans: is there a path
    sees = sees.reshape(-1, made.dim, made.n_out).any(axis=-1)
    sees = np.array([sees[made.features == i].any(axis=0) for i in range(made.dim)])
    axes, aspect = _mask_panels(ax, [mask.shape for mask in (*layers, sees)])
    style = {"cmap": ListedColormap([PALE, BLUE]), "vmin": 0, "vmax": 1, "aspect": aspect}

    names = ["input", *(f"hidden {k}" for k in range(1, len(layers))), "output"]
    read = made.degrees[0][made.features]
    degrees = [read, *made.degrees[1:], np.repeat(made.degrees[0], made.n_out)]
    for k, mask in enumerate(layers):
        heat_map(axes[k], mask, degrees[k], degrees[k + 1], **style)
        axes[k].set_title(f"{names[k]} to {names[k + 1]}", fontsize="medium")
        axes[k].set(ylabel=f"degree of {names[k]}", xlabel=f"degree of {names[k + 1]}")
    x, phi = (subscripted(symbol, range(made.dim)) for symbol in ("x", r"\phi"))
    heat_map(axes[-1], sees, x, phi, most=8, **style)
    axes[-1].set_title("product", fontsize="medium")
    axes[-1].set(ylabel="input", xlabel="output")
    for panel in axes:
        panel.set_anchor("N")
    return axes


def _mask_panels(axes, shapes):
    """Panels in one row; small masks have cells of one size throughout, large ones panels."""
    widths = [columns for _, columns in shapes]
    height = max(rows for rows, _ in shapes)
    cell = min(0.28, 9 / sum(widths))  # inches
    if cell < 0.1 or cell * min(rows for rows, _ in shapes) < 1.1:
        return panels(axes, len(shapes), len(shapes), (2.9 * len(shapes), 3.3)), "auto"
    size = (cell * sum(widths) + 0.7 * len(shapes), cell * height + 1.4)
    return panels(axes, len(shapes), len(shapes), size, width_ratios=widths), "equal"
