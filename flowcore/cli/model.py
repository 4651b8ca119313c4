"""Files of models: what `fit` wrote, or any density of `flowcore.save`."""

from __future__ import annotations

import os

from flowcore_command.problem import Problem

from ..distributions import Distribution
from ..files import load
from ..tables import Column, Kind, Schema, TableDensity
from .outputs import check_place

OTHERS = (".csv", ".tsv", ".txt", ".npy", ".parquet", ".json", ".png", ".pdf", ".svg")


def check_model(out: str, *read: str) -> None:
    """`check_place` for a model: also that its name is not that of a table or a picture."""
    check_place(out, *read)
    stem, suffix = os.path.splitext(out)
    if suffix.lower() in OTHERS:
        raise Problem(f"{out}: a model is an .npz, no {suffix}: for example -o {stem}.npz")


def read_model(path: str) -> TableDensity:
    """The model in a file; a flow without names becomes one with the columns 0, 1, ..."""
    found = load(path)
    if isinstance(found, TableDensity):
        return found
    if not isinstance(found, Distribution):
        raise Problem(f"{path} holds a {type(found).__name__}, which is no density of rows")
    if found.context_dim:
        raise Problem(f"{path} holds a density given a context, which the command line has not")
    columns = tuple(Column(j, Kind("continuous")) for j in range(found.dim))
    return TableDensity(Schema(columns), None, found)
