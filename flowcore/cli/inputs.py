"""Files of rows, and standard input; the columns of a model in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ..tables import Frame, Schema, read_blocks, read_table
from ..tables.reading import MISSING_WORDS
from .problem import Problem


def read(data: str, reading: dict, text: Sequence[str] = ()) -> Frame:
    """All rows of a file; text: columns that are text, though they look like numbers."""
    return read_table(_source(data), **_options(reading, text=text))


def blocks(data: str, reading: dict, schema: Schema) -> Iterator[Frame]:
    """The rows of a file, block after block, as the types that a schema has."""
    yield from read_blocks(_source(data), **_options(reading), schema=schema, others=True)


def table(data: str, reading: dict, schema: Schema) -> Frame:
    """All rows of a file, with the columns of a schema."""
    own = read_table(_source(data), **_options(reading), schema=schema, others=True)
    return schema.select(own)


def arranged(frame: Frame, schema: Schema, carried: Sequence[str] = (), lax: bool = False) -> Frame:
    """The columns of a schema; carried: columns that may be there as well; lax: any may."""
    left_out = frame.names if lax and frame.is_named and schema.is_named else carried
    rest = [name for name in frame.names if name in schema.names or name not in left_out]
    return schema.select(frame.select(rest))


def named(names: Sequence, most: int = 10) -> str:
    """Names in a message."""
    return ", ".join(f"{n!r:.40}" for n in names[:most]) + ", ..." * (len(names) > most)


def _options(reading: dict, text: Sequence = ()) -> dict:
    """The reader's arguments: words for missing values come on top of the usual ones."""
    text = [*reading["text"], *text]
    if not reading["header"]:  # then columns are called 0, 1, ...
        text = [int(name) if str(name).isdecimal() else name for name in text]
    words = (*MISSING_WORDS, *reading["missing_values"])
    return {**reading, "text": text, "missing_values": words}


def _source(data: str):
    if data != "-":
        return data
    if sys.stdin is None or sys.stdin.closed:
        raise Problem("standard input is closed: there is nothing to read")
    return sys.stdin.buffer
