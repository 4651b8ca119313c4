"""Rows of hardly any weight might as well not be there. A line in LEARNERS is one more case."""

import numpy as np
from support.families import over

import flowcore as fc
from flowcore.estimator.rows import Sample, linear_means
from flowcore.estimator.stacking import cross_fitted
from flowcore.tables import TableDensity
from flowcore.tables.frequencies import Frequencies

N = 60
FACTOR = [[1.0, 0.8], [0.0, 0.6]]
X = np.random.default_rng(0).exponential(size=(N, 2)) @ FACTOR + [9, 0]
FAR = X[:, ::-1] * [1, -1] + [0, 90]  # other means, other slopes, another candidate

# what is learned of rows x with weights w, as numbers


def matched(x, w):
    """The means of draws."""
    flow = fc.flows.continuous(2, hidden=[8] * 3, standardize=False)
    flow, _ = fc.fit_matching(flow, x, sample_weight=w, epochs=20, learning_rate=0.01, rng=0)
    return flow.sample(1000, rng=0).mean(axis=0)


def margins(x, w):
    found = fc.Margins.from_data(x, w)
    return [found.loc, found.scale, found.skewness, found.tails]


def mean_given(x, w):
    """That of column 1, by ridge regression on column 0."""
    rows = Sample(x[:, 1:], x[:, :1], w / w.sum(), np.arange(len(x)))
    return linear_means(rows).forward(np.zeros((N, 1)), context=X[:, :1])


def stacked(x, w):
    """log p of rows whose columns are the log-densities of two candidates."""
    return cross_fitted(x / 9, np.arange(len(x)) % 5, w)[:N]


def shares(x, w):
    """Of categories, the last one for those that were not seen."""
    codes = np.where(x[:, 1] > 9, np.arange(len(x)) % N, N)
    return Frequencies.fit(codes, [N + 1], [False], w).of_column(0)[-1:]


def normal(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1, sample_weight)


def imputed(x, w):
    """Cells that are missing in every tenth row, by a bootstrap of the density."""
    x = np.column_stack([x[:, 0], np.where(np.arange(len(x)) % 10, x[:, 1], np.nan)])
    density = TableDensity(learn=normal, missing="drop")
    imputer = fc.FlowImputer(density, bootstraps=1).fit(x, sample_weight=w)
    return np.mean(imputer.sample(200), axis=0)[:N:10, 1]


LEARNERS = {  # the weight of the rows that do not count, the tolerance
    "fit_matching": (matched, 1e-9, 0.2),
    "Margins": (margins, 1e-12, 1e-4),
    "linear means": (mean_given, 1e-9, 0.05),
    "stacking": (stacked, 1e-9, 0.02),
    "normal mixture": (lambda x, w: normal(x, sample_weight=w).log_prob(X), 1e-12, 0.2),
    "categories": (shares, 0.0, 1e-12),
    "FlowImputer": (imputed, 1e-12, 1.0),
}


@over([(name, *case) for name, case in LEARNERS.items()])
def test_rows_of_hardly_any_weight_do_not_count(name, learn, light, tol):
    both = learn(np.concatenate([X, FAR]), np.repeat([1.0, light], N))
    np.testing.assert_allclose(both, learn(X, np.ones(N)), atol=tol, rtol=0)
