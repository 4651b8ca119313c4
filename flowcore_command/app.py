"""The commands and their options. Each returns what is to be done, once the arguments are right.

What does it is imported only then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from runpy import run_path
from typing import Annotated

from typer import BadParameter, Exit, Option, Typer

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
    Seed,
    Separator,
    SomeData,
)

Job = Callable[[], int]

app = Typer(
    help="Normalizing flows in pure NumPy: from a table to its density.",
    add_completion=False,
    rich_markup_mode=None,  # plain text, whatever the terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        package = find_spec("flowcore")  # which is not imported for that
        version = run_path(os.path.join(os.path.dirname(package.origin), "_version.py"))
        print(f"flowcore {version['__version__']}")
        raise Exit


@app.callback()
def _all_commands(
    version: Annotated[
        bool, Option("--version", callback=_version, is_eager=True, help="Print it and end.")
    ] = False,
) -> None:
    """Normalizing flows in pure NumPy: from a table to its density."""


@app.command()
def fit(
    data: Data,
    out: Annotated[str, Option("--out", "-o", metavar="MODEL", help="The file to write.")],
    flow: Annotated[
        str,
        Option(help="auto, affine, spline, modes, or a recipe: maf, nsf, realnvp, ..."),
    ] = "auto",
    budget: Annotated[
        float | None,
        Option(help="Minutes on two cores; unless told, by the number of rows: 1.5 for 20,000."),
    ] = None,
    quick: Annotated[bool, Option("--quick", help="A tenth of the usual budget.")] = False,
    seed: Seed = 0,
    columns: Annotated[
        list[str] | None,
        Option("--columns", "-c", metavar="A,B", help="Model these; the others are set aside."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        Option(
            "--kind",
            "-k",
            metavar="NAME=KIND",
            help="What a column is: continuous, positive, bounded(0, 1), integer(0), "
            "gridded(0.5), categorical, boolean, aside. May be repeated.",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        Option(metavar="A,B", help="Columns that are text, though they look like numbers."),
    ] = None,
    suggested: Annotated[
        bool, Option("--suggested", help="Adopt all suggestions for what columns are.")
    ] = False,
    missing: Drop = Missing.error,
    jobs: Annotated[
        int | None, Option(min=1, help="Processes; unless told, as many as cores.")
    ] = None,
    json: Json = False,
    progress: Progress = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Learn a table's density; write it to a file.

    What was tried, and how probable rows were that it had not seen, is printed.
    """
    if budget is not None and not budget > 0:
        raise BadParameter("must be more than 0 minutes", param_hint="--budget")
    if budget is not None and quick:
        raise BadParameter("says how long, and so does --quick: give one", param_hint="--budget")
    kinds = [_pair(pair) for pair in kind or ()]
    reading = _reading(separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from flowcore.cli import fit

        settings = fit.Settings(
            flow, budget, quick, seed, _listed(columns), dict(kinds), _listed(text), suggested,
            missing.value, jobs,
        )  # fmt: skip
        return fit.run(data, out, settings, reading, json, _shown(progress))

    return job


@app.command()
def score(
    model: Model,
    data: Data,
    out: Annotated[
        str | None,
        Option("--out", "-o", metavar="FILE", help=".csv, .npy or .parquet; unless told, printed."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        Option(metavar="A,B", help="Columns of DATA to write beside it."),
    ] = None,
    ignore_extra: Annotated[
        bool, Option("--ignore-extra", help="Columns that the model does not know are no error.")
    ] = False,
    json: Annotated[
        bool, Option("--json", help="Print a summary as JSON; scores only to --out.")
    ] = False,
    progress: Progress = None,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """The log-density of every row.

    In nats, in the order of the rows; nan for a row that misses a value. Rows come and go in
    blocks: memory does not grow with the table.
    """
    if out is not None and out.endswith(".npy") and keep:
        raise BadParameter("needs a CSV to write to, not an .npy", param_hint="--keep")
    reading = _reading(separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from flowcore.cli import score

        settings = score.Settings(_listed(keep) or (), ignore_extra)
        return score.run(model, data, out, settings, reading, json, _shown(progress))

    return job


@app.command()
def sample(
    model: Model,
    n: Annotated[int, Option("-n", min=0, help="How many rows.")] = 1000,
    out: Annotated[
        str | None,
        Option("--out", "-o", metavar="FILE", help=".csv, .npy or .parquet; unless told, printed."),
    ] = None,
    seed: Seed = 0,
) -> Job:
    """Draw rows like those of the table."""

    def job() -> int:
        from flowcore.cli import sample

        return sample.run(model, n, out, seed)

    return job


@app.command()
def plot(
    model: Model,
    data: SomeData = None,
    out: Annotated[
        str, Option("--out", "-o", metavar="PICTURE", help=".png, .pdf or .svg")
    ] = "pairs.png",
    columns: Annotated[
        list[str] | None, Option("--columns", "-c", metavar="A,B", help="Two to twelve of them.")
    ] = None,
    seed: Seed = 0,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Draw every pair of columns.

    The data, if there are some, beside rows drawn from the model.
    """
    reading = _reading(separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from flowcore.cli import plot

        return plot.run(model, data, out, _listed(columns), seed, reading)

    return job


@app.command()
def diagnose(
    model: Model,
    data: Data,
    train: Annotated[
        str | None, Option(metavar="DATA", help="The rows that it learned from, if you have them.")
    ] = None,
    out: Annotated[
        str | None, Option("--out", "-o", metavar="PICTURE", help="Draw the page, too.")
    ] = None,
    missing: Drop = Missing.error,
    seed: Seed = 0,
    json: Json = False,
    separator: Separator = None,
    decimal: DecimalSign = Decimal.point,
    no_header: NoHeader = False,
    encoding: Encoding = "utf-8",
    member: Member = None,
    missing_value: MissingValue = None,
) -> Job:
    """Can a model be trusted?

    A verdict in words, from rows that it has not seen.
    """
    reading = _reading(separator, decimal, no_header, encoding, member, missing_value)

    def job() -> int:
        from flowcore.cli import diagnose

        return diagnose.run(model, data, train, out, missing.value, seed, reading, json)

    return job


@app.command()
def info(model: Model, json: Json = False) -> Job:
    """What a model is, and how good it was."""

    def job() -> int:
        from flowcore.cli import info

        return info.run(model, json)

    return job


@app.command()
def moons(
    out: Annotated[str, Option(metavar="DIR", help="Folder for the pictures.")] = "moons",
    seed: Seed = 0,
    epochs: Annotated[
        int | None,
        Option(
            min=1, help="Of every training run (600 for the layers, 200 for the recipe).",
            show_default=False,
        ),
    ] = None,
    flow: Annotated[
        Layers, Option(help="The kind of the one layer and of the six.")
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
            help="No pictures: repeat for N seeds, from --seed on, and print NLL and KL.",
        ),
    ] = None,
) -> Job:  # fmt: skip
    """Watch a flow learn two moons.

    Train three flows on 800 points of scikit-learn's two moons: one layer and six, as in the
    tutorial, and flowcore's own recipe. Tell how far each is from the truth; draw their densities
    beside it, samples, losses and stages.
    """
    if seeds and seed + seeds - 1 > MOST_SEED:
        raise BadParameter(
            f"the last of --seeds {seeds}, from --seed {seed} on, must be at most 2^32 - 1"
        )

    def job() -> int:
        from flowcore.cli import moons

        return moons.run(flow.value, epochs, quick, seeds, seed, out)

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


def _reading(separator, decimal, no_header, encoding, member, missing_value) -> dict:
    """The arguments of flowcore's reader; `missing_values` are those beside the usual ones."""
    separator = "\t" if separator in ("\\t", "tab") else separator
    return dict(separator=separator, decimal=decimal.value, header=not no_header,
                encoding=encoding, member=member, missing_values=missing_value or ())  # fmt: skip


def _shown(progress: bool | None) -> bool:
    return sys.stderr.isatty() if progress is None else progress
