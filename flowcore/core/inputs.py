"""The one gate of public calls: arguments are checked, cast and laid out before anything runs.

Code behind the gate makes no checks: arrays are rows (N, D) of floats, and parameters have the
right length.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from numbers import Real

import numpy as np
from autograd.tracer import getval, isbox

from .errors import warn
from .labels import check_in_memory, column_labels, selected

FLOATS = (np.float32, np.float64)
NUMBERS = "biuf"  # the kinds of dtypes that hold real numbers


def gate(owner, x, params, context, name="x"):
    """(x (N, D), theta, context (N, C) or None, leading axes) of a call to `owner`.

    params=None means the owner's own. Leading axes of x and context are broadcast together. x keeps
    its precision: a Standardize subtracts before it casts. Autograd boxes pass through.
    """
    theta = owner.params if params is None else check_params(owner, params)
    x = as_numbers(name, x)
    if x.shape[-1:] != (owner.dim,):
        check_event(x, owner.dim, owner)
    if context is not None or owner.context_dim:
        context = check_context(context, owner.context_dim, owner)
        x, context = broadcast_leading(x, context)
    lead = x.shape[:-1]
    if len(lead) != 1:
        x = x.reshape((-1, owner.dim))
        context = None if context is None else context.reshape((-1, owner.context_dim))
    return x, theta, context, lead


def as_numbers(name: str, x, holes: bool = False):
    """x as an array of floats; a ValueError that names the place of anything but a real number.

    Integers become float64; float32 and float64 stay; an autograd box stays a box. holes: None and
    pandas' NA are NaN.
    """
    if type(x) is np.ndarray and x.dtype in FLOATS:
        return x
    if isbox(x):  # a Python float in a box has no shape before autograd 1.8
        return x if hasattr(getval(x), "shape") else x + np.zeros(())
    x = _real(name, x, holes)
    if x.dtype in FLOATS:
        return x
    with np.errstate(over="ignore"):  # a long double that no float64 holds counts as infinite
        return x.astype(float)


def _real(name: str, x, holes: bool = False) -> np.ndarray:
    """x as an array of numbers; a ValueError for what is masked, ragged, or no real number, and a
    TypeError for what is not in memory.

    An array of objects passes if each is a number: NumPy would make NaN of None, and 1 of "1".
    """
    check_in_memory(name, x)
    _check_masks(name, x)
    labels = column_labels(x)
    if labels:
        _check_columns(name, x, labels)
    try:
        x = np.asarray(x)
    except (TypeError, ValueError, OverflowError) as problem:
        raise ValueError(f"{name} must hold real numbers: {problem}") from None
    if x.dtype == object:
        return _objects_as_floats(name, x, labels, holes)
    if x.dtype.kind not in NUMBERS:
        first = f", such as {str(x.flat[0])[:40]!r}" if x.size else ""
        raise ValueError(f"{name} must hold real numbers, not {x.dtype}{first}")
    return x


def _check_masks(name: str, x) -> None:
    """A ValueError for masked values, also in lists of masked rows: NumPy would ignore the mask."""
    if isinstance(x, (list, tuple)):
        masked = np.array([np.ma.is_masked(row) for row in x], bool)
        place = where(masked) if masked.any() else ""
    else:
        place = where(np.ma.getmaskarray(x), column_labels(x)) if np.ma.is_masked(x) else ""
    if place:
        raise ValueError(
            f"{name} has masked values, which are no numbers, {place}: fill or drop them"
        )


def _check_columns(name: str, table, labels: list) -> None:
    """A ValueError that names the first column of dates, durations or complex numbers: a table of
    another library may turn them into numbers when it becomes one array."""
    columns = table.get_columns() if hasattr(table, "get_columns") else None  # polars
    if columns is None and hasattr(table, "column_names"):  # pyarrow
        columns = table.columns
    if columns is None and hasattr(table, "items"):  # pandas
        columns = [column for _, column in table.items()]
    for i, column in enumerate(columns or ()):
        first = np.asarray(column[:1])
        if first.dtype.kind in "mMc":  # text is found later, with its row
            raise ValueError(
                f"{name} must hold real numbers, not {first.dtype} as in column {i} "
                f"{labels[i]!r:.40}" + (f", such as {str(first[0])!r:.40}" if first.size else "")
            )


def _objects_as_floats(name: str, x: np.ndarray, labels, holes: bool) -> np.ndarray:
    """An array of objects as one of floats, if each is a real number that a float holds."""
    wrong = np.zeros(x.shape, bool)
    if holes:
        x = np.array([np.nan if _is_hole(v) else v for v in x.flat], object).reshape(x.shape)
    wrong.flat = [not _is_float(v) for v in x.flat]
    if not wrong.any():
        return x.astype(float)
    value = x[wrong][0]
    shown = "" if value is None else f" {str(value)[:40]!r}"
    kind, fix = type(value).__name__, ": drop or fill them" if _is_hole(value) else ""
    raise ValueError(
        f"{name} must hold real numbers: there is a {kind}{shown} {where(wrong, labels)}{fix}"
    )


def _is_hole(value) -> bool:
    return type(value).__name__ in ("NoneType", "NAType", "NaTType")


def _is_float(value) -> bool:
    """Whether it is a real number that a float holds: Python's integers may be too large."""
    if not isinstance(value, Real) or isinstance(value, np.timedelta64):
        return False
    try:
        return float(value) is not None
    except (TypeError, ValueError, OverflowError):
        return False


def as_column(name: str, values):
    """Values (n,) as a column (n, 1), and a series with a name as a table; else unchanged."""
    if hasattr(values, "to_frame"):
        return values.to_frame()
    return as_numbers(name, values)[:, None] if np.ndim(values) == 1 else values


def as_probabilities(q) -> np.ndarray:
    """The levels of quantiles, (k,), or a ValueError."""
    q = np.atleast_1d(as_numbers("q", q))
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"q must be probabilities in [0, 1]: {q}")
    return q


def as_integers(name: str, x) -> np.ndarray:
    """x as an array of integers; a ValueError for anything else, floats without fraction too."""
    numbers = as_numbers(name, x)
    array = np.asarray(x)
    if (array.dtype.kind not in "iu" and array.size) or (np.abs(numbers) >= 2**63).any():
        raise ValueError(f"{name} must hold integers, not {array.dtype}: {show(array)}")
    return array.astype(int)


def in_order(name: str, table, names: Sequence | None, holes: bool = False):
    """The columns `names` of a table (..., D) as numbers: see `selected` and `as_numbers`."""
    is_array = isinstance(table, np.ndarray)
    return as_numbers(name, table if is_array else selected(name, table, names), holes)


def where(wrong: np.ndarray, labels=None, first_row: int = 0) -> str:
    """'in rows 3, 5 (column 1 'age')': the places of a table or vector where a mask is True."""
    if wrong.ndim < 2:
        return f"in {named('row', first_row + np.flatnonzero(wrong))}"
    flat = wrong.reshape((-1, wrong.shape[-1]))
    rows, columns = first_row + np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    return f"in {named('row', rows)} ({named('column', columns, labels)})"


def named(noun: str, index: np.ndarray, labels: list | None = None, shown: int = 5) -> str:
    """'row 3', or 'rows 3, 5, 8, 9, 11, ...'; labels are written beside their numbers."""
    texts = [f"{i}" if labels is None else f"{i} {labels[i]!r:.40}" for i in index[:shown]]
    numbers = ", ".join(texts) + (", ..." if len(index) > shown else "")
    return f"{noun}{'s' if len(index) > 1 else ''} {numbers}"


def infinite(x: np.ndarray, dtype) -> np.ndarray | None:
    """Where x is infinite, or would be in dtype; None if it is nowhere."""
    if x.dtype.itemsize <= np.dtype(dtype).itemsize:
        if np.isfinite(x).all():
            return None
        far = np.isinf(x)
    else:
        far = np.abs(x) > np.finfo(dtype).max
    return far if far.any() else None


def broadcast_leading(x, context):
    """x (..., D) and context (..., C) with the same leading axes."""
    if x.shape[:-1] == context.shape[:-1]:
        return x, context
    try:
        lead = np.broadcast_shapes(x.shape[:-1], context.shape[:-1])
    except ValueError:
        raise ValueError(
            f"the leading axes of x {x.shape} and context {context.shape} do not fit together"
        ) from None
    return _broadcast(x, lead), _broadcast(context, lead)


def check_params(owner, theta):
    """theta, if it is a flat vector of the owner's length; else a ValueError with both shapes."""
    theta = theta if isbox(theta) else as_vector(theta)
    if theta.shape != (owner.n_params,):
        raise ValueError(
            f"{_name(owner)} has {owner.n_params} parameters: params must have shape "
            f"({owner.n_params},), not {theta.shape}; a context is passed as context="
        )
    return theta


def as_vector(params) -> np.ndarray:
    """params as a float array; integers are cast to float64, floats keep their width."""
    if type(params) is np.ndarray and params.dtype in FLOATS:
        return params
    array = _real("params", params)
    if array.dtype.kind == "f" and array.dtype not in FLOATS:
        raise ValueError(f"params must be float32 or float64, not {array.dtype}")
    return array if array.dtype in FLOATS else array.astype(float)


def check_event(x, dim: int, owner):
    """A ValueError with both shapes unless x is (..., dim)."""
    shape = np.shape(x)
    if shape[-1:] == (dim,):
        return
    hint = "; write one column of numbers as x[:, None]" if dim == 1 and len(shape) == 1 else ""
    raise ValueError(f"{_name(owner)} takes arrays of shape (..., {dim}), not {shape}{hint}")


def check_context(context, context_dim: int, owner):
    """The context as numbers; a ValueError unless it is present when needed, absent when not, and
    of the right width."""
    wanted = f"an array of shape (..., {context_dim})"
    if not context_dim:
        if context is not None:
            raise ValueError(f"{_name(owner)} takes no context (context_dim=0), but one was given")
    elif context is None:
        raise ValueError(f"{_name(owner)} needs context=, {wanted}")
    else:
        context = in_order("context", context, getattr(owner, "context_names", None))
        if context.shape[-1:] != (context_dim,):
            raise ValueError(f"{_name(owner)} takes as context {wanted}, not {context.shape}")
        reach = getattr(owner, "_memo_reach", None)
        if reach is not None:
            _warn_of_far_contexts(getval(context), reach, owner.context_names)
    return context


def _warn_of_far_contexts(context, reach, names) -> None:
    """A warning about numbers beyond the reach (3, C) of the training rows: see `reach_of`."""
    low, high, margin = reach
    far = (context < low - margin) | (context > high + margin)
    if not far.any():
        return
    far, rows = far.reshape((-1, len(low))), context.reshape((-1, len(low)))
    columns, n = np.flatnonzero(far.any(axis=0)), int(far.any(axis=1).sum())
    j = columns[0]
    warn(
        f"context is far outside of the training rows in {named('column', columns, names)}, in "
        f"{n} of {len(rows)} rows (column {j}: {rows[far[:, j], j][0]:.6g}, but from {low[j]:.6g} "
        f"to {high[j]:.6g} in training): the density is extrapolated there. If the number is a "
        "flag of a missing value, drop the row, or take the joint density, which can do without it"
    )


def check_one_a_row(owner, what: str, found, rows):
    """A ValueError unless `found` has one number per row: never a silent (n, n)."""
    wanted = np.shape(rows)[:-1]
    if np.shape(found) != wanted:
        raise ValueError(
            f"{_name(owner)} must return shape {wanted} as {what} of rows of shape "
            f"{np.shape(rows)}, not {np.shape(found)}: the sum over the last axis only"
        )


def interval(low, high, dim: int) -> tuple:
    """low and high as `constant` returns them; a ValueError unless low < high, and both finite."""
    low, high = constant("low", low, dim), constant("high", high, dim)
    if not np.all(np.less(low, high)):
        raise ValueError(f"low must be less than high, not {low} and {high}")
    if not np.all(np.divide(high, 2) - np.divide(low, 2) < np.finfo(float).max / 2):
        raise ValueError(f"high - low must be finite: low = {low}, high = {high}")
    return low, high


def constant(name: str, value, dim: int | None = None, positive: bool = False):
    """value as a float, or as a read-only vector of length dim (None: any); else a ValueError."""
    array = np.array(as_numbers(name, value), float)
    fits = array.ndim == 0 or (array.ndim == 1 and dim in (None, array.size))
    good = np.isfinite(array) & (array > 0 if positive else True)
    if not fits or not good.all():
        kind, shape = "positive" if positive else "finite", "D" if dim is None else dim
        raise ValueError(f"{name} must be {kind}, a number or of shape ({shape},): {show(value)}")
    array.flags.writeable = False
    return float(array) if array.ndim == 0 else array


def positive(name: str, value, alternative: str = "") -> float:
    """value as one finite float > 0, or a ValueError."""
    number = as_numbers(name, value)
    if number.ndim == 0 and 0 < number < np.inf:
        return float(number)
    raise ValueError(f"{name} must be a positive number{alternative}, not {show(value)}")


def show(value, digits: str = "") -> str:
    """A number, or at most four of a list of them."""
    if np.ndim(value) == 0:
        return f"{value:{digits}}"
    shown = ", ".join(f"{v:{digits}}" for v in np.asarray(value).ravel()[:4].tolist())
    return f"[{shown}{', ...' if np.size(value) > 4 else ''}]"


def check_dim(name: str, dim, least: int = 1) -> int:
    """dim as an int >= least, or a ValueError."""
    try:
        if int(dim) == dim and dim >= least:
            return int(dim)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} must be an integer >= {least}, not {dim!r}")


def check_count(n, name: str = "the number of samples") -> int:
    """n as an int >= 0, or a ValueError, also for 10.0."""
    try:
        return check_dim(name, operator.index(n), least=0)
    except TypeError:
        fix = "pass a whole number, such as 10"
        raise ValueError(f"{name} must be an integer >= 0, not {n!r}: {fix}") from None


def sample_gate(owner, n, context=None):
    """(N, context (N, C) or None, leading axes) of n samples, for every row of the context.

    n is a number, or a tuple of numbers. ValueError for a negative one, or for absurdly many rows.
    """
    lead = tuple(map(check_count, (n,) if np.ndim(n) == 0 else n))
    context = check_context(context, owner.context_dim, owner)
    if context is not None:
        lead += context.shape[:-1]
        context = np.broadcast_to(context, (*lead, owner.context_dim))
        context = context.reshape((-1, owner.context_dim))
    n = math.prod(lead)
    if n * owner.dim >= 2**60:  # NumPy's integers would wrap around: no samples instead of too many
        raise ValueError(f"{lead} samples of {owner.dim} numbers each do not fit into any memory")
    return n, context, lead


def _broadcast(x, lead: tuple[int, ...]):
    if np.shape(x)[:-1] == lead:
        return x
    if not isbox(x):
        return np.broadcast_to(x, (*lead, x.shape[-1]))
    return x + np.zeros((*lead, 1), x.dtype)  # autograd's broadcast_to cannot add axes


def _name(owner) -> str:
    name = repr(owner)
    return name if len(name) <= 80 else type(owner).__name__
