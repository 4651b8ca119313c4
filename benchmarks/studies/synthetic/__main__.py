"""Draws of `fit_table` and of others beside real rows: how like they are, and how private.

    python -m benchmarks.studies.synthetic [--tables census ...] [--contestants flowcore ...]
        [--budget MINUTES] [--seed 0] [--env DIR] [--json FILE] [--quick]

The first run makes a virtual environment with copulas, arfpy and sdmetrics
(benchmarks/studies/requirements-synthetic.txt) outside the source tree, and everything is measured
inside it.

A table is cut into halves. Everybody learns from one, with its own defaults, and draws as many
rows. Shapes, pairs and the detector compare the draws with the half that they were learned from;
the other half tests what a classifier learns from draws, and what is near to draws by chance. The
definitions stand in figures.py, the contestants in contestants.py, the tables in tables.py.

A run that was stopped goes on from the JSON that it left.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ...support.common import machine, parser, quiet, rows_left, write_json
from .. import environment
from ..tables import synthetic as printed
from . import contestants, figures
from .contestants import COPIES, MARGINS, OTHERS, OURS, REAL
from .tables import CHOOSING, REPORTING, halves

TABLES = [*REPORTING, *CHOOSING]
EVERYBODY = (REAL, COPIES, OURS, MARGINS, *OTHERS)


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "synthetic", "benchmarks.studies.synthetic", argv)
    settings = {"budget": args.budget, "seed": args.seed, "quick": args.quick}
    rows = rows_left(args.json, settings)
    for name in args.tables:
        done = {row["who"] for row in rows if row["table"] == name}
        wanted = [who for who in args.contestants if who not in done]
        if not wanted:
            continue
        for row in measured(name, wanted, args.budget, args.seed, 500 if args.quick else None):
            rows.append(row)
            rows.sort(key=lambda row: (TABLES.index(row["table"]), EVERYBODY.index(row["who"])))
            if args.json:
                write_json(args.json, as_document(settings, rows))
    document = as_document(settings, [row for row in rows if row["table"] in args.tables])
    print(f"{printed.means(document)}\n{printed.by_table(document)}")
    return 0


def measured(name: str, wanted: list[str], budget, seed: int, most: int | None) -> Iterator[dict]:
    """Rows of results: all figures of everybody's draws from a table."""
    train, held_out = (half[:most] for half in halves(name))
    target, gain = {**REPORTING, **CHOOSING}[name].target, None
    draws = {REAL: lambda: held_out, COPIES: lambda: train}
    for who, draw in OTHERS.items():
        draws[who] = lambda draw=draw: draw(train, np.random.default_rng(seed))
    if {OURS, MARGINS} & set(wanted):
        started = time.perf_counter()
        ours, density = contestants.flowcore_draws(train, budget, seed)
        gain = contestants.counts_gain(density, held_out)
        seconds = time.perf_counter() - started
        draws |= {who: lambda own=own: own for who, own in ours.items()}
    for who in wanted:
        started = time.perf_counter()
        with quiet(), threadpool_limits(1):  # a default is a default
            drawn = draws[who]()[list(train.columns)].reset_index(drop=True)
        mine = who in (OURS, MARGINS)
        row = {"table": name, "who": who, "rows": len(train), "columns": train.shape[1],
               "seconds": seconds if mine else time.perf_counter() - started,
               **compared(train, held_out, drawn, target, who == REAL),
               "gain": gain if mine else None}  # fmt: skip
        shown = {key: value for key, value in row.items() if isinstance(value, float)}
        print(f"  {name}, {who}:", ", ".join(f"{k} {v:.3f}" for k, v in shown.items()),
              file=sys.stderr, flush=True)  # fmt: skip
        yield row


def as_document(settings: dict, rows: list[dict]) -> dict:
    """What is kept and printed."""
    facts = {**machine(), "versions": {"others": versions()}}
    return {"benchmark": "synthetic", "settings": settings, "machine": facts, "rows": rows}


def compared(train, held_out, drawn, target: str, is_held_out: bool = False) -> dict:
    """All figures; the held-out rows are no test of themselves."""
    gap, column = figures.commonest_gap(train, drawn)
    return {
        "shapes": figures.column_shapes(train, drawn),
        "pairs": figures.pair_trends(train, drawn),
        "detector": figures.detector_auc(train, drawn),
        "transfer": None if is_held_out else figures.transfer_auc(drawn, held_out, target),
        "outside": figures.outside_share(train, drawn),
        "commonest": gap, "commonest_column": column,
        "nearer": None if is_held_out else figures.nearer_share(train, held_out, drawn),
    }  # fmt: skip


def versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("copulas", "arfpy", "scikit-learn"))


def arguments(argv):
    new = parser(__doc__)
    tables = f"of {', '.join(REPORTING)}; for choosing: {', '.join(CHOOSING)}"
    new.add_argument("--tables", nargs="+", metavar="NAME", choices=TABLES, help=tables)
    new.add_argument("--contestants", nargs="+", metavar="NAME", choices=EVERYBODY,
                     default=list(EVERYBODY), help="; ".join(EVERYBODY))  # fmt: skip
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    new.add_argument("--seed", type=int, default=0, help="of everybody (0)")
    new.add_argument("--env", type=Path, default=environment.SYNTHETIC, help="folder of the others")
    args = new.parse_args(argv)
    args.tables = args.tables or (["German credit"] if args.quick else list(REPORTING))
    args.budget = 0.01 if args.quick and args.budget is None else args.budget
    return args


if __name__ == "__main__":
    sys.exit(main())
