"""Columns and known values of a question: by number, by name, or by rows with holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.inputs import as_integers, as_numbers, named
from ..core.labels import column_labels, has_numbers, is_name

if TYPE_CHECKING:
    from ..core.typing import ArrayLike


def column_numbers(columns: Sequence, dim: int, names: Sequence | None = None) -> np.ndarray:
    """Distinct column numbers, from numbers or names, or a ValueError.

    An integer is a name if there are integers among the names, and a number otherwise.
    """
    if names:
        columns = [_number(column, list(names)) for column in columns]
    index = as_integers("columns", list(columns))
    if index.ndim != 1:
        raise ValueError(f"columns must be a list of numbers, not of shape {index.shape}")
    outside = ((index < 0) | (index >= dim)).any()
    if outside or len(set(index.tolist())) < len(index):
        raise ValueError(
            f"{named('column', index)}: each must be one of 0..{dim - 1}, and appear once"
        )
    return index


def _number(column: Any, names: list) -> Any:
    """The number of a column, if it is a name; else itself."""
    if not is_name(column) or (isinstance(column, Integral) and not has_numbers(names)):
        return column
    if column not in names:
        listed = ", ".join(map(str, names))
        raise ValueError(f"no column is named {column!r}: the columns are {listed}")
    return names.index(column)


def equal_rows(marks: np.ndarray) -> list[np.ndarray]:
    """Numbers of rows, those with the same marks (n, D), such as their holes, together."""
    patterns, which = np.unique(marks, axis=0, return_inverse=True)
    return [np.flatnonzero(which.ravel() == k) for k in range(len(patterns))]


def known_row(known: ArrayLike | Mapping, dim: int, names: Sequence | None = None) -> np.ndarray:
    """The known values as a row (D,) with NaN for unknown columns, or a ValueError."""
    row = np.full(dim, np.nan)
    if column_labels(known) is None and hasattr(known, "to_dict"):  # a Series: by its labels
        known = {name: value for name, value in known.to_dict().items() if value == value}
    if isinstance(known, Mapping):
        columns = column_numbers(known, dim, names)
        values = np.array(as_numbers("known", list(known.values())), float)
    else:
        found = as_numbers("known", known)
        if found.shape != (dim,):
            raise ValueError(f"known has shape ({dim},), NaN for unknown, not {found.shape}")
        columns = np.flatnonzero(~np.isnan(found))
        values = found[columns].astype(float)
    if not np.isfinite(values).all():
        raise ValueError(f"known values must be finite: {values}")
    if len(columns) == dim:
        raise ValueError("all columns are known, so none is left: log_prob scores a whole row")
    row[columns] = values
    return row
