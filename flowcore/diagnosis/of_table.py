"""A `TableDensity` is judged by its numbers, given its categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .judged import Rows, different, warn_of_shared

if TYPE_CHECKING:
    from .._typing import Seed, TableLike
    from .report import Diagnosis

MOST = 0.9  # of the training rows differ: else new rows are like some of them, too


def of_table(
    judge: Callable[..., Diagnosis],
    density: Any,
    X_held_out: TableLike,
    X_train: TableLike | None,
    *,
    rng: Seed = 0,
    **options,
) -> Diagnosis:
    """What `judge`, which is `diagnose`, finds about log p(x | c) of a `TableDensity`; what is on a
    grid has noise that fills its cells. Rows that miss a value are left out, with a warning."""
    rng = np.random.default_rng(rng)
    own, theirs = density.numbers_of(X_held_out, rng), None
    if X_train is not None:
        theirs = density.numbers_of(X_train, rng)
        _warn_of_shared(own, theirs)
    found = judge(
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


def _warn_of_shared(own, theirs) -> None:
    """Before the noise, which differs in each row; without noise, `diagnose` compares."""
    if own.plain is own.rows:
        return
    train = Rows(theirs.plain, theirs.context)
    if len(different(train)) > MOST * len(train.x):
        warn_of_shared(Rows(own.plain, own.context), train)
