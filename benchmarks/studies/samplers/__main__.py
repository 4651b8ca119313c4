"""nessai, pocoMC and aspire with the flow that they come with, and with flowcore's.

    python -m benchmarks.studies.samplers [--programs NAME ...] [--targets NAME ...] [--seeds N]
        [--flows own flowcore] [--env FOLDER] [--quick] [--json FILE]

Every run is a process of its own with one thread. Its row: log Z and the error that the program
gives, log Z exactly, calls of the likelihood, CPU seconds of the run (imports are not counted), and
of them those in the training of the flow. Other processes change CPU seconds little, but a busy
machine does change them: compare within one table. The programs are installed from
benchmarks/studies/requirements-samplers.txt into an environment of their own (--env). --quick takes
a minute, and its evidences mean nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

from ...support.common import bare_parser, machine, print_machine, print_table, write_rows
from ...support.process import ROOT
from ..environment import SAMPLERS, run_inside

PROGRAMS, FLOWS = ("nessai", "pocomc", "aspire"), ("own", "flowcore")
TARGETS = ("rosenbrock", "eggbox", "shells", "gaussian", "funnel")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "FLOWCORE_THREADS": "1"}


def main(argv=None) -> int:
    options = bare_parser(__doc__)
    options.add_argument("--json", metavar="FILE", help="write machine and rows")
    options.add_argument("--quick", action="store_true", help="a minute; evidences mean nothing")
    options.add_argument("--programs", nargs="+", choices=PROGRAMS, default=[*PROGRAMS])
    options.add_argument("--targets", nargs="+", choices=TARGETS, default=[*TARGETS])
    options.add_argument("--flows", nargs="+", choices=FLOWS, default=[*FLOWS])
    options.add_argument("--seeds", type=int, default=1, help="runs of each (1)")
    options.add_argument("--env", default=SAMPLERS, help=f"the environment ({SAMPLERS})")
    args = options.parse_args(argv)
    run_inside(args.env, "samplers", "benchmarks.studies.samplers", argv)
    print_machine(f"samplers{' (quick)' if args.quick else ''}", machine())
    rows: list[dict] = []
    for program in args.programs:
        for target in args.targets:
            for seed in range(args.seeds):
                for flow in args.flows:
                    rows.append(one(program, target, flow == "own", seed, args.quick))
                    print(json.dumps(rows[-1]), flush=True)
                    write_rows(args.json, "samplers", rows)
    print()
    table = summary(rows)
    print_table([*table[0]], [[*row.values()] for row in table])
    return 0


def one(program: str, target: str, own: bool, seed: int, quick: bool) -> dict:
    """A run in a process of its own. Errors: RuntimeError with the end of what it printed."""
    code = (
        "import json, logging, sys, warnings; warnings.simplefilter('ignore')\n"
        "from benchmarks.studies.samplers.programs import run\n"
        f"row = run({program!r}, {target!r}, {own}, {seed}, {quick})\n"
        "print('\\n' + json.dumps(row))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | ONE_THREAD, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{program} on {target}: {done.stderr[-1500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def summary(rows: list[dict]) -> list[dict]:
    """A row for each program and target: mean errors of log Z, medians of seconds, their ratio."""
    found: dict[tuple, dict[str, list]] = {}
    for row in rows:
        by_flow = found.setdefault((row["program"], row["target"]), {})
        by_flow.setdefault(row["flow"], []).append(row)
    table = []
    for (program, target), by_flow in found.items():
        line = {"program": program, "target": target}
        for flow, runs in by_flow.items():
            off = [row["log Z"] - row["exact"] for row in runs]
            line[f"{flow}: off"] = f"{sum(off) / len(off):+.3f}"
            line[f"{flow}: +-"] = f"{median(row['error'] for row in runs):.3f}"
            line[f"{flow}: s"] = f"{median(row['seconds'] for row in runs):.1f}"
            line[f"training ({flow})"] = f"{median(row['training'] for row in runs):.1f}"
        for name in ("seconds", "training", "calls"):
            pair = [median(row[name] for row in by_flow.get(f, [])) if f in by_flow else None
                    for f in ("flowcore", "its own")]  # fmt: skip
            whole = None not in pair and pair[1] > 0
            line[f"{name}, ratio"] = f"{pair[0] / pair[1]:.2f}" if whole else "-"
        table.append(line)
    return table


if __name__ == "__main__":
    sys.exit(main())
