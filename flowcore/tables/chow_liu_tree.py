"""`ChowLiuTree`: p(c) of columns each of which depends on one other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .frequencies import PSEUDO, STRENGTHS, distinct_rows, draw

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class ChowLiuTree:
    """The tree of the largest mutual information: every column depends on at most one other.

        p(c) = prod_k p(c_k | c_parent(k)),
        p(l | m) = (n(l, m) + A_k p_k(l)) / (n(m) + A_k)

    n(l, m) counts rows with value l of column k and value m of its parent. The strength A_k makes
    each row as probable as possible given the others. Two columns are not joined if their
    information is no more than chance gives, so the tree may be a forest.

    Chow and Liu, "Approximating discrete probability distributions with dependence trees", 1968.

    Parameters
    ----------
    marginals : sequence of ndarray
        p_k, (L_k,).
    parents : sequence of int
        The parent of every column; -1 for a root.
    pairs : sequence of ndarray
        For every column (P_k, 3): m, l and n(l, m), sorted; for a root (0, 3).
    strengths : sequence of float
        A_k.
    unseen : ndarray
        u, (K,).

    Examples
    --------
    >>> codes = np.repeat([[0, 0], [1, 1]], 50, axis=0)
    >>> tree = ChowLiuTree.fit(codes, (2, 2), unseen=np.zeros(2), weight=np.ones(100))
    >>> tree.parents
    [-1, 0]
    >>> np.exp(tree.log_prob(np.array([[0, 0], [0, 1]]))).round(2)
    array([0.5, 0. ])
    """

    def __init__(
        self,
        marginals: Sequence[ArrayLike],
        parents: Sequence[int],
        pairs: Sequence[ArrayLike],
        strengths: Sequence[float],
        unseen: ArrayLike,
    ):
        self.marginals = tuple(np.asarray(p, float) for p in marginals)
        self.parents, self.strengths = [int(k) for k in parents], [float(a) for a in strengths]
        self.pairs = tuple(np.asarray(p, float).reshape(-1, 3) for p in pairs)
        self.unseen = np.asarray(unseen, float)

    @classmethod
    def fit(
        cls, codes: np.ndarray, sizes: Sequence[int], unseen: np.ndarray, weight: np.ndarray
    ) -> ChowLiuTree:
        """The tree of rows of codes. Cost: a sort of the rows for each of the K^2 / 2 pairs."""
        totals = [np.bincount(c, weight, size) for c, size in zip(codes.T, sizes, strict=True)]
        marginals = [(t + PSEUDO) / (t + PSEUDO).sum() for t in totals]
        parents = _tree(codes, weight)
        pairs, strengths = [], []
        for k, parent in enumerate(parents):
            if parent < 0:
                pairs.append(np.zeros((0, 3)))
                strengths.append(np.inf)
                continue
            pairs.append(np.column_stack(distinct_rows(codes[:, [parent, k]], weight)))
            strengths.append(_strength(pairs[k], marginals[k]))
        return cls(marginals, parents, pairs, strengths, unseen)

    def log_prob(self, codes: np.ndarray) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,)."""
        log_p = np.zeros(len(codes))
        for k, (parent, u) in enumerate(zip(self.parents, self.unseen, strict=True)):
            at, p = codes[:, k], np.append(self.marginals[k], 0.0)
            known = p[at]
            if parent >= 0:  # the pairs that occurred are few: no table of all
                m, l, n = self.pairs[k].T
                above, place = codes[:, parent], m * len(p) + l
                wanted = above * len(p) + at
                pair = np.minimum(np.searchsorted(place, wanted), len(place) - 1)
                joint = np.where(place[pair] == wanted, n[pair], 0.0)
                total = np.bincount(m.astype(int), n, above.max(initial=0) + 1)[above]
                known = _drawn_towards(joint, total, self.strengths[k], known)
            with np.errstate(divide="ignore"):  # what cannot be
                log_p += np.log(np.where(at == len(p) - 1, u, (1 - u) * known))
        return log_p

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n rows of codes (n, K), of values that were seen."""
        found = np.full((n, len(self.parents)), -1)
        todo, done = [*range(len(self.parents))], {-1}
        while todo:
            k = todo.pop(0)
            parent = self.parents[k]
            if parent not in done:
                todo.append(k)
                continue
            done.add(k)
            found[:, k] = draw(self.marginals[k][None], np.zeros(n, int), rng)
            if parent >= 0:
                self._draw_given(found[:, parent], k, found[:, k], rng)
        return found

    def _draw_given(self, above, k: int, own: np.ndarray, rng) -> None:
        """Replace codes of column k that are not drawn from its marginal."""
        m, l, n = self.pairs[k].T
        total = np.bincount(m.astype(int), n, above.max(initial=0) + 1)[above]
        counted = rng.random(len(above)) * (total + self.strengths[k]) < total
        before = np.append(0.0, np.cumsum(n))  # n(l, m) of all pairs in order, and where m starts
        start = before[np.searchsorted(m, above[counted])]
        at = np.searchsorted(before, start + rng.random(len(start)) * total[counted], "right") - 1
        own[counted] = l[np.minimum(at, len(l) - 1)]

    def sample_given(
        self, codes: np.ndarray, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `Frequencies.sample_given`: messages go up the tree, draws come down.

            b_k(l) = e_k(l) prod_(children j) sum_l' p(l' | l) b_j(l')

        e_k is 1 - u at the values that column k may have. If its value is known to be an unseen
        one, e_k is u there. Cost: O(L_parent L_k) a row and column.
        """
        upward, rows = self._order()[::-1], np.arange(len(codes))
        b, moves = {}, {k: self._moves(k) for k in upward}
        for k in upward:
            size, known = len(self.marginals[k]), codes[:, k] >= 0
            e = np.tile(np.append(np.full(size, 1 - self.unseen[k]), 0.0), (len(codes), 1))
            e[known] = np.where(codes[known, k, None] == np.arange(size + 1), 1 - self.unseen[k], 0)
            e[known & (codes[:, k] == size), size] = self.unseen[k]
            b[k] = b.get(k, 1.0) * e
            if (parent := self.parents[k]) >= 0:
                b[parent] = b.get(parent, 1.0) * (b[k] @ moves[k].T)
        drawn, total = np.repeat(codes[:, None], n, axis=1), np.ones(len(codes))
        for k in upward[::-1]:
            parent = self.parents[k]
            if parent < 0:
                total *= b[k] @ moves[k][0]
            if (codes[:, k] >= 0).all():
                continue
            above = 0 * drawn[..., k] if parent < 0 else drawn[..., parent]
            pairs = (rows[:, None] * len(moves[k]) + above).reshape(-1)
            distinct, which = np.unique(pairs, return_inverse=True)
            p = moves[k][distinct % len(moves[k])] * b[k][distinct // len(moves[k])]
            p[~p.any(axis=1)] = np.append(self.marginals[k], 0.0)  # what cannot be
            drawn[..., k] = draw(p, which.reshape(-1), rng).reshape(len(codes), n)
        with np.errstate(divide="ignore"):
            return drawn, np.log(total)

    def _order(self) -> list[int]:
        """The columns, each behind its parent."""
        found: list[int] = []
        while len(found) < len(self.parents):
            found += [
                k for k, parent in enumerate(self.parents)
                if k not in found and (parent < 0 or parent in found)
            ]  # fmt: skip
        return found

    def _moves(self, k: int) -> np.ndarray:
        """p(l | m) (L_parent + 1, L_k + 1). The last row is for an unseen parent. The last column
        holds ones, since u stands elsewhere. A root has one row."""
        marginal, parent = self.marginals[k], self.parents[k]
        counts = np.zeros((1, len(marginal)))
        if parent >= 0:
            m, l, n = self.pairs[k].T
            counts = np.zeros((len(self.marginals[parent]) + 1, len(marginal)))
            counts[m.astype(int), l.astype(int)] = n
        total = counts.sum(axis=1, keepdims=True)
        p = _drawn_towards(counts, total, self.strengths[k], np.tile(marginal, (len(counts), 1)))
        return np.column_stack([p, np.ones(len(p))])

    def __repr__(self):
        return f"ChowLiuTree({self.parents!s:.60})"


def _tree(codes: np.ndarray, weight: np.ndarray) -> list[int]:
    """The parent of every column in the tree of the largest mutual information; -1 of a root.

    An estimate of the information is too high by (m_ab - m_a - m_b + 1) / 2n, with m the numbers of
    values and pairs that were seen (Miller 1955): it is subtracted.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import (
        breadth_first_order,
        connected_components,
        minimum_spanning_tree,
    )

    n_columns, n = codes.shape[1], weight.sum()
    size = int(codes.max(initial=0)) + 1
    alone = [_totals(codes[:, k], weight) for k in range(n_columns)]
    entropy = [-np.sum(c / n * np.log(c / n)) for c in alone]
    gain = np.zeros((n_columns, n_columns))
    for a in range(n_columns):
        for b in range(a):
            joint = _totals(size * codes[:, a] + codes[:, b], weight)
            chance = (len(joint) - len(alone[a]) - len(alone[b]) + 1) / (2 * n)
            both = -np.sum(joint / n * np.log(joint / n))
            gain[a, b] = max(entropy[a] + entropy[b] - both - chance, 0.0)
    tree = minimum_spanning_tree(csr_array(-gain))
    parents = np.full(n_columns, -1)
    n_parts, part_of = connected_components(tree, directed=False)
    for part in range(n_parts):
        order, above = breadth_first_order(tree, np.argmax(part_of == part), directed=False)
        parents[order] = np.maximum(above[order], -1)
    return parents.tolist()


def _totals(codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weight of every code (n,) that occurs."""
    if codes.max() >= 10 * len(codes):
        codes = np.unique(codes, return_inverse=True)[1]
    found = np.bincount(codes, weight)
    return found[found > 0]


def _strength(pairs: np.ndarray, marginal: np.ndarray) -> float:
    """The A of p(l | m) under which rows that are left out one by one are most probable."""
    m, l, n = pairs.T
    q, total = marginal[l.astype(int)], np.bincount(m.astype(int), n)[m.astype(int)]
    joint, total = np.maximum(n - 1, 0), np.maximum(total - 1, 0)
    return max(STRENGTHS, key=lambda a: n @ np.log(_drawn_towards(joint, total, a, q)))


def _drawn_towards(joint, total, strength: float, q):
    """(n(l, m) + A q) / (n(m) + A)."""
    return q if strength == np.inf else (joint + strength * q) / (total + strength)
