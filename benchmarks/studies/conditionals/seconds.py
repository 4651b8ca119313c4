"""Seconds and memory that `Conditionals.impute` takes: 1,000 rows of 10 columns, 100 draws each.

    python -m benchmarks.studies.conditionals.seconds [--rows N] [--columns D] [--quick]
        [--json FILE]

To be run on a machine that does nothing else. A fifth of the cells is hidden. The proposal is
fitted before the clock starts, in the seconds of a column of their own. Memory is the peak of what
NumPy holds beyond the densities themselves (tracemalloc, in a second run).
"""

from __future__ import annotations

import sys
import time
import tracemalloc
import warnings

import numpy as np

import flowcore as fc

from ...fit_seconds import made
from ...support.common import parser, print_table, write_rows
from .figures import with_holes

DRAWS = 100


def densities(x: np.ndarray, quick: bool) -> dict:
    """A FlowDensity, and a single flow."""
    epochs = 3 if quick else "auto"
    flow, _ = fc.fit(fc.flows.nsf(x.shape[1], rng=0), x, epochs=epochs, rng=0)
    fit = fc.FlowDensity(random_state=0, budget=1e-3 if quick else None).fit(x)
    return {"FlowDensity": fit.density_, "a spline flow": flow}


def flows_in(density) -> int:
    """The number of densities in a mixture; 1 of any other."""
    parts = getattr(getattr(density, "base", density), "densities", [density])
    return len(parts)


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--rows", type=int, help="1,000")
    new.add_argument("--columns", type=int, help="10")
    args = new.parse_args(argv)
    n, dim = args.rows or (100 if args.quick else 1000), args.columns or (4 if args.quick else 10)
    x = made(n, dim)
    holes, rows = with_holes(x, 0.2, np.random.default_rng(0)), []
    warnings.simplefilter("ignore")
    for name, density in densities(x, args.quick).items():
        started = time.perf_counter()
        joint = fc.Conditionals(density)
        assert joint.proposal.dim == dim
        fitted = time.perf_counter()
        answers = joint.impute(holes, DRAWS, rng=0)
        done = time.perf_counter()
        tracemalloc.start()
        joint.impute(holes, DRAWS, rng=0)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        rows.append({
            "density": name, "parts": flows_in(density), "proposal": fitted - started,
            "seconds": done - fitted, "megabytes": peak, "trusted": float(answers.trusted.mean()),
        })  # fmt: skip
    header = ["density", "parts", "proposal, s", "impute, s", "MB", "trusted"]
    print(f"{n:,} rows, {dim} columns, {DRAWS} draws")
    print_table(
        header, [[f"{v:.1f}" if isinstance(v, float) else v for v in r.values()] for r in rows]
    )
    write_rows(args.json, "seconds", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
