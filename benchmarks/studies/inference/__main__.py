"""`flowcore.infer` and `flowcore.evidence` where the answers are known.

    python -m benchmarks.studies.inference TABLE [--quick] [--epochs N] [--dim D] [--json FILE]
        [--posteriordb FOLDER] [--models NAME ...] [--runs N]

TABLE is one of

  exact       seven targets of D = 10, and eight schools (not centred), with exact draws: W1 of the
              margins, k-hat, log Z, ELBO
  gap         a Gaussian, D = 20, by one affine layer of IAF: log Z - ELBO
  posteriors  41 models of posteriordb, written anew in autograd.numpy, beside its reference draws;
              --posteriordb is a clone of https://github.com/stan-dev/posteriordb. "port" is the
              mean of grad log p over the reference draws, in standard errors: a test of the port.
              mean and sd are the worst errors, in reference sds and relative
  modes       mixtures of three and five Gaussians, with and without annealing; --runs of each
  evidence    bridge sampling from 2,000 exact draws, --runs times
  steps       seconds of an update by the path derivative over those of the plain ELBO

--epochs is that of `infer`; without it the defaults of `infer` hold. --quick takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from ...support.common import Report, machine, parse, parser, print_machine, print_table, write_rows
from . import tables
from .models import MODELS

TABLES = ("exact", "gap", "posteriors", "modes", "evidence", "steps")


def main(argv=None) -> int:
    options = parser(__doc__)
    options.add_argument("table", choices=TABLES)
    options.add_argument("--epochs", type=int, help="of every fit (the default of infer)")
    options.add_argument("--dim", type=int, help="D of exact (10), gap (20) and steps (43)")
    options.add_argument("--posteriordb", type=Path, metavar="FOLDER", help="a clone of it")
    options.add_argument(
        "--models", nargs="+", choices=[*MODELS], metavar="NAME", default=[*MODELS]
    )
    options.add_argument("--runs", type=int, default=100, help="of evidence and modes (100)")
    args = parse(options, argv)
    if args.table == "posteriors" and args.posteriordb is None:
        options.error("posteriors needs --posteriordb FOLDER, a clone of stan-dev/posteriordb")
    with threadpool_limits(1):
        rows = []
        for row in steps(args) if args.table == "steps" else plain(args):
            rows.append(row)
            print(*row.values(), flush=True)  # what a run that is cut short has found
    print_table([*rows[0]], [[*row.values()] for row in rows])
    print("\n" + summary(args.table, rows))
    write_rows(args.json, args.table, rows)
    return 0


def plain(args):
    """The rows of a table that measures no seconds."""
    print_machine(f"inference: {args.table}{' (quick)' if args.quick else ''}", machine())
    options = {"epochs": 2, "batches": 10, "draws": 500} if args.quick else {}
    if args.epochs is not None:
        options["epochs"] = args.epochs
    if args.table == "exact":
        return tables.exact(args.dim or (3 if args.quick else 10), **options)
    if args.table == "gap":
        return tables.gap(args.dim or (4 if args.quick else 20), **options)
    if args.table == "posteriors":
        return tables.posteriors(args.posteriordb, args.models, **options)
    if args.table == "modes":
        return tables.modes(1 if args.quick else args.runs, **options)
    options.pop("batches", None), options.pop("draws", None)
    runs, rows = (2, 300) if args.quick else (args.runs, 2000)
    return tables.evidence(runs, rows, **options)


def steps(args):
    report = Report("inference steps", args)
    dim, width, rows = (args.dim or 5, 16, 20) if args.quick else (args.dim or 43, 512, 100)
    yield from tables.steps(report, dim, width, rows)


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
    if table == "modes":
        lines = []
        for annealed in (False, True):
            own = [row for row in rows if row["annealed"] == annealed]
            n_found = sum(row["all"] for row in own)
            wrong = sum(row["trusted"] and not row["all"] for row in own)
            how = "annealed" if annealed else "plain"
            lines.append(
                f"{how}: all modes in {n_found} of {len(own)}; trusted without all of them: {wrong}"
            )
        return "\n".join(lines)
    if table == "evidence":
        return f"largest mean error {max(abs(row['mean error']) for row in rows):.3f} nats"
    if table == "gap":
        return f"largest gap {max(row['gap'] for row in rows):.4f} nats (wanted: 0.01)"
    return "wanted: path / plain at most 1.5 (maf) and 2.5 (iaf)"


if __name__ == "__main__":
    sys.exit(main())
