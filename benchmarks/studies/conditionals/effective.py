"""Effective sample sizes of answers about tables with categories.

    python -m benchmarks.studies.conditionals.effective [--tables census ...] [--rows N]
        [--budget MINUTES] [--quick] [--json FILE]

Half of a table is learned from; a fifth of the cells of other rows is hidden completely at random,
and `TableDensity.impute` answers with 200 draws a row. Rows whose answer is exact are left out. The
tables are wine with its classes, and those of `benchmarks.studies.synthetic`, with at most 12
columns. The settings of the proposal were chosen on computers, crx and weather.
"""

from __future__ import annotations

import sys

import numpy as np

import flowcore as fc
from flowcore.tables import fit_table

from ...support.common import parser, print_table, quiet, write_rows
from ..synthetic import tables as mixed
from .figures import with_holes

MIXED = mixed.CHOOSING | mixed.REPORTING
TABLES = ["wine", *mixed.REPORTING]
COLUMNS, ASKED = 12, 150  # columns and rows with holes, at most


def rows_of(name: str):
    """The rows of a table, shuffled: a DataFrame of at most 12 columns, but for wine."""
    if name != "wine":
        return MIXED[name].rows().iloc[:, :COLUMNS].sample(frac=1, random_state=0)
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map("class {}".format)
    return frame.sample(frac=1, random_state=0)


def measure(name: str, most: int, budget: float | None) -> dict:
    """The effective sample sizes of one table."""
    table = rows_of(name)
    x, asked = table[: min(most, len(table) // 2)], table[len(table) // 2 :][:ASKED]
    density = fit_table(
        x, mixed.schema_of(table), learn=fc.FlowDensity(budget=budget, random_state=0)
    )
    hole = np.isnan(with_holes(np.zeros(asked.shape), 0.2, np.random.default_rng(0)))
    answers = density.impute(asked.mask(hole), n=0)
    some = np.isfinite(answers.ess)
    ess, k_hat = answers.ess[some], answers.k_hat[some]
    return {
        "table": name, "rows": len(x), "dim": density.dim, "asked": int(some.sum()),
        "ess": float(np.median(ess)), "low_ess": float(np.quantile(ess, 0.05)),
        "bad_k": float(np.mean(k_hat > 0.7)),
    }  # fmt: skip


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", choices=["wine", *MIXED], default=TABLES, metavar="T")
    new.add_argument("--rows", type=int, help="to learn from, at most (1,000)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    args = new.parse_args(argv)
    names = ["wine"] if args.quick and args.tables == TABLES else args.tables
    most, rows = args.rows or (80 if args.quick else 1000), []
    for name in names:
        with quiet():
            rows.append(measure(name, most, args.budget or (1e-3 if args.quick else None)))
        print(*rows[-1].values(), file=sys.stderr)
    cells = [
        [row["table"], row["rows"], row["dim"], row["asked"], f"{row['ess']:.0f}",
         f"{row['low_ess']:.0f}", f"{row['bad_k']:.0%}"] for row in rows
    ]  # fmt: skip
    print_table(["table", "rows", "D", "asked", "ESS", "5%", "k > .7"], cells)
    write_rows(args.json, "effective", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
