"""A table of any library as arrays by name: a `Frame`, by way of narwhals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from ..core.labels import check_in_memory, frame_of, is_by_name, is_numbered

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas import DataFrame

    from ..core.typing import TableLike

Name = str | int
LIBRARIES = ("pandas", "polars", "pyarrow")  # whose tables come back as such
DATES = "mM"  # the kinds of dtypes that are dates and durations
NUMBERS = "iuf"
AS_NUMBER = "make it a number first, such as days since a day"


class Frame:
    """Some rows of a table, as named columns of numbers, booleans, objects or dates.

    NaN and None are missing values. `frame.to_pandas()` returns a DataFrame, and `dict(frame)` a
    mapping that polars and pyarrow accept. `np.asarray(frame)` returns the numbers (n, D), and
    raises ValueError if there is text.

    Parameters
    ----------
    columns : Mapping
        name -> array (n,). Names are text or integers; 0, 1, ... for a table without names.
    source : str
        Where the rows come from, for messages: the name of a file.
    first_row : int or ndarray
        The number of the first row in the source, or of all rows.
    declared : set
        The columns that the original library declares as categories.
    library : str or None
        The library of the original table.
    texts : Mapping
        name -> (n,): how the cells of a file are written, None for missing ones.

    Examples
    --------
    >>> frame = Frame({"age": np.array([31.0, 45.0]), "city": np.array(["Bern", "Rome"], object)})
    >>> frame
    Frame(2 rows: age, city)
    >>> float(frame["age"].mean())
    38.0
    """

    def __init__(
        self,
        columns: Mapping,
        source: str = "",
        first_row: int | np.ndarray = 0,
        declared: Iterable[Name] = (),
        library: str | None = None,
        texts: Mapping = {},
    ):
        self._columns = {name: _read_only(column) for name, column in dict(columns).items()}
        self.names = self.columns = tuple(self._columns)
        self.source, self.first_row = source, first_row
        self.declared, self.library, self.texts = frozenset(declared), library, dict(texts)
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns differ in length: {lengths!s:.200}")
        self._n = max(lengths.values(), default=0)

    @property
    def is_named(self) -> bool:
        """Whether the columns have names of their own."""
        return not is_numbered(self.names)

    @property
    def complete(self) -> np.ndarray:
        """(n,): the rows without a missing cell."""
        return ~np.any([np.zeros(self._n), *map(is_missing, self._columns.values())], axis=0)

    def is_by_name(self, names: Sequence[Name]) -> bool:
        """Whether its columns are those of these names, and not by position, as of an array."""
        return (self.library is not None or self.is_named) and is_by_name(self.names, names)

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
        if name not in self._columns:
            raise KeyError(f"there is no column {name!r}, but {listed(self.names)}")
        return self._columns[name]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.numbers(), dtype)

    def numbers(self) -> np.ndarray:
        """All columns as float64, (n, D); a ValueError that names the first text."""
        return np.column_stack([np.empty((self._n, 0)), *map(self.as_floats, self.names)])

    def as_floats(self, name: Name) -> np.ndarray:
        """A column as float64; a ValueError for dates, or for text, whose first cell it names."""
        column = self._columns[name]
        if column.dtype.kind in DATES:
            first = f", such as {str(column[0])!r:.40}" if self._n else ""
            raise ValueError(f"column {name!r:.40} holds {column.dtype}{first}: {AS_NUMBER}")
        if column.dtype == object:
            texts = [isinstance(value, str) for value in column.tolist()]
            self.check(name, texts, "no number: make it a number, or missing")
        return column.astype(float, copy=False)  # None is NaN

    def to_pandas(self) -> DataFrame:
        """The table as a DataFrame; pandas has to be installed."""
        return self.to("pandas")

    def to(self, library: str, index: Any = None) -> Any:
        """The table of a library: "pandas", "polars" or "pyarrow"; index: of pandas."""
        return frame_of(library, self._columns, index)

    def take(self, rows: np.ndarray) -> Frame:
        """Some of the rows, by index or mask, as a frame of its own."""
        numbers = self.row_numbers(np.arange(self._n)[rows])
        columns, texts = (
            {name: column[rows] for name, column in own.items()}
            for own in (self._columns, self.texts)
        )
        return Frame(columns, self.source, numbers, self.declared, self.library, texts)

    def select(self, names: Iterable[Name]) -> Frame:
        """Some of the columns, as a frame of its own."""
        return self._with({name: self[name] for name in names}, self.texts)

    def renamed(self, names: Iterable[Name]) -> Frame:
        """The same columns under other names; none of them is declared."""
        names = dict(zip(self.names, names, strict=True))
        columns, texts = (
            {names[name]: column for name, column in own.items() if name in names}
            for own in (self._columns, self.texts)
        )
        return Frame(columns, self.source, self.first_row, library=self.library, texts=texts)

    def _with(self, columns: Mapping, texts: Mapping) -> Frame:
        return Frame(columns, self.source, self.first_row, self.declared, self.library, texts)

    def without(self, hole: np.ndarray) -> Frame:
        """The same frame with missing cells where hole (n, D) is true."""
        found = self.with_gaps(dict(zip(self.names, hole.T, strict=True)))
        columns = {}
        for name in self.names:  # what is left of objects may be numbers
            is_object = found[name].dtype == object
            columns[name] = found[name].tolist() if is_object else found[name]
        return as_frame(columns)

    def with_gaps(self, gaps: Mapping[Name, np.ndarray]) -> Frame:
        """The same rows with missing cells where gaps[name] (n,) is true."""
        columns = dict(self._columns)
        for name, gone in gaps.items():
            values, nothing = columns[name], None
            if values.dtype.kind in DATES:
                nothing = np.array("NaT", values.dtype)
            elif values.dtype.kind in NUMBERS and gone.any():
                values, nothing = values.astype(float), np.nan
            columns[name] = np.where(gone, nothing, values) if gone.any() else values
        return self._with(columns, self.texts)

    def unread(self, name: Name) -> np.ndarray:
        """(n,): the cells with a text that could not be read."""
        gone, texts = is_missing(self._columns[name]), self.texts.get(name)
        return gone & False if texts is None else gone & ~is_missing(texts)

    def row_numbers(self, index: int | np.ndarray) -> np.ndarray:
        """The numbers of rows with these indices, for messages."""
        return self.first_row[index] if np.ndim(self.first_row) else self.first_row + index

    def place(self, row: int, name: Name) -> str:
        """'row 17, column 'age' of data.csv': the place of a value, for messages."""
        of = f" of {self.source}" if self.source else ""
        return f"row {self.row_numbers(row)}, column {name!r:.40}{of}"

    def check(self, name: Name, bad: ArrayLike, problem: str) -> None:
        """A ValueError that names the first value of a column where `bad` (n,) is true, if any."""
        for row in np.flatnonzero(bad)[:1]:
            (value,) = self._columns[name][[row]].tolist()
            raise ValueError(f"{self.place(row, name)} is {value!r:.40}, {problem}")

    def __repr__(self):
        return f"Frame({self._n} rows: {', '.join(map(str, self.names))!s:.300})"


def table_of(columns: Mapping, is_named: bool, library: str | None, index: Any = None) -> TableLike:
    """Columns as a table of the caller's kind: of its library, if that is here, with the index of
    pandas; else a `Frame`; an array (n, D) for a table without names."""
    if not is_named:
        dtype = object if any(values.dtype == object for values in columns.values()) else float
        return np.column_stack([np.asarray(values, dtype) for values in columns.values()])
    frame = Frame(columns)
    return frame.to(library, index) if library and find_spec(library) else frame


def listed(names: Iterable[Name], most: int = 10) -> str:
    """Names in a message."""
    names = list(names)
    return ", ".join(f"{name!r:.40}" for name in names[:most]) + ", ..." * (len(names) > most)


def check_there(wanted: Iterable[Name], names: Sequence[Name], source: str) -> None:
    """A ValueError for the first wanted column that a file does not have."""
    there = set(names)
    for name in wanted:
        if name not in there:
            raise ValueError(f"{source} has no column {name!r:.40}, but {listed(names)}")


def library(name: str, what: str) -> Any:
    """A module of the extra `tables`; an error that names what to install, if it is absent."""
    try:
        return import_module(name)
    except ImportError:
        problem = f'{what} needs {name.partition(".")[0]}: pip install "flowcore[tables]"'
        raise ModuleNotFoundError(problem) from None


def _read_only(column: np.ndarray) -> np.ndarray:
    column = column.view()
    column.flags.writeable = False
    return column


def as_frame(X: TableLike, source: str = "", first_row: int = 0) -> Frame:
    """A table of any kind as a `Frame`.

    Integers stay integers, other numbers become float64; objects become numbers, booleans or text.
    Dates and durations stay. Errors: ValueError for anything but a table, for two columns of one
    name, and, naming column and row, for complex numbers, masked values, and other objects.
    TypeError for a table of Dask.

    Parameters
    ----------
    X : table
        Of pandas, polars or pyarrow; a mapping of columns; a structured array; an array or nested
        list (n, D), whose columns are then called 0, 1, ...
    source : str
        Where it comes from, for messages.
    first_row : int
        The number of its first row in the source.

    Returns
    -------
    Frame
        The table; float64 is not copied.
    """
    if isinstance(X, Frame):
        return X
    pairs, library = _named_columns(X)
    columns, texts, declared = {}, set(), set()
    for name, values in pairs:
        name = int(name) if type(name) is not bool and isinstance(name, Integral) else str(name)
        if f"{name}" in texts:
            raise ValueError(f"two columns are called {name!r:.40}: rename one of them")
        columns[name], is_category = _as_column(name, values, Frame({}, source, first_row).place)
        declared |= {name} if is_category else set()
        texts.add(f"{name}")
    if not columns:
        raise ValueError("a table needs at least one column")
    return Frame(columns, source, first_row, declared, library)


def _named_columns(X) -> tuple[list, str | None]:
    """([(name, values), ...] of a table, its library)."""
    check_in_memory("X", X)
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise ValueError(f"X is a {type(X).__name__}: collect() it first")
    if isinstance(X, Mapping):
        return [(name, X[name]) for name in X], None
    if isinstance(X, np.ndarray) and X.dtype.names and not np.ma.isMaskedArray(X):
        return [(name, X[name]) for name in X.dtype.names], None
    try:
        table = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(table, nw.DataFrame) and hasattr(X, "__arrow_c_stream__"):
            # any other table that has Arrow's interface
            table = nw.from_arrow(X, backend="pyarrow")
    except nw.exceptions.DuplicateError as problem:
        text = " ".join(f"{problem}".split())
        raise ValueError(f"two columns have the same name: {text}") from None
    if isinstance(table, nw.DataFrame):
        library = table.implementation.value
        pairs = zip(table.columns, table.iter_columns(), strict=True)
        return list(pairs), library if library in LIBRARIES else None
    return list(enumerate(_matrix(X).T)), None


def _matrix(X) -> np.ndarray:
    """X as an array (n, D)."""
    try:
        array = np.asanyarray(X)
        if array.dtype.kind == "U" and not isinstance(X, np.ndarray):
            array = np.array(X, object)  # [[1, "a"]] is a number and a text
    except (TypeError, ValueError, OverflowError) as problem:
        raise ValueError(f"X is no table: {problem}") from None
    if array.ndim != 2:
        hint = "; write X[:, None]" if array.ndim == 1 and array.dtype != object else ""
        raise ValueError(f"X has shape {array.shape}, but a table is (n, D){hint}")
    return array


def _as_column(name, values, place) -> tuple[np.ndarray, bool]:
    """(values as integers, float64, bool, dates, or objects: text, None, or numbers beside text;
    whether their library declares them to be categories)."""
    check_in_memory(f"column {name!r:.40}", values)
    if np.ma.is_masked(values):
        i = int(np.flatnonzero(np.ma.getmaskarray(values))[0])
        raise ValueError(f"{place(i, name)} is masked, which is no number: fill or drop it")
    series = nw.from_native(values, series_only=True, pass_through=True)
    is_category = hasattr(values, "categories") and hasattr(values, "codes")  # pandas' array
    if isinstance(series, nw.Series):
        is_category = isinstance(series.dtype, (nw.Categorical, nw.Enum))
        # their NumPy arrays may have no place for missing values
        values = series.to_list() if is_category else series.to_numpy()
    if isinstance(values, (list, tuple)):  # NumPy would make text of [1, "x"]
        values = np.fromiter(values, object, len(values))
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"column {name!r:.40} has shape {values.shape}, not (n,)")
    kind = values.dtype.kind
    if kind in "OTUS":
        values = _objects(name, values.astype(object), place)
    elif kind in "if" or (kind == "u" and values.dtype != np.uint64):
        with np.errstate(over="ignore"):  # a long double that no float64 holds is infinite
            values = values.astype(float if kind == "f" else np.int64, copy=False)
    elif kind not in "bumM":
        first = f", such as {str(values[0])!r:.40}" if len(values) else ""
        raise ValueError(f"column {name!r:.40} holds {values.dtype}{first}: leave it out")
    return values, is_category


def _objects(name, values: np.ndarray, place) -> np.ndarray:
    """Objects as numbers if all are numbers, as booleans if all are; else text, missing as None."""
    items = list(map(_item, values.tolist()))
    kinds = set(map(type, items))
    for i, v in enumerate(items):
        if not isinstance(v, (str, Real, Decimal, type(None))):
            found = f"{type(v).__name__}, {str(v)!r:.40}"
            raise ValueError(f"{place(i, name)} is a {found}, neither a number nor text")
    if kinds == {bool}:
        return np.array(items, bool)
    if any(issubclass(kind, (str, bool)) for kind in kinds):
        return np.fromiter(items, object, len(items))
    try:
        if kinds == {int} and max(map(abs, items)) < 2**63:
            return np.array(items, np.int64)
        return np.array([np.nan if v is None else float(v) for v in items], float)
    except (OverflowError, ValueError) as problem:
        raise ValueError(f"column {name!r:.40} has a number too large: {problem}") from None


def _item(value):
    """None for a missing value; days, times, periods and bytes as their text in a CSV."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    kind = type(value).__name__
    if value is None or kind in ("NAType", "NaTType"):
        return None
    if value.is_nan() if isinstance(value, Decimal) else isinstance(value, Real) and value != value:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.bool_):
        return bool(value)
    is_day = isinstance(value, (date, time, timedelta)) or kind == "Period"
    return str(value) if is_day else value


def is_missing(values: np.ndarray) -> np.ndarray:
    """A mask of the NaN or None in a column of a frame."""
    if values.dtype == object:
        return np.array([v is None for v in values.tolist()], bool)
    return np.isnat(values) if values.dtype.kind in DATES else values != values
