"""Real tables, whose cells are hidden.

table = load("census", rows=500)            # Table(x (n, D), levels (D,))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..estimator.tables import grid_filled
from ..estimator.tables import load as numbers_of
from ..synthetic.tables import CHOOSING, REPORTING

NUMBERS = ("wine", "crabs", "penguins", "midwest", "olive oils", "houses", "quakes", "red wine",
           "abalone")  # fmt: skip
MIXED = ("census", "credit", "German credit")
MORE = ("iris", "faithful", "EuStock", "banana", "phoneme", "magic", "galaxies", "flights")
MOST_COLUMNS = 15  # of a file's


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


def of_folder(folder: Path) -> dict[str, Callable[[int], Table]]:
    """The tables of a folder: their columns of numbers, complete rows."""
    return {
        path.stem: (lambda rows, path=path: of_file(path, rows))
        for path in sorted(folder.glob("*.csv"))
    }


def of_file(path: Path, rows: int) -> Table:
    """The columns of numbers that take more than ten values; complete rows only."""
    import pandas as pd

    frame = pd.read_csv(path, sep=None, engine="python", na_values=["?"])
    try:  # a first line of numbers is no header
        [float(name) for name in frame.columns]
        frame = pd.read_csv(path, sep=None, engine="python", na_values=["?"], header=None)
    except ValueError:
        pass
    numbers = frame.select_dtypes("number").dropna()
    numbers = numbers.loc[:, numbers.nunique() > 10]
    x = grid_filled(numbers.to_numpy(float)[:, :MOST_COLUMNS])
    return standardized(np.random.default_rng(0).permutation(x)[:rows])
