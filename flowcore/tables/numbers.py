"""The numbers of a table as continuous rows, their density, and what they are given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..bijectors import Chain
from ..core import warn
from ..distributions import Distribution, TransformedDistribution
from .encoding import check_inside, codes, coordinates, line, noise
from .frame import Frame
from .schema import complete_rows
from .slots import Slots


class Numbers(NamedTuple):
    """density of rows (n, D), given context (n, C) or None; names of the columns.

    Numbers on a grid have noise, which fills their cells: so all of them have a density. In `plain`
    they have none.
    """

    density: Distribution
    names: tuple[str, ...]
    rows: np.ndarray
    context: np.ndarray | None
    plain: np.ndarray

    @classmethod
    def of(cls, model: Any, frame: Frame, missing: str, rng) -> Numbers:
        """Of a frame that has the model's columns. A warning says how many rows are left out.

        missing: "error" or "drop". Errors: ValueError for a row outside of a support, for missing
        values, and for a model without numbers.
        """
        columns = model.schema.numbers
        if not columns:
            raise ValueError("the model has no numbers, only categories: none can be judged")
        complete = complete_rows(frame, missing)
        if not complete.all():
            left = np.count_nonzero(~complete)
            warn(f"{_rows(left)} left out for missing values, and not counted in row numbers")
        frame = frame.take(complete)
        context, density = None, model.density
        if getattr(density, "context_dim", 0):
            frame, context = _given(model, frame)
        plain = rows = coordinates(frame, columns)
        check_inside(frame, columns, rows)
        dequantize, ends = noise(columns), line(columns)
        rows = rows if dequantize is None else dequantize(rows, rng)
        if ends is not None and isinstance(density, TransformedDistribution):
            density = TransformedDistribution(density.base, Chain([ends, density.bijector]))
        elif ends is not None:
            density = TransformedDistribution(density, ends)
        return cls(density, tuple(f"{c.name}" for c in columns), rows, context, plain)


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _given(model: Any, frame: Frame) -> tuple[Frame, np.ndarray]:
    """(the rows whose categories are known, these as a context)."""
    own = codes(frame, model.schema.categories)
    slots = Slots(model.frequencies)
    found = slots.of(own)
    known = (found >= 0).all(axis=1)
    if not known.all():
        warn(f"{_rows(np.count_nonzero(~known))} left out for a category that was never seen")
    return frame.take(known), slots.context(found[known])
