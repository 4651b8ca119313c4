"""Records of a text table, cell by cell: what is right, and where it is not.

This is the exact way, and the only one that says what is wrong. `csv_engines` is faster; whatever
it does not understand comes here.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import numpy as np

from ..core import fixable
from .dialect import Dialect
from .frame import Name
from .labels import mark_of


@dataclass(frozen=True)
class Layout:
    """What the head of a text table has settled.

    source, dialect; names: of all columns, in order; is_text: which are text; chosen: the places of
    those that are read, in the order in which they are wanted
    """

    source: str
    dialect: Dialect
    names: tuple[Name, ...]
    is_text: tuple[bool, ...]
    chosen: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """Whole records: bytes of utf-8; the number of the first line, and of the first row, in the
    file; is_last: nothing follows."""

    data: bytes
    line: int
    row: int
    is_last: bool = False


def exact_columns(chunk: Chunk, layout: Layout) -> dict[Name, np.ndarray]:
    """name -> values of the records of a chunk; errors name line, row, column, value."""
    rows, lines = exact_rows(chunk, layout.source, layout.dialect, len(layout.names))
    return {
        layout.names[j]: _column([row[j] for row in rows], lines, chunk.row, layout, j)
        for j in layout.chosen
    }


def exact_rows(
    chunk: Chunk, source: str, dialect: Dialect, width: int | None
) -> tuple[list[list[str]], list[int]]:
    """(cells of each record, its line in the file); blank lines are left out.

    width: how many cells there have to be; None: as many as in the first record.
    """
    text = decoded(chunk, source)
    rows, lines = [], []
    blank = None
    reader = dialect.rows(text)
    line = chunk.line
    try:
        for row in reader:
            # in one column, '""' is a missing value, and an empty line may be one
            if not row or (len(row) == 1 != width and not row[0].strip(" \t")):
                blank = line if blank is None else blank
            else:
                width = len(row) if width is None else width
                if width == 1 and blank is not None:
                    raise _blank(source, blank)
                _check_width(row, width, source, line, chunk.row + len(rows))
                rows.append(row)
                lines.append(line)
            line = chunk.line + reader.line_num
    except csv.Error as problem:
        raise ValueError(
            f"{source}: line {line} (row {chunk.row + len(rows)}): {problem}; quotes inside of "
            "quotes are doubled"
        ) from None
    if width == 1 and blank is not None and not chunk.is_last:
        raise _blank(source, blank)
    return rows, lines


def unread(problem: str, cell: str, column: Name) -> ValueError:
    """About a cell that is no number; a word may stand for what is missing."""
    word, mark = cell.strip(" \t"), mark_of(cell)
    todo = f"take {mark} out of it" if mark else "mend it"
    if "\u2212" in cell:
        todo = "write its minus sign as '-'"
    fix = [{"missing_values": word}] * (not any(sign.isdigit() for sign in word))
    return fixable(ValueError, f"{problem}: {todo}, or ", *fix, {"text": [column]})


def _blank(source: str, line: int) -> ValueError:
    return ValueError(
        f"{source}: line {line} is blank, which in a table of one column may be a missing value or "
        "nothing: write NA, or delete it"
    )


def _check_width(row: list[str], width: int, source: str, line: int, number: int) -> None:
    if len(row) != width:
        comment = " (a comment? they are not read: delete it)" if row[0][:1] == "#" else ""
        raise ValueError(
            f"{source}: line {line} (row {number}) has {len(row)} cells, not {width}{comment}: "
            f"{_ends(row)}{_what_now(row, width)}"
        )


def _ends(row: list[str]) -> str:
    """The cells, those at the end too, where one is too many."""
    text = str(row)
    return text if len(text) <= 120 else f"{text[:60]} ... {text[-50:]}"


def _what_now(row: list[str], width: int) -> str:
    if len(row) < width or row[0][:1] == "#":
        return ""
    return "; put quotes round a cell that has the separator in it, or delete what is too much"


def decoded(chunk: Chunk, source: str) -> str:
    """The text of a chunk; a ValueError that names the line of what is no text, or has old ends."""
    if b"\r" in chunk.data and (old := re.search(rb"\r(?!\n)", chunk.data)):
        line = chunk.line + chunk.data.count(b"\n", 0, old.start())
        raise ValueError(
            f"{source}: line {line} has a \\r alone: lines end in \\n or \\r\\n; "
            "tr '\\r' '\\n' < OLD > NEW mends files of old spreadsheets"
        )
    bad = chunk.data.find(b"\0")
    if bad >= 0:
        line = chunk.line + chunk.data.count(b"\n", 0, bad)
        raise ValueError(f"{source}: line {line} has a zero byte: it is no text of utf-8")
    try:
        return chunk.data.decode()
    except UnicodeDecodeError as problem:
        line = chunk.line + chunk.data.count(b"\n", 0, problem.start)
        raise fixable(
            ValueError,
            f"{source}: line {line} is not utf-8 (byte {chunk.data[problem.start]:#04x}): if it is "
            "latin-1 or cp1252, ",
            {"encoding": "latin-1"},
            {"encoding": "cp1252"},
        ) from None


def _column(cells: list[str], lines: list[int], first: int, layout: Layout, j: int) -> np.ndarray:
    dialect = layout.dialect
    if layout.is_text[j]:
        out = np.empty(len(cells), object)
        out[:] = [None if dialect.is_missing(cell) else cell for cell in cells]
        return out
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = dialect.number(cell)
        except (ValueError, OverflowError) as problem:
            raise unread(
                f"{layout.source}: line {lines[i]} (row {first + i}), column "
                f"{layout.names[j]!r:.40}: {cell!r:.40} {problem}, but the column has numbers",
                cell,
                layout.names[j],
            ) from None
    return values
