"""Rows far below: how many there should be, and which they are."""

from __future__ import annotations

import numpy as np

from ..core import imported
from .findings import Far, Row
from .uniformity import places

SHARE = 0.001  # of the density's own draws that are less probable than the floor
WORST = 8  # rows that are named


def far_rows(log_p: np.ndarray, log_p_of_draws: np.ndarray) -> Far:
    """The rows below the 0.1% quantile of the draws' log p.

    If rows and draws are of one density, the number of n rows below the r-th smallest of m draws is
    beta-binomial, BB(n, r, m + 1 - r), which gives the p-value of so many or more.
    """
    n, m = len(log_p), len(log_p_of_draws)
    r = max(1, round(SHARE * m))
    floor = float(np.partition(log_p_of_draws, r - 1)[r - 1])
    below = np.flatnonzero(log_p < floor)
    below = below[np.argsort(log_p[below], kind="stable")]
    betabinom = imported("scipy.stats").betabinom
    p_value = float(np.clip(betabinom.sf(len(below) - 1, n, r, m + 1 - r), 0, 1))
    p_value = 1.0 if below.size == 0 else p_value
    without = int(np.isneginf(log_p).sum())
    expected = n * r / (m + 1)
    return Far(r / m, floor, tuple(below.tolist()), expected, p_value, p_value, without)


def worst_rows(
    x: np.ndarray,
    log_p: np.ndarray,
    drawn: np.ndarray,
    log_p_of_draws: np.ndarray,
    names: list[str],
) -> tuple[Row, ...]:
    """The least probable rows, and the column in which each is furthest out."""  # fmt: skip
    indices = np.argsort(log_p, kind="stable")[:WORST]
    levels = places(log_p[indices], np.sort(log_p_of_draws))
    ordered = np.sort(drawn, axis=0)
    low, middle, high = np.quantile(ordered, (0.25, 0.5, 0.75), axis=0)
    unit = np.where(high > low, high - low, 1.0)
    found = []
    for index, level in zip(indices.tolist(), levels.tolist(), strict=True):
        j = int(np.argmax(np.abs(x[index] - middle) / unit))
        place = float(places(x[index, j], ordered[:, j]))
        found.append(Row(index, float(log_p[index]), level, names[j], float(x[index, j]), place))
    return tuple(found)


def pull_of_the_worst(log_p: np.ndarray) -> float:
    """By how many nats the least probable row alone lowers the mean; 0 if that is not finite."""
    if len(log_p) < 2 or not np.isfinite(log_p).all():
        return 0.0
    return float((log_p.sum() - log_p.min()) / (len(log_p) - 1) - log_p.mean())
