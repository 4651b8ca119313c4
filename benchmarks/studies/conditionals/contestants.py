"""Imputers: of a table with holes, x (n, D) with NaN, they return completed tables (m, n, D).

One completed table, if an imputer gives a single value for a cell. levels (D,): the number of
values of a category, whose codes 0, 1, ... stand in x; 0 for a column of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import flowcore as fc

from ..elsewhere import arrays_of
from .rival import RIVALS

DRAWS = 39  # the 95% interval is between the first and the last
Imputer = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def mean(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """The mean of what is seen of the column; of a category the most frequent value."""
    seen, own = [], one_hot(x, levels)
    for k, size in enumerate(levels):
        block = np.nanmean(own[:, columns_of(levels, k)], axis=0)
        seen.append(block.argmax() if size else block[0])
    return np.where(np.isnan(x), seen, x)[None]


def neighbours(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's KNNImputer, five neighbours."""
    from sklearn.impute import KNNImputer

    return from_one_hot(KNNImputer().fit_transform(one_hot(x, levels)), levels)[None]


def iterative(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's IterativeImputer: draws from the posteriors of ridge regressions."""
    imputer, own = _iterative(), one_hot(x, levels)
    draws = [
        imputer(sample_posterior=True, random_state=DRAWS * seed + k).fit_transform(own)
        for k in range(DRAWS)
    ]
    return np.stack([from_one_hot(draw, levels) for draw in draws])


def forest(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """MissForest's idea with scikit-learn's parts: IterativeImputer with random forests."""
    from sklearn.ensemble import RandomForestRegressor

    trees = RandomForestRegressor(50, min_samples_leaf=2, random_state=seed)
    found = _iterative()(trees, max_iter=3, random_state=seed).fit_transform(one_hot(x, levels))
    return from_one_hot(found, levels)[None]


def _iterative():
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer


def mixture(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """A mixture of t densities by exact EM, and its exact conditionals: numbers only."""
    q = fc.MultivariateTMixture.from_data(x, rng=seed, missing="learn")
    return fc.Conditionals(q).impute(x, DRAWS, rng=seed).draws


def flow_density(x: np.ndarray, levels: np.ndarray, seed: int, budget: float | None):
    """flowcore: (completed tables, what is known of the draws).

    Numbers: `FlowDensity(missing="learn")`. With categories: `fit_table(missing="learn")`.
    """
    how = fc.FlowDensity(budget=budget, random_state=seed, n_jobs=1)
    if levels.any():
        draws, answers = by_table(x, levels > 0, DRAWS, seed, how)
    else:
        fit = how.set_params(missing="learn").fit(x)
        answers = fc.Conditionals(fit.density_).impute(x, DRAWS, rng=seed)
        draws = answers.draws
    return draws, _weights(x, answers.ess, answers.k_hat)


def by_table(x: np.ndarray, category: np.ndarray, draws: int, seed: int, how: fc.FlowDensity):
    """(completed tables (draws, n, D), the answers) of `fit_table(missing="learn")`.

    category (D,): whether a column has codes, which become texts: nobody takes these for numbers.
    A column with one value keeps it.
    """
    import pandas as pd

    from flowcore.tables import Schema, fit_table

    frame = pd.DataFrame(x, columns=[f"c{k}" for k in range(x.shape[1])])
    varied = frame.nunique() > 1
    texts = list(frame.columns[category])
    for name in texts:
        frame[name] = [None if np.isnan(code) else f"v{code:.0f}" for code in frame[name]]
    asked = frame.loc[:, varied]
    schema = Schema.from_data(asked, missing="learn")
    density = fit_table(asked, schema, learn=how, missing="learn", rng=seed)
    answers, tables = density.impute(asked, draws, rng=seed), []
    for table in answers.tables:
        whole = frame.ffill().bfill()
        whole[list(asked)] = table
        for name in texts:
            whole[name] = [float(text[1:]) for text in whole[name]]
        tables.append(whole.to_numpy(float))
    return np.stack(tables), answers


def _weights(x: np.ndarray, ess: np.ndarray, k_hat: np.ndarray) -> dict[str, float]:
    """Of the rows with holes: median and 5% quantile of their effective sample sizes, and the share
    of them with k-hat > .7."""
    holes = np.isnan(x).any(axis=1)
    return {
        "ess": float(np.median(ess[holes])), "low_ess": float(np.quantile(ess[holes], 0.05)),
        "bad_k": float(np.mean(k_hat[holes] > 0.7)),
    }  # fmt: skip


def in_its_environment(
    name: str, python: str | Path, x: np.ndarray, levels: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, str]:
    """(completed tables, the package and its version) of rival.py, run by an interpreter.

    Errors: RuntimeError with the end of what it printed, or if it changed known cells.
    """
    program = [str(Path(__file__).with_name("rival.py")), name]
    made = arrays_of(python, program, x=x, levels=levels, draws=draws, seed=seed)
    completed, known = made["completed"], ~np.isnan(x)
    if not np.allclose(completed[:, known], x[known], atol=1e-4):
        raise RuntimeError(f"{name} changed cells that are known")
    return completed, str(made["version"])


def one_hot(x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Numbers as they are, a category of L values as L columns of 0 and 1; NaN stays NaN."""
    blocks = []
    for own, size in zip(x.T, levels, strict=True):
        block = (own[:, None] == np.arange(size)).astype(float) if size else own[:, None]
        blocks.append(np.where(np.isnan(own)[:, None], np.nan, block))
    return np.hstack(blocks)


def from_one_hot(x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The way back: the value of the largest column."""
    blocks = [x[:, columns_of(levels, k)] for k in range(len(levels))]
    return np.column_stack(
        [b.argmax(axis=1) if size else b[:, 0] for b, size in zip(blocks, levels, strict=True)]
    )


def columns_of(levels: np.ndarray, k: int) -> slice:
    """Where column k stands in `one_hot`."""
    ends = np.cumsum(np.maximum(levels, 1))
    return slice(ends[k] - max(levels[k], 1), ends[k])


OURS = "flowcore"
OTHERS: dict[str, Imputer] = {
    "mean": mean,
    "KNNImputer": neighbours,
    "IterativeImputer": iterative,
    "forest": forest,
    "mixture": mixture,
}
EVERYBODY = (OURS, *OTHERS, *RIVALS)
