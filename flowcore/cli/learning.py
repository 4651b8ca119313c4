"""The numbers of a table are learned by `FlowDensity`, given its categories."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from flowcore_command.problem import Problem

from ..tables import Frame, Given, Schema, TableDensity, fit_table
from ..tables.encoding import codes, line
from ..tables.schema import complete_rows
from ..training.columns import dependent_columns
from .digest import digest
from .inputs import named
from .telling import note

if TYPE_CHECKING:
    from ..estimator import Summary

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
    """p(c) p(x | c); its notes say how many rows there were, and the estimator's summary.

    Scores of the summary are of x given c, on rows that were held out, in the units of the table;
    log p(c), of all rows, is added.
    """
    estimator, shift = learner.estimator(), []

    def learn(x, context=None, sample_weight=None, rng=0):
        _tell_narrow(x, schema)
        estimator.fit(x, sample_weight=sample_weight, context=context)
        shift.append(_log_det(schema, x[np.isfinite(estimator.held_out_scores_)]))
        scaling = estimator.context_scaling_
        if scaling is None:
            return estimator.density_
        loc, scale = scaling.forward(np.zeros(scaling.dim)), scaling.forward(np.ones(scaling.dim))
        return Given(estimator.density_, loc, scale - loc)

    density = fit_table(frame, schema, learn=learn, missing=missing, rng=learner.seed)
    own = schema.select(frame)
    complete = complete_rows(own, missing)
    nats = shift[0] if shift else 0.0
    if density.frequencies is not None:
        own_codes = codes(own.take(complete), schema.categories)
        nats += float(density.frequencies.log_prob(own_codes).mean())
    summary = _plain(estimator.summary_.shifted(nats)) if shift else None
    notes = {
        "rows": int(complete.sum()),
        "dropped": int(len(frame) - complete.sum()),
        "digest": digest(own.take(complete), schema),
        "log_prob_of_categories": None if shift else nats,
        "summary": summary,
    }
    return TableDensity(density.schema, density.frequencies, density.density, notes)


def _tell_narrow(x: np.ndarray, schema: Schema) -> None:
    """A note about columns that nearly follow from others: a valley that flows hardly find."""
    found, n = dependent_columns(x, np.arange(len(x)), NARROW)
    if found.size:
        names = [schema.numbers[j].name for j in found]
        option = shlex.quote(f"{names[-1]}=aside")
        note(
            f"of the columns {named(names)}, {n} nearly follow{'s' * (n == 1)} from the others, up "
            f"to {NARROW:g} of their scales: a flow hardly learns that. If it is no news, leave "
            f"{n} out, such as by --kind {option}"
        )


def _log_det(schema: Schema, z: np.ndarray) -> float:
    """The mean of log |det dz/dx| + sum log step: from learned numbers to the table's units."""
    ends, steps = line(schema.numbers), [c.kind.step for c in schema.numbers if c.kind.is_gridded]
    nats = float(np.log(steps).sum()) if steps else 0.0
    if ends is not None and len(z):
        nats -= float(np.mean(ends.forward_log_det(z)))
    return nats


def _plain(summary: Summary) -> dict:
    plain = asdict(summary)
    return {**plain, "candidates": [dict(found) for found in plain["candidates"]]}
