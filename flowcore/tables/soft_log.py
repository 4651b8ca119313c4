"""`SoftLog`: the logarithm of amounts, which goes on below them as a straight line."""

from __future__ import annotations

import math

import numpy as np

from ..bijectors.fixed_maps import FixedMap

RARE = 0.002  # of the rows may lie below the logarithm's part
GAIN = 0.1  # nats a row by which it has to make the numbers more normal


class SoftLog(FixedMap):
    """z = log(x / a) where x >= a, and x / a - 1 below: x = a exp(z) for z >= 0, else a (1 + z).

        log |dx/dz| = log a + max(z, 0)

    An amount x whose logarithm is nearly normal has a nearly normal z; and 0 or a negative number,
    which a later row may have, has a density, too. Cost: O(1) per number in both directions.
    Errors: ValueError unless a > 0.

    Parameters
    ----------
    a : float
        Where the line ends and the logarithm begins, in units of x.

    Examples
    --------
    >>> SoftLog(2.0).forward([[1.0], [0.0], [-1.0]]).round(3)
    array([[5.437],
           [2.   ],
           [0.   ]])
    """

    def __init__(self, a: float):
        super().__init__(1)
        self.a = float(a)
        if not 0 < self.a < math.inf:
            raise ValueError(f"a is a positive number: got {a!r:.40}")

    def _f(self, z):
        return self.a * np.where(z < 0, 1 + z, np.exp(np.maximum(z, 0.0)))

    def _f_inverse(self, x):
        y = x / self.a
        return np.where(y < 1, y - 1, np.log(np.maximum(y, 1.0)))

    def _log_slope(self, z):
        return math.log(self.a) + np.maximum(z, 0.0), np.where(z < 0, 0.0, 1.0)

    def __repr__(self):
        return f"SoftLog({self.a:g})"


def soft_log(x: np.ndarray, weight: np.ndarray | None = None) -> SoftLog | None:
    """The map of amounts x (n,) that it makes more normal; None for other numbers."""
    order = np.argsort(x)
    x, w = x[order], np.ones(len(x)) if weight is None else weight[order]
    total = np.cumsum(w)
    a = x[np.searchsorted(total, RARE * total[-1] * (1 - 1e-9))] if len(x) else 0.0
    if not a > 0 or x[0] == x[-1]:
        return None
    found = SoftLog(a)
    z = found.inverse(x[:, None])
    with np.errstate(all="ignore"):
        variances = [np.cov(own, aweights=w, ddof=0) for own in (x, z[:, 0])]
        gain = np.log(np.divide(*variances)) / 2 - np.average(found.forward_log_det(z), weights=w)
    return found if GAIN < gain < math.inf else None
