"""The first lines of a text table: its header, and what stands where one is expected."""

from __future__ import annotations

import csv
from dataclasses import replace

from ..core import fixable
from .csv_cells import Chunk, decoded
from .dialect import SEPARATORS, Dialect

HEAD_ROWS = 1000  # that settle which columns are text


def read_header(
    chunk: Chunk, source: str, dialect: Dialect, columns
) -> tuple[tuple[str, ...], Chunk]:
    """(the names, the chunk after them)."""
    lead = len(chunk.data) - len(chunk.data.lstrip(b"\r\n"))
    skipped = chunk.data.count(b"\n", 0, lead)
    chunk = replace(chunk, data=chunk.data[lead:], line=chunk.line + skipped)
    reader = dialect.rows(decoded(chunk, source))
    try:
        names = tuple(name.strip() for name in next(reader))
    except (csv.Error, StopIteration) as problem:
        raise ValueError(f"{source}: the header cannot be read: {problem}") from None
    _check_names(names, source, dialect, columns)
    end = -1
    for _ in range(reader.line_num):
        end = chunk.data.find(b"\n", end + 1)
        if end < 0:
            end = len(chunk.data) - 1
            break
    return names, replace(chunk, data=chunk.data[end + 1 :], line=chunk.line + reader.line_num)


def _check_names(names: tuple[str, ...], source: str, dialect: Dialect, columns) -> None:
    if all(dialect.reads_as_number(name) for name in names):
        raise fixable(
            ValueError,
            f"{source}: the first line has numbers, {list(names)!s:.80}, where names are "
            "expected: if there are none, ",
            {"header": False},
        )
    wanted = names if columns is None else [name for name in names if name in columns]
    if "" in wanted:
        raise ValueError(
            f"{source}: column {names.index('')} has no name in the header (pandas' index? then "
            "write with index=False; separators at the end of all lines? then delete them): name "
            "it in the first line"
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise ValueError(f"{source}: two columns are called {twice[0]!r:.40}: rename one of them")


def first_record(text: str, dialect: Dialect) -> str:
    """The first line; more of them, where a name has an end of line inside of quotes."""
    lines = text.split("\n")[:HEAD_ROWS]
    for n in range(1, len(lines) + 1):
        record = "\n".join(lines[:n])
        if record.count(dialect.quote) % 2 == 0:
            return record
    return lines[0]


def check_title(names: tuple, start: str, source: str, dialect: Dialect) -> None:
    """A ValueError for a line above the header, which would be taken for a table of one column."""
    if len(names) != 1:
        return
    lines = dialect.without_quoted(start.strip("\r\n")).split("\n")
    for k, line in enumerate(lines[1:], 2):
        found = [sign for sign in SEPARATORS if line.count(sign) and sign != dialect.decimal]
        if found and len(lines) > k and all(found[0] in other for other in lines[k:-1]):
            raise ValueError(
                f"{source}: the first line is a single cell, {names[0]!r:.40}, but those from line "
                f"{k} on have {found[0]!r}: if it is a title, delete what stands above the header"
            )
        if line.strip():
            return
