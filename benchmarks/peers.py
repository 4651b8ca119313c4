"""flowcore against zuko, nflows, normflows, flowjax (and TFP): the same flows, in one run, in turn.

    python -m benchmarks.peers [--cases ABCDE] [--libraries NAME ...] [--dtype float32] [--env DIR]
                               [--threads N] [--iaf-rows 100 1000] [--with-tfp] [--quick]
                               [--json FILE]

The first run makes a virtual environment with the peers (benchmarks/requirements-peers.txt), some
GB outside the source tree, and everything is measured inside it. Every library works in a process
of its own, with its own threads, and only while it is asked to. How each is set up, and why that is
its best, stands in benchmarks/contestants/.

Measured: one training step with Adam, the density of a batch, 1000 samples, on cases of
`benchmarks.cases`: A to E are MAFs; F and G have splines in their place, H and I are couplings with
splines (`--cases FGHI`). Then the IAF's maximum-likelihood step against the MAF's; imports; first
calls, which is when JAX and TensorFlow compile. Ratios are flowcore / peer within a round: below 1,
flowcore is faster. On request: floor, hand-jitted and products, which are a MAF's step by hand:
yardsticks, and no peers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from . import cores, environment
from .cases import CASES, Case
from .common import Report, letters, parse, parser, print_table
from .contestants import CONTESTANTS, N_SAMPLES, US, YARDSTICKS
from .process import ROOT
from .timing import CONTROL, DTYPES, Timings
from .worker import Task, build_all, start

PEERS = ("zuko", "nflows", "normflows", "flowjax", "flowjax+jit")
WORK = {
    "step": "one training step with Adam",
    "density": "density of the batch",
    "sample": f"{N_SAMPLES} samples",
}
COUNTED = "ABCD"  # the cases that the means are over


def main(argv=None) -> int:
    args = arguments(argv)
    code = environment.run_inside(args.env, "peers", "benchmarks.peers", argv)
    if code is not None:
        return code
    pythons = {"peers": Path(sys.executable)}
    if args.with_tfp:
        pythons["tfp"] = environment.ensure(environment.TFP, "tfp")
    report = Report("peers", args)
    comparison = Comparison(report, pythons)
    try:
        comparison.imports()
        comparison.works()
        comparison.iaf_steps()
    finally:
        comparison.close()
    report.finish()
    return 0


def arguments(argv):
    names = [name for name in CONTESTANTS if name != "tfp"]
    new = parser(__doc__)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--cases", type=letters, help="such as FGHI (ABCDE; with --quick AC)")
    new.add_argument("--libraries", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    new.add_argument("--with-tfp", action="store_true", help="TFP too, in a further environment")
    new.add_argument("--dtype", choices=DTYPES, default="float32")
    new.add_argument("--threads", type=int, metavar="N", help="and cores, for everybody alike")
    new.add_argument("--iaf-rows", nargs="*", type=int, metavar="N", help="(100 1000; quick: 100)")
    new.add_argument("--budget", type=float, default=15, help="seconds for one number, about (15)")
    args = parse(new, argv)
    args.cases = args.cases or ("AC" if args.quick else "ABCDE")
    if args.threads is not None and not 0 < args.threads <= len(cores.usable()):
        new.error(f"--threads must be 1 to {len(cores.usable())}, the cores that may be used")
    if args.iaf_rows is None:
        args.iaf_rows = [100] if args.quick else [100, 1000]
    wanted = [US, *(args.libraries or PEERS), *(["tfp+xla"] if args.with_tfp else [])]
    args.libraries = list(dict.fromkeys(wanted))
    args.with_tfp = "tfp+xla" in args.libraries
    return args


class Comparison:
    """The workers of one run, and what they are asked. `pythons`: interpreter by environment."""

    def __init__(self, report: Report, pythons: dict[str, Path]):
        self.report, self.args, self.pythons = report, report.args, pythons
        places = None if self.args.threads is None else cores.last(self.args.threads)
        self.workers, report.machine["versions"] = start(self.args.libraries, pythons, places)

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()

    def imports(self):
        """Whole processes that import a library and end; "python" imports nothing."""
        statements = {"python": _process(self.pythons["peers"], "pass")}
        for name in (name for name in self.workers if name not in YARDSTICKS):
            library, python = CONTESTANTS[name], self.pythons[CONTESTANTS[name].environment]
            statements.setdefault(name.partition("+")[0], _process(python, library.imports))
        timings = self.report.interleave(statements, budget=self.args.budget)
        rows = []
        for name in statements:
            self.report.add(f"import {name}", timings, name)
            rows.append([name, timings.spread(name).show()])
        print("\nImport: seconds of a whole process, median and quartiles; python imports nothing")
        print_table(["", "s"], rows)

    def works(self):
        """{(work, case): Timings}, printed as one table for every kind of work."""
        found, compiling = {}, {name: {} for name in self.workers}
        print("\nflowcore / the fastest peer, median and quartiles over the rounds", flush=True)
        for letter in self.args.cases:
            kind = CASES[letter].kind
            present = build_all(self.workers, {kind: CASES[letter]}, self.args.dtype)
            for work in WORK:
                able = (name for name in present if work in CONTESTANTS[name].works)
                tasks = {name: Task(self.workers[name], kind, work) for name in able}
                timings = self.report.interleave(tasks, budget=self.args.budget)
                found[work, letter] = timings
                for name, task in tasks.items():
                    ratio = timings.ratio(US, name)._asdict()
                    more = max(0.0, task.first_call - timings.spread(name).median)
                    compiling[name][work, letter] = more
                    facts = {"case": letter, "work": work, "who": name, "compiling": more}
                    facts["flowcore_per_this"] = ratio
                    self.report.add(f"{work} {letter} {name}", timings, name, **facts)
                best = fastest_peer(timings)
                ratio = timings.ratio(US, best).show() if best else "no peer"
                print(f"  {WORK[work]}, {CASES[letter]}: {ratio}, {best}", flush=True)
        for work in WORK:
            self._print_work(work, found)
        print("\nSeconds of the first call beyond those of a warm one: compilation, above all")
        header = ["", *(f"{letter} {work}" for work, letter in found)]
        print_table(
            header, [[n, *(mine.get(k, "-") for k in found)] for n, mine in compiling.items()]
        )
        return found

    def _print_work(self, work: str, found) -> None:
        rows = []
        for letter in self.args.cases:
            timings = found[work, letter]
            times = [_milliseconds(timings, name) for name in self.workers]
            best = fastest_peer(timings)
            rows.append(
                [letter, *times, best or "-", timings.ratio(US, best).show() if best else "-"]
            )
        print(
            f"\n{WORK[work][0].upper()}{WORK[work][1:]}: ms ({self.args.dtype}); flowcore / fastest"
        )
        print_table(["case", *self.workers, "fastest peer", "ratio"], rows)
        mean = geometric_mean(found, work)
        if mean is not None:
            print(f"geometric mean of the ratios, cases A to D: {mean:.2f}")

    def iaf_steps(self):
        """{rows: Timings} of "maf NAME" and "iaf NAME": one layer, D = 43, two of 512 units."""
        found = {}
        for n_rows in self.args.iaf_rows:
            case = Case("IAF", 43, 1, (512, 512), n_rows)
            present = build_all(self.workers, {"maf": case, "iaf": case}, self.args.dtype)
            tasks = {
                f"{kind} {name}": Task(self.workers[name], kind, "step")
                for name in present
                for kind in ("maf", "iaf")
            }
            timings = found[n_rows] = self.report.interleave(tasks, budget=self.args.budget)
            rows = []
            for name in present:
                ratio = timings.ratio(f"iaf {name}", f"maf {name}")
                for kind in ("maf", "iaf"):
                    label, facts = f"{kind} {name}", {"n_rows": n_rows, "who": name}
                    facts["iaf_per_maf"] = ratio._asdict()
                    self.report.add(f"iaf step {n_rows} {label}", timings, label, **facts)
                times = [_milliseconds(timings, f"{kind} {name}") for kind in ("maf", "iaf")]
                rows.append([name, *times, ratio.show()])
            print(f"\nMaximum-likelihood step, D=43, one layer [512, 512], {n_rows} rows: ms")
            print_table(["", "MAF", "IAF", "IAF / MAF"], rows)
        return found


def fastest_peer(timings: Timings) -> str | None:
    """Who has the smallest median, flowcore, control and yardsticks aside; None without peers."""
    names = timings.seconds.keys() - {US, CONTROL, *YARDSTICKS}
    return min(names, key=lambda name: timings.spread(name).median, default=None)


def geometric_mean(works, work: str) -> float | None:
    """Of flowcore / fastest peer over cases A to D; None unless all four were measured."""
    measured = [works[work, case] for case in COUNTED if (work, case) in works]
    pairs = [(timings, fastest_peer(timings)) for timings in measured]
    ratios = [timings.ratio(US, best).median for timings, best in pairs if best is not None]
    return float(np.exp(np.mean(np.log(ratios)))) if len(ratios) == len(COUNTED) else None


def _process(python: Path, statement: str):
    """A function that runs one statement in a fresh interpreter."""
    command = [str(python), "-c", statement]
    where = {"cwd": ROOT, "stderr": subprocess.DEVNULL}
    return lambda: subprocess.run(command, check=True, **where)


def _milliseconds(timings, name: str):
    return 1e3 * timings.spread(name).median if name in timings.seconds else "-"


if __name__ == "__main__":
    sys.exit(main())
