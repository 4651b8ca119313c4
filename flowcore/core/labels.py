"""The names of a table's columns: found, checked, selected; and tables made of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._imports import imported


def column_labels(x: Any) -> list | None:
    """The labels of the columns of a table: pandas, polars, pyarrow, Dask; None for an array."""
    columns = getattr(x, "column_names", getattr(x, "columns", None))
    return list(columns) if isinstance(columns, Iterable) else None


def are_names(labels: Sequence | None) -> bool:
    """True if these are names of columns in scikit-learn's sense: text."""
    return bool(labels) and all(isinstance(label, str) for label in labels)


def names_of(name: str, table: Any) -> list[str] | None:
    """The names of the columns of a table; None without names, such as the numbers of pandas.

    Errors: ValueError if a name appears twice.
    """
    labels = column_labels(table)
    if not are_names(labels):
        return None
    check_labels(name, labels, list(dict.fromkeys(labels)))
    return labels


def selected(name: str, table: Any, names: Sequence[str] | None) -> Any:
    """The columns `names` of a table, in this order; also the values of a Series, a single row.

    The table itself if either has no names. Other columns are left out. Errors: ValueError that
    names the columns that the table lacks, or has more than once.
    """
    if not are_names(names):
        return table
    labels = column_labels(table)
    if labels is None and isinstance(getattr(table, "index", None), Iterable):
        labels = None if table.name in names else list(table.index)  # of a column its rows
    if not are_names(labels) or labels == names:
        return table
    check_labels(name, labels, names)
    return table.select(names) if hasattr(table, "select") else table[names]


def check_labels(name: str, labels: list, wanted: Sequence) -> None:
    """A ValueError unless the table `name` has each of the wanted columns, and once.

    >>> check_labels("X", ["a", "b", "b"], ["a", "b"])
    Traceback (most recent call last):
    ValueError: X has 'b' more than once: its columns are 'a', 'b', 'b'
    """
    times = Counter(labels)
    missing = [one for one in wanted if not times[one]]
    again = [one for one in wanted if times[one] > 1]
    if missing or again:
        what = f"lacks {_listed(missing)}" if missing else f"has {_listed(again)} more than once"
        raise ValueError(f"{name} {what}: its columns are {_listed(labels)}")


def library_of(table: Any) -> str | None:
    """The library of a table that can be made again: "pandas", "polars", "pyarrow", or None."""
    library = type(table).__module__.partition(".")[0]
    return library if library in ("pandas", "polars", "pyarrow") else None


def frame_of(library: str, columns: Mapping, index: Any = None) -> Any:
    """Columns {name: values (n,)} as a table of a library; index: of pandas."""
    module = imported(library)
    if library == "pandas":
        return module.DataFrame(columns, index)
    return module.DataFrame(columns) if library == "polars" else module.table(columns)


def completed(table: Any, names: Sequence[str] | None, hole: np.ndarray, x: np.ndarray) -> Any:
    """The table with the values x (n, D) in the columns `names` that have a hole (D,); its other
    columns, their order and its index stay. x itself for a table without names."""
    library, labels = library_of(table), column_labels(table)
    if library is None or not labels:
        return x
    columns = {label: table[label] for label in labels}
    own = names if are_names(names) and are_names(labels) else labels
    columns |= {own[j]: np.ascontiguousarray(x[:, j]) for j in np.flatnonzero(hole)}
    return frame_of(library, columns, getattr(table, "index", None))


def _listed(labels: Sequence, shown: int = 10) -> str:
    return ", ".join(f"{one!r:.40}" for one in labels[:shown]) + ", ..." * (len(labels) > shown)
