"""The ELBO of flowcore and of other libraries, at equal CPU seconds of a whole process.

    python -m benchmarks.studies.inference.peers --env PYTHON [--targets NAME ...]
        [--libraries NAME ...] [--times 1 4] [--json FILE]

PYTHON is the interpreter of an environment with numpyro, flowjax and viabel. `infer` runs first,
with its defaults: its process, imports and all, takes S CPU seconds on one core. Each of the others
then gets a process of S CPU seconds, and one of 4 S (--times); compiling counts. viabel ends by
itself: its seconds are printed instead. The ELBO is that of 20,000 draws, by one NumPy log-density
for all, minus log Z where that is known: 0 is perfect. nan did not run.

flowcore is ahead in seconds on a target if no other comes within 0.05 nats of its ELBO in S.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from ...support.common import bare_parser, machine, print_machine, print_table, write_rows
from ..elsewhere import arrays_of
from .known import shared
from .rival import END_BY_THEMSELVES, LIBRARIES

CLOSE = 0.05  # nats


def elbo(python, library: str, target: str, seconds: float) -> tuple[float, float]:
    """(ELBO - log Z, CPU seconds of the process); NaN if it fails."""
    (log_p, _, log_z), before = shared()[target], _seconds_of_children()
    program = ["-m", "benchmarks.studies.inference.rival", library, target, str(seconds)]
    value = float("nan")
    try:
        made = arrays_of(python, program)
        value = float(np.mean(log_p(made["x"]) - made["log_q"]) - log_z)
    except RuntimeError as problem:
        print(problem, flush=True)
    return value, _seconds_of_children() - before


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows_of(args):
    for target in args.targets:
        own, seconds = elbo(sys.executable, "flowcore", target, 0.0)
        row = {"target": target, "seconds": seconds, "flowcore": own}
        row["ahead"] = bool(np.isfinite(own))
        for library in args.libraries:
            for times in args.times:
                value, _ = elbo(args.env, library, target, times * seconds)
                row[f"{library}, {times:g} S"] = value
                row["ahead"] &= times > 1 or not value >= own - CLOSE
        value, row["viabel's seconds"] = elbo(args.env, "viabel", target, 0.0)
        row["viabel"] = value
        row["ahead"] &= row["viabel's seconds"] > seconds or not value >= own - CLOSE
        yield row


def _best(row: dict) -> float:
    """The largest ELBO of a row."""
    not_one = ("target", "seconds", "ahead", "viabel's seconds")
    return np.nanmax([value for key, value in row.items() if key not in not_one])


def main(argv=None) -> int:
    others = [name for name in LIBRARIES if name not in END_BY_THEMSELVES]
    options = bare_parser(__doc__)
    options.add_argument("--env", type=Path, required=True, metavar="PYTHON")
    options.add_argument("--targets", nargs="+", choices=[*shared()], default=[*shared()],
                         metavar="NAME")  # fmt: skip
    options.add_argument("--libraries", nargs="+", choices=others, default=others, metavar="NAME")
    options.add_argument("--times", nargs="+", type=float, default=[1.0, 4.0])
    options.add_argument("--json", type=Path, metavar="FILE")
    args, rows = options.parse_args(argv), []
    print_machine("variational inference beside others", machine())
    for row in rows_of(args):
        rows.append(row)
        print(*row.values(), flush=True)
    print_table([*rows[0]], [[*row.values()] for row in rows])
    near = sum(row["flowcore"] >= _best(row) - CLOSE for row in rows)
    ahead = sum(row["ahead"] for row in rows)
    print(f"flowcore is within {CLOSE} nats of the best on {near} of {len(rows)}, ahead in seconds "
          f"on {ahead} (wanted: 9 of 10)")  # fmt: skip
    write_rows(args.json, "inference peers", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
