"""`flowcore plot`: every pair of columns, data beside draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..plots import pairs
from ..plots.pairs import MOST
from ..tables import Frame
from .inputs import own_names, table
from .messages import note, printable
from .model import read_model
from .outputs import check_picture, write_picture
from .sample import drawn

LEAST, DRAWS = 2000, 20_000


def run(
    model: str, data: str | None, out: str, columns: Sequence[str], seed: int, reading: dict
) -> None:
    """Draw, and print where."""
    density = read_model(model)
    check_picture(out, model, data)
    there = [f"{column.name}" for column in density.schema.numbers]
    names = list(columns) or there
    if not there or not set(names) <= set(there):
        raise ValueError(f"the columns of numbers of {model} are {there}: got {names!s:.200}")
    if len(names) > MOST:
        note(f"{len(names)} columns are too many to draw: the first {MOST} are; see --columns")
    names = names[:MOST]
    rows = [] if data is None else [_numbers(table(data, reading, density.schema), names)]
    n = min(max(len(rows[0]), LEAST), DRAWS) if rows else DRAWS
    samples = _numbers(drawn(density, n, np.random.default_rng(seed)), names)
    axes = pairs(*rows, samples, names=names)
    write_picture(axes[0, 0].figure, out)
    print(printable(out))


def _numbers(frame: Frame, names: Sequence[str]) -> np.ndarray:
    """(n, D), rows that miss something left out."""
    x = frame.select(own_names(frame, names).values()).numbers()
    return x[np.isfinite(x).all(axis=1)]
