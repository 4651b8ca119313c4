"""Does `FlowDensity` find outliers? Against PyOD, on tables whose outliers are labelled.

    python -m benchmarks.studies.outliers [--tables "wine" ...] [--kinds swapped ...] [--choosing]
        [--detectors KNN ...] [--env DIR] [--json FILE] [--quick]

The first run makes a virtual environment with PyOD (benchmarks/studies/requirements-outliers.txt)
outside the source tree, and everything is measured inside it.

The usual protocol of detection without labels: a detector, with its defaults, is fitted to the
whole table, outliers included, and orders the same rows; the labels are looked at only then. AUROC
is the probability that an outlier stands before a normal row. Which rows are outliers, and what is
done to every table, stands in `benchmarks.studies.outlier_tables`; who takes part in
`benchmarks.studies.outlier_detectors`. What FlowDensity does was chosen on other tables
(--choosing).

--kinds swapped clustered: the normal rows of the tables, with wrong cells or a cluster of outliers
that are made. The JSON has the average precision, too.

A run that was stopped goes on from the JSON that it left.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path

from ..support.common import machine, parser, quiet, rows_left, write_json
from . import environment
from .outlier_detectors import DETECTORS
from .outlier_tables import CHOOSING, KINDS, REPORTING, load
from .tables import quality

SMALL = ("ecoli 0137-26", "glass", "wine")  # of a quick run


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "outliers", "benchmarks.studies.outliers", argv)
    settings = {"detectors": args.detectors, "kinds": args.kinds, "quick": args.quick}
    rows = rows_left(args.json, settings)
    for name, kind in product(args.tables, args.kinds):
        if not any((row["table"], row["kind"]) == (name, kind) for row in rows):
            rows.append(measured(name, kind, args.detectors))
            keep(args.json, settings, rows)
    rows.sort(key=lambda row: [*CHOOSING, *REPORTING].index(row["table"]))
    keep(args.json, settings, rows)
    rows = [row for row in rows if row["table"] in args.tables]
    show = quality.outliers if args.kinds == ["labelled"] else quality.outlier_kinds
    print(show({"rows": rows}))
    return 0


def measured(name: str, kind: str, detectors: list[str]) -> dict:
    """One table: AUROC, average precision and seconds of everyone."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    table, is_outlier = load(name, kind)
    auroc, precision, seconds = {}, {}, {}
    for who in detectors:
        start = time.perf_counter()
        with quiet():  # a default is a default, whatever it warns of
            scores = DETECTORS[who](table)
        seconds[who] = time.perf_counter() - start
        auroc[who] = float(roc_auc_score(is_outlier, scores))
        precision[who] = float(average_precision_score(is_outlier, scores))
    shown = ", ".join(f"{who} {value:.3f}" for who, value in auroc.items())
    print(f"  {name}, {kind}: {shown}; {sum(seconds.values()):.0f} s", file=sys.stderr, flush=True)
    rule = {**CHOOSING, **REPORTING}[name].source
    return {"table": name, "kind": kind, "rule": rule, "n": len(table), "dim": table.shape[1],
            "outliers": int(is_outlier.sum()), "auroc": auroc, "precision": precision,
            "seconds": seconds}  # fmt: skip


def _versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("pyod", "scikit-learn"))


def keep(path: Path | None, settings: dict, rows: list[dict]) -> None:
    facts = {**machine(), "versions": {"pyod": _versions()}}
    if path is not None:
        document = {"benchmark": "outliers", "machine": facts, "settings": settings, "rows": rows}
        write_json(path, document)


def arguments(argv):
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", metavar="NAME", choices=[*CHOOSING, *REPORTING],
                     help=f"of {', '.join(REPORTING)}")  # fmt: skip
    new.add_argument("--kinds", nargs="+", metavar="KIND", choices=KINDS, default=["labelled"],
                     help=f"of outliers: {', '.join(KINDS)}")  # fmt: skip
    new.add_argument("--choosing", action="store_true", help="the tables for choosing instead")
    new.add_argument("--detectors", nargs="+", metavar="NAME", choices=DETECTORS,
                     default=list(DETECTORS), help=", ".join(DETECTORS))  # fmt: skip
    new.add_argument("--env", type=Path, default=environment.OUTLIERS, help="folder of PyOD")
    args = new.parse_args(argv)
    everything = list(CHOOSING if args.choosing else REPORTING)
    args.tables = args.tables or (list(SMALL) if args.quick else everything)
    return args


if __name__ == "__main__":
    sys.exit(main())
