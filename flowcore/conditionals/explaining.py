"""Which cell makes a row an outlier: by how much log p would rise if that cell could change.

    gain_j(x) = max_t log p(x_1, ..., x_j = t, ..., x_D) - log p(x)     >= 0

If the columns of a row contradict each other, it becomes probable when the wrong cell changes, even
if other cells look more unusual in their own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CANDIDATES = 49  # values of a column: quantiles of draws
BLOCK = 2**15  # rows, of which one cell is another, at once
ROUNDS, FINER = 2, 7  # around the best of them: rounds, and values a round
DRAWS = 4000  # of the density, whose values are the candidates


@dataclass(frozen=True)
class Explanation:
    """Which cells make rows improbable.

    Attributes
    ----------
    names : tuple
        The names of the columns.
    log_p : numpy.ndarray
        (n,), log p of the rows, in nats.
    gains : numpy.ndarray
        (n, D), (max over x_j of log p) - log p(x), in nats; NaN for a row with a missing cell, inf
        if the density of the row is 0 and a change of this cell alone makes it positive.
    values : list of numpy.ndarray
        For each column (n,), the x_j of that maximum: a likely value of the cell.

    Examples
    --------
    >>> import flowcore as fc
    >>> from flowcore.conditionals.explaining import explained
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> def log_prob(rows, index):
    ...     return p.log_prob(rows)
    >>> explanation = explained(log_prob, [[0.1, 9.0]], p.sample(4000, rng=0), ["a", "b"])
    >>> explanation.gains.round(1), explanation.worst, explanation.values[1].round(1)
    (array([[13.3, 21.3]]), ['b'], array([5.1]))
    """

    names: tuple
    log_p: np.ndarray
    gains: np.ndarray
    values: list[np.ndarray]

    @property
    def worst(self) -> list:
        """The column with the largest gain in each row; None if there is none."""
        known = np.where(np.isnan(self.gains), -1, self.gains)
        best, most = known.argmax(axis=1), known.max(axis=1)
        return [self.names[j] if top > 0 else None for j, top in zip(best, most, strict=True)]


def explained(log_prob: Callable, X: np.ndarray, draws: np.ndarray, names: Sequence) -> Explanation:
    """The explanation of rows X (n, D) of numbers; draws (m, D) of the density.

    log_prob(rows, index) is log p of rows (k, D), which are X[index] with one cell changed.
    """
    X = np.asarray(X, float)
    log_p = np.asarray(log_prob(X, np.arange(len(X))), float)
    levels = np.linspace(0, 1, CANDIDATES)
    grids = [np.unique(np.quantile(column, levels))[:, None] for column in draws.T]
    pairs = [highest(log_prob, X, log_p, [j], grid, True) for j, grid in enumerate(grids)]
    gains, cells = zip(*pairs, strict=True)
    return Explanation(tuple(names), log_p, np.stack(gains, axis=1), [c[:, 0] for c in cells])


def highest(
    log_prob: Callable, rows: np.ndarray, log_p: np.ndarray, columns: Sequence[int],
    grid: np.ndarray, is_fine: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(gains (n,), the best cells (n, w)) of one column of a table.

    columns: its w columns in rows (n, W), whose densities are log_p (n,). grid (k, w): cells to
    try, in order. is_fine: values between these are possible, too. log_prob: see `explained`.
    """
    n, k = len(rows), len(grid)
    top, best, steps = log_p.copy(), rows[:, columns], np.linspace(0, 1, FINER + 2)[:, None]

    def try_out(block, cells):
        """Which of the cells (m, k, w) for rows of a block is best; it is kept if it is better."""
        m, index = np.arange(len(block)), np.repeat(block, cells.shape[1])
        changed = rows[index]
        changed[:, columns] = cells.reshape(len(index), -1)
        scores = np.asarray(log_prob(changed, index), float)
        scores = np.where(np.isnan(scores), -np.inf, scores).reshape(cells.shape[:2])
        at = scores.argmax(axis=1)
        better = scores[m, at] > top[block]
        top[block[better]] = scores[m, at][better]
        best[block[better]] = cells[m, at][better]
        return at

    size = max(1, BLOCK // k)
    for block in np.split(np.arange(n), range(size, n, size)):
        at, m = try_out(block, np.tile(grid, (len(block), 1, 1))), np.arange(len(block))
        low, high = grid[np.maximum(at - 1, 0)], grid[np.minimum(at + 1, k - 1)]
        for _ in range(ROUNDS * is_fine):
            cells = low[:, None] + steps * (high - low)[:, None]
            at = try_out(block, cells[:, 1:-1])
            low, high = cells[m, at], cells[m, at + 2]
    with np.errstate(invalid="ignore"):  # 0 where both are -inf
        return np.where(np.isneginf(top), 0.0, top - log_p), best
