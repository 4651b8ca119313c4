"""`flowcore info`: a model as text or JSON, which `fit` prints, too."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps, loads

from ..tables import TableDensity
from .inputs import read_model
from .messages import printable


def run(model: str, json: bool) -> None:
    """Read a model and print it."""
    density = read_model(model)
    print(as_json(model, density) if json else as_text(density))


def as_json(path: str, density: TableDensity) -> str:
    """The columns, the meaning of log p, and the notes."""
    columns = [
        {"name": f"{c.name}", "kind": f"{c.kind}", "counts_as": c.kind.counts_as, "why": c.why}
        for c in density.schema_.columns
    ]
    found = {"model": path, "columns": columns, "meaning": density.schema_.meaning}
    text = dumps(found | (density.notes or {}), default=asdict)
    return dumps(loads(text, parse_constant=lambda not_finite: None))  # JSON has no nan


def as_text(density: TableDensity) -> str:
    """The same in words."""
    schema, notes, summary = density.schema_, density.notes or {}, density.summary
    rows = [(f"{c.name}", f"{c.kind}", c.kind.counts_as, c.why) for c in schema.columns]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.append(schema.meaning)
    if "rows" in notes:
        n, dropped = notes["rows"], notes.get("dropped") or 0
        again = 0 if summary is None else n - summary.n_rows
        holes = notes.get("missing") == "learn"
        why, others = ("have no value", " or have no number") if holes else ("miss a value", "")
        without = f" ({dropped:,} more {why})" if dropped else ""
        repeated = f", {again:,} of which repeat others{others}" if again > 0 else ""
        lines.append(f"learned from {n:,} rows{without}{repeated}")
    if summary is not None:
        lines.append(f"{summary}")
    elif not notes:
        lines.append(f"{density.density_!r:.300}")
    return printable("\n".join(lines))
