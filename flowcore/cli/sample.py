"""`flowcore sample`: rows from a model."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, TableDensity, as_frame
from .model import read_model
from .outputs import check_table, table_writer

ROWS = 2**14  # of a block: memory does not grow with n


def run(model: str, n: int, out: str | None, seed: int) -> None:
    """Draw n rows and write them."""
    check_table(out, model)
    density, rng = read_model(model), np.random.default_rng(seed)
    prefix = "" if density.schema.is_named else "x"
    with table_writer(out) as write:
        for start in range(0, max(n, 1), ROWS):
            rows = drawn(density, min(ROWS, n - start), rng)
            write({f"{prefix}{name}": rows[name] for name in rows})


def drawn(density: TableDensity, n: int, rng: np.random.Generator) -> Frame:
    """n rows as a frame, columns aside left out."""
    rows = as_frame(density.sample(n, rng))
    if density.schema.is_named:
        return rows
    columns = density.schema.columns
    return rows.select([j for j, column in enumerate(columns) if column.kind.name != "aside"])
