"""One number by which a model knows the table again that it learned from."""

from __future__ import annotations

import numpy as np

from ..tables import Frame, Schema
from ..tables.encoding import codes, coordinates

MULTIPLIER, SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


def digest(frame: Frame, schema: Schema) -> str:
    """A sum over rows of what they are mixed to: of the same rows in any order, the same.

    It tells nothing of single rows. frame: the modelled columns, without missing values.
    """
    x = coordinates(frame, schema.numbers) + 0.0  # -0 is 0
    bits = np.column_stack([x.view(np.uint64), codes(frame, schema.categories).astype(np.uint64)])
    mixed = np.zeros(len(frame), np.uint64)
    for column in bits.T:
        mixed = (mixed ^ column) * MULTIPLIER
        mixed ^= mixed >> SHIFT
    return f"{int(mixed.sum(dtype=np.uint64)):016x}"
