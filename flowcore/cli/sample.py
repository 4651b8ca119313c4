"""`flowcore sample`: rows from a model."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, TableDensity, as_frame
from .model import read_model
from .outputs import check_table, opened
from .telling import told_in_one_line

ROWS = 2**14  # of a block: memory does not grow with n


def run(model: str, n: int, out: str | None, seed: int) -> int:
    """Draw n rows and write them."""
    with told_in_one_line():
        check_table(out, model)
        density, rng = read_model(model), np.random.default_rng(seed)
        first = drawn(density, min(n, ROWS), rng)
        with opened(out, first.names) as sink:
            sink.write(dict(first))
            for start in range(ROWS, n, ROWS):
                sink.write(dict(drawn(density, min(ROWS, n - start), rng)))
    return 0


def drawn(density: TableDensity, n: int, rng: np.random.Generator) -> Frame:
    """n rows as a frame, columns aside left out."""
    found = density.sample(n, rng)
    if not isinstance(found, np.ndarray):
        return as_frame(found)
    modelled = [j for j, c in enumerate(density.schema.columns) if c.kind.name != "aside"]
    return Frame({f"{j}": found[:, j] for j in modelled})
