"""`OneHot`: categories as a context for a density of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..distributions.columns import equal_rows

if TYPE_CHECKING:
    from .frequencies import Frequencies

RARE = 10  # rows: values seen less often share a level, so that no flow learns one row's spike
SHARED = 100  # training rows of this level: then an unseen value may have it, too
OF_RARE = 0.2  # how probable that is: it costs .02 nats where it is wrong, and gains .4 elsewhere
MOST = 16  # combinations that an unseen value is averaged over


class OneHot:
    """Rows of codes (n, K) as a context (n, C): 1 in the level of the row's value, else 0.

    Each value of a column has a level, and all values seen in fewer than 10 rows share one. For a
    value that was never seen the mean over the commonest levels stands, with a fifth for the shared
    level, if it has 100 rows. Two levels need one number.

    Parameters
    ----------
    combinations : ndarray
        (m, K), the distinct rows of codes that were seen.
    counts : ndarray
        (m,): how often each was seen, or its weight.
    sizes : tuple of int
        The number of values of each column.

    Examples
    --------
    >>> one_hot = OneHot(np.array([[0], [1], [2]]), np.array([50, 20, 30]), (3,))
    >>> one_hot(np.array([[2], [0]]))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """

    def __init__(self, combinations: np.ndarray, counts: np.ndarray, sizes: tuple[int, ...]):
        self._level_of, shared = [], []
        for codes, size in zip(combinations.T, sizes, strict=True):
            count = np.bincount(codes, counts, minlength=size)
            often = count >= RARE
            level = np.where(often, np.cumsum(often) - 1, often.sum())
            shared.append(often.sum() if count[~often].sum() >= SHARED else -1)
            self._level_of.append(np.append(level, -1))
        self._shared = np.array(shared)
        self._seen, self._counts = self.levels(combinations), counts
        self.dim = self.context(self._seen[:1]).shape[1]

    @classmethod
    def of(cls, counts: Frequencies) -> OneHot:
        """The encoding of the categories that were counted."""
        return cls(counts.combinations, counts.counts, counts.sizes)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """The context (n, C) of codes (n, K) of values that were seen."""
        return self.context(self.levels(codes))

    def levels(self, codes: np.ndarray) -> np.ndarray:
        """(n, K): the levels of codes (n, K); -1 for a value that was never seen."""
        pairs = zip(self._level_of, codes.T, strict=True)
        return np.column_stack([level[own] for level, own in pairs])

    def context(self, levels: np.ndarray) -> np.ndarray:
        """The context (n, C) of levels (n, K) without -1."""
        parts = []
        for own, level_of in zip(levels.T, self._level_of, strict=True):
            size = level_of.max() + 1
            parts.append((own[:, None] == np.arange(int(size <= 2), size)).astype(float))
        return np.concatenate(parts, axis=1)

    def alternatives(self, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(levels (m, U), weights (m,)) of the columns marked in `unseen` (K,), as they occurred.

        The most frequent 16, and as many with the most levels that rare values share, with weights
        that sum to 1.
        """
        distinct, inverse = np.unique(self._seen[:, unseen], axis=0, return_inverse=True)
        weight, share = np.bincount(inverse.reshape(-1), self._counts), np.zeros(len(distinct))
        n_shared = (distinct == self._shared[unseen]).sum(axis=1)
        rare = n_shared == max(n_shared.max(), 1)
        for rows, own in (rare | True, 1 - OF_RARE), (rare, OF_RARE):
            most = np.argsort(-weight * rows, kind="stable")[: min(MOST, rows.sum())]
            share[most] += own * weight[most] / max(weight[most].sum(), 1e-300)
        kept = np.flatnonzero(share)
        return distinct[kept], share[kept] / share.sum()

    def draw(self, levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Levels (n, K), with the levels of unseen values, -1, replaced by draws."""
        levels = levels.copy()
        for rows in equal_rows(levels < 0):
            if (unseen := levels[rows[0]] < 0).any():
                values, weight = self.alternatives(unseen)
                levels[np.ix_(rows, unseen)] = values[rng.choice(len(weight), len(rows), p=weight)]
        return levels
