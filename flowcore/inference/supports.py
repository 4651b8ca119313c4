"""Maps from the line to the supports of parameters, written in autograd.numpy.

Each `from_line` takes y (m, free) and returns (x (m, size), log |det dx/dy| (m,)). The determinant
is taken for the first K - 1 coordinates of a simplex, and for the entries below the diagonal of a
Cholesky factor.

References: Stan reference manual, "Constraint transforms". Lewandowski, Kurowicka and Joe,
"Generating random correlation matrices based on vines and extended onion method", 2009.
"""

from __future__ import annotations

import math
from typing import Protocol

import autograd.numpy as anp
import numpy as np

from ..bijectors import Bijector, Permute
from ..core import imported


class Support(Protocol):
    """The interface that a `Parameter` uses."""

    free: int

    def from_line(self, y): ...

    def to_line(self, x: np.ndarray) -> np.ndarray: ...


class Box:
    """Intervals, half-lines and lines, one a coordinate, by a bijector from the line."""

    def __init__(self, bijector: Bijector):
        self.bijector, self.free = bijector, bijector.dim

    @property
    def is_line(self) -> bool:
        return isinstance(self.bijector, Permute)

    def from_line(self, y):
        if self.is_line:  # whose log-det autograd would find to be a constant
            return y, anp.zeros(len(y))
        return self.bijector.forward_and_log_det(y)

    def to_line(self, x: np.ndarray) -> np.ndarray:
        y, log_det = self.bijector.inverse_and_log_det(x)
        return np.where(np.isneginf(log_det)[:, None], np.nan, y)


class Interval:
    """low < x < high, by the distribution function of a normal: uniform x have normal y.

        x = low + (high - low) Phi(y)      log |det dx/dy| = sum  log(high - low) + log phi(y)

    log: the same for log x.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, log: bool = False):
        self.log = log
        self.low, high = (np.log(low), np.log(high)) if log else (low, high)
        self.width, self.free = high - self.low, len(low)
        self._log_scale = np.sum(np.log(self.width) - 0.5 * math.log(2 * math.pi))

    def from_line(self, y):
        share = 0.5 * imported("autograd.scipy.special").erfc(-math.sqrt(0.5) * y)
        v, log_det = self.low + self.width * share, self._log_scale - 0.5 * anp.sum(y**2, axis=1)
        return (anp.exp(v), log_det + anp.sum(v, axis=1)) if self.log else (v, log_det)

    def to_line(self, x: np.ndarray) -> np.ndarray:
        v = np.log(x) if self.log else x
        return imported("scipy.special").ndtri((v - self.low) / self.width)


class Angle:
    """Angles in [low, high), whose ends are one point.

        x = low + (v - low) mod (high - low)       v = centre + (high - low) (Phi(y) - 1/2)

    So the circle is cut opposite of the centre. Without a centre y is the angle in radians, and x
    is periodic in y. `to_line` takes angles in any turn.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, centre: np.ndarray | None = None):
        self.low, self.high, self.turn, self.free = low, high, high - low, len(low)
        self.radians, self.centre = 2 * math.pi / self.turn, centre
        half = self.turn / 2
        self._cut = None if centre is None else Interval(centre - half, centre + half)

    def around(self, centre: np.ndarray) -> Angle:
        """The same circle with a centre (free,), in radians from low."""
        return Angle(self.low, self.high, self.low + centre / self.radians)

    def from_line(self, y):
        v, log_det = self.low + y / self.radians, anp.zeros(len(y))
        if self._cut is not None:
            v, log_det = self._cut.from_line(y)
        x = v - self.turn * anp.floor((v - self.low) / self.turn)
        return anp.where(x < self.high, x, self.low), log_det  # x is high by rounding

    def to_line(self, x: np.ndarray) -> np.ndarray:
        if self._cut is None:
            return (x - self.low) * self.radians
        most = (0.5 - 1e-15) * self.turn  # short of the cut
        far = x - self.centre - self.turn * np.round((x - self.centre) / self.turn)
        return self._cut.to_line(self.centre + np.clip(far, -most, most))

    def near_mean(self, x: np.ndarray, share: np.ndarray) -> np.ndarray:
        """x (n, free) within half a turn of their circular mean, for weights (n,) of sum 1.

        So their mean, deviation and quantiles mean something.
        """
        mean = np.angle(share @ np.exp(1j * self.radians * (x - self.low))) / self.radians
        mean = self.low + mean % self.turn
        return x - self.turn * np.round((x - mean) / self.turn)


class Simplex:
    """K positive numbers of sum 1, by breaking a stick: x_k is a share v_k of what is left.

        v_k = sigmoid(y_k - log(K - k))     x_k = v_k r_k     r_k = 1 - x_1 - ... - x_(k-1)
        log |det dx_(1..K-1)/dy| = sum_k  log v_k + log(1 - v_k) + log r_k        k = 1 .. K-1

    y = 0 is the middle, x_k = 1/K.
    """

    n_axes, example = 1, "(3,)"

    def __init__(self, size: int):
        self.size, self.free = size, size - 1
        self._middle = np.log(np.arange(size - 1, 0, -1.0))

    def from_line(self, y):
        u = y - self._middle
        log_v, log_other = -anp.logaddexp(0.0, -u), -anp.logaddexp(0.0, u)
        log_left = anp.cumsum(log_other, axis=1)  # r_2 .. r_K
        log_r = log_left - log_other
        log_x = anp.concatenate([log_v + log_r, log_left[:, -1:]], axis=1)
        return anp.exp(log_x), anp.sum(log_v + log_other + log_r, axis=1)

    def to_line(self, x: np.ndarray) -> np.ndarray:
        left = np.cumsum(x[:, ::-1], axis=1)[:, ::-1]  # from the end: no differences of shares
        y = np.log(x[:, :-1]) - np.log(left[:, 1:]) + self._middle
        return np.where(np.abs(left[:, :1] - 1) < 1e-6, y, np.nan)


class Ordered:
    """Rising numbers: x_1 = y_1, x_k = x_(k-1) + exp(y_k); log |det dx/dy| = y_2 + ... + y_K."""

    n_axes, example = 1, "(3,)"

    def __init__(self, size: int):
        self.size = self.free = size

    def from_line(self, y):
        steps = anp.concatenate([y[:, :1], anp.exp(y[:, 1:])], axis=1)
        return anp.cumsum(steps, axis=1), anp.sum(y[:, 1:], axis=1)

    def to_line(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:, :1], np.log(np.diff(x, axis=1))], axis=1)


class CorrelationCholesky:
    """L (K, K), lower triangular, with L L^T a correlation matrix: its rows have the length 1.

        L_ij = z_ij exp(S_ij)  j < i     L_ii = exp(S_ii)     S_ij = sum_(k<j) 1/2 log(1 - z_ik^2)
        z = tanh(y)      log |det dL_(j<i)/dy| = sum_(j<i)  log(1 - z_ij^2) + S_ij

    The target is a density of the entries of L below the diagonal. If you have a density of
    R = L L^T, multiply it by |det dR/dL| = prod_k L_kk^(K-k): LKJ(eta) becomes
    prod_k L_kk^(K - k + 2 eta - 2).
    """

    n_axes, example = 2, "(3, 3)"

    def __init__(self, size: int):
        self.size, self.free = size, size * (size - 1) // 2
        rows, columns = np.tril_indices(size, -1)
        self._place = np.zeros((self.free, size * size))  # y -> its entry of the matrix
        self._place[np.arange(self.free), rows * size + columns] = 1.0
        self._below, self._on = np.tri(size, k=-1), np.eye(size)

    def from_line(self, y):
        y = anp.reshape(anp.dot(y, self._place), (-1, self.size, self.size))
        log_cosh = anp.logaddexp(y, -y) - math.log(2)
        s = anp.cumsum(-log_cosh, axis=2) + log_cosh  # of the columns before
        x = (anp.tanh(y) * self._below + self._on) * anp.exp(s)
        log_det = anp.sum((s - 2 * log_cosh) * self._below, axis=(1, 2))
        return anp.reshape(x, (-1, self.size**2)), log_det

    def to_line(self, x: np.ndarray) -> np.ndarray:
        x = x.reshape(-1, self.size, self.size)
        squares = np.cumsum((x**2)[:, :, ::-1], axis=2)[:, :, ::-1]  # of the columns from j on
        below = self._below > 0
        y = np.arctanh(x[:, below] / np.sqrt(squares[:, below]))
        diagonal = np.diagonal(x, axis1=1, axis2=2)
        is_one = np.isclose(squares[:, :, 0], 1).all(axis=1) & (diagonal > 0).all(axis=1)
        return np.where((is_one & ~np.triu(x, 1).any(axis=(1, 2)))[:, None], y, np.nan)


SUPPORTS = {
    "simplex": Simplex,
    "ordered": Ordered,
    "correlation_cholesky": CorrelationCholesky,
}
