"""Targets in D dimensions with an exact sampler and the evidence 0.

The kinds are those of Agrawal and Domke, "Disentangling impact of capacity, objective, batchsize,
estimators, and step-size on flow VI", 2024 (arXiv 2412.08824); the constants are written out here,
and are ours where the paper leaves them open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from scipy import stats

LOG_2_PI = np.log(2 * np.pi)


class Truth(NamedTuple):
    """A target and what is known of it.

    log_p      log p~ of rows (n, D) in autograd.numpy; or of a dictionary, with support=
    sample     (n, rng) -> exact draws (n, D), in the order of the parameters
    log_z      nats
    dim        D
    shares     (K,): of the mass of p in each mode
    who        rows -> (n,) the mode of each row, 0 to K - 1; None for one mode
    deviation  sds (D,) in place of those of the draws; NaN where p has none, nor a mean
    support    as `infer` takes it
    """

    log_p: Callable
    sample: Callable
    log_z: float
    dim: int
    shares: Any = (1.0,)
    who: Callable | None = None
    deviation: Any = None
    support: Any = None


def gaussian(dim: int, condition: float) -> Truth:
    """N(0, R diag(s^2) R^T), s^2 evenly spaced in the logarithm from 1/condition to 1."""
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    deviations = np.geomspace(condition**-0.5, 1, dim)
    factor, inverse = rotation * deviations, (rotation / deviations)
    constant = np.log(deviations).sum() + 0.5 * dim * LOG_2_PI

    def log_p(x):
        return -0.5 * anp.sum(anp.dot(x, inverse) ** 2, axis=1) - constant

    return Truth(log_p, lambda n, rng: rng.standard_normal((n, dim)) @ factor.T, 0.0, dim)


def bent(dim: int, width: float, fan: float, bend: float) -> Truth:
    """x_1 ~ N(0, width^2); x_i | x_1 ~ N(bend (x_1^2 - width^2), exp(fan x_1)).

    bend = 0, fan = 1: Neal's funnel. fan = 0: a banana. Both: a funana.
    """

    def log_p(x):
        first, others = x[:, :1], x[:, 1:]
        z = (others - bend * (first**2 - width**2)) * anp.exp(-0.5 * fan * first)
        inner = -0.5 * z**2 - 0.5 * fan * first - 0.5 * LOG_2_PI
        log_first = -0.5 * (x[:, 0] / width) ** 2 - np.log(width) - 0.5 * LOG_2_PI
        return log_first + anp.sum(inner, axis=1)

    def sample(n, rng):
        first = width * rng.standard_normal((n, 1))
        middle, deviation = bend * (first**2 - width**2), np.exp(0.5 * fan * first)
        return np.hstack([first, middle + deviation * rng.standard_normal((n, dim - 1))])

    return Truth(log_p, sample, 0.0, dim)


def student(dim: int, df: float) -> Truth:
    """Independent Student t densities."""
    constant = dim * float(stats.t(df).logpdf(0.0))

    def log_p(x):
        return constant - 0.5 * (df + 1) * anp.sum(anp.log1p(x**2 / df), axis=1)

    return Truth(log_p, lambda n, rng: rng.standard_t(df, (n, dim)), 0.0, dim)


def targets(dim: int) -> dict[str, Truth]:
    """The seven, by name."""
    return {
        "Gaussian, condition 10": gaussian(dim, 10.0),
        "Gaussian, condition 1000": gaussian(dim, 1000.0),
        "funnel": bent(dim, 3.0, 1.0, 0.0),
        "banana": bent(dim, 2.0, 0.0, 0.5),
        "funana": bent(dim, 1.0, 1.0, 0.5),
        "Student t, df 1.5": student(dim, 1.5),
        "Student t, df 2.5": student(dim, 2.5),
    }


HEAVY = ("Student t, df 1.5", "Student t, df 2.5")  # reported as they are
