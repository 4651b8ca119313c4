"""Densities of rows with holes: learned from them, beside dropped rows and filled means.

    python -m benchmarks.studies.conditionals.learning [--tables moons-6 wine ...] [--shares .3 ...]
        [--rows N] [--masks 1] [--budget MINUTES] [--quick] [--json FILE]

Cells are hidden completely at random. Every density is a FlowDensity of the same budget, but for
"mixture", which is fitted to the holes by exact EM. Scores are mean log-densities of fresh complete
rows: of made tables beside those of the truth (KL, in nats), of real tables of a tenth that was
held out, 100 rows at least and a third at most (nats below the density of the complete table).
"left" is what learning loses, as a share of what dropping rows loses: 0 is as good as the complete
table, 1 as dropping.

Tables with categories are the first 7 columns of those of `benchmarks.studies.synthetic`;
`fit_table` learns from them. Filled in are means, and of categories the most frequent one.

Made tables, moons-D: D/2 independent two moons, rotated. gauss-D: correlated normal columns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

import flowcore as fc
from flowcore.tables import fit_table

from ...support.common import parser, print_table, quiet, write_rows
from ..estimator.tables import REPORTING, load
from ..synthetic import tables as mixed
from .figures import share_of_loss, with_holes

MADE = [f"{kind}-{dim}" for dim in (2, 4, 6, 8) for kind in ("moons", "gauss")]
REAL = [name for name in REPORTING if name not in ("breast cancer", "ring", "twonorm")]
MIXED_COLUMNS = 7  # the first ones of a table with categories
MIXED = [*mixed.CHOOSING, *mixed.REPORTING]
FRESH, LEAST = 2000, 20  # rows; fewer complete ones are too few for a density
WAYS = ("complete", "dropped", "filled", "mixture", "learned")


class Moons:
    """D/2 independent two moons, rotated at random."""

    def __init__(self, dim: int):
        self.dim, self.moons = dim, fc.targets.two_moons(noise=0.1)
        self.turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]

    def sample(self, n: int, rng) -> np.ndarray:
        rng = np.random.default_rng(rng)
        return np.hstack([self.moons.sample(n, rng) for _ in range(self.dim // 2)]) @ self.turn

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        pairs = np.split(x @ self.turn.T, self.dim // 2, axis=1)
        return sum(self.moons.log_prob(pair) for pair in pairs)


def made(name: str):
    """A density from its name, such as "moons-4"."""
    kind, dim = name.split("-")
    if kind == "moons":
        return Moons(int(dim))
    factor = np.random.default_rng(int(dim)).normal(size=(int(dim), int(dim)))
    factor = np.linalg.cholesky(factor @ factor.T / int(dim) + 0.1 * np.eye(int(dim)))
    return fc.MultivariateNormalMixture(np.zeros((1, int(dim))), factor[None])


def rows_of(name: str, most: int, mask: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(rows to learn from, fresh rows, the mean log-density of these by the truth, or NaN)."""
    if name in MADE:
        truth = made(name)
        fresh = truth.sample(FRESH, 10_000 + mask)
        return truth.sample(most, mask), fresh, float(truth.log_prob(fresh).mean())
    x = np.random.default_rng(mask).permutation(load(name))
    held_out = max(len(x) // 10, min(len(x) // 3, 100))
    fresh, x = x[:held_out], x[held_out:][:most]
    mean, scale = x.mean(axis=0), x.std(axis=0)
    return (x - mean) / scale, (fresh - mean) / scale, np.nan


def density_of(way: str, x: np.ndarray, holes: np.ndarray, options: dict) -> Callable | None:
    """log p of rows, of what was learned in that way; None if there are too few rows."""
    if way == "mixture":
        return fc.MultivariateNormalMixture.from_data(holes, missing="learn").log_prob
    rows = {
        "complete": x,
        "dropped": holes[~np.isnan(holes).any(axis=1)],
        "filled": np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes),
        "learned": holes,
    }[way]
    if len(rows) < LEAST:
        return None
    missing = "learn" if way == "learned" else "error"
    return fc.FlowDensity(**options, missing=missing).fit(rows).score_samples


def usual_of(kind, values):
    """The mean of a column, on its grid; of categories the most frequent one."""
    if not kind.is_number or kind.is_date:
        return values.mode()[0]
    return float(kind.nearest(values.mean()) if kind.is_gridded else values.mean())


def of_mixed(name: str, most: int, mask: int, share: float, options: dict) -> tuple[dict, dict]:
    """(way -> mean log-density of fresh rows of a table with categories, what the table is)."""
    table = (mixed.CHOOSING | mixed.REPORTING)[name].rows().iloc[:, :MIXED_COLUMNS]
    table = table.sample(min(len(table), most + FRESH), random_state=mask)
    x, fresh = table[: min(most, 2 * len(table) // 3)], table[min(most, 2 * len(table) // 3) :]
    schema = mixed.schema_of(table)
    holes = x.mask(np.isnan(with_holes(np.zeros(x.shape), share, np.random.default_rng(mask))))
    usual = {c.name: usual_of(c.kind, x[c.name]) for c in schema.columns}
    ways = {
        "complete": (x, "error"), "dropped": (holes.dropna(), "error"),
        "filled": (holes.fillna(usual), "error"), "learned": (holes, "learn"),
    }  # fmt: skip
    score = {"mixture": np.nan}
    for way, (rows, missing) in ways.items():
        score[way] = np.nan
        if len(rows) >= LEAST:
            learn = fc.FlowDensity(**options)
            found = fit_table(rows, schema, learn=learn, missing=missing, rng=mask)
            score[way] = float(found.log_prob(fresh).mean())
    whole = float(holes.notna().all(axis=1).mean())
    dim = sum(c.kind.name != "aside" for c in schema.columns)
    return score, {"rows": len(x), "dim": dim, "whole_rows": whole}


def of_numbers(name: str, most: int, mask: int, share: float, options: dict) -> tuple[dict, dict]:
    """The same for a table of numbers."""
    x, fresh, best = rows_of(name, most, mask)
    holes, score = with_holes(x, share, np.random.default_rng(mask)), {"truth": best}
    for way in WAYS:
        found = density_of(way, x, holes, options)
        score[way] = np.nan if found is None else float(np.mean(found(fresh)))
    whole = float(np.mean(~np.isnan(holes).any(axis=1)))
    return score, {"rows": len(x), "dim": x.shape[1], "whole_rows": whole}


def main(argv=None) -> int:
    new = parser(__doc__)
    known = [*MADE, *REAL, *MIXED]
    new.add_argument("--tables", nargs="+", choices=known, default=known, metavar="T")
    new.add_argument("--shares", nargs="+", type=float, default=[0.3], help="of the cells (.3)")
    new.add_argument("--rows", type=int, help="to learn from, at most (1,000)")
    new.add_argument("--masks", type=int, default=1, help="new rows, new holes (1)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    args = new.parse_args(argv)
    names = ["moons-2", "gauss-4"] if args.quick and args.tables == known else args.tables
    most = args.rows or (120 if args.quick else 1000)
    budget = args.budget or (1e-3 if args.quick else None)
    rows, table = [], []
    for name, share in ((name, share) for name in names for share in args.shares):
        for mask in range(args.masks):
            options = {"budget": budget, "random_state": mask}
            with quiet():
                of = of_mixed if name in MIXED else of_numbers
                score, row = of(name, most, mask, share, options)
            best = score.pop("truth", np.nan)
            best = score["complete"] if np.isnan(best) else best
            row = {"table": name, "share": share, "mask": mask} | row
            rows.append(row | {way: best - score[way] for way in WAYS})
        own = rows[-args.masks :]
        mean = {key: float(np.mean([row[key] for row in own])) for key in (*WAYS, "whole_rows")}
        left = share_of_loss(mean["learned"], mean["dropped"], mean["complete"])
        texts = [f"{mean[way]:.3f}" for way in WAYS] + ["-" if np.isnan(left) else f"{left:.2f}"]
        whole = f"{mean['whole_rows']:.0%}"
        table.append([name, row["rows"], row["dim"], f"{share:.0%}", whole, *texts])
        print(*table[-1], file=sys.stderr)
    print_table(["table", "rows", "D", "holes", "whole rows", *WAYS, "left"], table)
    write_rows(args.json, "learning", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
