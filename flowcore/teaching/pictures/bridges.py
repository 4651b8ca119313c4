"""Where a flow has mass that the truth has not: the bridges between separate pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...metrics import log_density_floor, stray_mass
from ...plots.contours import OnGrid
from ...plots.drawing import BLACK, SMALL, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...core.typing import Limits

DECADES = 4  # of density below its highest: what is thinner is white
KEPT = 0.999  # of the truth's mass is inside of the line


def bridges(
    flow: Any,
    truth: Any,
    xlim: Limits = None,
    ylim: Limits = None,
    n: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """The density of a flow on a logarithmic scale, hatched where the truth has next to nothing.

    A continuous map cannot tear a connected base apart: between the pieces of a truth the flow has
    thin, long bridges, which a linear scale of colours hides. The title gives the share of the
    flow's mass that is stray, `flowcore.stray_mass`, also outside of the picture. In hatched places
    the truth has almost no density, but the flow more than a ten-thousandth of its maximum. If 1%
    of the flow's samples or more lie outside of the rectangle, their share is shown; grid points
    where the flow's density is not finite are marked and counted, as in `density`. Errors:
    ValueError for dim other than 2, an empty rectangle, a rectangle without any sample of the truth
    or density of the flow, a flow with a context.

    Parameters
    ----------
    flow : flow
        Anything with `log_prob` and `sample`.
    truth : target
        Anything with `dim`, `log_prob` and `sample`.
    xlim, ylim : (float, float)
        The rectangle; None: where the truth's samples are.
    n : int
        Grid points along each side; cost: n^2 densities of both, and some 60,000 samples.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import MultivariateNormalDiag, targets
    >>> ax = bridges(MultivariateNormalDiag([0.5, 0.25]), targets.two_moons(), n=20)
    >>> ax.get_title()
    '77.4% of its mass is stray'
    """
    from matplotlib import colormaps
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = OnGrid.of([truth, flow], xlim, ylim, n, wider=0.1)  # samples end before the line does
    grid, p = found.grid, found.p[1]
    if not p.count() or p.max() <= 0:
        raise ValueError(f"the density is 0 or not finite at all {p.size:,} points of the grid")
    with np.errstate(divide="ignore"):
        height = np.maximum(np.log10(p / p.max()), -DECADES - 1)
        above = np.log(found.p[0]) - log_density_floor(truth, KEPT)
    above = np.clip(above.filled(-np.inf), -5, 5)  # nats: -inf has no contours
    thin = above < 0
    stray = thin & (height > -DECADES).filled(False)

    ax = new_axes((5.4, 4.8)) if ax is None else ax
    x1, x2 = grid[0, :, 0], grid[:, 0, 1]
    levels = np.linspace(-DECADES, 0, 2 * DECADES + 1)
    colours = ["white", *colormaps["magma"](np.linspace(0.95, 0.33, len(levels) - 1))]
    filled = ax.contourf(x1, x2, height, levels, colors=colours, extend="min")
    ax.figure.colorbar(filled, ax=ax, label=r"$\log_{10}$ (density / highest)")
    ax.contourf(x1, x2, stray.astype(float), [0.5, 1.5], colors="none", hatches=["////"])
    if thin.any() and not thin.all():
        ax.contour(x1, x2, above, [-1e-6], colors=BLACK, linewidths=1.2, linestyles="-")
    found.frame(ax, 1)
    handles = [
        Line2D([], [], color=BLACK, lw=1.2, label=f"{KEPT:.1%} of the truth lies inside"),
        Patch(fill=False, hatch="////", lw=0, label="the flow where the truth is not"),
        *found.hatch_holes(ax, 1),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=SMALL,
              frameon=False)  # fmt: skip
    ax.set_title(f"{stray_mass(flow, truth, KEPT).share:.1%} of its mass is stray")
    return ax
