"""Unknown categories of rows with holes, filled in so that a density of all rows can be learned.

The context of a density has to be complete, so unknown codes c_b are drawn from p(c_b | c_a, z_a).
The first draws come from latent classes, for which each number is cut into intervals and becomes a
code, too. Then the codes are drawn again from the fitted density.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.answering import blocks_of, weighted_draws
from ..conditionals.question import Question
from ..core.rows import as_counts
from ..distributions.columns import equal_rows
from .latent_classes import LatentClasses

if TYPE_CHECKING:
    from .density import TableDensity

INTERVALS = 8  # of a number, with as many rows in each
CLASSES, ROWS_PER_CLASS = 10, 40  # few, since each has imagined rows of independent columns
DRAWS = 32  # with weights, of which one is taken


def first_codes(
    codes: np.ndarray, sizes: Sequence[int], x: np.ndarray, weight: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Codes (n, K) in which the unknown ones, -1, are drawn given the others and numbers x (n, D),
    of which the unknown ones are NaN."""
    weight = as_counts(weight, len(codes))
    binned = [_intervals(column) for column in x.T]
    both = np.column_stack([codes, *binned])
    every = (*sizes, *[INTERVALS] * len(binned))
    n_classes = int(np.clip(len(codes) // ROWS_PER_CLASS, 1, CLASSES))
    classes = LatentClasses.fit(both, every, np.zeros(len(every)), weight, n_classes, rng)
    completed = codes.copy()
    for rows in equal_rows(both < 0):
        completed[rows] = classes.sample_given(both[rows], 1, rng)[0][:, 0, : codes.shape[1]]
    return completed


def drawn_codes(
    density: TableDensity, codes: np.ndarray, x: np.ndarray, hole: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Codes in which the unknown ones are drawn from a density of the table; hole (n, D): which
    numbers are unknown."""
    completed, rows = codes.copy(), np.flatnonzero((codes < 0).any(axis=1))
    question = Question(codes[rows], x[rows], hole[rows])
    for block in blocks_of(density.answering, question, DRAWS):
        weighted = weighted_draws(density.answering, question.of(block), DRAWS, [rng])
        draws = weighted.resampled(1, [rng])
        completed[rows[block]] = draws[:, 0, : codes.shape[1]].astype(np.int64)
    return completed


def _intervals(x: np.ndarray) -> np.ndarray:
    """The interval of each number, between quantiles of the known ones; -1 of NaN."""
    known = x[~np.isnan(x)]
    if not len(known):  # all of them are atoms
        return np.full(len(x), -1)
    ends = np.quantile(known, np.arange(1, INTERVALS) / INTERVALS)
    return np.where(np.isnan(x), -1, np.searchsorted(ends, x))
