"""`Frequencies`: the probability of categories, including rare and unseen values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_integers, as_numbers, check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..core.typing import Seed

PSEUDO = 0.5  # a count that every known value gets: Krichevsky and Trofimov 1981
STRENGTHS = (*np.logspace(-1, 6, 29), np.inf)


class Frequencies:
    """p(c) of K categorical columns: smoothed counts, exact, with the sum 1.

    One column with values 1..L, seen n_1..n_L times in n rows:

        p(l) = (1 - u) (n_l + 1/2) / (n + L/2),      u = (n_once + 1/2) / (n + 1)

    where u is the probability of all unseen values together (Good 1953), and 0 for booleans.
    Several columns: the counts n(c) of their combinations, shrunk towards independence,

        p(c) = (n(c) + A q(c)) / (n + A),            q(c) = prod_k p_k(c_k)

    with the strength A that makes each row as probable as possible given the others.

    Parameters
    ----------
    sizes : tuple of int
        L for each column.
    combinations : ndarray
        (m, K), the distinct rows of codes 0..L-1.
    counts : ndarray
        (m,), > 0: how often each was seen, or its weight.
    unseen : ndarray
        (K,), u for each column.
    strength : float
        A; inf: the columns are independent (or there is only one).

    References
    ----------
    Good, "The population frequencies of species", 1953. Krichevsky, Trofimov, "The performance of
    universal encoding", 1981.

    Examples
    --------
    >>> coin = Frequencies.fit([[0], [0], [1]], sizes=(2,), closed=(True,))
    >>> np.exp(coin.log_prob([[0], [1]])).round(3)
    array([0.625, 0.375])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        combinations: np.ndarray,
        counts: np.ndarray,
        unseen: np.ndarray,
        strength: float,
    ):
        self.combinations = _frozen(as_integers("combinations", combinations))
        self.counts = _frozen(np.asarray(as_numbers("counts", counts), float))
        self.unseen = _frozen(np.asarray(as_numbers("unseen", unseen), float))
        sizes, strength = as_integers("sizes", sizes), as_numbers("strength", strength)
        shapes = (self.combinations.shape, self.counts.shape, self.unseen.shape, strength.shape)
        m, k = self.counts.size, sizes.size
        if m < 1 or shapes != ((m, k), (m,), (k,), ()) or sizes.ndim != 1:
            raise ValueError(
                f"combinations, counts, unseen and strength have shapes {shapes} for {k} sizes"
            )
        self.sizes, self.strength = tuple(sizes.tolist()), float(strength)
        inside = (self.combinations >= 0) & (self.combinations < sizes)
        if not inside.all() or len(np.unique(self.combinations, axis=0)) != m:
            raise ValueError(f"combinations must be different codes below {self.sizes}")
        with np.errstate(over="ignore"):
            total = self.counts.sum()
        if not ((self.counts > 0).all() and total < np.inf):
            raise ValueError("counts must be positive, with a finite sum")
        if not ((self.unseen >= 0) & (self.unseen < 1)).all():
            raise ValueError(f"unseen must be {k} numbers in [0, 1): got {self.unseen!s:.80}")
        if not self.strength >= 0:
            raise ValueError(f"counts need a strength >= 0: got {self.strength}")
        self._smoothed = [
            np.bincount(own, self.counts, minlength=size) + PSEUDO
            for own, size in zip(self.combinations.T, self.sizes, strict=True)
        ]

    @classmethod
    def fit(
        cls,
        codes: ArrayLike,
        sizes: Sequence[int],
        closed: Sequence[bool],
        weight: ArrayLike | None = None,
    ) -> Frequencies:
        """Count rows of codes (n, K); closed: whether a column has no other values.

        weight: (n,), how often each row counts; None: once. Cost: a sort of the rows.
        """
        codes = as_integers("codes", codes).reshape(-1, len(sizes))
        weight = np.ones(len(codes)) if weight is None else np.asarray(weight, float)
        seen = weight > 0
        combinations, counts = distinct_rows(codes[seen], weight[seen])
        unseen = unseen_shares(codes[seen], closed)
        found = cls(sizes, combinations, counts, unseen, np.inf)
        if len(sizes) == 1:
            return found
        strength = max(STRENGTHS, key=found._left_out)
        return cls(sizes, combinations, counts, unseen, strength)

    def _left_out(self, strength: float) -> float:
        """Log-likelihood of the rows, each with its own count taken away."""
        q = np.exp(self._independent(self.combinations))
        if strength < np.inf:
            n = self.counts.sum()
            q = (np.maximum(self.counts - 1, 0) + strength * q) / (max(n - 1, 0) + strength)
        return float(self.counts @ np.log(np.maximum(q, 1e-300)))

    def of_column(self, k: int) -> np.ndarray:
        """(L + 1,): the probabilities of column k alone, the last one for all unseen values."""
        known = (1 - self.unseen[k]) * self._smoothed[k] / self._smoothed[k].sum()
        return np.append(known, self.unseen[k])

    def log_prob(self, codes: ArrayLike) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,): code L is "any unseen value"; -1 gives NaN.

        Cost: a sort of the rows.
        """
        codes = as_integers("codes", codes).reshape(-1, len(self.sizes))
        unknown = (codes < 0).any(axis=1)
        codes = np.where(codes < 0, 0, codes)
        if (codes > np.array(self.sizes)).any():
            raise ValueError(f"codes must be at most {self.sizes}")
        log_q = self._independent(codes)
        if self.strength < np.inf:
            with np.errstate(divide="ignore"):  # a combination that was never seen, strength 0
                parts = np.log(self._counted(codes)), np.log(self.strength) + log_q
            log_q = np.logaddexp(*parts) - np.log(self.counts.sum() + self.strength)
        return np.where(unknown, np.nan, log_q)

    def _independent(self, codes: np.ndarray) -> np.ndarray:
        """log q of valid codes."""
        total = np.zeros(len(codes))
        with np.errstate(divide="ignore"):  # a closed column has no unseen values
            for k, own in enumerate(codes.T):
                total += np.log(self.of_column(k))[own]
        return total

    def _counted(self, codes: np.ndarray) -> np.ndarray:
        """n(c) of each row; 0 of one that was never seen."""
        known = {row.tobytes(): n for row, n in zip(self.combinations, self.counts, strict=True)}
        distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
        each = np.array([known.get(row.tobytes(), 0.0) for row in distinct])
        return each[inverse.reshape(-1)] if len(codes) else np.zeros(0)

    def sample(self, n: int, rng: Seed = None) -> np.ndarray:
        """n rows of codes (n, K), drawn given that all values are seen ones."""
        rng, n = np.random.default_rng(rng), check_count(n)
        found = self.combinations[draw(self.counts[None], np.zeros(n, int), rng)]
        independent = self.strength * np.prod(1 - self.unseen)
        alone = np.ones(n, bool)
        if np.isfinite(self.strength):
            alone = rng.random(n) < independent / (self.counts.sum() + independent)
        for k, smoothed in enumerate(self._smoothed):
            found[alone, k] = draw(smoothed[None], np.zeros(alone.sum(), int), rng)
        return found

    def sample_given(
        self, codes: np.ndarray, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """n draws (m, n, K) from p(c_b | c_a) of rows of codes (m, K), and log p(c_a), (m,).

        -1 is unknown, in the same columns of every row. Draws are seen values. The log-probability
        is log P(the known values, and seen values in all other columns).
        """
        open_ = (codes < 0).any(axis=0)
        drawn, log_p = np.repeat(codes[:, None], n, axis=1), np.empty(len(codes))
        seen = np.prod(1 - self.unseen[open_])
        columns = [self.of_column(k) for k in range(len(self.sizes))]
        for i, row in enumerate(codes):
            q = np.prod([columns[k][row[k]] for k in np.flatnonzero(~open_)]) * seen
            counts = self.counts * (self.combinations == row)[:, ~open_].all(axis=1)
            alone, total = np.ones(n, bool), q
            if np.isfinite(self.strength):
                mass = counts.sum() + self.strength * q
                total = mass / (self.counts.sum() + self.strength)
                alone = rng.random(n) * mass >= counts.sum()
            with np.errstate(divide="ignore"):  # what cannot be
                log_p[i] = np.log(total)
            here = np.flatnonzero(~alone)
            found = self.combinations[draw(counts[None], np.zeros(len(here), int), rng)]
            drawn[i, here] = np.where(open_, found, row)
            for k in np.flatnonzero(open_):
                own = draw(self._smoothed[k][None], np.zeros(alone.sum(), int), rng)
                drawn[i, alone, k] = own
        return drawn, log_p

    def __repr__(self):
        return f"Frequencies(sizes={self.sizes}, strength={self.strength:.3g})"


def unseen_shares(codes: np.ndarray, closed: Sequence[bool]) -> np.ndarray:
    """u of each column, (K,), from the number of values seen once; 0 for a closed column."""
    once = [np.count_nonzero(np.bincount(own) == 1) for own in codes.T]
    unseen = (np.array(once) + PSEUDO) / (len(codes) + 1)
    unseen[np.array(closed, bool)] = 0
    return unseen


def distinct_rows(codes: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows (m, K) of codes (n, K), sorted, and the sums of their weights (m,)."""
    distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
    return distinct, np.bincount(inverse.reshape(-1), weight)


def draw(p: np.ndarray, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,): a code from each row `which` (n,) of probabilities p (H, L)."""
    if not len(which):
        return np.zeros(0, np.int64)
    ends = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1) + np.arange(len(p))[:, None]
    flat = np.searchsorted(ends.reshape(-1), which + rng.random(len(which)), "right")
    return np.minimum(flat - which * p.shape[1], p.shape[1] - 1)


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array
