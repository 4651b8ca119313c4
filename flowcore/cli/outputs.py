"""Files that a command writes, and standard output. Rows go there block after block.

A file is whole or absent: it is written under another name, and then renamed.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0

from ..files import replacing
from .messages import errors_that_name

TABLES = (".csv", ".npy", ".parquet", ".txt", "")
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".eps")
NO_MODELS = (*TABLES[:-1], *PICTURES, ".tsv", ".json")
ODD = set(";\t|\r")  # not quoted by csv: a reader may see a separator there, or a line's end


def check_model(out: str, *read: str) -> None:
    """`check_place` for a model, whose name must not be the name of a table or a picture either."""
    check_place(out, *read)
    if _ending(out) in NO_MODELS:
        raise _misnamed(out, "a model is an .npz", ".npz")


def check_table(out: str | None, *read: str) -> None:
    """`check_place` for rows: the ending of its name must be a format of tables."""
    check_place(out, *read)
    if out is not None and _ending(out) not in TABLES:
        raise _misnamed(out, "rows are written as .csv, .npy or .parquet", ".csv")


def check_picture(out: str, *read: str | None) -> None:
    """`check_place` for a picture: the ending of its name must be a format of pictures."""
    check_place(out, *read)
    if _ending(out) not in PICTURES and not _is_stream(out):
        raise _misnamed(out, "pictures are .png, .pdf, .svg or .jpg", ".png")


def _misnamed(out: str, rule: str, ending: str) -> ValueError:
    return ValueError(f"{out}: {rule}: for example -o {os.path.splitext(out)[0]}{ending}")


def check_place(out: str | None, *read: str | None) -> None:
    """An error before long work begins, if no file can be written there.

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
        source = sys.stdin.fileno() if read == "-" else read
        target = sys.stdout.fileno() if out is None else out
        return os.path.isfile(target) and os.path.samefile(source, target)
    except (OSError, ValueError, AttributeError):  # not there yet, or not open
        return False


def _is_stream(out: str | None) -> bool:
    """Standard output, a device or a FIFO, which is written to and not replaced."""
    if out is None:
        return True
    return os.path.exists(out) and not (os.path.isfile(out) or os.path.isdir(out))


def _ending(out: str | None) -> str:
    return "" if _is_stream(out) else os.path.splitext(out)[1].lower()


@contextmanager
def written(out: str | None) -> Iterator[BinaryIO]:
    """A file that replaces the one at `out` in the end; a stream is used directly."""
    if not _is_stream(out):
        with replacing(out) as file:
            yield file
        return
    sys.stdout.flush()
    own = getattr(sys.stdout, "buffer", sys.stdout)  # bytes: a table is utf-8 in any locale
    with (
        errors_that_name(out or "standard output"),
        nullcontext(own) if out is None else open(out, "wb") as file,
    ):
        yield file
        file.flush()


def write_picture(figure, out: str) -> None:
    """Draw a figure, then write the file: a full disk leaves the old picture."""
    picture = io.BytesIO()
    figure.savefig(picture, format=_ending(out)[1:] or "png")
    with written(out) as file:
        file.write(picture.getvalue())


@contextmanager
def table_writer(out: str | None) -> Iterator[Callable[[Mapping], None]]:
    """A function that appends rows, name -> array (n,), to a file or to standard output."""
    rows = {".npy": _npy_rows, ".parquet": _parquet_rows}.get(_ending(out), _csv_rows)
    with written(out) as file, rows(file) as write:
        yield write


@contextmanager
def _csv_rows(file: BinaryIO):
    """Rows as text: utf-8, one line each, quotes where they are needed; first the names."""
    is_first = True

    def write(columns: Mapping) -> None:
        nonlocal is_first
        names, is_first = [tuple(columns)] if is_first else [], False
        rows = [*names, *zip(*map(_cells, columns, columns.values()), strict=True)]
        texts = {cell for row in rows for cell in row if isinstance(cell, str)}
        is_odd = ODD.intersection("".join(texts))
        quoting = csv.QUOTE_NONNUMERIC if is_odd else csv.QUOTE_MINIMAL
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
        is_text = isinstance(file, io.TextIOBase)
        file.write(text.getvalue() if is_text else text.getvalue().encode())

    yield write


def _cells(name, column: np.ndarray) -> list:
    """Python's numbers, whose text gives the same float; a missing value is empty.

    But a log-density that is nan is written as nan.
    """
    values = column.tolist()
    return values if name == "log_prob" else [None if v != v else v for v in values]


@contextmanager
def _parquet_rows(file: BinaryIO):
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
        arrays = [pa.array(own, from_pandas=name != "log_prob") for name, own in columns.items()]
        arrays = [own.cast(pa.string()) if own.type == pa.null() else own for own in arrays]
        table = pa.table(arrays, names=[*columns])
        writer = writer or parquet.ParquetWriter(file, table.schema)
        try:
            writer.write_table(table.cast(writer.schema))
        except pa.ArrowInvalid as problem:
            raise ValueError(f"{problem}: the first rows settle the types; write a CSV") from None

    yield write
    writer.close()


@contextmanager
def _npy_rows(file: BinaryIO):
    """Rows of numbers as an array: (n,) of a single column, else (n, D)."""
    n = 0

    def write(columns: Mapping) -> None:
        nonlocal n
        for name, column in columns.items():
            if column.dtype == object:
                raise ValueError(f"column {name!r:.40} is text, which an .npy has no place for")
        rows = np.column_stack([np.asarray(column, float) for column in columns.values()])
        n += len(rows)
        shape = (n,) if len(columns) == 1 else (n, len(columns))
        described = {"descr": "<f8", "fortran_order": False, "shape": shape}
        file.seek(0)
        write_array_header_1_0(file, described)  # as long for any number of rows
        file.seek(0, os.SEEK_END)
        file.write(np.ascontiguousarray(rows, "<f8").data)

    yield write
