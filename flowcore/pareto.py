"""Pareto smoothed importance weights, and k-hat, which detects weights that fail.

The largest weights follow a generalized Pareto density, whatever the two densities are. Its shape k
is the inverse of the number of finite moments of the weights: from k = 1/2 on the variance is
infinite, from k = 1 on the mean. Above k = 0.7 no practicable number of draws is enough.

Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", JMLR 2024; Zhang and
Stephens, "A new and efficient estimation method for the generalized Pareto distribution", 2009.
"""

from __future__ import annotations

import numpy as np

LEAST = 5  # draws in a tail that can be fitted
LARGE = 2.0  # times the mean: below, no weight is large enough for a tail
SHARE = 0.01  # of all weight: a tail with less above its threshold moves log p by less
TENTH, FITTED = 10, 400  # n over the length of a long tail; how many of its numbers are fitted
PRIOR_DRAWS, PRIOR_K = 10, 0.5  # the prior of k counts as ten draws


def pareto_smoothed(log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(smoothed log-weights, k-hat (m,)) of m problems with n draws each, (m, n).

    The M largest weights, M = n/5 or 3 sqrt(n), become quantiles of the Pareto density fitted to
    them, and no weight grows beyond the largest. k-hat is -inf if the tail does not matter (no
    weight is above twice the mean, or k < 1 and the mean of the fitted density, M scale/(1 - k) for
    the tail, is below a hundredth of all weight), and inf if fewer than 5 draws are in the tail or
    most weights are 0. Cost: O(m n log n).
    """
    n = log_weight.shape[1]
    size = int(3 * np.sqrt(n)) if n > 225 else n // 5
    if size < LEAST:
        return log_weight, np.full(len(log_weight), np.inf)
    order = np.argsort(log_weight, axis=1)
    place = order[:, -size:]
    top = np.take_along_axis(log_weight, order[:, -1:], axis=1)
    with np.errstate(all="ignore"):  # rows that have no tail are set right below
        tail = np.exp(np.take_along_axis(log_weight, place, axis=1) - top)
        cut = np.exp(np.take_along_axis(log_weight, order[:, [-size - 1]], axis=1) - top)
        k, scale = fitted_pareto(tail - cut)
        step = -np.log1p(-(np.arange(size) + 0.5) / size)
        smooth = np.log(cut + scale[:, None] * np.expm1(k[:, None] * step) / k[:, None])
        mean = np.exp(log_weight - top).mean(axis=1)
        small = (k < 1) & (size * scale / (1 - k) < SHARE * n * mean)  # the Pareto density's mean
        flat, good = small | (mean * LARGE >= 1), np.isfinite(smooth).all(axis=1)
    smoothed, good = log_weight.copy(), good & ~flat
    found = top[good] + np.minimum(smooth[good], 0)
    smoothed[np.flatnonzero(good)[:, None], place[good]] = found
    return smoothed, np.where(good, k, np.where(flat, -np.inf, np.inf))


def shape_of_tail(x: np.ndarray, least: float = 0.0) -> np.ndarray:
    """k (m,) of the largest tenth of rows x (m, n) >= 0: only moments up to 1/k are finite.

    Where a flow lacks the farthest part of a tail, so do the largest few of its draws. So the tail
    is longer than that of `pareto_smoothed`. About 400 of its numbers, evenly spaced in rank, are
    fitted. k is -inf if the tail exceeds its threshold by less than the share `least` of the sum of
    all x, or is no tail (most of it is one number). It is inf if a number is infinite, or if fewer
    than 5 are in the tail. Cost: O(m n).
    """
    size = x.shape[1] // TENTH
    if size < LEAST:
        return np.full(len(x), np.inf)
    tail = np.sort(np.partition(x, -size - 1, axis=1)[:, -size - 1 :], axis=1)
    above = tail[:, 1:] - tail[:, :1]
    with np.errstate(all="ignore"):
        k = fitted_pareto(above[:, :: -max(1, size // FITTED)][:, ::-1])[0]
        small = above.sum(axis=1) <= least * x.sum(axis=1)
    return np.where(np.isinf(tail[:, -1]), np.inf, np.where(small | np.isnan(k), -np.inf, k))


def fitted_pareto(x: np.ndarray, prior_k: float = PRIOR_K) -> tuple[np.ndarray, np.ndarray]:
    """(k, scale), each (m,), of generalized Pareto densities of sorted rows x (m, n), x >= 0.

        p(x) = 1/scale (1 + k x/scale)^(-1/k - 1)

    The result is a mean over the posterior of b = -k/scale on a grid, with the best k for each b;
    then a weak prior shrinks k towards `prior_k`.
    """
    n = x.shape[1]
    m = 30 + int(np.sqrt(n))
    spread = (1 - np.sqrt(m / (np.arange(m) + 0.5))) / 3
    b = spread / x[:, [int(n / 4 + 0.5) - 1]] + 1 / x[:, -1:]  # (rows, m)
    k = np.stack([np.log1p(-one[:, None] * x).mean(axis=1) for one in b.T], axis=1)
    log_p = n * (np.log(-b / k) - k - 1)
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    b = (b * weight).sum(axis=1) / weight.sum(axis=1)
    k = np.log1p(-b[:, None] * x).mean(axis=1)
    return (n * k + PRIOR_DRAWS * prior_k) / (n + PRIOR_DRAWS), -k / b
