"""Files that a command writes, and standard output. Rows go there block after block.

A file is whole or absent: it is written under another name, and then renamed.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0

from ..files import replacing
from ..tables.frame import library

TABLES = (".csv", ".npy", ".parquet", ".txt", "")
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".eps")
NO_MODELS = (*TABLES[:-1], *PICTURES, ".tsv", ".json")
ODD = r"[;\t|\r]"  # not quoted by csv: a reader may see a separator there, or a line's end


def check_model(out: str, *read: str | None) -> None:
    """`check_place` for a model, whose name must not be the name of a table or a picture either."""
    check_place(out, *read)
    if _ending(out) in NO_MODELS:
        raise _misnamed(out, "a model is an .npz", ".npz")


def check_table(out: str | None, *read: str) -> None:
    """`check_place` for rows: the ending of its name must be a format of tables."""
    if out is not None:
        check_place(out, *read)
    if _ending(out) not in TABLES:
        raise _misnamed(out, "rows are written as .csv, .npy or .parquet", ".csv")


def check_picture(out: str, *read: str | None) -> None:
    """`check_place` for a picture: the ending of its name must be a format of pictures."""
    check_place(out, *read)
    if _ending(out) not in PICTURES:
        raise _misnamed(out, "pictures are .png, .pdf, .svg or .jpg", ".png")


def _misnamed(out: str | None, rule: str, ending: str) -> ValueError:
    return ValueError(f"{out}: {rule}: for example -o {os.path.splitext(f'{out}')[0]}{ending}")


def is_written_as_text(out: str | None) -> bool:
    """Whether rows are written as a CSV."""
    return _ending(out) not in (".npy", ".parquet")


def _ending(out: str | None) -> str:
    return os.path.splitext(out or "")[1].lower()


def check_place(out: str, *read: str | None) -> None:
    """An error before long work begins, if no file can be written there.

    read: files that are read, which must not be lost.
    """
    if os.path.realpath(out) in [os.path.realpath(path) for path in read if path is not None]:
        raise ValueError(f"-o {out} is the file that is read, and would be lost: name another")
    with suppress(_TriedError), replacing(out):
        raise _TriedError


class _TriedError(Exception):
    """A file can be written: its place is left as it was."""


def write_picture(figure, out: str) -> None:
    """Draw a figure into a file."""
    with replacing(out) as file:
        figure.savefig(file, format=_ending(out)[1:])


@contextmanager
def table_writer(out: str | None) -> Iterator[Callable[[Mapping], None]]:
    """A function that appends rows, name -> array (n,), to a file or to standard output."""
    rows = {".npy": _npy_rows, ".parquet": _parquet_rows}.get(_ending(out), _csv_rows)
    if out is None:
        sys.stdout.flush()
        with rows(getattr(sys.stdout, "buffer", sys.stdout)) as write:  # utf-8 in any locale
            yield write
    else:
        with replacing(out) as file, rows(file) as write:
            yield write


@contextmanager
def _csv_rows(file: BinaryIO):
    """Rows as text, first the names. A missing value is empty; a log-density that is nan, nan."""
    pandas, header = library("pandas", "a CSV"), True

    def write(columns: Mapping) -> None:
        nonlocal header
        rows = {name: column.astype(object) for name, column in columns.items()}
        if "log_prob" in rows and columns["log_prob"].dtype != object:  # else a column of the table
            rows["log_prob"] = np.where(np.isnan(columns["log_prob"]), "nan", rows["log_prob"])
        table = pandas.DataFrame(rows, dtype=object)
        form = {"index": False, "header": header, "lineterminator": "\n"}
        text, header = table.to_csv(**form), False
        if re.search(ODD, text):
            text = table.to_csv(**form, quoting=csv.QUOTE_NONNUMERIC)
        file.write(text if isinstance(file, io.TextIOBase) else text.encode())

    yield write


@contextmanager
def _parquet_rows(file: BinaryIO):
    """Rows as Parquet, a group for each block. The first block settles the types of the columns.

    Missing values are null; but a log-density that is nan is written as nan.
    """
    pa = library("pyarrow", "a Parquet file")
    parquet, writer = library("pyarrow.parquet", "a Parquet file"), None

    def write(columns: Mapping) -> None:
        nonlocal writer
        arrays = [pa.array(own, from_pandas=name != "log_prob") for name, own in columns.items()]
        arrays = [own.cast(pa.string()) if own.type == pa.null() else own for own in arrays]
        table = pa.table(arrays, names=[*columns])
        writer = writer or parquet.ParquetWriter(file, table.schema)
        try:
            writer.write_table(table.cast(writer.schema))
        except pa.ArrowInvalid as problem:
            raise ValueError(f"{problem}: the first rows decide the types; write a CSV") from None

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
