"""log_prob of one batch, with the flow's own parameters and without a gradient.

    python -m benchmarks.density [--cases ABCDE] [--json FILE] [--quick] [--rounds N]

For every case (MAF, float32 and float64): milliseconds, rows per second, and how much of the
machine's GEMM peak, measured in the same run, the products reach.
"""

from __future__ import annotations

from functools import partial

from .support.cases import CASES, count_multiply_adds
from .support.common import Report, parse, parser, print_table
from .support.timing import DTYPES


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", default="ABCDE", help="which of the cases A to E")
    report = Report("density", parse(options, argv))
    densities(report, [CASES[name] for name in report.args.cases])
    return report.finish()


def densities(report: Report, cases) -> None:
    """The density of a batch of every case in both precisions."""
    contestants, multiply_adds = {}, {}
    for case in cases:
        for dtype, numpy_type in DTYPES.items():
            name = f"{case.name} {dtype}"
            flow, x = case.flow(dtype=numpy_type), case.data(dtype=numpy_type)
            contestants[name] = partial(flow.log_prob, x)
            multiply_adds[name] = count_multiply_adds(lambda flow: flow.log_prob(x), flow)  # noqa: B023
    timings = report.interleave(contestants)
    table = []
    for name, count in multiply_adds.items():
        letter, dtype = name.split()
        case, seconds = CASES[letter], timings.spread(name)
        of_peak = 2e-9 * count / seconds.median / report.peak[dtype]
        report.add(name, timings, name, multiply_adds=count, share_of_gemm_peak=of_peak)
        speed = f"{case.batch / seconds.median:,.0f}"
        control = timings.ratio(name, "control").median
        table.append([case, dtype, seconds.show(1e3), speed, f"{of_peak:.0%}", control])
    print_table(["case", "dtype", "ms", "rows/s", "of GEMM peak", "per control"], table)


if __name__ == "__main__":
    main()
