"""Files of models: what `fit` wrote, or any density that Python saved; a model as text, JSON."""

from __future__ import annotations

import json
import math
import os
import warnings

from ..distributions import Distribution
from ..estimator.record import as_data
from ..files import load
from ..tables import Column, Kind, Schema, TableDensity, TableRecord
from .outputs import check_place
from .problem import Problem, printable

OTHERS = (".csv", ".tsv", ".txt", ".npy", ".parquet", ".json", ".png", ".pdf", ".svg")


def check_model(out: str, *read: str) -> None:
    """`check_place` for a model: also that its name is not that of a table or a picture."""
    check_place(out, *read)
    stem, suffix = os.path.splitext(out)
    if suffix.lower() in OTHERS:
        raise Problem(f"{out}: a model is an .npz, no {suffix}: for example -o {stem}.npz")


def read_model(path: str) -> TableDensity:
    """The model in a file; a flow without names becomes one with the columns 0, 1, ..."""
    warnings.filterwarnings("ignore", "(?s).*if it is a code")  # a model knows what is a number
    found = load(path)
    if isinstance(found, TableDensity):
        return found
    if isinstance(found, Distribution):
        return _of_numbers(path, found, range(found.dim), found.context_dim)
    if hasattr(found, "density_") and hasattr(found, "summary_"):  # a FlowDensity
        names = getattr(found, "feature_names_in_", range(found.n_features_in_))
        notes = {"summary": as_data(found.summary_)}
        return _of_numbers(path, found.density_, names, found.context_dim_, notes)
    raise Problem(f"{path} holds a {type(found).__name__}, which is no density of rows")


def _of_numbers(path: str, density, names, context_dim: int, notes=None) -> TableDensity:
    if context_dim:
        raise Problem(f"{path} holds a density given a context, which the command line has not")
    columns = tuple(Column(name, Kind("continuous")) for name in names)
    schema = Schema(columns).to_dict()
    return TableRecord(schema, None, density, notes=notes).restored()


def describe(path: str, density: TableDensity, as_json: bool, end: str = "") -> None:
    """Print the columns, the meaning of log p, and what was tried."""
    schema, notes = density.schema_, density.notes or {}
    rows = [(f"{c.name}", f"{c.kind}", c.kind.counts_as) for c in schema.columns]
    if as_json:
        columns = [dict(zip(("name", "kind", "counts_as"), row, strict=True)) for row in rows]
        found = {"model": path, "columns": columns, "meaning": schema.meaning, **_finite(notes)}
        print(json.dumps(found))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.append(schema.meaning)
    summary = density.summary
    if "rows" in notes:
        n, dropped = notes["rows"], notes.get("dropped") or 0
        again = 0 if summary is None else n - summary.n_rows
        without = f" ({dropped:,} more miss a value)" if dropped else ""
        repeated = f", {again:,} of which repeat others" if again > 0 else ""
        lines.append(f"learned from {n:,} rows{without}{repeated}")
    if summary is not None:
        lines.append(f"{summary}")
    elif not notes:
        lines.append(f"{density.density_!r:.300}")
    print(printable("\n".join(lines) + end))


def _finite(value):
    """Plain data, with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
