"""`flowcore fit`: a table -> a model, which is one file."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from ..files import save
from ..tables import Column, Frame, Kind, Schema
from .inputs import named, read
from .learning import learned
from .model import check_model
from .problem import Problem
from .report import Report
from .telling import note, show, told_in_one_line


class Settings(NamedTuple):
    """What is asked for, apart from files: see `flowcore fit --help`."""

    flow: str = "auto"
    budget: float | None = None
    quick: bool = False
    seed: int = 0
    columns: tuple[str, ...] | None = None
    kinds: dict | None = None
    suggested: bool = False
    missing: str = "error"
    jobs: int | None = None


def run(
    data: str, out: str, settings: Settings, reading: dict, as_json: bool, progress: bool
) -> int:
    """Learn, write, tell."""
    with told_in_one_line():
        check_model(out, data)
        aside = [name for name, kind in (settings.kinds or {}).items() if kind.strip() == "aside"]
        frame = read(data, reading, aside)  # as text: what is left out may be anything
        schema = schema_of(frame, settings)
        density = learned(frame, schema, settings, progress)
        save(density, out)
        show(Report(out, density), as_json, f"\nwritten to {out}")
    return 0


def schema_of(frame: Frame, settings: Settings) -> Schema:
    """What the columns are: found, then edited; those that are not chosen are aside."""
    _check_shape(frame)
    kinds = dict(settings.kinds or {})
    key = {str(name): name for name in frame.names}
    unknown = [name for name in (*(settings.columns or ()), *kinds) if name not in key]
    if unknown:
        raise Problem(f"{frame.source} has no column {named(unknown)}, but {named(frame.names)}")
    chosen = set(key if settings.columns is None else settings.columns)
    chosen -= {name for name, kind in kinds.items() if kind.strip() == "aside"}
    if not chosen:
        raise Problem("all columns are aside: there is nothing to model")
    own = frame.select([name for name in frame.names if str(name) in chosen])
    found = Schema.from_data(own, settings.missing)
    found = found.edit({key[name]: kind for name, kind in kinds.items() if name in chosen})
    found = found.suggested() if settings.suggested else found
    _refuse_unmodelled(found)
    _tell_suggestions(found)
    by_name = {column.name: column for column in found.columns}
    aside = Kind("aside")
    columns = (by_name.get(name) or Column(name, aside) for name in frame.names)
    return Schema(tuple(columns), found.n_rows)


def _check_shape(frame: Frame) -> None:
    """A `Problem` for a table that is none: no rows, or another separator."""
    if not len(frame):
        raise Problem(f"{frame.source} has no rows, only a header: there is nothing to learn from")
    name = str(frame.names[0])
    others = [sign for sign in ",;\t| " if sign in name]
    if len(frame.names) == 1 and others and frame[frame.names[0]].dtype == object:
        raise Problem(
            f"{frame.source} has a single column, {name!r:.60}: if it is several, pass "
            f"--separator {shlex.quote(others[0])}"
        )


def _refuse_unmodelled(schema: Schema) -> None:
    bad = [c for c in schema.columns if c.kind.name in ("constant", "text")]
    if not bad:
        return
    told = "; ".join(
        f"{c.name!r:.40} is {c.kind} ({c.why}{f': {c.note}' if c.kind.name == 'text' else ''})"
        for c in bad[:5]
    )
    if len(bad) == len(schema.columns):
        raise Problem(f"column {told}, and so has no density: no column is left to learn")
    fix = f"leave it out by {_options(bad, 'aside')}"
    categories = [c for c in bad if c.kind.name == "text" and c.values]
    if categories:
        fix += f"; or take it as a category by {_options(categories, 'categorical')}"
    raise Problem(f"column {told}, and so has no density: {fix}")


def _options(columns: list[Column], kind: str) -> str:
    return " ".join(f"--kind {shlex.quote(f'{c.name}={kind}')}" for c in columns)


def _tell_suggestions(schema: Schema) -> None:
    found = [c for c in schema.columns if c.suggestion]
    if found:
        told = "; ".join(f"{c.name!r:.40} looks {c.looks} ({c.note})" for c in found[:10])
        line = " ".join(f"--kind {shlex.quote(f'{c.name}={c.suggestion}')}" for c in found)
        note(f"taken as continuous: {told}. To follow: --suggested, or {line}")
