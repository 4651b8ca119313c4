"""`Tail`: how amounts go on beyond their last rows, as a generalised Pareto density."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtri, ndtri_exp

from ..bijectors.fixed_maps import FixedMap
from ..core.rows import as_counts
from ..pareto import fitted_pareto

FEW, LEAST, SHARES = 150, 20, (0.02, 0.2)  # rows of a tail, wanted and at least; shares of all rows
FOLDS = 5  # which hold out rows of the tail
LEAST_K = 1e-12  # an exponential density
LOG_HAZARD_AT_0 = 0.5 * np.log(2 / np.pi)


class Tail(FixedMap):
    """log x of z: z itself up to `edge`; beyond, x is as far out as z is in a normal density.

        x / t = 1 + sigma H(p_t / P(u))        t = e^edge, u = u_t + (z - edge) / s
        H(r) = (r^k - 1) / k for r < n, then n^k (log r - log n) more

    P(u) is the share of a normal density above u, and p_t = P(u_t) that of the n rows above t. If z
    has a normal tail, x - t is exponential with the mean sigma t (k = 0), or has a generalised
    Pareto density, which is exponential beyond the value that one row exceeds: all its moments are
    finite. s is such that the slope has no step. So draws of a density with normal tails are no
    farther out than the rows suggest.

    Cost: O(1) per number in both directions. Errors: ValueError for a share that is not between 0
    and 1, a sigma that is not positive, a negative k.

    Parameters
    ----------
    edge : float
        log t.
    share : float
        p_t.
    n : float
        The number of rows above t.
    sigma, k : float
        Scale in units of t, and shape, of the generalised Pareto density.

    References
    ----------
    Coles, "An introduction to statistical modeling of extreme values", 2001, chapter 4.

    Examples
    --------
    >>> tail = Tail(0.0, 0.05, n=100, sigma=0.5)
    >>> np.exp(tail.forward([[-1.0], [0.0], [3.0]])).round(3)
    array([[0.368],
           [1.   ],
           [5.925]])
    """

    def __init__(self, edge: float, share: float, n: float, sigma: float, k: float = 0.0):
        super().__init__(1)
        self.edge, self.share, self.n, self.sigma = map(float, (edge, share, n, sigma))
        self.k = max(float(k), LEAST_K)
        if not (math.isfinite(self.edge) and 0 < self.share < 1 <= self.n < math.inf):
            raise ValueError(f"{self!r}: edge is finite, share is between 0 and 1, n at least 1")
        if not (0 < self.sigma < math.inf and self.k < math.inf and k >= 0):
            raise ValueError(f"{self!r}: sigma is a positive number, k is not negative")
        self._start = -float(ndtri(self.share))
        self._s = self.sigma * math.exp(log_hazard(self._start))
        self._last = math.log(self.n)
        self._slope, self._far = (f(self.k * self._last) for f in (math.exp, math.expm1))
        self._far /= self.k  # H(n)

    def _u(self, z):
        return self._start + np.maximum(z - self.edge, 0.0) / self._s

    def _log_ratio(self, u):
        """log r, less than no 0."""
        return np.maximum(math.log(self.share) - log_ndtr(-u), 0.0)

    def _f(self, z):
        log_r = self._log_ratio(self._u(z))
        far = np.expm1(self.k * np.minimum(log_r, self._last)) / self.k
        far += self._slope * np.maximum(log_r - self._last, 0.0)
        return np.where(z > self.edge, self.edge + np.log1p(self.sigma * far), z)

    def _f_inverse(self, x):
        far = np.expm1(np.maximum(x - self.edge, 0.0)) / self.sigma
        log_r = np.log1p(self.k * np.minimum(far, self._far)) / self.k
        log_r += np.maximum(far - self._far, 0.0) / self._slope
        u = -ndtri_exp(math.log(self.share) - log_r)
        return np.where(x > self.edge, self.edge + self._s * (u - self._start), x)

    def _log_slope(self, z):
        u, beyond = self._u(z), z > self.edge
        log_r, log_h = self._log_ratio(u), log_hazard(u)
        log_slope = math.log(self.sigma / self._s) + self.k * np.minimum(log_r, self._last)
        log_slope += log_h + self.edge - self._f(z)
        k = np.where(log_r < self._last, self.k, 0.0)
        curvature = ((1 + k) * np.exp(log_h) - u) / self._s - np.exp(log_slope)
        return np.where(beyond, log_slope, 0.0), np.where(beyond, curvature, 0.0)

    def __repr__(self):
        shape = f"n={self.n:g}, sigma={self.sigma:g}, k={self.k:g}"
        return f"Tail({self.edge:g}, {self.share:g}, {shape})"


def log_hazard(u):
    """log of phi(u) / P(u), also where u^2 / 2 and log P are too large for a difference."""
    return LOG_HAZARD_AT_0 - np.log(erfcx(u / math.sqrt(2)))


def tail(z: np.ndarray, weight: np.ndarray | None = None) -> Tail | None:
    """The tail of amounts, given their logarithms z (n,): of 150 rows, or of a share of them.

    Exponential or generalised Pareto, whichever has the larger log p of held-out rows, in five
    folds. None if the tail has few different values.
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
        - _log_p(out[fold == j], out[fold != j].mean(), LEAST_K)
        for j in range(FOLDS)
    )
    return Tail(edge, share, n, *(_pareto(out) if gain > 0 else (out.mean(), LEAST_K)))


def _even(z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Quantiles of weighted rows at even levels, as many as their effective number."""
    order = np.argsort(z)
    total, n = np.cumsum(weight[order]), round(as_counts(weight, len(z)).sum())
    return z[order][np.searchsorted(total, (np.arange(n) + 0.5) / n * total[-1])]


def _pareto(x: np.ndarray) -> tuple[float, float]:
    """(sigma, k) of sorted x: k is shrunk towards 0, the exponential density, and not below."""
    k, sigma = (float(found[0]) for found in fitted_pareto(x[None], prior_k=0.0))
    return (sigma, k) if k > LEAST_K else (float(x.mean()), LEAST_K)


def _log_p(x: np.ndarray, sigma: float, k: float) -> float:
    return float(-(1 / k + 1) * np.log1p(k * x / sigma).sum() - len(x) * math.log(sigma))
