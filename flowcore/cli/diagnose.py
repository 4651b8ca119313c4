"""`flowcore diagnose`: can a model be trusted?"""

from __future__ import annotations

import json

import numpy as np

from ..diagnosis import diagnose
from ..tables import Frame, TableDensity
from ..tables.schema import complete_rows
from .digest import digest
from .inputs import table
from .messages import note
from .model import read_model
from .outputs import check_picture, write_picture
from .problem import printable


def run(
    model: str, data: str, train: str | None, out: str | None, missing: str, seed: int,
    reading: dict, as_json: bool,
) -> None:  # fmt: skip
    """Diagnose the numbers of a model, given its categories, by rows that it has not seen."""
    density, rng = read_model(model), np.random.default_rng(seed)
    if out is not None:
        check_picture(out, model, data, train)
    held_out = table(data, reading, density.schema)
    _note_training_rows(density, held_out, missing)
    others = None if train is None else table(train, reading, density.schema)
    if others is not None:
        complete_rows(others, missing, density.schema)
    if any(column.kind.is_gridded for column in density.schema.numbers):
        note("whole numbers and grids have noise that fills their cells: 6 is shown as 6.2, say")
    report = diagnose(density, held_out, others, rng=rng)
    if out is not None:
        write_picture(report.figure(), out)
    if as_json:
        print(json.dumps({"model": model, "data": data, "page": out, **report.to_dict()}))
    else:
        print(printable(f"{report}" if out is None else f"{report}\ndrawn in {out}"))


def _note_training_rows(density: TableDensity, frame: Frame, missing: str) -> None:
    known, complete = (
        (density.notes or {}).get("digest"),
        complete_rows(frame, missing, density.schema),
    )
    if known is not None and digest(frame.take(complete), density.schema) == known:
        note(
            f"{frame.source} has the very rows that the model learned from: a verdict wants rows "
            "that it has not seen. Keep some back: fit without them, and pass them here"
        )
