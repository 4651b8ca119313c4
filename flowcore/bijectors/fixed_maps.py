"""Fixed elementwise bijectors: maps between the line, half-lines and intervals, without parameters.

    Sigmoid   R -> (low, high)      Softplus  R -> (low, inf)      SinhArcsinh  R -> R
    Tanh      R -> (-1, 1)          Exp       R -> (0, inf)
    Logit     (low, high) -> R

At the data end of a flow such a map confines the density to a support: `log_prob` is -inf for a row
with a coordinate outside of it, or on its boundary. There `inverse` returns a finite point (z_i = 0
in that coordinate), so that later maps do not return NaN; a NaN in x stays NaN. An image that
rounding puts on the boundary, e.g. sigmoid(40) = 1, counts as the boundary.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from ..core.calls import OPPOSITE
from ..core.inputs import check_dim, constant, interval, show
from .bijector import ANYWHERE, Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Box, Workspace


class FixedMap(Bijector):
    """x_i = f(z_i) with f increasing or decreasing: a subclass writes f, f^-1, log |f'| and its
    derivative. Cost: O(D) per row in both directions."""

    _ends = ANYWHERE  # the open interval (low, high) that f maps the line to
    _swapped = False  # True: this is f^-1, from the interval to the line

    def __init__(self, dim: int):
        super().__init__(check_dim("dim", dim))

    def _f(self, z):
        """x = f(z), for z (D, N)."""
        raise NotImplementedError

    def _f_inverse(self, x):
        """z = f^-1(x), for x (D, N) strictly inside the image of f."""
        raise NotImplementedError

    def _log_slope(self, z):
        """log |f'(z)|, (D, N), and its derivative f''(z) / f'(z)."""
        raise NotImplementedError

    def _sign(self, z):
        """The sign of f'."""
        return 1

    def _ends_as(self, dtype):
        return (column(end, dtype) for end in self._ends)

    @property
    def domain(self) -> Box:
        return self._ends if self._swapped else ANYWHERE

    @property
    def codomain(self) -> Box:
        return ANYWHERE if self._swapped else self._ends

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        inward = direction == ("forward" if self._swapped else "inverse")  # from the interval
        ends = [np.broadcast_to(np.asarray(end, float), self.dim)[:, None] for end in (low, high)]
        with np.errstate(all="ignore"):
            if inward:
                edges = list(self._ends_as(float))
                found = [self._f_inverse(np.clip(end, *edges)) for end in ends]
            else:
                found = [self._f(end) for end in ends]
        return np.minimum(*found)[:, 0], np.maximum(*found)[:, 0]

    def bind(self, at: Workspace, direction: str) -> Bound:
        direction = OPPOSITE[direction] if self._swapped else direction
        transform = self._values if direction == "forward" else self._values_inverse
        slope = curvature = None

        def run(x, l):
            nonlocal slope, curvature
            y, log_det, slope, curvature = transform(np.ascontiguousarray(x, at.dtype))
            np.add(l, np.add.reduce(log_det), l)
            return y

        def back(y_bar, l_bar):
            return y_bar * slope + l_bar * curvature

        return run, back

    def _values(self, z):
        """x, log |dx/dz|, dx/dz and the derivative of log |dx/dz|."""
        log_slope, curvature = self._log_slope(z)
        return self._f(z), log_slope, self._sign(z) * np.exp(log_slope), curvature

    def _values_inverse(self, x):
        """z, log |dz/dx|, dz/dx and the derivative of log |dz/dx|; outside 0, -inf, 0, 0."""
        low, high = self._ends_as(x.dtype)
        outside = (x <= low) | (x >= high)  # a NaN is not
        z = self._f_inverse(np.where(outside, self._f(np.zeros_like(x)), x))
        outside |= np.isinf(z)  # too far out for floats
        z = np.where(outside, 0, z)
        log_slope, curvature = self._log_slope(z)
        slope = np.where(outside, 0, self._sign(z) * np.exp(-log_slope))
        return z, np.where(outside, -np.inf, -log_slope), slope, -curvature * slope


class _Interval(FixedMap):
    """f(z) = low + (high - low) sigmoid(z)."""

    def __init__(self, dim: int, low: ArrayLike = 0.0, high: ArrayLike = 1.0):
        super().__init__(dim)
        self.low, self.high = interval(low, high, dim)

    @property
    def _ends(self):
        return self.low, self.high

    def _f(self, z):
        low, high = self._ends_as(z.dtype)
        e = np.exp(-np.abs(z))
        part = (high - low) * (e / (1 + e))  # from the nearer end: there it is accurate
        return np.where(z < 0, low + part, high - part)

    def _f_inverse(self, x):
        low, high = self._ends_as(x.dtype)
        return np.log(x - low) - np.log(high - x)

    def _log_slope(self, z):
        low, high = self._ends_as(z.dtype)
        return np.log(high - low) - np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z))), -np.tanh(z / 2)

    def __repr__(self):
        return f"{type(self).__name__}({self.dim}, low={show(self.low)}, high={show(self.high)})"


class Sigmoid(_Interval):
    """x = low + (high - low) sigmoid(z), from the line to the interval (low, high).

        log dx/dz = log(high - low) - softplus(z) - softplus(-z)     summed over the coordinates
        z = log(x - low) - log(high - x)

    Errors: ValueError unless low < high, both finite. A flow's `log_prob` is -inf outside of (low,
    high), and at its ends.

    Parameters
    ----------
    dim : int
        D.
    low, high : array_like
        Numbers or (D,) arrays.

    Examples
    --------
    >>> Sigmoid(2, low=-1.0).forward([0.0, 100.0])
    array([0., 1.])
    """


class Logit(_Interval):
    """x = log(z - low) - log(high - z), from the interval (low, high) to the line.

        log dx/dz = -(log(high - low) - softplus(x) - softplus(-x))   summed over the coordinates
        z = low + (high - low) sigmoid(x)

    The inverse of `Sigmoid`, with its arguments: `forward` is defined on (low, high).

    Parameters
    ----------
    dim : int
        D.
    low, high : array_like
        As for `Sigmoid`.

    Examples
    --------
    >>> Logit(1, high=[4.0]).forward([3.0]).round(4)
    array([1.0986])
    """

    _swapped = True


class Tanh(FixedMap):
    """x = tanh(z), from the line to (-1, 1).

        log dx/dz = 2 (log 2 - z - softplus(-2 z))     z = arctanh(x)

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> Tanh(1).inverse([0.5]).round(4)
    array([0.5493])
    """

    _ends = (-1.0, 1.0)

    def _f(self, z):
        return np.tanh(z)

    def _f_inverse(self, x):
        return np.arctanh(x)

    def _log_slope(self, z):
        size = np.abs(z)
        return 2 * (log(2) - size - np.log1p(np.exp(-2 * size))), -2 * np.tanh(z)


class Softplus(FixedMap):
    """x = low + c log(1 + exp(z / c)) with c = hinge_softness, from the line to (low, inf).

        log dx/dz = -softplus(-z / c)       z = y + c log(1 - exp(-y / c)) with y = x - low

    For very negative z, x is nearly low + c exp(z / c). For large z, x is nearly low + z, so unlike
    Exp it does not overflow. The smaller c is, the sharper is the bend between the two.

    Parameters
    ----------
    dim : int
        D.
    hinge_softness, low : array_like
        Numbers or (D,) arrays; ValueError unless finite and hinge_softness > 0.

    Examples
    --------
    >>> Softplus(1).forward([0.0]).round(4)
    array([0.6931])
    """

    def __init__(self, dim: int, hinge_softness: ArrayLike = 1.0, low: ArrayLike = 0.0):
        super().__init__(dim)
        self.hinge_softness = constant("hinge_softness", hinge_softness, dim, positive=True)
        self.low = constant("low", low, dim)

    @property
    def _ends(self):
        return self.low, np.inf

    def _constants(self, dtype):
        return (column(a, dtype) for a in (self.hinge_softness, self.low))

    def _f(self, z):
        c, low = self._constants(z.dtype)
        return low + c * _softplus(z / c)

    def _f_inverse(self, x):
        c, low = self._constants(x.dtype)
        y = x - low
        least = np.where(y > 0, np.finfo(x.dtype).tiny, 0)  # y / c may underflow
        return y + c * np.log(-np.expm1(-np.maximum(y / c, least)))

    def _log_slope(self, z):
        c, _ = self._constants(z.dtype)
        minus = _softplus(-z / c)
        return -minus, -np.expm1(-minus) / c

    def __repr__(self):
        c, low = show(self.hinge_softness), show(self.low)
        return f"Softplus({self.dim}, hinge_softness={c}, low={low})"


class Exp(FixedMap):
    """x = exp(z), from the line to (0, inf); log dx/dz = z, inverse z = log x.

    With a normal base it makes the log-normal density. exp(z) is inf for z above about 709 (88 in
    float32): if z may be that large, use Softplus.

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> Exp(2).forward([0.0, 1.0]).round(4)
    array([1.    , 2.7183])
    """

    _ends = (0.0, np.inf)

    def _f(self, z):
        return np.exp(z)

    def _f_inverse(self, x):
        return np.log(x)

    def _log_slope(self, z):
        return z, np.ones_like(z)


class SinhArcsinh(FixedMap):
    """x = m sinh((arcsinh(z) + skewness) tailweight) with m = 2 / sinh(arcsinh(2) tailweight).

        log dx/dz = log m + log tailweight + log cosh(u) - 1/2 log(1 + z^2)
        z = sinh(arcsinh(x / m) / tailweight - skewness)     u = (arcsinh(z) + skewness) tailweight

    It skews a density (skewness > 0: to the right) and makes its tails heavier (tailweight > 1) or
    lighter (< 1); skewness 0, tailweight 1 is the identity. Reference: Jones & Pewsey 2009 (their
    epsilon is skewness, their delta 1 / tailweight); with m, as in TensorFlow Probability, 2 maps
    to 2 at skewness 0.

    Parameters
    ----------
    dim : int
        D.
    skewness, tailweight : array_like
        Numbers or (D,) arrays; ValueError unless finite and 0 < tailweight <= 50.

    Examples
    --------
    >>> SinhArcsinh(1, tailweight=2.0).forward([2.0])
    array([2.])
    """

    def __init__(self, dim: int, skewness: ArrayLike = 0.0, tailweight: ArrayLike = 1.0):
        super().__init__(dim)
        self.skewness = constant("skewness", skewness, dim)
        self.tailweight = constant("tailweight", tailweight, dim, positive=True)
        if np.max(self.tailweight) > 50:  # m would be 0 in float32
            raise ValueError(f"tailweight must be at most 50, not {show(tailweight)}")

    def _constants(self, dtype):
        """skewness, tailweight and m, as arrays of dtype."""
        m = 2 / np.sinh(np.arcsinh(2) * np.asarray(self.tailweight))
        return (column(a, dtype) for a in (self.skewness, self.tailweight, m))

    def _f(self, z):
        skewness, tailweight, m = self._constants(z.dtype)
        return m * np.sinh((np.arcsinh(z) + skewness) * tailweight)

    def _f_inverse(self, x):
        skewness, tailweight, m = self._constants(x.dtype)
        return np.sinh(np.arcsinh(x / m) / tailweight - skewness)

    def _log_slope(self, z):
        skewness, tailweight, m = self._constants(z.dtype)
        u, root = (np.arcsinh(z) + skewness) * tailweight, np.hypot(1, z)
        log_cosh = np.abs(u) + np.log1p(np.exp(-2 * np.abs(u))) - log(2)
        curvature = (tailweight * np.tanh(u) - z / root) / root
        return np.log(m) + np.log(tailweight) + log_cosh - np.log(root), curvature

    def __repr__(self):
        skewness, tailweight = show(self.skewness), show(self.tailweight)
        return f"SinhArcsinh({self.dim}, skewness={skewness}, tailweight={tailweight})"


def column(constant, dtype):
    """A number or (D,) array, shaped to broadcast with arrays (D, N)."""
    return np.asarray(constant, dtype).reshape(-1, 1)


def _softplus(a):
    """log(1 + exp(a)), accurate for all a."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
