"""How like drawn rows are to the rows of a table, and how private: DataFrames in, numbers out.

Shapes and pairs as SDMetrics defines them (its quality report). Categories are whatever is no
number.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ...support.common import quiet
from .tables import is_number

MOST_DRAWS = 2_000  # whose nearest rows are looked for


def column_shapes(real, drawn) -> float:
    """The mean over the columns of 1 - the distance of Kolmogorov and Smirnov (numbers), or of
    1 - the total variation (categories)."""
    from scipy.stats import ks_2samp

    scores = []
    for name in real:
        if is_number(real[name]):
            scores.append(1 - ks_2samp(real[name], drawn[name], method="asymp").statistic)
        else:
            scores.append(overlap(real[[name]], drawn[[name]]))
    return float(np.mean(scores))


def pair_trends(real, drawn) -> float:
    """The mean over all pairs of columns: of two numbers 1 - half the difference of correlations,
    otherwise 1 - the total variation of their joint table, numbers in ten bins of their range."""
    binned = [frame.assign(**{name: in_bins(frame[name]) for name in real
                              if is_number(real[name])}) for frame in (real, drawn)]  # fmt: skip
    scores = []
    for pair in map(list, combinations(real.columns, 2)):
        if all(is_number(real[name]) for name in pair):
            with quiet():  # a column that is always the same
                r, s = (frame[pair].corr().iloc[0, 1] for frame in (real, drawn))
            scores.append(1 - abs(r - s) / 2)
        else:
            scores.append(overlap(*(frame[pair] for frame in binned)))
    return float(np.nanmean(scores))


def in_bins(column):
    """The bin of each number: ten of equal width, over the range of this very column."""
    return np.digitize(column, np.histogram_bin_edges(column))


def overlap(real, drawn) -> float:
    """1 - the total variation between the shares of different rows."""
    shares = [frame.value_counts(normalize=True) for frame in (real, drawn)]
    return float(1 - shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)


def detector_auc(real, drawn) -> float:
    """AUC of gradient boosting that separates real rows from drawn ones, in five folds; .5 is a
    guess."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    rows = as_numbers(pd.concat([real, drawn], ignore_index=True))
    is_drawn = np.arange(len(rows)) >= len(real)
    model = HistGradientBoostingClassifier(random_state=0)
    p = cross_val_predict(model, rows, is_drawn, cv=5, method="predict_proba")[:, 1]
    return auc(is_drawn, p)


def transfer_auc(drawn, test, target: str) -> float:
    """AUC on real rows of gradient boosting that has learned from drawn ones.

    It predicts whether the target is its commonest value, or, of a number, above the median.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = as_numbers(pd.concat([drawn, test], ignore_index=True))
    y, own = rows.pop(target), as_numbers(test)[target]
    numeric = is_number(test[target]) and own.nunique() > 2
    y = y > own.median() if numeric else y == y[len(drawn) :].mode()[0]
    if y[: len(drawn)].nunique() == 1:
        return 0.5
    model = HistGradientBoostingClassifier(random_state=0).fit(rows[: len(drawn)], y[: len(drawn)])
    return auc(y[len(drawn) :], model.predict_proba(rows[len(drawn) :])[:, 1])


def auc(y, p) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, p))


def as_numbers(frame):
    """The places of categories among their sorted values, as floats."""
    codes = {name: pd.factorize(frame[name], sort=True)[0] for name in frame
             if not is_number(frame[name])}  # fmt: skip
    return frame.assign(**codes).astype(float)


def nearer_share(train, held_out, drawn) -> float:
    """The share of draws whose nearest training row is nearer than their nearest held-out row.

    By Gower's distance, the mean over the columns of |difference| / range, or of whether two
    categories differ. Ties count as a half: .5 is chance, as there are as many rows of both.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    frames = (train, held_out, drawn[:MOST_DRAWS])
    rows = pd.concat(frames, ignore_index=True)
    numbers = [name for name in rows if is_number(rows[name])]
    scale = (train[numbers].max() - train[numbers].min()).replace(0, 1)
    rows[numbers] = rows[numbers] / scale
    others = [name for name in rows if name not in numbers]
    x = pd.get_dummies(rows, columns=others, dtype=float)
    x.loc[:, ~x.columns.isin(numbers)] /= 2  # two places differ where two categories do
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    a, b, d = np.split(x.to_numpy(np.float64), ends)
    near, far = (pairwise_distances_argmin_min(d, e, metric="manhattan")[1] for e in (a, b))
    apart = np.where(np.isclose(near, far, atol=1e-9), 0.0, near - far)
    return float(np.mean(apart < 0) + np.mean(apart == 0) / 2)


def commonest_gap(real, drawn) -> tuple[float, str]:
    """(the largest difference between shares of a column's commonest value, the column)."""
    gaps = {}
    for name in real:
        value = real[name].mode()[0]
        gaps[name] = float((drawn[name] == value).mean() - (real[name] == value).mean())
    worst = max(gaps, key=lambda name: abs(gaps[name]))
    return abs(gaps[worst]), worst


def outside_share(real, drawn) -> float:
    """The share of the draws with a number beyond the real rows' smallest or largest."""
    numbers = [name for name in real if is_number(real[name])]
    x, low, high = drawn[numbers], real[numbers].min(), real[numbers].max()
    return float(((x < low) | (x > high)).any(axis=1).mean())
