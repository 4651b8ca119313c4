"""The published protocol of ForestDiffusion and UnmaskingTrees, on those tables that can be had.

    python -m benchmarks.studies.conditionals.published [--tables iris ...] [--repeats 3] [--rows N]
        [--budget MINUTES] [--draws FOLDER] [--print] [--quick] [--json FILE]

Four fifths of the rows, of whose columns a fifth of the cells is hidden completely at random, but
never the outcome; five completed tables; three repeats. The tables are listed in uci.py; who has
none of their files is left with five. flowcore is `fit_table(missing="learn")`, of which each
completed table is one draw. Splits and holes come from NumPy, not from torch, so they are others
than the published ones. Draws are kept, so a run goes on. The figures, as `script_imputation.py`
and `metrics.py` of github.com/SamsungSAILMontreal/ForestDiffusion define them (and
`imputation_script.R` averages them):

AvgMAE    mean |x - draw| of hidden cells, numbers divided by their range in the rows, a category
          0 or 1: the mean over the completed tables
MinMAE    of each row the completed table that comes closest
coverage  of tables whose outcome is a number: the share of coefficients of a linear regression of
          the complete rows that lie within the 95% interval of that of a completed table. (Means
          are over the six of REGRESSIONS, as the authors have it.)
bias      |mean coefficient of the completed tables - b| / |b|, b of the complete rows; the mean
          over coefficients

Rivals' figures are means over the same tables of what they published (published.json).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t as student
from sklearn.model_selection import train_test_split

import flowcore as fc

from ...support.common import machine, parser, quiet, write_json
from ..packages import data_folder, stored
from ..tables import imputation as printed
from . import uci
from .contestants import by_table
from .uci import Rows

REGRESSIONS = ("concrete_compression", "yacht_hydrodynamics", "airfoil_self_noise",
               "wine_quality_red", "wine_quality_white", "california")  # fmt: skip
LEFT_OUT = ("ecoli",)  # by `imputation_script.R`, of every mean
COMPLETED, SHARE = 5, 0.2
FIGURES = ("MinMAE", "AvgMAE", "PercentBias", "CoverageRate")
PUBLISHED = Path(__file__).with_name("published.json")


def hide(rows: Rows, repeat: int, most: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(rows to learn from, the same with holes)."""
    outcome = rows.x[:, -1] if rows.kinds[-1] in ("binary", "category") else None
    if outcome is not None and np.unique(outcome, return_counts=True)[1].min() < 2:
        outcome = None
    x = train_test_split(rows.x, test_size=0.2, random_state=repeat, stratify=outcome)[0][:most]
    hole = np.random.default_rng(repeat).random(x.shape) < SHARE
    hole[:, -1] = False
    some = ~hole[:, :-1].all(axis=1)
    return x[some], np.where(hole, np.nan, x)[some]


def completed(holes: np.ndarray, kinds: tuple[str, ...], seed: int, budget: float | None):
    """(5, n, D) by flowcore."""
    how = fc.FlowDensity(budget=budget, n_jobs=1, random_state=seed)
    category = np.isin(kinds, ["binary", "category"])
    return by_table(holes, category, COMPLETED, seed, how)[0]


def figures_of(x: np.ndarray, holes: np.ndarray, draws: np.ndarray, rows: Rows) -> dict:
    """The four figures of completed tables (m, n, D); bias and coverage only of a regression."""
    minimum, average = absolute_errors(x, np.isnan(holes), draws, rows.kinds)
    bias, coverage = (None, None)
    if rows.kinds[-1] in ("number", "integer"):
        bias, coverage = regression_errors(x, draws)
    return dict(zip(FIGURES, (minimum, average, bias, coverage), strict=True))


def absolute_errors(x, hole, draws, kinds) -> tuple[float, float]:
    """(MinMAE, AvgMAE); hole (n, D): the hidden cells."""
    distance = np.abs(draws - x) / np.maximum(np.ptp(x, axis=0), np.finfo(float).tiny)
    category = np.array([kind == "category" for kind in kinds])
    distance[..., category] = draws[..., category] != x[:, category]
    of_rows = np.where(hole, distance, 0).sum(axis=2)
    return float(of_rows.min(axis=0).sum() / hole.sum()), float(
        of_rows.mean(axis=0).sum() / hole.sum()
    )


def regression_errors(x: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """(bias, coverage) of the coefficients of the last column's regression on the others."""
    oracle, found = least_squares(x)[0], [least_squares(own) for own in draws]
    mean = np.mean([own for own, _ in found], axis=0)
    inside = [np.abs(oracle - own) < half for own, half in found]
    return float(np.mean(np.abs((mean - oracle) / oracle))), float(np.mean(inside))


def least_squares(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(coefficients, half the widths of their 95% intervals), the constant first."""
    design = np.column_stack([np.ones(len(x)), x[:, :-1]])
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ x[:, -1]
    free = len(x) - design.shape[1]
    variance = np.square(x[:, -1] - design @ coefficients).sum() / free
    half = student.ppf(0.975, free) * np.sqrt(variance * np.square(inverse).sum(axis=1))
    return coefficients, half


def means(figures: dict[str, dict[str, list]], ours: dict[str, list]) -> list[dict]:
    """Of everybody: the means over our tables, in which PercentBias is a share, as in the paper."""
    rows = []
    everybody = {"flowcore": ours}
    for who in dict.fromkeys(who for name in ours for who in figures.get(name, {})):
        everybody[who] = {name: figures[name][who] for name in ours}
    for who, own in everybody.items():
        row = {"who": who}
        for k, key in enumerate(FIGURES):
            names = [name for name in own if name not in LEFT_OUT]
            if key in ("PercentBias", "CoverageRate"):
                names = [name for name in own if name in REGRESSIONS]
            row[key] = float(np.mean([own[name][k] for name in names])) if names else None
            row[f"tables of {key}"] = len(names)
        if who != "flowcore" and row["PercentBias"] is not None:
            row["PercentBias"] /= 100
        rows.append(row)
    return rows


def arguments(argv=None):
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", choices=uci.LOADERS, metavar="T",
                     help=", ".join(uci.LOADERS))  # fmt: skip
    new.add_argument("--repeats", type=int, help="of split and holes (3)")
    new.add_argument("--rows", type=int, help="at most so many, of a long table (all)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    new.add_argument("--draws", type=Path, help="where draws are kept")
    new.add_argument("--print", action="store_true", dest="only_print", help="what there is")
    args = new.parse_args(argv)
    args.tables = args.tables or (["iris"] if args.quick else list(uci.LOADERS))
    args.repeats = args.repeats or (1 if args.quick else 3)
    args.rows = args.rows or (60 if args.quick else None)
    args.budget = args.budget or (1e-3 if args.quick else None)
    args.draws = args.draws or data_folder() / "published"
    return args


def main(argv=None) -> int:
    args, rows = arguments(argv), []
    problems: dict[str, str] = {}
    for repeat in range(args.repeats):
        for name in args.tables:
            try:
                found = measured(name, repeat, args)
            except (FileNotFoundError, ValueError) as problem:
                problems[name] = str(problem).replace(str(data_folder()), "FLOWCORE_DATA")
                continue
            rows += [] if found is None else [{"table": name, "repeat": repeat, **found}]
    ours = {}
    for name in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == name]
        ours[name] = [None if own[0][key] is None else float(np.mean([row[key] for row in own]))
                      for key in FIGURES]  # fmt: skip
    figures = json.loads(PUBLISHED.read_text("utf-8"))
    settings = {"repeats": args.repeats, "rows": args.rows, "budget": args.budget,
                "quick": args.quick}  # fmt: skip
    document = {"benchmark": "published", "settings": settings, "machine": machine(),
                "source": figures["source"], "rows": rows,
                "means": means(figures["tables"], ours), "problems": problems}  # fmt: skip
    print(printed.published(document))
    for name, problem in problems.items():
        print(f"{name}: {problem}", file=sys.stderr)
    if args.json:
        write_json(args.json, document)
    return 0


def measured(name: str, repeat: int, args) -> dict | None:
    """The figures of one repeat; None if it is not there and nothing shall be run."""
    budget = [] if args.budget is None else [args.budget]
    path = args.draws / f"{'-'.join(map(str, [name, repeat, args.rows or 'all', *budget]))}.npz"
    if args.only_print and not path.exists():
        return None
    rows = uci.load(name)
    x, holes = hide(rows, repeat, args.rows)

    def make():
        print("  ", path.stem, file=sys.stderr, flush=True)
        with quiet():
            return {"draws": completed(holes, rows.kinds, repeat, args.budget)}

    return {"n": len(x), "columns": x.shape[1],
            **figures_of(x, holes, stored(path, make)["draws"], rows)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
