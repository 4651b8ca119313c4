"""The table that `fit` trains on: rows with their weights and contexts, split and cut in batches.

Rows are chosen by index and copied one batch at a time, so X may be a memmap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ._checks import as_context, as_table, as_weights


class Rows(NamedTuple):
    """x (n, D), with weight (n,) or None (all equal), and context (n, C) or None."""

    x: np.ndarray
    weight: np.ndarray | None = None
    context: np.ndarray | None = None

    def take(self, index: np.ndarray) -> Rows:
        """A copy of some of the rows."""
        return Rows(*(None if part is None else part.take(index, axis=0) for part in self))

    @property
    def total_weight(self) -> float:
        """sum_n w_n, or n without weights."""
        return float(len(self.x) if self.weight is None else self.weight.sum())

    @property
    def cotangent(self) -> np.ndarray:
        """-w / sum(w): the derivative of the loss by the log densities, and its weights."""
        if self.weight is None:
            return np.full(len(self.x), -1.0 / len(self.x))
        return self.weight / -self.weight.sum()


def as_rows(dim: int, X, context, sample_weight) -> Rows:
    """The arguments of `fit`, checked."""
    x = as_table("X", X, dim)
    return Rows(x, as_weights(sample_weight, len(x)), as_context("context", context, "X", len(x)))


def split(
    data: Rows, fraction: float, validation_data, rng: np.random.Generator
) -> tuple[np.ndarray, Rows | None]:
    """(indices of the training rows, validation rows or None); both keep the order of the data.

    Rows of weight zero belong to neither. A split draws its validation rows at random.
    """
    rows = np.arange(len(data.x)) if data.weight is None else np.flatnonzero(data.weight)
    if validation_data is not None:
        return rows, _given(data, validation_data)
    if fraction == 0:
        return rows, None
    held_out = max(1, round(fraction * len(rows)))
    if held_out >= len(rows):
        raise ValueError(
            f"validation_split={fraction} leaves none of {len(rows)} rows to train on: "
            "use validation_split=0"
        )
    order = rng.permutation(rows)
    return np.sort(order[held_out:]), data.take(np.sort(order[:held_out]))


def _given(data: Rows, validation_data) -> Rows:
    """validation_data, which is X_val or (X_val, context_val), checked."""
    parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
    if len(parts) not in (1, 2):
        raise ValueError(
            f"validation_data must be X_val or (X_val, context_val), not {len(parts)} parts"
        )
    x = as_table("validation_data", parts[0], data.x.shape[1])
    context = None
    if len(parts) == 2:
        context = as_context("context of validation_data", parts[1], "validation_data", len(x))
    widths = [None if c is None else c.shape[1] for c in (data.context, context)]
    if widths[0] != widths[1]:
        shown = ["none" if width is None else f"(n, {width})" for width in widths]
        raise ValueError(
            f"context is {shown[0]}, but the context of validation_data is {shown[1]}: pass "
            "validation_data=(X_val, context_val), with the same columns"
        )
    return Rows(x, None, context)


def batches(
    data: Rows, rows: np.ndarray | None, batch_size: int, rng: np.random.Generator | None
) -> Iterator[Rows]:
    """One epoch: `rows` of the data in batches, in random order if there is an rng.

    The last batch holds what is left. rows=None: everything is one batch, and is not copied.
    """
    if rows is None:
        yield data
        return
    order = rows if rng is None else rng.permutation(rows)
    for start in range(0, len(order), batch_size):
        yield data.take(order[start : start + batch_size])
