"""The commands and their options. Each returns what is to be done, once the arguments are right.

What does it is imported only then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

from typer import BadParameter, Exit, Option, Typer

from .._version import __version__
from .arguments import (
    MOST_SEED,
    Data,
    Decimal,
    DecimalSign,
    Drop,
    Encoding,
    Json,
    Layers,
    Member,
    Missing,
    MissingValue,
    Model,
    NoHeader,
    Progress,
    Rows,
    Seed,
    Separator,
    SomeData,
    Text,
)

Job = Callable[[], int]

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


@app.command()
def fit(
    data: Data,
    out: Annotated[
        str, Option("--out", "-o", metavar="MODEL", help="Write the model to this file.")
    ],
    flow: Annotated[
        str,
        Option(help="Flows to try: auto, affine, spline, modes, or a recipe such as maf or nsf."),
    ] = "auto",
    budget: Annotated[
        float | None,
        Option(help="Minutes on two cores (default: by the number of rows, 1.5 for 20,000)."),
    ] = None,
    quick: Annotated[bool, Option("--quick", help="Use a tenth of the default budget.")] = False,
    seed: Seed = 0,
    columns: Annotated[
        list[str] | None,
        Option("--columns", "-c", metavar="A,B", help="Model only these; set the others aside."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        Option(
            "--kind",
            "-k",
            metavar="NAME=KIND",
            help="Kind of a column: continuous, positive, bounded(0, 1), integer(0), "
            "gridded(0.5), categorical, boolean, aside. May be repeated.",
        ),
    ] = None,
    suggested: Annotated[bool, Option("--suggested", help="Adopt every suggested kind.")] = False,
    missing: Drop = Missing.error,
    jobs: Annotated[
        int | None, Option(min=1, help="Number of processes (default: number of cores).")
    ] = None,
    json: Json = False,
    progress: Progress = None,
    text: Text = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Fit a density to a table and write it to a file.

    Prints the candidates that were tried and their held-out log-densities.
    """
    if budget is not None and not budget > 0:
        raise BadParameter("must be more than 0 minutes", param_hint="--budget")
    if budget is not None and quick:
        raise BadParameter("cannot be combined with --quick", param_hint="--budget")
    kinds = [_pair(pair) for pair in kind or ()]
    reading = _reading(text, separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from . import fit

        settings = fit.Settings(
            flow, budget, quick, seed, _listed(columns), dict(kinds), suggested,
            missing.value, jobs,
        )  # fmt: skip
        return fit.run(data, out, settings, reading, json, _shown(progress))

    return job


@app.command()
def score(
    model: Model,
    data: Data,
    out: Rows = None,
    keep: Annotated[
        list[str] | None,
        Option(metavar="A,B", help="Columns of DATA to write beside the scores."),
    ] = None,
    ignore_extra: Annotated[
        bool, Option("--ignore-extra", help="Ignore columns that the model does not know.")
    ] = False,
    draws: Annotated[int, Option(min=1, help="Number of noise draws for integers and grids.")] = 1,
    seed: Seed = 0,
    json: Annotated[bool, Option("--json", help="Print a summary as JSON, and no scores.")] = False,
    progress: Progress = None,
    text: Text = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Compute the log-density of every row.

    In nats, in the order of the rows; nan for a row with a missing value. Rows are read and written
    in blocks: memory does not grow with the table.
    """
    if out is not None and out.endswith(".npy") and keep:
        raise BadParameter(
            "cannot be combined with an .npy: write a .csv or .parquet", param_hint="--keep"
        )
    reading = _reading(text, separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from . import score

        settings = score.Settings(_listed(keep) or (), ignore_extra, draws, seed)
        return score.run(model, data, out, settings, reading, json, _shown(progress))

    return job


@app.command()
def sample(
    model: Model,
    n: Annotated[int, Option("-n", min=0, help="Number of rows.")] = 1000,
    out: Rows = None,
    seed: Seed = 0,
) -> Job:
    """Sample rows from a model."""

    def job() -> int:
        from . import sample

        return sample.run(model, n, out, seed)

    return job


@app.command()
def plot(
    model: Model,
    data: SomeData = None,
    out: Annotated[
        str, Option("--out", "-o", metavar="PICTURE", help="Write to this .png, .pdf or .svg file.")
    ] = "pairs.png",
    columns: Annotated[
        list[str] | None,
        Option("--columns", "-c", metavar="A,B", help="Draw these columns, at most twelve."),
    ] = None,
    seed: Seed = 0,
    text: Text = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Draw every pair of columns.

    With DATA: its rows below the diagonal, samples from the model above it.
    """
    reading = _reading(text, separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from . import plot

        return plot.run(model, data, out, _listed(columns), seed, reading)

    return job


@app.command()
def diagnose(
    model: Model,
    data: Data,
    train: Annotated[
        str | None, Option(metavar="DATA", help="The training rows, to detect overfitting.")
    ] = None,
    out: Annotated[
        str | None, Option("--out", "-o", metavar="PICTURE", help="Draw the page of pictures, too.")
    ] = None,
    missing: Drop = Missing.error,
    seed: Seed = 0,
    json: Json = False,
    text: Text = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Test whether a model can be trusted.

    Compares the model with held-out rows and prints a verdict.
    """
    reading = _reading(text, separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from . import diagnose

        return diagnose.run(model, data, train, out, missing.value, seed, reading, json)

    return job


@app.command()
def info(model: Model, json: Json = False) -> Job:
    """Show the columns of a model and its held-out log-density."""

    def job() -> int:
        from . import info

        return info.run(model, json)

    return job


@app.command()
def moons(
    out: Annotated[str, Option(metavar="DIR", help="Folder for the pictures.")] = "moons",
    seed: Seed = 0,
    epochs: Annotated[
        int | None,
        Option(
            min=1, help="Epochs of every training run (600 for the layers, 200 for the recipe).",
            show_default=False,
        ),
    ] = None,
    flow: Annotated[
        Layers, Option(help="Kind of layer in the first two flows.")
    ] = Layers.maf,
    quick: Annotated[
        bool,
        Option(
            "--quick",
            help="Fewer epochs (150 for the six layers, 60 for the recipe) and two pictures.",
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        Option(
            min=1, metavar="N",
            help="Repeat for N seeds, from --seed on; print NLL and KL, draw nothing.",
        ),
    ] = None,
) -> Job:  # fmt: skip
    """Fit three flows to two moons.

    One layer and six, as in the tutorial, and flowcore's own recipe, each on 800 points of
    scikit-learn's two moons. Prints the distance of each flow from the truth; draws densities,
    samples, losses and stages.
    """
    if seeds and seed + seeds - 1 > MOST_SEED:
        raise BadParameter(
            f"the last of --seeds {seeds}, from --seed {seed} on, must be at most 2^32 - 1"
        )

    def job() -> int:
        from .. import moons

        settings = moons.Settings(flow.value, epochs, quick)
        if seeds:
            moons.compare_seeds(settings, range(seed, seed + seeds))
        else:
            moons.run(settings, seed, out)
        return 0

    return job


def _pair(text: str) -> tuple[str, str]:
    name, sign, kind = text.rpartition("=")
    if not sign or not name:
        raise BadParameter(f"{text!r} is not NAME=KIND", param_hint="--kind")
    return name, kind


def _listed(given: list[str] | None) -> tuple[str, ...] | None:
    """Names, each between commas, from an option that may be repeated."""
    if not given:
        return None
    return tuple(name for text in given for name in text.split(",") if name)


def _reading(text, separator, decimal, no_header, encoding, member, missing_value) -> dict:
    """The arguments of flowcore's reader; `missing_values` are those beside the usual ones."""
    separator = "\t" if separator in ("\\t", "tab") else separator
    return dict(text=_listed(text) or (), separator=separator, decimal=decimal.value,
                header=not no_header, encoding=encoding, member=member,
                missing_values=missing_value or ())  # fmt: skip


def _shown(progress: bool | None) -> bool:
    return sys.stderr.isatty() if progress is None else progress
