"""`flowcore diagnose`: can a model be trusted?"""

from __future__ import annotations

from dataclasses import replace
from json import dumps

import numpy as np
from typer import Exit

from ..core import with_fix
from ..diagnosis import diagnose
from ..diagnosis.diagnose import FEWEST
from ..tables import Schema
from ..tables.frame import Frame, is_missing
from ..tables.question import encoded_with_holes
from ..tables.schema import complete_rows
from .inputs import digest, read_model, table
from .messages import note, printable, sentence
from .outputs import check_picture, write_picture

UNTRUSTED = 3  # exit status of --fail


def run(
    model: str, held_out: str, train: str | None, out: str | None, ignore_extra: bool, hide: float,
    strict: bool, fail: bool, json: bool, reading: dict,
) -> None:  # fmt: skip
    """Diagnose a model by rows that it has not seen."""
    density = read_model(model)
    reading = {**reading, "strict": strict}
    if out is not None:
        check_picture(out, model, held_out, train)
    schema, known = density.schema_, (density.notes or {}).get("digest")
    rows = table(held_out, reading, schema, ignore_extra)
    complete = density.encoding.without_odd(rows.take(_complete(rows, schema)))[0]
    if known == digest(*encoded_with_holes(density.encoding, complete, values=True)[:2]):
        note(
            f"{held_out} has the very rows that the model learned from: a verdict needs rows "
            "that it has not seen. Set some aside: fit without them, and pass them here"
        )
    others = None if train is None else table(train, reading, schema, ignore_extra)
    if others is not None:
        complete_rows(others, "drop", schema)
    if any(column.kind.is_gridded for column in schema.numbers):
        note("whole numbers and grids have noise that fills their cells: 6 may be shown as 6.2")
    report = diagnose(density, rows, others, hide=hide, strict=strict, rng=0)
    report = replace(report, phrase=sentence)
    if out is not None:
        write_picture(report.figure(), out)
    if json:
        print(dumps({"model": model, "data": held_out, "page": out, **report.to_dict()}))
    else:
        print(printable(f"{report}" if out is None else f"{report}\ndrawn in {out}"))
    if fail and not report.trusted:
        raise Exit(UNTRUSTED)


def _complete(rows: Frame, schema: Schema) -> np.ndarray:
    """(n,): the complete rows; a ValueError for too few, which names the columns to leave out."""
    complete = complete_rows(rows, "drop", schema)
    if len(rows) >= FEWEST > complete.sum():
        optional = {column.name for column in schema.columns if column.missing}
        gaps = {name: is_missing(rows[name]).sum() for name in rows.names if name not in optional}
        empty = {f"{name}": "aside" for name, n in gaps.items() if 2 * n > max(gaps.values())}
        problem = (
            f"{rows.source} has fewer than {FEWEST} complete rows: fill some, or fit a model "
            "without the columns that most rows lack: "
        )
        raise with_fix(ValueError, problem, {"kind": empty})
    return complete
