"""What the checks of a call cost: a public `log_prob` against the engine that it hands its rows to.

    python -m benchmarks.gate [--json FILE] [--quick] [--rounds N]

The gate looks at what it is given (kinds, shapes, infinite values) and at what comes out (NaN). The
difference of the two times should be at most 15 us, plus one pass over the data: the time of
`np.isfinite(x).all()`. The flow is a standard normal density, the cheapest there is.
"""

from __future__ import annotations

import numpy as np

import flowcore as fc
from flowcore.core import evaluate

from .common import Report, parse, parser, print_table
from .timing import Spread

SIZES = ((1, 2), (100, 6), (4095, 20), (100_000, 20))
LIMIT = 15.0  # microseconds


def main(argv=None) -> Report:
    report = Report("gate", parse(parser(__doc__), argv))
    sizes = SIZES[:2] if report.args.quick else SIZES
    header = ["rows x D", "log_prob us", "engine us", "gate us", "one pass us", "limit us"]
    print_table(header, [compare(report, *size) for size in sizes])
    return report.finish()


def compare(report: Report, rows: int, dim: int) -> list:
    """One line of the table."""
    density = fc.Normal(dim)
    x = density.sample(rows, rng=0)
    contestants = {
        "log_prob": lambda: density.log_prob(x, threads=1),
        "engine": lambda: evaluate(density, "log_prob", x, density.params, None, threads=1),
        "one pass": lambda: np.isfinite(x).all(),
    }
    timings = report.interleave(contestants, budget=3.0)
    gate = Spread.of(timings.seconds["log_prob"] - timings.seconds["engine"])
    limit = LIMIT + 1e6 * timings.spread("one pass").median
    name = f"{rows} x {dim}"
    report.add(f"{name} engine", timings, "engine")
    report.add(f"{name} log_prob", timings, "log_prob", gate=gate.times(1e6)._asdict(), limit=limit)
    times = [timings.spread(key).show(1e6) for key in ("log_prob", "engine")]
    return [name, *times, gate.show(1e6), timings.spread("one pass").show(1e6), f"{limit:.0f}"]


if __name__ == "__main__":
    main()
