"""What is told of a model: by `fit`, and by `info`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..tables import TableDensity


@dataclass(frozen=True)
class Report:
    """A model, told as text or as plain data."""

    path: str
    density: TableDensity

    @property
    def notes(self) -> dict[str, Any]:
        """What `fit` noted; nothing, of other files."""
        return self.density.notes or {}

    def to_dict(self) -> dict:
        """For JSON: columns, what log p means, what was tried. Scores are None if not finite."""
        columns = [
            {"name": c.name, "kind": str(c.kind), "counts_as": c.kind.counts_as}
            for c in self.density.schema.columns
        ]
        meaning = self.density.schema.meaning
        return {"model": self.path, "columns": columns, "meaning": meaning, **_finite(self.notes)}

    def __str__(self) -> str:
        rows = [(f"{c.name}", f"{c.kind}", c.kind.counts_as) for c in self.density.schema.columns]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.append(self.density.schema.meaning)
        notes = self.notes
        if "rows" in notes:
            dropped = notes.get("dropped") or 0
            without = f" ({dropped:,} more miss a value)" if dropped else ""
            summary = self.density.summary
            again = 0 if summary is None else notes["rows"] - summary.n_rows
            repeated = f", {again:,} of which repeat others" if again > 0 else ""
            lines.append(f"learned from {notes['rows']:,} rows{without}{repeated}")
        if self.density.summary is not None:
            lines += str(self.density.summary).split("\n")
        elif not notes:
            lines.append(f"{self.density.density!r:.300}")
        return "\n".join(lines)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
