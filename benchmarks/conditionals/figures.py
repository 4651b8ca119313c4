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


def absolute_error(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of the median of the draws."""
    return np.abs(np.median(draws, axis=0) - truth)


def covered(draws: np.ndarray, truth: np.ndarray, share: float = 0.95) -> float:
    """The share of cells within the central interval of their draws; NaN for a single draw.

    Of m draws, the ones numbered (m + 1)(1 - share)/2 from both ends: exact for any m for which
    that is a whole number, such as 39 draws.
    """
    if len(draws) == 1:
        return np.nan
    at = max(round((len(draws) + 1) * (1 - share) / 2), 1) - 1
    ordered = np.sort(draws, axis=0)
    return float(np.mean((ordered[at] <= truth) & (truth <= ordered[-1 - at])))


def share_of_loss(learned: float, dropped: float, complete: float) -> float:
    """How much of what dropping rows loses is lost all the same: 0 is as good as complete rows."""
    return (learned - complete) / (dropped - complete) if dropped > complete else np.nan
