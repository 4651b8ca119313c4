"""twonorm, the table whose truth is known: two normal densities of 20 columns.

    p(x) = 1/2 N(x; a, I) + 1/2 N(x; -a, I),    a_i = 2 / sqrt(20)

Breiman, "Bias, variance, and arcing classifiers", 1996.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import flowcore as fc

from .results import OURS


def twonorm():
    """The density, of rows (n, 20)."""
    sides = [fc.MultivariateNormalDiag(s * np.full(20, 2 / 20**0.5), 1.0) for s in (1, -1)]
    return fc.Mixture(sides)


def twonorm_kl(rows: list[dict], load: Callable, splits: Callable) -> tuple[float, float] | None:
    """(KL(truth || FlowDensity), its standard error) by the held-out rows; None without them."""
    ours = [row for row in rows if row["table"] == "twonorm" and row["who"] == OURS]
    if not ours:
        return None
    table, gaps = load("twonorm"), []
    folds = splits(len(table))
    for row in ours:
        learn, held_out = folds[row["fold"]]
        # the results are of standardised columns
        truth = twonorm().log_prob(table[held_out]) + np.log(table[learn].std(axis=0)).sum()
        gaps.append(truth - row["log_p"])
    gap = np.concatenate(gaps)
    return float(gap.mean()), float(gap.std() / len(gap) ** 0.5)
