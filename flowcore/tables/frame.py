"""Tables of any library as one thing: a `Frame`, some named columns of equal length.

pandas, polars and pyarrow are understood by the names of their methods; none of them is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import named

if TYPE_CHECKING:
    from pandas import DataFrame

    from .._typing import TableLike

Name = str | int
DATES = "mM"  # the kinds of dtypes that are dates and durations
DAYS = "make it a number first, such as days since a day"


class Frame:
    """Some rows of a table: named columns, each numbers (float64), booleans, objects, or dates.

    What a reader yields, and what every function here makes of the table it is given. NaN and None
    are missing values. `frame.to_pandas()` is a DataFrame, `dict(frame)` a mapping that polars and
    pyarrow take; `np.asarray(frame)` the numbers (n, D), a ValueError if there is text.

    Parameters
    ----------
    columns : Mapping
        name -> array (n,). Names are text, or 0, 1, ... of a table that has none.
    source : str
        Where the rows come from, for messages: the name of a file.
    first_row : int or ndarray
        The number of the first row there, or those of all rows.

    Examples
    --------
    >>> frame = Frame({"age": np.array([31.0, 45.0]), "city": np.array(["Bern", "Rome"], object)})
    >>> frame
    Frame(2 rows: age, city)
    >>> frame["age"].mean()
    np.float64(38.0)
    """

    def __init__(self, columns: Mapping, source: str = "", first_row: int | np.ndarray = 0):
        self._columns = {name: _read_only(column) for name, column in dict(columns).items()}
        self.names = tuple(self._columns)
        self.source, self.first_row = source, first_row
        self._n = len(next(iter(self._columns.values()), ()))
        for column in self._columns.values():
            if column.shape != (self._n,):
                raise ValueError(f"columns differ in length: {self._n} and {column.shape}")

    @property
    def is_named(self) -> bool:
        """Whether the columns have names of their own."""
        return self.names != tuple(range(len(self.names)))

    @property
    def columns(self) -> tuple[Name, ...]:
        """The names, as other tables call them: what takes numbers writes them in its messages."""
        return self.names

    def __len__(self):
        return self._n

    def keys(self) -> tuple[Name, ...]:
        """The names, so that `dict(frame)` works."""
        return self.names

    def __iter__(self):
        return iter(self.names)

    def __getitem__(self, name):
        if isinstance(name, list):
            return self.select(name)
        try:
            return self._columns[name]
        except KeyError:
            fix = "" if isinstance(name, str) else "; as a table of others: frame.to_pandas()"
            raise KeyError(f"there is no column {name!r}, but {self._listed()}{fix}") from None

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.numbers(), dtype)

    def numbers(self) -> np.ndarray:
        """All columns as float64, (n, D); a ValueError that names the first text."""
        out = np.empty((self._n, len(self.names)))
        for j, name in enumerate(self.names):
            column = self._columns[name]
            if column.dtype.kind in DATES:
                raise no_number(name, column)
            if column.dtype == object:
                i = next((i for i, v in enumerate(column) if v is not None), 0)
                if self._n and column[i] is not None:
                    raise ValueError(
                        f"{self.place(i, name)} is {column[i]!r:.40}, no number; a table is "
                        "frame.to_pandas()"
                    )
                column = np.full(self._n, np.nan)
            out[:, j] = column
        return out

    def to_pandas(self) -> DataFrame:
        """The table as a DataFrame; pandas has to be installed."""
        from pandas import DataFrame

        return DataFrame(dict(self))

    def take(self, rows: np.ndarray) -> Frame:
        """Some of the rows, by index or mask, as a frame of its own."""
        chosen = {name: column[rows] for name, column in self._columns.items()}
        return Frame(chosen, self.source, self.row_numbers(np.arange(self._n)[rows]))

    def select(self, names: Iterable[Name]) -> Frame:
        """Some of the columns, as a frame of its own."""
        return Frame({name: self[name] for name in names}, self.source, self.first_row)

    def row_numbers(self, index: int | np.ndarray) -> np.ndarray:
        """What rows with these indices are called in messages."""
        return self.first_row[index] if np.ndim(self.first_row) else self.first_row + index

    def place(self, row: int, name: Name) -> str:
        """'row 17, column 'age' of data.csv': where a value stands, for messages."""
        of = f" of {self.source}" if self.source else ""
        return f"row {self.row_numbers(row)}, column {name!r:.40}{of}"

    def rows(self, index: np.ndarray) -> str:
        """'rows 3, 5, 8 of data.csv', for messages."""
        of = f" of {self.source}" if self.source else ""
        return named("row", self.row_numbers(np.asarray(index))) + of

    def _listed(self) -> str:
        return ", ".join(f"{name}" for name in self.names[:20]) + ", ..." * (len(self.names) > 20)

    def __repr__(self):
        return f"Frame({self._n} rows: {self._listed()})"


def as_frame(X: TableLike, source: str = "") -> Frame:
    """A table of any kind as a `Frame`.

    Dates and durations stay what they are, as objects become text: what wants numbers refuses them,
    by name.
    Errors: ValueError for what is no table, for two columns of one name, and, naming column and
    row, for complex numbers, masked values and objects that are neither numbers nor text.

    Parameters
    ----------
    X : table
        Of pandas, polars or pyarrow; a mapping of columns; a structured array; an array or nested
        list (n, D), whose columns are then called 0, 1, ...
    source : str
        Where it comes from, for messages.

    Returns
    -------
    Frame
        The table; numbers in float64, which are not copied if they are that already.
    """
    if isinstance(X, Frame):
        return X
    pairs = _named_columns(X)
    if pairs is None:
        pairs = enumerate(_matrix(X).T)
    pairs, columns = list(pairs), {}
    numbered = [name for name, _ in pairs] == list(range(len(pairs)))
    for name, values in pairs:
        name = int(name) if numbered else str(name)
        if name in columns:
            raise ValueError(f"two columns are called {name!r:.40}: rename one of them")
        columns[name] = _as_column(name, values, source)
    if not columns:
        raise ValueError("a table needs at least one column")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths!s:.200}")
    return Frame(columns, source)


def _read_only(column: np.ndarray) -> np.ndarray:
    column = column.view()
    column.flags.writeable = False
    return column


def _named_columns(X) -> Iterable | None:
    """(name, values) of each column of a table that has names; None of one that has none."""
    if hasattr(X, "get_columns"):  # polars
        return [(series.name, series.to_numpy()) for series in X.get_columns()]
    if hasattr(X, "collect_schema"):
        raise ValueError(f"X is a {type(X).__name__}: collect() it first")
    if hasattr(X, "column_names") and hasattr(X, "columns"):  # pyarrow
        return [(n, _of_arrow(c)) for n, c in zip(X.column_names, X.columns, strict=True)]
    if hasattr(X, "columns") and hasattr(X, "iloc"):  # pandas; a name may stand there twice
        return [(n, _of_pandas(X.iloc[:, j])) for j, n in enumerate(X.columns)]
    if isinstance(X, Mapping):
        return [(name, X[name]) for name in X]
    if isinstance(X, np.ndarray) and X.dtype.names and not np.ma.isMaskedArray(X):
        return [(name, X[name]) for name in X.dtype.names]
    if hasattr(X, "__arrow_c_stream__"):  # any other table that knows Arrow
        import pyarrow

        return _named_columns(pyarrow.table(X))
    return None


def _of_pandas(series):
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iuf" and not isinstance(series.dtype, np.dtype):  # its own NA becomes NaN
        return series.to_numpy(dtype=float, na_value=np.nan)
    if kind == "M" and not isinstance(series.dtype, np.dtype):  # with a time zone: in UTC
        return series.to_numpy(dtype="M8[us]")
    return series.to_numpy()


def _of_arrow(column):
    kind = type(column.type).__name__
    if "Dictionary" in kind:
        column = column.cast(column.type.value_type)
    return (
        np.asarray(column) if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)
    )


def _matrix(X) -> np.ndarray:
    """X as an array (n, D)."""
    try:
        array = X if isinstance(X, np.ndarray) else np.asanyarray(X)
        if array.dtype.kind == "U" and not isinstance(X, np.ndarray):
            array = np.array(X, object)  # [[1, "a"]] is a number and a text
    except (TypeError, ValueError, OverflowError) as problem:
        raise ValueError(f"X is no table: {problem}") from None
    if array.ndim != 2:
        hint = "; write X[:, None]" if array.ndim == 1 and array.dtype != object else ""
        raise ValueError(f"X has shape {array.shape}, but a table is (n, D){hint}")
    return array


def _as_column(name, values, source: str) -> np.ndarray:
    """Values as float64, bool, or objects that are text, None, or numbers beside text."""
    if np.ma.is_masked(values):
        i = int(np.flatnonzero(np.ma.getmaskarray(values))[0])
        raise ValueError(
            f"{_place(i, name, source)} is masked, which is no number: fill or drop it"
        )
    if isinstance(values, (list, tuple)):  # NumPy would make text of [1, "x"]
        values = np.fromiter(values, object, len(values))
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"column {name!r:.40} has shape {values.shape}, not (n,)")
    kind = values.dtype.kind
    if kind == "b":
        return values
    if kind in "iuf":
        with np.errstate(over="ignore"):  # a long double that no float64 holds is infinite
            return values.astype(float, copy=False)
    if kind == "U":
        return values.astype(object)
    if kind == "S":
        return np.array([v.decode("utf-8", "replace") for v in values.tolist()], object)
    if kind == "T" or values.dtype == object:  # numpy's strings of any length
        return _objects(name, values.astype(object), source)
    if kind in DATES:  # refused where they are wanted, not where they are left out
        return values
    raise no_number(name, values)


def no_number(name: Name, values: np.ndarray) -> ValueError:
    """For a column that is neither numbers nor text."""
    first = f", such as {str(values[0])!r:.40}" if len(values) else ""
    fix = DAYS if values.dtype.kind in DATES else "leave it out"
    return ValueError(f"column {name!r:.40} holds {values.dtype}{first}: {fix}")


def _objects(name, values: np.ndarray, source: str) -> np.ndarray:
    """Objects as floats if all are numbers, as booleans if all are; else text, missing as None."""
    items = [None if _is_missing(v) else _day_as_text(v) for v in values.tolist()]
    for i, v in enumerate(items):
        if v is not None and not isinstance(v, (str, Real, Decimal, np.bool_)):
            raise ValueError(
                f"{_place(i, name, source)} is a {type(v).__name__}, {str(v)!r:.40}, neither a "
                "number nor text"
            )
    found = [v for v in items if v is not None]
    if found and len(found) == len(items) and all(isinstance(v, (bool, np.bool_)) for v in found):
        return np.array(items, bool)
    if any(isinstance(v, (str, bool, np.bool_)) for v in found):
        out = np.empty(len(items), object)
        out[:] = items
        return out
    try:
        return np.array([np.nan if v is None else float(v) for v in items], float)
    except (OverflowError, ValueError) as problem:
        raise ValueError(f"column {name!r:.40} has a number too large: {problem}") from None


def _day_as_text(value):
    """A day, a time or a period as it is written: what a CSV has."""
    is_day = isinstance(value, (date, time, timedelta)) or type(value).__name__ == "Period"
    return str(value) if is_day else value


def _is_missing(value) -> bool:
    """None, NaN, and what pandas writes for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (float, np.floating)) and value != value


def _place(row: int, name, source: str) -> str:
    return Frame({}, source).place(row, name)
