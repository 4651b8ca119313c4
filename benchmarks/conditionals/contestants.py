"""Imputers: of a table with holes, x (n, D) with NaN, they return completed tables (m, n, D).

One completed table, if an imputer gives a single number for a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

import flowcore as fc

DRAWS = 39  # the 95% interval is between the first and the last
Imputer = Callable[[np.ndarray, int], np.ndarray]


def mean(x: np.ndarray, seed: int) -> np.ndarray:
    """The mean of what is seen of the column."""
    return np.where(np.isnan(x), np.nanmean(x, axis=0), x)[None]


def neighbours(x: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's KNNImputer, five neighbours."""
    from sklearn.impute import KNNImputer

    return KNNImputer().fit_transform(x)[None]


def iterative(x: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's IterativeImputer: draws from the posteriors of ridge regressions."""
    imputer = _iterative()
    return np.stack(
        [
            imputer(sample_posterior=True, random_state=DRAWS * seed + k).fit_transform(x)
            for k in range(DRAWS)
        ]
    )


def forest(x: np.ndarray, seed: int) -> np.ndarray:
    """MissForest's idea with scikit-learn's parts: IterativeImputer with random forests."""
    from sklearn.ensemble import RandomForestRegressor

    trees = RandomForestRegressor(50, min_samples_leaf=2, random_state=seed)
    return _iterative()(trees, max_iter=3, random_state=seed).fit_transform(x)[None]


def _iterative():
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer


def mixture(x: np.ndarray, seed: int) -> np.ndarray:
    """A mixture of t densities by exact EM, and its exact conditionals."""
    q = fc.MultivariateTMixture.from_data(x, rng=seed, missing="learn")
    return fc.Conditionals(q).impute(x, DRAWS, rng=seed).draws


def miceforest(x: np.ndarray, seed: int) -> np.ndarray:
    """miceforest: multiple imputation by gradient boosting and mean matching."""
    import miceforest as mf
    import pandas as pd

    kernel = mf.ImputationKernel(
        pd.DataFrame(x, columns=[f"c{k}" for k in range(x.shape[1])]),
        num_datasets=DRAWS, random_state=seed,
    )  # fmt: skip
    kernel.mice(3)
    return np.stack([kernel.complete_data(k).to_numpy() for k in range(DRAWS)])


def trees(x: np.ndarray, seed: int) -> np.ndarray:
    """UnmaskingTrees."""
    from utrees import UnmaskingTrees

    found = UnmaskingTrees(random_state=seed).fit(x)
    return np.asarray(found.impute(n_impute=DRAWS)).reshape((DRAWS, *x.shape))


OURS = "FlowDensity"
OTHERS: dict[str, Imputer] = {
    "mean": mean,
    "KNNImputer": neighbours,
    "IterativeImputer": iterative,
    "forest": forest,
    "mixture": mixture,
    "miceforest": miceforest,
    "utrees": trees,
}
PACKAGES = {"miceforest": "miceforest", "utrees": "utrees"}


def installed(name: str) -> bool:
    """Whether the package that this imputer needs is there."""
    return name not in PACKAGES or find_spec(PACKAGES[name]) is not None
