"""`flowcore fit`: a table -> a model, which is one file."""

from __future__ import annotations

from collections.abc import Sequence

from .._version import __version__
from ..estimator import FlowDensity
from ..estimator.plan import default_minutes
from ..files import save
from ..tables import Column, Frame, Kind, Schema, TableDensity, fit_table
from ..tables.schema import complete_rows
from .digest import digest
from .inputs import named, read
from .messages import note, option
from .model import check_model, describe
from .problem import Problem

QUICK = 0.1  # of the budget


def run(
    data: str, out: str, reading: dict, columns: Sequence[str], kinds: dict[str, str],
    suggested: bool, missing: str, json: bool, **learning,
) -> None:  # fmt: skip
    """Read, find the kinds, learn, write, print."""
    check_model(out, data)
    aside = [name for name, kind in kinds.items() if kind == "aside"]
    frame = read(data, reading, aside)  # as text: what is left out may be anything
    schema = schema_of(frame, columns, kinds, suggested, missing)
    density = learned(frame, schema, missing, **learning)
    save(density, out)
    describe(out, density, json, f"\nwritten to {out}")


def schema_of(
    frame: Frame, columns: Sequence[str], kinds: dict[str, str], suggested: bool, missing: str
) -> Schema:
    """What the columns are: found, then edited; those that are not chosen are aside."""
    key = {str(name): name for name in frame.names}
    unknown = [name for name in (*columns, *kinds) if name not in key]
    if unknown:
        raise Problem(f"{frame.source} has no column {named(unknown)}, but {named(frame.names)}")
    _check_separator(frame)
    chosen = [n for n in key if n in (columns or key) and kinds.get(n) != "aside"]
    if not chosen:
        raise Problem("all columns are aside: there is nothing to model")
    found = Schema.from_data(frame.select([key[name] for name in chosen]), missing)
    found = found.edit({key[name]: kinds[name] for name in chosen if name in kinds})
    found = found.suggested() if suggested else found
    _note_suggestions(found)
    own = {column.name: column for column in found.columns}
    every = (own.get(name) or Column(name, Kind("aside")) for name in frame.names)
    return Schema(tuple(every), found.n_rows)


def learned(
    frame: Frame, schema: Schema, missing: str, *, jobs: int | None, progress: bool, flow: str,
    budget: float | None, quick: bool, seed: int,
) -> TableDensity:  # fmt: skip
    """The density; its notes also hold what it was learned from, and how."""
    notes = {"flow": flow, "budget": budget, "quick": quick, "seed": seed, "flowcore": __version__}
    if quick:
        budget = QUICK * (default_minutes(len(frame)) if budget is None else budget)
    estimator = FlowDensity(flow, budget=budget, n_jobs=jobs, random_state=seed, progress=progress)
    found = fit_table(frame, schema, learn=estimator, missing=missing, rng=seed)
    own = schema.select(frame)
    known = digest(own.take(complete_rows(own, missing, schema)), schema)
    found.notes |= {"digest": known, **notes}
    return found


def _check_separator(frame: Frame) -> None:
    """A `Problem` for a table of one column that looks like several."""
    name = str(frame.names[0])
    others = [sign for sign in ",;\t| " if sign in name]
    if len(frame) and len(frame.names) == 1 and others and frame[frame.names[0]].dtype == object:
        raise Problem(
            f"{frame.source} has a single column, {name!r:.60}: if it is several, pass "
            f"{option('separator', others[0])}"
        )


def _note_suggestions(schema: Schema) -> None:
    found = [c for c in schema.columns if c.suggestion]
    if found:
        looks = "; ".join(f"{c.name!r:.40} looks {c.looks} ({c.note})" for c in found[:10])
        line = option("kind", schema.suggestions)
        note(f"taken as continuous: {looks}. To follow: --suggested, or {line}")
