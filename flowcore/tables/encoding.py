"""Rows of a table as arrays, and back: coordinates on the whole line, and codes of categories."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby

import numpy as np

from ..bijectors import (
    Bijector,
    Blockwise,
    Chain,
    ElementwiseAffine,
    Exp,
    Permute,
    Sigmoid,
    Softplus,
)
from ..discrete import OFF_GRID, Dequantize
from .column import Column
from .frame import Frame
from .kind import Kind

POINTS = 32  # of a cell, a power of 2; measured: within .01 nats for up to eight gridded columns
UNKNOWN = -1  # the code of a missing category; len(values) is that of one not seen in fit


def coordinates(frame: Frame, columns: Sequence[Column]) -> np.ndarray:
    """The numbers of these columns, (n, D), in their own units.

    Errors: ValueError, naming row, column and value, for text and for what is off a column's grid.
    """
    x = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        x[:, j] = frame.as_floats(column.name)
        if column.kind.is_gridded:
            _check_grid(frame, column, x[:, j])
    return x


def _check_grid(frame: Frame, column: Column, x: np.ndarray) -> None:
    kind = column.kind
    with np.errstate(all="ignore"):  # far out, steps are finer than floats
        place = (x - (kind.low or 0)) / kind.step
        off = np.abs(place - np.rint(place)) > OFF_GRID
    if off.any():
        i = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"{frame.place(i, column.name)} is {x[i]:.6g}, which is not on the grid of {kind}: "
            f"{np.count_nonzero(off):,} of {len(x):,} values are not; round it, or make it missing"
        )


def outside(x: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """(n, D): the numbers outside of their columns' supports; an infinite one is."""
    low, high = np.array([c.kind.support for c in columns]).reshape(-1, 2).T
    step = np.array([c.kind.step for c in columns])
    with np.errstate(all="ignore"):
        return ~((x > low - step / 2) & (x < high - step / 2)) & ~np.isnan(x)


def check_inside(frame: Frame, columns: Sequence[Column], x: np.ndarray) -> None:
    """A ValueError for the first number outside of its column's support."""
    out = outside(x, columns)
    if out.any():
        i, j = np.argwhere(out)[0]
        raise ValueError(
            f"{frame.place(i, columns[j].name)} is {float(x[i, j])!r}, which is not inside of "
            f"{columns[j].kind}, as {np.count_nonzero(out.any(axis=1)):,} of {len(x):,} rows: take "
            "another kind, or leave them out"
        )


def codes(frame: Frame, columns: Sequence[Column]) -> np.ndarray:
    """(n, K): the place of each category in its column's values; -1 missing, len(values) unseen."""
    found = np.empty((len(frame), len(columns)), np.int64)
    for k, column in enumerate(columns):
        found[:, k] = _codes(frame, column)
    return found


def _codes(frame: Frame, column: Column) -> np.ndarray:
    values, known = frame[column.name], {v: i for i, v in enumerate(column.values)}
    is_text = values.dtype == object and any(isinstance(v, str) for v in values.tolist())
    was_text = column.type == "text"
    if was_text != is_text and not (is_text and column.kind.name == "boolean"):
        present = [i for i, v in enumerate(values.tolist()) if v is not None and v == v]
        if present:
            raise ValueError(
                f"{frame.place(present[0], column.name)} is {values[present[0]]!r:.40}, but the "
                f"column was of {column.type}s in fit, such as {column.values[0]!r:.40}"
            )
    if column.kind.name == "boolean":
        known |= {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0}
    unseen = len(column.values)
    if values.dtype == object:
        known[None] = UNKNOWN
        return np.array([known.get(v, unseen) for v in values.tolist()], np.int64)
    distinct, inverse = np.unique(values, return_inverse=True)
    each = [UNKNOWN if v != v else known.get(v, unseen) for v in distinct.tolist()]
    return np.array(each, np.int64)[inverse.reshape(-1)]


def line(columns: Sequence[Column]) -> Bijector | None:
    """The map from the whole line to each column's support; None if all are the whole line.

        continuous   x = z                       positive(low)        x = low + exp(z)
        bounded      x = low + (high - low) sigmoid(z)
        gridded with both ends: as bounded, to high + step; with a lower one: low + softplus(z)

    Neighbours that are mapped alike are one part.
    """
    shapes = [_shape(column.kind) for column in columns]
    if not any(shapes):
        return None
    parts, sizes = [], []
    for shape, run in groupby(range(len(columns)), key=lambda j: shapes[j]):
        own = [columns[j].kind for j in run]
        parts.append(_part(shape, own))
        sizes.append(len(own))
    return Blockwise(parts, sizes)


def _shape(kind: Kind) -> str:
    low, high = np.isfinite(kind.support)
    if low and high:
        return "interval"
    return ("soft" if kind.is_gridded else "half") if low else ""


def _part(shape: str, kinds: Sequence[Kind]) -> Bijector:
    n = len(kinds)
    low, high = np.array([kind.support for kind in kinds]).T
    if shape == "interval":
        return Sigmoid(n, low, high)
    if shape == "soft":
        return Softplus(n, np.array([kind.step for kind in kinds]), low)
    if shape == "half":
        return Chain([ElementwiseAffine(low, 1.0), Exp(n)]) if low.any() else Exp(n)
    return Permute(range(n))


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
    """name -> values of a kind with the data: what noise and rounding did is undone.

    A number that floats put on the edge of its support is moved inside by as little as they can.
    """
    dequantize = noise(columns)
    x = x if dequantize is None else dequantize.quantize(x)
    found = {}
    for j, column in enumerate(columns):
        kind, values = column.kind, x[:, j]
        low, high = kind.support
        if kind.is_gridded:
            top = np.inf if kind.high is None else kind.high
            values = np.clip(values, low, top)
            values = np.round(values, kind.decimals) if kind.decimals <= 15 else values
            whole = kind.decimals == 0 and (np.abs(values) < 2**53).all()
            values = values.astype(np.int64) if whole else values
        else:
            values = np.clip(values, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        found[column.name] = values
    return found


def as_values(column: Column, own: np.ndarray) -> np.ndarray:
    """Codes as the category's values: text, booleans, whole numbers or floats."""
    dtype = {"text": object, "number": None, "boolean": bool}[column.type]
    return np.array(column.values, bool if column.kind.name == "boolean" else dtype)[own]
