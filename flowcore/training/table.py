"""The table that `fit` trains on: rows with weights and contexts, split and cut into batches.

Rows are chosen by index and copied one batch at a time, so X may be a memmap that is larger than
memory: never more than a batch, or 100,000 rows, is in memory. Equal rows count as one row with a
weight, see `merged`.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..core.labels import selected
from ..core.rows import BLOCK, Rows, as_rows
from .columns import check_columns, few_valued_columns
from .noise import noisy
from .repeats import first_equal

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

MOST_ROWS = 100_000  # rows of a memmap that `initialize` gets, at most; and
MOST_NUMBERS = 2**23  # numbers in them: 64 MB in float64
WEIGHTED = 10_000  # rows that `initialize` gets, at least, each about as often as its weight asks


@dataclass(frozen=True)
class Table:
    """The rows of one `fit`: training rows, in batches, and validation rows.

    data         all rows, checked and `merged`
    rows         indices of the training rows, in order
    validation   the rows to choose the best epoch by, in blocks, or None
    batch_size   rows of a batch, at most len(rows); shuffle   whether each epoch draws new batches
    held_out     the fraction that was set aside; None: the checked `validation_data` was
    n            the number of distinct rows; counts   that number for the history, if rows repeat
    """

    data: Rows
    rows: np.ndarray
    validation: Iterable[Rows] | None
    batch_size: int
    shuffle: bool
    held_out: float | None
    validation_data: Rows | None
    n: int
    counts: dict[str, int]

    @property
    def batches_per_epoch(self) -> int:
        """The number of updates in an epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    @cached_property
    def everything(self) -> Rows:
        """All training rows: not copied if they are all rows."""
        return chosen(self.data, self.rows)

    @property
    def n_initial(self) -> int:
        """How many rows `initial_rows` gives."""
        n, most = len(self.rows), min(MOST_ROWS, max(2, MOST_NUMBERS // self.data.width))
        if self.data.weight is not None:
            n, times = max(n, min(WEIGHTED, most)), self.data.weight[self.rows]
            if times.sum() <= times.min() * max(n, len(self.data.x)):
                times = times / times.min()
                if np.allclose(times, np.rint(times), rtol=1e-9, atol=0):  # numbers of equal rows
                    n = round(times.sum())
        return min(n, most) if is_mapped(self.data.x) else n

    def initial_rows(self) -> Rows:
        """The rows for `initialize`: noisy training rows, each as often as its weight requires;
        from a memmap at most 100,000, evenly spaced, and fewer if they are very wide."""
        n, weight = self.n_initial, self.data.weight
        if weight is None and n == len(self.rows):
            found = self.everything if self.batch_size == n else chosen(self.data, self.rows)
        else:
            weight = None if weight is None else weight[self.rows]
            found = self.data.take(self.rows[evenly_spaced(n, len(self.rows), weight)])
        return next(noisy([found])) if found.noise else found

    def compared(self) -> tuple[dict, dict]:
        """({name: array or None}, {name: value}) by which a checkpoint recognises the table."""
        data, validation = self.data, self.validation_data or Rows(None)
        tables = {"X": data.x, "sample_weight": data.weight, "context": data.context}
        tables["validation_data"] = validation.x
        tables["context of validation_data"] = validation.context
        tables["weights of validation_data"] = validation.weight
        options = {
            "batch_size": self.batch_size,
            "validation_split": self.held_out,
            "shuffle": self.shuffle,
            "rows for initialize": self.n_initial,  # fewer of a large memmap
        }
        if data.noise:
            options |= {"noise": data.noise.x, "context_noise": data.noise.context}
        return tables, options

    def batches(self, rng: np.random.Generator | None, epoch: int, first=0) -> Iterator[Rows]:
        """One epoch, without its first `first` batches; rng=None: in the order of the data.

        Without noise, a batch of all rows is always the same arrays.
        """
        if self.batch_size == len(self.rows):
            found = iter([self.everything][first:])
        else:
            rng = rng if self.shuffle else None
            found = batches(self.data, self.rows, self.batch_size, rng, first)
        return noisy(found, epoch, first) if self.data.noise else found


def merged(rows: Rows) -> Rows:
    """Every distinct row once: the first of equal rows has their total weight, copies have 0.

    It returns the same object if no row repeats. Rows are equal if x, context, and the standard
    deviations of their noise are equal. On a grid with noise, equal rows are different rows.
    """
    if rows.noise and few_valued_columns(rows.x, rows.used)[0].size:
        return rows
    first = first_equal(rows.x, rows.context, *(rows.noise.of_rows if rows.noise else ()))
    if first is None:
        return rows
    weight = np.bincount(first, rows.weight, len(first))
    return rows._replace(weight=weight.astype(float, copy=False))


def n_distinct(rows: Rows, data: Rows) -> int:
    """The number of different rows; data: the rows, `merged`."""
    return len(rows.x) if data is rows else len(data.used)


def evenly_spaced(n: int, among: int, weight: np.ndarray | None = None) -> np.ndarray:
    """Indices of n evenly spaced rows, in order; with weights each about n w / sum(w) times."""
    if weight is None:
        return np.arange(n) * among // n
    total = np.cumsum(weight)
    return np.searchsorted(total, (np.arange(n) + 0.5) * (total[-1] / n), side="right")


def as_training_table(
    rows: Rows,
    data: Rows,
    fraction: float,
    validation_data,
    batch_size: int | None,
    shuffle: bool,
    rng: np.random.Generator,
    labels: tuple[list | None, list | None] = (None, None),
    dtype: DTypeLike = float,
) -> Table:
    """The rows, split and checked: a column without a density is an error, or a warning.

    rows     all rows, checked; data   the same, `merged`
    labels   the names of the columns of X and of the context, if any; dtype   the flow's
    """
    repeats = data is not rows
    train, validation = split(data, fraction, validation_data, rng, dtype, labels)
    # of equal rows all: a column of few values has few rows that differ in it alone
    seen, used = (rows, rows.used) if repeats else (data, train)
    if rows.noise:  # with noise, a grid has a density
        used = used[evenly_spaced(min(len(used), MOST_ROWS), len(used))]
        seen, used = next(noisy([rows.take(used)])), np.arange(len(used))
    check_columns(seen.x, used, labels[0])
    batch_size = len(train) if batch_size is None else min(int(batch_size), len(train))
    given = None if validation_data is None else validation[0]
    held_out = fraction if given is None else None
    n = n_distinct(rows, data)
    counts = {"rows": len(rows.used), "distinct_rows": n} if repeats else {}
    return Table(data, train, validation, batch_size, bool(shuffle), held_out, given, n, counts)


def split(
    data: Rows,
    fraction: float,
    validation_data,
    rng: np.random.Generator,
    dtype: DTypeLike = float,
    labels: tuple[list | None, list | None] = (None, None),
) -> tuple[np.ndarray, Iterable[Rows] | None]:
    """(indices of the training rows, validation rows or None); both keep the order of the data.

    Rows of weight zero belong to neither. A split draws its validation rows at random. They are one
    block, or several for a memmap, which are read whenever they are iterated over.
    """
    rows = data.used
    if validation_data is not None:
        given = _validation_rows(data, validation_data, dtype, labels)
        return rows, [*noisy([given])] if given.noise else [given]
    if fraction == 0:
        return rows, None
    held_out = max(1, round(fraction * len(rows)))
    if held_out >= len(rows):
        raise ValueError(
            f"validation_split={fraction} leaves none of {len(rows)} distinct rows to train on: "
            "use validation_split=0"
        )
    rng.shuffle(rows)
    held, rows = rows[:held_out], rows[held_out:]
    held.sort()
    rows.sort()
    validation = Blocks(data, held) if is_mapped(data.x) or data.noise else [data.take(held)]
    return rows, validation


def _validation_rows(data: Rows, validation_data, dtype: DTypeLike, labels: tuple) -> Rows:
    """validation_data, which is X_val, or a tuple with its context and weights, checked, without
    rows of weight 0; a list of two tables, too, since rows have one axis."""
    pair = isinstance(validation_data, list) and all(np.ndim(p) == 2 for p in validation_data)
    pair = pair or isinstance(validation_data, tuple)
    parts = validation_data if pair else (validation_data,)
    if len(parts) not in (1, 2, 3):
        raise ValueError(
            f"validation_data must be X_val or (X_val, context_val, weights_val), not {len(parts)} "
            "parts"
        )
    x, context, weight = (*parts, None, None)[:3]
    x = selected("validation_data", x, labels[0])
    context = selected("context of validation_data", context, labels[1])
    rows = as_rows(x, data.x.shape[1], context, weight, dtype, of="validation_data")
    widths = [None if c is None else c.shape[1] for c in (data.context, rows.context)]
    if widths[0] != widths[1]:
        shown = ["none" if width is None else f"(n, {width})" for width in widths]
        raise ValueError(
            f"context is {shown[0]}, but the context of validation_data is {shown[1]}: pass "
            "validation_data=(X_val, context_val), with the same columns"
        )
    if data.noise and data.noise.of_rows:
        raise ValueError(
            "validation_data cannot have the noise of each row of X or context: leave it out, as "
            "validation_split takes rows with their noise, or pass a function as noise"
        )
    rows = rows._replace(noise=data.noise)
    return rows if rows.weight is None else rows.take(rows.used)


@dataclass(frozen=True)
class Blocks:
    """`rows` of the data, read from it block by block in every iteration, with the same noise."""

    data: Rows
    rows: np.ndarray

    def __iter__(self) -> Iterator[Rows]:
        found = batches(self.data, self.rows, max(1, BLOCK // self.data.width), None)
        return noisy(found) if self.data.noise else found


def is_mapped(table: np.ndarray) -> bool:
    """Whether an array is a view of a file that is mapped into memory, as a memmap is."""
    while isinstance(table, np.ndarray):
        table = table.base
    return isinstance(table, mmap.mmap)


def chosen(data: Rows, rows: np.ndarray) -> Rows:
    """`rows` of the data, all different and in order: not copied if they are all there are."""
    return data if len(rows) == len(data.x) else data.take(rows)


def batches(
    data: Rows,
    rows: np.ndarray,
    batch_size: int,
    rng: np.random.Generator | None,
    first: int = 0,
) -> Iterator[Rows]:
    """One epoch: `rows` of the data in batches, in random order if there is an rng.

    The last batch holds the rest. first: the number of batches that an earlier run has seen, which
    are skipped. The rows of a batch are not sorted, so that a memmap gives the same bits as an
    array in memory.
    """
    order = rows if rng is None else rng.permutation(rows)
    for start in range(first * batch_size, len(order), batch_size):
        yield data.take(order[start : start + batch_size])
