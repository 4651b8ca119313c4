"""p(c) of several categories: counts, a tree, latent classes, weighted by held-out rows.

Codes (n, K) are 0..L_k - 1 for the values of column k, and L_k for all unseen values together. The
probability u_k of an unseen value depends on no other column. Each density is exact and sums to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core import log_sum_exp
from ..core.rows import as_counts
from ..estimator.stacking import stacked_weights
from .chow_liu_tree import ChowLiuTree
from .frequencies import Frequencies, draw, unseen_shares
from .latent_classes import LatentClasses

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CLASSES = (2, 5, 10, 20, 40)  # numbers of latent classes that are tried
FOLDS, LEAST_ROWS, MOST_CODES = 5, 50, 3 * 10**5  # held-out rows decide, of so many codes
SMALLEST_WEIGHT = 0.01


class CategoricalMixture:
    """p(c) = sum_i w_i p_i(c): counts, a tree and latent classes of the same columns.

    Parameters
    ----------
    weights : ndarray
        w, (I,), of the densities in the order below; the weight of the counts may be 0.
    counts : Frequencies
        The counts of combinations.
    tree : ChowLiuTree or None
        The tree.
    classes : sequence of LatentClasses
        Latent classes, with different numbers of classes.

    Examples
    --------
    >>> counts = Frequencies.fit([[0, 0], [1, 1]], sizes=(2, 2), closed=(True, True))
    >>> alike = LatentClasses([0.5, 0.5], [np.eye(2), np.eye(2)], [0.0, 0.0])
    >>> mixture = CategoricalMixture([0.0, 1.0], counts, classes=[alike])
    >>> np.exp(mixture.log_prob(np.array([[0, 0], [0, 1]])))
    array([0.5, 0. ])
    """

    def __init__(
        self,
        weights: ArrayLike,
        counts: Frequencies,
        tree: ChowLiuTree | None = None,
        classes: Sequence[LatentClasses] = (),
    ):
        self.weights, self.counts, self.tree = np.asarray(weights, float), counts, tree
        self.classes = tuple(classes)
        self.densities = (counts, *([] if tree is None else [tree]), *self.classes)
        w = self.weights
        if w.shape != (len(self.densities),) or not ((w >= 0).all() and abs(w.sum() - 1) < 1e-9):
            raise ValueError(f"weights must be {len(self.densities)} shares of 1, not {w!s:.80}")
        self.sizes = counts.sizes

    @classmethod
    def fit(
        cls,
        codes: np.ndarray,
        sizes: Sequence[int],
        closed: Sequence[bool],
        weight: np.ndarray | None,
        rng: np.random.Generator,
    ) -> CategoricalMixture:
        """Fit all three kinds, with the weights that maximise the log-density of held-out rows.

        Increasing numbers of classes are tried until two in a row are no better. A large table is
        sampled for all but the counts. Cost: about 5 s for ten columns of 10,000 rows, half a
        minute for the largest tables.
        """
        weight = as_counts(weight, len(codes))
        counts = Frequencies.fit(codes, sizes, closed, weight)
        if len(sizes) == 1 or len(codes) < LEAST_ROWS:
            return cls([1.0], counts)
        some = rng.permutation(len(codes))[: MOST_CODES // len(sizes)]
        codes, weight, number = codes[some], weight[some], np.arange(len(some)) % FOLDS
        seeds = {h: int(rng.integers(2**31)) for h in CLASSES}

        def held_out(fitted: Callable) -> np.ndarray:
            log_p = np.empty(len(codes))
            for k in range(FOLDS):
                here = number == k
                rest = codes[~here]
                density = fitted(rest, weight[~here], unseen_shares(rest, closed))
                log_p[here] = density.log_prob(codes[here])
            return log_p

        def counted(c, w, u):
            return Frequencies.fit(c, sizes, closed, w)

        def tree(c, w, u):
            return ChowLiuTree.fit(c, sizes, u, w)

        def classes(c, w, u, h):
            return LatentClasses.fit(c, sizes, u, w, h, np.random.default_rng(seeds[h]))

        fits, scores = [counted, tree], [held_out(counted), held_out(tree)]
        best, worse = -np.inf, 0
        for h in CLASSES:
            fits.append(partial(classes, h=h))
            scores.append(held_out(fits[-1]))
            now = weight @ scores[-1]
            best, worse = (now, 0) if now > best else (best, worse + 1)
            if worse == 2:
                break
        w = stacked_weights(np.stack(scores, axis=1), weight)
        kept = [i for i in range(1, len(w)) if w[i] >= SMALLEST_WEIGHT]
        densities = [fits[i](codes, weight, counts.unseen) for i in kept]
        has_tree = 1 in kept
        w = w[[0, *kept]]
        return cls(w / w.sum(), counts, densities[0] if has_tree else None, densities[has_tree:])

    def log_prob(self, codes: np.ndarray) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,); a code -1 gives NaN."""
        log_p, unknown = np.full(len(codes), -np.inf), (codes < 0).any(axis=1)
        known = np.maximum(codes, 0)
        for w, density in zip(self.weights, self.densities, strict=True):
            if w:
                log_p = np.logaddexp(log_p, np.log(w) + density.log_prob(known))
        return np.where(unknown, np.nan, log_p)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n rows of codes (n, K), of values that were seen."""
        which = rng.choice(len(self.weights), n, p=self.weights)
        codes = np.empty((n, len(self.sizes)), np.int64)
        for i, density in enumerate(self.densities):
            here = which == i
            codes[here] = density.sample(np.count_nonzero(here), rng)
        return codes

    def sample_given(
        self, codes: np.ndarray, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """n draws (m, n, K) from p(c_b | c_a) for each row of codes (m, K), exact.

        -1 is an unknown code, in the same columns of every row. Only values that were seen are
        drawn. Also returns log p(c_a | c_b is among the seen values), (m,), the marginal density of
        such draws. Cost for each column: the distinct rows in the counts, O(L^2) in the tree, O(H)
        in the classes.
        """
        distinct, which = np.unique(codes, axis=0, return_inverse=True)
        which = which.reshape(-1)
        log_p = np.empty((len(self.weights), len(distinct)))
        with np.errstate(divide="ignore"):  # a density without weight
            for i, density in enumerate(self.densities):
                log_p[i] = np.log(self.weights[i]) + density.sample_given(distinct, 0, rng)[1]
        log_p, shares = log_sum_exp(log_p)
        log_p -= (distinct < 0) @ np.log1p(-self.counts.unseen)
        shares[0, np.isneginf(log_p)] = 1.0  # what cannot be
        chosen = draw(shares.T, np.repeat(which, n), rng).reshape(len(codes), n)
        found = np.repeat(codes[:, None], n, axis=1)
        for i, density in enumerate(self.densities):
            rows = np.flatnonzero((chosen == i).any(axis=1))
            if rows.size:
                parts = density.sample_given(codes[rows], n, rng)[0]
                found[rows] = np.where((chosen[rows] == i)[..., None], parts, found[rows])
        return found, log_p[which]

    def __repr__(self):
        parts = zip(self.weights, self.densities, strict=True)
        return f"CategoricalMixture({', '.join(f'{w:.2f} {d!r}' for w, d in parts)})"
