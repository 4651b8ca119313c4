"""flowcore against zuko, nflows, normflows, flowjax: the same flows, in one run, in turn.

    python -m benchmarks.studies.peers [--cases ABCDE] [--libraries NAME ...] [--dtype float32]
        [--env DIR] [--threads N] [--iaf-rows 100 1000] [--quick] [--json FILE]

The first run makes a virtual environment with the peers
(benchmarks/studies/requirements-peers.txt), some GB outside the source tree, and everything is
measured inside it. Every library works in a process of its own, with its own threads, and only
while it is asked to. How each is set up, and why that is its best, stands in
benchmarks/studies/contestants/.

Measured: one training step with Adam, the density of a batch, 1000 samples, on cases of
`benchmarks.support.cases`: A to E are MAFs; F and G have splines in their place, H and I are
couplings with splines (`--cases FGHI`). Then the IAF's maximum-likelihood step against the MAF's;
first calls, which is when JAX compiles. Ratios are flowcore / peer within a round:
below 1, flowcore is faster. On request: floor and hand-jitted, which are a MAF's step by hand:
yardsticks, and no peers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..support.cases import CASES, DTYPES, Case
from ..support.common import Report, letters, parse, parser
from . import cores, environment
from .contestants import CONTESTANTS, US
from .tables import beside_peers
from .tables.beside_peers import WORK
from .worker import Task, Worker, build_all, start

PEERS = ("zuko", "zuko+compile", "nflows", "normflows", "flowjax", "flowjax+jit", "flowjax+scan")


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.peers", argv)
    report = Report("peers", args)
    places = None if args.threads is None else cores.last(args.threads)
    with start(args.libraries, Path(sys.executable), places) as (workers, versions):
        report.machine["versions"] = versions
        comparison = Comparison(report, workers)
        comparison.works()
        comparison.iaf_steps()
    document = report.as_dict()
    print(f"\n{beside_peers.peers(document)}\n{beside_peers.iaf_step(document)}")
    report.finish()
    return 0


def arguments(argv):
    new = parser(__doc__)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--cases", type=letters, help="such as FGHI (ABCDE; with --quick AC)")
    new.add_argument("--libraries", nargs="+", choices=CONTESTANTS, metavar="NAME",
                     help=", ".join(CONTESTANTS))  # fmt: skip
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
    args.libraries = list(dict.fromkeys([US, *(args.libraries or PEERS)]))
    return args


class Comparison:
    """The workers of one run, and what they are asked."""

    def __init__(self, report: Report, workers: dict[str, Worker]):
        self.report, self.args, self.workers = report, report.args, workers

    def works(self):
        """A row for every case, kind of work and library."""
        for letter in self.args.cases:
            kind = CASES[letter].kind
            present = build_all(self.workers, {kind: CASES[letter]}, self.args.dtype)
            for work in WORK:
                able = (name for name in present if work in CONTESTANTS[name].works)
                tasks = {name: Task(self.workers[name], kind, work) for name in able}
                timings = self.report.interleave(tasks, budget=self.args.budget)
                for name, task in tasks.items():
                    ratio = timings.ratio(US, name)._asdict()
                    more = max(0.0, task.first_call - timings.spread(name).median)
                    facts = {"case": letter, "work": work, "who": name, "compiling": more}
                    facts["flowcore_per_this"] = ratio
                    self.report.add(f"{work} {letter} {name}", timings, name, **facts)
                print(f"  {work}, {CASES[letter]}: {timings.spread(US).show(1e3)} ms", flush=True)

    def iaf_steps(self):
        """Rows of "maf NAME" and "iaf NAME": one layer, D = 43, two of 512 units."""
        for n_rows in self.args.iaf_rows:
            case = Case("IAF", 43, 1, (512, 512), n_rows)
            present = build_all(self.workers, {"maf": case, "iaf": case}, self.args.dtype)
            tasks = {
                f"{kind} {name}": Task(self.workers[name], kind, "step")
                for name in present
                for kind in ("maf", "iaf")
            }
            timings = self.report.interleave(tasks, budget=self.args.budget)
            for name in present:
                ratio = timings.ratio(f"iaf {name}", f"maf {name}")
                for kind in ("maf", "iaf"):
                    label, facts = f"{kind} {name}", {"n_rows": n_rows, "who": name}
                    facts["iaf_per_maf"] = ratio._asdict()
                    self.report.add(f"iaf step {n_rows} {label}", timings, label, **facts)


if __name__ == "__main__":
    sys.exit(main())
