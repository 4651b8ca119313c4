"""How far is a training step from what NumPy can do, and from XLA? One pinned core, float32.

    python -m benchmarks.studies.floor [--cases ABCDL] [--env DIR] [--quick] [--json FILE]

In turn, round after round, every one in a process of its own on the same core, with one thread:

    flowcore      an epoch of `fit` on one batch, checks and log-densities included
    floor         the same step written out in NumPy for this one shape, no library around it
    hand-jitted   the same step by hand in JAX, jitted, its buffers donated

See benchmarks/studies/contestants/straight_line.py. Ratios are flowcore / the other within a round.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..support.cases import CASES
from ..support.common import Report, letters, parse, parser
from . import cores, environment
from .contestants import US, YARDSTICKS
from .tables import costs
from .worker import Task, build_all, start


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.floor", argv)
    from threadpoolctl import threadpool_limits

    core = cores.last(1)
    with cores.pinned(core), threadpool_limits(limits=1):  # this process too, for the control
        report = Report("floor", args)
        with start([US, *YARDSTICKS], Path(sys.executable), core) as (workers, versions):
            report.machine["versions"] = versions
            for letter in args.cases:
                measure(report, CASES[letter], workers)
    print("\nA step; and flowcore / the others, medians within rounds")
    print(costs.floor(report.as_dict()))
    report.finish()
    return 0


def arguments(argv):
    new = parser(__doc__, rounds=25)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--cases", type=letters, help="letters (ABCDL; with --quick A)")
    args = parse(new, argv)
    args.cases = args.cases or ("A" if args.quick else "ABCDL")
    return args


def measure(report: Report, case, workers) -> None:
    """One case: a row for every contestant."""
    present = build_all(workers, {"maf": case}, "float32")
    tasks = {name: Task(workers[name], "maf", "step") for name in present}
    timings = report.interleave(tasks)
    for name in tasks:
        facts = {"case": case.name, "who": name}
        facts["flowcore_per_this"] = timings.ratio(US, name)._asdict()
        report.add(f"{case.name} {name}", timings, name, **facts)
    print(f"  {case}: {timings.spread(US).show(1e3)} ms", flush=True)


if __name__ == "__main__":
    sys.exit(main())
