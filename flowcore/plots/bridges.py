"""Where a flow has mass that the truth has not: the bridges between separate pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import log_density_floor, stray_mass
from .contours import density_at, grid_over
from .drawing import SMALL, VERMILLION, limits_of, name_axes, new_axes, set_limits, square, window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .._typing import Limits

DECADES = 4.0  # of density below its highest: what is thinner is white


def bridges(
    flow: Any,
    truth: Any,
    xlim: Limits = None,
    ylim: Limits = None,
    n: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """The density of a flow on a scale of decades, and hatched where the truth has next to nothing.

    A continuous map of one connected cloud cannot leave a gap empty: between the pieces of a truth
    lie bridges, thin and long, which a linear scale of colours hides. The title gives their share
    of the flow's mass, `flowcore.stray_mass`. Errors: ValueError for dim other than 2.

    Parameters
    ----------
    flow : flow
        Anything with `log_prob` and `sample`.
    truth : target
        The same, of the true density.
    xlim, ylim : (float, float)
        The rectangle; None: where the samples of the truth are.
    n : int
        Grid points along each side.
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
    '78% of its mass is stray'
    """
    drawn = truth.sample(2000, rng=np.random.default_rng(0))
    xlim, ylim = window(xlim, ylim, square(*limits_of(drawn)))
    grid = grid_over(xlim, ylim, n)
    p = density_at(flow, grid, None)
    with np.errstate(divide="ignore"):
        height = np.log10(p / p.max())
    thin = density_at(truth, grid, None) < np.exp(log_density_floor(truth))

    ax = new_axes((5.4, 4.2)) if ax is None else ax
    x1, x2 = grid[0, :, 0], grid[:, 0, 1]
    levels = np.linspace(-DECADES, 0, 9)
    filled = ax.contourf(x1, x2, height, levels, cmap="magma_r", vmin=-DECADES - 0.5, vmax=0.8)
    ax.figure.colorbar(filled, ax=ax, label=r"$\log_{10}$ of density / highest")
    stray = np.ma.masked_where(~(thin & (height > -DECADES)), np.ones_like(height))
    ax.contourf(x1, x2, stray, [0.5, 1.5], colors="none", hatches=["////"])
    ax.contour(x1, x2, thin.astype(float), [0.5], colors=VERMILLION, linewidths=1)
    set_limits(ax, xlim, ylim)
    name_axes(ax)
    share = stray_mass(flow, truth).share
    ax.set_title(f"{share:.1%} of its mass is stray" if share < 0.1
                 else f"{share:.0%} of its mass is stray")  # fmt: skip
    ax.text(0.02, 0.02, "red line: 99.9% of the truth lies inside", fontsize=SMALL,
            transform=ax.transAxes,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})  # fmt: skip
    return ax
