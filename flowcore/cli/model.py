"""Files of models, by `fit` or any density that Python saved; the digest of a table."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

from ..distributions import Distribution
from ..estimator import FlowDensity
from ..files import load
from ..tables import Column, Frame, Kind, Schema, TableDensity, TableRecord
from ..tables.encoding import Encoding


def read_model(path: str) -> TableDensity:
    """The model in a file; a flow without names becomes one with the columns 0, 1, ..."""
    found = load(path)
    if isinstance(found, TableDensity):
        return found
    if isinstance(found, FlowDensity):
        names = getattr(found, "feature_names_in_", range(found.n_features_in_))
        notes = {"summary": found.summary_}
        return _of_numbers(path, found.density_, names, found.context_dim_, notes)
    if isinstance(found, Distribution):
        return _of_numbers(path, found, range(found.dim), found.context_dim)
    raise ValueError(f"{path} holds a {type(found).__name__}, which is no density of rows")


def _of_numbers(path: str, density, names: Iterable, context_dim: int, notes=None) -> TableDensity:
    if context_dim:
        raise ValueError(f"{path} holds a density given a context, which a command cannot pass")
    columns = tuple(Column(name, Kind("continuous")) for name in names)
    return TableRecord(Schema(columns).to_dict(), None, density, notes=notes).restored()


def digest(frame: Frame, schema: Schema) -> str:
    """A hash of the rows in any order, by which a model recognises the table of its fit.

    frame: the modelled columns.
    """
    encoding = Encoding(schema)
    codes, x, _ = encoding.encode(encoding.without_odd(frame)[0])
    rows = np.column_stack([x + 0.0, codes])  # -0 is 0
    return sha256(rows[np.lexsort(rows.T)].tobytes()).hexdigest()[:16]
