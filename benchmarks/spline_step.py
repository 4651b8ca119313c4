"""What a spline costs: a training step with `RationalQuadratic` against the same with `Affine`.

    python -m benchmarks.spline_step [--json FILE] [--quick] [--rounds N]

One layer, the same hidden layers, 8 bins, the step that `fit` does (NLL, gradient, Adam). A spline
wants 23 numbers per coordinate where Affine wants 2, so that the networks' last layers differ; the
ratio of the multiply-adds of all products, counted, stands beside the ratio of the times.
"""

from __future__ import annotations

import flowcore as fc
from flowcore.testing import randomize

from .support.cases import DTYPES
from .support.common import Report, parse, parser
from .support.fit_step import FitStep
from .support.markdown import table

SIZES = ((2, (256, 256), 800), (2, (256, 256), 256), (6, (128, 128), 512), (6, (100, 100), 100),
         (43, (256, 256), 100))  # fmt: skip
TRANSFORMERS = {"affine": fc.Affine(), "spline": fc.RationalQuadratic(bins=8)}
RECIPES = {"autoregressive": fc.flows.maf, "coupling": fc.flows.realnvp}


def main(argv=None) -> Report:
    report = Report("spline_step", parse(parser(__doc__), argv))
    for dim, hidden, rows in SIZES[1:2] if report.args.quick else SIZES:
        for kind in RECIPES:
            for dtype in DTYPES:
                compare(report, kind, dim, hidden, rows, dtype)
    print(rendered(report.as_dict()))
    return report.finish()


def compare(report: Report, kind: str, dim: int, hidden, rows: int, dtype: str) -> None:
    """Two rows of the report."""
    steps, counts = {}, {}
    for name, transformer in TRANSFORMERS.items():
        flow = RECIPES[kind](
            dim, 1, hidden, standardize=False, transformer=transformer, activation="relu",
            dtype=DTYPES[dtype],
        )  # fmt: skip
        flow = randomize(flow)  # a fresh one is the identity: all in the middle bins
        x = fc.Normal(dim).sample(rows, rng=0).astype(DTYPES[dtype])
        steps[name] = FitStep(flow, x)
        counts[name] = steps[name].multiply_adds()
    timings = report.interleave(steps, budget=10.0)
    ratio, products = timings.ratio("spline", "affine"), counts["spline"] / counts["affine"]
    size = f"{kind} D={dim} {len(hidden)}x{hidden[0]}, {rows} rows"
    report.add(f"{size} {dtype} affine", timings, "affine")
    facts = {"per_affine": ratio._asdict(), "products": products}
    report.add(f"{size} {dtype} spline", timings, "spline", **facts)


def rendered(document) -> str:
    """The time of a step with splines over that with affine maps, and the ratio of products."""
    rows = {row["name"]: row for row in document["rows"] if "per_affine" in row}
    lines = []
    for size in dict.fromkeys(name.partition(" ")[2] for name in rows if "float32" in name):
        own = [rows[f"{kind} {size}"] for kind in RECIPES]
        numbers = (f"{row['per_affine']['median']:.2f} ({row['products']:.2f})" for row in own)
        lines.append([size.removesuffix(" float32 spline"), *numbers])
    return table(["spline / affine (products)", *RECIPES], lines)


if __name__ == "__main__":
    main()
