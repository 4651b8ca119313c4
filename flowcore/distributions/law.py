"""Distribution functions F and quantile functions F^-1, of bases and of what is made of them.

A *law* is (F, F^-1, places): functions of arrays (..., D), coordinate by coordinate, with the
context already in them, and a place in each tail. So a root search evaluates F many times, and the
direction of a flow's map is looked for once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.inputs import check_context, check_event, in_order

if TYPE_CHECKING:
    from ..core.typing import Law

MOST_STEPS = 200  # of a root search; ten are usual
EPS = float(np.finfo(float).eps)


def arguments(density: Any, x: Any, context: Any) -> tuple:
    """x (..., D) and the context as numbers, or a ValueError."""
    x = in_order("x", x, density.names)
    check_event(x, density.dim, density)
    return x, check_context(context, density.context_dim, density)


def law_of(cdf: Callable, ppf: Callable) -> Law:
    """F and F^-1, with a place in each tail: most of the mass lies between them."""
    return cdf, ppf, (ppf(np.array([0.001])), ppf(np.array([0.999])))


def moved(law: Law, loc: np.ndarray, scale: np.ndarray) -> Law:
    """The law of loc + scale z, for that of z."""
    cdf, ppf, _ = law
    return law_of(lambda x: cdf((x - loc) / scale), lambda q: loc + scale * ppf(q))


def check_one_column(density: Any, what: str) -> None:
    """A ValueError for a density of several columns, with the way to its conditionals."""
    if density.dim != 1:
        raise ValueError(
            f"{what} takes a density of one column, not of {density.dim}: posterior(rows, column) "
            "is the density of a column given the others"
        )


def mixed(weights: np.ndarray, laws: Sequence[Law], eps: float = EPS) -> Law:
    """The law of a mixture; eps: the precision of the components' values."""
    cdfs, ppfs, ends = zip(*laws, strict=True)

    def cdf(x):
        return sum(weight * own(x) for weight, own in zip(weights, cdfs, strict=True))

    def ppf(q):
        found = np.stack(np.broadcast_arrays(*(own(q) for own in ppfs)))
        return root(cdf, q, found.min(axis=0), found.max(axis=0), eps)

    low, high = zip(*ends, strict=True)
    return cdf, ppf, (reduce(np.minimum, low), reduce(np.maximum, high))


@np.errstate(all="ignore")  # an end may be infinite
def root(cdf: Callable, q, low, high, eps: float = EPS) -> np.ndarray:
    """x with cdf(x) = q in [low, high], elementwise, to the precision eps of x or of q.

    Secants by the Illinois rule: an end that stays twice counts half. Every fourth step is a
    bisection, so that no shape of the cdf takes long.
    """
    rounding, last = 100 * eps * q, 0.0  # of a flow of ten layers
    f_low, f_high = cdf(low) - q, cdf(high) - q
    high = np.where(f_low >= 0, low, high)
    for step in range(MOST_STEPS):
        going = high - low > eps * np.maximum(np.abs(low), np.abs(high))
        if not going.any():  # also for NaN and infinity
            break
        x = high - f_high * (high - low) / (f_high - f_low)
        x = np.where((low < x) & (x < high) & (step % 4 < 3), x, low + (high - low) / 2)
        y = cdf(x) - q
        again = np.where(np.sign(y) == last, 0.5, 1.0)
        below, above, last = y <= rounding, y >= -rounding, np.sign(y)
        f_low, f_high = np.where(below, y, again * f_low), np.where(above, y, again * f_high)
        low, high = np.where(going & below, x, low), np.where(going & above, x, high)
    return high
