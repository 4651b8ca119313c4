"""Measure what is missing or old, and write the tables of README.md and docs/.

    python -m benchmarks.studies.tables [NAME ...] [--since TIME] [--write-only] [--list]

NAME are benchmarks of `--list` (default: all). One is run if its JSON in
benchmarks/studies/results/ is missing, or older than --since; one after the other, so that none
disturbs another: leave the machine alone meanwhile. After each the pages are written anew, so that
a run which is stopped keeps what it has; the same command goes on. --write-only measures nothing.
What fails is named at the end, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from ...support.common import bare_parser, print_table
from .catalogue import TABLES, all_made
from .jobs import JOBS, RESULTS, Job
from .pages import PAGES, replaced


def main(argv=None) -> int:
    args = arguments(argv)
    if args.list:
        print_table(["benchmark", "stored", "minutes", "tables", "command"], listing(RESULTS))
        return 0
    failed = []
    for job in [] if args.write_only else wanted(args.names, args.since, RESULTS):
        print(f"\n=== {job.name} (about {job.minutes} minutes): {job.command}", flush=True)
        try:
            job.run(RESULTS)
        except subprocess.CalledProcessError as problem:
            print(f"{job.name} failed: {problem}", file=sys.stderr, flush=True)
            failed.append(job.name)
        write(PAGES, RESULTS)
    write(PAGES, RESULTS)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def arguments(argv=None) -> argparse.Namespace:
    new = bare_parser(__doc__, "python -m benchmarks.studies.tables")
    new.add_argument("names", nargs="*", metavar="NAME", help=", ".join(JOBS))
    new.add_argument(
        "--since", metavar="TIME", type=datetime.fromisoformat, default=datetime.min,
        help='measure again what is older (UTC), such as "2026-11-25 17:00"',
    )  # fmt: skip
    new.add_argument("--write-only", action="store_true", help="from the JSON that is stored")
    new.add_argument("--list", action="store_true", help="what there is, and how long it takes")
    args = new.parse_args(argv)
    unknown = [name for name in args.names if name not in JOBS]
    if unknown:
        new.error(f"there is no {', '.join(unknown)}: choose of {', '.join(JOBS)}")
    return args


def wanted(names, since: datetime, folder: Path) -> list[Job]:
    """The jobs to run, of these names or of all."""
    jobs = [job for job in JOBS.values() if not names or job.name in names]
    return [job for job in jobs if measured(job, folder) is None or measured(job, folder) < since]


def measured(job: Job, folder: Path) -> datetime | None:
    """When (UTC); None if it was not."""
    document = job.stored(folder)
    return document and datetime.strptime(document["machine"]["date"], "%Y-%m-%d %H:%M UTC")


def write(pages, folder: Path) -> None:
    """Put the tables that there are into the pages."""
    made = all_made(folder)
    for page in pages:
        before = page.read_text("utf-8")
        after = replaced(before, made)
        if after != before:
            page.write_text(after, "utf-8")
            print(f"{page.name} written", flush=True)


def listing(folder: Path) -> list[list]:
    rows = []
    for job in JOBS.values():
        tables = [table.name for table in TABLES.values() if job.name in table.jobs]
        when = measured(job, folder)
        stored = "-" if when is None else f"{when:%Y-%m-%d %H:%M}"
        rows.append([job.name, stored, job.minutes, ", ".join(tables), job.command])
    return rows


if __name__ == "__main__":
    sys.exit(main())
