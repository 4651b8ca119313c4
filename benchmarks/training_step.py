"""One training step: the mean NLL, its gradient and Adam, as `fit` does them for a batch.

    python -m benchmarks.training_step [--cases ABCDE] [--json FILE] [--quick] [--rounds N]

Two tables. First the cases (MAF, float32 and float64): the step, Adam's part of it, and how much of
the machine's GEMM peak, measured in the same run, the products of the step reach. Then a MAF and an
IAF trained by maximum likelihood on the same rows: a density of an IAF is the sequential direction,
degree by degree with its adjoint walk, or the textbook loop with its tape of D networks.
"""

from __future__ import annotations

from .support.cases import CASES, Case, adam_alone
from .support.common import Report, parse, parser, print_table
from .support.fit_step import FitStep
from .support.timing import DTYPES

# dim, hidden, rows
IAF_AGAINST_MAF = ((43, (512, 512), 100), (43, (512, 512), 1000))
QUICK_IAF_AGAINST_MAF = ((12, (64, 64), 100),)
TAPE_ROWS = 100  # the tape of the textbook loop holds D networks: more rows need gigabytes


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", default="ABCDE", help="which of the cases A to E")
    report = Report("training_step", parse(options, argv))
    steps(report, [CASES[name] for name in report.args.cases])
    print("\nIAF and MAF by maximum likelihood, one layer (textbook: the tape of D networks)")
    iaf_against_maf(report, QUICK_IAF_AGAINST_MAF if report.args.quick else IAF_AGAINST_MAF)
    return report.finish()


def steps(report: Report, cases: list[Case]) -> None:
    """A step of every case in both precisions."""
    contestants, multiply_adds = {}, {}
    for case in cases:
        for dtype in DTYPES:
            name, flow = f"{case.name} {dtype}", case.flow(dtype=DTYPES[dtype])
            x = case.data(dtype=DTYPES[dtype])
            contestants[name] = step = FitStep(flow, x)
            contestants[f"{name} Adam"] = adam_alone(flow)
            multiply_adds[name] = step.multiply_adds()
    timings = report.interleave(contestants)
    table = []
    for name, count in multiply_adds.items():
        letter, dtype = name.split()
        gflops = 2e-9 * count / timings.spread(name).median
        of_peak = gflops / report.peak[dtype]
        report.add(name, timings, name, multiply_adds=count, share_of_gemm_peak=of_peak)
        report.add(f"{name} Adam", timings, f"{name} Adam")
        adam = timings.ratio(f"{name} Adam", name).median
        step = timings.spread(name).show(1e3)
        control = timings.ratio(name, "control").median
        table.append([CASES[letter], dtype, step, f"{adam:.0%}", f"{of_peak:.0%}", control])
    print_table(["case", "dtype", "ms", "Adam", "of GEMM peak", "per control"], table)


def iaf_against_maf(report: Report, sizes) -> None:
    """IAF step / MAF step, by degree and by the textbook loop."""
    table = []
    for dim, hidden, rows in sizes:
        case = Case("", dim, 1, hidden, rows)
        for dtype, numpy_type in DTYPES.items():
            x = case.data(dtype=numpy_type)
            flows = {kind: case.flow(kind, numpy_type) for kind in ("maf", "iaf")}
            if rows <= TAPE_ROWS:
                flows["textbook"] = case.flow("iaf", numpy_type, "sequential")
            steps = {name: FitStep(flow, x) for name, flow in flows.items()}
            timings = report.interleave(steps, budget=10.0)
            size = f"D={dim} {len(hidden)}x{hidden[0]}, {rows} rows"
            report.add(f"MAF {size} {dtype}", timings, "maf")
            ratios = {}
            for name in list(flows)[1:]:
                ratio = ratios[name] = timings.ratio(name, "maf")
                row = f"IAF {'textbook ' * (name == 'textbook')}{size} {dtype}"
                report.add(row, timings, name, per_maf=ratio._asdict())
            ms = [timings.spread(name).show(1e3) for name in ("maf", "iaf")]
            shown = [ratios[k].show() if k in ratios else "-" for k in ("iaf", "textbook")]
            table.append([size, dtype, *ms, *shown])
    header = ["one layer", "dtype", "MAF ms", "IAF ms", "IAF / MAF", "textbook / MAF"]
    print_table(header, table)


if __name__ == "__main__":
    main()
