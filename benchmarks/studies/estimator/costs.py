"""Milliseconds of an update of `FlowDensity`'s flows in float32, beside what its plan counts with.

    python -m benchmarks.studies.estimator.costs [--dims 2 5 10 30] [--batches 64 256] [--quick]

One core: threads=1. The plan needs no more than the right order of magnitude, on any machine; it is
the same for all, so that results do not depend on the machine.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

import flowcore as fc
from flowcore.estimator.candidates import FLOWS

from ...support.common import parser, print_table


def milliseconds(flow, batch: int, updates: int) -> float:
    """Of one update: the difference between a long run and a short one."""
    x = np.random.default_rng(0).normal(size=(batch * updates, flow.dim))
    seconds = []
    for epochs in (1, 2):
        started = time.perf_counter()
        fc.fit(flow, x, epochs=epochs, batch_size=batch, validation_split=0, threads=1)
        seconds.append(time.perf_counter() - started)
    return 1e3 * (seconds[1] - seconds[0]) / updates


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--dims", type=int, nargs="+", default=[2, 5, 10, 30])
    new.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    args = new.parse_args(argv)
    warnings.simplefilter("ignore")
    rows = []
    for dim in args.dims:
        for batch in args.batches:
            for name, candidate in FLOWS.items():
                options = {"rng": 0, "standardize": False, "dtype": np.float32}
                if candidate.modes:
                    options["base"] = fc.GaussianMixture.spread(3, dim)
                flow = candidate.recipe(dim, **options)
                found = milliseconds(flow, batch, 5 if args.quick else 100)
                planned = candidate.milliseconds(dim, batch)
                rows.append([name, dim, batch, f"{found:.2f}", f"{planned:.2f}"])
    print_table(["flow", "D", "batch", "ms", "planned"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
