"""Rows of a table as arrays, and back: coordinates on the whole line, and codes of categories."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby

import numpy as np

from ..bijectors import Bijector, Blockwise
from ..discrete import Dequantize
from .column import Column
from .frame import Frame

POINTS = 32  # of a cell, a power of 2; measured: within .01 nats for up to eight gridded columns
UNKNOWN = -1  # the code of a missing category; len(values) is that of one not seen in fit


# ---------------------------------------------------------------- numbers


def coordinates(frame: Frame, columns: Sequence[Column]) -> np.ndarray:
    """The numbers of these columns, (n, D), in their own units.

    Errors: ValueError, naming row, column and value, for text and for what is off a column's grid.
    """
    x = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        x[:, j] = frame.as_floats(column.name)
        if column.kind.is_gridded:
            off = column.kind.off_grid(x[:, j])
            n = f"{np.count_nonzero(off):,} of {len(x):,} values are not"
            problem = (
                f"which is not on the grid of {column.kind}: {n}; round it, or make it missing"
            )
            frame.check(column.name, off, problem)
    return x


def outside(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """(n, D): the numbers outside of their columns' supports; an infinite one is."""
    out = ~np.isnan(x)
    for j, column in enumerate(columns):
        out[:, j] &= ~column.kind.contains(x[:, j])
    return out


def check_inside(frame: Frame, columns: Sequence[Column], x: np.ndarray) -> None:
    """A ValueError for the first number outside of its column's support."""
    for column, out in zip(columns, outside(x, columns).T, strict=True):
        n = f"{np.count_nonzero(out):,} of {len(x):,} rows"
        problem = (
            f"which is not inside of {column.kind}, as {n}: take another kind, or leave them out"
        )
        frame.check(column.name, out, problem)


def line(columns: Sequence[Column]) -> Bijector | None:
    """The map from the whole line to each column's support; None if all are the whole line."""
    if np.isinf([column.kind.support for column in columns]).all():
        return None
    runs = [(kind, len([*run])) for kind, run in groupby(column.kind for column in columns)]
    return Blockwise([kind.line(n) for kind, n in runs], [n for _, n in runs])


def noise(columns: Sequence[Column]) -> Dequantize | None:
    """What spreads the gridded columns over their cells; None if there are none."""
    steps = np.array([column.kind.step for column in columns])
    lows = [(c.kind.low or 0.0) if c.kind.is_gridded else 0.0 for c in columns]
    return Dequantize(steps, np.array(lows)) if steps.any() else None


def cell(steps: np.ndarray) -> tuple[np.ndarray, float]:
    """(u (M, D), log(size / M)): where p is looked at for its integral over the cell of a row.

    The integral is the mean of p(x + step u) times the size. A step of 0 is of a continuous column:
    u = 0.
    """
    gridded, u = steps > 0, np.zeros((POINTS, len(steps)))
    u[:, gridded] = _unit_cube(np.count_nonzero(gridded))
    return u, float(np.log(steps[gridded]).sum() - np.log(POINTS))


@cache
def _unit_cube(dim: int) -> np.ndarray:
    """(M, dim): the first points of Sobol's sequence, at the centres of their intervals."""
    from scipy.stats.qmc import Sobol  # half a second, which only gridded columns cost

    return Sobol(dim, scramble=False).random(POINTS) + 0.5 / POINTS


def restored(x: np.ndarray, columns: Sequence[Column]) -> dict:
    """name -> values of a kind with the data: what noise and rounding did is undone."""
    dequantize = noise(columns)
    x = x if dequantize is None else dequantize.quantize(x)
    return {column.name: column.kind.restored(x[:, j]) for j, column in enumerate(columns)}


# ---------------------------------------------------------------- categories


def codes(frame: Frame, columns: Sequence[Column]) -> np.ndarray:
    """(n, K): the place of each category in its column's values; -1 missing, len(values) unseen."""
    found = np.empty((len(frame), len(columns)), np.int64)
    for k, column in enumerate(columns):
        found[:, k] = _codes(frame, column)
    return found


def _codes(frame: Frame, column: Column) -> np.ndarray:
    values, known = frame[column.name], {v: i for i, v in enumerate(column.values)}
    boolean, items = column.kind.name == "boolean", values.tolist()
    is_text = values.dtype == object and any(isinstance(v, str) for v in items)
    if is_text != (column.type == "text") and not (is_text and boolean):
        problem = f"but the column was of {column.type}s in fit, such as {column.values[0]!r:.40}"
        frame.check(column.name, [v is not None and v == v for v in items], problem)
    known |= column.kind.texts if boolean else {}
    unseen = len(column.values)
    if values.dtype == object:
        known[None] = UNKNOWN
        return np.array([known.get(v, unseen) for v in items], np.int64)
    distinct, inverse = np.unique(values, return_inverse=True)
    each = [UNKNOWN if v != v else known.get(v, unseen) for v in distinct.tolist()]
    return np.array(each, np.int64)[inverse.reshape(-1)]


def as_values(column: Column, codes: np.ndarray) -> np.ndarray:
    """Codes as the category's values: text, booleans, whole numbers or floats."""
    dtype = {"text": object, "number": None, "boolean": bool}[column.type]
    return np.array(column.values, bool if column.kind.name == "boolean" else dtype)[codes]
