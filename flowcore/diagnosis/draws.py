"""The density's own draws, and where rows stand among them.

Without a context all rows are compared with the same draws. With one, every row has draws of its
own context: where it stands among those is uniform, whatever the contexts are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .findings import Uniformity
from .judged import Judged, Rows
from .uniformity import of_ranks, of_uniforms, places_in_own

PER_ROW = 19  # draws for every row with a context of its own, at least
MOST_ROWS = 20_000  # rows that get draws of their own
MOST_PAIRS = 5000  # rows with a draw beside them, for the classifier
OWN = "log p"


class Draws(ABC):
    """x (m, D), all of them finite, and their log p (m,); `count` were made."""

    def __init__(self, x: np.ndarray, log_p: np.ndarray, count: int):
        self.x, self.log_p, self.count = x, log_p, count

    @abstractmethod
    def columns(self, names: list[str]) -> tuple[Uniformity, ...]:
        """Where the rows' values stand among those of the draws, column by column."""

    @abstractmethod
    def level(self, log_p: np.ndarray) -> Uniformity:
        """Where the rows' log p (n,) stands among that of the draws."""

    @abstractmethod
    def pairs(self, rows: Rows, rng: np.random.Generator) -> tuple[Rows, np.ndarray]:
        """Some of the rows, and a draw for each."""


class Shared(Draws):
    """The same draws for all rows."""

    def __init__(self, rows: Rows, *args):
        super().__init__(*args)
        self._rows = rows.x

    def columns(self, names: list[str]) -> tuple[Uniformity, ...]:
        triples = zip(names, self._rows.T, self.x.T, strict=True)
        return tuple(of_ranks(name, x, drawn) for name, x, drawn in triples)

    def level(self, log_p: np.ndarray) -> Uniformity:
        return of_ranks(OWN, log_p, self.log_p)

    def pairs(self, rows: Rows, rng: np.random.Generator) -> tuple[Rows, np.ndarray]:
        some = rng.permutation(len(rows.x))[: min(MOST_PAIRS, len(self.x))]
        return rows.of(some), self.x[: len(some)]


class Own(Draws):
    """k draws (n, k, D) for each of some rows."""

    def __init__(self, rows: Rows, which: np.ndarray, own, log_p_of_own, rng, count: int):
        super().__init__(own.reshape((-1, own.shape[-1])), log_p_of_own.ravel(), count)
        self._rows, self._which, self._rng = rows.x[which], which, rng
        self._own, self._log_p_of_own = own, log_p_of_own

    def columns(self, names: list[str]) -> tuple[Uniformity, ...]:
        return tuple(
            of_uniforms(name, places_in_own(self._rows[:, j], self._own[:, :, j], self._rng))
            for j, name in enumerate(names)
        )

    def level(self, log_p: np.ndarray) -> Uniformity:
        places = places_in_own(log_p[self._which], self._log_p_of_own, self._rng)
        return of_uniforms(OWN, places)

    def pairs(self, rows: Rows, rng: np.random.Generator) -> tuple[Rows, np.ndarray]:
        some = rng.permutation(len(self._which))[:MOST_PAIRS]
        return rows.of(self._which[some]), self._own[some, 0]


def drawn_from(judged: Judged, rows: Rows, draws: int, rng: np.random.Generator) -> Draws:
    """About so many draws; ValueError if half of them or more are not finite."""
    if rows.context is None:
        x = judged.draw(draws, rng)
        finite = np.isfinite(x).all(axis=1)
        _check(finite)
        x = x[finite]
        return Shared(rows, x, judged.log_prob("its own draws", x, None), draws)
    which = np.arange(len(rows.x))[:: -(-len(rows.x) // MOST_ROWS)]
    k = max(PER_ROW, -(-draws // len(which)))
    context = np.repeat(rows.context[which], k, axis=0)
    x = judged.draw(len(context), rng, context)
    finite = np.isfinite(x).all(axis=1)
    _check(finite)
    x[~finite] = 0.0  # rows whose draws are not all finite are left out, below
    log_p = judged.log_prob("its own draws", x, context)
    whole = finite.reshape((-1, k)).all(axis=1)
    own = x.reshape((len(which), k, -1))[whole], log_p.reshape((-1, k))[whole]
    return Own(rows, which[whole], *own, rng, len(x))


def _check(finite: np.ndarray) -> None:
    if finite.mean() <= 0.5:
        raise ValueError(
            f"{np.count_nonzero(~finite):,} of {len(finite):,} draws of the density are not "
            "finite: there is nothing to compare the rows with"
        )
