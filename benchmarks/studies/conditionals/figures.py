"""Figures of hidden cells and draws for them; hidden cells, by chance."""

from __future__ import annotations

import numpy as np


def with_holes(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """x (n, D) with that share of its cells NaN, completely at random; each row keeps one at least,
    and so does each column."""
    hole = rng.random(x.shape) < share
    hole[np.arange(len(x)), rng.integers(x.shape[1], size=len(x))] = False
    hole[rng.integers(len(x), size=x.shape[1]), np.arange(x.shape[1])] = False
    return np.where(hole, np.nan, x)


def crps(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The continuous ranked probability score of draws (m, cells): E|X - y| - E|X - X'|/2.

    Of a single draw, or m equal ones, it is the absolute error. Unbiased in m (Gneiting and Raftery
    2007; pairs of a draw with itself do not count).
    """
    m, near = len(draws), np.abs(draws - truth).mean(axis=0)
    if m == 1:
        return near
    steps = 2 * np.arange(1, m + 1) - m - 1
    spread = 2 * steps @ np.sort(draws, axis=0) / (m * (m - 1))
    return near - spread / 2


def category_score(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The same score of categories, whose distance is 0 or 1: P(X != y) - P(X != X')/2."""
    m, wrong = len(draws), (draws != truth).mean(axis=0)
    if m == 1:
        return wrong
    pairs = sum((draws != draw).sum(axis=0) for draw in draws) / (m * (m - 1))
    return wrong - pairs / 2


def category_error(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 where the most frequent draw is another value; the smallest of equally frequent ones."""
    values = np.unique(draws)
    counts = np.stack([(draws == value).sum(axis=0) for value in values])
    return (values[counts.argmax(axis=0)] != truth).astype(float)


def mean_and_error(difference: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Of cells in groups, such as rows, that are independent of each other: (mean, its error)."""
    mean = difference.mean()
    sums = np.bincount(group, difference - mean)
    return float(mean), float(np.sqrt((sums**2).sum()) / len(difference))


def absolute_error(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of the median of the draws."""
    return np.abs(np.median(draws, axis=0) - truth)


def covered_cells(draws: np.ndarray, truth: np.ndarray, share: float = 0.95) -> np.ndarray:
    """1 for each cell within the central interval of its draws, else 0; NaN for a single draw.

    Of m draws, the ones numbered (m + 1)(1 - share)/2 from both ends: exact for any m for which
    that is a whole number, such as 39 draws.
    """
    if len(draws) == 1:
        return np.full(len(truth), np.nan)
    at = max(round((len(draws) + 1) * (1 - share) / 2), 1) - 1
    ordered = np.sort(draws, axis=0)
    return ((ordered[at] <= truth) & (truth <= ordered[-1 - at])).astype(float)


def share_of_loss(learned: float, dropped: float, complete: float) -> float:
    """How much of what dropping rows loses is lost all the same: 0 is as good as complete rows."""
    return (learned - complete) / (dropped - complete) if dropped > complete else np.nan
