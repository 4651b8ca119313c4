"""An imputer of another package, run by the interpreter of an environment of its own.

    PYTHON rival.py NAME ROWS.npz DRAWS.npz        NAME: miceforest | MissForest | utrees

ROWS.npz has x (n, D), NaN where a cell is unknown; levels (D,), the number of values of a category,
0 for a column of numbers; draws and seed. DRAWS.npz gets completed (m, n, D), and the version of
the package. Of categories x has codes 0, 1, ... This file imports nothing of flowcore. All settings
are the package's defaults, but for the three iterations of miceforest that its guide uses.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import numpy as np


def miceforest(x: np.ndarray, levels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Multiple imputation by gradient boosting and mean matching."""
    import miceforest as mf

    frame = as_frame(x, levels)
    kernel = mf.ImputationKernel(frame, num_datasets=draws, random_state=seed)
    kernel.mice(3, num_threads=1)
    return np.stack([kernel.complete_data(k).to_numpy(float) for k in range(draws)])


def miss_forest(x: np.ndarray, levels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """MissForest with random forests, as its paper has it (the package's default is LightGBM)."""
    from missforest import MissForest
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    forests = [kind(random_state=seed) for kind in (RandomForestClassifier, RandomForestRegressor)]
    frame = as_frame(x, levels).astype(float)
    categorical = [name for name, size in zip(frame, levels, strict=True) if size] or None
    found = MissForest(*forests, categorical, verbose=0).fit_transform(frame)
    return found[list(frame)].to_numpy(float)[None]  # it sorts the columns by their holes


def unmasking_trees(x: np.ndarray, levels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Autoregression over masked columns by boosted trees."""
    from utrees import UnmaskingTrees

    kinds = ["categorical" if size else "continuous" for size in levels]
    model = UnmaskingTrees(random_state=seed, xgboost_kwargs={"n_jobs": 1})
    return np.asarray(model.fit(x, quantize_cols=kinds).impute(n_impute=draws), float)


def as_frame(x: np.ndarray, levels: np.ndarray):
    """Columns c0, c1, ...; categories are declared."""
    import pandas as pd

    frame = pd.DataFrame(x, columns=[f"c{k}" for k in range(x.shape[1])])
    return frame.astype({f"c{k}": "category" for k in np.flatnonzero(levels)})


RIVALS = {
    "miceforest": ("miceforest", miceforest),
    "MissForest": ("MissForest", miss_forest),
    "utrees": ("utrees", unmasking_trees),
}


def main(name: str, rows: str, draws: str) -> None:
    package, impute = RIVALS[name]
    with np.load(rows) as asked:
        completed = impute(asked["x"], asked["levels"], int(asked["draws"]), int(asked["seed"]))
    np.savez(draws, completed=completed, version=f"{package} {version(package)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
