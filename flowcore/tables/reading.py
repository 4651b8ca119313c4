"""`read_blocks`: files of tables, CSV, .npy, .npz or Parquet, in blocks of bounded memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .binary import npy_blocks, npz_blocks, parquet_blocks
from .csv_blocks import csv_blocks
from .dialect import MISSING_WORDS, Dialect
from .frame import Frame, Name
from .schema import Schema

if TYPE_CHECKING:
    from os import PathLike

SIGNS = {b"\x93NUMPY": "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz", b"PAR1": "parquet"}
LEAST_BYTES = 1024


def read_blocks(
    source: str | PathLike[str] | BinaryIO,
    *,
    columns: Sequence[Name] | None = None,
    schema: Schema | None = None,
    text: Sequence[Name] = (),
    aside: Sequence[Name] = (),
    header: bool = True,
    separator: str | None = None,
    decimal: str = ".",
    quote: str = '"',
    missing_values: Sequence[str] = MISSING_WORDS,
    encoding: str = "utf-8",
    member: str | None = None,
    engine: str = "auto",
    block_bytes: int = 2**22,
) -> Iterator[Frame]:
    r"""The rows of a file, a `Frame` for every block; what kind of file it is, its bytes tell.

    CSV: one record a line (\n or \r\n), a header, quotes doubled inside of quotes, utf-8 (a byte
    order mark is left out). Blank lines are left out; comments are not read. Numbers are decimal:
    +1.5e-3, inf; each is the nearest float64. A column is text if its first 1000 rows are, and
    stays what it is. Fast by pyarrow, if that is installed, else by NumPy: the same values.
    .npy: an array (n, D), or records; .npz: one such array, or columns (n,). Parquet: by pyarrow.

    Errors: ValueError, naming file, line, row, column and value, for whatever is not so; OSError as
    `open` raises it; ModuleNotFoundError if pyarrow is needed. Memory: about ten blocks. CSV and
    .npy may come from a pipe.

    Parameters
    ----------
    source : str, PathLike or binary file
        A path, or what `open(path, "rb")` or `sys.stdin.buffer` is.
    columns : sequence or None
        The columns to read, by name (without a header 0, 1, ...), in this order; None: all.
    schema : Schema or None
        Reads the columns of a schema (those aside left out), as the types that they had.
    text : sequence
        Columns that are text, though they look like numbers, such as postal codes.
    aside : sequence
        Columns of a CSV that may hold anything, and are read as text; or that it may lack.
    header : bool
        Whether the first line of a CSV has names.
    separator : str or None
        One character; None: the one of , ; tab | that the first line has.
    decimal : str
        "." or ",": told, never guessed.
    quote : str
        '"' or "'".
    missing_values : sequence of str
        Cells that are missing.
    encoding : str
        Of a CSV.
    member : str or None
        Which array of an .npz.
    engine : str
        "auto", "pyarrow", "numpy" or "exact" (Python's csv module): for CSV, and only about speed.
    block_bytes : int
        Size of a block, about.

    Yields
    ------
    Frame
        At least one, which may have no rows.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO(b"age;height\n31;1,75\n45;NA\n")
    >>> [np.asarray(frame) for frame in read_blocks(file, decimal=",")]
    [array([[31.  ,  1.75],
           [45.  ,   nan]])]
    """
    dialect = Dialect(separator, decimal, quote, missing_values)
    if not isinstance(block_bytes, int) or block_bytes < LEAST_BYTES:
        raise ValueError(f"block_bytes must be an integer >= {LEAST_BYTES}: got {block_bytes!r}")
    numbers: list[Name] = []
    if schema is not None:
        used = [c for c in schema.columns if c.kind.name != "aside"]
        columns = [c.name for c in used] if columns is None else columns
        text = [*text, *(c.name for c in used if c.type != "number")]
        numbers = [c.name for c in used if c.type == "number" and c.name not in text]
    with _opened(source) as (stream, name):
        kind = SIGNS.get(next((sign for sign in SIGNS if stream.peek(8).startswith(sign)), b""))
        if kind == "npy":
            yield from npy_blocks(stream, name, columns, block_bytes)
        elif kind == "npz":
            yield from npz_blocks(stream, name, columns, block_bytes, member)
        elif kind == "parquet":
            yield from parquet_blocks(stream, name, columns, block_bytes)
        else:
            yield from csv_blocks(
                stream, name, dialect, header=header, columns=columns, text=text, aside=aside,
                numbers=numbers, encoding=encoding, engine=engine, block_bytes=block_bytes,
            )  # fmt: skip


def read_table(source: str | PathLike[str] | BinaryIO, **options: Any) -> Frame:
    r"""All rows of a file as one `Frame`.

    Parameters
    ----------
    source : str, PathLike or binary file
        As for `read_blocks`.
    **options : Any
        The arguments of `read_blocks`.

    Returns
    -------
    Frame
        The table; memory for two of it.

    Examples
    --------
    >>> import io
    >>> read_table(io.BytesIO(b"a,b\n1,x\n2,y\n"))["b"]
    array(['x', 'y'], dtype=object)
    """
    frames = list(read_blocks(source, **options))
    names = frames[0].names
    whole = {name: np.concatenate([frame[name] for frame in frames]) for name in names}
    return Frame(whole, frames[0].source)


@contextmanager
def _opened(source) -> Iterator[tuple[io.BufferedReader, str]]:
    """(a stream of bytes that can be peeked at, what it is called)."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file, os.fsdecode(source)
        return
    if not hasattr(source, "read"):
        raise TypeError(
            f"source is a path or a file that is open in binary mode, not {type(source).__name__}"
        )
    if isinstance(source, io.TextIOBase):
        raise ValueError('source is open as text: open it in binary mode, "rb"')
    name = getattr(source, "name", None)
    name = name if isinstance(name, str) else "the stream"
    if hasattr(source, "peek"):
        yield source, name
        return
    stream = io.BufferedReader(_Raw(source))
    try:
        yield stream, name
    finally:
        stream.detach()


class _Raw(io.RawIOBase):
    """Whatever has `read`, as what a BufferedReader takes. It is left open."""

    def __init__(self, source):
        self._source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(getattr(self._source, "seekable", lambda: False)())

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def readinto(self, buffer) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
