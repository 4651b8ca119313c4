"""`Tail`: how amounts go on beyond their last rows, as a generalised Pareto density."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr, ndtri, ndtri_exp

from ..bijectors.fixed_maps import FixedMap
from ..pareto import fitted_pareto

FEW, LEAST, SHARES = 150, 20, (0.02, 0.2)  # rows of a tail, wanted and at least; shares of all rows
FOLDS = 5  # which hold out rows of the tail
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class Tail(FixedMap):
    """log x of z: z itself up to `edge`; beyond, x is as far out as z is in a normal density.

        x / t = 1 + sigma H(p_t / P(u))        t = e^edge, u = u_t + (z - edge) / s
        H(r) = log r if k = 0, else (r^k - 1) / k

    P(u) is the share of a normal density above u, and p_t = P(u_t) the share of rows above t. If
    the rest of such a density is in z, x - t is exponential with the mean sigma t (k = 0), or has a
    generalised Pareto density. s is such that the slope has no step. So columns that fall off
    sooner than their logarithm's normal density are no cliff in z, and draws of a density with
    normal tails are no farther out than the rows suggest.

    Cost: O(1) per number in both directions. Errors: ValueError for a share that is not between 0
    and 1, a sigma that is not positive, a negative k.

    Parameters
    ----------
    edge : float
        log t.
    share : float
        p_t.
    sigma, k : float
        Scale in units of t, and shape, of the generalised Pareto density.

    References
    ----------
    Coles, "An introduction to statistical modeling of extreme values", 2001, chapter 4.

    Examples
    --------
    >>> tail = Tail(0.0, 0.05, sigma=0.5, k=0.0)
    >>> np.exp(tail.forward([[-1.0], [0.0], [3.0]])).round(3)
    array([[0.368],
           [1.   ],
           [6.752]])
    """

    def __init__(self, edge: float, share: float, sigma: float, k: float = 0.0):
        super().__init__(1)
        self.edge, self.share, self.sigma, self.k = map(float, (edge, share, sigma, k))
        if not (math.isfinite(self.edge) and 0 < self.share < 1):
            raise ValueError(f"{self!r}: edge is a finite number, share is between 0 and 1")
        if not (0 < self.sigma < math.inf and 0 <= self.k < math.inf):
            raise ValueError(f"{self!r}: sigma is a positive number, k is not negative")
        self._start = -float(ndtri(self.share))
        self._s = self.sigma * math.exp(_log_hazard(self._start))

    def _u(self, z):
        return self._start + np.maximum(z - self.edge, 0.0) / self._s

    def _log_ratio(self, u):
        """log r, less than no 0."""
        return np.maximum(math.log(self.share) - log_ndtr(-u), 0.0)

    def _f(self, z):
        log_r = self._log_ratio(self._u(z))
        if self.k == 0:
            out = np.log1p(self.sigma * log_r)
        else:
            part, power = self.sigma / self.k, self.k * log_r
            out = power + np.log(part - (part - 1) * np.exp(-power))
        return np.where(z > self.edge, self.edge + out, z)

    def _f_inverse(self, x):
        far = np.expm1(np.maximum(x - self.edge, 0.0)) / self.sigma
        log_r = far if self.k == 0 else np.log1p(self.k * far) / self.k
        u = -ndtri_exp(math.log(self.share) - log_r)
        return np.where(x > self.edge, self.edge + self._s * (u - self._start), x)

    def _log_slope(self, z):
        u, beyond = self._u(z), z > self.edge
        log_hazard = _log_hazard(u)
        log_slope = math.log(self.sigma / self._s) + self.k * self._log_ratio(u) + log_hazard
        log_slope += self.edge - self._f(z)
        hazard = np.exp(log_hazard)
        curvature = ((1 + self.k) * hazard - u) / self._s - np.exp(log_slope)
        return np.where(beyond, log_slope, 0.0), np.where(beyond, curvature, 0.0)

    def __repr__(self):
        return f"Tail({self.edge:g}, {self.share:g}, sigma={self.sigma:g}, k={self.k:g})"


def _log_hazard(u):
    """log of phi(u) / P(u)."""
    return -0.5 * u * u - HALF_LOG_2PI - log_ndtr(-u)


def tail(z: np.ndarray, weight: np.ndarray | None = None) -> Tail | None:
    """The tail of amounts, given their logarithms z (n,): of 150 rows, or of a share of them.

    Exponential or generalised Pareto: by the sum of log p of the rows of each of five folds, by
    densities that were fitted to the others. None if the tail has few different values.
    """
    z = np.sort(z) if weight is None else _even(z, weight)
    share = float(np.clip(FEW / max(len(z), 1), *SHARES))
    n = round(share * len(z))
    if n < LEAST:
        return None
    edge = (z[-n - 1] + z[-n]) / 2
    out = np.expm1(z[-n:] - edge)
    if not out[0] > 0 or len(np.unique(out)) < LEAST:
        return None
    fold = np.arange(n) % FOLDS
    gain = sum(
        _log_p(out[fold == j], *_pareto(out[fold != j]))
        - _log_p(out[fold == j], out[fold != j].mean(), 0.0)
        for j in range(FOLDS)
    )
    return Tail(edge, share, *(_pareto(out) if gain > 0 else (out.mean(), 0.0)))


def _even(z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """As many quantiles of weighted rows as there are rows, at even levels."""
    order = np.argsort(z)
    total = np.cumsum(weight[order])
    return z[order][np.searchsorted(total, (np.arange(len(z)) + 0.5) / len(z) * total[-1])]


def _pareto(x: np.ndarray) -> tuple[float, float]:
    """(sigma, k) of sorted x: k is shrunk towards 0, the exponential density, and not below."""
    k, sigma = (float(found[0]) for found in fitted_pareto(x[None], prior_k=0.0))
    return (sigma, k) if k > 0 else (float(x.mean()), 0.0)


def _log_p(x: np.ndarray, sigma: float, k: float) -> float:
    far = x / sigma
    far = far if k == 0 else (1 / k + 1) * np.log1p(k * far)
    return float(-np.sum(far) - len(x) * math.log(sigma))
