"""The numbers of a table are learned by `FlowDensity`, given its categories."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from .._version import __version__
from ..tables import Frame, Schema, TableDensity, fit_table
from ..tables.encoding import coordinates, line
from ..tables.schema import complete_rows
from ..training.columns import dependent_columns
from .digest import digest
from .inputs import named
from .problem import Problem
from .telling import note

if TYPE_CHECKING:
    from .fit import Settings

QUICK = 0.1  # of the usual budget
NARROW = 1e-4  # of the columns' scales: what is left of one when the others are known


def learned(frame: Frame, schema: Schema, settings: Settings, progress: bool) -> TableDensity:
    """p(c) p(x | c); its notes hold the number of rows, the estimator's summary, the settings."""
    estimator, own = _estimator(settings, len(frame), progress), schema.select(frame)
    own = own.take(complete_rows(own, settings.missing))
    _tell_narrow(own, schema)  # before the minutes that a fit takes
    found = fit_table(frame, schema, learn=estimator, missing=settings.missing, rng=settings.seed)
    notes = {
        **found.notes,
        "digest": digest(own, schema),
        "flow": settings.flow,
        "budget": settings.budget,
        "quick": settings.quick,
        "seed": settings.seed,
        "flowcore": __version__,
    }
    return TableDensity(found.schema, found.frequencies, found.density, notes)


def _estimator(settings: Settings, n: int, progress: bool):
    """A FlowDensity, not fitted yet, for n rows."""
    from ..estimator import FlowDensity
    from ..estimator.plan import default_minutes
    from ..estimator.recipes import as_candidates

    try:
        as_candidates(settings.flow, 2, 0)
    except ValueError as problem:
        raise Problem(f"--flow {settings.flow}: {problem}") from None
    budget = QUICK * default_minutes(n) if settings.quick else settings.budget
    return FlowDensity(
        settings.flow, budget=budget, n_jobs=settings.jobs, random_state=settings.seed,
        progress=progress,
    )  # fmt: skip


def _tell_narrow(frame: Frame, schema: Schema) -> None:
    """A note about columns that nearly follow from others: a valley that flows hardly find."""
    if not schema.numbers:
        return
    x, ends = coordinates(frame, schema.numbers), line(schema.numbers)
    x = x if ends is None else ends.inverse(x)
    found, n = dependent_columns(x, np.arange(len(x)), NARROW)
    if found.size:
        names = [schema.numbers[j].name for j in found]
        option = shlex.quote(f"{names[-1]}=aside")
        note(
            f"of the columns {named(names)}, {n} nearly follow{'s' * (n == 1)} from the others, up "
            f"to {NARROW:g} of their scales: a flow hardly learns that. If it is no news, leave "
            f"{n} out, such as by --kind {option}"
        )
