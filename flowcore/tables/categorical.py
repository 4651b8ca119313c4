"""p(c) of several categories: counts, a tree, latent classes, weighted by held-out rows.

Codes (n, K) are 0..L_k - 1 for the values of column k, and L_k for all values together that were
never seen: their probability u_k depends on no other column. Each density is exact and a sum of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core import log_sum_exp
from ..estimator.stacking import stacked_weights
from .frequencies import PSEUDO, STRENGTHS, Frequencies, unseen_shares

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from scipy.sparse import csr_array

CLASSES = (2, 5, 10, 20, 40)  # numbers of latent classes that are tried
STEPS, LEAST_GAIN = 200, 3e-4  # of EM: how many at most, and the gain in nats a row that goes on
IMAGINED = 2.0  # rows, distributed as the whole column, that every class has
FOLDS, LEAST_ROWS, MOST_CODES = 5, 50, 3 * 10**5  # held-out rows decide, of so many codes
SMALLEST_WEIGHT = 0.01


class LatentClasses:
    """Columns that are independent, given a class h that is not observed.

        p(c) = sum_h w_h prod_k p_hk(c_k)

    Goodman, "Exploratory latent structure analysis", 1974. Fitted by EM, in which every class has
    two imagined rows that are distributed as the whole column.

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
        """H classes by EM, which starts at different rows drawn at random.

        Fewer classes, if there are fewer different rows. Cost: H n K an iteration.
        """
        distinct = counts(codes[weight > 0], weight[weight > 0])
        codes, weight = distinct[:, :-1].astype(np.int64), distinct[:, -1]
        n_classes = min(n_classes, len(codes))
        ones, ends = one_hot(codes, sizes), np.cumsum(sizes)[:-1]
        marginal = [p / p.sum() for p in np.split(weight @ ones + PSEUDO, ends)]
        marginal = np.concatenate(marginal)
        starts = rng.choice(len(codes), n_classes, replace=False, p=weight / weight.sum())
        p = (marginal + ones[starts].toarray()) / 2
        w, before = np.full(n_classes, 1 / n_classes), -np.inf
        for _ in range(STEPS):
            log_p, shares = log_sum_exp((ones @ np.log(p).T + np.log(w)).T)
            now = weight @ log_p / weight.sum()
            if now - before < LEAST_GAIN:
                break
            before, shares = now, shares * weight
            total = shares.sum(axis=1)
            w = (total + 1) / (total + 1).sum()
            p = ((shares @ ones) + IMAGINED * marginal) / (total + IMAGINED)[:, None]
        return cls(w, np.split(p, ends, axis=1), unseen)

    def log_prob(self, codes: np.ndarray) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,)."""
        log_p = np.tile(np.log(self.weights)[:, None], len(codes))
        for own, p, u in zip(codes.T, self.probabilities, self.unseen, strict=True):
            with np.errstate(divide="ignore"):  # what cannot be
                log_p += np.log(np.column_stack([(1 - u) * p, np.full(len(p), u)]))[:, own]
        return log_sum_exp(log_p)[0]

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n rows of codes (n, K), of values that were seen."""
        classes = rng.choice(len(self.weights), n, p=self.weights)
        return np.column_stack([draw(p, classes, rng) for p in self.probabilities])

    def to_dict(self) -> dict:
        """The constructor's arguments."""
        return {"weights": self.weights, "probabilities": list(self.probabilities),
                "unseen": self.unseen}  # fmt: skip

    def check(self, sizes: Sequence[int]) -> None:
        """A ValueError for what is no density of columns of these sizes."""
        check_shares(self.unseen, sizes)
        check_probabilities("weights", self.weights, (n := self.weights.size,))
        if len(self.probabilities) != len(sizes):
            raise ValueError(f"there are classes of {len(self.probabilities)} columns")
        for p, size in zip(self.probabilities, sizes, strict=True):
            check_probabilities("those of a class", p, (n, size))

    def __repr__(self):
        return f"LatentClasses({self.weights.size})"


class ChowLiuTree:
    """Every column depends on one other column: the tree of the largest mutual information.

        p(c) = prod_k p(c_k | c_parent(k)),
        p(l | m) = (n(l, m) + A_k p_k(l)) / (n(m) + A_k)

    with the strength A_k under which rows are most probable that are left out one by one. Pairs
    whose information is no more than chance gives are not joined, so the tree may be a forest; a
    parent that was never seen does not inform.

    Chow and Liu, "Approximating discrete probability distributions with dependence trees", 1968.

    Parameters
    ----------
    marginals : sequence of ndarray
        p_k, (L_k,).
    parents : sequence of int
        Of every column; -1 of a root.
    pairs : sequence of ndarray
        (P_k, 3) of every column: m, l and n(l, m), sorted; of a root (0, 3).
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
            counted = np.zeros((0, 3)) if parent < 0 else counts(codes[:, [parent, k]], weight)
            pairs.append(counted)
            strengths.append(_strength(counted, marginals[k]) if parent >= 0 else np.inf)
        return cls(marginals, parents, pairs, strengths, unseen)

    def log_prob(self, codes: np.ndarray) -> np.ndarray:
        """log p(c) of rows of codes (n, K), shape (n,)."""
        log_p = np.zeros(len(codes))
        for k, u in enumerate(self.unseen):
            own, p = codes[:, k], np.append(self.marginals[k], 0.0)
            known = p[own]
            if self.parents[k] >= 0:
                above, size = codes[:, self.parents[k]], len(p)
                m, l, n = self.pairs[k].T
                place, wanted = m * size + l, above * size + own
                at = np.minimum(np.searchsorted(place, wanted), len(place) - 1)
                joint = np.where(place[at] == wanted, n[at], 0.0)
                total = np.bincount(m.astype(int), n, above.max(initial=0) + 1)[above]
                known = _drawn_towards(joint, total, self.strengths[k], known)
            with np.errstate(divide="ignore"):  # what cannot be
                log_p += np.log(np.where(own == len(p) - 1, u, (1 - u) * known))
        return log_p

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n rows of codes (n, K), of values that were seen."""
        found = np.full((n, len(self.parents)), -1)
        todo = list(range(len(self.parents)))
        while todo:
            k = todo.pop(0)
            parent = self.parents[k]
            if parent >= 0 and n and found[0, parent] < 0:
                todo.append(k)  # its parent comes first
                continue
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

    def to_dict(self) -> dict:
        """The constructor's arguments."""
        names = ("marginals", "parents", "pairs", "strengths", "unseen")
        found = {name: getattr(self, name) for name in names}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    def check(self, sizes: Sequence[int]) -> None:
        """A ValueError for what is no density of columns of these sizes."""
        check_shares(self.unseen, sizes)
        own = {len(self.marginals), len(self.parents), len(self.pairs), len(self.strengths)}
        if own != {len(sizes)} or not all(a > 0 for a in self.strengths):
            raise ValueError(f"a tree of {sorted(own)} columns, or strengths that are not positive")
        for k, (parent, size) in enumerate(zip(self.parents, sizes, strict=True)):
            check_probabilities("marginals", self.marginals[k], (size,))
            above = k
            for _ in sizes:
                above = self.parents[above] if 0 <= above < len(sizes) else above
            if above != -1:
                raise ValueError(f"the parents {self.parents!s:.80} are no tree")
            m, l, n = self.pairs[k].T
            top = sizes[parent] if parent >= 0 else 0
            inside = (m >= 0) & (m < top) & (l >= 0) & (l < size) & (n > 0) & np.isfinite(n)
            whole = (self.pairs[k][:, :2] % 1 == 0).all() and (parent < 0 or len(m))
            if not (whole and inside.all()) or (np.diff(m * size + l) <= 0).any():
                raise ValueError("pairs of the tree are not sorted counts of its values")

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
    for part in range(connected_components(tree, directed=False)[0]):
        root = np.flatnonzero(connected_components(tree, directed=False)[1] == part)[0]
        order, above = breadth_first_order(tree, root, directed=False)
        parents[order] = np.maximum(above[order], -1)
    return parents.tolist()


def _totals(codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weight of every code (n,) that occurs."""
    if codes.max() >= 10 * len(codes):
        codes = np.unique(codes, return_inverse=True)[1]
    found = np.bincount(codes, weight)
    return found[found > 0]


def _strength(pairs: np.ndarray, marginal: np.ndarray) -> float:
    """A of p(l | m): under it, rows that are left out one by one are most probable."""
    m, l, n = pairs.T
    q, total = marginal[l.astype(int)], np.bincount(m.astype(int), n)[m.astype(int)]
    joint, total = np.maximum(n - 1, 0), np.maximum(total - 1, 0)
    return max(STRENGTHS, key=lambda a: n @ np.log(_drawn_towards(joint, total, a, q)))


def _drawn_towards(joint, total, strength: float, q):
    """(n(l, m) + A q) / (n(m) + A)."""
    return q if strength == np.inf else (joint + strength * q) / (total + strength)


class CategoricalMixture:
    """p(c) = sum_i w_i p_i(c): counts, a tree and latent classes of the same columns.

    Parameters
    ----------
    weights : ndarray
        w, (I,), of the densities in this order; that of the counts may be 0.
    counts : Frequencies
        Counts of the combinations.
    tree : ChowLiuTree or None
        A tree.
    classes : sequence of LatentClasses
        Of different numbers of classes.

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
        """All kinds, weighted so that held-out rows are most probable under them together.

        Numbers of classes are tried until two are no better. Of a larger table, rows with 300,000
        codes decide, and the tree and classes are fitted to them. Cost: about 5 s for ten columns
        of 10,000 rows, half a minute for the largest.
        """
        counts = Frequencies.fit(codes, sizes, closed, weight)
        if len(sizes) == 1 or len(codes) < LEAST_ROWS:
            return cls([1.0], counts)
        weight = np.ones(len(codes)) if weight is None else weight / weight.mean()
        some = rng.permutation(len(codes))[: MOST_CODES // len(sizes)]
        codes, weight, number = codes[some], weight[some], np.arange(len(some)) % FOLDS
        seeds = {h: int(rng.integers(2**31)) for h in CLASSES}

        def held_out(fitted: Callable) -> np.ndarray:
            log_p = np.empty(len(codes))
            for k in range(FOLDS):
                here = number == k
                log_p[here] = fitted(codes[~here], weight[~here]).log_prob(codes[here])
            return log_p

        def counted(c, w):
            return Frequencies.fit(c, sizes, closed, w)

        def tree(c, w):
            return ChowLiuTree.fit(c, sizes, unseen_shares(c, closed), w)

        def classes(c, w, h):
            u, own = unseen_shares(c, closed), np.random.default_rng(seeds[h])
            return LatentClasses.fit(c, sizes, u, w, h, own)

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
        found = [fits[i](codes, weight) for i in kept]
        has_tree = 1 in kept
        w = w[[0, *kept]]
        return cls(w / w.sum(), counts, found[0] if has_tree else None, found[has_tree:])

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
        found = np.empty((n, len(self.sizes)), np.int64)
        for i, density in enumerate(self.densities):
            here = which == i
            found[here] = density.sample(np.count_nonzero(here), rng)
        return found

    def to_dict(self) -> dict:
        """As data: dicts and lists of arrays."""
        return {
            "weights": self.weights,
            "counts": self.counts.to_dict(),
            "tree": None if self.tree is None else self.tree.to_dict(),
            "classes": [own.to_dict() for own in self.classes],
        }

    @classmethod
    def from_dict(cls, data: dict, sizes: Sequence[int]) -> CategoricalMixture:
        """What `to_dict` made, of columns of these sizes; a ValueError for anything else."""
        try:
            counts = data["counts"]
            own = [int(size) for size in counts["sizes"]]
            if own != list(sizes):
                raise ValueError(f"sizes {own!s:.80}, but the categories have {sizes!s:.80}")
            tree = data["tree"] and ChowLiuTree(**data["tree"])
            classes = [LatentClasses(**one) for one in data["classes"]]
            found = cls(data["weights"], Frequencies(**counts), tree, classes)
            for density in found.densities[1:]:
                density.check(sizes)
        except (TypeError, LookupError, AttributeError, OverflowError) as problem:
            raise ValueError(f"categories: {problem!s:.200}") from None
        w = found.weights
        if w.shape != (len(found.densities),) or not ((w >= 0).all() and abs(w.sum() - 1) < 1e-9):
            raise ValueError(f"weights of categories are {w!s:.80}")
        return found

    def __repr__(self):
        parts = zip(self.weights, self.densities, strict=True)
        return f"CategoricalMixture({', '.join(f'{w:.2f} {d!r}' for w, d in parts)})"


def check_probabilities(name: str, p: np.ndarray, shape: tuple[int, ...]) -> None:
    """A ValueError unless p has this shape and its last axis sums to 1."""
    good = p.shape == shape and (p >= 0).all() and np.allclose(p.sum(axis=-1), 1, atol=1e-9)
    if not good:
        raise ValueError(f"{name} are no probabilities of shape {shape}")


def check_shares(unseen: np.ndarray, sizes: Sequence[int]) -> None:
    """A ValueError unless there is one share in [0, 1) for every column."""
    if unseen.shape != (len(sizes),) or not ((unseen >= 0) & (unseen < 1)).all():
        raise ValueError(f"unseen must be {len(sizes)} numbers in [0, 1)")


def one_hot(codes: np.ndarray, sizes: Sequence[int]) -> csr_array:
    """(n, sum L_k): 1 in the place of each value, as a sparse matrix."""
    from scipy.sparse import csr_array

    n, n_columns = codes.shape
    places = codes + np.append(0, np.cumsum(sizes)[:-1])
    each = np.arange(0, n * n_columns + 1, n_columns)
    return csr_array((np.ones(n * n_columns), places.reshape(-1), each), (n, int(np.sum(sizes))))


def counts(codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(m, K + 1): the different rows of codes (n, K), sorted, and the sum of their weights."""
    distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
    return np.column_stack([distinct, np.bincount(inverse.reshape(-1), weight)])


def draw(p: np.ndarray, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,): a code from each row `which` (n,) of probabilities p (H, L)."""
    ends = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1) + np.arange(len(p))[:, None]
    flat = np.searchsorted(ends.reshape(-1), which + rng.random(len(which)), "right")
    return np.minimum(flat - which * p.shape[1], p.shape[1] - 1)
