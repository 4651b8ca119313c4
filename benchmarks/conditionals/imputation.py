"""Hidden cells of real tables: draws for them, beside imputers.

    python -m benchmarks.conditionals.imputation [--tables wine ...] [--folder FOLDER] [--share .2]
                                                 [--masks 3] [--contestants mixture ...]
                                                 [--rows N] [--budget MINUTES] [--quick]
                                                 [--json FILE]

A fifth of the cells is hidden completely at random, three times. Everybody gets the standardised
table with the holes; a FlowDensity learns from it (`missing="learn"`), and `Conditionals` draw 39
values for each hidden cell. The tables are those of `benchmarks.estimator` with at most 15 columns,
or all comma-separated files of a folder (their columns of numbers; no header is needed). Means over
cells and masks, in standard deviations of the column:

CRPS      continuous ranked probability score; of an imputer with one value, its absolute error
MAE       absolute error of the median of the draws
95%       the share of hidden cells between the first and the last of 39 draws
ESS       of FlowDensity: median and 5% quantile, and the share of rows with k-hat > .7
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import flowcore as fc

from ..common import machine, parser, print_table, write_json
from ..estimator.tables import REPORTING, grid_filled, load
from .contestants import DRAWS, OTHERS, OURS, installed
from .figures import absolute_error, covered, crps, with_holes

MOST_COLUMNS = 15
NARROW = [name for name in REPORTING if name not in ("breast cancer", "ring", "twonorm")]
QUICK = ["iris", "faithful"]  # iris comes with scikit-learn
MOST_ROWS = 2000


def of_folder(folder: Path) -> dict[str, Callable[[], np.ndarray]]:
    """The tables of a folder: their columns of numbers, complete rows."""
    return {path.stem: (lambda path=path: of_file(path)) for path in sorted(folder.glob("*.csv"))}


def of_file(path: Path) -> np.ndarray:
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
    return grid_filled(numbers.to_numpy(float)[:, :MOST_COLUMNS])


def flow_density(x: np.ndarray, seed: int, budget: float | None) -> tuple[np.ndarray, dict]:
    """(completed tables, what is known of the draws)."""
    found = fc.FlowDensity(budget=budget, random_state=seed, missing="learn").fit(x)
    answers = fc.Conditionals(found.density_).impute(x, DRAWS, rng=seed)
    holes = np.isnan(x).any(axis=1)
    ess, k_hat = answers.ess[holes], answers.k_hat[holes]
    return answers.draws, {
        "ess": float(np.median(ess)), "low_ess": float(np.quantile(ess, 0.05)),
        "bad_k": float(np.mean(k_hat > 0.7)), "largest": found.summary_.winner.name,
    }  # fmt: skip


def measure(table: np.ndarray, who: str, mask: int, share: float, budget: float | None) -> dict:
    """One imputer and one mask."""
    x = (table - table.mean(axis=0)) / table.std(axis=0)
    holes = with_holes(x, share, np.random.default_rng(1000 + mask))
    hidden, more = np.isnan(holes), {}
    if who == OURS:
        completed, more = flow_density(holes, mask, budget)
    else:
        completed = OTHERS[who](holes, mask)
    draws, truth = completed[:, hidden], x[hidden]
    return {
        "crps": float(crps(draws, truth).mean()), "mae": float(absolute_error(draws, truth).mean()),
        "covered": covered(draws, truth), **more,
    }  # fmt: skip


def summary(rows: list[dict]) -> list[list]:
    """For each table and imputer the means over masks."""
    table = []
    for name, who in dict.fromkeys((row["table"], row["who"]) for row in rows):
        own = [row for row in rows if (row["table"], row["who"]) == (name, who)]
        mean = {
            key: np.mean([row[key] for row in own]) for key in own[0]
            if isinstance(own[0][key], float)
        }  # fmt: skip
        cells = [f"{mean['crps']:.3f}", f"{mean['mae']:.3f}"]
        cells.append("-" if np.isnan(mean["covered"]) else f"{mean['covered']:.3f}")
        ess = (
            f"{mean['ess']:.0f} / {mean['low_ess']:.0f} / {mean['bad_k']:.0%}"
            if who == OURS
            else ""
        )
        table.append([name, who, *cells, ess])
    return table


def main(argv=None) -> int:
    new = parser(__doc__)
    everybody = [OURS, *OTHERS]
    new.add_argument("--tables", nargs="+", metavar="T", help="names, of the list or the folder")
    new.add_argument("--folder", type=Path, help="comma-separated tables")
    new.add_argument("--share", type=float, default=0.2, help="of the cells that are hidden (.2)")
    new.add_argument("--masks", type=int, help="how often cells are hidden (3)")
    new.add_argument("--contestants", nargs="+", choices=everybody, default=everybody, metavar="C")
    new.add_argument("--rows", type=int, help=f"the first so many, shuffled ({MOST_ROWS})")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    args = new.parse_args(argv)
    tables = of_folder(args.folder) if args.folder else {n: lambda n=n: load(n) for n in NARROW}
    names = args.tables or (QUICK if args.quick and not args.folder else list(tables))
    masks = args.masks or (1 if args.quick else 3)
    most = args.rows or (150 if args.quick else MOST_ROWS)
    budget = args.budget or (1e-3 if args.quick else None)
    contestants = [who for who in args.contestants if installed(who)]
    for who in sorted(set(args.contestants) - set(contestants)):
        print(f"{who}: not installed")
    rows = []
    for name in names:
        x = tables[name]()
        x = np.random.default_rng(0).permutation(x)[:most]
        for who in contestants:
            for mask in range(masks):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    figures = measure(x, who, mask, args.share, budget)
                rows.append({"table": name, "who": who, "mask": mask, "rows": len(x), **figures})
        print(f"{name}: {len(x)} rows, {x.shape[1]} columns", file=sys.stderr)
    print_table(["table", "imputer", "CRPS", "MAE", "95%", "ESS / 5% / k > .7"], summary(rows))
    if args.json:
        write_json(args.json, {"benchmark": "imputation", "machine": machine(), "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
