"""Five likelihoods under a uniform prior on a box, with their evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import integrate, special, stats


class Target(NamedTuple):
    """log L of rows (n, D); the box [low, high]^D of the prior; log Z under the uniform prior."""

    log_l: Callable
    dim: int
    low: float
    high: float
    log_z: float


def _by_grid(log_l, low, high, n):
    """A target of two dimensions; Z by the mean over the midpoints of n x n cells."""
    at = low + (np.arange(n) + 0.5) * (high - low) / n
    rows = (np.column_stack([np.full(n, x), at]) for x in at)
    log_z = special.logsumexp([special.logsumexp(log_l(x)) for x in rows]) - 2 * math.log(n)
    return Target(log_l, 2, low, high, float(log_z))


def rosenbrock() -> Target:
    """A banana, narrow across: nessai's and pocoMC's example."""
    return _by_grid(
        lambda x: -100 * (x[:, 1] - x[:, 0] ** 2) ** 2 - (1 - x[:, 0]) ** 2, -5.0, 5.0, 2000
    )


def eggbox() -> Target:
    """Eighteen modes (Feroz, Hobson, Bridges 2009)."""
    return _by_grid(
        lambda x: (2 + np.cos(x[:, 0] / 2) * np.cos(x[:, 1] / 2)) ** 5, 0.0, 10 * math.pi, 2000
    )


def shells() -> Target:
    """Two Gaussian shells of width 0.1 (the same)."""

    def shell(x, at):
        return stats.norm.logpdf(np.hypot(x[:, 0] - at, x[:, 1]), 2.0, 0.1)

    return _by_grid(lambda x: np.logaddexp(shell(x, -3.5), shell(x, 3.5)), -6.0, 6.0, 2000)


def gaussian(dim=10) -> Target:
    """Neighbouring coordinates correlate by a half."""
    cov = 0.5 ** np.abs(np.subtract.outer(np.arange(dim), np.arange(dim)))
    log_l = stats.multivariate_normal(np.zeros(dim), cov).logpdf
    return Target(lambda x: np.atleast_1d(log_l(x)), dim, -10.0, 10.0, -dim * math.log(20.0))


def funnel(dim=10) -> Target:
    """Neal's funnel with a standard deviation of 1: x_2, ... ~ N(0, exp(x_1)).

    In the box (half width 20) is what x_1 leaves there: an integral over x_1.
    """

    def log_l(x):
        v, others = x[:, 0], x[:, 1:]
        normals = (others**2).sum(axis=1) * np.exp(-v) + (dim - 1) * (v + math.log(2 * math.pi))
        return stats.norm.logpdf(v) - 0.5 * normals

    def inside(v):
        return stats.norm.pdf(v) * special.erf(20 / math.exp(v / 2) / math.sqrt(2)) ** (dim - 1)

    mass = integrate.quad(inside, -10, 10)[0]
    return Target(log_l, dim, -20.0, 20.0, math.log(mass) - dim * math.log(40.0))


TARGETS = {f.__name__: f for f in (rosenbrock, eggbox, shells, gaussian, funnel)}
