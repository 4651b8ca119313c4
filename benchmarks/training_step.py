"""One training step: the mean NLL, its gradient and Adam, as `fit` does them for a batch.

    python -m benchmarks.training_step [--cases ABCDEJ] [--json FILE] [--quick] [--rounds N]

For every case, in float32 and float64: the step, Adam's part of it, and how much of the machine's
GEMM peak, measured in the same run, the products of the step reach. (--quick is too short to
measure the peak.) A to E are MAFs. J is an IAF, whose density is the sequential direction, degree
by degree, and whose gradient is the adjoint walk.
"""

from __future__ import annotations

from .support.cases import CASES, adam_alone, measured
from .support.common import Report, letters, parse, parser, print_table
from .support.fit_step import FitStep


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", type=letters, default="ABCDEJ", help="letters (ABCDEJ)")
    report = Report("training_step", parse(options, argv))
    steps, adams = {}, {}
    for name, flow, x in measured(report.args.cases):
        steps[name], adams[f"{name} Adam"] = FitStep(flow, x), adam_alone(flow)
    timings, table = report.interleave(steps | adams), []
    for name, step in steps.items():
        letter, dtype = name.split()
        count, seconds = step.multiply_adds(), timings.spread(name)
        of_peak = report.of_peak(count, seconds.median, dtype)
        report.add(name, timings, name, multiply_adds=count, share_of_gemm_peak=of_peak)
        report.add(f"{name} Adam", timings, f"{name} Adam")
        adam, control = (timings.ratio(*pair).median
                         for pair in ((f"{name} Adam", name), (name, "control")))  # fmt: skip
        shown = [seconds.show(1e3), f"{adam:.0%}", 100 * of_peak, control]
        table.append([CASES[letter], dtype, *shown])
    print_table(["case", "dtype", "ms", "Adam", "% of GEMM peak", "per control"], table)
    return report.finish()


if __name__ == "__main__":
    main()
