"""Posteriors: densities of one column as curves, with true values as marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers
from .drawing import GREY, PALETTE, SMALL, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..conditionals import Posterior
    from ..core.typing import ArrayLike

MOST, MARGIN = 12, 0.03  # curves; of the frame, beside them
SHOWN = 0.001, 0.999  # quantiles: the frame holds them for all curves


def posterior(found: Posterior, truth: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """The first dozen curves of a posterior, each with its true value as a dot, if it is known.

    The frame holds 99.8% of every curve, or one turn of an angle, and all true values. Errors:
    ValueError for truth of another length.

    Parameters
    ----------
    found : Posterior
        The result of `posterior`.
    truth : array_like
        (n,), the true value of each row.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> ax = posterior(p.posterior([[1.0, np.nan]], 1), truth=[5.2])
    >>> ax.get_xlabel(), len(ax.lines)
    ('column 1', 2)
    """
    n, ax = len(found.density), new_axes((6.0, 3.8)) if ax is None else ax
    truth = None if truth is None else as_numbers("truth", truth)
    if truth is not None and truth.shape != (n,):
        raise ValueError(f"truth has shape {truth.shape}, but there are {n} curves: ({n},)")
    ends = found.grid if found.angle else found.quantiles(SHOWN)[:, :MOST]
    ends = np.append(ends, [] if truth is None else truth[:MOST])
    low, high = np.nanmin(ends), np.nanmax(ends)
    ax.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
    for i, density in enumerate(found.density[:MOST]):
        x, colour = found.grid if found.grid.ndim == 1 else found.grid[i], PALETTE[i % len(PALETTE)]
        ax.plot(x, density, color=colour, lw=1.2, ls="-" if i < len(PALETTE) else "--")
        if truth is not None:
            height = np.interp(truth[i], x, density)
            ax.plot(truth[i], height, "o", color=colour, mec="white", ms=6, zorder=3)
    if n > MOST:
        ax.set_title(f"the first {MOST} of {n:,} curves", loc="left", fontsize=SMALL, color=GREY)
    name = found.column if isinstance(found.column, str) else f"column {found.column}"
    ax.set(xlabel=name.replace("$", r"\$"), ylabel="density", ylim=(0, None))
    return ax
