"""Files that a command writes, and standard output. Rows go there block after block.

A file is whole or not there: it is written beside its place, and then replaces it.
"""

from __future__ import annotations

import csv
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0

from ..files import remove_unfinished, replacing

TABLES = (".csv", ".npy", ".parquet", ".txt", "")
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".eps")
NO_MODELS = (*TABLES[:-1], *PICTURES, ".tsv", ".json")
ODD = set(
    ";\t|\r"
)  # what csv does not quote, but a reader may take for a separator or a line's end


def check_model(out: str, *read: str) -> None:
    """`check_place` for a model: also that its name is not that of a table or a picture."""
    check_place(out, *read)
    if _ending(out) in NO_MODELS:
        raise _misnamed(out, "a model is an .npz", ".npz")


def check_table(out: str | None, *read: str) -> None:
    """`check_place` for rows: also that its name says how they are written."""
    check_place(out, *read)
    if out is not None and _ending(out) not in TABLES:
        raise _misnamed(out, "rows are written as .csv, .npy or .parquet", ".csv")


def check_picture(out: str, *read: str | None) -> None:
    """`check_place` for a picture: also that its name says how it is drawn."""
    check_place(out, *read)
    if _ending(out) not in PICTURES and not _is_stream(out):
        raise _misnamed(out, "pictures are .png, .pdf, .svg or .jpg", ".png")


def _misnamed(out: str, rule: str, ending: str) -> ValueError:
    return ValueError(f"{out}: {rule}: for example -o {os.path.splitext(out)[0]}{ending}")


def check_place(out: str | None, *read: str | None) -> None:
    """An error before anything long begins, if no file can be written there.

    read: files that are read, which must not be lost.
    """
    for path in read:
        if path is not None and _are_one(path, out):
            name = "standard output" if out is None else f"-o {out}"
            raise ValueError(f"{name} is the file that is read, and would be lost: name another")
    if not _is_stream(out):
        with suppress(_TriedError), replacing(out):
            raise _TriedError


class _TriedError(Exception):
    """A file can be written: its place is left as it was."""


def _are_one(read: str, out: str | None) -> bool:
    """Is it one ordinary file, whatever its names are? Also through standard input and output."""
    try:
        source = os.fstat(sys.stdin.fileno()) if read == "-" else os.stat(read)
        target = os.fstat(sys.stdout.fileno()) if out is None else os.stat(out)
    except (OSError, ValueError, AttributeError):  # not there yet, or not open
        return False
    return stat.S_ISREG(target.st_mode) and os.path.samestat(source, target)


def _is_stream(out: str | None) -> bool:
    """Standard output, a device or a FIFO, which is written to and not replaced."""
    if out is None:
        return True
    try:
        mode = os.stat(out).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _ending(out: str | None) -> str:
    return "" if _is_stream(out) else os.path.splitext(out)[1].lower()


@contextmanager
def written(out: str | None) -> Iterator[BinaryIO]:
    """A file that replaces the one at `out` in the end; a stream as it is."""
    if _is_stream(out):
        try:
            with _stream(out) as file:
                yield file
        except OSError as problem:
            problem.filename = problem.filename or out or "standard output"
            raise
        return
    with replacing(out) as file:
        yield file
    remove_unfinished(out)


@contextmanager
def _stream(out: str | None) -> Iterator[BinaryIO]:
    if out is not None:
        with open(out, "wb") as file:
            yield file
        return
    sys.stdout.flush()
    yield getattr(sys.stdout, "buffer", sys.stdout)  # bytes: a table is utf-8 in any locale
    sys.stdout.flush()


def write_picture(figure, out: str) -> None:
    """Draw a figure, then write the file: a full disk leaves the old picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format=_ending(out)[1:] or "png")
    with written(out) as file:
        file.write(picture.getvalue())


@contextmanager
def table_writer(out: str | None, names: Sequence) -> Iterator[Callable[[Mapping], None]]:
    """A function that appends rows, name -> array (n,), to a file or to standard output."""
    rows = {".npy": _npy_rows, ".parquet": _parquet_rows}.get(_ending(out), _csv_rows)
    with written(out) as file, rows(file, names) as write:
        yield write


@contextmanager
def _csv_rows(file: BinaryIO, names: Sequence):
    """Rows as text: utf-8, one line each, quotes where they are needed."""

    def write_lines(rows: list[Sequence]) -> None:
        texts = {cell for row in rows for cell in row if isinstance(cell, str)}
        is_odd = ODD.intersection("".join(texts))
        quoting = csv.QUOTE_NONNUMERIC if is_odd else csv.QUOTE_MINIMAL
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
        is_text = isinstance(file, io.TextIOBase)
        file.write(text.getvalue() if is_text else text.getvalue().encode())

    def write(columns: Mapping) -> None:
        write_lines(list(zip(*map(_cells, columns, columns.values()), strict=True)))

    write_lines([names])
    yield write


def _cells(name, column: np.ndarray) -> list:
    """Python's numbers, whose text gives the same float; what is missing is empty.

    But a log-density that is nan is written as nan.
    """
    values = column.tolist()
    return values if name == "log_prob" else [None if v != v else v for v in values]


@contextmanager
def _parquet_rows(file: BinaryIO, names: Sequence):
    """Rows as Parquet, a group for each block. The first block settles the types of the columns.

    Missing values are null; but a log-density that is nan is written as nan.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        needs = 'a Parquet file needs pyarrow: pip install "flowcore[tables]"'
        raise ModuleNotFoundError(needs) from None
    writer = None

    def write(columns: Mapping) -> None:
        nonlocal writer
        table = pa.table(
            {
                f"{name}": pa.array(column, from_pandas=name != "log_prob")
                for name, column in columns.items()
            }
        )
        writer = writer or parquet.ParquetWriter(file, table.schema)
        try:
            writer.write_table(table.cast(writer.schema))
        except pa.ArrowInvalid as problem:
            raise ValueError(f"{problem}: the first rows settle the types; write a CSV") from None

    yield write
    writer.close()


@contextmanager
def _npy_rows(file: BinaryIO, names: Sequence):
    """Rows of numbers as an array: (n,) of a single column, else (n, D)."""
    if not file.seekable():
        raise ValueError("an .npy is not written to a pipe: write a CSV")
    n = 0

    def write_header() -> None:
        shape = (n,) if len(names) == 1 else (n, len(names))
        described = {"descr": "<f8", "fortran_order": False, "shape": shape}
        write_array_header_1_0(file, described)  # as long for any number of rows

    def write(columns: Mapping) -> None:
        nonlocal n
        for name, column in columns.items():
            if column.dtype == object:
                raise ValueError(f"column {name!r:.40} is text, which an .npy has no place for")
        rows = np.column_stack([np.asarray(column, float) for column in columns.values()])
        n += len(rows)
        file.write(np.ascontiguousarray(rows, "<f8").data)

    write_header()
    yield write
    file.seek(0)
    write_header()  # now with the number of rows
