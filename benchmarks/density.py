"""log_prob of one batch, with the flow's own parameters and without a gradient.

    python -m benchmarks.density [--cases ABCDEJ] [--json FILE] [--quick] [--rounds N]

For every case, in float32 and float64: milliseconds, rows per second, and how much of the machine's
GEMM peak, measured in the same run, the products reach. (--quick is too short to measure the peak.)
A to E are MAFs, J is an IAF.
"""

from __future__ import annotations

from functools import partial

from .support.cases import CASES, count_multiply_adds, measured
from .support.common import Report, letters, parse, parser, print_table


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", type=letters, default="ABCDEJ", help="letters (ABCDEJ)")
    report = Report("density", parse(options, argv))
    calls, multiply_adds = {}, {}
    for name, flow, x in measured(report.args.cases):
        calls[name] = partial(flow.log_prob, x)
        multiply_adds[name] = count_multiply_adds(lambda flow, x=x: flow.log_prob(x), flow)
    timings, table = report.interleave(calls), []
    for name, count in multiply_adds.items():
        letter, dtype = name.split()
        case, seconds = CASES[letter], timings.spread(name)
        of_peak = report.of_peak(count, seconds.median, dtype)
        report.add(name, timings, name, multiply_adds=count, share_of_gemm_peak=of_peak)
        speed = f"{case.batch / seconds.median:,.0f}"
        control = timings.ratio(name, "control").median
        table.append([case, dtype, seconds.show(1e3), speed, 100 * of_peak, control])
    print_table(["case", "dtype", "ms", "rows/s", "% of GEMM peak", "per control"], table)
    return report.finish()


if __name__ == "__main__":
    main()
