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


Model = Annotated[str, Argument(metavar="MODEL", help="what fit wrote, or flowcore.save")]
Data = Annotated[
    str,
    Argument(metavar="DATA", help="CSV, .npy, .npz or Parquet; - is standard input"),
]
SomeData = Annotated[
    str | None,
    Argument(metavar="[DATA]", help="CSV, .npy, .npz or Parquet; - is standard input"),
]
Seed = Annotated[int, Option(min=0, max=MOST_SEED, help="Of all that is random.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
Progress = Annotated[
    bool | None,
    Option(
        "--progress/--no-progress",
        help="On standard error; unless told, if that is a terminal.",
        show_default=False,
    ),
]
Drop = Annotated[Missing, Option(help="Rows that miss a value: an error, or left out.")]

# how a file is written; for the reader
Separator = Annotated[
    str | None, Option(help="Of a CSV; unless told, the one of , ; tab | in its first line.")
]
DecimalSign = Annotated[Decimal, Option("--decimal", help="Of a CSV: told, never guessed.")]
NoHeader = Annotated[bool, Option("--no-header", help="The CSV's first line is a row.")]
Encoding = Annotated[str, Option(help="Of a CSV.")]
Member = Annotated[str | None, Option(help="Which array of an .npz.")]
MissingValue = Annotated[
    list[str] | None,
    Option(metavar="WORD", help="A cell that is missing, beside the empty one, NA, null, ..."),
]
