"""Hidden cells of real tables: draws for them, beside imputers.

    python -m benchmarks.studies.conditionals.imputation [--tables wine ...]
        [--share .2] [--masks 3] [--contestants mixture ...] [--python NAME=PATH ...] [--rows N]
        [--budget MINUTES] [--quick] [--draws FOLDER] [--print] [--json FILE]

A fifth of the cells is hidden completely at random, three times. Everybody gets the table with the
holes, its numbers standardised, and its categories declared, and draws 39 values for each hidden
cell; flowcore by `FlowDensity(missing="learn")` and `Conditionals`, with categories by
`fit_table(missing="learn")` and `impute`. The tables are nine of numbers and three with categories.

miceforest, MissForest and utrees run in environments of their own, made by

    python -m venv ~/.cache/flowcore/miceforest
    ~/.cache/flowcore/miceforest/bin/pip install miceforest==6.0.5 lightgbm==4.5.0

(MissForest: missforest==4.2.3 pandas scikit-learn lightgbm; utrees: utrees==0.3.0
scikit-learn==1.6.1; later versions of lightgbm and scikit-learn lack what these packages call), or
elsewhere: --python utrees=PATH. Who has no environment is left out. Draws are kept in a folder,
--draws, so a run can be stopped and goes on; --print only prints what is there. A table's figures
are of the masks that all did, means over cells, numbers in standard deviations:

CRPS      continuous ranked probability score; of an imputer with one value, its absolute error. Of
          a category, where the distance of two values is 0 or 1, half of the quadratic (Brier)
          score
MAE       absolute error of the median of the draws; of a category 1 if its mode is wrong
wrong     the same of the categories alone
95%       the share of hidden numbers between the first and the last of 39 draws
gain      CRPS of the best of the others, less flowcore's, +- its standard error over rows
ESS       of flowcore: median and 5% quantile of 200 draws, and the share of rows with k-hat > .7
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ...support.common import machine, parser, quiet, write_json
from .. import environment
from ..packages import data_folder, stored
from ..tables import imputation as printed
from . import contestants, hidden
from .contestants import EVERYBODY, OTHERS, OURS
from .figures import (
    absolute_error,
    category_error,
    category_score,
    covered_cells,
    crps,
    mean_and_error,
    with_holes,
)
from .hidden import MIXED, MORE, NUMBERS, Table
from .rival import RIVALS

QUICK = ["iris"]  # it comes with scikit-learn
MOST_ROWS = 500


def draws_for(
    table: Table, who: str, mask: int, share: float, budget: float | None, python: Path | None
) -> dict:
    """What is kept of one imputer and one mask: its draws for the hidden cells, and facts."""
    holes = with_holes(table.x, share, np.random.default_rng(1000 + mask))
    more, asked = {}, (holes, table.levels)
    if who == OURS:
        completed, more = contestants.flow_density(*asked, mask, budget)
    elif who in RIVALS:
        completed, version = contestants.in_its_environment(
            who, python, *asked, contestants.DRAWS, mask
        )
        more = {"version": version}
    else:
        completed = OTHERS[who](*asked, mask)
    return {"draws": completed[:, np.isnan(holes)], "hidden": np.isnan(holes), **more}


def scored(table: Table, found: dict) -> dict:
    """Scores of every hidden cell, in the order of the table: (cells,) each."""
    draws, hole = found["draws"], found["hidden"]
    row, column = np.nonzero(hole)
    truth, category = table.x[hole], table.levels[column] > 0
    score, error = crps(draws, truth), absolute_error(draws, truth)
    if category.any():
        own = draws[:, category], truth[category]
        score[category], error[category] = category_score(*own), category_error(*own)
    number = np.where(category, np.nan, covered_cells(draws, truth))
    return {"row": row, "category": category, "crps": score, "mae": error, "covered": number}


def compared(name: str, table: Table, found: dict[str, list[dict]]) -> dict:
    """The row of a table: means of all imputers over its cells in all masks, and the verdict."""
    cells = {}
    for who, masks in found.items():
        every = [scored(table, one) for one in masks]
        cells[who] = {key: np.concatenate([one[key] for one in every]) for key in every[0]}
    means = {who: {key: _mean(own[key]) for key in ("crps", "mae", "covered")}
             for who, own in cells.items()}  # fmt: skip
    for who, own in cells.items():
        means[who]["wrong"] = _mean(own["mae"][own["category"]])
    row = {"table": name, "rows": len(table.x), "columns": len(table.levels),
           "categories": int((table.levels > 0).sum()), "masks": len(next(iter(found.values()))),
           "means": means}  # fmt: skip
    if OURS not in cells:
        return row
    row["ours"] = {key: float(np.mean([one[key] for one in found[OURS]]))
                   for key in ("ess", "low_ess", "bad_k")}  # fmt: skip
    for key in ("crps", "mae"):
        others = {who: mean[key] for who, mean in means.items() if who != OURS}
        if others:
            best = min(others, key=others.get)
            difference = cells[best][key] - cells[OURS][key]
            gain, error = mean_and_error(difference, cells[OURS]["row"])
            row[key] = {"best": best, "gain": gain, "error": error}
    return row


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def environments(given: list[str] | None) -> dict[str, Path]:
    """{rival: its interpreter}, of those that have one."""
    found = {name: environment.python_of(environment.CACHE / name) for name in RIVALS}
    for text in given or []:
        name, _, path = text.partition("=")
        if name not in RIVALS or not path:
            raise ValueError(f"--python is NAME=PATH, NAME one of {', '.join(RIVALS)}: got {text}")
        found[name] = Path(path).expanduser()
    return {name: path for name, path in found.items() if path.exists()}


def arguments(argv=None):
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", metavar="T", help=f"also {', '.join(MORE)}")
    new.add_argument("--share", type=float, default=0.2, help="of the cells that are hidden (.2)")
    new.add_argument("--masks", type=int, help="how often cells are hidden (3)")
    new.add_argument("--contestants", nargs="+", choices=EVERYBODY, default=list(EVERYBODY),
                     metavar="C", help=", ".join(EVERYBODY))  # fmt: skip
    new.add_argument("--python", nargs="+", metavar="NAME=PATH", help="interpreters of rivals")
    new.add_argument("--rows", type=int, help=f"so many of each table, at random ({MOST_ROWS})")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    new.add_argument("--draws", type=Path, help="where draws are kept")
    new.add_argument("--print", action="store_true", dest="only_print", help="what there is")
    args = new.parse_args(argv)
    args.masks = args.masks or (1 if args.quick else 3)
    args.rows = args.rows or (150 if args.quick else MOST_ROWS)
    args.budget = args.budget or (1e-3 if args.quick else None)
    args.draws = args.draws or data_folder() / "imputation"
    return args


def main(argv=None) -> int:
    args = arguments(argv)
    names = args.tables or (QUICK if args.quick else [*NUMBERS, *MIXED])
    tables = {name: hidden.load(name, args.rows) for name in names}
    pythons = environments(args.python)
    contestants_ = [who for who in args.contestants if who in pythons or who not in RIVALS]
    for who in sorted(set(args.contestants) - set(contestants_)):
        print(f"{who} has no environment: see --help", file=sys.stderr)
    for mask in range(0 if args.only_print else args.masks):
        for name, table in tables.items():
            for who in contestants_:
                if can(who, table):
                    kept(args, name, table, who, mask, pythons.get(who))
    rows, versions = [], {}
    for name, table in tables.items():
        found = shared_masks(args, name, table)
        rows += [compared(name, table, found)] if found else []
        versions |= {who: str(masks[0]["version"]) for who, masks in found.items()
                     if "version" in masks[0]}  # fmt: skip
    settings = {"masks": args.masks, "rows": args.rows, "budget": args.budget,
                "share": args.share, "quick": args.quick}  # fmt: skip
    facts = {**machine(), "versions": versions}
    document = {"benchmark": "imputation", "settings": settings, "machine": facts, "rows": rows}
    print(printed.by_table(document))
    if args.json:
        write_json(args.json, document)
    return 0


def can(who: str, table: Table) -> bool:
    """Whether an imputer takes the columns of a table."""
    return who != "mixture" or not table.levels.any()


def shared_masks(args, name: str, table: Table) -> dict[str, list[dict]]:
    """{imputer: its draws}, for the masks of which there are draws of everybody who has some."""

    def there(who):
        masks = range(args.masks)
        return {mask for mask in masks if file_of(args, name, table, who, mask).exists()}

    done = {who: there(who) for who in args.contestants if there(who)}
    masks = sorted(set.intersection(*done.values())) if done else []
    if not masks:
        return {}
    return {who: [kept(args, name, table, who, mask, None) for mask in masks] for who in done}


def file_of(args, name: str, table: Table, who: str, mask: int) -> Path:
    """Where the draws of one imputer and one mask are."""
    budget = [args.budget] if who == OURS and args.budget else []
    settings = [name, len(table.x), args.share, mask, who, *budget]
    return args.draws / ("-".join(map(str, settings)).replace(" ", "_") + ".npz")


def kept(args, name: str, table: Table, who: str, mask: int, python: Path | None) -> dict:
    """The draws of one imputer and one mask, made now or before."""
    path = file_of(args, name, table, who, mask)

    def make():
        print("  ", path.stem, file=sys.stderr, flush=True)
        with quiet():
            return draws_for(table, who, mask, args.share, args.budget, python)

    return stored(path, make)


if __name__ == "__main__":
    sys.exit(main())
