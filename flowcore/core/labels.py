"""The names of a table's columns: found, checked, selected; and tables made of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .._imports import imported


def column_labels(x: Any) -> list | None:
    """The labels of the columns of a table: pandas, polars, pyarrow, Dask; None for an array."""
    columns = getattr(x, "column_names", getattr(x, "columns", None))
    return list(columns) if isinstance(columns, Iterable) else None


def check_in_memory(name: str, x: Any) -> None:
    """A TypeError for a table of Dask, which would be computed in this process, perhaps for hours.

    The doors of numbers, of tables and of the estimator call it first.
    """
    if type(x).__module__.partition(".")[0] in ("dask", "dask_expr"):  # maybe not installed
        raise TypeError(
            f"{name} is a Dask {type(x).__name__}, whose rows are not in memory: pass a sample, by "
            "its .compute(), or take flowcore.distributed.fit or flowcore.distributed.log_prob"
        )


def is_name(label: Any) -> bool:
    """Whether it names a column: text, an integer, or a tuple of these, as of a MultiIndex."""
    if isinstance(label, tuple):
        return all(map(is_name, label))
    return isinstance(label, (str, Integral)) and not isinstance(label, bool)


def has_numbers(labels: Sequence | None) -> bool:
    """Whether there are integers among the names, so that an integer is a name and no place."""
    return any(isinstance(label, Integral) for label in labels or ())


def is_numbered(labels: Sequence) -> bool:
    """Whether the labels are 0, 1, ... in order, as of a table whose columns have no names."""
    return [*labels] == [*range(len(labels))]


def is_by_name(labels: Sequence, names: Sequence) -> bool:
    """Whether the columns of a table are found by their labels, and not by position.

    0, 1, ... are no names, neither of a table nor of a model. But they are turned back where a
    table has them in another order, and they are labels for a model with integers among its names.
    """
    if is_numbered(names):
        return {*labels} == {*names} and all(map(is_name, labels))
    return not is_numbered(labels) or has_numbers(names)


def names_of(name: str, table: Any) -> list | None:
    """The names of the columns of a table; None for an array, and for columns 0, 1, ...

    Errors: ValueError if a name appears twice, and for labels that are no names, such as dates.
    """
    labels = column_labels(table) or []
    wrong = [label for label in labels if not is_name(label)]
    if wrong and len(labels) > 1:
        raise ValueError(
            f"{name} has a column called {wrong[0]!r:.60}, but names are text or integers: rename "
            f"the columns, such as {name}.columns = {name}.columns.astype(str)"
        )
    if wrong or is_numbered(labels):
        return None
    check_labels(name, labels, list(dict.fromkeys(labels)))
    return labels


def in_order_of(name: str, labels: list, names: Sequence | None) -> list:
    """The labels of the columns that a model of columns `names` reads, in its order.

    Other labels are left out. All of them, as they are, if columns are found by position. Errors:
    ValueError that names the columns that the table `name` lacks, or has more than once.
    """
    names = [*range(len(labels))] if names is None else [*names]
    if labels == names or not is_by_name(labels, names):
        return labels
    check_labels(name, labels, names)
    return names


def selected(name: str, table: Any, names: Sequence | None) -> Any:
    """The columns of a table that `in_order_of` lists; also the values of a Series, a single row.

    None for `names`: those of a model without names. An array is returned as it is.
    """
    labels = column_labels(table)
    if labels is None and isinstance(getattr(table, "index", None), Iterable):
        labels = _labels_of_row(table, names)
    if labels is None or (own := in_order_of(name, labels, names)) is labels:
        return table
    return table.select(own) if hasattr(table, "select") else table[own]


def _labels_of_row(series: Any, names: Sequence | None) -> list | None:
    """The labels of a Series that is a row; None for a column, whose labels are those of rows."""
    labels = list(series.index)
    if len(labels) == len(labels if names is None else names) > 1:
        return labels
    is_text = all(isinstance(label, str) for label in [*labels, *(names or [0])])
    return labels if is_text and series.name not in names else None


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
    """Columns {name: values (n,)} as a table of a library; index: of pandas. Only there names may
    be numbers."""
    module = imported(library)
    if library == "pandas":
        return module.DataFrame(columns, index)
    columns = {f"{name}": values for name, values in columns.items()}
    return module.DataFrame(columns) if library == "polars" else module.table(columns)


def completed(table: Any, names: Sequence | None, hole: np.ndarray, x: np.ndarray) -> Any:
    """The table with the values x (n, D) in the columns `names` that have a hole (D,); its other
    columns, their order and its index stay. x itself for a table without names."""
    library, labels = library_of(table), column_labels(table)
    if library is None or not labels:
        return x
    columns = {label: table[label] for label in labels}
    own = in_order_of("X", labels, names)
    columns |= {own[j]: np.ascontiguousarray(x[:, j]) for j in np.flatnonzero(hole)}
    return frame_of(library, columns, getattr(table, "index", None))


def _listed(labels: Sequence, shown: int = 10) -> str:
    return ", ".join(f"{one!r:.40}" for one in labels[:shown]) + ", ..." * (len(labels) > shown)
