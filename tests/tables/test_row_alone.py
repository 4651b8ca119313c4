"""A row alone has the answer that it has in company: in any order, among equal rows, in any blocks.

A line of CASES is one more way to ask. Draws for equal rows are independent.
"""

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from flowcore.tables import Schema, TableDensity, fit_table

pytestmark = pytest.mark.usefixtures("few_folds")
RNG = np.random.default_rng
N = 13


def gaussian(x, context=None, sample_weight=None, rng=0):
    """The Gaussian of the numbers, whatever the categories are."""
    return fc.MultivariateNormalMixture.from_data(x, 1, sample_weight)


def people(n, seed=0, holes=True):
    rng = RNG(seed)
    X = pd.DataFrame({"city": rng.choice(["Bern", "Rome"], n), "age": rng.normal(40, 9, n)})
    X["pay"] = np.exp(0.1 * X["age"] + rng.normal(size=n))
    X["kids"] = rng.integers(0, 40, n)
    X = X.astype({"kids": float})
    if holes:
        X = X.mask(rng.random(X.shape) < 0.3)
        X.loc[0] = ["Bern", 40.0, np.nan, 3.0]
    return X


def numbers(table):
    return table.assign(city=(table["city"] == "Rome") - 1.0 * table["city"].isna()).to_numpy(float)


def density():
    X = people(300, seed=1, holes=False)
    return fit_table(X, Schema.from_data(X).edit(kids="integer(0)", pay="positive"), learn=gaussian)


def of_joint(density):
    """Ask for missing numbers; draws (n, ...) have an axis of rows first, as all answers have."""
    joint = fc.Conditionals(density)
    X = RNG(0).normal(size=(N, joint.dim))
    X[:6, -1] = X[6:9, 0] = X[10] = np.nan

    def ask(X, progress=False):
        found = joint.impute(X, 3, 60, rng=5, progress=progress)
        return {"log_p": found.log_p}, found.draws.swapaxes(0, 1)

    return ask, X, ("flowcore.conditionals.answering.NUMBERS", 300)


def of_known(density):
    joint, X = fc.Conditionals(density), of_joint(density)[1]

    def ask(X):
        return {"log_p": joint.log_prob(X, 60).log_p}, None

    return ask, X, ("flowcore.conditionals.answering.NUMBERS", 300)


def of_table():
    own = density()

    def ask(X):
        found = own.impute(X, n=3, n_draws=100, rng=5)
        values = {name: getattr(found, name) for name in ("log_p", "error", "ess")}
        return values, np.stack([numbers(table) for table in found.tables], axis=1)

    return ask, people(N), ("flowcore.conditionals.answering.NUMBERS", 2000)


def of_marginals():
    own = density()

    def ask(X):
        return {"log_p": own.log_prob(X, missing="marginal")}, None

    return ask, people(N), ("flowcore.tables.density.ROWS", 5)


def of_explanations():
    own = density()

    def ask(X):
        found = own.explain(X)
        return {"surprise": found.surprise, "gains": found.gains}, None

    return ask, people(N, seed=5, holes=False), ("flowcore.tables.density.ROWS", 5)


def of_imputer(how):
    learn = TableDensity(learn=gaussian, missing="drop")
    imputer = fc.FlowImputer(learn, bootstraps=0).fit(people(200, seed=1))

    def ask(X):
        if how == "transform":
            return {"filled": numbers(imputer.transform(X))}, None
        return {}, np.stack([numbers(table) for table in imputer.sample(2, X, rng=0)], axis=1)

    return ask, people(N), ("flowcore.tables.imputer.CELLS", 1000)


CASES = {
    "moons": lambda: of_joint(fc.targets.two_moons(0.1)),
    "mixture": lambda: of_joint(
        fc.MultivariateTMixture(RNG(2).normal(size=(2, 3)), [np.eye(3)] * 2)
    ),
    "layer": lambda: of_joint(fc.testing.randomize(fc.flows.maf(3, layers=1, standardize=False))),
    "known cells": lambda: of_known(fc.targets.two_moons(0.1)),
    "table": of_table,
    "marginals of a table": of_marginals,
    "explanations": of_explanations,
    "imputer": lambda: of_imputer("transform"),
    "draws of an imputer": lambda: of_imputer("sample"),
}


def rows_of(X, at):
    return X.iloc[at].reset_index(drop=True) if isinstance(X, pd.DataFrame) else X[at]


@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", CASES)
def test_a_row_alone_is_the_row_in_company(name, monkeypatch):
    ask, X, (blocks, size) = CASES[name]()
    values, draws = ask(X)

    def alike(found, at, places=slice(None)):
        for what, own in found[0].items():
            np.testing.assert_allclose(own[places], values[what][at], 1e-8, 1e-10, err_msg=what)
        if draws is not None:
            np.testing.assert_allclose(found[1][places], draws[at], 1e-8)

    for at in (RNG(0).permutation(N), [0], [7], [9, 2], [10]):
        alike(ask(rows_of(X, at)), at)
    twice = ask(rows_of(X, [*range(N), 0]))
    alike(twice, np.arange(N), slice(N))
    if draws is None:
        alike(twice, [0], slice(N, None))
    else:
        (hole,) = np.nonzero(np.ptp(draws[0], axis=0))  # cells that differ from draw to draw
        assert len(hole) and (twice[1][N][:, hole] != draws[0][:, hole]).any(axis=0).all()
    monkeypatch.setattr(blocks, size)
    alike(ask(X), np.arange(N))


def test_a_bar_shows_the_blocks(monkeypatch, capsys):
    ask, X, (blocks, size) = CASES["mixture"]()
    monkeypatch.setattr(blocks, size)
    ask(X, progress=True)
    assert "blocks" in capsys.readouterr().err
