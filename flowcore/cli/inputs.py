"""Files of rows, and standard input; their columns brought into a model's order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ..tables import Frame, Schema, read_blocks, read_table
from ..tables.dialect import MISSING_WORDS
from .problem import Problem


def read(data: str, reading: dict, text: Sequence[str] = ()) -> Frame:
    """All rows of a file; text: columns that are text, though they look like numbers."""
    return read_table(_source(data), **_options(reading, text))


def blocks(data: str, reading: dict, schema: Schema) -> Iterator[Frame]:
    """The rows of a file, block after block: numbers where the schema has numbers."""
    yield from read_blocks(_source(data), **_options(reading, _text(schema)))


def rows_of(data: str, reading: dict, schema: Schema) -> Frame:
    """All rows of a file, `arranged`."""
    return arranged(read(data, reading, _text(schema)), schema)


def arranged(frame: Frame, schema: Schema, carried: Sequence[str] = (), lax: bool = False) -> Frame:
    """The columns of a schema, in its order, by name where both have names.

    carried: columns that may be there as well; lax: any may. Errors: ValueError that names the
    columns which are missing, or that nobody knows.
    """
    if not (frame.is_named and schema.is_named):
        rest = [name for name in frame.names if name not in carried]
        return schema.select(frame.select(rest))
    wanted = [c.name for c in schema.columns if c.kind.name != "aside"]
    missing = [name for name in wanted if name not in frame.names]
    known = {*schema.names, *carried}
    extra = [] if lax else [name for name in frame.names if name not in known]
    words = [f"lacks {named(missing)}"] * bool(missing)
    words += [f"has {named(extra)}, which the model does not know"] * bool(extra)
    if words:
        fix = "; --ignore-extra leaves those out" if extra and not missing else ""
        raise Problem(f"{frame.source} {' and '.join(words)}: its columns are {named(wanted)}{fix}")
    return frame.select(wanted)


def named(names: Sequence, most: int = 10) -> str:
    """Names in a message."""
    return ", ".join(f"{n!r:.40}" for n in names[:most]) + ", ..." * (len(names) > most)


def _text(schema: Schema) -> list:
    """The columns that are text, though they may look like numbers."""
    columns = schema.columns if schema.is_named else ()
    return [c.name for c in columns if c.type == "text" and c.kind.name != "aside"]


def _options(reading: dict, text: Sequence) -> dict:
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
