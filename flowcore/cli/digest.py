"""One number by which a model recognises the table that it was fitted to."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, Schema
from ..tables.encoding import codes, coordinates


def digest(frame: Frame, schema: Schema) -> str:
    """A sum of hashes of the rows, so that their order does not matter.

    It says nothing of single rows. frame: the modelled columns, without missing values.
    """
    from pandas import DataFrame
    from pandas.util import hash_pandas_object

    x = coordinates(frame, schema.numbers) + 0.0  # -0 is 0
    rows = DataFrame(np.column_stack([x, codes(frame, schema.categories)]))
    return f"{int(hash_pandas_object(rows, index=False).to_numpy().sum()):016x}"
