"""`Target`, the protocol of an exactly known density, and the numerics that the targets share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_count, check_event

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..core.typing import Seed


class Target(ABC):
    """An immutable distribution over vectors (..., dim) with an exact density.

    A subclass writes `sample`, `log_prob` and `entropy`, and `mean` and `std` if they are known.

    Examples
    --------
    >>> class Cube(Target):
    ...     dim = 3
    ...
    ...     def sample(self, n, rng=None):
    ...         return np.random.default_rng(rng).random((n, 3))
    ...
    ...     def log_prob(self, x):
    ...         inside = ((0 <= np.asarray(x)) & (np.asarray(x) < 1)).all(axis=-1)
    ...         return np.where(inside, 0.0, -np.inf)
    ...
    ...     def entropy(self):
    ...         return 0.0
    >>> Cube().prob([[0.1, 0.2, 0.3], [0.1, 0.2, 1.3]])
    array([1., 0.])
    """

    dim: int

    @abstractmethod
    def sample(self, n: int, rng: Seed = None) -> np.ndarray:
        """n independent draws, (n, dim); rng is an int or a numpy Generator."""

    @abstractmethod
    def log_prob(self, x: ArrayLike) -> np.ndarray:
        """log p(x) in nats: x of shape (..., dim) gives (...)."""

    @abstractmethod
    def entropy(self) -> float:
        """H = -E log p(x), in nats and in raw units (see the package for standardised data)."""

    def mean(self) -> np.ndarray:
        """E x, (dim,)."""
        raise NotImplementedError(f"{type(self).__name__} has no mean(): write one")

    def std(self) -> np.ndarray:
        """The standard deviation of every coordinate, (dim,)."""
        raise NotImplementedError(f"{type(self).__name__} has no std(): write one")

    def prob(self, x: ArrayLike) -> np.ndarray:
        """p(x): x of shape (..., dim) gives (...); 0 if p is too small for a float."""
        return np.exp(self.log_prob(x))


class Exact(Target):
    """A target of flowcore: it writes `_draw(n, rng)` and `_log_p(events)`; its mean is 0, or it
    writes `mean`, too."""

    block = 1024  # events at a time, for bounded memory

    def sample(self, n: int, rng: Seed = None) -> np.ndarray:
        """n independent draws in random order, (n, dim); n < 0 is a ValueError."""
        return self._draw(check_count(n), np.random.default_rng(rng))

    def log_prob(self, x: ArrayLike) -> np.ndarray:
        """log p(x) in nats, float64: x of shape (..., dim) gives (...).

        The docstring of each class gives accuracy and cost. An event with a NaN gives NaN, one with
        an infinity -inf; a wrong last axis is a ValueError.
        """
        x = as_numbers("x", x).astype(float, copy=False)
        check_event(x, self.dim, self)
        return by_blocks(self._log_p_of_any, x, self.block)

    def mean(self) -> np.ndarray:
        """E x, (dim,)."""
        return np.zeros(self.dim)

    def _draw(self, n, rng):
        """n draws, (n, dim)."""
        raise NotImplementedError

    def _log_p(self, x):
        """log p of finite events (n, dim); an overflow, to -inf or NaN, counts as -inf."""
        raise NotImplementedError

    def _log_p_of_any(self, x):
        finite = np.isfinite(x).all(axis=-1)
        log_p = np.where(np.isnan(x).any(axis=-1), np.nan, -np.inf)
        with np.errstate(all="ignore"):
            found = self._log_p(x[finite])
        log_p[finite] = np.where(np.isnan(found), -np.inf, found)
        return log_p


# ---------------------------------------------------------------------------- arguments


def set_positive(target, *names: str, why: str = "") -> None:
    """Check and cast the named fields of a frozen dataclass, from its __post_init__."""
    for name in names:
        value = getattr(target, name)
        if not (isinstance(value, Real) and math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number > 0, not {value!r}{why}")
        object.__setattr__(target, name, float(value))


# ---------------------------------------------------------------------------- rows


def by_blocks(f: Callable, x: np.ndarray, rows: int = 128) -> np.ndarray:
    """f, which maps (n, D) to (n,), on (..., D): a block of rows at a time, for bounded memory."""
    events = x.reshape(-1, x.shape[-1])
    out = np.empty(len(events))
    for i in range(0, len(events), rows):
        out[i : i + rows] = f(events[i : i + rows])
    return out.reshape(x.shape[:-1])[()]  # [()] turns a 0-d array into a scalar


# ---------------------------------------------------------------------------- quadrature


def gauss_legendre(n: int, low: float, high: float, width: float = math.inf):
    """Nodes and weights, n on each of the equal panels of [low, high] that `width` allows."""
    edges = np.linspace(low, high, 1 + max(1, math.ceil((high - low) / width)))
    node, weight = np.polynomial.legendre.leggauss(n)
    half = (edges[1] - edges[0]) / 2.0
    return (edges[:-1, None] + half * (node + 1.0)).ravel(), np.tile(half * weight, len(edges) - 1)


def normal_line(step: float) -> tuple[np.ndarray, np.ndarray]:
    """(points (m,), weights (m,)) with E f(n) = sum of weights f(points) for n ~ N(0, 1).

    The trapezoid rule on [-9, 9], which converges faster than any power of a smooth f's step.
    """
    n = np.arange(-math.floor(9.0 / step), math.floor(9.0 / step) + 1) * step
    return n, step / math.sqrt(2.0 * np.pi) * np.exp(-0.5 * n**2)


def normal_grid(step: float) -> tuple[np.ndarray, np.ndarray]:
    """The same in the plane, for n ~ N(0, I): points (m^2, 2), weights (m^2,)."""
    n, weight = normal_line(step)
    points = np.stack(np.meshgrid(n, n, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, np.outer(weight, weight).ravel()


def bisect_rising(f: Callable, low, high, steps: int = 55) -> np.ndarray:
    """Elementwise, where a rising f goes through 0 in [low, high]; an end if it does not."""
    for _ in range(steps):
        middle = low + (high - low) / 2.0
        below = f(middle) < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low + (high - low) / 2.0


# Where an integrand has fallen to exp(-CUT) = 2e-15 of its maximum, the rest is left out.
CUT = 34.0
_NODE, _WEIGHT = gauss_legendre(40, 0.0, 1.0)


def falling_integral(rise: Callable, length: np.ndarray, weight: Callable | None = None):
    """int_0^length weight(h) exp(-rise(h)) dh of integrands that only fall, (...) -> (...).

    rise(h) maps (..., k) to (..., k), grows from rise(0) = 0, and should suffer no cancellation.
    A rise below 0 counts as rounding. The integral uses 40 Gauss-Legendre nodes up to the h where
    the rise is CUT. This h may be a tiny part of the length, so it is searched for on the scale of
    log h (it need not be exact).
    """
    length = length[..., None]
    log_h = np.log(length)
    log_h = bisect_rising(lambda t: rise(np.exp(t)) - CUT, log_h - 400.0, log_h, steps=16)
    reach = np.where(rise(length) > CUT, np.exp(log_h), length)
    h = reach * _NODE
    value = np.exp(-np.maximum(rise(h), 0.0)) * (1.0 if weight is None else weight(h))
    return reach[..., 0] * (value @ _WEIGHT)
