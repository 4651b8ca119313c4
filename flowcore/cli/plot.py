"""`flowcore plot`: every pair of columns, data and draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from ..plots import pairs
from ..plots.pairs import MOST
from ..tables import Column
from ..tables.dates import DAY, seconds_of
from ..tables.frame import check_there, is_missing
from .inputs import read_model, table
from .messages import note, printable
from .outputs import check_picture, write_picture
from .sample import framed

LEAST, DRAWS = 2000, 20_000
LEVELS, OTHERS = 7, "others"  # of a category, the most frequent ones


def run(model: str, data: str | None, out: str, columns: Sequence[str], reading: dict) -> None:
    """Draw, and print where."""
    density = read_model(model)
    check_picture(out, model, data)
    own = density.schema_.numbers + density.schema_.categories
    there = {f"{c.name}": c for c in density.schema_.columns if c in own}
    check_there(columns, [*there], model)
    chosen = [there[name] for name in columns or there]
    if len(chosen) > MOST:
        note(f"{len(chosen)} columns are too many to draw: the first {MOST} are; see --columns")
        del chosen[MOST:]
    reading = {**reading, "strict": False}
    frames = [] if data is None else [table(data, reading, density.schema_)]
    n = min(max(len(frames[0]), LEAST), DRAWS) if frames else DRAWS
    frames.append(framed(density, density.sample(n, rng=0)))
    categories, found = {}, []
    for j, column in enumerate(chosen):
        each = [frame[column.name] for frame in frames]
        if column.kind.is_category:
            categories[j], each = _coded(each)
        found.append([_numbers(column, values) for values in each])
    x = [np.column_stack(rows) for rows in zip(*found, strict=True)]
    axes = pairs(*x, names=[f"{c.name}" for c in chosen], categories=categories)
    write_picture(axes[0, 0].figure, out)
    print(printable(out))


def _coded(columns: Sequence[np.ndarray]) -> tuple[list[str], list[np.ndarray]]:
    """(the most frequent values as text, the codes of each column)."""
    texts = [
        np.where(is_missing(values), "missing", values.astype(str)).tolist() for values in columns
    ]
    levels = [text for text, _ in Counter(chain(*texts)).most_common(LEVELS + 1)]
    levels = levels if len(levels) <= LEVELS else [*levels[:-1], OTHERS]
    place = {text: i for i, text in enumerate(levels)}
    return levels, [np.array([place.get(t, len(levels) - 1) for t in own]) for own in texts]


def _numbers(column: Column, values: np.ndarray) -> np.ndarray:
    """Numbers as they are; dates in years, times in hours."""
    if not column.kind.is_date:
        return values.astype(float)
    seconds = seconds_of(values, column.kind.form)
    return seconds / 3600 if column.kind.name == "time" else 1970 + seconds / (365.2425 * DAY)
