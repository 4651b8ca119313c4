"""A schema for a table as it comes: what cannot be modelled is set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import without_warnings
from .checks import dependence
from .column import Column
from .coordinates import Coordinates
from .encoding import Encoding
from .frame import Frame, is_missing
from .kind import Kind
from .question import encoded_with_holes

KNOWN = 0.01  # of the cells of a column that is modelled

if TYPE_CHECKING:
    from .schema import Schema


def proposed(frame: Frame, find: type[Schema]) -> Schema:
    """The schema that follows every proposal; the `note` of a column set aside has the reason, that
    of days another order of day and month, if it fits as well.

    Set aside are columns with (nearly) no values, constants, free text, identifiers and codes with
    many values, and numbers that repeat others, or (nearly) follow from them. Missing cells are
    unknown.
    """
    n = {name: int(np.count_nonzero(~is_missing(frame[name]))) for name in frame.names}
    empty = {
        name: f"it has {n[name] or 'no'} values in {len(frame):,} rows"
        for name in frame.names if n[name] < KNOWN * len(frame) or not n[name]
    }  # fmt: skip
    there = frame.select(name for name in frame.names if name not in empty)
    found = find.from_data(there, "learn")
    reasons = {c.name: c.note or c.why for c in found.columns if _is_refused(c)}
    schema = found.edit(dict.fromkeys(reasons, "aside")).suggested()
    while problem := _dependence(schema, there):
        (name,) = problem.fix[0]["kind"]
        reasons[name] = problem.problem.partition(". ")[0].removesuffix(": ")
        schema = schema.edit({name: "aside"})
    notes = {c.name: c.note for c in found.columns if c.kind.name == "date"} | reasons
    own = {c.name: replace(c, note=notes.get(c.name, "")) for c in schema.columns}
    own |= {name: Column(name, Kind("aside"), note=why) for name, why in empty.items()}
    return find(tuple(own[name] for name in frame.names), len(frame))


def _is_refused(column: Column) -> bool:
    """Whether a column has no density, or one without information."""
    aside = column.suggestion is not None and column.suggestion.name == "aside"
    return aside or column.kind.name in ("constant", "text")


def _dependence(schema: Schema, frame: Frame) -> Any:
    """The problem of a column of numbers that follows, or nearly follows, from others, if any; the
    one to leave out is among those with the most missing cells."""
    encoding = Encoding(schema)
    with without_warnings():
        possible = encoding.without_odd(schema.select(frame, True))[0]
        _, x, _, _ = encoded_with_holes(encoding, possible, values=True)
    order = np.isnan(x).sum(axis=0).argsort(kind="stable")
    names = [encoding.of_coordinates[j].name for j in order]
    return dependence(x[:, order], names, Coordinates([encoding.kinds[j] for j in order]))
