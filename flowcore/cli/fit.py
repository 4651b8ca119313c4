"""`flowcore fit`: a table -> a model, which is one file."""

from __future__ import annotations

from collections.abc import Sequence

from .._version import __version__
from ..core import with_fix
from ..estimator import FlowDensity
from ..estimator.plan import FEW_ROWS, default_minutes
from ..files import save
from ..tables import Column, Kind, Schema, fit_table
from ..tables.encoding import Encoding
from ..tables.fitting import training_rows
from ..tables.frame import Frame
from .info import as_text
from .inputs import digest, own_names, read, read_model
from .messages import note, print_error, printable
from .outputs import check_model

QUICK = 0.1  # of the budget
LONG = 0.1  # minutes, of which a log has a line


def run(
    data: str, out: str, columns: Sequence[str], kind: Sequence[tuple[str, str]], suggested: bool,
    missing: str, flow: str, budget: float | None, quick: bool, auto: bool, rules: bool,
    schema: str | None, seed: int, progress: bool, reading: dict,
) -> None:  # fmt: skip
    """Read, find the kinds, learn, write, print."""
    check_model(out, data, schema)
    reading = {**reading, "strict": not auto}
    kinds = dict(kind)
    aside = [name for name in kinds if kinds[name] == "aside"]
    try:
        frame = read(data, reading, aside)  # as text: what is left out may be anything
    except ValueError as problem:
        if auto or not getattr(problem, "fix", ()):
            raise
        frame = read(data, {**reading, "strict": False}, aside)  # notes name the other cells
        _note_aside(Schema.from_data(frame, auto=True), "is best")
        raise with_fix(ValueError, problem.problem, *problem.fix, {"auto": True}) from None
    _check_separator(frame)
    if schema is not None:
        kinds = {f"{c.name}": str(c.kind) for c in read_model(schema).schema_.columns} | kinds
    try:
        found = schema_of(frame, columns, kinds, missing, auto)
        chosen = found.suggested() if suggested else found
        if auto:
            frame, odd, said = Encoding(chosen).without_odd(chosen.select(frame))
            if odd:
                note(f"{said}")
            if missing == "error" and not frame.complete.all():
                missing = "learn"
        rows = training_rows(frame, chosen, missing, None, False, rules)
    except ValueError as problem:
        raise problem if auto else _with_all_fixes(problem, frame, kinds) from None
    notes = {"flow": flow, "budget": budget, "quick": quick, "seed": seed, "flowcore": __version__}
    minutes = (default_minutes(len(frame)) if budget is None else budget) * (QUICK if quick else 1)
    if progress and (minutes > LONG or missing == "learn") and len(frame) >= FEW_ROWS:
        n_columns = sum(column.kind.name != "aside" for column in chosen.columns)
        what = f"{len(frame):,} rows of {n_columns:,} columns"
        more = "; missing cells take as long or, in wide tables, minutes" * (missing == "learn")
        print_error(f"flowcore: {what}: flows for about {minutes:.2g} min on two cores{more}")
    learn = FlowDensity(flow, budget=minutes, random_state=seed, progress=progress)
    density = fit_table(rows, learn=learn, missing=missing, rng=seed)
    density.notes |= {"digest": digest(rows.codes, rows.x), **notes}
    save(density, out)
    print(as_text(density) + printable(f"\nwritten to {out}"))
    _note_kinds(found, suggested)
    _note_rules(density.schema_)
    if auto:
        _note_aside(chosen, "is")
        note(f"to fit next month's table in the same way: --schema {out}")


def schema_of(
    frame: Frame, columns: Sequence[str], kinds: dict[str, str], missing: str, auto: bool = False
) -> Schema:
    """The kinds of the columns: found, then edited; columns that are not chosen are aside."""
    name_of = own_names(frame, (*columns, *kinds))
    kinds = {name_of[typed]: kind for typed, kind in kinds.items()}
    wanted = [name_of[typed] for typed in columns] or frame.names
    chosen = [name for name in frame.names if name in wanted and kinds.get(name) != "aside"]
    if not chosen:
        raise ValueError("all columns are aside: there is nothing to model")
    schema = Schema.from_data(frame.select(chosen), missing, auto=auto)
    schema = schema.edit({name: kinds[name] for name in chosen if name in kinds})
    own = {column.name: column for column in schema.columns}
    every = (own.get(name) or Column(name, Kind("aside")) for name in frame.names)
    return Schema(tuple(every), schema.n_rows)


def _with_all_fixes(problem: ValueError, frame: Frame, kinds: dict[str, str]) -> ValueError:
    """The error with all that this table needs as one alternative, and --auto as another."""
    if not getattr(problem, "fix", ()):
        return problem
    schema = Schema.from_data(frame, auto=True)
    aside = {c.name: "aside" for c in schema.columns if c.kind.name == "aside"}
    every = {} if schema.select(frame).complete.all() else {"missing": "learn"}
    every |= {"kind": aside | kinds} if aside else {}
    fixes = list(problem.fix)
    if every and every not in fixes:
        _note_aside(schema, "is best")
        fixes.append(every)
    return with_fix(ValueError, problem.problem, *fixes, {"auto": True})


def _note_aside(schema: Schema, verb: str) -> None:
    for column in schema.columns:
        if column.kind.name == "aside" and column.note:
            note(f"{column.name!r:.40} {verb} set aside: {column.note}")


def _check_separator(frame: Frame) -> None:
    """A ValueError for a table of one column that looks like several."""
    name = str(frame.names[0])
    others = [sign for sign in ",;\t| " if sign in name]
    if len(frame) and len(frame.names) == 1 and others and frame[frame.names[0]].dtype == object:
        problem = f"{frame.source} has a single column, {name!r:.60}: if it is several, "
        raise with_fix(ValueError, problem, {"separator": others[0]})


def _note_rules(schema: Schema) -> None:
    for name, rule in schema.rules.items():
        note(f"{name!r:.40} {rule}, in all rows: so it does in the model")
    if schema.rules:
        note("to learn such columns like others: --no-rules")


def _note_kinds(schema: Schema, suggested: bool) -> None:
    """One line for each column that is taken, or not, for more than its type."""
    for column in schema.columns:
        if column.kind.name == "date" and column.note:
            note(f"{column.name!r:.40} is read as {column.kind}, {column.note}")
    columns = [column for column in schema.columns if column.suggestion]
    for column in columns:
        taken = column.suggestion if suggested else column.kind
        others = "" if suggested else f", though it looks like {column.suggestion}"
        note(f"{column.name!r:.40} is taken for {taken}{others} ({column.note})")
    if columns:
        other = "; --no-suggested takes numbers as they are" if suggested else ""
        note(f"to change a column: --kind NAME=KIND{other}")
