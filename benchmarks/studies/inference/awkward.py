"""60 targets as they come from a user: what must not end in a traceback.

A target that has an answer must give one. A target that has none (improper, NaN everywhere, of a
wrong shape) may be refused in a sentence, a ValueError or a TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from scipy import stats

from . import exact
from .exact import LOG_2_PI
from .known import SCHOOLS
from .several import pieces
from .single import centred, ten_groups


class Awkward(NamedTuple):
    """log p~ of rows, D, options of `infer`, what is known, and whether a refusal will do."""

    log_p: Any
    dim: int | None
    options: Mapping[str, Any] = {}
    log_z: float | None = None
    may_refuse: bool = False
    proper: bool = True


def normal(x):
    return -0.5 * anp.sum(x**2, axis=1) - 0.5 * x.shape[1] * LOG_2_PI


def where(condition: Callable, log_p: Callable = normal, other: float = -np.inf) -> Callable:
    """log p~ at the rows where a condition holds, and `other` elsewhere."""
    return lambda x: anp.where(condition(x), log_p(x), other)


def within(low: float, high: float) -> Callable:
    return lambda x: anp.all((x > low) & (x < high), axis=1)


def raising(condition: Callable, error: Exception) -> Callable:
    """A normal density that raises if a condition holds at any row."""

    def log_p(x):
        if np.any(condition(np.asarray(getattr(x, "_value", x)))):
            raise error
        return normal(x)

    return log_p


def refused(log_p, dim: int | None = 2, **options) -> Awkward:
    """No answer: a sentence will do."""
    return Awkward(log_p, dim, options, None, True, False)


def boxes() -> dict[str, Awkward]:
    """-inf beyond faces: an answer, or the support= to write."""
    cut = np.log(stats.norm.cdf(3) - stats.norm.cdf(-0.5))

    def linear(x):  # on (0, 1)^3
        return anp.sum(anp.log(anp.where(x > 0, x, 1.0)), axis=1)

    return {
        "box: cut normal": Awkward(where(within(-0.5, 3)), 3, {}, 3 * cut, True),
        "box: uniform": Awkward(
            where(within(-1, 2), lambda x: anp.sum(0.0 * x, axis=1)), 3, {}, 3 * np.log(3), True),
        "box: linear": Awkward(where(within(0, 1), linear), 3, {}, None, True),
        "box: far": Awkward(where(within(5, 7)), 2, {}, None, True),
        "box: positive": Awkward(
            where(lambda x: anp.all(x > 0, axis=1), lambda x: -anp.sum(x, axis=1)), 2, {}, 0.0,
            True),
        "box: start given": Awkward(
            where(within(1, 4)), 2, {"start": np.full(2, 2.0)}, None, True),
        "box: 1000 to 2000": Awkward(
            where(within(1000, 2000), lambda x: -anp.sum((x - 1200) ** 2, axis=1) / 2e4), 2,
            {"start": np.full(2, 1500.0)}, None, True),
        "box: one side of one": Awkward(where(lambda x: x[:, 0] > -0.3), 4, {}, None, True),
        "half plane": Awkward(
            where(lambda x: x[:, 0] > x[:, 1] - 0.5), 2, {},
            float(stats.norm.logcdf(0.5 / np.sqrt(2))), True),
        "disc": Awkward(
            where(lambda x: anp.sum(x**2, axis=1) < 4), 2, {}, float(np.log1p(-np.exp(-2))), True),
        "box: with support=": Awkward(
            where(within(-0.5, 3)), 3, {"support": (-0.5, 3.0)}, 3 * cut),
        "box: by a penalty": Awkward(where(within(-0.5, 3), other=-1e10), 3, {}, 3 * cut, True),
    }  # fmt: skip


def holes() -> dict[str, Awkward]:
    """NaN at places."""
    few = 1e-3
    return {
        "NaN: beyond 3": Awkward(
            where(lambda x: x[:, 0] < 3, other=np.nan), 2, {}, float(stats.norm.logcdf(3)), True),
        "NaN: beyond 1": Awkward(where(lambda x: x[:, 0] < 1, other=np.nan), 2, {}, None, True),
        "NaN: here and there": Awkward(
            where(lambda x: anp.sin(1e4 * x[:, 0]) < np.cos(np.pi * few), other=np.nan), 3, {},
            0.0),
        "NaN: at 0": Awkward(
            where(lambda x: anp.sum(x**2, axis=1) > 0, other=np.nan), 2, {}, 0.0, True),
        "NaN: in the slope at 0": Awkward(
            lambda x: -anp.sqrt(anp.sum(x**2, axis=1)), 2, {}, float(np.log(2 * np.pi)), True),
        "NaN: log of a negative": Awkward(
            lambda x: anp.sum(2 * anp.log(x) - x, axis=1), 2, {"start": np.full(2, 3.0)},
            2 * np.log(2), True),
        "NaN: root of a negative": Awkward(
            lambda x: -anp.sqrt(1 - x[:, 0] ** 2) - 0.5 * x[:, 1] ** 2, 2, {}, None, True),
        "NaN: everywhere": refused(lambda x: anp.sum(x, axis=1) * np.nan),
        "inf: at a bound": Awkward(
            lambda x: -0.5 * anp.log(x[:, 0]) - x[:, 0], 1, {"support": "positive"},
            0.5 * np.log(np.pi)),
        "inf: everywhere": refused(lambda x: anp.sum(0 * x, axis=1) + np.inf),
        "inf: at some rows": refused(where(lambda x: x[:, 0] < 1, other=np.inf)),
        "-inf: everywhere": refused(lambda x: anp.sum(0 * x, axis=1) - np.inf),
    }  # fmt: skip


def raised() -> dict[str, Awkward]:
    """Rows at which the target raises: they are -inf."""
    far = lambda x: x[:, 0] > 3.5  # noqa: E731

    def by_cholesky(x):
        """Data of 5 points under a Gaussian process: not positive definite at some rows."""
        t = np.arange(5.0)
        gap = (t[:, None] - t) ** 2
        y = np.sin(t)
        scale = anp.exp(x[:, 0])[:, None, None]
        k = anp.exp(-0.5 * gap / scale**2) + 1e-12 * np.eye(5)
        root = anp.linalg.cholesky(k * anp.exp(x[:, 1])[:, None, None])
        inner = anp.linalg.solve(root, anp.tile(y[:, None], (len(x), 1, 1)))[:, :, 0]
        diagonal = anp.sum(root * np.eye(5), axis=2)
        data = -0.5 * anp.sum(inner**2, axis=1) - anp.sum(anp.log(diagonal), axis=1)
        return data + normal(x)

    def pair(x):
        if (x[:, 0] > 3.5).any():
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        return -0.5 * np.sum(x**2, axis=1) - LOG_2_PI, -x

    errors = (np.linalg.LinAlgError("Singular matrix"), ZeroDivisionError("division by zero"),
              FloatingPointError("overflow"), ArithmeticError("no root"),
              RuntimeError("no solution"), ValueError("bad parameters"))  # fmt: skip
    named = {f"raises: {type(e).__name__}": Awkward(raising(far, e), 2, {}, 0.0) for e in errors}
    return named | {
        "raises: at a pair": Awkward(pair, 2, {}, 0.0),
        "raises: Cholesky": Awkward(by_cholesky, 2),
        "raises: always": refused(raising(lambda x: x[:, 0] == x[:, 0], RuntimeError("no model"))),
    }


def hierarchies() -> dict[str, Awkward]:
    """Centred, from few and many groups; funnels."""
    rng = np.random.default_rng(1000)
    made = {}
    for name, (y, sigma) in {
        "schools": SCHOOLS,
        "three groups": (np.array([1.0, 2.0, 0.5]), np.ones(3)),
        "ten groups": ten_groups(),
        "thirty groups": (rng.standard_normal(30), np.ones(30)),
        "sure data": (3 * rng.standard_normal(6), np.full(6, 0.01)),
        "equal groups": (np.ones(8), np.full(8, 0.5)),
    }.items():
        truth = centred(y, sigma)
        made[f"hierarchy: {name}"] = Awkward(truth.log_p, truth.dim, {}, truth.log_z)
    return made | {
        "funnel, width 3": Awkward(exact.bent(5, 3.0, 1.0, 0.0).log_p, 5, {}, 0.0),
        "funnel, D = 20": Awkward(exact.bent(20, 1.5, 1.0, 0.0).log_p, 20, {}, 0.0),
    }


def shapes() -> dict[str, Awkward]:
    """Ridges, spikes, steps, units."""

    def product(x):  # a b = 1, both signs
        data = -0.5 * ((x[:, 0] * x[:, 1] - 1) / 0.05) ** 2
        return data - 0.5 * anp.sum(x**2, axis=1)

    def circle(x):
        return -0.5 * ((anp.sum(x**2, axis=1) - 1) / 0.02) ** 2

    def steps(x):
        return -anp.floor(anp.sum(x**2, axis=1)) + 0.0 * x[:, 0]

    def far(middle: float, sd: float, dim: int = 2) -> Awkward:
        truth = pieces([1.0], np.full((1, dim), middle), [sd * np.eye(dim)])
        return Awkward(truth.log_p, dim, {}, 0.0)

    return {
        "ridge: a product": Awkward(product, 2),
        "ridge: thin circle": Awkward(circle, 2),
        "ridge: condition 1e14": Awkward(exact.gaussian(2, 1e14).log_p, 2, {}, 0.0),
        "ridge: bend 10": Awkward(exact.bent(2, 1.0, 0.0, 10.0).log_p, 2, {}, 0.0),
        "ridge: never ends": refused(lambda x: -0.5 * (x[:, 0] - x[:, 1]) ** 2),
        "steps": Awkward(steps, 2, {}, None, True),
        "units: 1e-150": far(0.0, 1e-150),
        "units: 1e12": far(3e12, 1e12),
        "units: 1e6 +- 1e-3": far(1e6, 1e-3),
        "log p about -1e12": Awkward(lambda x: normal(x) - 1e12, 3, {}, -1e12),
        "D = 1": far(2.0, 0.1, 1),
        "t of 1 df, D = 20": Awkward(exact.student(20, 1.0).log_p, 20, {}, 0.0),
    }


def unusable() -> dict[str, Awkward]:
    """Constants, improper ones, wrong shapes and dtypes."""
    return {
        "constant": refused(lambda x: np.zeros(len(x))),
        "constant, of x": refused(lambda x: anp.sum(0.0 * x, axis=1)),
        "improper: one flat": refused(lambda x: -0.5 * x[:, 0] ** 2 + 0.0 * x[:, 1]),
        "improper: slope": refused(lambda x: x[:, 0] - 0.5 * x[:, 1] ** 2),
        "improper: 1 / x": refused(
            lambda x: -anp.log(x[:, 0]) - 0.5 * x[:, 1] ** 2, 2, support=["positive", None]),
        "shape (n, 1)": refused(lambda x: normal(x)[:, None]),
        "complex": refused(lambda x: normal(x) + 0j),
    }  # fmt: skip


def awkward() -> dict[str, Awkward]:
    """All 60, by name."""
    return boxes() | holes() | raised() | hierarchies() | shapes() | unusable()
