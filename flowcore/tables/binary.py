"""Tables that are no text: .npy and .npz in blocks of rows, Parquet by pyarrow."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from ..core import fixable
from .frame import DATES, Frame, Name, as_frame, no_number

PIECE = 2**24  # bytes that are asked for at once
LONGEST_HEADER = 10_000  # bytes, as in numpy
# what reading a header can raise that somebody has tampered with
FORGED = (
    *(ValueError, TypeError, SyntaxError, LookupError, AttributeError, OverflowError),
    *(MemoryError, RecursionError, Warning),
)


class Array:
    """An array in the .npy format at the start of a stream: its header, read; its rows, to come."""

    def __init__(self, stream: BinaryIO, source: str):
        self.stream, self.source = stream, source
        try:
            self.dtype, self.by_columns, self.shape = _header(stream)
        except FORGED as problem:
            raise ValueError(f"{source} is no .npy file: {problem}") from None
        if self.dtype.hasobject:
            raise ValueError(f"{source} holds Python objects, which are not read: save numbers")
        if self.dtype.itemsize == 0:
            raise ValueError(f"{source} holds an array {self.shape} of {self.dtype}: no table")

    @property
    def is_table(self) -> bool:
        """Two axes; or one, of records with names."""
        return len(self.shape) == (1 if self.dtype.names else 2)

    def rows(self, most: int) -> np.ndarray:
        """The next rows, at most so many; of an array by columns (Fortran's order) all at once."""
        width = int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize
        data = read_exactly(self.stream, most * width)
        if len(data) != most * width:
            raise ValueError(f"{self.source} ends too early: it was cut, or is still being written")
        order = "F" if self.by_columns else "C"
        return np.frombuffer(data, self.dtype).reshape((most, *self.shape[1:]), order=order)

    def sizes(self, block_bytes: int) -> Iterator[int]:
        """How many rows each block has; one block of none, if there are none."""
        n = self.shape[0]
        width = max(1, int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize)
        step = max(1, n if self.by_columns else block_bytes // width)
        yield min(step, n)
        for start in range(step, n, step):
            yield min(step, n - start)


def _header(stream: BinaryIO) -> tuple[np.dtype, bool, tuple[int, ...]]:
    """(dtype, whether it is stored by columns, shape): numpy's own reader of headers takes what
    Python 2 wrote, too, and fails in many ways."""
    start = read_exactly(stream, 8)
    if start[:6] != npy.MAGIC_PREFIX or len(start) < 8 or not 1 <= start[6] <= 3:
        raise ValueError("it does not start like one")
    length = int.from_bytes(read_exactly(stream, 2 if start[6] == 1 else 4), "little")
    if length > LONGEST_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    text = read_exactly(stream, length).decode("latin-1" if start[6] < 3 else "utf-8")
    header = ast.literal_eval(text.strip())
    if set(header) != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header of other entries")
    shape = header["shape"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"shape {shape!r:.40}")
    return npy.descr_to_dtype(header["descr"]), bool(header["fortran_order"]), shape


def npy_blocks(
    stream: BinaryIO, source: str, columns: Sequence[Name] | None, block_bytes: int
) -> Iterator[Frame]:
    """Frames of an array (n, D), or of records."""
    array = Array(stream, source)
    if not array.is_table:
        hint = "; save x[:, None]" if len(array.shape) == 1 else ""
        raise ValueError(f"{source} holds an array of shape {array.shape}, not (n, D){hint}")
    row = 0
    for n in array.sizes(block_bytes):
        yield numbered(array.rows(n), source, row, columns)
        row += n
    if stream.read(1):
        raise ValueError(f"{source} goes on after its array: it holds more than one")


def npz_blocks(
    stream: BinaryIO,
    source: str,
    columns: Sequence[Name] | None,
    block_bytes: int,
    member: str | None,
) -> Iterator[Frame]:
    """Frames of the one table of an archive, or of its columns, arrays (n,) of one length."""
    if not stream.seekable():
        raise ValueError(f"{source} is an .npz archive, which is not read from a pipe: save it")
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            if "xl/workbook.xml" in archive.namelist():
                raise ValueError(f"{source} is an Excel file: save the sheet as a CSV")
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = {}
            for name in names:
                key = name.removesuffix(".npy")
                opened = stack.enter_context(archive.open(name))
                arrays[key] = Array(opened, f"{source}[{key!r:.40}]")
            yield from _of_archive(arrays, source, columns, block_bytes, member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as problem:
        raise ValueError(f"{source} is no .npz archive that can be read: {problem}") from None


def _of_archive(arrays, source, columns, block_bytes, member) -> Iterator[Frame]:
    told = ", ".join(f"{key} {a.shape}" for key, a in list(arrays.items())[:20]) or "nothing"
    if member is not None:
        if member not in arrays:
            raise ValueError(f"{source} has no array {member!r:.40}, but {told}")
        arrays = {member: arrays[member]}
    tables = [a for a in arrays.values() if a.is_table]
    if len(tables) == 1 and len(arrays) == 1:
        array, row = tables[0], 0
        for n in array.sizes(block_bytes):
            yield numbered(array.rows(n), source, row, columns)
            row += n
        return
    flat = all(len(a.shape) == 1 and not a.dtype.names for a in arrays.values())
    if not arrays or not flat or len({a.shape for a in arrays.values()}) != 1:
        raise fixable(
            ValueError,
            f"{source} holds {told}: neither one table nor columns of one length: ",
            *({"member": name} for name in list(arrays)[:3]),
        )
    row = 0
    for n in next(iter(arrays.values())).sizes(block_bytes // len(arrays)):
        read = {key: array.rows(n) for key, array in arrays.items()}
        yield numbered(read, source, row, columns)
        row += n


def parquet_blocks(
    stream: BinaryIO, source: str, columns: Sequence[Name] | None, block_bytes: int
) -> Iterator[Frame]:
    """Frames of a Parquet file, batch by batch."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ModuleNotFoundError(
            f"{source} is a Parquet file, which needs pyarrow: pip install pyarrow"
        ) from None
    if not stream.seekable():
        raise ValueError(f"{source} is a Parquet file, which is not read from a pipe: save it")
    try:
        file = parquet.ParquetFile(stream)
        names = file.schema_arrow.names
        _check_columns(columns, names, source)
        wanted = None if columns is None else list(columns)
        n = max(1, block_bytes // (8 * max(1, len(names))))
        row = 0
        for batch in file.iter_batches(n, columns=wanted):
            yield numbered(_days_as_text(pa.Table.from_batches([batch])), source, row, columns)
            row += batch.num_rows
        if row == 0:
            empty = _days_as_text(file.schema_arrow.empty_table())
            yield numbered(empty, source, 0, columns)
    except pa.ArrowCancelled:  # its way to tell of Ctrl-C
        raise KeyboardInterrupt from None
    except (pa.ArrowException, OSError) as problem:
        raise ValueError(f"{source} is no Parquet file that can be read: {problem}") from None


def _days_as_text(table):
    """Days and times as text, which is what they are in a CSV: so they can be left out, or kept."""
    import pyarrow as pa
    from pyarrow import compute

    for j, field in enumerate(table.schema):
        if not pa.types.is_temporal(field.type):
            continue
        column = table.column(j).cast(pa.string())
        if pa.types.is_duration(field.type):  # a number of its unit
            column = compute.binary_join_element_wise(column, field.type.unit, " ")
        table = table.set_column(j, field.name, column)
    return table


def numbered(rows, source: str, first_row: int, columns: Sequence[Name] | None) -> Frame:
    """Some rows of a file as a frame that knows where they come from."""
    frame = as_frame(rows, source)
    _check_columns(columns, frame.names, source)
    own = frame.names if columns is None else tuple(dict.fromkeys(columns))
    for name in own:
        if frame[name].dtype.kind in DATES:
            raise no_number(name, frame[name])
    return Frame({name: frame[name] for name in own}, source, first_row)


def _check_columns(columns: Sequence[Name] | None, names: Sequence[Name], source: str) -> None:
    missing = [name for name in columns or () if name not in names]
    if missing:
        raise ValueError(f"{source} has no column {missing[0]!r:.40}, but {list(names)!s:.200}")


def read_exactly(stream: BinaryIO, n: int) -> bytes:
    """n bytes, or what there is: never more memory than the stream fills."""
    parts = io.BytesIO()
    while (left := n - parts.tell()) > 0:
        data = stream.read(min(left, PIECE))
        if not data:
            break
        parts.write(data)
    return parts.getvalue()
