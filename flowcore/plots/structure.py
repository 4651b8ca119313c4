"""What depends on what: the Jacobian of a bijector, the masks of a MADE."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from autograd.core import make_vjp

from ..bijectors import Bijector
from ..core.inputs import as_integers, as_numbers
from .drawing import BLUE, PALE, new_axes, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from .._typing import Context
    from ..distributions import TransformedDistribution
    from ..networks import MADE


def jacobian(
    bijector: Bijector | TransformedDistribution,
    x: ArrayLike,
    direction: str = "inverse",
    order: ArrayLike | None = None,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """Heat map of the Jacobian at one point: J[i, j] = d z_i / d x_j, or d x_i / d z_j.

    Entries that are exactly 0 are grey, however small the others are. The title gives log |det J|
    in nats. Cost: one pass over D rows and its gradient, in float64. Errors: ValueError for a
    wrong shape, direction or order, and for a Jacobian that is not finite.

    Parameters
    ----------
    bijector : Bijector or TransformedDistribution
        A bijector, or a flow (its bijector is taken).
    x : array_like
        (D,), where: a point of the data for "inverse", of the base for "forward".
    direction : str
        "inverse" or "forward".
    order : array_like
        The degrees of the coordinates, a permutation of 1..D as for a MADE (for a MAF:
        `maf.made.degrees[0]`): rows and columns are sorted by it, which makes the Jacobian of an
        autoregressive bijector a lower triangle whatever its order.
    ax : Axes
        Where to draw; None: a new figure.
    context : array_like
        For a conditional bijector: one context, (C,).

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import Permute
    >>> ax = jacobian(Permute([1, 2, 0]), np.zeros(3))
    >>> ax.images[0].get_array().filled(0.0).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    from matplotlib import colormaps

    bijector = bijector if isinstance(bijector, Bijector) else getattr(bijector, "bijector", None)
    if bijector is None:
        raise TypeError("jacobian takes a bijector or a flow")
    if direction not in ("inverse", "forward"):
        raise ValueError(f'direction must be "inverse" or "forward", not {direction!r}')
    matrix = _jacobian_matrix(bijector, x, direction, context)
    index = _by_degree(order, bijector.dim)
    matrix = matrix[np.ix_(index, index)]
    out, into = "zx" if direction == "inverse" else "xz"

    ax = new_axes((5.2, 4.5)) if ax is None else ax
    bound, cells = np.abs(matrix).max(), np.ma.masked_equal(matrix, 0.0)
    colours = colormaps["RdBu_r"].with_extremes(bad=PALE)
    image = ax.imshow(cells, cmap=colours, vmin=-bound, vmax=bound)
    ax.figure.colorbar(image, ax=ax, label=rf"$\partial {out}_i \,/\, \partial {into}_j$")
    if bijector.dim <= 8:
        _write_numbers(ax, matrix, bound)
    _cell_edges(ax, matrix.shape)
    _unit_ticks(ax.yaxis, _subscripted(out, index))
    _unit_ticks(ax.xaxis, _subscripted(into, index))
    log_det = np.linalg.slogdet(matrix)[1]
    ax.set_title(rf"$\log\,|\det\, \partial {out} / \partial {into}|$ = {log_det:.3f}")
    if cells.mask.any():
        _legend_below(ax, "exactly 0", PALE)
    return ax


def _jacobian_matrix(bijector, x, direction, context) -> np.ndarray:
    """J (D, D) by reverse differentiation: row i is the gradient of output i."""
    x = as_numbers("x", x).astype(float, copy=False)
    if x.shape != (bijector.dim,):
        raise ValueError(f"x must be one point, of shape ({bijector.dim},), not {x.shape}")
    if bijector.params.dtype != float:
        bijector = bijector.with_params(bijector.params.astype(float))
    run = getattr(bijector, direction)
    # D copies of the point, so that one backward pass gives all rows
    vjp, _ = make_vjp(lambda rows: run(rows, context=context), np.tile(x, (bijector.dim, 1)))
    matrix = np.asarray(vjp(np.eye(bijector.dim)))
    if not np.isfinite(matrix).all():
        raise ValueError(f"the Jacobian of {direction} at {x} is not finite")
    return matrix


def _by_degree(order, dim: int) -> np.ndarray:
    """The coordinates (0-based) sorted by the degrees in `order`."""
    degrees = np.arange(1, dim + 1) if order is None else as_integers("order", order)
    if degrees.shape != (dim,) or not np.array_equal(np.sort(degrees), np.arange(1, dim + 1)):
        raise ValueError(f"order must be a permutation of 1..{dim}, not {degrees.tolist()}")
    return np.argsort(degrees)


def masks(made: MADE, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """The masks of a MADE, layer by layer, and their product: which output sees which input.

    Rows are the units a layer reads, columns those it computes, both labelled by degree, so that
    the columns of one panel are the rows of the next. Blue is a connection: degree of the row <=
    degree of the column, and < in the output layer. In the product the units go by their names:
    output phi_d sees x_i if some path leads from one to the other.
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
    if not (hasattr(made, "masks") and hasattr(made, "degrees")):
        hint = "; give its .made" if hasattr(made, "made") else ""
        raise TypeError(f"masks takes a MADE, not {made!r}{hint}")
    layers = made.masks
    sees = reduce(np.matmul, layers)  # of booleans: is there a path
    sees = sees.reshape(made.dim, made.dim, made.n_out).any(axis=-1)
    axes, aspect = _mask_panels(ax, [mask.shape for mask in (*layers, sees)])

    names = ["input", *(f"hidden {k}" for k in range(1, len(layers))), "output"]
    degrees = [*made.degrees, np.repeat(made.degrees[0], made.n_out)]
    for k, mask in enumerate(layers):
        _binary(axes[k], mask, aspect)
        _unit_ticks(axes[k].yaxis, degrees[k])
        _unit_ticks(axes[k].xaxis, degrees[k + 1])
        axes[k].set_title(f"{names[k]} to {names[k + 1]}", fontsize="medium")
        axes[k].set(ylabel=f"degree of {names[k]}", xlabel=f"degree of {names[k + 1]}")
    _binary(axes[-1], sees, aspect)
    _unit_ticks(axes[-1].yaxis, _subscripted("x", range(made.dim)), most=8)
    _unit_ticks(axes[-1].xaxis, _subscripted(r"\phi", range(made.dim)), most=8)
    axes[-1].set_title("product", fontsize="medium")
    axes[-1].set(ylabel="input", xlabel="output")
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


def _binary(ax, mask, aspect):
    """One cell for each pair of units: blue where they are connected."""
    from matplotlib.colors import ListedColormap

    ax.imshow(mask, cmap=ListedColormap([PALE, BLUE]), vmin=0, vmax=1, aspect=aspect)
    ax.set_anchor("N")
    _cell_edges(ax, mask.shape)


def _write_numbers(ax, matrix, bound):
    for (row, column), value in np.ndenumerate(matrix):
        colour = "white" if abs(value) > 0.6 * bound else "black"
        text = "0" if value == 0 else f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)


def _cell_edges(ax, shape):
    """White lines between the cells, while there are few enough to be seen."""
    if max(shape) <= 32:
        ax.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", lw=1)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _unit_ticks(axis, labels, most: int = 12):
    """A label for every unit; of many, evenly spaced ones."""
    places = np.arange(0, len(labels), -(-len(labels) // most))
    axis.set_ticks(places, [str(labels[k]) for k in places])


def _subscripted(symbol: str, index) -> list[str]:
    return [f"${symbol}_{{{i + 1}}}$" for i in index]


def _legend_below(ax, label: str, colour):
    from matplotlib.patches import Patch

    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.07)}
    ax.legend(handles=[Patch(color=colour, label=label)], frameon=False, fontsize=9, **place)
