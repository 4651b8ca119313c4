"""The numbers of a table are learned by `FlowDensity`, given its categories."""

from __future__ import annotations

from typing import NamedTuple

from flowcore_command.problem import Problem

from ..tables import Frame, Schema, TableDensity, fit_table

QUICK = 0.1  # of the usual budget


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
    return fit_table(frame, schema, learn=learner.estimator(), missing=missing, rng=learner.seed)
