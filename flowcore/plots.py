"""Pictures of flows: points, stages, densities, losses, Jacobians, masks.

Every function draws into the Axes it is given (`ax=`; a sequence if there are several panels) and
returns them; the rest of matplotlib is at hand through `ax.figure`:

    ax = plots.density(flow, (-3, 3), (-3, 3))
    ax.set_title("two moons")
    ax.figure.savefig("density.png")

Without `ax` a new figure is made. In a notebook or at a prompt it is one of pyplot's, which is what
gets shown there (a notebook also closes it at the end of the cell). In a script it belongs to its
caller alone: no window, nothing to close, usable from any thread, gone with the last reference to
it. A script that wants windows passes Axes of its own, `plots.density(..., ax=plt.subplots()[1])`,
or turns pyplot's interactive mode on with `plt.ion()`; both ways the figures are pyplot's.

Global settings (rcParams) are obeyed and never changed. Nothing is hidden: whatever lies outside
the frame or is not a finite number is counted in the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from autograd.core import make_vjp

from ._drawing import (
    BLACK,
    BLUE,
    GREY,
    PALE,
    PALETTE,
    SMALL,
    VERMILLION,
    check_plane,
    classes,
    dots,
    fills,
    frame,
    interval,
    legend_of_dots,
    limits_of,
    name_axes,
    new_axes,
    panels,
    points,
    set_limits,
    square,
)
from .bijectors import Bijector

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# ---------------------------------------------------------------------------- points


def scatter(x, labels=None, ax: Axes | None = None) -> Axes:
    """Points x (n, 2), coloured by `labels` (n,) with a legend.

    labels      at most eight different values of a sortable type, e.g. the class of each point

    Errors: ValueError for x not of shape (n, 2), labels of another length or too many of them.

    >>> ax = scatter([[0.0, 1.0], [1.0, 0.0]], labels=["left", "right"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['left', 'right']
    """
    x = points("x", x)
    names, which = classes(labels, len(x))
    ax = new_axes((4.5, 4.2)) if ax is None else ax
    for k, name in enumerate(names):
        dots(ax, x[which == k], PALETTE[k], n=len(x), label=name)
    if labels is not None:
        legend_of_dots(ax, len(x))
    frame(ax, x, *square(*limits_of(x)))
    name_axes(ax)
    return ax


def compare(data, samples, ax: Axes | Sequence[Axes] | None = None) -> Axes | np.ndarray:
    """Data (n, 2) beside samples (m, 2) of a flow, in the same frame.

    ax      None or two Axes: side by side, returned as an array of two Axes;
            one Axes: on top of each other, data first

    Errors: ValueError for arrays that are not (n, 2).

    >>> left, right = compare(np.eye(2), np.zeros((3, 2)))
    >>> left.get_title(), right.get_title(), left.get_xlim() == right.get_xlim()
    ('data', 'samples', True)
    """
    data, samples = points("data", data), points("samples", samples)
    overlay = ax is not None and not isinstance(ax, Sequence | np.ndarray)
    left, right = axes = np.array([ax, ax]) if overlay else panels(ax, 2, 2, (8.4, 4.2))
    limits, n = square(*limits_of(data, samples)), max(len(data), len(samples))
    dots(left, data, BLUE, n, label="data")
    dots(right, samples, VERMILLION, n, label="samples")
    if overlay:
        legend_of_dots(ax, n)
        frame(ax, np.concatenate([data, samples]), *limits)
    else:
        for panel, x, title in ((left, data, "data"), (right, samples, "samples")):
            panel.set_title(title)
            frame(panel, x, *limits)
    name_axes(*axes)
    return ax if overlay else axes


def stages(
    flow, n: int = 1000, rng=0, labels=None, ax: Sequence[Axes] | None = None, context=None
) -> np.ndarray:
    """How sampling deforms the base: one panel for the base sample, one after every bijector.

    flow        a flow with dim 2: n points of its base are sent through (`flow.stages`);
                or a list of (name, array (n, 2)), drawn as it is
    labels      (n,), colours that stay with the points from panel to panel; None: the quadrant
                in which a point starts
    ax          as many Axes as there are stages, in any arrangement
    context     for a conditional flow: one context (C,), or one for each point (n, C)

    Returns an array of Axes, one a stage. All panels share a frame, unless the stages differ so
    much in place or size that some would be a dot: then each has its own.

    >>> from flowcore import flows
    >>> axes = stages(flows.maf(2, layers=2, hidden=[8], standardize=False), n=50)
    >>> [ax.get_title() for ax in axes]
    ['base', '1: MAF', '2: MAF']
    """
    found = _run_stages(flow, n, rng, context) if hasattr(flow, "stages") else list(flow)
    arrays = [points(f"stage {name!r}", x) for name, x in found]
    if len({len(x) for x in arrays}) != 1:
        raise ValueError(f"stages need the same points in all: they have {list(map(len, arrays))}")
    kinds, which = classes(_quadrant(arrays[0]) if labels is None else labels, len(arrays[0]))
    colours = np.array(PALETTE)[which]

    shared = square(*limits_of(*arrays))
    own = [square(*limits_of(x)) for x in arrays]
    share = all(fills(limits, shared) for limits in own)
    columns = min(len(arrays), 4 if len(arrays) <= 16 else 6)
    made_here = ax is None
    axes = panels(ax, len(arrays), columns, (2.5 * columns, 2.6 * -(-len(arrays) // columns)))
    for k, (panel, x, (name, _)) in enumerate(zip(axes, arrays, found, strict=True)):
        dots(panel, x, colours, n=2 * len(x))
        frame(panel, x, *(shared if share else own[k]))
        panel.set_title(f"{k}: {name}" if k else name)
        panel.tick_params(labelsize=SMALL)
        if share and made_here:
            below_is_empty = k + columns >= len(arrays)
            panel.tick_params(labelleft=k % columns == 0, labelbottom=below_is_empty)
    if labels is not None:
        for kind, colour in zip(kinds, PALETTE, strict=False):
            axes[0].scatter([], [], color=colour, label=kind)
        legend_of_dots(axes[0], len(which), fontsize=SMALL)
    return axes


def _run_stages(flow, n, rng, context):
    check_plane(flow)
    with np.errstate(all="ignore"):  # points that overflow are counted in the picture
        return flow.stages(flow.base.sample(n, np.random.default_rng(rng)), context=context)


def _quadrant(x):
    """0, 1, 2, 3, counterclockwise from where both coordinates are positive."""
    left, below = (x < 0).T
    return 2 * below + (left ^ below)


# ---------------------------------------------------------------------------- density


def density(
    flow, xlim=(-3.0, 3.0), ylim=(-3.0, 3.0), n: int = 200, ax: Axes | None = None, context=None
) -> Axes:
    """Filled contours of the density p(x) over a rectangle, with a colour bar.

    flow        anything with `log_prob` (a flow, a base, a target), or a function that takes
                points (m, 2) and returns p, not log p, of shape (m,)
    xlim, ylim  the rectangle
    n           grid points along each side; cost: n^2 density evaluations
    context     for a conditional flow: one context, (C,)

    log p = -inf is an honest density of 0. Grid points where p is NaN or infinite are left out: a
    hatched hole, counted in the legend. The colours end at the density that only 1% of the mass
    exceeds (the bar then ends in an arrow), lest one narrow spike bleach all the rest. Errors:
    ValueError for dim other than 2, an empty rectangle, results of a wrong shape or below 0.

    >>> from flowcore import Normal
    >>> ax = density(Normal(2), (-3, 3), (-2, 2), n=20)
    >>> ax.get_ylim() == (-2, 2), ax.figure.axes[1].get_ylabel()
    (True, 'density')
    """
    xlim, ylim = interval("xlim", xlim), interval("ylim", ylim)
    if n != int(n) or n < 2:
        raise ValueError(f"n must be an integer >= 2, not {n!r}")
    x, y = np.linspace(*xlim, int(n)), np.linspace(*ylim, int(n))
    p = _density_at(flow, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), context)
    p = np.ma.masked_invalid(p.reshape(len(y), len(x)))

    ax = new_axes((5.4, 4.2)) if ax is None else ax
    levels, beyond = _levels(p.compressed())
    inks, extend = _inks(len(levels) - 1 + beyond), "max" if beyond else "neither"
    filled = ax.contourf(x, y, p, levels, colors=inks, extend=extend)
    ax.figure.colorbar(filled, ax=ax, label="density")
    if holes := np.ma.count_masked(p):
        _mark_holes(ax, f"not finite at {holes:,} of {p.size:,} points")
    set_limits(ax, xlim, ylim)
    name_axes(ax)
    return ax


def _density_at(flow, points, context) -> np.ndarray:
    """p at the points, in float64; whatever is not finite stays what it is."""
    options = {} if context is None else {"context": context}
    with np.errstate(all="ignore"):
        if hasattr(flow, "log_prob"):
            check_plane(flow)
            p = np.exp(np.asarray(flow.log_prob(points, **options), float))
        elif callable(flow):
            p = np.asarray(flow(points, **options), float)
        else:
            raise TypeError(f"density takes a flow or a function, not {flow!r}")
    if p.shape != points.shape[:1]:
        raise ValueError(f"the density of points {points.shape} has shape {p.shape}: not one a row")
    if (p < 0).any():
        raise ValueError(
            f"the density is negative at some points ({np.nanmin(p):.4g}): was log_prob given? "
            "Give the flow itself, or a function that returns p"
        )
    return p


def _levels(p, mass: float = 0.01):
    """Contour levels from 0 to the density that `mass` of the distribution exceeds; is that < max?

    A density that is merely peaked, up to twice as high, is shown to its top.
    """
    from matplotlib.ticker import MaxNLocator

    top = p.max(initial=0.0)
    if not top > 0:
        return np.array([0.0, 1.0]), False
    descending = np.sort(p / top)[::-1]
    above = np.cumsum(descending) / descending.sum()
    limit = top * descending[np.searchsorted(above, mass)]
    limit = top if top <= 2 * limit else limit
    unit = 10.0 ** math.floor(math.log10(limit))  # the locator takes less than 1e-13 for nothing
    levels = MaxNLocator(10).tick_values(0.0, limit / unit) * unit
    levels[-1] = max(levels[-1], limit)
    return levels, bool(top > levels[-1])


def _inks(n: int):
    """n colours from paper to ink: white, then matplotlib's magma from light to dark."""
    from matplotlib import colormaps

    return ["white", *colormaps["magma"](np.linspace(0.9, 0.05, n - 1))]


def _mark_holes(ax, label: str):
    """Hatch whatever of the Axes stays empty, and say in a legend what that means."""
    from matplotlib.patches import Patch

    style = {"facecolor": "#C9E6F7", "edgecolor": BLUE, "hatch": "xxxx", "linewidth": 0}
    ax.patch.set(**style)
    ax.legend(
        handles=[Patch(label=label, **style)], loc="upper right", fontsize=SMALL, framealpha=1
    )


# ---------------------------------------------------------------------------- training


def losses(history, entropy: float | None = None, ax: Axes | None = None) -> Axes:
    """Training and validation NLL by epoch, counted from 1, with the best epoch marked.

    history     what `fit` returns: `train_nll`, `val_nll` (may be empty), `best_epoch`
    entropy     of the true density in the data's units, in nats: drawn as the line below which no
                honest validation NLL settles

    A few huge epochs (over 20 times the range of the other 90%) are left outside the frame and
    said to be. Errors: ValueError for a history without epochs.

    >>> from flowcore import History
    >>> ax = losses(History(train_nll=[3.0, 2.0, 1.5], val_nll=[2.8, 2.1, 2.2], best_epoch=1))
    >>> ax.get_ylabel(), [text.get_text() for text in ax.get_legend().get_texts()]
    ('NLL (nats, may be negative)', ['training', 'validation', 'best epoch 2: 2.100'])
    """
    train, val = (np.asarray(nll, float) for nll in (history.train_nll, history.val_nll))
    if train.size == 0:
        raise ValueError("the history has no epochs: there is nothing to draw")
    ax = new_axes((6.0, 3.8)) if ax is None else ax
    for nll, colour, label in ((train, BLUE, "training"), (val, VERMILLION, "validation")):
        if nll.size:
            marker = "o" if nll.size == 1 else None
            ax.plot(np.arange(nll.size) + 1, nll, color=colour, lw=1.3, marker=marker, label=label)
    best = history.best_epoch
    if best is not None and val.size:
        label = f"best epoch {best + 1}: {val[best]:.3f}"
        ax.axvline(best + 1, color=GREY, lw=0.8, ls=":")
        ax.plot(best + 1, val[best], "o", color=VERMILLION, mec="white", ms=7, label=label)
    if entropy is not None:
        ax.axhline(entropy, color=BLACK, lw=1, ls="--", label=f"exact entropy: {entropy:.3f}")
    _leave_out_huge(ax, [train, val], entropy)
    ax.set(xlabel="epoch", ylabel="NLL (nats, may be negative)")
    ax.legend(loc="upper right", framealpha=0.9)
    return ax


def _leave_out_huge(ax, curves, entropy):
    """Limit y to what nine epochs in ten need, if the rest need vastly more; say how many."""
    shown = [nll[np.isfinite(nll)] for nll in curves if np.isfinite(nll).any()]
    if not shown:
        return
    low = min([nll.min() for nll in shown] + ([] if entropy is None else [entropy]))
    usual = max(np.quantile(nll, 0.9, method="lower") for nll in shown) - low
    most = max(nll.max() for nll in shown)
    if usual > 0 and most > low + 20 * usual:
        top = low + 3 * usual
        ax.set_ylim(low - 0.1 * (top - low), top)
        out = max(np.count_nonzero(nll > top) for nll in shown)
        remark = f"{out} epoch{'s' if out > 1 else ''} above the frame, up to {most:.3g}"
        ax.set_title(remark, loc="left", fontsize=SMALL, color=GREY)


# ---------------------------------------------------------------------------- structure


def jacobian(
    bijector, x, direction: str = "inverse", order=None, ax: Axes | None = None, context=None
) -> Axes:
    """Heat map of the Jacobian at one point: J[i, j] = d z_i / d x_j, or d x_i / d z_j.

    bijector    a bijector, or a flow (its bijector is taken)
    x           (D,), where: a point of the data for "inverse", of the base for "forward"
    order       the degrees of the coordinates, a permutation of 1..D as for a MADE (for a MAF:
                `maf.made.degrees[0]`): rows and columns are sorted by it, which makes the Jacobian
                of an autoregressive bijector a lower triangle whatever its order

    Entries that are exactly 0 are grey, however small the others are. The title gives log |det J|
    in nats. Cost: one pass over D rows and its gradient, in float64. Errors: ValueError for a
    wrong shape, direction or order, and for a Jacobian that is not finite.

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
    x = np.asarray(x, float)
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
    degrees = np.arange(1, dim + 1) if order is None else np.asarray(order)
    if degrees.shape != (dim,) or not np.array_equal(np.sort(degrees), np.arange(1, dim + 1)):
        raise ValueError(f"order must be a permutation of 1..{dim}, not {degrees.tolist()}")
    return np.argsort(degrees)


def masks(made, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """The masks of a MADE, layer by layer, and their product: which output sees which input.

    made    a MADE with L hidden layers
    ax      L + 2 Axes, in any arrangement: L + 1 for the masks, the last one for the product

    Rows are the units a layer reads, columns those it computes, both labelled by degree, so that
    the columns of one panel are the rows of the next. Blue is a connection: degree of the row <=
    degree of the column, and < in the output layer. In the product the units go by their names:
    output phi_d sees x_i if some path leads from one to the other. Returns an array of L + 2 Axes.
    Errors: TypeError for anything but a MADE.

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
