"""`LatentClasses`: p(c) of columns that are independent, given a class that is not observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import log_sum_exp
from .frequencies import PSEUDO, distinct_rows, draw

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from scipy.sparse import csr_array

STEPS, LEAST_GAIN = 200, 3e-4  # of EM: how many at most, and the gain in nats a row that goes on
IMAGINED = 2.0  # rows, distributed as the whole column, that every class has


class LatentClasses:
    """Columns that are independent, given a class h that is not observed.

        p(c) = sum_h w_h prod_k p_hk(c_k)

    Goodman, "Exploratory latent structure analysis", 1974. Fitted by EM. Every class has two
    pseudo-rows that are distributed like the whole column, and its weight has one pseudo-count.

    Parameters
    ----------
    weights : ndarray
        w, (H,).
    probabilities : sequence of ndarray
        p_hk of every column, (H, L_k).
    unseen : ndarray
        u, (K,).

    Examples
    --------
    >>> alike = LatentClasses([0.5, 0.5], [np.eye(2), np.eye(2)], [0.0, 0.0])
    >>> np.exp(alike.log_prob(np.array([[0, 0], [0, 1], [1, 1]])))
    array([0.5, 0. , 0.5])
    """

    def __init__(self, weights: ArrayLike, probabilities: Sequence[ArrayLike], unseen: ArrayLike):
        self.weights, self.unseen = np.asarray(weights, float), np.asarray(unseen, float)
        self.probabilities = tuple(np.asarray(p, float) for p in probabilities)

    @classmethod
    def fit(
        cls,
        codes: np.ndarray,
        sizes: Sequence[int],
        unseen: np.ndarray,
        weight: np.ndarray,
        n_classes: int,
        rng: np.random.Generator,
    ) -> LatentClasses:
        """Fit H classes by EM, which starts at H different rows drawn at random.

        A code -1 is unknown: a row contributes its known codes. Cost: H n K per iteration.
        """
        codes, weight = distinct_rows(codes[weight > 0], weight[weight > 0])
        n_classes = min(n_classes, len(codes))
        ones, ends = one_hot(codes, sizes), np.cumsum(sizes)[:-1]

        def shared(counts):  # of every column the sum is 1
            totals = np.add.reduceat(counts, np.append(0, ends), axis=1)
            return counts / np.repeat(totals, sizes, axis=1)

        marginal = shared(weight[None] @ ones + PSEUDO)
        starts = rng.choice(len(codes), n_classes, replace=False, p=weight / weight.sum())
        p = shared(marginal + ones[starts].toarray())
        w, before = np.full(n_classes, 1 / n_classes), -np.inf
        for _ in range(STEPS):
            log_p, shares = log_sum_exp((ones @ np.log(p).T + np.log(w)).T)
            now = weight @ log_p / weight.sum()
            if now - before < LEAST_GAIN:
                break
            before, shares = now, shares * weight
            total = shares.sum(axis=1)
            w = (total + 1) / (total + 1).sum()
            p = shared(shares @ ones + IMAGINED * marginal)
        return cls(w, np.split(p, ends, axis=1), unseen)

    def log_prob(self, codes: np.ndarray) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,)."""
        return log_sum_exp(self._log_classes(codes))[0]

    def _log_classes(self, codes):
        """log w_h prod_k p_hk(c_k) of the known codes, (H, n)."""
        with np.errstate(divide="ignore"):  # a class without weight, or a value it never has
            log_p = np.tile(np.log(self.weights)[:, None], len(codes))
            for k in np.flatnonzero((codes >= 0).all(axis=0)):
                p, u = self.probabilities[k], self.unseen[k]
                log_p += np.log(np.column_stack([(1 - u) * p, np.full(len(p), u)]))[:, codes[:, k]]
        return log_p

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n rows of codes (n, K), of values that were seen."""
        classes = rng.choice(len(self.weights), n, p=self.weights)
        return np.column_stack([draw(p, classes, rng) for p in self.probabilities])

    def sample_given(
        self, codes: np.ndarray, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `Frequencies.sample_given`: draws a class given the known codes, then the others."""
        open_ = (codes < 0).any(axis=0)
        log_open = np.log1p(-self.unseen[open_]).sum()
        log_p, shares = log_sum_exp(self._log_classes(codes) + log_open)
        shares[:, np.isneginf(log_p)] = self.weights[:, None]  # what cannot be
        classes = draw(shares.T, np.repeat(np.arange(len(codes)), n), rng)
        drawn = np.repeat(codes[:, None], n, axis=1)
        for k in np.flatnonzero(open_):
            drawn[..., k] = draw(self.probabilities[k], classes, rng).reshape(len(codes), n)
        return drawn, log_p

    def __repr__(self):
        return f"LatentClasses({self.weights.size})"


def one_hot(codes: np.ndarray, sizes: Sequence[int]) -> csr_array:
    """(n, sum L_k): 1 in the place of each value, as a sparse matrix; none for a code -1."""
    from scipy.sparse import csr_array

    known = codes >= 0
    places = (codes + np.append(0, np.cumsum(sizes)[:-1]))[known]
    each = np.append(0, np.cumsum(known.sum(axis=1)))
    return csr_array((np.ones(len(places)), places, each), (len(codes), int(np.sum(sizes))))
