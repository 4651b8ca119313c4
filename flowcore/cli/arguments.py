"""The types of the commands' arguments and options: their names, values and help."""

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from typer import Argument, BadParameter, Option

MOST_SEED = 2**32 - 1  # of NumPy's older generator, which scikit-learn's moons are drawn from


def split(values: list[str]) -> list[str]:
    """Names between commas, from an option that may be repeated."""
    return [name for text in values for name in text.split(",") if name]


def pairs(values: list[str]) -> list[tuple[str, str]]:
    """(name, kind) of each NAME=KIND."""
    found = [text.rpartition("=") for text in values]
    for name, sign, kind in found:
        if not name:
            raise BadParameter(f"{name + sign + kind!r} is not NAME=KIND")
    return [(name, kind) for name, _, kind in found]


def named(help: str, *flags: str):
    """The type of an option that takes names of columns."""
    return Annotated[list[str], Option(*flags, metavar="A,B", callback=split, help=help)]


Model = Annotated[str, Argument(metavar="MODEL", help="A file that fit or flowcore.save wrote.")]
TABLE = "A CSV, .npy, .npz or Parquet file; - is standard input."
Data = Annotated[str, Argument(metavar="DATA", help=TABLE)]
SomeData = Annotated[str | None, Argument(metavar="[DATA]", help=TABLE)]
HeldOut = Annotated[str, Argument(metavar="X_HELD_OUT", help=TABLE)]
Seed = Annotated[int, Option(min=0, max=MOST_SEED, help="Random seed.")]
Json = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Progress = Annotated[
    bool,
    Option(
        "--progress/--no-progress",
        help="Show progress on standard error (default: if that is a terminal).",
        default_factory=lambda: sys.stderr.isatty(),
        show_default=False,
    ),
]
Rows = Annotated[
    str | None,
    Option(
        "--out", "-o", metavar="FILE", callback=lambda out: None if out == "-" else out,
        help="Write to this .csv, .npy or .parquet file (default: print a CSV).",
    ),
]  # fmt: skip
Missing = Annotated[
    Literal["error", "drop"],
    Option(help="Rows with a missing value: stop with an error, or drop them."),
]
Kinds = Annotated[
    list[str],
    Option(
        "--kind", "-k", metavar="NAME=KIND", callback=pairs,
        help="Kind of a column: continuous, positive, bounded(0, 1), integer(0), gridded(0.5), "
        "categorical, boolean, aside. May be repeated.",
    ),
]  # fmt: skip


Separator = Annotated[
    str | None,
    Option(
        callback=lambda sign: "\t" if sign in ("\\t", "tab") else sign,
        help="CSV separator (default: detected from the first line among , ; tab |).",
    ),
]
Words = Annotated[
    list[str],
    Option(
        "--missing-values", "--missing-value", metavar="WORD",
        help="Treat this cell as missing, like the empty cell, NA and null. May be repeated.",
    ),
]  # fmt: skip


@dataclass
class Reading:
    """How a file is written: arguments of `flowcore.tables.read_blocks`."""

    text: named("Read these columns as text, although they look like numbers.") = ()
    separator: Separator = None
    decimal: Annotated[Literal[".", ","], Option(help="CSV decimal sign; never detected.")] = "."
    header: Annotated[
        bool, Option(help="Whether the first line of a CSV has names, or is a row.")
    ] = True
    encoding: Annotated[str, Option(help="CSV encoding.")] = "utf-8"
    member: Annotated[str | None, Option(help="Name of the array in an .npz file.")] = None
    missing_values: Words = ()
