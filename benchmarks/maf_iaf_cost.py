"""What MAF and IAF cost: network passes and seconds, of density and of sampling, over D.

    python -m benchmarks.maf_iaf_cost [--picture FILE] [--json FILE] [--quick] [--largest 1024]
        [--width 1024] [--rows 100] [--cap 10]

The textbook's cost: a MAF needs 1 pass of its network for a density and D for a sample, an IAF the
other way round. That is a property of the textbook loop (`method="sequential"`), which runs the
whole network once for every coordinate. Degree by degree (`method="by_degree"`, the default) every
hidden unit is computed once: the products of one pass, cut into D narrow ones, in either direction
of either flow.

One layer of each, at a fixed hidden width (at least D - 1, or the masks would forbid dependencies)
and a fixed number of rows, for D = 2, 4, 8, ...; RealNVP and NICE with two couplings, so that every
coordinate is transformed once, as in one layer of a MAF.

* Passes are counted: the multiply-adds of all matrix products that a call really makes, divided by
  those of one pass of its own network(s). (Less than 1: the one-pass direction multiplies a few
  blocks of zeros, the walk from degree to degree none.)
* Seconds are medians over rounds in which all flows take turns. Where the textbook loop would take
  longer than --cap seconds a call, they are D times those of one of its steps, marked with ~.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import flowcore as fc

from .support.cases import Case, count_multiply_adds
from .support.common import Report, parse, parser, print_table
from .support.cost_picture import draw, slope
from .support.timing import DTYPES, elapsed_seconds, significant


@dataclass(frozen=True)
class Column:
    """One flow, one operation, one way of doing it."""

    name: str
    kind: str
    operation: str
    method: str | None = None
    layers: int = 1


COLUMNS = (
    Column("MAF density", "maf", "density"),
    Column("MAF sampling, textbook", "maf", "sampling", "sequential"),
    Column("MAF sampling, by degree", "maf", "sampling", "by_degree"),
    Column("IAF density, textbook", "iaf", "density", "sequential"),
    Column("IAF density, by degree", "iaf", "density", "by_degree"),
    Column("IAF sampling", "iaf", "sampling"),
    Column("RealNVP density", "realnvp", "density", layers=2),
    Column("RealNVP sampling", "realnvp", "sampling", layers=2),
    Column("NICE density", "nice", "density", layers=2),
    Column("NICE sampling", "nice", "sampling", layers=2),
)


@dataclass(frozen=True)
class Call:
    """What is timed: `run` is one of `parts` equal parts of the operation.

    d_steps   for the textbook loop: D times the seconds of one of its steps
    """

    run: Callable
    passes: float
    parts: int = 1
    d_steps: float | None = None


def main(argv=None) -> Report:
    options = parser(__doc__, rounds=9)
    options.add_argument("--largest", type=int, help="the largest D (1024)")
    options.add_argument("--width", type=int, help="units of the one hidden layer (1024)")
    options.add_argument("--rows", type=int, help="rows of one call (100)")
    options.add_argument("--cap", type=float, default=10.0, help="seconds of a textbook call (10)")
    options.add_argument("--dtype", choices=DTYPES, default="float64")
    options.add_argument("--picture", metavar="FILE", type=Path, help="a log-log picture, PNG")
    args = parse(options, argv)
    _set_sizes(options, args)
    report = Report("maf_iaf_cost", args)
    title = f"one layer, {args.width} hidden units, {args.rows} rows, {args.dtype}"
    print(title)
    for k in range(1, args.largest.bit_length()):
        measure(report, 2**k)
    show(report.rows, "passes", "network passes, counted")
    show(report.rows, "seconds", "milliseconds (~: D times one step of the loop)")
    print("slope: of log passes, or log seconds, over log D, for the larger half of the D")
    _check_extrapolation(report.rows)
    if args.picture:
        draw(report.rows, args.picture, title)
    return report.finish()


def _set_sizes(options, args) -> None:
    """--largest, --width and --rows, where the command line has none."""
    defaults = (16, 32, 20) if args.quick else (1024, 1024, 100)
    for name, value in zip(("largest", "width", "rows"), defaults, strict=True):
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.largest < 2 or args.width < args.largest - 1:
        options.error("--largest must be at least 2, and --width at least --largest - 1")


def measure(report: Report, dim: int) -> None:
    """Passes and seconds of all columns at one D; adds the rows to the report."""
    calls = {column.name: prepare(column, dim, report.args) for column in COLUMNS}
    contestants = {name: call.run for name, call in calls.items()}
    timings = report.interleave(contestants, budget=report.args.cap)
    for name, call in calls.items():
        facts = {"column": name, "dim": dim, "passes": call.passes}
        if call.d_steps is not None:
            facts.update(extrapolated=call.parts > 1, d_steps_seconds=call.d_steps)
        report.add(f"{name} D={dim}", timings, name, parts=call.parts, **facts)


def prepare(column: Column, dim: int, args) -> Call:
    """The call that is timed, and the passes that it makes."""
    case = Case("", dim, column.layers, (args.width,), args.rows)
    dtype = DTYPES[args.dtype]
    flow, x = case.flow(column.kind, dtype, column.method), case.data(dtype=dtype)
    call = Call(operation(column, flow, x), count_passes(column, flow, x[:1]))
    if column.method != "sequential":
        return call
    step = textbook_step(flow, x)
    step()
    d_steps = dim * min(elapsed_seconds(step) for _ in range(3))
    if d_steps > args.cap:
        return Call(step, call.passes, dim, d_steps)
    return replace(call, d_steps=d_steps)


def operation(column: Column, flow, x) -> Callable:
    """A function: the density of the rows x, or as many samples."""
    if column.operation == "density":
        return lambda: flow.log_prob(x)
    return lambda: flow.sample(len(x), rng=0)


def count_passes(column: Column, flow, x) -> float:
    """Multiply-adds of the operation / those of one pass of each of its networks."""

    def one_pass(flow):
        for leaf in flow.bijector.leaves:
            if isinstance(leaf, fc.MADE | fc.MLP):
                leaf(x[:, : leaf.in_dim])

    done = count_multiply_adds(lambda flow: operation(column, flow, x)(), flow)
    return done / count_multiply_adds(one_pass, flow)


def textbook_step(flow, x) -> Callable:
    """One of the D equal steps of the textbook loop: the whole network, one coordinate."""
    (part,) = flow.bijector.bijectors
    maf = part.bijector if isinstance(part, fc.Invert) else part

    def step():
        phi = maf.made(x, maf.made.params)
        maf.transformer.forward_and_log_det(x[:, -1], phi[:, -1])

    return step


def show(rows: list[dict], quantity: str, title: str) -> None:
    """One line for every flow, operation and method; one column for every D, then the slope."""
    dims = sorted({row["dim"] for row in rows})
    cells = {(row["column"], row["dim"]): _cell(row, quantity) for row in rows}
    table = [
        [name, *(cells[name, dim] for dim in dims), f"{slope(rows, name, quantity):.2f}"]
        for name in dict.fromkeys(row["column"] for row in rows)
    ]
    print(f"\n{title}")
    print_table(["", *(f"D={dim}" for dim in dims), "slope"], table)


def _cell(row: dict, quantity: str) -> str:
    if quantity == "passes":
        return significant(row["passes"])
    return ("~" if row.get("extrapolated") else "") + significant(1e3 * row["seconds"]["median"])


def _check_extrapolation(rows: list[dict]) -> None:
    """How well D steps predict the loop, at the largest D at which it was really timed."""
    timed = [row for row in rows if row.get("extrapolated") is False]
    for row in timed[-2:]:
        ratio = row["seconds"]["median"] / row["d_steps_seconds"]
        print(f"{row['name']}: the whole loop took {ratio:.2f} times D single steps")


if __name__ == "__main__":
    main()
