"""The Jacobian of a bijector at one point: what depends on what, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from autograd.core import make_vjp

from ...bijectors import Bijector
from ...core.inputs import as_integers, as_numbers
from ...plots.drawing import PALE, heat_map, new_axes, subscripted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from ...core.typing import Context
    from ...distributions import TransformedDistribution


def jacobian(
    bijector: Bijector | TransformedDistribution,
    x: ArrayLike,
    direction: str = "inverse",
    order: ArrayLike | None = None,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """Heat map of the Jacobian at one point: J[i, j] = d z_i / d x_j, or d x_i / d z_j.

    Entries that are exactly 0 are grey, however small other entries are. The title gives log |det
    J| in nats. Cost: one pass over D rows and its gradient, in float64. Errors: ValueError for a
    wrong shape, direction or order, and for a Jacobian that is not finite.

    Parameters
    ----------
    bijector : Bijector or TransformedDistribution
        A bijector, or a flow (its bijector is taken).
    x : array_like
        (D,), the point: of the data for "inverse", of the base for "forward".
    direction : str
        "inverse" or "forward".
    order : array_like
        The degrees of the coordinates, a permutation of 1..D as for a MADE (for a MAF:
        `maf.made.degrees[0]`). Rows and columns are sorted by degree, so that the Jacobian of an
        autoregressive bijector is lower triangular whatever its order.
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
    from matplotlib.patches import Patch

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
    labels = subscripted(out, index), subscripted(into, index)
    image = heat_map(ax, cells, *labels, cmap=colours, vmin=-bound, vmax=bound)
    ax.figure.colorbar(image, ax=ax, label=rf"$\partial {out}_i \,/\, \partial {into}_j$")
    if bijector.dim <= 8:
        _write_numbers(ax, matrix, bound)
    log_det = np.linalg.slogdet(matrix)[1]
    ax.set_title(rf"$\log\,|\det\, \partial {out} / \partial {into}|$ = {log_det:.3f}")
    if cells.mask.any():
        zero = Patch(color=PALE, label="exactly 0")
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.07)}
        ax.legend(handles=[zero], frameon=False, fontsize=9, **place)
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


def _write_numbers(ax, matrix, bound):
    for (row, column), value in np.ndenumerate(matrix):
        colour = "white" if abs(value) > 0.6 * bound else "black"
        text = "0" if value == 0 else f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
