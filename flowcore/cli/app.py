"""The commands and their options. The code that does the work is imported after parsing."""

from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from inspect import Signature, signature
from typing import Annotated, Literal

from typer import Argument, BadParameter, Exit, Option, Typer

from .._version import __version__

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


def known(values: list[str]) -> list[tuple[str, str]]:
    """(name, text) of each NAME=VALUE."""
    found = [text.partition("=") for text in values]
    for name, sign, value in found:
        if not (name and sign):
            raise BadParameter(f"{name + sign + value!r} is not NAME=VALUE")
    if len({name for name, *_ in found}) < len(found):
        raise BadParameter("a column is named twice")
    return [(name, value) for name, _, value in found]


def flag(name: str, help: str):
    """The type of an option without a value."""
    return Annotated[bool, Option(name, help=help)]


def negative(name: str, help: str):
    """The type of an option without a value that makes an argument false, which else is true."""
    return Annotated[bool, Option(name, help=help, callback=lambda given: not given)]


def named(help: str, *flags: str):
    """The type of an option that takes names of columns."""
    return Annotated[list[str], Option(*flags, metavar="A,B", callback=split, help=help)]


Model = Annotated[str, Argument(metavar="MODEL", help="A file that fit or flowcore.save wrote.")]
TABLE = "A CSV, .npy, .npz or Parquet file; - is standard input."
Data = Annotated[str, Argument(metavar="DATA", help=TABLE)]
SomeData = Annotated[str | None, Argument(metavar="[DATA]", help=TABLE)]
HeldOut = Annotated[str, Argument(metavar="X_HELD_OUT", help=TABLE)]
Seed = Annotated[int, Option(min=0, max=MOST_SEED, help="Random seed.")]
Json = flag("--json", "Print the result as JSON.")
IgnoreExtra = flag("--ignore-extra", "Ignore columns that the model does not have.")
Strict = flag("--strict", "Stop at the first row with a cell that the model cannot have.")
Rows = Annotated[
    str | None,
    Option(
        "--out", "-o", metavar="FILE", callback=lambda out: None if out == "-" else out,
        help="Write to this .csv, .npy or .parquet file (default: print a CSV).",
    ),
]  # fmt: skip
Missing = Annotated[
    Literal["error", "drop", "atom", "learn"],
    Option(
        help="Missing numbers: raise an error, drop the row, or make them a value of their own "
        "(atom). learn: missing cells are unknown, and rows contribute their known cells."
    ),
]
Kinds = Annotated[
    list[str],
    Option(
        "--kind", "-k", metavar="NAME=KIND", callback=pairs,
        help="Kind of a column: continuous, positive, bounded(0, 1), integer(0), gridded(0.5), "
        "date(day, %d.%m.%Y), categorical, boolean, aside; 'positive atoms(0)'. May be repeated.",
    ),
]  # fmt: skip

Given = Annotated[
    list[str],
    Option(
        metavar="NAME=VALUE", callback=known,
        help="Sample given this value of a column, or a range of numbers or days: age=30..40, "
        "age=30.. (or more). May be repeated.",
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
        metavar="WORD",
        help="Treat this cell as missing, like the empty cell, NA and null. May be repeated.",
    ),
]  # fmt: skip


@dataclass
class Reading:
    """The format of a file: arguments of `flowcore.tables.read_blocks`."""

    text: named("Read these columns as text, although they look like numbers.") = ()
    separator: Separator = None
    decimal: Annotated[Literal[".", ","], Option(help="CSV decimal sign; never detected.")] = "."
    header: negative("--no-header", "The first line of a CSV is a row, not names.") = False
    encoding: Annotated[str, Option(help="CSV encoding.")] = "utf-8"
    missing_values: Words = ()


app = Typer(
    help="Normalizing flows in pure NumPy: fit a density to a table.",
    add_completion=False,
    rich_markup_mode=None,  # plain text, whatever the terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"flowcore {__version__}")
        raise Exit


@app.callback()
def _all_commands(
    version: Annotated[
        bool,
        Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Normalizing flows in pure NumPy: fit a density to a table."""


def command(function):
    """A command: `run` in the file of its name does the work, with these arguments.

    A parameter `reading` stands for the options of `Reading`, and gets them as a dict.
    """
    own = dict(signature(function).parameters)
    reading = signature(Reading).parameters if own.pop("reading", None) else {}

    @wraps(function)
    def call(**options):
        if reading:
            options["reading"] = {name: options.pop(name) for name in reading}
        import_module(f".{function.__name__}", __package__).run(**options)

    every = [*own.values(), *reading.values()]
    call.__signature__ = Signature([one.replace(kind=one.KEYWORD_ONLY) for one in every])
    return app.command()(call)


@command
def fit(
    data: Data,
    out: Annotated[
        str, Option("--out", "-o", metavar="MODEL", help="Write the model to this file.")
    ],
    flow: Annotated[
        str,
        Option(help="Flows to try: auto, or one: spline, margins, modes, affine, small, white."),
    ] = "auto",
    budget: Annotated[
        float | None,
        Option(help="Minutes on two cores (default: by the number of rows, 0.57 for 20,000)."),
    ] = None,
    quick: flag("--quick", "Use a tenth of the budget.") = False,
    seed: Seed = 0,
    columns: named("Model only these; set the others aside.", "--columns", "-c") = (),
    kind: Kinds = (),
    suggested: negative("--no-suggested", "Take numbers as they are.") = False,
    missing: Missing = "error",
    auto: flag(
        "--auto",
        "Set aside what has no density (constants, identifiers, text, copies), learn from missing "
        "cells, and note it.",
    ) = False,
    rules: negative(
        "--no-rules", "Learn categories that follow from one other column in all rows like others."
    ) = False,
    schema: Annotated[
        str | None, Option(metavar="MODEL", help="Take the kinds of columns from this model.")
    ] = None,
    progress: negative("--no-progress", "Show no progress on standard error.") = False,
    *,
    reading: Reading,
) -> None:
    """Fit a density to a table and write it to a file.

    Prints the candidates that were tried and their held-out log-densities.
    """


@command
def score(
    model: Model,
    data: Data,
    out: Rows = None,
    keep: named("Columns of DATA to write beside the scores.") = (),
    ignore_extra: IgnoreExtra = False,
    explain: flag(
        "--explain", "Also write an outlier score, the cell to look at and its likely value."
    ) = False,
    strict: Strict = False,
    missing: Annotated[
        Literal["nan", "marginal"] | None,
        Option(
            help="Rows with a missing cell: nan, or log p of the cells that they have (default: "
            "marginal if the model learned from such rows, else nan)."
        ),
    ] = None,
    json: flag("--json", "Print a summary as JSON, and no scores.") = False,
    *,
    reading: Reading,
) -> None:
    """Compute the log-density of every row, in nats.

    Scores are in the order of the rows. Which rows are odd, and why? --explain adds four columns:
    outlier_score is high for wrong cells and for narrow clusters of outliers, cell names the most
    surprising cell given the rest of its row, likely is a likely value for it, and gain is the rise
    of log p, in nats, with that value.

    Memory does not grow with the table, except for an .npz, which is read whole.
    """


@command
def sample(
    model: Model,
    n: Annotated[int, Option("-n", min=0, help="Number of rows.")] = 1000,
    out: Rows = None,
    margins: Annotated[
        Literal["model", "table"],
        Option(help="Distribution of each column: that of the model, or of the training table."),
    ] = "model",
    given: Given = (),
    seed: Seed = 0,
) -> None:
    """Sample rows from a model.

    With --given some columns are known: --given city=Bern --given "age=30..40".

    With --margins table each number is replaced by the value of the same rank in the training
    table. The columns depend on each other as in the model, and each column has the values of the
    table. These rows are not draws from p.
    """


@command
def impute(
    model: Model,
    data: Data,
    out: Rows = None,
    n: Annotated[int, Option("-n", min=1, help="Number of completed tables.")] = 1,
    keep: named("Other columns of DATA to write, too.") = (),
    ignore_extra: IgnoreExtra = False,
    strict: Strict = False,
    seed: Seed = 0,
    *,
    reading: Reading,
) -> None:
    """Fill the missing cells of a table.

    Missing cells are drawn given the other cells of their row, so n completed tables show how
    uncertain they are. With -n 5 each row is written five times; the column `imputation` counts.
    A known cell that the model cannot have, such as a number beyond an end, stays as it is. Columns
    that were set aside come back unchanged.
    """


@command
def plot(
    model: Model,
    data: SomeData = None,
    out: Annotated[
        str, Option("--out", "-o", metavar="PICTURE", help="Write to this .png, .pdf or .svg file.")
    ] = "pairs.png",
    columns: named("Draw these columns, at most twelve.", "--columns", "-c") = (),
    *,
    reading: Reading,
) -> None:
    """Draw every pair of columns.

    With DATA: its rows below the diagonal, samples from the model above it.
    """


@command
def diagnose(
    model: Model,
    held_out: HeldOut,
    train: Annotated[
        str | None, Option(metavar="X_TRAIN", help="The training rows, to detect overfitting.")
    ] = None,
    out: Annotated[
        str | None, Option("--out", "-o", metavar="PICTURE", help="Draw the page of pictures, too.")
    ] = None,
    ignore_extra: IgnoreExtra = False,
    hide: Annotated[
        float,
        Option(min=0, max=0.99, help="Test conditionals, too: hide this share of the cells."),
    ] = 0.0,
    strict: Strict = False,
    fail: flag("--fail", "Exit status 3 if the model cannot be trusted for these rows.") = False,
    json: Json = False,
    *,
    reading: Reading,
) -> None:
    """Test whether a model can be trusted.

    Compares the model with held-out rows and prints a verdict. Rows with a missing cell are left
    out, with a note.
    """


@command
def info(model: Model, json: Json = False) -> None:
    """Show the columns of a model and its held-out log-density."""


@command
def moons(
    out: Annotated[str, Option(metavar="DIR", help="Folder for the pictures.")] = "moons",
    seed: Seed = 0,
    flow: Annotated[
        Literal["maf", "iaf", "realnvp", "nice"],
        Option(help="Kind of layer in the first two flows."),
    ] = "maf",
    quick: flag("--quick", "Fewer epochs (six layers 150, recipe 60) and two pictures.") = False,
) -> None:
    """Fit three flows to two moons.

    One layer and six, as in the tutorial, and flowcore's own recipe, each on 800 points of
    scikit-learn's two moons. Prints the distance of each flow from the truth; draws densities,
    samples, losses and stages.
    """
