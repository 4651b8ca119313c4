"""A `TableDensity` is judged by its numbers, given its categories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..tables.numbers import Numbers
from .judged import Rows, different, warn_of_shared

if TYPE_CHECKING:
    from .._typing import Seed, TableLike
    from ..tables import TableDensity
    from .report import Diagnosis

MOST = 0.9  # of the training rows differ: else new rows are like some of them, too


def of_table(
    density: TableDensity,
    X_held_out: TableLike,
    X_train: TableLike | None,
    *,
    missing: str = "drop",
    rng: Seed = 0,
    **options,
) -> Diagnosis:
    """What `diagnose` finds about log p(x | c); what is on a grid has noise that fills its cells.

    missing: "error", or "drop": rows that miss a value are left out, with a warning.
    """
    from .diagnose import diagnose

    rng = np.random.default_rng(rng)
    own = Numbers.of(density, density.schema.select(X_held_out), missing, rng)
    theirs = None
    if X_train is not None:
        theirs = Numbers.of(density, density.schema.select(X_train), missing, rng)
        _warn_of_shared(own, theirs)
    found = diagnose(
        own.density,
        own.rows,
        None if theirs is None else theirs.rows,
        context=own.context,
        context_train=None if theirs is None else theirs.context,
        names=own.names,
        rng=rng,
        **options,
    )
    given = tuple(f"{column.name}" for column in density.schema.categories)
    return replace(found, density=type(density).__name__, given=given)


def _warn_of_shared(own: Numbers, theirs: Numbers) -> None:
    """Before the noise, which differs in each row; without noise, `diagnose` compares."""
    if own.plain is own.rows:
        return
    train = Rows(theirs.plain, theirs.context)
    if len(different(train)) > MOST * len(train.x):
        warn_of_shared(Rows(own.plain, own.context), train)
