"""The rows of a table: equal ones are one row with their weights added, folds, quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..bijectors import Standardize
from ..training.repeats import first_equal


@dataclass(frozen=True)
class Rows:
    """Different rows: x (n, D), context (n, C) or None, weight (n,).

    original   (N,): which of them each row of the table is; -1 for one of weight 0
    """

    x: np.ndarray
    context: np.ndarray | None
    weight: np.ndarray
    original: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Rows:
        """Some of them, by number or by a mask; their weights have the sum 1."""
        weight = self.weight[index]
        context = None if self.context is None else self.context[index]
        return Rows(self.x[index], context, weight / weight.sum())


@dataclass(frozen=True)
class Fold:
    """A table, of which some rows are held out: a mask (n,)."""

    table: Rows
    mask: np.ndarray

    @property
    def training(self) -> Rows:
        return self.table.take(~self.mask)

    @property
    def held_out(self) -> Rows:
        return self.table.take(self.mask)


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
    return replace(Rows(x, context, total).take(kept), original=original)


def from_the_centre(rows: Rows, scale: Standardize, context_scale: Standardize | None) -> Rows:
    """The same rows, standardised, by their distance from 0: an order that depends neither on the
    order in which they were given, nor on signs, units or the order of the columns."""
    x, context = scale.inverse(rows.x), rows.context
    context = None if context is None else context_scale.inverse(context)
    order = np.argsort(np.sum(x**2, axis=1), kind="stable")
    place = np.append(np.argsort(order), -1)  # of -1: -1
    found = replace(rows, x=x, context=context).take(order)
    return replace(found, original=place[rows.original])


def quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The value that `share` of the weight does not exceed."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    at = np.searchsorted(below, share * below[-1] * (1 + 1e-12))
    return float(values[order[min(at, len(values) - 1)]])
