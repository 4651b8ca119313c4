"""Who draws rows: fit to the rows of a DataFrame, as many drawn as there are.

Two are for comparison: rows of the table that nobody learned from, as good as draws can be; and
copies of the training rows, which are no less good, and give everything away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import norm

from ...support.common import quiet
from .tables import is_number

OURS, MARGINS = "flowcore", 'flowcore, margins="table"'
REAL, COPIES = "held-out rows", "copies of training rows"


def flowcore_draws(train, budget: float | None, seed: int):
    """({contestant: draws}, the density)."""
    import flowcore as fc

    with quiet():  # what columns are taken for
        learn = fc.FlowDensity(budget=budget, random_state=seed)
        density = fc.tables.fit_table(train, learn=learn, rng=seed)
    kinds = {OURS: "model", MARGINS: "table"}
    return {who: density.sample(len(train), rng=seed, margins=margins)
            for who, margins in kinds.items()}, density  # fmt: skip


def counts_gain(density, rows) -> tuple[float, float] | None:
    """(the gain of p(c) of rows over counts of its combinations, nats a row; its error)."""
    from flowcore.tables.encoding import Encoding

    if density.categories_ is None:
        return None
    schema = density.schema_
    codes, _, unknown = Encoding(schema).encode(schema.select(rows))
    codes = codes[~unknown]
    gain = density.categories_.log_prob(codes) - density.categories_.counts.log_prob(codes)
    return float(gain.mean()), float(gain.std() / len(gain) ** 0.5)


def independent(train, rng) -> pd.DataFrame:
    """Every column shuffled by itself."""
    return pd.DataFrame({name: rng.permutation(train[name]) for name in train})


def ranks(column, rng) -> np.ndarray:
    """In (0, 1), equal values in random order; categories by how often they occur."""
    if not is_number(column):
        column = column.map(column.value_counts().rank(method="first"))
    order = np.lexsort([rng.random(len(column)), column])
    found = np.empty(len(column))
    found[order] = (np.arange(len(column)) + 0.5) / len(column)
    return found


def at_ranks(column, u: np.ndarray) -> np.ndarray:
    """The values of a column at ranks u."""
    key = column if is_number(column) else column.map(column.value_counts().rank(method="first"))
    values = column.to_numpy()[np.argsort(key, kind="stable")]
    return values[(np.clip(u, 0, 1 - 1e-12) * len(column)).astype(int)]


def copula(train, rng) -> pd.DataFrame:
    """A Gaussian copula of ranks, every column with the table's own quantiles."""
    z = norm.ppf(np.column_stack([ranks(train[name], rng) for name in train]))
    drawn = rng.multivariate_normal(np.zeros(z.shape[1]), np.corrcoef(z.T), len(train))
    return pd.DataFrame({name: at_ranks(train[name], u)
                         for name, u in zip(train, norm.cdf(drawn).T, strict=True)})  # fmt: skip


def beta_copula(train, rng) -> pd.DataFrame:
    """The Gaussian copula of the package copulas with Beta margins, as SDV has by default."""
    from copulas.multivariate import GaussianMultivariate
    from copulas.univariate import BetaUnivariate

    seed = int(rng.integers(2**31))
    model = GaussianMultivariate(distribution=BetaUnivariate, random_state=seed)
    numbers = {name: is_number(train[name]) for name in train}
    model.fit(pd.DataFrame({name: train[name].astype(float) if number else ranks(train[name], rng)
                            for name, number in numbers.items()}))  # fmt: skip
    drawn = model.sample(len(train))
    return pd.DataFrame({name: like(train[name], drawn[name]) if number
                         else at_ranks(train[name], drawn[name].to_numpy())
                         for name, number in numbers.items()})  # fmt: skip


def forest(train, rng) -> pd.DataFrame:
    """Adversarial random forests (Watson et al. 2023), by the package arfpy."""
    from arfpy import arf

    texts = [name for name in train if not is_number(train[name])]
    state = np.random.get_state()  # noqa: NPY002 - it draws from the global one
    np.random.seed(int(rng.integers(2**31)))  # noqa: NPY002
    try:
        x = train.astype(dict.fromkeys(texts, object))
        model = arf.arf(x=x, verbose=False, random_state=int(rng.integers(2**31)))
        model.forde()
        drawn = model.forge(n=len(train))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return pd.DataFrame({name: like(train[name], drawn[name]) if name not in texts
                         else drawn[name].astype(object) for name in train})  # fmt: skip


def like(column, drawn) -> np.ndarray:
    """Numbers with as many decimals as a column has, inside of its range: SDV does it, too."""
    digits = next((k for k in range(6) if np.allclose(column, column.round(k), atol=1e-9)), 6)
    x = np.clip(np.asarray(drawn, float).round(digits), column.min(), column.max())
    return x.astype(column.dtype)


OTHERS: dict[str, Callable] = {
    "Gaussian copula": copula,
    "Gaussian copula, Beta margins": beta_copula,
    "adversarial random forest": forest,
    "independent columns": independent,
}
