"""Margins: four numbers a column, by maximum likelihood, that make skewed columns nearly normal."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers, frozen
from ..core.rows import as_weights
from .fixed_maps import FixedMap, column
from .linear import mean_and_scale

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Seed, Self

STRENGTH = 2.0  # of the penalty, in nats: e^2 + (log d)^2 of the whole column cost so much
SKEWED = 8.0  # |e| at most
TAILS = (log(0.1), log(1.25))  # log d: much lighter tails than a Gaussian's forbid what lies beyond
NARROW = 12.0  # log of the deviation over s, at most
FARTHEST = 30.0  # of the argument of sinh
STEPS = 100  # of L-BFGS


class Margins(FixedMap):
    """x_i = m_i + s_i sinh((arcsinh(z_i) + e_i) / d_i), with constants of the training data.

        z = sinh(d arcsinh((x - m) / s) - e)      a = d arcsinh((x - m) / s) - e
        log dz/dx = log d + log cosh(a) - log s - 1/2 log(1 + ((x - m) / s)^2)

    m, s, e (skewness) and d (tails: heavier than a Gaussian's if d < 1) of each column maximise
    the likelihood of its values if z is normal, less a weak penalty 2 (e^2 + (log d)^2). So skewed
    and heavy-tailed columns are nearly normal in z, and a flow, a mixture or a Gaussian of z has
    only the dependence left to learn. `fit` (through `initialize`) sets the constants once, from
    the training rows, and `Margins.from_data(X)` at once; until then Margins is the identity.

    Where values repeat, the likelihood has no maximum: s shrinks around them. So k equal values are
    spread over half of the distance to the sqrt(k)-th row on each side while m, s, e and d are
    fitted. A constant column is left alone. Cost: O(D) per row in both directions; the constants
    of a column take some milliseconds. Reference: Jones and Pewsey, "Sinh-arcsinh distributions",
    2009.

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> x = np.random.default_rng(0).lognormal(size=(500, 1))
    >>> z = Margins.from_data(x).inverse(x)
    >>> float(x.max().round()), float(z.max().round())
    (21.0, 4.0)
    """

    fitted = ("loc", "scale", "skewness", "tails", "initialized")

    def __init__(self, dim: int):
        super().__init__(dim)
        self.loc, self.skewness = (frozen(np.zeros(self.dim)) for _ in range(2))
        self.scale, self.tails = (frozen(np.ones(self.dim)) for _ in range(2))
        self.initialized = False

    @classmethod
    def from_data(cls, x: ArrayLike, sample_weight: np.ndarray | None = None) -> Self:
        """The constants of the rows of x (n, D), with weights (n,) >= 0; NaN is unknown."""
        x = as_numbers("x", x)
        if x.ndim != 2:
            raise ValueError(f"{cls.__name__}.from_data takes rows of shape (n, D), not {x.shape}")
        return cls(x.shape[1])._with(x, as_weights(sample_weight, len(x)))

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Self:
        if self.initialized:
            return self
        mean_and_scale(x, self)  # a ValueError for what is no table of numbers
        return self._with(as_numbers("x", x), None)

    def _with(self, x, weight):
        weight = np.ones(len(x)) if weight is None else weight
        new = self.with_params(self.params)
        found = np.array([fitted_margin(own, weight) for own in x.T.astype(float)])
        new.loc, new.scale, new.skewness, new.tails = map(frozen, found.T.copy())
        new.initialized = True
        new.check_fitted()
        return new

    def check_fitted(self) -> None:
        """A ValueError unless the constants are finite, scale and tails above 0."""
        constants = np.stack([self.loc, self.scale, self.skewness, self.tails])
        if not (np.isfinite(constants).all() and (constants[[1, 3]] > 0).all()):
            raise ValueError(f"{self!r}: its constants must be finite, scale and tails above 0")

    def _constants(self, dtype):
        return (column(a, dtype) for a in (self.loc, self.scale, self.skewness, self.tails))

    def _f(self, z):
        loc, scale, skewness, tails = self._constants(z.dtype)
        return loc + scale * np.sinh((np.arcsinh(z) + skewness) / tails)

    def _f_inverse(self, x):
        loc, scale, skewness, tails = self._constants(x.dtype)
        return np.sinh(tails * np.arcsinh((x - loc) / scale) - skewness)

    def _log_slope(self, z):
        _, scale, skewness, tails = self._constants(z.dtype)
        u, root = (np.arcsinh(z) + skewness) / tails, np.hypot(1, z)
        curvature = (np.tanh(u) / tails - z / root) / root
        return np.log(scale) - np.log(tails) + _log_cosh(u) - np.log(root), curvature

    def __repr__(self):
        return f"Margins({self.dim}{', initialized' if self.initialized else ''})"


def fitted_margin(x: np.ndarray, weight: np.ndarray) -> tuple[float, float, float, float]:
    """(m, s, e, d) of one column (n,), by L-BFGS from the moments."""
    from scipy.optimize import minimize

    known = np.isfinite(x) & (weight > 0)
    x, weight = x[known], weight[known]
    if len(x) == 0 or x.min() == x.max():
        return (float(x[0]) if len(x) else 0.0), 1.0, 0.0, 1.0
    unit = np.ldexp(0.5, np.frexp(np.abs(x).max())[1])  # squares of huge or tiny numbers overflow
    x = x / unit
    mean = np.average(x, weights=weight)
    sd = np.sqrt(np.average((x - mean) ** 2, weights=weight))
    values, index, count = np.unique((x - mean) / sd, return_inverse=True, return_counts=True)
    u, w = spread(values, np.bincount(index, weight), count)
    w *= weight.sum() / np.sum(weight**2)  # their sum is the effective number of rows

    def loss(theta):
        m, log_s, e, log_d = theta
        d, y = np.exp(log_d), (u - m) * np.exp(-log_s)
        h, root = np.arcsinh(y), np.hypot(1, y)
        a = np.clip(d * h - e, -FARTHEST, FARTHEST)
        z = np.sinh(a)
        value = w @ (0.5 * z * z - _log_cosh(a) + np.log(root) + log_s - log_d)
        slope = w * (z * np.cosh(a) - np.tanh(a))  # by a
        by_y = slope * d / root + w * y / root**2
        gradient = np.array([
            -np.exp(-log_s) * by_y.sum(), w.sum() - by_y @ y,
            2 * STRENGTH * e - slope.sum(), d * (slope @ h) - w.sum() + 2 * STRENGTH * log_d,
        ])  # fmt: skip
        return value + STRENGTH * (e * e + log_d * log_d), gradient

    bounds = [(None, None), (-NARROW, None), (-SKEWED, SKEWED), TAILS]
    m, log_s, e, log_d = minimize(
        loss, np.zeros(4), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}
    ).x
    return unit * (mean + sd * m), unit * sd * np.exp(log_s), e, np.exp(log_d)


def spread(values, weight, count) -> tuple[np.ndarray, np.ndarray]:
    """(values, weights) of distinct values in order, where those of k rows become k points, over
    half of the distance to the sqrt(k)-th row on each side; at an end of the column both sides are
    alike."""
    last, near = np.cumsum(count) - 1, np.ceil(np.sqrt(count)).astype(int)
    rows = np.repeat(values, count)
    left = (values - rows[np.maximum(last - count + 1 - near, 0)]) / 2
    right = (rows[np.minimum(last + near, len(rows) - 1)] - values) / 2
    left, right = np.where(left > 0, left, right), np.where(right > 0, right, left)
    k = np.repeat(count, count)
    place = (np.arange(len(k)) - np.repeat(last - count + 1, count) + 0.5) / k  # in (0, 1)
    x = rows + np.repeat(left + right, count) * place - np.repeat(left, count)
    return np.where(k > 1, x, rows), np.repeat(weight / count, count)


def _log_cosh(a):
    return np.abs(a) + np.log1p(np.exp(-2 * np.abs(a))) - log(2)
