"""Samples beside densities: 1000 of each, in milliseconds.

    python -m benchmarks.sampling [--cases ABCDEJ] [--json FILE] [--quick] [--rounds N]

For every case, in float32 and float64. A to E are MAFs, which are sampled in the sequential
direction, degree by degree; J is an IAF, which is sampled in one pass. The textbook's loop is in
`benchmarks.maf_iaf_cost`.
"""

from __future__ import annotations

from functools import partial

from .support.cases import CASES, measured
from .support.common import Report, letters, parse, parser, print_table


def main(argv=None) -> Report:
    options = parser(__doc__)
    options.add_argument("--cases", type=letters, default="ABCDEJ", help="letters (ABCDEJ)")
    report = Report("sampling", parse(options, argv))
    n = 100 if report.args.quick else 1000
    samples, densities = {}, {}
    for name, flow, x in measured(report.args.cases):
        rows = CASES[name[0]].data(n, x.dtype)
        samples[name] = partial(flow.sample, n, rng=0)
        densities[f"{name} density"] = partial(flow.log_prob, rows)
    timings, table = report.interleave(samples | densities), []
    for name in samples:
        letter, dtype = name.split()
        ratio = timings.ratio(name, f"{name} density")
        report.add(name, timings, name, n=n, per_density=ratio._asdict())
        ms = [timings.spread(k).show(1e3) for k in (name, f"{name} density")]
        table.append([CASES[letter].shape, dtype, *ms, ratio.show()])
    header = ["case", "dtype", f"sample {n}, ms", f"density of {n}, ms", "sample / density"]
    print_table(header, table)
    return report.finish()


if __name__ == "__main__":
    main()
