"""`flowcore.infer` and `flowcore.evidence` where the answers are known.

    python -m benchmarks.studies.inference TABLE [--quick] [--epochs N] [--dim D] [--json FILE]
        [--posteriordb FOLDER] [--models NAME ...] [--runs N]

TABLE is one of

  exact       seven targets of D = 10, and eight schools (not centred), with exact draws: W1 of the
              margins, k-hat, log Z, ELBO
  posteriors  41 models of posteriordb, written anew in autograd.numpy, beside its reference draws;
              --posteriordb is a clone of https://github.com/stan-dev/posteriordb. "port" is the
              mean of grad log p over the reference draws, in standard errors: a test of the port.
              mean and sd are the worst errors, in reference sds and relative
  modes       20 targets of 2 to 8 modes, ten of them bent, heavy-tailed or switching, and ten whose
              modes differ in volume by e^4 or more; --runs seeds of each
  unimodal    20 targets with one mode, or ridge, or ring: whether "modes" is in the verdict, and
              whether log Z is within two of its errors; 100 fits are --runs 5
  crashes     60 targets as they come from a user: boxes by -inf, NaN, errors, improper ones
  evidence    bridge sampling from 2,000 exact draws, --runs times

--epochs is that of `infer`; without it the defaults of `infer` hold. --targets are names, or parts
of names, of the three tables before `evidence`. --quick takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from ...support.common import machine, parse, parser, print_machine, print_table, write_rows
from . import promises, tables
from .awkward import awkward
from .models import MODELS
from .several import several, volumes
from .single import unimodal

FITS = {
    "modes": lambda: several() | volumes(),
    "unimodal": unimodal,
    "crashes": awkward,
}
TABLES = ("exact", "posteriors", *FITS, "evidence")
RUNS = {"evidence": 100, "modes": 3, "crashes": 3}  # the others: 1


def main(argv=None) -> int:
    options = parser(__doc__)
    options.add_argument("table", choices=TABLES)
    options.add_argument("--epochs", type=int, help="of every fit (the default of infer)")
    options.add_argument("--dim", type=int, help="D of exact (10)")
    options.add_argument("--posteriordb", type=Path, metavar="FOLDER", help="a clone of it")
    options.add_argument(
        "--models", nargs="+", choices=[*MODELS], metavar="NAME", default=[*MODELS]
    )
    options.add_argument("--targets", nargs="+", metavar="NAME", default=[""])
    options.add_argument("--runs", type=int, help="of evidence (100); seeds of modes and crashes "
                         "(3), unimodal (1)")  # fmt: skip
    args = parse(options, argv)
    if args.table == "posteriors" and args.posteriordb is None:
        options.error("posteriors needs --posteriordb FOLDER, a clone of stan-dev/posteriordb")
    with threadpool_limits(1):
        rows = []
        for row in measured(args):
            rows.append(row)
            print(*row.values(), flush=True)  # what a run that is cut short has found
    print_table([*rows[0]], [[*row.values()] for row in rows])
    print("\n" + summary(args.table, rows))
    write_rows(args.json, args.table, rows)
    return 0


def measured(args):
    """The rows of the table."""
    print_machine(f"inference: {args.table}{' (quick)' if args.quick else ''}", machine())
    options = {"epochs": 2, "batches": 10, "draws": 500} if args.quick else {}
    if args.epochs is not None:
        options["epochs"] = args.epochs
    if args.table == "exact":
        return tables.exact(args.dim or (3 if args.quick else 10), **options)
    if args.table == "posteriors":
        return tables.posteriors(args.posteriordb, args.models, **options)
    runs = args.runs or RUNS.get(args.table, 1)
    if args.table in FITS:
        chosen = {name: own for name, own in FITS[args.table]().items()
                  if any(part in name for part in args.targets)}  # fmt: skip
        if args.quick:
            runs, chosen = 1, dict([*chosen.items()][:2])
        fits = promises.crashes if args.table == "crashes" else promises.answers
        return fits(chosen, runs, **options)
    options.pop("batches", None), options.pop("draws", None)
    runs, rows = (2, 300) if args.quick else (runs, 2000)
    return tables.evidence(runs, rows, **options)


def summary(table: str, rows: list[dict]) -> str:
    if table == "exact":
        reached = sum(row["reached"] for row in rows)
        wanted = f"{reached} of {len(rows)} (wanted: all but Student's)"
        return f"W1 <= 1.5, k-hat < 0.7, log Z within 0.02: {wanted}"
    if table == "posteriors":
        close, trusted = (sum(row[key] for row in rows) for key in ("close", "trusted"))
        wrong = [row["model"] for row in rows if row["trusted"] and not row["close"]]
        return (
            f"close (means within 0.1 sd, sds within 10%): {close} of {len(rows)}; trusted: "
            f"{trusted}; trusted and not close: {', '.join(wrong) or 'none'}"
        )
    if table in FITS:
        crashes = table == "crashes"
        return (promises.summary_of_crashes if crashes else promises.summary_of_answers)(rows)
    return f"largest mean error {max(abs(row['mean error']) for row in rows):.3f} nats"


if __name__ == "__main__":
    sys.exit(main())
