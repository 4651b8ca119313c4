"""How cost grows with rows, D, layers and units: flowcore beside two peers, one pinned core.

    python -m benchmarks.studies.cost_growth [--libraries NAME ...] [--env DIR] [--quick]
        [--picture FILE] [--json FILE]

MAFs in float32; everyone takes turns, in a process of its own. One size grows, the others stay:

    rows     the density of 100 to 10^6 rows: nobody trains on 10^6 rows at once
    D        a training step, D = 2 to 1000; one layer of 1024 units
    layers   a training step, 1 to 16 layers
    units    a training step, 16 to 1024 units in each of two hidden layers

O(n^k) is a slope of k in the log-log picture, fitted to the larger half of the sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..support.cases import Case
from ..support.common import Report, parse, parser
from ..support.cost_picture import series, slope
from ..support.markdown import table
from ..support.timing import significant
from . import cores, environment
from .contestants import LIBRARIES, US
from .worker import Task, build_all, start

PEERS = ("zuko", "flowjax+jit")
BUDGET = 15  # seconds for one number, about


class Sweep(NamedTuple):
    """One size that grows; `case` makes the flow of a size."""

    over: str
    work: str
    rest: str
    sizes: tuple[int, ...]
    case: Callable[[int], Case]


SWEEPS = (
    Sweep("rows", "density", "D = 8, 5 x [128, 128]", tuple(10**k for k in range(2, 7)),
          lambda n: Case("rows", 8, 5, (128, 128), n)),
    Sweep("D", "step", "1 x [1024], 100 rows", (2, 8, 32, 125, 500, 1000),
          lambda n: Case("D", n, 1, (1024,), 100)),
    Sweep("layers", "step", "D = 8, [128, 128], 100 rows", (1, 2, 4, 8, 16),
          lambda n: Case("layers", 8, n, (128, 128), 100)),
    Sweep("units", "step", "D = 8, 5 x 2 layers, 100 rows", (16, 64, 256, 512, 1024),
          lambda n: Case("units", 8, 5, (n, n), 100)),
)  # fmt: skip


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.cost_growth", argv)
    core = cores.last(1)
    with cores.pinned(core):
        report = Report("cost_growth", args)
        with start([US, *args.libraries], Path(sys.executable), core) as found:
            workers, report.machine["versions"] = found
            for sweep in SWEEPS:
                measure(report, sweep, workers)
    print(f"\n{rendered(report.as_dict())}")
    if args.picture:
        draw(report.rows, args.picture)
    report.finish()
    return 0


def arguments(argv):
    peers = [name for name in LIBRARIES if name != US]
    new = parser(__doc__, rounds=9)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--libraries", nargs="*", choices=peers, default=PEERS, metavar="NAME",
                     help=f"{', '.join(peers)} ({' '.join(PEERS)})")  # fmt: skip
    new.add_argument("--picture", metavar="FILE", type=Path, help="a log-log picture, PNG")
    return parse(new, argv)


def measure(report: Report, sweep: Sweep, workers) -> None:
    """A row for every size and contestant."""
    workers = {who: worker for who, worker in workers.items() if sweep.work in LIBRARIES[who].works}
    for size in sweep.sizes[:2] if report.args.quick else sweep.sizes:
        present = build_all(workers, {"maf": sweep.case(size)}, "float32")
        tasks = {who: Task(workers[who], "maf", sweep.work) for who in present}
        timings = report.interleave(tasks, budget=BUDGET)
        for who in tasks:
            facts = {"column": f"{sweep.over} {who}", "who": who, sweep.over: size}
            report.add(f"{sweep.over}={size} {who}", timings, who, **facts)
        print(f"  {sweep.work}, {sweep.over} = {size:,}: {timings.spread(US).show(1e3)} ms")


def curves(rows: list[dict], sweep: Sweep) -> Iterator[tuple]:
    """(who, sizes, seconds, slope) of everyone."""
    for who in dict.fromkeys(row["who"] for row in rows if sweep.over in row):
        which = rows, f"{sweep.over} {who}", "seconds", sweep.over
        yield who, *series(*which)[:2], slope(*which)


def rendered(document) -> str:
    """Milliseconds at the first and the last size of every sweep, and the slope."""
    names = list(dict.fromkeys(row["who"] for row in document["rows"]))
    lines = []
    for sweep in SWEEPS:
        cells = {}
        for who, _, seconds, power in curves(document["rows"], sweep):
            first, last = (significant(1e3 * seconds[k]) for k in (0, -1))
            cells[who] = f"{first} to {last}; {power:.2f}"
        label = (
            f"{sweep.work}, {sweep.over} = {sweep.sizes[0]} to {sweep.sizes[-1]:,} ({sweep.rest})"
        )
        lines.append([label, *map(cells.get, names)])
    return table(["milliseconds; slope", *names], lines)


def draw(rows: list[dict], path: Path) -> None:
    """Write the PNG: seconds over each size, log-log."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    for ax, sweep in zip(figure.subplots(2, 2).flat, SWEEPS, strict=True):
        for who, sizes, seconds, power in curves(rows, sweep):
            ax.loglog(sizes, seconds, "o-", label=f"{who}: slope {power:.2f}")
        ax.set(xlabel=sweep.over, ylabel="seconds", title=f"{sweep.work}: {sweep.rest}")
        ax.grid(True, alpha=0.3)
        ax.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
