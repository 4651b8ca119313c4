"""`flowcore sample`: rows from a model."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, TableDensity, as_frame
from .model import read_model
from .outputs import check_table, table_writer

ROWS = 2**14  # of a block: memory does not grow with n


def run(model: str, n: int, out: str | None, margins: str, seed: int) -> None:
    """Draw n rows and write them."""
    check_table(out, model)
    density, rng = read_model(model), np.random.default_rng(seed)
    prefix = "" if density.schema_.is_named else "x"
    with table_writer(out) as write:
        blocks = max(1, -(-n // ROWS))
        for k in range(blocks):  # of equal sizes: ranks among a few rows would be a poor margin
            rows = drawn(density, n * (k + 1) // blocks - n * k // blocks, rng, margins)
            write({f"{prefix}{name}": rows[name] for name in rows})


def drawn(density: TableDensity, n: int, rng: np.random.Generator, margins: str = "model") -> Frame:
    """n rows as a frame, columns aside left out; whole numbers are integers."""
    rows = as_frame(density.sample(n, rng, margins))
    if density.schema_.is_named:
        return rows
    found = {c.name: rows[c.name] for c in density.schema_.columns if c.kind.name != "aside"}
    for c in density.schema_.columns:  # an array of a single type has floats
        x = found.get(c.name, np.zeros(0, int))
        if c.decimals == 0 and x.dtype == float and np.isfinite(x).all():
            found[c.name] = x.astype(np.int64)
    return Frame(found)
