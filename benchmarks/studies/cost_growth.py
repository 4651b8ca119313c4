"""How cost grows with rows, D, layers and units: flowcore beside two peers, one pinned core.

    python -m benchmarks.studies.cost_growth [--libraries NAME ...] [--dtype float32] [--limit 5]
        [--env DIR] [--quick] [--picture FILE] [--json FILE]

MAFs; everyone takes turns, in a process of its own. One size grows, the others stay:

    rows     the density of 100 to 10^6 rows: nobody trains on 10^6 rows at once
    D        a training step, D = 2 to 1000; one layer of 1024 units
    layers   a training step, 1 to 16 layers
    units    a training step, 16 to 1024 units in each of two hidden layers

O(n^k) is a slope of k in the log-log picture, fitted to the larger half of the sizes. A peer whose
call takes more than --limit seconds sits out the larger sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..support.cases import DTYPES, Case
from ..support.common import Report, parse, parser
from ..support.cost_picture import series, slope
from ..support.markdown import table
from ..support.timing import significant
from . import cores, environment
from .contestants import LIBRARIES, US
from .worker import Task, build_all, start

PEERS = ("zuko", "flowjax+jit")


@dataclass(frozen=True)
class Sweep:
    """One size that grows; `case` makes the flow of a size."""

    over: str
    work: str
    title: str
    sizes: tuple[int, ...]
    case: Callable[[int], Case]


SWEEPS = (
    Sweep("rows", "density", "density: D = 8, 5 x [128, 128]", tuple(10**k for k in range(2, 7)),
          lambda n: Case("rows", 8, 5, (128, 128), n)),
    Sweep("D", "step", "step: 1 x [1024], 100 rows", (2, 8, 32, 125, 500, 1000),
          lambda n: Case("D", n, 1, (1024,), 100)),
    Sweep("layers", "step", "step: D = 8, [128, 128] each, 100 rows", (1, 2, 4, 8, 16),
          lambda n: Case("layers", 8, n, (128, 128), 100)),
    Sweep("units", "step", "step: D = 8, 5 layers of two times so many, 100 rows",
          (16, 64, 256, 1024), lambda n: Case("units", 8, 5, (n, n), 100)),
)  # fmt: skip


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.cost_growth", argv)
    from threadpoolctl import threadpool_limits

    core = cores.last(1)
    with cores.pinned(core), threadpool_limits(limits=1):  # this process too, for the control
        report = Report("cost_growth", args)
        with start([US, *args.libraries], {"peers": Path(sys.executable)}, core) as found:
            workers, report.machine["versions"] = found
            for sweep in SWEEPS:
                measure(report, sweep, workers)
    print(f"\n{rendered(report.as_dict())}")
    if args.picture:
        draw(report.rows, args.picture)
    report.finish()
    return 0


def arguments(argv):
    peers = [name for name in LIBRARIES if name != US and "tfp" not in name]
    new = parser(__doc__, rounds=9)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--libraries", nargs="*", choices=peers, default=PEERS, metavar="NAME",
                     help=f"{', '.join(peers)} ({' '.join(PEERS)})")  # fmt: skip
    new.add_argument("--dtype", choices=DTYPES, default="float32")
    new.add_argument("--limit", type=float, default=5.0, help="seconds of a peer's call (5)")
    new.add_argument("--picture", metavar="FILE", type=Path, help="a log-log picture, PNG")
    return parse(new, argv)


def measure(report: Report, sweep: Sweep, workers) -> None:
    """A row for every size and contestant."""
    for size in sweep.sizes[:2] if report.args.quick else sweep.sizes:
        case = sweep.case(size)
        present = build_all(workers, {"maf": case}, report.args.dtype)
        able = (name for name in present if sweep.work in LIBRARIES[name].works)
        tasks = {name: Task(workers[name], "maf", sweep.work) for name in able}
        timings = report.interleave(tasks, budget=10 * report.args.limit)
        for name in tasks:
            facts = {"column": f"{sweep.over} {name}", "who": name, sweep.over: size}
            report.add(f"{sweep.over}={size} {name}", timings, name, **facts)
            if name != US and timings.spread(name).median > report.args.limit:
                workers = {who: worker for who, worker in workers.items() if who != name}
        print(f"  {sweep.work}, {case}: {timings.spread(US).show(1e3)} ms", flush=True)


def rendered(document) -> str:
    """Milliseconds at the first and the last size of every sweep, and the slope."""
    rows = document["rows"]
    names = list(dict.fromkeys(row["who"] for row in rows))
    lines = []
    for sweep in SWEEPS:
        cells = {}
        for who in contestants(rows, sweep):
            sizes, seconds, _ = of(rows, sweep, who)
            ends = f"{significant(1e3 * seconds[0])} to {significant(1e3 * seconds[-1])}"
            cells[who] = f"{ends}; {slope_of(rows, sweep, who)}" + (
                f" (up to {sizes[-1]:,.0f})" if sizes[-1] < sweep.sizes[-1] else ""
            )
        label = f"{sweep.over}, {sweep.sizes[0]} to {sweep.sizes[-1]:,} ({sweep.title})"
        lines.append([label, *(cells.get(name) for name in names)])
    return table(["milliseconds; slope", *names], lines)


def contestants(rows, sweep: Sweep) -> list[str]:
    return list(dict.fromkeys(row["who"] for row in rows if sweep.over in row))


def of(rows, sweep: Sweep, who: str):
    return series(rows, f"{sweep.over} {who}", "seconds", sweep.over)


def slope_of(rows, sweep: Sweep, who: str) -> str:
    return f"{slope(rows, f'{sweep.over} {who}', 'seconds', sweep.over):.2f}"


def draw(rows: list[dict], path: Path) -> None:
    """Write the PNG: seconds over each size, log-log."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    for ax, sweep in zip(figure.subplots(2, 2).flat, SWEEPS, strict=True):
        for who in contestants(rows, sweep):
            sizes, seconds, _ = of(rows, sweep, who)
            ax.plot(sizes, seconds, "o-", label=f"{who}: slope {slope_of(rows, sweep, who)}")
        ax.set(xscale="log", yscale="log", xlabel=sweep.over, ylabel="seconds", title=sweep.title)
        ax.grid(True, alpha=0.3)
        ax.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
