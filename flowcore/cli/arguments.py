"""The types of the commands' arguments and options: what they are called, and their help."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from typer import Argument, Option

MOST_SEED = 2**32 - 1  # of NumPy's older generator, which scikit-learn's moons are drawn from


class Layers(str, Enum):
    """The kinds of layers that `moons` knows."""

    maf, iaf, realnvp, nice = "maf", "iaf", "realnvp", "nice"


class Missing(str, Enum):
    """What to do with rows that miss a value."""

    error, drop = "error", "drop"


class Decimal(str, Enum):
    """Decimal signs."""

    point, comma = ".", ","


Model = Annotated[str, Argument(metavar="MODEL", help="A file that fit or flowcore.save wrote.")]
Data = Annotated[
    str,
    Argument(metavar="DATA", help="A CSV, .npy, .npz or Parquet file; - is standard input."),
]
SomeData = Annotated[
    str | None,
    Argument(metavar="[DATA]", help="A CSV, .npy, .npz or Parquet file; - is standard input."),
]
Seed = Annotated[int, Option(min=0, max=MOST_SEED, help="Random seed.")]
Json = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Progress = Annotated[
    bool | None,
    Option(
        "--progress/--no-progress",
        help="Show progress on standard error (default: if that is a terminal).",
        show_default=False,
    ),
]
Rows = Annotated[
    str | None,
    Option(
        "--out", "-o", metavar="FILE",
        help="Write to this .csv, .npy or .parquet file (default: print a CSV).",
    ),
]  # fmt: skip
Drop = Annotated[
    Missing, Option(help="Rows with a missing value: stop with an error, or drop them.")
]

# how a file is written; for the reader
Text = Annotated[
    list[str] | None,
    Option(metavar="A,B", help="Read these columns as text, although they look like numbers."),
]
Separator = Annotated[
    str | None,
    Option(help="CSV separator (default: detected from the first line among , ; tab |)."),
]
DecimalSign = Annotated[Decimal, Option("--decimal", help="CSV decimal sign; never detected.")]
NoHeader = Annotated[
    bool, Option("--no-header", help="The CSV has no header: its first line is a row.")
]
Encoding = Annotated[str, Option(help="CSV encoding.")]
Member = Annotated[str | None, Option(help="Name of the array in an .npz file.")]
MissingValue = Annotated[
    list[str] | None,
    Option(
        metavar="WORD",
        help="Treat this cell as missing, like the empty cell, NA and null. May be repeated.",
    ),
]
