"""Which cell makes a row an outlier: the one that is most improbable, given the rest of its row.

    surprise_j(x) = -log g(x_j | the other columns) - its mean over draws of the density

g is the mixture that proposes the draws of `Conditionals`, whose conditionals are exact. If the
columns of a row contradict each other, the wrong cell is improbable given the others, even if
others look more unusual alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core import log_sum_exp
from .angles import turned
from .proposal import fitted_proposal

if TYPE_CHECKING:
    from .conditionals import Conditionals

DRAWS = 4000  # of the density, over which surprises have the mean 0
BLOCK = 2**12  # rows whose components are in memory
CELLS = 3  # of a row, the most surprising ones, for which another value is tried


@dataclass(frozen=True)
class Explanation:
    """Which cells make rows improbable.

    Attributes
    ----------
    names : tuple
        The names of the columns.
    log_p : numpy.ndarray
        (n,), log p of the rows, in nats.
    surprise : numpy.ndarray
        (n, D), -log g(x_j | the others) less its mean, in nats: by how much the cell is less
        probable than usual. NaN for a missing cell, inf for one that the column cannot have.
    gains : numpy.ndarray
        (n, D), by how many nats log p is larger if the cell has its likely value, and 0 if it is
        not. NaN except for the three most surprising cells of rows without missing cells; inf for
        a cell that the column cannot have.
    values : list of numpy.ndarray
        For each column (n,), a likely value of these three cells, given the rest of the row; other
        cells are as they are.

    Examples
    --------
    >>> from flowcore.conditionals import Explanation
    >>> surprise, gains = np.array([[9.3, 13.1]]), np.array([[13.3, 21.3]])
    >>> values = [np.array([3.2]), np.array([5.1])]
    >>> Explanation(("a", "b"), np.array([-23.0]), surprise, gains, values).worst
    ['b']
    """

    names: tuple
    log_p: np.ndarray
    surprise: np.ndarray
    gains: np.ndarray
    values: list[np.ndarray]

    @property
    def worst(self) -> list:
        """The most surprising column of each row; None if nothing is known of it."""
        best = np.where(np.isnan(self.surprise), -np.inf, self.surprise).argmax(axis=1)
        gone = np.isnan(self.surprise).all(axis=1)
        return [None if none else self.names[j] for j, none in zip(best, gone, strict=True)]


def most_surprising(surprise: np.ndarray) -> list[np.ndarray]:
    """For each column, the rows in which its cell is among the three most surprising ones."""
    order = np.argsort(np.where(np.isnan(surprise), np.inf, -surprise), axis=1, kind="stable")
    is_first = order.argsort(axis=1) < CELLS
    return [np.flatnonzero(own) for own in (is_first & ~np.isnan(surprise)).T]


def explained(
    conditionals: Conditionals, X: np.ndarray, context: np.ndarray | None, names: Sequence
) -> Explanation:
    """The explanation of rows X (n, D) of numbers, given contexts (n, C) or None."""
    numbers = conditionals.numbers(context, len(X))
    g = fitted_proposal(numbers) if numbers.width else conditionals.proposal
    rows, columns = numbers.in_turn(numbers.question(X).x), np.arange(X.shape[1]) + numbers.width

    def log_prob(rows):
        c, x = np.split(rows, [numbers.width], axis=1)
        return conditionals.density.log_prob(x, **({"context": c} if numbers.width else {}))

    def surprises(rows):
        blocks = np.split(rows, range(BLOCK, len(rows), BLOCK))
        return np.concatenate([_minus_log_given_rest(g, block, columns) for block in blocks])

    surprise, log_p = surprises(rows), log_prob(rows)
    surprise -= surprises(numbers.sample(DRAWS, np.random.default_rng(0))).mean(axis=0)
    gains, values = np.full(X.shape, np.nan), X.astype(float).T
    for j, which in enumerate(most_surprising(surprise)):
        new = rows[which]
        new[:, columns[j]] = np.nan
        new = turned(g.likely(new, g.log_prob_of_components(new)), numbers.angle)
        with np.errstate(invalid="ignore"):  # of densities 0
            gains[which, j] = np.fmax(log_prob(new) - log_p[which], 0)
        better = gains[which, j] > 0
        values[j, which[better]] = new[better, columns[j]]
    return Explanation(tuple(names), log_p, surprise, gains, [*values])


def _minus_log_given_rest(g, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """-log g(x_j | the others) of columns, (n, D)."""
    whole, *rest = (log_sum_exp(log_p)[0] for log_p in g.log_prob_without(rows, [(), *columns]))
    return np.stack(rest, axis=1) - whole[:, None]
