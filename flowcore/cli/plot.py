"""`flowcore plot`: every pair of columns, data beside draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..plots import pairs
from ..plots.pairs import MOST
from ..tables import Frame, TableDensity
from .inputs import named, table
from .messages import note
from .model import read_model
from .outputs import check_picture, write_picture
from .problem import Problem, printable
from .sample import drawn

LEAST, DRAWS = 2000, 20_000


def run(
    model: str, data: str | None, out: str, columns: Sequence[str], seed: int, reading: dict
) -> None:
    """Draw, and print where."""
    density = read_model(model)
    check_picture(out, model, data)
    names = _chosen(density, columns)
    rows = None if data is None else _numbers(table(data, reading, density.schema), names)
    n = DRAWS if rows is None else min(max(len(rows), LEAST), DRAWS)
    samples = _numbers(drawn(density, n, np.random.default_rng(seed)), names)
    axes = pairs(samples, names=names) if rows is None else pairs(rows, samples, names)
    write_picture(axes[0, 0].figure, out)
    print(printable(out))


def _chosen(density: TableDensity, columns: Sequence[str]) -> list[str]:
    """At most twelve columns of numbers."""
    there = [f"{column.name}" for column in density.schema.numbers]
    unknown = [name for name in columns if name not in there]
    if unknown or not there:
        what = f"column {named(unknown)}" if unknown else "any column"
        raise Problem(
            f"the model has no numbers in {what}: its numbers are {named(there) or 'none'}"
        )
    names = list(columns) or there
    if len(names) > MOST:
        note(
            f"{len(names)} columns are too many to draw: these are the first {MOST}; see --columns"
        )
    return names[:MOST]


def _numbers(frame: Frame, names: Sequence[str]) -> np.ndarray:
    """(n, D), rows that miss something left out."""
    own = {f"{name}": name for name in frame.names}
    x = frame.select([own[name] for name in names]).numbers()
    return x[np.isfinite(x).all(axis=1)]
