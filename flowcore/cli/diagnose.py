"""`flowcore diagnose`: can a model be trusted?"""

from __future__ import annotations

import json

import numpy as np

from ..diagnosis import diagnose
from ..tables import Frame, TableDensity
from ..tables.schema import complete_rows
from .digest import digest
from .inputs import table
from .model import read_model
from .outputs import check_picture, write_picture
from .problem import Problem, printable
from .telling import note, settled, told_in_one_line


def run(
    model: str, data: str, train: str | None, out: str | None, missing: str, seed: int,
    reading: dict, as_json: bool,
) -> int:  # fmt: skip
    """Judge the numbers of a model, given its categories, by rows that it has not seen."""
    with told_in_one_line():
        density, rng = read_model(model), np.random.default_rng(seed)
        settled()
        if out is not None:
            check_picture(out, model, data, train)
        own = _frame(density, data, reading, missing)
        _tell_if_learned(density, own, data)
        theirs = None if train is None else _frame(density, train, reading, missing)
        if density.schema.categories:
            note("the numbers are judged, given the categories, whose probabilities are not")
        if any(column.kind.is_gridded for column in density.schema.numbers):
            note(
                "whole numbers and grids have noise that fills their cells: 6 is shown as 6.2, say"
            )
        report = diagnose(density, own, theirs, rng=rng)
        if out is not None:
            write_picture(report.figure(), out)
        if as_json:
            print(json.dumps({"model": model, "data": data, "page": out, **report.to_dict()}))
        else:
            print(printable(f"{report}" if out is None else f"{report}\ndrawn in {out}"))
    return 0


def _frame(density: TableDensity, data: str, reading: dict, missing: str) -> Frame:
    frame = table(data, reading, density.schema)
    if not len(frame):
        raise Problem(f"{data} has no rows, only a header: nothing can be judged by it")
    complete_rows(frame, missing)
    return frame


def _tell_if_learned(density: TableDensity, frame: Frame, data: str) -> None:
    known = (density.notes or {}).get("digest")
    own = frame.take(complete_rows(frame, "drop"))
    if known is not None and digest(own, density.schema) == known:
        note(
            f"{data} has the very rows that the model learned from: a verdict wants rows that it "
            "has not seen. Keep some back: fit without them, and pass them here"
        )
