"""How much higher the score in `summary_` is than that of rows that `FlowDensity` never had.

    python -m benchmarks.studies.estimator.optimism [--tables ais cars ...] [--folds 10]
        [--budget MINUTES] [--raw FILE] [--print]

Nested folds: of ten outer folds each is set aside in turn, `FlowDensity` fits the other rows, with
inner folds of its own, and scores the outer one. On tables that are not among the published ones.

    stated      `summary_.density.score`: held-out rows of the inner folds. They have chosen the
                epochs, and the weights of the other inner folds
    one fold    outer rows by the fits of one inner fold at a time, with the final weights: the same
                quantity, by rows that have chosen nothing
    density     outer rows by the density, which averages over the inner folds

"optimism" is stated - one fold, "net" is stated - density, each with its standard error over rows,
paired: a row is in the outer fold once and an inner one in the other nine. What the file of raw
results has is not computed again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from ...support.common import parser, print_table, quiet
from ..packages import data_folder
from .__main__ import FOLDS, splits
from .tables import CHOOSING, load

TABLES = ("ais", "thyroid", "leaves", "cars")
RAW = "estimator-optimism.json"


def measure(name: str, fold: int, budget: float | None) -> dict:
    """What one fit estimates of itself, and the mean over rows that it never had."""
    import flowcore as fc

    table = load(name)
    learn, outer = splits(len(table))[fold]
    mean, scale = table[learn].mean(axis=0), table[learn].std(axis=0)
    x, fresh = (table[learn] - mean) / scale, (table[outer] - mean) / scale
    with quiet():
        found = fc.FlowDensity(random_state=fold, budget=budget).fit(x)
    return {
        "table": name, "fold": fold, "stated": found.summary_.density.score,
        "held_out": found.held_out_scores_.tolist(),
        "one_fold": one_fold(found, fresh).tolist(),
        "density": found.score_samples(fresh).tolist(),
    }  # fmt: skip


def one_fold(found, x: np.ndarray) -> np.ndarray:
    """log p of rows x by the fits of one inner fold, the mean over the folds."""
    import flowcore as fc

    mixture, folds = found.density_.base, found.summary_.n_folds
    scores = []
    for k in range(folds):  # the fits of every candidate stand together, in the order of the folds
        own = fc.Mixture(mixture.densities[k::folds], mixture.weights[k::folds])
        scores.append(fc.TransformedDistribution(own, found.density_.bijector).log_prob(x))
    return np.mean(scores, axis=0)


def compared(name: str, rows: list[dict]) -> list:
    """One row of the table that is printed."""
    n, dim = load(name).shape
    inner, outer = np.full((2, len(rows), n), np.nan)
    density = np.full((len(rows), n), np.nan)
    for k, row in enumerate(rows):
        learn, held_out = splits(n)[row["fold"]]
        inner[k, learn] = row["held_out"]
        outer[k, held_out], density[k, held_out] = row["one_fold"], row["density"]
    stated = np.mean([row["stated"] for row in rows])
    crossed = stated - np.nanmean(inner)  # by weights that a row's own fold has not decided
    found = [name, n, dim, f"{stated:.3f}"]
    found += [f"{np.nanmean(fresh):.3f}" for fresh in (outer, density)]
    seen = np.isfinite(outer).any(axis=0) & np.isfinite(inner).any(axis=0)
    for fresh in (outer, density):
        apart = np.nanmean(inner[:, seen], axis=0) - np.nanmean(fresh[:, seen], axis=0)
        error = apart.std() / np.sqrt(len(apart))
        found += [f"{apart.mean() + crossed:+.3f}", f"{error:.3f}"]
    return found


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", choices=CHOOSING, default=list(TABLES), metavar="T")
    new.add_argument("--folds", type=int, default=FOLDS, help="of ten: the first so many (10)")
    new.add_argument("--budget", type=float, help="minutes (FlowDensity's default)")
    new.add_argument("--raw", metavar="FILE", help=f"raw results ({RAW} beside the tables)")
    new.add_argument("--print", action="store_true", dest="only_print", help="what the file has")
    args = new.parse_args(argv)
    path = Path(args.raw) if args.raw else data_folder() / RAW
    rows = json.loads(path.read_text("utf-8")) if path.exists() else []
    done = {(row["table"], row["fold"]) for row in rows}
    for fold in range(0 if args.only_print else args.folds):
        for name in args.tables:
            if (name, fold) not in done:
                rows.append(measure(name, fold, args.budget))
                path.write_text(json.dumps(rows), "utf-8")
    rows = [row for row in rows if row["fold"] < args.folds]
    own = {name: [row for row in rows if row["table"] == name] for name in args.tables}
    print_table(
        ["table", "n", "D", "stated", "one fold", "density", "optimism", "+-", "net", "+-"],
        [compared(name, found) for name, found in own.items() if found],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
