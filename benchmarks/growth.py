"""Seconds grow linearly with rows, layers and parameters (`python -m benchmarks.growth`).

    python -m benchmarks.growth [--json FILE] [--quick] [--rounds N]

A MAF over D = 16 coordinates: one of the three is doubled twice, the others stay. Shown are the
milliseconds of a density, a sample and a training step at the three sizes, and the exponent k of
seconds ~ size^k: 1 is linear; below 1 means that the fixed cost of a call still counts.
"""

from __future__ import annotations

import numpy as np

from .common import Case, FitStep, Report, parse, parser, print_table

DIM = 16
FULL = {"rows": 1000, "layers": 2, "width": 256}
QUICK = {"rows": 100, "layers": 1, "width": 32}
OPERATIONS = ("density", "sampling", "training step")


def main(argv=None) -> Report:
    return growth(Report("growth", parse(parser(__doc__), argv))).finish()


def growth(report: Report) -> Report:
    """Three sizes each; adds the rows to the report and prints the table."""
    table = []
    for what in ("rows", "layers", "parameters"):
        sizes = dict(
            size_and_calls(what, k, QUICK if report.args.quick else FULL) for k in (1, 2, 4)
        )
        for operation in OPERATIONS:
            contestants = {str(size): calls[operation] for size, calls in sizes.items()}
            timings = report.interleave(contestants)
            seconds = [timings.spread(name).median for name in contestants]
            exponent = float(np.polyfit(np.log(list(sizes)), np.log(seconds), 1)[0])
            for size in sizes:
                name = f"{operation}, {what} {size}"
                report.add(name, timings, str(size), what=what, size=size, exponent=exponent)
            shown = [f"{size}: {1e3 * s:.3g}" for size, s in zip(sizes, seconds, strict=True)]
            table.append([what, operation, *shown, f"{exponent:.2f}"])
    header = ["growing", "operation", "size: ms", "size: ms", "size: ms", "exponent"]
    print_table(header, table)
    return report


def size_and_calls(what: str, factor: int, base: dict) -> tuple[int, dict]:
    """The size, and the functions that are timed; parameters grow by the width of one layer."""
    rows = base["rows"] * (factor if what == "rows" else 1)
    layers = base["layers"] * (factor if what == "layers" else 1)
    width = base["width"] * (factor if what == "parameters" else 1)
    case = Case("", DIM, layers, (width,) if what == "parameters" else (width, width), rows)
    flow, x = case.flow(), case.data()
    size = {"rows": rows, "layers": layers, "parameters": flow.n_params}[what]
    calls = (lambda: flow.log_prob(x), lambda: flow.sample(rows, rng=0), FitStep(flow, x))
    return size, dict(zip(OPERATIONS, calls, strict=True))


if __name__ == "__main__":
    main()
