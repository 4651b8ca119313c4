"""Questions to a density of numbers: states have no codes, and begin with the context."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..core import without_warnings
from ..distributions.columns import equal_rows
from ..mixtures import MultivariateTMixture
from .angles import TURN, OneTurn, turned, window
from .answering import not_nan
from .curves import curves_of, drawn
from .proposal import fitted_proposal
from .question import Question
from .weights import Weighted, counted, enumerated

NOISE = 1e-3  # of a context, whose columns may be constant, in standard deviations


class Numbers:
    """A density of numbers, as one of rows (c, x) on the line: p(x | c) prod_j w(x_j - middle_j).

    The context c has columns that are always known: contexts (m, C), one for each row; C = 0
    without a context. The `window` w makes only one turn of an angle x_j count, around its middle.
    proposal() returns an object with `sample_given` and `log_prob`. With a context, a
    mixture fitted to draws of (c, x) takes its place. Without one, `draws` are rows of the density.
    """

    def __init__(self, density: Any, turn: OneTurn, contexts: np.ndarray, proposal: Callable):
        self.density, self.contexts, self.width = density, contexts, contexts.shape[1]
        none = np.zeros(self.width)  # no column of the context is an angle
        self.angle, self.middle = np.append(none > 0, turn.angle), np.append(none, turn.middle)
        self.proposal, self.draws = proposal, turn.draws

    @cached_property
    def _with_context(self) -> MultivariateTMixture:
        return fitted_proposal(self)

    def proposal_of(self, row: np.ndarray) -> Any:
        """The proposal, with `sample_given` and `log_prob`, for the NaN of a row (C + D,)."""
        return self._with_context if self.width else self.proposal()

    def question(self, X: np.ndarray) -> Question:
        """The question for the NaN of rows X (m, D)."""
        return Question.of_numbers(np.hstack([self.contexts, X]))

    def in_turn(self, rows: np.ndarray) -> np.ndarray:
        """Rows (m, C + D) with their angles within half a turn of the middle."""
        return turned(rows, self.angle, self.middle)

    def log_window(self, rows: np.ndarray) -> np.ndarray:
        """The log of the windows of the angles that rows (n, C + D) know, (n,)."""
        return np.nansum(np.log(window((rows - self.middle)[:, self.angle])), axis=1)

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """log p(x | c) and the log of the windows, (n,), of rows (n, C + D)."""
        c, x = np.split(rows, [self.width], axis=1)
        with without_warnings():  # about contexts: `Conditionals.known` has warned
            log_p = self.density.log_prob(x, **({"context": c} if self.width else {}))
        return not_nan(log_p, self.density) + self.log_window(rows)

    def sample_given(self, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A row (c, x) for each context c (n, C)."""
        n, given = ((), {"context": c}) if self.width else (len(c), {})
        with without_warnings():
            x = self.density.sample(n, rng, **given)
        rows = self.in_turn(np.hstack([c, x]))
        u = (rows - self.middle)[:, self.angle]
        rows[:, self.angle] -= TURN * np.sign(u) * (rng.random(u.shape) > window(u))
        return rows

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Rows (n, C + D), for the proposal, with a little noise in the contexts."""
        if not self.width:
            return self.sample_given(np.zeros((n, 0)), rng)
        rows = self.sample_given(self.contexts[rng.integers(len(self.contexts), size=n)], rng)
        c = rows[:, : self.width]
        scale = np.maximum(self.contexts.std(axis=0), NOISE * (1 + np.abs(c).max(axis=0)))
        c += NOISE * scale * rng.standard_normal(c.shape)
        return rows

    def marks(self, question: Question) -> np.ndarray:
        """Whether rows have holes, and nothing but holes; the column of a single hole, or -1."""
        hole = question.hole[:, self.width :]
        column = np.where(hole.sum(axis=1) == 1, hole.argmax(axis=1), -1)
        return np.stack([hole.any(axis=1), hole.all(axis=1), column], axis=1)

    def without_weights(self, question: Question, n: int, rngs: list) -> Weighted | None:
        """Answers for complete rows, for rows without any known value, and by quadrature for rows
        with one unknown value, unless draws are exact. Curves that are not resolved fail; None for
        a single one."""
        x, hole = question.x, question.hole[0, self.width :]
        if not hole.any():
            rows = self.in_turn(x)
            log_p = self.log_prob(rows) - self.log_window(rows)
            return enumerated(x[:, None], log_p[:, None])
        if hole.all():
            pairs = zip(x[:, : self.width], rngs, strict=True)
            rows = np.stack([self.sample_given(np.tile(c, (n, 1)), rng) for c, rng in pairs])
            return counted(turned(rows, self.angle), np.ones((len(x), n), bool), np.zeros(len(x)))
        fitted = isinstance(self.proposal_of(x[0]), MultivariateTMixture)
        if hole.sum() > 1 or not fitted or self.proposal_of(x[0]) is self.density:
            return None
        curves = curves_of(self, self.in_turn(x))
        if len(x) == 1 and not curves.resolved[0]:
            return None
        return drawn(curves, x, n, rngs)

    def target(self, question: Question, n: int) -> _Target:
        """p(x | c), with windows of the unknown angles alone."""
        return _Target(self, question, n)


class _Target:
    """See the top of answering.py. The rows may have different holes, but for annealing."""

    def __init__(self, numbers: Numbers, question: Question, n: int):
        self.numbers, self.question, self.n, self.moving = numbers, question, n, question.hole[0]
        self.rows = numbers.in_turn(question.x)

    def sample(self, rngs):
        x = np.empty((len(self.rows), self.n, self.rows.shape[1]))
        log_q = np.empty(x.shape[:2])
        for rows in equal_rows(self.question.hole):
            proposal = self.numbers.proposal_of(self.rows[rows[0]])
            known, known_rngs = self.rows[rows], [rngs[i] for i in rows]
            x[rows], log_q[rows] = proposal.sample_given(known, self.n, known_rngs)
        return x, log_q

    def log_prob(self, states):
        log_p = self.numbers.log_prob(states.reshape(-1, states.shape[2]))
        return log_p.reshape(states.shape[:2]) - self.numbers.log_window(self.rows)[:, None]

    def log_proposal(self, states):
        return self.numbers.proposal_of(self.rows[0]).log_prob(states)

    def in_units(self, states):
        x, hole = self.question.x[:, None], self.question.hole[:, None]
        return np.where(hole, turned(states, self.numbers.angle), x)
