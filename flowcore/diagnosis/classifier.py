"""The classifier two-sample test: can a classifier tell rows from draws?

Friedman 2003; Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017; for its error
Nadeau and Bengio, "Inference for the generalization error", 2003. It sees what one
column at a time does not show. Gradient boosted trees, cross-fitted in five folds: every row is
scored by a classifier that has not seen it. Draw i stands beside row i (with a context, it has the
same one), and both are in the same fold.
"""

from __future__ import annotations

import numpy as np

from ..core import imported
from .findings import TwoSamples
from .judged import Rows

FOLDS = 5
# The folds' classifiers share rows, so the variance of the mean is larger than that of independent
# folds, 1/K: it is about 1/K + n_test/n_train (Nadeau and Bengio 2003)
INFLATED = 1 / FOLDS + 1 / (FOLDS - 1)
FEWEST_ROWS = 40  # with fewer there is no test
LEADING = 3  # columns that are named


def tell_apart(
    rows: Rows, drawn: np.ndarray, names: list[str], rng: np.random.Generator
) -> TwoSamples | None:
    """Of rows x (n, D) and as many draws, which have the same contexts."""
    (x, context), (n, dim) = rows, rows.x.shape
    if n < FEWEST_ROWS:
        return None
    if context is not None:
        x, drawn = np.hstack([x, context]), np.hstack([drawn, context])
    fold, seed = np.arange(n) % FOLDS, int(rng.integers(2**31))
    areas, variances, nulls, drops = [], [], [], []
    with _one_thread():
        for k in range(FOLDS):
            ours, theirs = fold == k, fold != k
            model = _trees(x[theirs], drawn[theirs], seed)
            area, variance = _area(*map(model.decision_function, (x[ours], drawn[ours])))
            m = int(ours.sum())
            areas.append(area), variances.append(variance)
            nulls.append((2 * m + 1) / (12 * m * m))  # the variance for a classifier that guesses
            drop = [area - _without(model, x[ours], drawn[ours], j, rng) for j in range(dim)]
            drops.append(drop)
    auc, error = float(np.mean(areas)), float(np.sqrt(INFLATED * np.mean(variances)))
    z = (auc - 0.5) / np.sqrt(INFLATED * np.mean(nulls))
    p_value = float(imported("scipy.special").ndtr(-z))
    drop = np.mean(drops, axis=0)
    leading = [names[j] for j in np.argsort(-drop)[:LEADING] if drop[j] > max(0.01, drop.max() / 4)]
    return TwoSamples(auc, error, p_value, p_value, n, tuple(leading))


def _one_thread():
    """OpenMP's threads wait in a spin: on a busy machine two are ten times slower than one.

    The number belongs to the calling thread, so nobody else is touched.
    """
    imported("sklearn.ensemble")  # which loads OpenMP
    return imported("threadpoolctl").threadpool_limits(1, user_api="openmp")


def _trees(x, drawn, seed):
    ensemble = imported("sklearn.ensemble")
    model = ensemble.HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=seed
    )
    return model.fit(np.vstack([x, drawn]), np.repeat([1, 0], len(x)))


def _without(model, x, drawn, j, rng) -> float:
    """The area if column j says nothing: its values are shuffled over rows and draws together."""
    both = np.vstack([x, drawn])
    both[:, j] = rng.permutation(both[:, j])
    return _area(*np.split(model.decision_function(both), [len(x)]))[0]


def _area(above: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """(P(above > below) + P(equal)/2, its variance by DeLong, DeLong and Clarke-Pearson 1988)."""
    rank, m, n = imported("scipy.stats").rankdata, len(above), len(below)
    ranks = rank(np.concatenate([above, below]))
    wins, losses = (ranks[:m] - rank(above)) / n, (ranks[m:] - rank(below)) / m
    return float(wins.mean()), wins.var(ddof=1) / m + losses.var(ddof=1) / n
