"""The rows of a table: equal ones are one row with their weights added, folds, quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..training.repeats import first_equal


@dataclass(frozen=True)
class Rows:
    """Different rows: x (n, D), context (n, C) or None, weight (n,) with the sum 1.

    original   (N,): which of them each row of the table is; -1 for one of weight 0
    """

    x: np.ndarray
    context: np.ndarray | None
    weight: np.ndarray
    original: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def merged(x: np.ndarray, weight: np.ndarray, context: np.ndarray | None) -> Rows:
    """The different rows of positive weight, sorted.

    A row that is there twice is a row of weight 2: else it could be in two folds, where it would be
    known when it is held out, and a spike on it would look like a discovery.
    """
    first = first_equal(x, context)
    first = np.arange(len(x)) if first is None else first
    total = np.bincount(first, weight, len(x))
    kept = np.flatnonzero(total > 0)
    both = x[kept] if context is None else np.column_stack([x[kept], context[kept]])
    kept = kept[np.lexsort(both.T[::-1])]
    number = np.zeros(len(x), int)
    number[kept] = np.arange(len(kept))
    original = np.where(weight > 0, number[first], -1)
    own_context = None if context is None else context[kept]
    return Rows(x[kept], own_context, total[kept] / total[kept].sum(), original)


def quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The value that `share` of the weight does not exceed."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    at = np.searchsorted(below, share * below[-1] * (1 + 1e-12))
    return float(values[order[min(at, len(values) - 1)]])


def fold_of(n: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """(n,): the part that each row belongs to; sizes differ by at most one."""
    return rng.permutation(n) % parts


def from_the_centre(rows: Rows) -> Rows:
    """The same rows, standardised ones, by their distance from 0: an order that depends neither on
    the order in which they were given, nor on signs, units or the order of the columns."""
    order = np.argsort(np.sum(rows.x**2, axis=1), kind="stable")
    place = np.append(np.argsort(order), -1)  # of -1: -1
    context = None if rows.context is None else rows.context[order]
    return Rows(rows.x[order], context, rows.weight[order], place[rows.original])
