"""Gaussians, plain and bent: `correlated_gaussian`, `funnel`, `banana`; all in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_dim
from .base import Exact, set_positive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

LOG_2PI = math.log(2.0 * math.pi)
WIDEST = 50.0  # of a funnel: exp(x1 / 2) has to stay a float


def correlated_gaussian(
    rho: float | None = None, covariance: ArrayLike | None = None
) -> CorrelatedGaussian:
    """A Gaussian with mean 0, unit variances and correlation rho, or with any covariance.

    Errors: ValueError for values outside of these ranges, and if rho and covariance are both given.

    Parameters
    ----------
    rho : float
        Correlation of the two coordinates, -1 < rho < 1; 0.8 if nothing is given.
    covariance : array_like
        (D, D) instead of rho: symmetric and positive definite.

    Returns
    -------
    CorrelatedGaussian
        See `Target`.

    Examples
    --------
    >>> target = correlated_gaussian(rho=0.8)
    >>> target
    CorrelatedGaussian(covariance=((1.0, 0.8), (0.8, 1.0)))
    >>> print(f"{target.entropy():.4f} = {np.log(2 * np.pi * np.e) + np.log(1 - 0.8**2) / 2:.4f}")
    2.3271 = 2.3271
    """
    if covariance is None:
        rho = 0.8 if rho is None else rho
        if not (isinstance(rho, (int, float, np.number)) and -1.0 < rho < 1.0):
            raise ValueError(f"rho must be a correlation, -1 < rho < 1, not {rho!r}")
        covariance = ((1.0, rho), (rho, 1.0))
    elif rho is not None:
        raise ValueError(f"give rho={rho!r} or covariance, not both")
    return CorrelatedGaussian(covariance)


@dataclass(frozen=True)
class CorrelatedGaussian(Exact):
    """A Gaussian with mean 0: x ~ N(0, C), C = covariance.

    With Cholesky's C = L L^T,

        log p(x) = -|L^-1 x|^2 / 2 - sum(log diag L) - D/2 log(2 pi)
        H        = D/2 log(2 pi e) + sum(log diag L)

    `log_prob` is exact to rounding, and takes D^2 operations a row, and D^3 for 1024 rows.
    `covariance` is kept as a tuple of tuples, so that equal targets compare equal.

    Parameters
    ----------
    covariance : array_like
        As for `correlated_gaussian`.

    Examples
    --------
    >>> CorrelatedGaussian(np.diag([1.0, 4.0, 9.0])).std()
    array([1., 2., 3.])
    """

    covariance: tuple[tuple[float, ...], ...] = ((1.0, 0.8), (0.8, 1.0))

    def __post_init__(self):
        c = as_numbers("covariance", self.covariance).astype(float)
        if c.ndim != 2 or c.shape[0] != c.shape[1] or not c.size:
            raise ValueError(f"covariance must be a (D, D) matrix, not of shape {c.shape}")
        scale = np.sqrt(np.abs(np.outer(np.diag(c), np.diag(c))))
        if not (np.isfinite(c).all() and (np.abs(c - c.T) <= 1e-10 * scale).all()):
            raise ValueError(f"covariance must be finite and symmetric, not {c.tolist()}")
        try:
            np.linalg.cholesky(c)
        except np.linalg.LinAlgError:
            raise ValueError(f"covariance must be positive definite, not {c.tolist()}") from None
        object.__setattr__(self, "covariance", tuple(map(tuple, c.tolist())))

    @property
    def dim(self) -> int:
        """D."""
        return len(self.covariance)

    @property
    def _cholesky(self) -> np.ndarray:
        return np.linalg.cholesky(np.array(self.covariance))

    def _draw(self, n, rng):
        noise = rng.standard_normal((n, self.dim))
        return noise @ self._cholesky.T

    def _log_p(self, x):
        cholesky = self._cholesky
        constant = np.log(np.diag(cholesky)).sum() + 0.5 * self.dim * LOG_2PI
        white = np.linalg.solve(cholesky, x.T)
        return -0.5 * np.sum(white**2, axis=0) - constant

    def entropy(self) -> float:
        """H in nats, exactly."""
        log_det = np.log(np.diag(self._cholesky)).sum()
        return float(log_det + 0.5 * self.dim * (LOG_2PI + 1.0))

    def std(self) -> np.ndarray:
        """sqrt(diag C), (D,)."""
        return np.sqrt(np.diag(np.array(self.covariance)))


@dataclass(frozen=True)
class Funnel(Exact):
    """Neal's funnel: the first coordinate is the log-variance of all others.

    x1 ~ N(0, scale^2). Given x1, x2 ... xD ~ N(0, exp(x1)), where exp(x1) is the variance:

        log p(x) = log N(x1; 0, scale^2) - (D-1)/2 (x1 + log(2 pi)) - exp(-x1)/2 sum x_i^2
        H        = D/2 log(2 pi e) + log scale            (E x1 = 0)

    `log_prob` is exact to rounding, and takes 0.1 microseconds a row at D = 2.

    Parameters
    ----------
    dim : int
        D >= 2 (ValueError).
    scale : float
        Standard deviation of x1, 0 < scale <= 50 (ValueError: exp(x1 / 2) overflows).

    References
    ----------
    Neal 2003, Slice sampling, section 8 (there D = 10, scale = 3).

    Examples
    --------
    >>> funnel(dim=10)
    Funnel(dim=10, scale=3.0)
    >>> print(f"{funnel().entropy():.4f} nats, standard deviations {funnel().std().round(3)}")
    3.9365 nats, standard deviations [3.    9.488]
    >>> print(funnel().log_prob([[0.0, 0.0], [-3.0, 1.0]]).round(4))
    [ -2.9365 -11.9793]
    """

    dim: int = 2
    scale: float = 3.0

    def __post_init__(self):
        object.__setattr__(self, "dim", check_dim("dim", self.dim, 2))
        set_positive(self, "scale")
        if self.scale > WIDEST:
            raise ValueError(f"scale must be at most {WIDEST:g}, not {self.scale!r}: exp overflows")

    def _draw(self, n, rng):
        x = rng.standard_normal((n, self.dim))
        x[:, 0] *= self.scale
        x[:, 1:] *= np.exp(x[:, :1] / 2.0)
        return x

    def entropy(self) -> float:
        """H in nats, exactly."""
        return 0.5 * self.dim * (LOG_2PI + 1.0) + math.log(self.scale)

    def std(self) -> np.ndarray:
        """scale, and exp(scale^2 / 4) for all others, (D,): E exp(x1) = exp(scale^2 / 2)."""
        return np.array([self.scale] + [math.exp(self.scale**2 / 4.0)] * (self.dim - 1))

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        first, others = x[:, 0], x[:, 1:]
        # in logs: 0 * exp(huge) would be NaN in the neck
        square = np.exp(2.0 * np.log(np.abs(others)) - first[:, None]).sum(axis=-1)
        neck = -0.5 * (first / self.scale) ** 2 - math.log(self.scale) - 0.5 * LOG_2PI
        return neck - 0.5 * (self.dim - 1) * (first + LOG_2PI) - 0.5 * square


funnel = Funnel


@dataclass(frozen=True)
class Banana(Exact):
    """The twisted Gaussian of Haario et al. 1999, which has the shape of a banana.

    Its second coordinate is shifted by a parabola of the first. For a picture of comparable width
    and height: banana(b=0.5, sd=1.5).

        x1 = sd n1,   x2 = n2 - b (x1^2 - sd^2),    n ~ N(0, I)

    The shift keeps volumes and is undone exactly, so the entropy is the Gaussian's:

        log p(x) = log N(x1; 0, sd^2) + log N(x2 + b (x1^2 - sd^2); 0, 1)
        H        = log(2 pi e) + log sd

    `log_prob` is exact to rounding, and takes 0.1 microseconds a row.

    Parameters
    ----------
    b : float
        Strength of the bend: any finite number (in the paper 0.03 and 0.1; 0: no bend).
    sd : float
        Standard deviation of x1, > 0 (in the paper 10).

    References
    ----------
    Haario, Saksman, Tamminen 1999, Adaptive proposal distribution for random walk
    Metropolis algorithm.

    Examples
    --------
    >>> banana()
    Banana(b=0.1, sd=10.0)
    >>> print(f"{banana().entropy():.4f} nats, standard deviations {banana().std().round(3)}")
    5.1405 nats, standard deviations [10.    14.177]
    >>> print(banana(b=0.5, sd=1.0).log_prob([[0.0, 0.5], [2.0, -1.5]]).round(4))
    [-1.8379 -3.8379]
    """

    b: float = 0.1
    sd: float = 10.0

    dim = 2

    def __post_init__(self):
        set_positive(self, "sd")
        if not (isinstance(self.b, (int, float, np.number)) and math.isfinite(self.b)):
            raise ValueError(f"b must be a finite number, not {self.b!r}")
        object.__setattr__(self, "b", float(self.b))

    def _draw(self, n, rng):
        x = rng.standard_normal((n, 2))
        x[:, 0] *= self.sd
        x[:, 1] -= self._bend(x[:, 0])
        return x

    def entropy(self) -> float:
        """H in nats, exactly."""
        return LOG_2PI + 1.0 + math.log(self.sd)

    def std(self) -> np.ndarray:
        """sd, sqrt(1 + 2 b^2 sd^4), (2,): the variance of x1^2 is 2 sd^4."""
        return np.array([self.sd, math.sqrt(1.0 + 2.0 * (self.b * self.sd**2) ** 2)])

    def _bend(self, x1: np.ndarray) -> np.ndarray:
        """b (x1^2 - sd^2)."""
        return self.b * (x1 - self.sd) * (x1 + self.sd)

    def _log_p(self, x: np.ndarray) -> np.ndarray:
        straight = x[:, 1] + self._bend(x[:, 0])
        return -0.5 * ((x[:, 0] / self.sd) ** 2 + straight**2) - LOG_2PI - math.log(self.sd)


banana = Banana
