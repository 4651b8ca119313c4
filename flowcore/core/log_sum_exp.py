"""log sum_k exp(a_k), safe from overflow and underflow: the log-density of a mixture."""

from __future__ import annotations

import numpy as np


def log_sum_exp(a: np.ndarray, out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """log sum_k exp(a_k) over the first axis, and its gradient exp(a_k) / sum, in `out` if given.

    Where all a_k are -inf the value is -inf and the gradient 0. `out` may be `a` itself.
    """
    top = a.max(axis=0)
    finite = np.maximum(top, np.finfo(a.dtype).min)  # not -inf - -inf, which is NaN
    softmax = np.subtract(a, finite, out=out)
    np.exp(softmax, out=softmax)
    total = np.maximum(softmax.sum(axis=0), 1)  # less only if all a_k are -inf
    softmax /= total
    return top + np.log(total), softmax
