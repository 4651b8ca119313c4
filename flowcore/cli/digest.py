"""One number by which a model recognises the table that it was fitted to."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, Schema
from ..tables.encoding import Encoding


def digest(frame: Frame, schema: Schema) -> str:
    """A sum of hashes of the rows, so that their order does not matter.

    It says nothing of single rows. frame: the modelled columns.
    """
    from pandas import DataFrame
    from pandas.util import hash_pandas_object

    codes, x, _ = Encoding(schema).encode(frame)
    rows = DataFrame(np.column_stack([x + 0.0, codes]))  # -0 is 0
    return f"{int(hash_pandas_object(rows, index=False).to_numpy().sum()):016x}"
