"""The command `python -m flowcore.teaching`: exams, and the marks of a class's files."""

import csv
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option, Typer

from .exams import EXAMS, exam_text
from .marks import Mark, mark

app = Typer(add_completion=False, help="Homework and exams of the course.", no_args_is_help=True)


@app.command("exam")
def print_exam(
    seed: Annotated[int, Option(min=0, help="Keep it secret: it gives the numbers.")],
    number: Annotated[int, Option(min=1, max=len(EXAMS), help="Which of the exams.")] = 1,
    answers: Annotated[bool, Option("--answers", help="Print answers and points instead.")] = False,
) -> None:
    """Print an exam of 60 minutes and 40 points, in Markdown."""
    print(exam_text(seed, number, answers), end="")


@app.command("mark")
def print_marks(
    work: Annotated[list[Path], Argument(help="Files of students, or folders of them.")],
) -> None:
    """Print a CSV with one row for each answer in the files that students saved in the browser.

    Numbers are checked again. Code is not run: the verdict of the student's browser stands beside
    it. A file that cannot be read, or is no .json, is named and left out; the exit status is then
    1, and also if there is no file.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # a student's name may be in a path
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(Mark._fields)
    files = [
        file
        for path in work
        for file in (sorted(path.rglob("[!.]*.*")) if path.is_dir() else [path])
    ]
    skipped = 0
    for file in files:
        try:
            if file.suffix != ".json":
                raise ValueError(f"{file} does not end in .json")
            rows = mark(file)
        except (ValueError, OSError) as problem:
            print(f"skipped: {problem}", file=sys.stderr)
            skipped += 1
        else:
            table.writerows(rows)
    print(f"{len(files) - skipped} files marked, {skipped} skipped", file=sys.stderr)
    raise Exit(int(skipped > 0 or not files))


if __name__ == "__main__":
    app(prog_name="python -m flowcore.teaching")
