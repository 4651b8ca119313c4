"""Pictures of flows: points, pairs of columns, stages, densities, losses, masks.

Every function draws into the Axes it is given (`ax=`; a sequence if there are several panels) and
returns them; the rest of matplotlib is at hand through `ax.figure`:

    ax = plots.density(flow, (-3, 3), (-3, 3))
    ax.set_title("two moons")
    ax.figure.savefig("density.png")

Without `ax` a new figure is made. In a notebook or at a prompt it is a pyplot figure, which is
shown there (a notebook also closes it at the end of the cell). In a script it belongs to its caller
alone: it has no window, needs no closing, and can be used from any thread. A script that needs
windows passes its own Axes, `plots.density(..., ax=plt.subplots()[1])`, or turns on pyplot's
interactive mode with `plt.ion()`; in both cases the figures are pyplot figures.

Global settings (rcParams) are used and never changed. Nothing is hidden: points outside of the
frame, or not finite, are counted in the picture (for a density: from 1% of its mass on).

What only lessons draw, such as grids and Jacobians, is in `flowcore.teaching`.
"""

from .cells import cells
from .clouds import compare, scatter, stages
from .contours import densities, density
from .corner import corner
from .curves import losses
from .masks import masks
from .pairs import pairs
from .pit import pit
from .posteriors import posterior

__all__ = [
    "cells",
    "compare",
    "corner",
    "densities",
    "density",
    "losses",
    "masks",
    "pairs",
    "pit",
    "posterior",
    "scatter",
    "stages",
]
