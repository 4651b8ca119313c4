"""Files of models and of rows, and standard input; the columns of a model in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import numpy as np

from ..core import without_warnings
from ..distributions import Distribution
from ..estimator import FlowDensity
from ..files import load
from ..tables import Column, Kind, Schema, TableDensity, read_blocks, read_table
from ..tables.frame import Frame, Name, check_there
from ..tables.reading import MISSING_WORDS
from ..tables.record import TableRecord


def read_model(path: str) -> TableDensity:
    """The model in a file; a flow without names becomes one with the columns 0, 1, ..."""
    found = load(path)
    if isinstance(found, TableDensity):
        return found
    if isinstance(found, FlowDensity):
        names = getattr(found, "feature_names_in_", range(found.n_features_in_))
        notes = {"summary": found.summary_}
        return _of_numbers(path, found.density_, names, found.context_dim_, notes)
    if isinstance(found, Distribution):
        return _of_numbers(path, found, range(found.dim), found.context_dim)
    raise ValueError(f"{path} holds a {type(found).__name__}, which is no density of rows")


def _of_numbers(path: str, density, names: Iterable, context_dim: int, notes=None) -> TableDensity:
    if context_dim:
        raise ValueError(f"{path} holds a density given a context, which a command cannot pass")
    columns = tuple(Column(name, Kind("continuous")) for name in names)
    return TableRecord(Schema(columns).to_dict(), None, density, notes=notes).restored()


def digest(codes: np.ndarray, x: np.ndarray) -> str:
    """A hash of encoded rows in any order, by which a model recognises the table of its fit."""
    rows = np.column_stack([x + 0.0, codes])  # -0 is 0
    return sha256(rows[np.lexsort(rows.T)].tobytes()).hexdigest()[:16]


def read(data: str, reading: dict, text: Sequence[str] = ()) -> Frame:
    """All rows of a file; text: columns that are text although they look like numbers."""
    return read_table(_source(data), **_options(reading, text))


def blocks(data: str, reading: dict, schema: Schema, text: Sequence[str] = ()) -> Iterator[Frame]:
    """The rows of a file, block after block, with the types of a schema."""
    return read_blocks(_source(data), **_options(reading, text), schema=schema, others=True)


def types_of(data: str, reading: dict, schema: Schema, is_csv: bool) -> dict[str, type]:
    """The types that all blocks of a column can be written in: str for cells as they are written,
    which are all of a CSV, else text, and numbers with a mark, or with a cell in any block that is
    none; float if numbers are not whole in all blocks. Standard input is not read twice for it.
    """
    if is_csv:
        return dict.fromkeys(map(str, schema.names), str)
    text = [f"{column.name}" for column in schema.columns if column.mark or column.type == "text"]
    found: dict[str, type] = {}
    with without_warnings():  # they are given when the rows are
        for frame in () if data == "-" else blocks(data, reading, schema):
            own = arranged(frame, schema, lax=True)
            found |= {f"{name}": float for name in own.names if own[name].dtype.kind == "f"}
            text += [f"{name}" for name in own.names if own.unread(name).any()]
    return found | dict.fromkeys(text, str)


def table(data: str, reading: dict, schema: Schema, lax: bool = False) -> Frame:
    """All rows of a file, with the columns of a schema; lax: others may be present."""
    options = _options(reading)
    return schema.select(read_table(_source(data), **options, schema=schema, others=True), lax)


def arranged(frame: Frame, schema: Schema, carried: Sequence[str] = (), lax: bool = False) -> Frame:
    """The columns of a schema; carried: others that may be present; lax: any others may."""
    modelled = [*map(str, schema.names)]
    rest = [name for name in frame.names if str(name) in modelled or name not in carried]
    return schema.select(frame.select(rest), lax)


def own_names(frame: Frame, typed: Iterable[str]) -> dict[str, Name]:
    """typed name -> name of the column, which is a number where there are no names.

    Errors: ValueError for a column that is not there.
    """
    own = {str(name): name for name in frame.names}
    check_there(typed, list(own), frame.source)
    return {name: own[name] for name in typed}


def _options(reading: dict, text: Sequence = ()) -> dict:
    """The reader's arguments: words for missing values come on top of the usual ones."""
    text = [*reading["text"], *text]
    if not reading["header"]:  # then columns are called 0, 1, ...
        text = [int(name) if str(name).isdecimal() else name for name in text]
    words = (*MISSING_WORDS, *reading["missing_values"])
    return {**reading, "text": text, "missing_values": words}


def _source(data: str):
    return sys.stdin.buffer if data == "-" else data
