"""Seconds that `FlowDensity().fit` takes, with its defaults, on made tables of three sizes.

    python -m benchmarks.fit_seconds [--sizes 500x5 20000x10 54000x7] [--budget MINUTES]

To be run on a machine that does nothing else. The plan knows no clock: on another machine it takes
another time, and gives the same density.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

import flowcore as fc

from .support.common import bare_parser, print_table

SIZES = ("500x5", "20000x10", "54000x7")


def made(n: int, dim: int) -> np.ndarray:
    """Correlated columns, one of them positive, one that bends, two groups of rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, dim)) @ (0.5 * rng.normal(size=(dim, dim)) + np.eye(dim))
    x[:, 0] = np.exp(x[:, 0] / 3)
    x[:, 1] += x[:, 0] ** 2
    x[rng.random(n) < 0.3] += 2
    return x


def main(argv=None) -> int:
    new = bare_parser(__doc__)
    new.add_argument("--sizes", nargs="+", default=list(SIZES), metavar="NxD")
    new.add_argument("--budget", type=float, help="minutes (FlowDensity's default)")
    args = new.parse_args(argv)
    warnings.simplefilter("ignore")
    rows = []
    for size in args.sizes:
        n, dim = map(int, size.split("x"))
        table, started = made(n, dim), time.perf_counter()
        found = fc.FlowDensity(random_state=0, budget=args.budget).fit(table)
        seconds = time.perf_counter() - started
        rows.append([f"{n:,}", dim, f"{seconds:.0f}", found.summary_.winner.name])
    print_table(["n", "D", "s", "its largest part"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
