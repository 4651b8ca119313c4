"""Files of rows, and standard input; their columns brought into a model's order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from ..tables import Frame, Schema, read_blocks, read_table
from ..tables.dialect import MISSING_WORDS
from .problem import Problem


def read(data: str, reading: dict, text: Sequence[str] = ()) -> Frame:
    """All rows of a file; text: columns that are text, though they look like numbers."""
    if not reading["header"]:  # then columns are called 0, 1, ...
        text = [int(name) if str(name).isdecimal() else name for name in text]
    return read_table(_source(data), text=text, **_options(reading))


def blocks(data: str, reading: dict, schema: Schema | None = None) -> Iterator[Frame]:
    """The rows of a file, block after block; what was text for a schema is text again."""
    text = [c.name for c in _modelled(schema) if c.type == "text"] if _has_names(schema) else []
    yield from read_blocks(_source(data), text=text, **_options(reading))


def arranged(frame: Frame, schema: Schema, carried: Sequence[str] = (), lax: bool = False) -> Frame:
    """The columns of a schema, in its order, by name where both have names.

    carried: columns that may be there as well; lax: any may. Errors: ValueError that names the
    columns which are missing, or that nobody knows.
    """
    if not (frame.is_named and _has_names(schema)):
        rest = [name for name in frame.names if name not in carried]
        return schema.select(frame.select(rest))
    wanted = [c.name for c in _modelled(schema)]
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


def _modelled(schema: Schema | None) -> tuple:
    columns = () if schema is None else schema.columns
    return tuple(c for c in columns if c.kind.name != "aside")


def _has_names(schema: Schema | None) -> bool:
    return schema is not None and schema.is_named


def _options(reading: dict) -> dict:
    """The reader's arguments: words for missing values come on top of the usual ones."""
    return {**reading, "missing_values": (*MISSING_WORDS, *reading.get("missing_values", ()))}


def _source(data: str):
    if data != "-":
        return data
    if sys.stdin is None or sys.stdin.closed:
        raise Problem("standard input is closed: there is nothing to read")
    return sys.stdin.buffer
