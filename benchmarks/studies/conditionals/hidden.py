"""Real tables, whose cells are hidden.

table = load("census", rows=500)            # Table(x (n, D), levels (D,))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..estimator.tables import load as numbers_of
from ..synthetic.tables import CHOOSING, REPORTING

NUMBERS = ("wine", "crabs", "penguins", "midwest", "olive oils", "houses", "quakes", "red wine",
           "abalone")  # fmt: skip
MIXED = ("census", "credit", "German credit")
MORE = ("iris", "faithful", "EuStock", "banana", "phoneme", "magic", "galaxies", "flights")


class Table(NamedTuple):
    """Numbers in standard deviations of their column; levels: values of a category, whose codes
    0, 1, ... stand in x; 0 for a column of numbers."""

    x: np.ndarray
    levels: np.ndarray


def load(name: str, rows: int) -> Table:
    """Rows of a table, drawn at random."""
    mixed = {**CHOOSING, **REPORTING}
    if name in (*NUMBERS, *MORE[:-1]) or name not in mixed:
        return standardized(np.random.default_rng(0).permutation(numbers_of(name))[:rows])
    frame = mixed[name].rows()
    order = np.random.default_rng(0).permutation(len(frame))[:rows]
    return of_frame(frame.iloc[order])


def of_frame(frame) -> Table:
    """Of a DataFrame, whose texts are categories; columns with one value are left out."""
    frame = frame.loc[:, frame.nunique() > 1]
    columns, levels = [], []
    for name in frame:
        values, codes = np.unique(frame[name].to_numpy(), return_inverse=True)
        is_number = values.dtype.kind in "iuf"
        columns.append(frame[name].to_numpy(float) if is_number else codes.astype(float))
        levels.append(0 if is_number else len(values))
    return standardized(np.column_stack(columns), np.array(levels))


def standardized(x: np.ndarray, levels: np.ndarray | None = None) -> Table:
    """The numbers of x with mean 0 and deviation 1."""
    x, levels = np.array(x, float), np.zeros(x.shape[1], int) if levels is None else levels
    numbers = levels == 0
    x[:, numbers] -= x[:, numbers].mean(axis=0)
    x[:, numbers] /= x[:, numbers].std(axis=0)
    return Table(x, levels)
