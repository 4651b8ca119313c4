"""`FlowDensity()` and other densities on twenty tables: held-out log-density, in nats.

    python -m benchmarks.studies.estimator [--tables iris wine ...] [--folds 10]
        [--contestants kde ...] [--json FILE] [--raw FILE] [--print] [--budget MINUTES]

Ten folds; from 20,000 rows on one split, of which 2,000 rows are held out. Every density gets the
same rows, standardised by the mean and deviation of those that it learns from, and all defaults
are its own. What the file of raw results has is not computed again, so a run can be stopped and
goes on; --print only prints its tables. `--folds 3` are the first three of the ten. What is
published stands in the JSON: one row a table. --tables takes those that the rules were chosen on,
too.

"gain" is FlowDensity's mean log-density minus that of the best of the others, with its standard
error over rows (paired); "its largest part" the one of the largest weight, in most folds.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ...support.common import parser, quiet, write_rows
from ..packages import data_folder
from ..tables import quality
from .contestants import CONTESTANTS
from .results import OURS, compared
from .tables import CHOOSING, REPORTING, load
from .truth import twonorm_kl

FOLDS, LARGE, LARGE_TEST = 10, 20_000, 2_000
SEED = 2026  # of the splits; the rules were chosen on other tables
RAW = "estimator-raw.json"  # beside the tables: every held-out log-density


def splits(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, held-out rows) of every fold."""
    order = np.random.default_rng(SEED).permutation(n)
    if n >= LARGE:
        return [(order[LARGE_TEST:], order[:LARGE_TEST])]
    parts = np.array_split(order, FOLDS)
    return [
        (np.concatenate([p for j, p in enumerate(parts) if j != k]), parts[k]) for k in range(FOLDS)
    ]


def flow_density(x: np.ndarray, fold: int, **options):
    """(log p of rows, what its summary has)."""
    import flowcore as fc

    fit = fc.FlowDensity(random_state=fold, **options).fit(x)
    summary, weights = fit.summary_, Counter()
    for one in summary.candidates:  # several have the same name
        weights[one.name] += one.weight
    return fit.score_samples, {
        "winner": summary.winner.name,
        "winner_is_flow": summary.winner.is_flow,
        "stated": summary.density.score,
        "weights": {name: round(weight, 4) for name, weight in weights.items()},
        "line": summary.line,
    }


def measure(name: str, fold: int, who: str, **options) -> dict:
    """One row of the results."""
    table = load(name)
    learn, held_out = splits(len(table))[fold]
    x, test = table[learn], table[held_out]
    mean, scale = x.mean(axis=0), x.std(axis=0)
    x, test = (x - mean) / scale, (test - mean) / scale
    started, more = time.perf_counter(), {}
    with quiet():
        if who == OURS:
            score, more = flow_density(x, fold, **options)
        else:
            with threadpool_limits(1):  # a pool of threads waits for cores that are busy
                score = CONTESTANTS[who](x)
    seconds = time.perf_counter() - started
    log_p = np.asarray(score(test), float)
    return {
        "table": name, "rows": len(table), "columns": table.shape[1], "fold": fold, "who": who,
        "seconds": round(seconds, 2), "log_p": np.round(log_p, 4).tolist(), **more,
    }  # fmt: skip


def main(argv=None) -> int:
    new = parser(__doc__)
    everybody = [OURS, *CONTESTANTS]
    new.add_argument(
        "--tables", nargs="+", choices=CHOOSING | REPORTING, default=list(REPORTING), metavar="T"
    )
    new.add_argument("--contestants", nargs="+", choices=everybody, default=everybody, metavar="C")
    new.add_argument("--folds", type=int, default=FOLDS, help="of ten: the first so many (10)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    new.add_argument("--raw", metavar="FILE", help=f"raw results ({RAW} beside the tables)")
    new.add_argument("--print", action="store_true", dest="only_print", help="what the file has")
    args = new.parse_args(argv)
    path = Path(args.raw) if args.raw else data_folder() / RAW
    rows = json.loads(path.read_text("utf-8")) if path.exists() else []
    done = {(row["table"], row["fold"], row["who"]) for row in rows}
    for fold in range(0 if args.only_print else args.folds):
        for name in args.tables:
            if fold >= len(splits(len(load(name)))):
                continue
            for who in args.contestants:
                if (name, fold, who) in done:
                    continue
                row = measure(name, fold, who, budget=args.budget)
                rows.append(row)
                path.write_text(json.dumps(rows), "utf-8")
                score = f"{name}, fold {fold}, {who}: {np.mean(row['log_p']):.3f}"
                print(score, f"in {row['seconds']:.1f} s", row.get("line", ""), file=sys.stderr)
    found = compared(rows)
    document = {"rows": found, "twonorm_kl": twonorm_kl(rows, load, splits)}
    if found:
        print(quality.estimator(document))
    write_rows(args.json, "estimator", **document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
