"""Rows of a table with holes, answered many at a time by weighted draws.

    p(known) = E_g p(c) q(z | c) w(x_a) / g(c_b, z_b | c_a, z_a)

z_a are the known numbers on the line. If only an interval of a number is known, a cell of a grid or
a range, its point is drawn from the histogram of g there, separately for each draw. Three cases are
exact instead: a row without holes; p(c_b | c_a) if no number is known; and the sum over all values
of the unknown categories, if they are few and all numbers are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.annealing import annealed
from ..conditionals.weights import Weighted, trusted, weighted
from ..core import BLAS
from .proposal import MixedMixture, Proposal

if TYPE_CHECKING:
    from .density import TableDensity
    from .question import Question

NUMBERS = 2**18  # of draws that are held at once
MORE = 5  # times as many draws where the first ones fail
MOST = 512  # combinations of unknown categories that are all evaluated


class Answering:
    """Answers to questions about a `TableDensity`. Its proposal `mixed` is fitted when needed, and
    kept, also in files."""

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

    @property
    def kept(self) -> MixedMixture | None:
        """The proposal, if it has been fitted; files keep it."""
        return self.__dict__.get("mixed")

    def answered(
        self, question: Question, n: int, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, Weighted]]:
        """(numbers of rows, n weighted draws of each) of blocks of rows.

        Draws are rows (codes, x) of K + D numbers.
        """
        for block in self.blocks(question, n):
            yield block, self.of_block(question.of(block), n, rng)

    def blocks(self, question: Question, n: int) -> list[np.ndarray]:
        """Numbers of rows with the same known columns; each list is a block of bounded memory."""
        parts = question.codes < 0, np.isnan(question.x), question.hole
        patterns, which = np.unique(np.hstack(parts), axis=0, return_inverse=True)
        size = max(1, NUMBERS // (n * (1 + question.codes.shape[1] + question.x.shape[1])))
        rows = [np.flatnonzero(which.reshape(-1) == k) for k in range(len(patterns))]
        return [own[i : i + size] for own in rows for i in range(0, len(own), size)]

    def of_block(self, question: Question, n: int, rng: np.random.Generator) -> Weighted:
        """n weighted draws of each row; where they fail, from five times as many, or annealed."""
        found = self.drawn(question, n, rng)
        bad = np.flatnonzero(~trusted(found.ess, found.k_hat))
        for i in bad:
            more = self.drawn(question.of([i]), MORE * n, rng, True)
            found.put([i], more.thinned(n, rng))
        return found

    def drawn(self, question: Question, n: int, rng, last: bool = False) -> Weighted:
        """n weighted draws of each row, even if they fail; last: annealed where they fail."""
        codes, x, hole = question.codes, question.x, question.hole[0]
        known = ~np.isnan(x[0])
        known[list(question.ranges)] = True
        open_ = codes[0] < 0
        if not (open_.any() or hole.any() or question.ranges):
            log_p = self.density.log_prob_of(codes, x)
            return _certain(_rows(codes, x)[:, None], np.zeros((len(x), 1)) + log_p[:, None])
        sizes = () if self.categories is None else np.array(self.categories.sizes)[open_]
        if not (hole.any() or question.ranges) and np.prod(sizes, dtype=float) <= MOST:
            return self._of_all_values(question)
        if known.any():
            return self._by_weights(question, n, rng, last)
        return self._from_categories(question, n, rng)

    def _of_all_values(self, question: Question) -> Weighted:
        """Every combination of the unknown categories, with its probability."""
        codes, open_ = question.codes, np.flatnonzero(question.codes[0] < 0)
        values = np.indices([self.categories.sizes[k] for k in open_]).reshape(len(open_), -1).T
        m, n = len(codes), len(values)
        codes, x = np.repeat(codes, n, axis=0), np.repeat(question.x, n, axis=0)
        codes[:, open_] = np.tile(values, (m, 1))
        log_p = self.density.log_prob_of(codes, x)
        log_p = np.where(question.kept(codes, x), log_p, -np.inf)
        return _certain(_rows(codes, x).reshape(m, n, -1), log_p.reshape(m, n))

    def _from_categories(self, question: Question, n, rng) -> Weighted:
        """If no number is known: draws of p(c_b | c_a), and of the numbers given c."""
        codes, log_p = question.codes, np.zeros(len(question.codes))
        many = np.repeat(codes[:, None], n, axis=1)
        if self.categories is not None:
            many, log_p = self.categories.sample_given(codes, n, rng)
        many = many.reshape(len(codes) * n, codes.shape[1])
        x = np.zeros((len(many), 0))
        if self.density.density_ is not None:
            x = self.coordinates.from_line(self.density.sample_on_line(many, rng))
        kept = question.kept(many, x).reshape(len(codes), n)
        total = np.maximum(kept.sum(axis=1), 1)
        with np.errstate(divide="ignore"):
            log_p = log_p + np.log(kept.mean(axis=1))
        error = np.where(kept.any(axis=1), np.sqrt(np.maximum(1 / total - 1 / n, 0)), np.inf)
        ess = np.where(np.isneginf(log_p), 0.0, kept.sum(axis=1))
        k_hat, no = np.where(ess > 0, -np.inf, np.inf), np.zeros(len(codes), bool)
        draws = _rows(many, x).reshape(len(codes), n, -1)
        return Weighted(draws, kept / total[:, None], log_p, error, ess, k_hat, no)

    def _by_weights(self, question: Question, n, rng, last: bool = False) -> Weighted:
        """Draws of the proposal with importance weights; annealed ones, if these fail at last."""
        with BLAS.single_threaded():
            target = _Target(self, question, n)
            codes, z = target.proposal.sample(rng)
            states = _rows(codes, z).reshape(len(question.codes), n, -1)
            log_p, log_q = target.log_prob(states), target.proposal_log_prob(states)
            log_ratio = np.where(np.isneginf(log_p), -np.inf, log_p - log_q)
            found = weighted(states, log_ratio)
            if last and not trusted(found.ess, found.k_hat).all():
                proposal = SimpleNamespace(log_prob=target.proposal_log_prob)
                start = proposal, target.moving, states, log_p, log_q
                found = annealed(target.log_prob, *start, rng)
        found.x[:] = target.in_units(found.x)
        return found


class _Target:
    """The target for weights of drawn unknown cells. States (m, n, K + D) are codes and points."""

    def __init__(self, own: Answering, question: Question, n: int):
        self.density, self.categories, self.question, self.n = (
            own.density, own.categories, question, n,
        )  # fmt: skip
        self.coordinates, self.n_codes = own.coordinates, question.codes.shape[1]
        ends = np.stack(self.coordinates.cells(question.x))
        for j, both in question.ranges.items():
            ends[:, :, j] = both[:, None]
        points = np.where(np.isnan(ends[0]), question.x, np.nan)
        z, self.log_w = self.coordinates.known_to_line(points, np.zeros_like(points))
        mixed, open_ = own.mixed, question.codes[0] < 0
        if forbidden := [pair for pair in question.forbidden if open_[pair[0]]]:
            mixed = mixed.without(forbidden)
        self.proposal = Proposal(self.categories, mixed, question.codes, z, ends, n)
        moving = self.proposal.free | ~np.isnan(ends[0, 0])
        self.moving = np.append(np.zeros(self.n_codes, bool), moving)  # numbers that are not fixed

    def log_prob(self, states: np.ndarray) -> np.ndarray:
        """log p(c) q(z | c) |dz/dx_a|, (m, n); -inf for draws that do not satisfy the question."""
        codes, z = self._split(states)
        log_p = self.density.log_prob_on_line(z, codes) + np.repeat(self.log_w, self.n)
        if np.isnan(log_p).any():
            raise ValueError(f"the log-density is NaN at some draws: {self.density.density_!r}")
        if self.categories is not None:
            log_p = log_p + self.categories.log_prob(codes)
        kept = self.question.kept(codes, self.coordinates.from_line(z))
        return np.where(kept, log_p, -np.inf).reshape(states.shape[:2])

    def proposal_log_prob(self, states: np.ndarray) -> np.ndarray:
        """The log-density of the proposal, (m, n); 0 at values that were taken out of it."""
        log_q = self.proposal.log_prob(*self._split(states)).reshape(states.shape[:2])
        return np.where(np.isnan(log_q), 0.0, log_q)

    def in_units(self, states: np.ndarray) -> np.ndarray:
        """Codes and numbers in the table's own values; known ones do not change."""
        codes, z = self._split(states)
        x = np.repeat(self.question.x, self.n, axis=0)
        x = np.where(np.isnan(x), self.coordinates.from_line(z), x)
        return _rows(codes, x).reshape(states.shape)

    def _split(self, states):
        flat = states.reshape(-1, states.shape[2])
        return flat[:, : self.n_codes].astype(np.int64), flat[:, self.n_codes :]


def _rows(codes: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.hstack([codes.astype(float), x])


def _certain(draws: np.ndarray, log_p: np.ndarray) -> Weighted:
    """Draws (m, S, K + D) that are all there can be, with their log-probabilities (m, S)."""
    total = np.logaddexp.reduce(log_p, axis=1)
    with np.errstate(invalid="ignore"):
        share = np.exp(log_p - total[:, None])
    nothing, zero = np.isneginf(total), np.zeros(len(total))
    share[nothing] = 1 / log_p.shape[1]
    ess, k_hat = np.where(nothing, 0.0, np.inf), np.where(nothing, np.inf, -np.inf)
    return Weighted(draws, share, total, zero, ess, k_hat, np.zeros(len(total), bool))
