"""Which cell of a row is wrong: `FlowDensity.explain` beside two older answers.

    python -m benchmarks.studies.conditionals.wrong_cells [--tables iris wine ...] [--seeds 1]
        [--budget MINUTES] [--quick] [--json FILE]

A fifth of the rows, 200 at most, are held out; in each of them one cell, drawn at random, gets the
value of another held-out row. Values like their own (nearer than a standard deviation of the
column) are drawn anew: nobody could find them. A method is right where the cell it names first is
that cell. Chance is 1/D.

explain: the largest -log g(x_j | the others), less its mean over draws. residuals: the largest
|x_j - E[x_j | the others]| / sd, of one multivariate normal. marginal: the largest
|x_j - mean_j| / sd_j.
"""

from __future__ import annotations

import sys

import numpy as np

import flowcore as fc

from ...support.common import parser, print_table, quiet, write_rows
from ..estimator.tables import REPORTING, load

NAMES = [name for name in REPORTING if name not in ("ring", "twonorm", "faithful")]
WAYS = ("explain", "residuals", "marginal")
MOST, NEAR = 200, 1.0  # held-out rows; standard deviations


def with_wrong_cells(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(rows with one wrong cell each, its column); rows without a distant value are left out."""
    wrong, columns, scale = x.copy(), rng.integers(x.shape[1], size=len(x)), x.std(axis=0)
    found = np.zeros(len(x), bool)
    for i, j in enumerate(columns):
        distant = x[np.abs(x[:, j] - x[i, j]) > NEAR * scale[j], j]
        if len(distant):
            wrong[i, j], found[i] = rng.choice(distant), True
    return wrong[found], columns[found]


def first_cells(known: np.ndarray, rows: np.ndarray, options: dict) -> dict[str, np.ndarray]:
    """The column that each method names for each row."""
    z = (rows - known.mean(axis=0)) / known.std(axis=0)
    precision = np.linalg.pinv(np.corrcoef(known.T))
    residuals = z @ precision / np.sqrt(np.diag(precision))
    surprise = fc.FlowDensity(**options).fit(known).explain(rows).surprise
    scores = {"explain": surprise, "residuals": np.abs(residuals), "marginal": np.abs(z)}
    return {way: np.argmax(scores[way], axis=1) for way in WAYS}


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--tables", nargs="+", choices=NAMES, default=NAMES, metavar="T")
    new.add_argument("--seeds", type=int, default=1, help="new rows, new cells (1)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    args = new.parse_args(argv)
    names = ["iris"] if args.quick and args.tables == NAMES else args.tables
    budget, rows = args.budget or (1e-3 if args.quick else None), []
    for name in names:
        for seed in range(args.seeds):
            rng = np.random.default_rng(seed)
            x = rng.permutation(load(name))
            held_out = min(len(x) // 5, MOST)
            wrong, columns = with_wrong_cells(x[:held_out], rng)
            with quiet():
                options = {"budget": budget, "random_state": seed}
                named = first_cells(x[held_out:], wrong, options)
            row = {"table": name, "seed": seed, "rows": len(wrong), "dim": x.shape[1]}
            rows.append(row | {way: float(np.mean(named[way] == columns)) for way in WAYS})
            print(rows[-1], file=sys.stderr)
    table = []
    for name in names:
        own = [row for row in rows if row["table"] == name]
        table.append([name, own[0]["dim"], sum(row["rows"] for row in own), 1 / own[0]["dim"]])
        table[-1] += [float(np.mean([row[way] for row in own])) for way in WAYS]
    means = [float(np.mean([line[k] for line in table])) for k in range(3, 7)]
    print_table(
        ["table", "D", "rows", "chance", *WAYS],
        [[f"{v:.2f}" if isinstance(v, float) else v for v in line]
         for line in [*table, ["mean", "", "", *means]]],
    )  # fmt: skip
    best = sum(line[4] >= max(line[5:]) for line in table)
    print(f"explain is the best, or as good, on {best} of {len(table)} tables")
    write_rows(args.json, "wrong cells", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
