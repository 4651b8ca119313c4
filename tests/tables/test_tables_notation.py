"""A column keeps one notation: what a cell reads as, by a table that the reader did not write.

tests/data/cells.csv has a line for each cell: the notation of its column, three cells of it, the
decimal mark of the file, and the number that the cell is; or "unknown", or "either" where people
disagree. A column has 97 cells with other digits beside three of this one.
"""

import csv
import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from flowcore.tables import Schema
from flowcore.tables.files import read_table

REFUSED = "decimal-comma-read-with-point"  # an error that names the decimal mark
with (Path(__file__).parents[1] / "data/cells.csv").open(encoding="utf-8", newline="") as file:
    CELLS = [case for case in csv.DictReader(file) if case["notation"] != REFUSED]
NO_NUMBERS = {
    "mixed-bare-letters", "heights", "of-ten", "dates-day-month", "times", "versions",
    "thousands-dot-read-with-point", "out-of-ten", "padded-code", "post-codes",
}  # fmt: skip
ODD = [20, 50, 80]  # rows of the cell


def column(case, rng):
    """Zeros stay, which may be in front."""
    examples = case["majority"].split(" | ")
    cells = [
        re.sub("[1-9]", lambda _: f"{rng.integers(1, 10)}", examples[k % 3]) for k in range(100)
    ]
    for row in ODD:
        cells[row] = case["cell"]
    return cells


def read(decimal):
    """[(case, its column as it is read)] of the cases with a decimal mark."""
    cases = [case for case in CELLS if case["decimal"] == decimal]
    rng, text = np.random.default_rng(0), io.StringIO()
    writer = csv.writer(text, delimiter={".": "\t", ",": ";"}[decimal])
    writer.writerow([f"c{k}" for k in range(len(cases))])
    writer.writerows(zip(*[column(case, rng) for case in cases], strict=True))
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        frame = read_table(io.BytesIO(text.getvalue().encode()), decimal=decimal, strict=False)
    assert any("not written as the column's other cells are" in f"{one.message}" for one in notes)
    return [(case, frame[f"c{k}"]) for k, case in enumerate(cases)]


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_cell_reads_as_the_number_that_it_is_or_not_at_all(decimal):
    wrong = []
    for case, values in read(decimal):
        is_number = values.dtype.kind in "iuf"
        found = float(values[ODD[0]]) if is_number else math.nan
        is_right = math.isnan(found) if case["expected"] == "unknown" else math.isfinite(found)
        if case["expected"] == "either":
            is_right = not math.isinf(found)
        elif is_right and math.isfinite(found):
            is_right = math.isclose(found, float(case["expected"]), rel_tol=1e-12)
        others = np.delete(values, ODD)
        is_column = is_number and not np.isnan(others.astype(float)).any()
        if not is_right or is_column != (case["notation"] not in NO_NUMBERS):
            wrong.append((case["notation"], case["cell"], case["expected"], found, is_number))
    assert not wrong


def test_days_that_may_be_months_are_noted_however_the_kinds_are_found():
    rng = np.random.default_rng(0)
    days = [f"{d:02}/{m:02}/2019" for d, m in rng.integers(1, 13, (200, 2))]
    for auto in (False, True):
        schema = Schema.from_data({"day": days, "x": rng.normal(size=200)}, auto=auto)
        assert schema.columns[0].note == "or %m/%d/%Y, which fits all of them, too"
