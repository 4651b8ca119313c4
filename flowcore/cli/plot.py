"""`flowcore plot`: every pair of columns, data beside draws."""

from __future__ import annotations

import numpy as np

from ..plots import pairs
from ..plots.drawing import new_figure
from ..plots.pairs import MOST
from ..tables import Frame, TableDensity
from .inputs import named, rows_of
from .model import read_model
from .outputs import check_picture, write_picture
from .problem import Problem, printable
from .sample import drawn
from .telling import note, settled, told_in_one_line

LEAST, DRAWS = 2000, 20_000
BARS = 60


def run(
    model: str, data: str | None, out: str, columns: tuple[str, ...] | None, seed: int,
    reading: dict,
) -> int:  # fmt: skip
    """Draw, and say where."""
    with told_in_one_line():
        density = read_model(model)
        settled()
        check_picture(out, model, data)
        names = _chosen(density, columns)
        frame = None if data is None else rows_of(data, reading, density.schema)
        n = DRAWS if frame is None else min(max(len(frame), LEAST), DRAWS)
        samples = _numbers(drawn(density, n, np.random.default_rng(seed)), names)
        rows = samples if frame is None else _numbers(frame, names)
        other = None if frame is None else samples
        write_picture(_figure(rows, other, [f"{name}" for name in names]), out)
        print(printable(out))
    return 0


def _chosen(density: TableDensity, columns: tuple[str, ...] | None) -> list:
    """At most twelve columns of numbers."""
    there = {f"{c.name}": c.name for c in density.schema.numbers}
    if columns is None:
        names = list(there)[:MOST]
        if len(there) > MOST:
            note(f"{len(there)} columns are too many to draw: the first {MOST}; see --columns")
    else:
        names = list(columns)
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        raise Problem(
            f"the model has no numbers in a column {named(unknown)}, but in {named(list(there))}"
            if names else "the model has no numbers, only categories: there is nothing to draw"
        )  # fmt: skip
    if len(names) > MOST:
        raise Problem(f"{len(names)} columns are too many to draw: choose {MOST} by --columns")
    return names


def _numbers(frame: Frame, names: list[str]) -> np.ndarray:
    """(n, D), rows that miss something left out."""
    own = {f"{name}": name for name in frame.names}
    x = frame.select([own[name] for name in names]).numbers()
    return x[np.isfinite(x).all(axis=1)]


def _figure(rows, samples, names):
    if len(names) > 1:
        return pairs(rows, samples, names)[0, 0].figure
    figure = new_figure((6.0, 4.0))
    ax = figure.subplots()
    given = [("samples" if samples is None else "data", rows)]
    given += [] if samples is None else [("samples", samples)]
    both = np.concatenate([x for _, x in given])
    edges = np.linspace(*np.quantile(both, [0.001, 0.999]), BARS + 1)
    for (label, x), fill in zip(given, (True, False), strict=False):
        heights, _ = np.histogram(x, edges, density=True)
        ax.stairs(heights, edges, fill=fill, label=label, alpha=0.6 if fill else 1.0)
    ax.set(xlabel=names[0], ylabel="density")
    ax.legend()
    return figure
