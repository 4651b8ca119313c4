"""A training step while somebody else computes: medians and 99th percentiles, flowcore and peers.

    python -m benchmarks.studies.busy [--cases BCD] [--libraries NAME ...] [--rounds 5]
        [--seconds 2] [--env DIR] [--quick] [--json FILE]

Four states of the machine, one after the other: every contestant alone on one core; all cores, and
nobody else; a neighbour that spins on the first core; neighbours that spin on the first two. In
each of them all contestants take turns, round after round, and every step is timed on its own. With
neighbours nobody keeps away from their cores: libraries choose their threads as they always do.

The control is "products": the dense products of the same step in a plain loop of `np.dot`, one
thread, pinned to the last core, as many of them as take about the time of a step of flowcore: a
longer piece of work meets an interruption more often. How far its 99th percentile is above its
median is the machine's doing. Ratios are to the same contestant's median alone on one core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from ..support.cases import CASES
from ..support.common import Report, letters, parse, parser
from . import cores, environment
from .contestants import CONTESTANTS, US
from .tables import costs
from .worker import PAUSE, Worker, build_all, start

PEERS = ("flowjax+jit", "hand-jitted", "zuko")
CONTROL = "products"
ALONE = "one core"
STATES = {ALONE: 0, "quiet": 0, "one neighbour": 1, "two neighbours": 2}  # who spin
LEAST = 20  # steps of a turn
SPIN = """
import os, sys
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""  # ends by itself when whoever started it is gone


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.busy", argv)
    report = Report("busy", args)
    measure(report, {"peers": Path(sys.executable)})
    print("\nA training step, float32: the median (99th percentile)")
    print(costs.busy(report.as_dict()))
    report.interleave({})  # the control of all benchmarks, quiet
    report.finish()
    return 0


def arguments(argv):
    new = parser(__doc__, rounds=5, seconds=2.0)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--cases", type=letters, help="letters (BCD; with --quick A)")
    names = [name for name in CONTESTANTS if name not in (US, CONTROL) and "tfp" not in name]
    new.add_argument("--libraries", nargs="*", choices=names, metavar="NAME",
                     help=f"{', '.join(names)} ({' '.join(PEERS)})")  # fmt: skip
    args = parse(new, argv, quick=(2, 0.05))
    args.cases = args.cases or ("A" if args.quick else "BCD")
    peers = PEERS if args.libraries is None else args.libraries
    args.libraries = list(dict.fromkeys([US, *peers, CONTROL]))
    return args


def measure(report: Report, pythons) -> None:
    """A row of the report for every case, state and contestant."""
    args, last = report.args, cores.last(1)
    with ExitStack() as open_ones:
        alone, versions = open_ones.enter_context(start(args.libraries, pythons, last))
        report.machine["versions"] = versions
        free = {CONTROL: alone[CONTROL]}
        for name in alone.keys() - {CONTROL}:
            python = pythons[CONTESTANTS[name].environment]
            free[name] = open_ones.enter_context(Worker(name, python))
        for letter in args.cases:
            case = CASES[letter]
            pinned = able(alone, case)
            everywhere = able({name: free[name] for name in alone}, case)
            products = round(typical(pinned[US], case.kind) / typical(pinned[CONTROL], case.kind))
            at_once = {CONTROL: max(1, products)}
            for state, n_neighbours in STATES.items():
                with neighbours(n_neighbours):
                    workers = pinned if state == ALONE else everywhere
                    seconds = in_turn(workers, case.kind, at_once, args)
                keep(report, letter, state, seconds)


def able(workers: dict[str, Worker], case) -> dict[str, Worker]:
    """Those that have built the flow of this case."""
    return {name: workers[name] for name in build_all(workers, {case.kind: case}, "float32")}


@contextmanager
def neighbours(n: int) -> Iterator[list[subprocess.Popen]]:
    """So many processes that do nothing but spin, each on a core of its own, the first ones."""
    places = cores.usable()
    running = []
    try:
        for k in range(n):
            with cores.pinned([places[k % len(places)]]):
                command = [sys.executable, "-c", SPIN, str(os.getpid())]
                running.append(subprocess.Popen(command))
        time.sleep(0.2 if n else 0)  # until they spin
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def in_turn(workers: dict[str, Worker], kind: str, at_once: dict[str, int], args):
    """{name: seconds of all turns, over all rounds}; a turn is a step, or `at_once` of them."""
    found: dict[str, list[float]] = {name: [] for name in workers}
    repeats = {}
    for name, worker in workers.items():
        seconds = typical(worker, kind, at_once.get(name, 1))
        repeats[name] = max(LEAST, round(args.seconds / seconds))
    for _ in range(args.rounds):
        for name, worker in workers.items():
            found[name] += steps(worker, kind, repeats[name], at_once.get(name, 1))
    return {name: np.array(seconds) for name, seconds in found.items()}


def typical(worker: Worker, kind: str, at_once: int = 1) -> float:
    """Seconds of a turn, once it is warm, and compiled."""
    steps(worker, kind, LEAST // 4, at_once)
    return float(np.median(steps(worker, kind, LEAST // 4, at_once)))


def steps(worker: Worker, kind: str, repeats: int, at_once: int) -> list[float]:
    time.sleep(PAUSE)  # the threads of the one before fall asleep
    return worker.ask(do="steps", flow=kind, repeats=repeats, at_once=at_once)["seconds"]


def keep(report: Report, letter: str, state: str, seconds: dict[str, np.ndarray]) -> None:
    """A row of the report for every contestant, and a line on the screen."""
    alone = {row["who"]: row["median"] for row in report.rows
             if (row["case"], row["state"]) == (letter, ALONE)}  # fmt: skip
    rows = summary(seconds, alone)
    for row in rows:
        name = f"{letter} {state} {row['who']}"
        report.rows.append({"name": name, "case": letter, "state": state, **row})
        if row["who"] == US:
            print(f"  {CASES[letter].shape}, {state}: {1e3 * row['median']:.3g} ms", flush=True)


def summary(seconds: dict[str, np.ndarray], alone: dict[str, float]) -> list[dict]:
    """Of every contestant: median, 99th percentile, and the ratio to one core.

    alone: the medians on one core; without them this is that state.
    """
    rows = []
    for who, values in seconds.items():
        median, p99 = (float(q) for q in np.quantile(values, [0.5, 0.99]))
        per = median / alone.get(who, median)
        row = {"who": who, "steps": len(values), "median": median, "p99": p99}
        rows.append({**row, "per_one_core": per})
    return rows


if __name__ == "__main__":
    sys.exit(main())
