"""The weights of candidates, from the log-densities of rows that they have not seen.

    maximise over w   sum_n v_n log sum_c w_c p_c(x_n),        w >= 0,  sum_c w_c = 1

with p_c(x_n) from a fit that has not seen row n (stacking: Smyth and Wolpert, "Linearly combining
density estimators via stacking", 1999). The problem is concave; EM climbs to its maximum. One
distant row adds at most 1/n to a weight.
"""

from __future__ import annotations

import numpy as np

from ..core import log_sum_exp
from ..core.rows import as_counts

STEPS, SMALLEST_STEP = 1000, 1e-7  # of EM: at most so many, and nats a row
IMAGINED = 1.0  # rows of which every candidate explains its part: no weight is zero


def stacked_weights(log_p: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """w (C,) for held-out log-densities (n, C); weight (n,) of the rows, None: all equal.

    >>> log_p = np.log([[0.2, 0.1], [0.3, 0.1], [0.1, 0.2]])
    >>> stacked_weights(log_p).round(2)
    array([0.66, 0.34])
    """
    n_rows, n_candidates = log_p.shape
    weight = as_counts(weight, n_rows)
    n = weight.sum()
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    w, before = np.full(n_candidates, 1 / n_candidates), -np.inf
    for _ in range(STEPS):
        total = p @ w
        now = weight @ np.log(total) / n
        if now - before < SMALLEST_STEP:
            break
        before = now
        w = (w * (p.T @ (weight / total)) + IMAGINED / n_candidates) / (n + IMAGINED)
    return w


def mixed(log_p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """log sum_c w_c p_c of every row (n,), from log p_c (n, C)."""
    return log_sum_exp((log_p + np.log(weights)).T)[0]


def cross_fitted(log_p: np.ndarray, fold: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """log p of every row (n,) by the mixture whose weights the other folds decided.

    fold (n,): the number of each row's fold. If there is only one fold, its own rows decide.
    """
    log_mixture = np.empty(len(log_p))
    for k in np.unique(fold):
        here = fold == k
        others = here if here.all() else ~here
        log_mixture[here] = mixed(log_p[here], stacked_weights(log_p[others], weight[others]))
    return log_mixture


def mean_and_error(log_p: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The weighted mean, and its standard error."""
    share = weight / weight.sum()
    mean = np.average(log_p, weights=weight)
    return float(mean), float(np.linalg.norm(share * (log_p - mean)))
