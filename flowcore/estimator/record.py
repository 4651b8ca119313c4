"""A fitted `FlowDensity` as data, for its summary and for files.

No scikit-learn in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..files import Record

if TYPE_CHECKING:
    from ..core.typing import Base
    from .density import FlowDensity

HUGE = 1e4  # nats: of a Gaussian, where a single row is far off


@dataclass(frozen=True)
class Scored(Record):
    """A candidate: its held-out mean log-density (nats), its standard error, its weight."""

    name: str
    score: float
    error: float
    weight: float
    is_flow: bool

    def __str__(self):
        return f"{self.name} {_number(self.score, 1 + (abs(self.score) < 10))}"


@dataclass(frozen=True)
class Summary(Record):
    """The scores behind a fitted `FlowDensity`, as numbers; print it.

    candidates   all that were tried; density   their mixture; n_rows   in the table;
    n_held_out   number of rows that were scored by fits that had not seen them; n_folds;
    left_out     candidates that would need too much time or memory, and how much, or flows that
                 added little in the race; minutes   those that the flows used, and the budget
    """

    candidates: tuple[Scored, ...]
    density: Scored
    n_rows: int
    n_held_out: int
    n_folds: int
    left_out: tuple[str, ...] = ()
    minutes: tuple[float, float] = (0.0, 0.0)

    @property
    def winner(self) -> Scored:
        """The candidate with the largest weight."""
        return max(self.candidates, key=lambda scored: scored.weight)

    @property
    def line(self) -> str:
        """One line: "Gaussian -14.4, mixture of 2 -4.6, this density 4.7 (held out, +- 1.1)"."""
        total = self.density
        return f"{', '.join(map(str, self.parts))}, {total} (held out, +- {total.error:.2g})"

    @property
    def parts(self) -> tuple[Scored, ...]:
        """The first Gaussian, to compare with, and the candidates that have a weight."""
        return self.candidates[:1] + tuple(one for one in self.candidates[1:] if one.weight > 0)

    def shifted(self, nats: float) -> Summary:
        """The summary in other units: a number of nats is added to every log-density."""
        shifted = tuple(replace(s, score=s.score + nats) for s in self.candidates)
        total = replace(self.density, score=self.density.score + nats)
        return replace(self, candidates=shifted, density=total)

    def __str__(self):
        rows = [
            f"log-density of held-out rows, mean in nats ({self.n_held_out:,} of {self.n_rows:,} "
            f"rows, {self.n_folds} fold{'s' * (self.n_folds > 1)})",
            f"  {'':32s}{'score':>10s}{'+-':>8s}{'weight':>9s}",
        ]
        rows += [
            f"  {s.name:32s}{_number(s.score):>10s}{_number(s.error):>8s}{s.weight:9.2f}"
            for s in self.parts
        ]
        total = self.density
        rows.append(f"  {total.name:32s}{_number(total.score):>10s}{_number(total.error):>8s}")
        rows += [f"the largest part is: {self.winner.name}"]
        if others := len(self.candidates) - len(self.parts):
            rows += [f"{others} more have no weight: see candidates"]
        rows += ["used {:.2g} of {:.2g} minutes".format(*self.minutes)]
        return "\n".join(rows + [f"left out: {what}" for what in self.left_out])

    __repr__ = __str__


def _number(score: float, digits: int = 3) -> str:
    return f"{score:.{digits}f}" if abs(score) < HUGE else f"{score:.0e}"


@dataclass(eq=False)
class FlowDensityRecord(Record):
    """A fitted `FlowDensity` as data: its densities, scores and options.

    Parameters
    ----------
    options : dict
        The estimator's arguments.
    density, latent : Distribution
        `density_` and `latent_`.
    names : sequence of str or None
        `feature_names_in_`.
    held_out_scores : ndarray
        `held_out_scores_`, (n,).
    summary : Summary
        `summary_`.
    context_names : sequence of str or None
        `context_names_in_`.
    context_dim : int
        `context_dim_`.
    proposal : Distribution or None
        That of `conditionals_`, if it has been fitted.
    library : str or None
        `library_`.
    """

    options: dict
    density: Base
    latent: Base
    names: Sequence[str] | None
    held_out_scores: np.ndarray
    summary: Summary
    context_names: Sequence[str] | None = None
    context_dim: int = 0
    proposal: Base | None = None
    library: str | None = None

    def restored(self) -> FlowDensity:
        """The estimator, fitted."""
        from ..conditionals import Conditionals
        from .density import FlowDensity

        fitted = FlowDensity(**self.options)
        fitted.density_, fitted.latent_ = self.density, self.latent
        if self.proposal is not None:
            fitted.conditionals_ = Conditionals(fitted.density_, proposal=self.proposal)
        fitted.context_dim_, fitted.library_ = self.context_dim, self.library
        fitted.context_names_in_ = self.context_names
        fitted.held_out_scores_, fitted.summary_ = self.held_out_scores, self.summary
        fitted.n_features_in_ = fitted._n_features_out = self.density.dim
        if self.names is not None:
            fitted.feature_names_in_ = np.array(self.names, object)
        return fitted
