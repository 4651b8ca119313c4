"""Files of models: what `fit` wrote, or any density of `flowcore.save`."""

from __future__ import annotations

import os

from ..distributions import Distribution
from ..estimator.record import as_data
from ..files import load
from ..tables import Column, Kind, Schema, TableDensity
from .outputs import check_place
from .problem import Problem

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
    if isinstance(found, Distribution):
        return _of_numbers(path, found, range(found.dim), bool(found.context_dim))
    if hasattr(found, "density_") and hasattr(found, "summary_"):  # a FlowDensity
        names = getattr(found, "feature_names_in_", range(found.n_features_in_))
        given, notes = found.context_dim_ > 0, {"summary": as_data(found.summary_)}
        return _of_numbers(path, found.density_, list(names), given, notes)
    raise Problem(f"{path} holds a {type(found).__name__}, which is no density of rows")


def _of_numbers(path: str, density, names, is_given: bool, notes=None) -> TableDensity:
    if is_given:
        raise Problem(f"{path} holds a density given a context, which the command line has not")
    columns = tuple(Column(name, Kind("continuous")) for name in names)
    return TableDensity(Schema(columns), None, density, notes)
