"""`flowcore sample`: rows from a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..tables import Column, TableDensity
from ..tables.cells import as_texts
from ..tables.frame import Frame, as_frame, listed
from .inputs import read_model
from .outputs import check_table, is_written_as_text, table_writer

if TYPE_CHECKING:
    from ..core.typing import TableLike

ROWS = 2**14  # of a block: memory does not grow with n


def run(
    model: str, n: int, out: str | None, margins: str, given: Sequence[tuple[str, str]], seed: int
) -> None:  # fmt: skip
    """Draw n rows and write them."""
    check_table(out, model)
    density, rng = read_model(model), np.random.default_rng(seed)
    source = density
    if given:
        if margins != "model":
            raise ValueError("--margins table has no meaning with --given: leave one of them out")
        source = density.given(values(density, dict(given)), rng=seed)
    prefix, marks = "" if density.schema_.is_named else "x", {}
    if is_written_as_text(out):  # numbers are written as in the file of the fit
        marks = {part.column.name: part.column.mark for part in density.encoding.parts}
        marks = {name: mark for name, mark in marks.items() if mark}
    with table_writer(out) as write:
        blocks = max(1, -(-n // ROWS))
        for k in range(blocks):  # of equal sizes: ranks among a few rows would be a poor margin
            size = n * (k + 1) // blocks - n * k // blocks
            own = source.sample(size, rng) if given else source.sample(size, rng, margins)
            rows = framed(density, own)
            texts = {name: as_texts(rows[name], form) for name, form in marks.items()}
            write({f"{prefix}{name}": texts.get(name, rows[name]) for name in rows})


def framed(density: TableDensity, rows: TableLike) -> Frame:
    """Samples as a frame, columns aside left out; whole numbers are integers."""
    rows = as_frame(rows)
    if density.schema_.is_named:
        return rows
    found = {c.name: rows[c.name] for c in density.schema_.columns if c.kind.name != "aside"}
    for c in density.schema_.columns:  # an array of a single type has floats
        x = found.get(c.name, np.zeros(0, int))
        if c.decimals == 0 and x.dtype == float and np.isfinite(x).all():
            found[c.name] = x.astype(np.int64)
    return Frame(found)


def values(density: TableDensity, given: Mapping[str, str]) -> dict:
    """name -> the known value of a column, from NAME=VALUE, for `TableDensity.given`."""
    prefix = "" if density.schema_.is_named else "x"
    own = {f"{prefix}{column.name}": column for column in density.schema_.columns}
    for name in given:
        if name not in own:
            raise ValueError(f"--given {name}={given[name]}: the columns are {listed(own)}")
    return {own[name].name: _value(own[name], text) for name, text in given.items()}


def _value(column: Column, text: str):
    """A text as a value of a column; "30..40" as a range, "" as a missing cell."""
    if text == "":
        return None
    low, dots, high = text.partition("..")
    if dots and not column.kind.is_category:
        if column.kind.is_date:
            if not (low and high):
                raise ValueError(f"--given {column.name}={text}: a range of days has two ends")
            return _number(column, low), _number(column, high)
        return _number(column, low or "-inf"), _number(column, high or "inf")
    return _number(column, text)


def _number(column: Column, text: str):
    if column.type != "number":
        return text
    try:
        return float(text)
    except ValueError:
        problem = f"--given {column.name}={text}: {text!r:.40} is no number, nor a range as 30..40"
        raise ValueError(problem) from None
