"""Where rows go to, block after block: a CSV, an .npy or Parquet, a file or standard output.

A file is whole or not there: it is written beside its place, and then replaces it.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0

from ..files import remove_unfinished, replacing
from .problem import Problem

TABLES = ("", ".csv", ".txt", ".npy", ".parquet")  # what rows are written as
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".eps")


@contextmanager
def opened(out: str | None, names: Sequence) -> Iterator[CsvRows | NpyRows | ParquetRows]:
    """Something with `write(columns)`, name -> array (n,), for a file, or standard output."""
    if not _is_printed(out):
        rows = {".npy": NpyRows, ".parquet": ParquetRows}.get(_suffix(out), CsvRows)
        with written(out) as file:
            sink = rows(file, names)
            yield sink
            sink.end()
        return
    with _errors_that_name("standard output"):
        yield CsvRows(_standard_output(), names)
        sys.stdout.flush()


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """A file that replaces the one at path in the end; a device or a FIFO as it is."""
    if _is_device(path):
        with _errors_that_name(path), open(path, "wb") as file:
            yield file
        return
    with replacing(path) as file:
        yield file
    remove_unfinished(path)


@contextmanager
def _errors_that_name(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        problem.filename = problem.filename or place
        raise


def write_picture(figure, out: str) -> None:
    """Draw a figure, then write the file: a full disk leaves the old picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format=_suffix(out)[1:] or "png")
    with written(out) as file:
        file.write(picture.getvalue())


def check_table(out: str | None, *read: str | None) -> None:
    """`check_place` for rows: also that its name says how they are written."""
    if _is_printed(out):
        _check_not_read(None, read)
        return
    check_place(out, *read)
    if _suffix(out) not in TABLES:
        raise Problem(
            f"{out}: rows are written as .csv, .npy or .parquet: give it such a name, for example "
            f"-o {os.path.splitext(out)[0]}.csv"
        )
    if _suffix(out) == ".parquet":
        require_pyarrow(out)


def check_picture(out: str, *read: str | None) -> None:
    """`check_place` for a picture: also that its name says how it is drawn."""
    check_place(out, *read)
    if _suffix(out) not in PICTURES and not _is_device(out):
        stem = os.path.splitext(out)[0]
        raise Problem(f"{out}: pictures are .png, .pdf, .svg or .jpg: for example -o {stem}.png")


def check_place(out: str, *read: str | None) -> None:
    """A `Problem` before anything long begins, if no file can be written there.

    read: files that are read, which must not be lost.
    """
    if not out:
        raise Problem("-o is empty: give the file a name")
    folder = os.path.dirname(os.path.realpath(out))
    if os.path.isdir(out) or out.endswith(os.sep):
        raise Problem(f"{out} is a folder: give a file in it a name")
    if not os.path.isdir(folder):
        raise Problem(f"{out}: there is no folder {folder}")
    if _is_device(out):
        return
    _check_not_read(out, read)
    if not os.access(folder, os.W_OK):
        raise Problem(f"{out}: no file can be written in {folder}")


def _check_not_read(out: str | None, read: Sequence[str | None]) -> None:
    name = "standard output" if out is None else f"-o {out}"
    for path in read:
        if path is not None and _are_one(path, out):
            raise Problem(f"{name} is the file that is read, and would be lost: name another")


def _are_one(read: str, out: str | None) -> bool:
    """Is it one ordinary file, whatever its names are? Also through standard input and output."""
    try:
        source = os.fstat(sys.stdin.fileno()) if read == "-" else os.stat(read)
        target = os.fstat(sys.stdout.fileno()) if out is None else os.stat(out)
    except (OSError, ValueError, AttributeError):  # not there yet, or not open
        return False
    return stat.S_ISREG(target.st_mode) and os.path.samestat(source, target)


def _is_printed(out: str | None) -> bool:
    return out is None or out == "-"


def _suffix(out: str) -> str:
    return "" if _is_device(out) else os.path.splitext(out)[1].lower()


def _is_device(out: str) -> bool:
    """A device or a FIFO, which is written to and not replaced."""
    try:
        mode = os.stat(out).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class CsvRows:
    """Rows as text: utf-8, one line each, quotes where they are needed."""

    def __init__(self, file: BinaryIO, names: Sequence):
        self._file = file
        file.write(f"{','.join(map(_quoted, names))}\n".encode())

    def write(self, columns: Mapping) -> None:
        """Append rows."""
        cells = [_cells(name, column) for name, column in columns.items()]
        lines = [",".join(row) + "\n" for row in zip(*cells, strict=True)]
        self._file.write("".join(lines).encode())

    def end(self) -> None:
        """Nothing is left to do."""


class ParquetRows:
    """Rows as Parquet, a group for each block. The first block settles the types of the columns.

    Missing values are null; but a log-density that is nan is written as nan.
    """

    def __init__(self, file: BinaryIO, names: Sequence):
        require_pyarrow("a Parquet file")
        self._file, self._writer = file, None

    def write(self, columns: Mapping) -> None:
        """Append rows."""
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({f"{name}": _arrow(name, column) for name, column in columns.items()})
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema)
        try:
            self._writer.write_table(table.cast(self._writer.schema))
        except pa.ArrowInvalid as problem:
            raise Problem(f"{problem}: the first rows settle the types; write a CSV") from None

    def end(self) -> None:
        """Write what ends a file."""
        self._writer.close()


def _arrow(name, column: np.ndarray):
    import pyarrow as pa

    if column.dtype != object:
        return pa.array(column, from_pandas=name != "log_prob")
    given = {type(value) for value in column.tolist()} - {type(None)}
    if given and given <= {bool, np.bool_}:
        return pa.array(column, pa.bool_())
    return pa.array([None if value is None else str(value) for value in column], pa.string())


def require_pyarrow(what: str) -> None:
    """A ModuleNotFoundError that names what to install."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ModuleNotFoundError(f'{what} needs pyarrow: pip install "flowcore[tables]"') from None


class NpyRows:
    """Rows of numbers as an array: (n,) of a single column, else (n, D)."""

    def __init__(self, file: BinaryIO, names: Sequence):
        if not file.seekable():
            raise Problem("an .npy is not written to a pipe: write a CSV")
        self._file, self._n, self._width = file, 0, len(names)
        self._write_header()

    def _write_header(self) -> None:
        shape = (self._n,) if self._width == 1 else (self._n, self._width)
        described = {"descr": "<f8", "fortran_order": False, "shape": shape}
        write_array_header_1_0(self._file, described)  # as long for any number of rows

    def write(self, columns: Mapping) -> None:
        """Append rows."""
        for name, column in columns.items():
            if column.dtype == object:
                raise Problem(f"column {name!r:.40} is text, which an .npy has no place for")
        rows = np.column_stack([np.asarray(column, float) for column in columns.values()])
        self._n += len(rows)
        self._file.write(np.ascontiguousarray(rows, "<f8").data)

    def end(self) -> None:
        """Write at the start how many rows there were."""
        self._file.seek(0)
        self._write_header()


def _cells(name, column: np.ndarray) -> list[str]:
    """Numbers as the shortest text that gives the same float; what is missing is empty.

    But a log-density that is nan is written as nan.
    """
    if column.dtype.kind in "OmM":
        return ["" if value is None else _quoted(value) for value in column.astype(object)]
    cells = list(map(repr, column.tolist()))
    return cells if name == "log_prob" else ["" if cell == "nan" else cell for cell in cells]


def _quoted(value) -> str:
    text = str(value)
    if any(sign in text for sign in ',;\t|"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _standard_output() -> BinaryIO:
    """Bytes: a table is utf-8, whatever the terminal is."""
    sys.stdout.flush()
    return getattr(sys.stdout, "buffer", None) or _Encoded()


class _Encoded:
    """Standard output that takes text only, as a file of bytes."""

    def write(self, data: bytes) -> None:
        sys.stdout.write(data.decode())
