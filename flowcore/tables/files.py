"""`read_blocks`: files of tables, in blocks of rows of bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .frame import Frame, Name, check_there
from .reading import MISSING_WORDS, Csv
from .schema import Schema

if TYPE_CHECKING:
    from os import PathLike

LEAST_BYTES = 1024
PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


def read_blocks(
    source: str | PathLike[str] | BinaryIO,
    *,
    columns: Sequence[Name] | None = None,
    schema: Schema | None = None,
    others: bool = False,
    text: Sequence[Name] = (),
    header: bool = True,
    separator: str | None = None,
    decimal: str = ".",
    missing_values: Sequence[str] = MISSING_WORDS,
    encoding: str = "utf-8",
    strict: bool = True,
    block_bytes: int = 2**22,
) -> Iterator[Frame]:
    r"""The rows of a file in blocks, each a `Frame`. The first bytes decide the type of the file.

    * CSV: a header, then one record per line, no comments. The first block decides which columns
      are text. Later text among numbers is an error, as are rows of other lengths and broken
      quotes.
    * .npy: an array (n, D), or records; .npz: one such array, or columns (n,).
    * Parquet: by pyarrow.

    Files compressed by gzip, bzip2, xz or zip are unpacked. A URL is not fetched.

    Memory: a few blocks; but an array that is compressed or comes from a pipe is read whole. .npz,
    .zip and Parquet cannot be read from a pipe. Errors: ValueError for any other content, which
    names file, row, column and value; OSError; ModuleNotFoundError without pandas or pyarrow.

    Parameters
    ----------
    source : str, PathLike or binary file
        A path, or a binary file such as `open(path, "rb")` or `sys.stdin.buffer`.
    columns : sequence or None
        The columns to read, by name (without a header 0, 1, ...), in this order; None: all.
    schema : Schema or None
        Read the columns of a schema (without those set aside), with the types that they had.
    others : bool
        With a schema: read all columns, those set aside as text.
    text : sequence
        Columns that are text although they look like numbers, such as postal codes.
    header : bool
        Whether the first line of a CSV has names.
    separator : str or None
        One character; None: detected from the first line among comma, semicolon, tab and bar.
    decimal : str
        "." or ","; never guessed.
    missing_values : sequence of str
        Texts of missing cells. Pass `[""]` for a text column in which "NA" is a value.
    encoding : str
        The encoding of a CSV.
    strict : bool
        Text in a column of numbers is an error. False: columns are read as people write them.
        Numbers may have a currency, a unit or separators of thousands; categories that differ by
        case or space alone are one; `?`, `unknown` and the like are missing among numbers. A cell
        that is no number is missing, with a warning. Without a schema the file is read whole.
    block_bytes : int
        Approximate size of a block.

    Yields
    ------
    Frame
        At least one frame, which may have no rows.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO(b"age;height\n31;1,75\n45;NA\n")
    >>> [np.asarray(frame) for frame in read_blocks(file, decimal=",")]
    [array([[31.  ,  1.75],
           [45.  ,   nan]])]
    """
    if not isinstance(block_bytes, int) or block_bytes < LEAST_BYTES:
        raise ValueError(f"block_bytes must be an integer >= {LEAST_BYTES}: got {block_bytes!r}")
    if schema is not None and columns is None and not others:
        columns = [c.name for c in schema.columns if c.kind.name != "aside"]
        columns = [*map(str, columns)] if schema.is_named else columns
    missing = {missing_values} if isinstance(missing_values, str) else set(missing_values)
    with _opened(source) as (stream, name, path):
        table = Csv(name, columns, schema, text, header, separator, decimal, missing, encoding,
                    strict)  # fmt: skip
        try:
            for frame in _blocks(stream, path, table, block_bytes):
                if columns is not None:
                    check_there(columns, frame.names, name)
                    frame = frame.select(dict.fromkeys(columns))
                yield frame
        except (*DAMAGED, OSError) as problem:
            if getattr(problem, "errno", None) is not None:  # those of gzip and bzip2 have none
                raise
            raise ValueError(f"{name} cannot be unpacked: {problem}") from None


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
        The table. Memory: twice its size.

    Examples
    --------
    >>> import io
    >>> read_table(io.BytesIO(b"a,b\n1,x\n2,y\n"))["b"]
    array(['x', 'y'], dtype=object)
    """
    frames = list(read_blocks(source, **options))
    whole = {name: np.concatenate([frame[name] for frame in frames]) for name in frames[0].names}
    names = frames[0].texts
    texts = {name: np.concatenate([frame.texts[name] for frame in frames]) for name in names}
    return Frame(whole, frames[0].source, declared=frames[0].declared, texts=texts)


@contextmanager
def _opened(source) -> Iterator[tuple[Any, str, str | None]]:
    """(a stream of bytes that can be peeked at, its name, its path)."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file, os.fsdecode(source), os.fsdecode(source)
        return
    if not hasattr(source, "read"):
        raise TypeError(
            f"source is a path or a file that is open in binary mode, not {type(source).__name__}"
        )
    if isinstance(source, io.TextIOBase):
        raise ValueError('source is open as text: open it in binary mode, "rb"')
    name = getattr(source, "name", None)
    stream = source if hasattr(source, "peek") else io.BufferedReader(source)
    try:
        yield stream, name if isinstance(name, str) else "the stream", None
    finally:
        if stream is not source:
            stream.detach()


def _blocks(stream, path: str | None, table: Csv, block_bytes: int) -> Iterator[Frame]:
    """The frames of a stream, by what its first bytes are."""
    start, source = stream.peek(8)[:8], table.source
    if start.startswith((*ZIP, b"PAR1")) and not stream.seekable():
        raise ValueError(f"{source} is not read from a pipe, as it is no text: save it")
    for sign, unpack in PACKED.items():
        if start.startswith(sign):
            return _blocks(unpack(stream), None, table, block_bytes)
    if not start.startswith((*ZIP, b"PAR1", b"\x93NUMPY")):
        return table.blocks(stream, block_bytes)
    from .binary import array_blocks, parquet_blocks

    if start.startswith(b"PAR1"):
        return parquet_blocks(stream, source, table.columns, block_bytes)
    if start.startswith(ZIP):
        archive = zipfile.ZipFile(stream)
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            raise ValueError(f"{source} is an Excel file: save the sheet as a CSV")
        if len(names) == 1 and not names[0].endswith(".npy"):
            return _blocks(archive.open(names[0]), None, table, block_bytes)
        stream.seek(0)
    return array_blocks(stream, source, path, block_bytes)
