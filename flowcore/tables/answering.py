"""Rows of a table with holes: what the draws of `conditionals.answering` are weighted by.

    p(known) = E_g p(c) q(z | c) w(x_a) / g(c_b, z_b | c_a, z_a)

z_a are the known numbers on the line. If only an interval of a number is known, a cell of a grid or
a range, its point is drawn from the histogram of g there, separately for each draw. Three cases are
exact instead: a row without holes; p(c_b | c_a) if no number is known; and the sum over all values
of the unknown categories, if they are few and all numbers are known.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.answering import not_nan
from ..conditionals.weights import Weighted, counted, enumerated
from ..core import BLAS
from .explaining import Surprises
from .proposal import MixedMixture, Proposal
from .question import with_clues

if TYPE_CHECKING:
    from ..conditionals.question import Question
    from .density import TableDensity

MOST = 512  # combinations of unknown categories that are all evaluated


class Answering:
    """Answers to questions about a `TableDensity`: states are codes, and points of the line. Its
    proposal `mixed` is fitted when needed."""

    def __init__(self, density: TableDensity, mixed: MixedMixture | None = None):
        self.density, self.categories = density, density.categories_
        self.coordinates = density.coordinates_
        if mixed is not None:
            self.mixed = mixed

    @cached_property
    def mixed(self) -> MixedMixture:
        """The proposal of the draws."""
        with BLAS.single_threaded():
            return MixedMixture.fitted(self.density, np.random.default_rng(0))

    @cached_property
    def surprises(self) -> Surprises:
        """How improbable cells are, given the rest of their rows."""
        return Surprises(self.density, self.mixed)

    @cached_property
    def robust(self) -> Surprises:
        """The same, by a mixture without isolated components."""
        return Surprises(self.density, self.mixed.without_isolated(np.random.default_rng(0)))

    @property
    def kept(self) -> MixedMixture | None:
        """The proposal, if it has been fitted; files keep it."""
        return self.__dict__.get("mixed")

    def marks(self, question: Question) -> np.ndarray:
        """Which columns are known."""
        clues = [] if question.clues is None else [question.clues]
        return np.hstack([question.codes < 0, np.isnan(question.x), question.hole, *clues])

    def without_weights(self, question: Question, n: int, rngs: list) -> Weighted | None:
        """Of the three exact cases at the top of this file."""
        question = with_clues(self.density, question)
        codes, x, unknown = question.codes, question.x, question.codes[0] < 0
        if not (question.hole[0].any() or question.ranges):
            if not unknown.any():
                log_p = self.density.log_prob_of(codes, x)
                return enumerated(_rows(codes, x)[:, None], log_p[:, None])
            if np.prod(np.array(self.categories.sizes)[unknown], dtype=float) <= MOST:
                return self._of_all_values(question)
        if question.ranges or not np.isnan(x[0]).all():
            return None
        parts = zip(question.split(len(rngs)), rngs, strict=True)
        parts = [self._from_categories(part, n, rng) for part, rng in parts]
        return counted(*map(np.concatenate, zip(*parts, strict=True)))

    def target(self, question: Question, n: int) -> _Target:
        """p(c) q(z | c) |dz/dx_a|, and the proposal."""
        return _Target(self, with_clues(self.density, question), n)

    def _of_all_values(self, question: Question) -> Weighted:
        """Every combination of the unknown categories, with its probability."""
        codes, unknown = question.codes, np.flatnonzero(question.codes[0] < 0)
        sizes = [self.categories.sizes[k] for k in unknown]
        values = np.indices(sizes).reshape(len(unknown), -1).T
        m, n = len(codes), len(values)
        codes, x = np.repeat(codes, n, axis=0), np.repeat(question.x, n, axis=0)
        codes[:, unknown] = np.tile(values, (m, 1))
        log_p = self.density.log_prob_of(codes, x)
        log_p = np.where(question.kept(codes, x), log_p, -np.inf)
        return enumerated(_rows(codes, x).reshape(m, n, -1), log_p.reshape(m, n))

    def _from_categories(self, question: Question, n, rng) -> tuple:
        """If no number is known: draws of p(c_b | c_a) and of the numbers given c, which of them
        satisfy the question, and log p(c_a)."""
        codes, log_p = question.codes, np.zeros(len(question.codes))
        many = np.repeat(codes[:, None], n, axis=1)
        if self.categories is not None:
            many, log_p = self.categories.sample_given(codes, n, rng)
        many = many.reshape(len(codes) * n, codes.shape[1])
        x = self.density.sample_numbers(many, rng)
        kept = question.kept(many, x).reshape(len(codes), n)
        return _rows(many, x).reshape(len(codes), n, -1), kept, log_p


class _Target:
    """See the top of conditionals/answering.py."""

    def __init__(self, joint: Answering, question: Question, n: int):
        self.joint, self.question, self.n = joint, question, n
        self.n_codes = question.codes.shape[1]
        ends = np.stack(joint.coordinates.cells(question.x))
        for j, both in question.ranges.items():
            ends[:, :, j] = both[:, None]
        points = np.where(np.isnan(ends[0]), question.x, np.nan)
        z, self.log_w = joint.coordinates.to_line(points, np.zeros_like(points))
        mixed, unknown = joint.mixed, question.codes[0] < 0
        if forbidden := [pair for pair in question.forbidden if unknown[pair[0]]]:
            mixed = mixed.without(forbidden)
        self.proposal = Proposal(joint.categories, mixed, question.codes, z, ends, n)
        moving = self.proposal.free | ~np.isnan(ends[0, 0])
        self.moving = np.append(np.zeros(self.n_codes, bool), moving)  # codes are not moved

    def sample(self, rngs):
        if len(rngs) > 1:
            parts = zip(self.question.split(len(rngs)), rngs, strict=True)
            parts = [_Target(self.joint, part, self.n).sample([rng]) for part, rng in parts]
            return tuple(map(np.concatenate, zip(*parts, strict=True)))
        states = _rows(*self.proposal.sample(*rngs)).reshape(len(self.question.codes), self.n, -1)
        return states, self.log_proposal(states)

    def log_prob(self, states):
        codes, z = self._split(states)
        log_p = self.joint.density.log_prob_on_line(z, codes) + np.repeat(self.log_w, self.n)
        log_p = not_nan(log_p, self.joint.density.density_)
        if self.joint.categories is not None:
            log_p = log_p + self.joint.categories.log_prob(codes)
        kept = self.question.kept(codes, self.joint.coordinates.from_line(z))
        return np.where(kept, log_p, -np.inf).reshape(states.shape[:2])

    def log_proposal(self, states):
        """0 at values that were taken out of the proposal."""
        log_q = self.proposal.log_prob(*self._split(states)).reshape(states.shape[:2])
        return np.where(np.isnan(log_q), 0.0, log_q)

    def in_units(self, states):
        codes, z = self._split(states)
        x = np.repeat(self.question.x, self.n, axis=0)
        x = np.where(np.isnan(x), self.joint.coordinates.from_line(z), x)
        return _rows(codes, x).reshape(states.shape)

    def _split(self, states):
        flat = states.reshape(-1, states.shape[2])
        return flat[:, : self.n_codes].astype(np.int64), flat[:, self.n_codes :]


def _rows(codes: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.hstack([codes.astype(float), x])
