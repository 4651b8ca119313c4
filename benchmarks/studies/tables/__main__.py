"""Measure what is missing, and write the tables of README.md and docs/.

    python -m benchmarks.studies.tables [NAME ...] [--again] [--write-only] [--list]

NAME are benchmarks of `--list` (default: all). One is run if its JSON in
benchmarks/studies/results/ is missing, or with --again; one after the other, so that none disturbs
another: leave the machine alone meanwhile. After each the pages are written anew, so that a run
which is stopped keeps what it has; the same command goes on. --write-only measures nothing. What
fails is named at the end, and the exit code is 1.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ...support.common import bare_parser, print_table
from .catalogue import TABLES, all_made
from .jobs import JOBS, RESULTS
from .pages import PAGES, replaced


def main(argv=None) -> int:
    new = bare_parser(__doc__, "python -m benchmarks.studies.tables")
    new.add_argument("names", nargs="*", metavar="NAME", help=", ".join(JOBS))
    new.add_argument("--again", action="store_true", help="measure what is stored, too")
    new.add_argument("--write-only", action="store_true", help="from the JSON that is stored")
    new.add_argument("--list", action="store_true", help="what there is, and how long it takes")
    args, failed = new.parse_args(argv), []
    if unknown := set(args.names) - JOBS.keys():
        new.error(f"there is no {', '.join(unknown)}: choose of {', '.join(JOBS)}")
    if args.list:
        header = ["benchmark", "stored", "commits since", "minutes", "tables", "command"]
        print_table(header, listing(RESULTS))
        return 0
    for name in [] if args.write_only else args.names or JOBS:
        job = JOBS[name]
        if job.stored(RESULTS) is None or args.again:
            print(f"\n=== {name} (about {job.minutes} minutes): {job.command}", flush=True)
            try:
                job.run(RESULTS)
            except subprocess.CalledProcessError as problem:
                print(f"{name} failed: {problem}", file=sys.stderr, flush=True)
                failed.append(name)
            write(PAGES, RESULTS)
    write(PAGES, RESULTS)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


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
        document = job.stored(folder)
        when = "-" if document is None else document["machine"]["date"]
        since = commits_since(folder / f"{job.name}.json")
        rows.append([job.name, when, since, job.minutes, ", ".join(tables), job.command])
    return rows


def commits_since(path: Path) -> str:
    """How many commits have changed flowcore/ since a file was committed; "-" if git knows none."""

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=path.parent, capture_output=True, text=True)
        return run.stdout.strip()

    last = git("log", "-1", "--format=%H", "--", path.name)
    return git("rev-list", "--count", f"{last}..HEAD", "--", ":/flowcore") if last else "-"


if __name__ == "__main__":
    sys.exit(main())
