"""What `fit` refuses, and what it warns about: every message names the thing, the value, the fix.

Tables are looked at in blocks of rows and never copied when they already hold floats, so that a
numpy memmap larger than memory stays on disk.
"""

from __future__ import annotations

import math
import operator
import os
import warnings
from collections.abc import Sequence

import numpy as np

from ..core import as_numbers
from .optim import SCHEDULES, check_warm_up

BLOCK = 2**18  # numbers looked at in one go: 2 MB of float64
LARGE = 100.0  # of a context: its mean size
EXAMINED = 10_000  # rows in which distinct values are counted


def check_flow(flow) -> None:
    """A flow that can be trained: it has a log_prob and at least one free parameter."""
    if not all(hasattr(flow, name) for name in ("log_prob", "initialize", "with_params")):
        raise TypeError(
            f"fit needs a flow, not a {type(flow).__name__}: write "
            "TransformedDistribution(base, bijector), such as Normal(dim) for the base"
        )
    if flow.n_params == 0:
        raise ValueError(f"{flow!r} has no free parameters: there is nothing to fit")


def check_options(epochs, batch_size, validation_split, patience, clip_norm, callbacks) -> None:
    """The numbers among the arguments of `fit`."""
    _check_count("epochs", epochs)
    if batch_size is not None:
        _check_count("batch_size", batch_size, " or None (all rows)")
    if patience is not None:
        _check_count("patience", patience, " or None (never stop early)")
    if not (_is_finite(validation_split) and 0 <= validation_split < 1):
        raise ValueError(
            f"validation_split is a fraction of the rows in [0, 1): got {validation_split!r}"
        )
    if clip_norm is not None and not (_is_finite(clip_norm) and clip_norm > 0):
        raise ValueError(f"clip_norm must be a positive number or None: got {clip_norm!r}")
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a list or tuple of functions: got {callbacks!r}")


def check_run(schedule, warm_up, average, checkpoint, checkpoint_every) -> None:
    """The options of long runs among the arguments of `fit`."""
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {', '.join(map(repr, SCHEDULES))}: got {schedule!r}; pass a "
            "function of the step as learning_rate"
        )
    check_warm_up(warm_up)
    if average is not None and not (_is_finite(average) and 0 < average < 1):
        raise ValueError(f"average is a decay rate in (0, 1), or None: got {average!r}")
    if checkpoint is None:
        return
    if not (_is_finite(checkpoint_every) and checkpoint_every >= 0):
        raise ValueError(f"checkpoint_every is a number of seconds >= 0: got {checkpoint_every!r}")
    given = os.fsdecode(checkpoint)
    path = os.path.realpath(given)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"checkpoint={path!r}: there is no folder {folder}, make it first")
    if os.path.isdir(path):
        raise IsADirectoryError(f"checkpoint={path!r} is a folder: give a file in it a name")
    if given.endswith((os.sep, os.altsep or os.sep)):
        raise ValueError(f"checkpoint={given!r} ends like a folder: give a file in it a name")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(
            f"checkpoint={path!r} is no ordinary file, but a device, a pipe or a socket: give a "
            "path where a file can be"
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"checkpoint={path!r}: no file can be written in {folder}")


def as_table(name: str, values, dim: int) -> np.ndarray:
    """`values` as a finite float array of shape (n, dim), n >= 1; floats are not copied."""
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
    check_finite(name, table)
    return table


def as_context(name: str, values, x_name: str, n: int) -> np.ndarray | None:
    """`values` as a finite float array of shape (n, context_dim), one row for each row of X."""
    if values is None:
        return None
    context = as_numbers(name, values)
    if context.ndim != 2 or len(context) != n:
        hint = f"; write {name}[:, None]" if context.shape == (n,) else ""
        raise ValueError(
            f"{name} has shape {context.shape}, but {x_name} has {n} rows and needs as many of "
            f"context: ({n}, context_dim){hint}"
        )
    check_finite(name, context)
    return context


def as_weights(values, n: int) -> np.ndarray | None:
    """`values` as n weights in float64, finite, >= 0, and scaled so that the largest is 1."""
    if values is None:
        return None
    weights = np.asarray(as_numbers("sample_weight", values), np.float64)
    if weights.shape != (n,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}, but X has {n} rows and needs ({n},)"
        )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        raise ValueError(
            f"sample_weight must be finite and >= 0: {_named('row', bad)} (the first: "
            f"{weights[bad[0]]})"
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for all rows: at least one must be positive")
    return weights / weights.max()  # only their ratios matter; now no sum of them can overflow


def check_columns(x: np.ndarray, rows: np.ndarray, stacklevel: int) -> None:
    """Columns that have no density in the training rows: constant (error), gridded (warning)."""
    constant = constant_columns(x, rows)
    if constant.size:
        raise ValueError(
            f"X is constant in {_named('column', constant)} of the training rows (column "
            f"{constant[0]}: always {x[rows[0], constant[0]]}): a constant has no density, drop it"
        )
    few, distinct, examined = few_valued_columns(x, rows)
    if few.size:
        warnings.warn(
            f"X has few distinct values in {_named('column', few)} (column {few[0]}: {distinct} in "
            f"{examined} rows). The likelihood of gridded data has no maximum, it grows with every "
            "narrower spike on a grid point: dequantise (add noise, uniform over one grid step) "
            "or pass the column as context",
            UserWarning,
            stacklevel=stacklevel,
        )


def check_context_scale(context: np.ndarray | None, rows: np.ndarray, stacklevel: int) -> None:
    """A warning about context columns far from the size that networks are made for.

    X is standardised by most flows; a context enters the networks as it is.
    """
    if context is None:
        return
    sample = context[rows[:: math.ceil(len(rows) / EXAMINED)]]
    far = np.flatnonzero(np.abs(sample).mean(axis=0) > LARGE)
    if far.size:
        warnings.warn(
            f"context is large in {_named('column', far)} (column {far[0]}: up to "
            f"{np.abs(sample[:, far[0]]).max():.6g}), and networks see it as it is, unlike X, "
            "which a Standardize may scale: subtract its mean and divide by its standard "
            "deviation, in fit, log_prob and sample alike",
            UserWarning,
            stacklevel=stacklevel,
        )


def constant_columns(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Indices of the columns with one value in all of `rows`."""
    varies = np.zeros(x.shape[1], bool)
    first = x[rows[0]]
    for block in _blocks(len(rows), x.shape[1]):
        varies |= (x[rows[block]] != first).any(axis=0)
        if varies.all():
            break
    return np.flatnonzero(~varies)


def few_valued_columns(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Columns whose values come back too often for a density; (columns, distinct, examined).

    Values drawn from a density are all different, whatever n is: only whole rows may repeat, in
    resampled data. So a column is on a grid (or has a spike) if its values occur more than twice
    on average among *different* rows, or more than ten times among all: the latter alone can tell
    if D = 1. At most 10,000 rows, evenly spaced, are looked at (`examined`); `distinct` is the
    number of values of the first such column.
    """
    sample = x[rows[:: math.ceil(len(rows) / EXAMINED)]]
    ordered = np.sort(sample.T, axis=1)
    distinct = 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
    few = 2 * distinct < len(sample)
    if few.any():
        different_rows = len({row.tobytes() for row in sample})
        few = (2 * distinct < different_rows) | (10 * distinct < len(sample))
    columns = np.flatnonzero(few)
    return columns, int(distinct[columns[0]]) if columns.size else 0, len(sample)


def check_finite(name: str, table: np.ndarray) -> None:
    """A ValueError that names the first rows with a NaN or an infinity."""
    for block in _blocks(*table.shape):
        finite = np.isfinite(table[block])
        if not finite.all():
            bad = block.start + np.flatnonzero(~finite.all(axis=1))
            raise ValueError(
                f"{name} has NaN or infinite values in {_named('row', bad)}: drop or fill them"
            )


def _blocks(n: int, width: int) -> list[slice]:
    """Consecutive slices that cover n rows."""
    step = max(1, BLOCK // max(1, width))
    return [slice(start, start + step) for start in range(0, n, step)]


def _check_count(name: str, value, alternative: str = "") -> None:
    try:
        if operator.index(value) >= 1 and not isinstance(value, bool):
            return
    except TypeError:
        pass
    raise ValueError(f"{name} must be an integer >= 1{alternative}: got {value!r}")


def _is_finite(value) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def _named(noun: str, index: np.ndarray, shown: int = 5) -> str:
    """'row 3', or 'rows 3, 5, 8, 9, 11, ...'"""
    numbers = ", ".join(map(str, index[:shown])) + (", ..." if index.size > shown else "")
    return f"{noun}{'s' if index.size > 1 else ''} {numbers}"
