"""Sampling from a MAF: the sequential direction, beside the one-pass direction.

    python -m benchmarks.sampling [--cases ABCDE] [--json FILE] [--quick] [--rounds N]

Two tables. First the cases: 1000 samples, degree by degree (the default), and the density of 1000
rows. Then one layer of several sizes: seconds of the sequential direction divided by those of the
one-pass direction of the same network, degree by degree and by the textbook loop, which runs the
network D times.
"""

from __future__ import annotations

from functools import partial

from .support.cases import CASES, Case
from .support.common import Report, parse, parser, print_table
from .support.timing import DTYPES

# dim, hidden, rows
LAYERS = (
    (6, (100, 100), 1000),
    (43, (512, 512), 1000),
    (63, (512, 512), 1000),
    (784, (1024,), 100),
)
QUICK_LAYERS = ((6, (100, 100), 100), (43, (128, 128), 100))


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", default="ABCDE", help="which of the cases A to E")
    report = Report("sampling", parse(options, argv))
    n = 100 if report.args.quick else 1000
    samples(report, [CASES[name] for name in report.args.cases], n)
    print("\none layer: sequential direction / one-pass direction")
    sequential_against_one_pass(report, QUICK_LAYERS if report.args.quick else LAYERS)
    return report.finish()


def samples(report: Report, cases, n: int) -> None:
    """n samples, and the density of n rows, of every case in both precisions."""
    contestants = {}
    for case in cases:
        for dtype, numpy_type in DTYPES.items():
            flow, x = case.flow(dtype=numpy_type), case.data(n, numpy_type)
            contestants[f"{case.name} {dtype}"] = partial(flow.sample, n, rng=0)
            contestants[f"{case.name} {dtype} density"] = partial(flow.log_prob, x)
    timings = report.interleave(contestants)
    table = []
    for case in cases:
        for dtype in DTYPES:
            name = f"{case.name} {dtype}"
            ratio = timings.ratio(name, f"{name} density")
            report.add(name, timings, name, n=n, per_density=ratio._asdict())
            ms = [timings.spread(k).show(1e3) for k in (name, f"{name} density")]
            table.append([case.shape, dtype, *ms, ratio.show()])
    header = ["case", "dtype", f"sample {n}, ms", f"density of {n}, ms", "sample / density"]
    print_table(header, table)


def sequential_against_one_pass(report: Report, sizes) -> None:
    """The two directions of one layer, without the base density."""
    table = []
    for dim, hidden, rows in sizes:
        for dtype, numpy_type in DTYPES.items():
            timings = report.interleave(directions(dim, hidden, rows, numpy_type), budget=10.0)
            size = f"D={dim} {len(hidden)}x{hidden[0]}, {rows} rows"
            ratio, textbook = (timings.ratio(k, "one pass") for k in ("by degree", "textbook"))
            name = f"layer {size} {dtype}"
            report.add(name, timings, "by degree", per_one_pass=ratio._asdict())
            report.add(f"{name} one pass", timings, "one pass")
            report.add(f"{name} textbook", timings, "textbook", per_one_pass=textbook._asdict())
            ms = [timings.spread(k).show(1e3) for k in ("one pass", "by degree")]
            table.append([size, dtype, *ms, ratio.show(), textbook.show()])
    header = ["layer", "dtype", "one pass, ms", "by degree, ms", "ratio", "textbook ratio"]
    print_table(header, table)


def directions(dim, hidden, rows, dtype):
    """Both directions of one masked autoregressive layer, the sequential one by both methods."""
    case = Case("", dim, 1, hidden, rows)
    maf, x = case.flow(dtype=dtype).bijector, case.data(dtype=dtype)
    textbook = case.flow(dtype=dtype, method="sequential").bijector
    return {
        "one pass": lambda: maf.inverse_and_log_det(x),
        "by degree": lambda: maf.forward_and_log_det(x),
        "textbook": lambda: textbook.forward_and_log_det(x),
    }


if __name__ == "__main__":
    main()
