"""p(redshift | ugrizy) of 10,000 held-out galaxies: flowcore's defaults beside pzflow's.

    python -m benchmarks.studies.redshift [--contestants NAME ...] [--env FOLDER] [--quick]
        [--json FILE]

The 100,000 galaxies of pzflow's wheel, which `pip download` fetches at the first run, are shuffled
by NumPy's `default_rng(0)`; the last 10,000 are held out. Every contestant trains on the others in
a process of its own with one thread. Its row: log p(z | x) in nats, CDE loss, PIT KS, sigma_NMAD
and the share of outliers beyond .06 (`metrics.py` has the definitions); the mean log p of all seven
columns, where it is a joint density; CPU seconds with imports and compilation: of the training, of
the first curve, of 1,000 curves on 2,401 points, and of PIT and three quantiles of 10,000 galaxies,
where they are exact. pzflow is installed from benchmarks/studies/requirements-redshift.txt into an
environment of its own (--env). --quick takes a minute, and its numbers mean nothing.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from ...support.common import bare_parser, machine, print_machine, print_table, write_rows
from ..elsewhere import arrays_of
from ..environment import REDSHIFT, ensure
from ..packages import member
from ..tabular.datasets import MEMBERS, galaxies_columns
from .contestants import CONTESTANTS

HELD_OUT = 10_000
PROGRAM = ["-m", "benchmarks.studies.redshift.contestants"]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "FLOWCORE_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}  # fmt: skip
SHOWN = ["log p", "CDE loss", "PIT KS", "sigma_NMAD", "outliers", "joint log p",
         "fit, s", "first curve, s", "curves, s", "exact, s"]  # fmt: skip


def main(argv=None) -> int:
    options = bare_parser(__doc__)
    options.add_argument("--json", metavar="FILE", help="write machine and rows")
    options.add_argument("--quick", action="store_true", help="a minute; numbers mean nothing")
    options.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS])
    options.add_argument("--env", default=REDSHIFT, help=f"pzflow's environment ({REDSHIFT})")
    args = options.parse_args(argv)
    os.environ |= ONE_THREAD
    print_machine(f"redshift{' (quick)' if args.quick else ''}", machine())
    train, held_out = galaxies()
    if args.quick:
        train, held_out = train[:3000], held_out[:200]
    rows: list[dict] = []
    for name in args.contestants:
        rows.append({"name": name, **one(name, train, held_out, args)})
        print(json.dumps(rows[-1]), flush=True)
        write_rows(args.json, "redshift", rows)
    print()
    print_table(["contestant", *SHOWN], [shown(row) for row in rows])
    return 0


def galaxies() -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and held-out ones: redshift, u, g, r, i, z, y."""
    rows = galaxies_columns(member(*MEMBERS["galaxies"]))
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return rows[:-HELD_OUT], rows[-HELD_OUT:]


def one(name: str, train: np.ndarray, held_out: np.ndarray, args) -> dict[str, float]:
    """The row of a contestant, measured by an interpreter that has its packages."""
    python = ensure(args.env, "redshift") if name.startswith("pzflow") else sys.executable
    program = [*PROGRAM, name, "quick" if args.quick else "full"]
    found = arrays_of(python, program, train=train, held_out=held_out)
    return {key: float(value) for key, value in found.items()}


def shown(row: dict) -> list:
    """The cells of a row."""
    cells = [row.get(key, "-") for key in SHOWN]
    return [row["name"], f"{row['log p']:.3f} +- {row['error']:.3f}", *cells[1:]]


if __name__ == "__main__":
    sys.exit(main())
