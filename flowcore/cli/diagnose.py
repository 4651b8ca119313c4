"""`flowcore diagnose`: can a model be trusted?"""

from __future__ import annotations

import json

import numpy as np

from ..diagnosis.of_table import of_table
from ..tables import Frame, TableDensity
from .inputs import arranged, read
from .model import read_model
from .outputs import check_place
from .telling import told_in_one_line


def run(
    model: str, data: str, train: str | None, out: str | None, missing: str, seed: int,
    reading: dict, as_json: bool,
) -> int:  # fmt: skip
    """Judge the numbers of a model, given its categories, by rows that it has not seen."""
    with told_in_one_line():
        density, rng = read_model(model), np.random.default_rng(seed)
        if out is not None:
            check_place(out)
        own = _frame(density, data, reading)
        theirs = None if train is None else _frame(density, train, reading)
        report = of_table(density, own, theirs, missing=missing, rng=rng)
        if out is not None:
            report.figure().savefig(out)
        if as_json:
            print(json.dumps({"model": model, "data": data, "page": out, **report.to_dict()}))
        else:
            print(report if out is None else f"{report}\ndrawn in {out}")
    return 0


def _frame(density: TableDensity, data: str, reading: dict) -> Frame:
    text = [c.name for c in density.schema.columns if c.type == "text" and c.kind.is_category]
    frame = read(data, reading, text if density.schema.is_named else ())
    return arranged(frame, density.schema)
