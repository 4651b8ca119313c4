"""The numbers of a table are learned by `FlowDensity`, given its categories."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import numpy as np

from ..tables import Frame, Schema, TableDensity, fit_table
from ..tables.encoding import coordinates, line
from ..tables.schema import complete_rows
from ..training.columns import dependent_columns
from .digest import digest
from .inputs import named
from .problem import Problem
from .telling import note

QUICK = 0.1  # of the usual budget
NARROW = 1e-4  # of the columns' scales: what is left of one when the others are known


class Learner(NamedTuple):
    """The options of `FlowDensity`."""

    flow: str
    budget: float | None
    seed: int
    jobs: int | None
    progress: bool

    @classmethod
    def of(cls, settings, n: int, progress: bool) -> Learner:
        """As the command was asked, for n rows."""
        from ..estimator.plan import default_minutes

        budget = QUICK * default_minutes(n) if settings.quick else settings.budget
        return cls(settings.flow, budget, settings.seed, settings.jobs, progress)

    def estimator(self):
        """Not fitted yet."""
        from ..estimator import FlowDensity
        from ..estimator.recipes import as_candidates

        try:
            as_candidates(self.flow, 2, 0)
        except ValueError as problem:
            raise Problem(f"--flow {self.flow}: {problem}") from None
        return FlowDensity(
            self.flow, budget=self.budget, n_jobs=self.jobs, random_state=self.seed,
            progress=self.progress,
        )  # fmt: skip


def learned(frame: Frame, schema: Schema, learner: Learner, missing: str) -> TableDensity:
    """p(c) p(x | c); its notes say how many rows there were, and the estimator's summary."""
    estimator, own = learner.estimator(), schema.select(frame)
    own = own.take(complete_rows(own, missing))
    _tell_narrow(own, schema)  # before the minutes that a fit takes
    found = fit_table(frame, schema, learn=estimator, missing=missing, rng=learner.seed)
    notes = {**found.notes, "digest": digest(own, schema)}
    return TableDensity(found.schema, found.frequencies, found.density, notes)


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
