"""Rows of numbers, with their weights and context: checked in one place, and cut into blocks.

Tables are looked at in blocks of rows and never copied when they already hold floats, so that a
numpy memmap larger than memory stays on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .inputs import as_numbers, column_labels, named, where

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

BLOCK = 2**18  # numbers looked at in one go: 2 MB of float64
JOINT = ", or fit the joint density of X and context: its given and impute take unknown values"


class Rows(NamedTuple):
    """x (n, D), with weight (n,) or None (all equal), and context (n, C) or None.

    Rows of weight 0 are left out. noise: None, or what training adds to them (`training/noise.py`).
    """

    x: np.ndarray
    weight: np.ndarray | None = None
    context: np.ndarray | None = None
    noise: Any = None

    def take(self, index: np.ndarray) -> Rows:
        """A copy of some of the rows."""
        return Rows(*(None if part is None else part.take(index, axis=0) for part in self))

    @property
    def used(self) -> np.ndarray:
        """Indices of the rows that take part, in order."""
        n = len(self.x)  # next to a narrow table the indices take up memory, too
        index = np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)
        return index if self.weight is None else index[self.weight > 0]

    @property
    def width(self) -> int:
        """Numbers in a row, including the context."""
        return self.x.shape[1] + (0 if self.context is None else self.context.shape[1])

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


def as_rows(
    x, dim: int, context=None, weight=None, dtype: DTypeLike = float, of: str = "", more: str = ""
) -> Rows:
    """Rows x (n, dim) with context and weights, checked; see `as_table` and its neighbours.

    of: what they belong to, for messages; "" for the arguments X, context, sample_weight
    """
    name, contexts, weights = "X", "context", "sample_weight"
    if of:
        name, contexts, weights = of, f"context of {of}", f"weights of {of}"
    x = as_table(name, x, dim, dtype, more)
    context = as_context(contexts, context, name, len(x), dtype)
    return Rows(x, as_weights(weight, len(x), weights, name), context)


def as_table(name: str, values, dim: int, dtype=float, more: str = "") -> np.ndarray:
    """`values` as a float array of shape (n, dim), n >= 1, finite also in dtype; floats are not
    copied. more: other remedies for NaN than dropping or filling them."""
    table = as_numbers(name, values)
    if table.ndim != 2 or table.shape[1] != dim:
        hint = ""
        if table.ndim == 1:
            fix = f"{name}[:, None]" if dim == 1 else f"{name}[None, :]"
            hint = f"; write {fix}" if dim == 1 or table.shape == (dim,) else ""
        raise ValueError(
            f"{name} has shape {table.shape}, but the flow has dim {dim} and takes (n, {dim}){hint}"
        )
    if len(table) == 0:
        raise ValueError(f"{name} is empty: shape {table.shape}")
    check_finite(name, table, dtype, column_labels(values), more)
    return table


def as_context(name: str, values, x_name: str, n: int, dtype=float) -> np.ndarray | None:
    """`values` as a float array of shape (n, context_dim), finite, one row for each row of X."""
    if values is None:
        return None
    context = as_numbers(name, values)
    if context.ndim != 2 or len(context) != n:
        column = f"{name}.to_frame()" if hasattr(values, "to_frame") else f"{name}[:, None]"
        hint = f"; write {column}" if context.shape == (n,) else ""
        raise ValueError(
            f"{name} has shape {context.shape}, but {x_name} has {n} rows and needs as many of "
            f"context: ({n}, context_dim){hint}"
        )
    check_finite(name, context, dtype, column_labels(values), JOINT)
    return context


def as_weights(values, n: int, name="sample_weight", x_name="X") -> np.ndarray | None:
    """`values` as n weights in float64, finite, >= 0, and scaled so that the largest is 1."""
    if values is None:
        return None
    weights = np.asarray(as_numbers(name, values), np.float64)
    if weights.shape != (n,):
        raise ValueError(
            f"{name} has shape {weights.shape}, but {x_name} has {n} rows and needs ({n},)"
        )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        raise ValueError(
            f"{name} must be finite and >= 0: {named('row', bad)} (the first: {weights[bad[0]]})"
        )
    if not weights.any():
        raise ValueError(f"{name} is zero for all rows: at least one must be positive")
    return weights / weights.max()  # only their ratios matter; now no sum of them can overflow


def as_counts(weight: np.ndarray | None, n: int) -> np.ndarray:
    """Weights (n,) with their effective number of rows, (sum w)^2 / sum w^2, as their sum; None: n
    rows that count once."""
    return np.ones(n) if weight is None else weight * (weight.sum() / (weight @ weight))


def check_finite(
    name: str, table: np.ndarray, dtype=float, labels: list | None = None, more: str = ""
) -> None:
    """A ValueError that names the first rows and columns with a NaN or an infinity, or with what
    dtype cannot hold."""
    dtype = np.dtype(dtype)
    wider = table.dtype.itemsize > dtype.itemsize
    for block in blocks(*table.shape):
        here = table[block]
        good = np.abs(here) <= np.finfo(dtype).max if wider else np.isfinite(here)
        if not good.all():
            what = f"or infinite values (in {dtype})" if wider else "or infinite values"
            place = where(~good, labels, first_row=block.start)
            raise ValueError(f"{name} has NaN {what} {place}: drop or fill them{more}")


def blocks(n: int, width: int) -> list[slice]:
    """Consecutive slices that cover n rows of a table, each of about `BLOCK` numbers."""
    step = max(1, BLOCK // max(1, width))
    return [slice(start, start + step) for start in range(0, n, step)]
