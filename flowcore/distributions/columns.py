"""Columns and known values of a question: by number, by name, or by rows with holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_integers, as_numbers, named

if TYPE_CHECKING:
    from ..core.typing import ArrayLike


def column_numbers(columns: Sequence, dim: int, names: Sequence[str] | None = None) -> np.ndarray:
    """Distinct column numbers, from numbers or names, or a ValueError."""
    columns = list(columns)
    wrong = [c for c in columns if isinstance(c, str) and c not in (names or ())]
    if names and wrong:
        raise ValueError(f"no column is named {wrong[0]!r}: the columns are {', '.join(names)}")
    if names:
        columns = [list(names).index(c) if isinstance(c, str) else c for c in columns]
    index = as_integers("columns", columns)
    if index.ndim != 1:
        raise ValueError(f"columns must be a list of numbers, not of shape {index.shape}")
    outside = ((index < 0) | (index >= dim)).any()
    if outside or len(set(index.tolist())) < len(index):
        raise ValueError(
            f"{named('column', index)}: each must be one of 0..{dim - 1}, and appear once"
        )
    return index


def equal_rows(marks: np.ndarray) -> list[np.ndarray]:
    """Numbers of rows, those with the same marks (n, D), such as their holes, together."""
    patterns, which = np.unique(marks, axis=0, return_inverse=True)
    return [np.flatnonzero(which.ravel() == k) for k in range(len(patterns))]


def known_row(
    known: ArrayLike | Mapping, dim: int, names: Sequence[str] | None = None
) -> np.ndarray:
    """The known values as a row (D,) with NaN for unknown columns, or a ValueError."""
    row = np.full(dim, np.nan)
    if names and hasattr(known, "to_dict"):  # a row of a table with names
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
