"""What the literature on photometric redshifts measures of estimates p(z | x) on held-out galaxies.

Every estimate is a curve: densities (n, G) on a grid (G,) or on grids (n, G), one for each galaxy,
which is rising. Integrals are those of the lines between the points.

Schmidt et al., "Evaluation of probabilistic photometric redshift estimation approaches for LSST",
MNRAS 2020; Izbicki and Lee, "Converting high-dimensional regression to high-dimensional conditional
density estimation", 2017; Brammer, van Dokkum and Coppi, "EAZY", ApJ 2008.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

OUTLIER = 0.06  # of |z_median - z| / (1 + z): Schmidt et al. 2020


class Judged(NamedTuple):
    """What is kept of the curves of n galaxies: three numbers of each, (n,)."""

    pit: np.ndarray  # F(z | x) of the true redshift
    median: np.ndarray  # of the curve: the point estimate
    square: np.ndarray  # the integral of p(z | x)^2


def judged(z, grid, density) -> Judged:
    """PIT, median and integral of the square of normalised curves; z (n,) are true redshifts."""
    grid, density = np.asarray(grid, float), np.asarray(density, float)
    grids = np.broadcast_to(grid, density.shape)
    steps = np.diff(grids, axis=1)
    ends = density[:, :-1], density[:, 1:]
    cells = steps * (ends[0] + ends[1]) / 2
    F = np.concatenate([np.zeros((len(cells), 1)), np.cumsum(cells, axis=1)], axis=1)
    mass = F[:, -1:].copy()
    F /= mass
    # exact for the lines between the points
    square = (steps * (ends[0] ** 2 + ends[0] * ends[1] + ends[1] ** 2)).sum(axis=1) / 3
    pit = [np.interp(*row) for row in zip(z, grids, F, strict=True)]
    median = [np.interp(0.5, *row) for row in zip(F, grids, strict=True)]
    return Judged(np.array(pit), np.array(median), square / mass[:, 0] ** 2)


def metrics(z: np.ndarray, log_p: np.ndarray, curves: Judged) -> dict[str, float]:
    """The row of a table: z (n,) are true redshifts, log_p (n,) = log p(z | x) in nats.

    log p       the mean of log_p, with its standard error
    CDE loss    mean_x of the integral of p(z | x)^2, less 2 mean p(z_i | x_i): the squared distance
                to the true density, up to a constant that no estimate changes (Izbicki, Lee 2017)
    PIT KS      the Kolmogorov-Smirnov distance of the probability integral transforms to uniform
    sigma_NMAD  1.4826 median |d - median d| of d = (z_median - z) / (1 + z) (Brammer et al. 2008)
    outliers    the share of galaxies with |d| > 0.06
    """
    d = (curves.median - z) / (1 + z)
    return {
        "log p": float(log_p.mean()),
        "error": float(log_p.std(ddof=1) / math.sqrt(len(z))),
        "CDE loss": float(curves.square.mean() - 2 * np.exp(log_p).mean()),
        "PIT KS": ks_to_uniform(curves.pit),
        "sigma_NMAD": float(1.4826 * np.median(np.abs(d - np.median(d)))),
        "outliers": float(np.mean(np.abs(d) > OUTLIER)),
    }


def ks_to_uniform(values: np.ndarray) -> float:
    """The largest difference between the empirical distribution of values and the uniform one."""
    ordered, n = np.sort(values), len(values)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))
