"""Seconds that `FlowDensity().fit` takes, with its defaults, on made tables of four sizes.

    python -m benchmarks.fit_seconds [--sizes 500x5 3000x8 20000x10 54000x7] [--budget MINUTES]
    python -m benchmarks.fit_seconds --r carData/Salaries MASS/Boston modeldata/Sacramento

--r: of `fit_table`, on two thirds of R's tables (needs pandas; downloaded at the first run). Beside
the seconds: those of all processes' CPUs, and the mean log p of fresh rows (nats). So two commits
can be compared by running this file on both. To be run on a machine that does nothing else.
The plan knows no clock: on another machine it takes another time, and gives the same density.
"""

from __future__ import annotations

import os
import sys
import time
import warnings

import numpy as np
from joblib.externals.loky import get_reusable_executor

import flowcore as fc

from .studies.packages import frame_of_r
from .support.common import bare_parser, print_table

SIZES = ("500x5", "3000x8", "20000x10", "54000x7")
FRESH = 10_000


def made(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Correlated columns, one of them positive, one that bends, two groups of rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dim)) @ (0.5 * rng.normal(size=(dim, dim)) + np.eye(dim))
    x[:, 0] = np.exp(x[:, 0] / 3)
    x[:, 1] += x[:, 0] ** 2
    x[rng.random(n) < 0.3] += 2
    return x


def cpu_seconds() -> float:
    """Of this process and of all its workers, which end here: only then they are counted."""
    get_reusable_executor().shutdown(wait=True)
    return sum(os.times()[:4])


def measured(fit, table, fresh) -> list[str]:
    """Seconds and CPU seconds of a fit to the table, which returns log p; its mean, fresh rows."""
    started, before = time.perf_counter(), cpu_seconds()
    log_p = fit(table)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - before
    return [f"{seconds:.0f}", f"{cpu:.1f}", f"{log_p(fresh).mean():.4f}"]


def main(argv=None) -> int:
    new = bare_parser(__doc__)
    new.add_argument("--sizes", nargs="+", default=list(SIZES), metavar="NxD")
    new.add_argument("--r", nargs="+", default=[], metavar="PACKAGE/TABLE")
    new.add_argument("--budget", type=float, help="minutes (FlowDensity's default)")
    new.add_argument("--seed", type=int, default=0)
    new.add_argument("--jobs", type=int, help="processes (all cores)")
    args = new.parse_args(argv)
    warnings.simplefilter("ignore")
    learn = fc.FlowDensity(random_state=args.seed, budget=args.budget, n_jobs=args.jobs)

    def of_numbers(x):
        return learn.fit(x).score_samples

    def of_table(frame):
        return fc.tables.fit_table(frame, learn=learn, missing="drop", rng=args.seed).log_prob

    rows = []
    for name in args.r:
        frame = frame_of_r(name).sample(frac=1, random_state=args.seed)
        n = 2 * len(frame) // 3
        rows.append([name, frame.shape[1], *measured(of_table, frame[:n], frame[n:].dropna())])
    for size in () if args.r else args.sizes:
        n, dim = map(int, size.split("x"))
        table, fresh = np.split(made(n + FRESH, dim, args.seed), [n])
        rows.append([f"{n:,}", dim, *measured(of_numbers, table, fresh)])
    print_table(["n", "D", "s", "CPU s", "log p of fresh rows"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
