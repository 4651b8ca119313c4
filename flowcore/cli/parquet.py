"""Rows to a Parquet file, in groups: by pyarrow, where it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np

GROUP = 2**17  # rows: what is kept until it is written; smaller groups are slow to read


class ParquetRows:
    """Rows in groups of about `GROUP`; the first group settles the types of the columns.

    Missing values are null; but a log-density that is nan says so.
    """

    def __init__(self, file: BinaryIO, names: Sequence):
        require_pyarrow("a Parquet file")
        self._file, self._names = file, [str(name) for name in names]
        self._kept: list[list[np.ndarray]] = []
        self._n, self._writer, self._types = 0, None, None

    def write(self, columns: Mapping) -> None:
        """Append rows."""
        self._kept.append([np.asarray(column) for column in columns.values()])
        self._n += len(self._kept[-1][0])
        if self._n >= GROUP:
            self._flush()

    def end(self) -> None:
        """Write what is left, and what ends a file."""
        if self._kept or self._writer is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        whole = [np.concatenate(parts) for parts in zip(*self._kept, strict=True)]
        whole = whole or [np.empty(0)] * len(self._names)
        if self._types is None:
            self._types = [_type(column) for column in whole]
            schema = pa.schema(list(zip(self._names, self._types, strict=True)))
            self._writer = parquet.ParquetWriter(self._file, schema)
        arrays = map(_array, self._names, whole, self._types)
        self._writer.write_table(pa.table(list(arrays), schema=self._writer.schema))
        self._kept, self._n = [], 0


def require_pyarrow(what: str) -> None:
    """A ModuleNotFoundError that says what to install."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ModuleNotFoundError(f"{what} needs pyarrow: pip install pyarrow") from None


def _type(column: np.ndarray):
    import pyarrow as pa

    if column.dtype != object:
        return pa.from_numpy_dtype(column.dtype)
    given = [value for value in column.tolist() if value is not None]
    is_boolean = bool(given) and all(isinstance(value, (bool, np.bool_)) for value in given)
    return pa.bool_() if is_boolean else pa.string()


def _array(name: str, column: np.ndarray, kind):
    import pyarrow as pa

    if column.dtype == object:
        as_text = pa.types.is_string(kind)
        values = [v if v is None or not as_text else str(v) for v in column.tolist()]
        return pa.array(values, kind)
    return pa.array(column, from_pandas=name != "log_prob").cast(kind)
