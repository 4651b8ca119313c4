"""The caller's arrays are read only, and not needed afterwards; a seed of the caller's decides.

A line in HELD, or in SEEDED, is one more case.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from support.families import over
from support.oracles import cases

import flowcore as fc
from flowcore import flows, targets
from flowcore.tables import Schema, TableDensity, fit_table
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

# (arrays by name, what is made of them): a function that returns answers, again and again


def rows_of(n=60, dim=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def with_holes(n=80):
    x = rows_of(n, 2) @ [[1.0, 0.8], [0.0, 0.6]]
    x[::5, 1] = np.nan
    return x


def gaussian(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1)


AT = rows_of(5, 2, seed=1)
SMALL = dict(layers=1, hidden=[4])
SPLINE = dict(layers=2, hidden=[8], bins=4, base="normal", standardize=False)
RESIDUAL = dict(hidden=[8] * 3, residual=True, standardize=False)
QUICKLY = dict(budget=1e-4, n_jobs=1, random_state=0)


def log_prob_of(density):
    return lambda: [density.log_prob(AT), density.sample(3, rng=0)]


def made(make, **arrays):
    """A density that is made of arrays."""
    return arrays, lambda a: log_prob_of(make(**a))


def mapped(make, **arrays):
    """A bijector that is made of arrays."""
    return made(lambda **a: fc.TransformedDistribution(fc.Normal(2), make(**a)), **arrays)


def fitted_flow(a):
    flow, _ = fc.fit(flows.maf(2, context_dim=1, **SMALL), epochs=1, rng=0, **a)
    return lambda: [flow.log_prob(AT, context=AT[:, :1])]


def fitted_density(a):
    model = fc.FlowDensity("small", **QUICKLY).fit(**a)
    given = model.conditionals_.given({0: 0.3}, n_draws=100)
    return lambda: [
        model.score_samples(AT), model.held_out_scores_, given.log_prob(AT[:, :1]),
        model.conditionals_.impute([[0.1, np.nan]], n=2, rng=0).draws,
    ]  # fmt: skip


def fitted_with_holes(a):
    model = fc.FlowDensity("small", missing="learn", **QUICKLY).fit(**a)
    return lambda: [model.score_samples(AT), model.held_out_scores_]


def fitted_table(a):
    model = fit_table(a, Schema.from_data(a).edit(n="integer(0)"), learn=gaussian)
    at = {"n": np.array([1, 2]), "x": np.array([0.1, 0.2]), "c": np.array(["a", "b"])}
    return lambda: [
        model.log_prob(at), model.sample(3, rng=0, margins="table")["x"],
        model.given({"n": 1}, n_draws=100).log_prob({"x": at["x"], "c": at["c"]}),
    ]  # fmt: skip


def fitted_imputer(a):
    learn = TableDensity(learn=gaussian, missing="drop")
    model = fc.FlowImputer(learn, bootstraps=1, n_draws=50).fit(a["X"])

    def drawn():
        tables = model.sample(2, rng=0)
        found = [*map(np.array, tables)]
        tables[0][:] = -1.0  # a completed table is the caller's own
        np.testing.assert_array_equal(tables[1], found[1])
        return found

    return drawn


def transforming_imputer(a):
    learn = TableDensity(learn=gaussian, missing="drop")
    model, new = fc.FlowImputer(learn, bootstraps=0, n_draws=50).fit(a["X"]), with_holes(5)
    return lambda: [model.transform(new)]


def judged(a):
    report = fc.diagnose(fc.Normal(2), a["held_out"], a["train"], draws=1000, rng=0)
    return lambda: [np.array([f.effect for f in report.findings], float)]


def with_evidence(a):
    return lambda: [np.array(fc.evidence(a["samples"], fc.Normal(2).log_prob, epochs=1, rng=0))]


PROPOSAL = fc.MultivariateTMixture(np.zeros((1, 2)), np.eye(2)[None], df=5.0)
WORDS = np.array([*"aabab"] * 12)
SCALE, FACTORS = np.array([1.0, 2.0]), np.array([np.eye(2), [[1.0, 0.0], [0.5, 0.8]]])
HELD = {
    "Normal diag": made(fc.MultivariateNormalDiag, loc=AT[0], scale_diag=SCALE),
    "Uniform": made(lambda low, high: fc.Uniform(2, low, high), low=-AT[0] - 9, high=AT[0] + 9),
    "Laplace": made(lambda loc, scale: fc.Laplace(2, loc, scale), loc=AT[0], scale=SCALE),
    "StudentT": made(lambda df: fc.StudentT(2, df), df=np.array([2.0, 5.0])),
    "VonMises": made(fc.VonMises, loc=AT[0], concentration=np.array([1.0, 2.0])),
    "GaussianMixture": made(fc.GaussianMixture, means=AT, scales=np.ones((5, 2)),
                            weights=np.full(5, 0.2)),
    "NormalMixture": made(fc.MultivariateNormalMixture, means=AT[:2], scale_tril=FACTORS,
                          weights=np.array([0.3, 0.7])),
    "TMixture": made(fc.MultivariateTMixture, means=AT[:2], scale_tril=FACTORS,
                     weights=np.array([0.3, 0.7])),
    "Mixture": made(lambda weights: fc.Mixture([fc.Normal(2), fc.Laplace(2)], weights),
                    weights=np.array([0.3, 0.7])),
    "from_data": made(lambda X: fc.MultivariateNormalMixture.from_data(X, 2), X=rows_of()),
    "target": made(lambda covariance: targets.correlated_gaussian(covariance=covariance),
                   covariance=np.array([[2.0, 0.3], [0.3, 1.0]])),
    "Standardize": mapped(lambda X: fc.Standardize.from_data(X), X=rows_of()),
    "ElementwiseAffine": mapped(fc.ElementwiseAffine, loc=AT[0], scale=np.array([1.0, -2.0])),
    "SinhArcsinh": mapped(lambda s, t: fc.SinhArcsinh(2, s, t), s=AT[0], t=np.array([0.5, 1.0])),
    "Permute": mapped(fc.Permute, permutation=np.array([1, 0])),
    "LULinear": mapped(lambda p, s: fc.LULinear(2, p, signs=s), p=np.array([1, 0]),
                       s=np.array([1, -1])),
    "with_params": mapped(lambda theta: fc.LULinear(2).with_params(theta),
                          theta=np.linspace(0.1, 0.5, fc.LULinear(2).n_params)),
    "bounded": made(lambda low, high: randomize(flows.nsf(2, bounded=(low, high), **SPLINE), 0.3),
                    low=np.array([-9.0, -np.inf]), high=np.array([9.0, np.inf])),
    "fit": (dict(X=rows_of(), context=rows_of(60, 1), sample_weight=np.linspace(1, 2, 60)),
            fitted_flow),
    "fit of repeated rows": (dict(X=np.repeat(rows_of(30), 2, axis=0), context=np.repeat(
        rows_of(30, 1), 2, axis=0)), fitted_flow),
    "fit_matching": (dict(X=rows_of()), lambda a: log_prob_of(
        fc.fit_matching(flows.continuous(2, **RESIDUAL), epochs=1, rng=0, **a)[0])),
    "fit of angles": (dict(X=rows_of()), lambda a: log_prob_of(
        fc.fit(flows.nsf(2, circular=[0], **SMALL), epochs=1, rng=0, **a)[0])),
    "FlowDensity": (dict(X=rows_of(), sample_weight=np.linspace(1, 2, 60)), fitted_density),
    "FlowDensity with holes": (dict(X=with_holes()), fitted_with_holes),
    "fit_table": (dict(n=np.arange(60) % 4, x=rows_of()[:, 0], c=WORDS), fitted_table),
    "FlowImputer.sample": (dict(X=with_holes()), fitted_imputer),
    "FlowImputer.transform": (dict(X=with_holes()), transforming_imputer),
    "diagnose": (dict(held_out=rows_of(100), train=rows_of(100, seed=2)), judged),
    "evidence": (dict(samples=rows_of(200)), with_evidence),
}  # fmt: skip
TRIO = fc.Conditionals(randomize(flows.maf(3, standardize=False, **SMALL), 0.5))
ONE_KNOWN = [[0.5, np.nan, np.nan]]
PLAIN = flows.maf(2, standardize=False, **SMALL)
WHOLE = dict(epochs=1, batch_size=None, validation_split=0, shuffle=False)
SEEDED = {  # functions of a seed
    "GaussianMixture.from_data": lambda rng: fc.GaussianMixture.from_data(rows_of(), 5, rng).params,
    "GaussianMixture.spread": lambda rng: fc.GaussianMixture.spread(3, 2, rng).params,
    "MADE": lambda rng: fc.MADE(2, [4], rng=rng).params,
    "Coupling": lambda rng: fc.Coupling(2, hidden=[4], rng=rng).params,
    "LULinear": lambda rng: fc.LULinear(9, rng=rng).permutation,
    "Planar": lambda rng: fc.Planar(2, rng=rng).params,
    "randomize": lambda rng: randomize(fc.LULinear(2), rng=rng).params,
    "flows.maf": lambda rng: flows.maf(2, rng=rng, **SMALL).params,
    "flows.continuous": lambda rng: flows.continuous(2, rng=rng, hidden=[4] * 3).params,
    "fit": lambda rng: fc.fit(flows.maf(2, **SMALL), rows_of(), epochs=1, rng=rng)[0].params,
    "fit with noise alone": lambda rng: (
        fc.fit(PLAIN, rows_of(), noise=1.0, rng=rng, **WHOLE)[1].train_nll
    ),
    "fit of draws": lambda rng: (
        fc.fit(PLAIN, lambda n, rng: rng.normal(size=(n, 2)), steps=1, rng=rng)[1].train_nll
    ),
    "fit_matching": lambda rng: (
        fc.fit_matching(flows.continuous(2, hidden=[4] * 3), rows_of(), rng=rng, **WHOLE)[
            1
        ].train_nll
    ),
    "MultivariateNormalMixture.from_data": lambda rng: (
        fc.MultivariateNormalMixture.from_data(rows_of(), 5, rng=rng).means
    ),
    "Conditionals.log_prob": lambda rng: TRIO.log_prob(ONE_KNOWN, rng=rng).log_p,
    "Conditionals.impute": lambda rng: TRIO.impute(ONE_KNOWN, n=2, rng=rng).draws,
    "Conditional.sample": lambda rng: TRIO.given({0: 0.5}).sample(3, rng),
    "Conditional.log_marginal": lambda rng: TRIO.given({0: 0.5}, rng=rng).log_marginal,
    "Marginal.estimate": lambda rng: TRIO.marginal([0]).estimate([[0.5]], rng=rng).log_p,
    "Marginal.sample": lambda rng: TRIO.marginal([0]).sample(3, rng),
    "kl_to_truth": lambda rng: fc.kl_to_truth(fc.Laplace(2), fc.Normal(2), 50, rng),
    "stray_mass": lambda rng: fc.stray_mass(fc.Laplace(2), fc.Normal(2), n=500, rng=rng),
}
HELD_LONG = ["FlowDensity", "FlowDensity with holes", "FlowImputer.transform", "diagnose"]
USED_LATER = ["evidence"]  # its arrays are arguments of the answer itself


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", cases(HELD, HELD_LONG))
def test_arrays_are_read_only_and_not_needed_afterwards(name):
    arrays, use = HELD[name]
    arrays = {key: np.array(values) for key, values in arrays.items()}
    before = {key: values.copy() for key, values in arrays.items()}
    for values in arrays.values():
        values.flags.writeable = False
    answers = use(arrays)
    first = [np.array(found) for found in answers()]
    for key, values in arrays.items():
        np.testing.assert_array_equal(values, before[key])
        values.flags.writeable = True
        if name not in USED_LATER:
            values[...] = values[:1] if values.dtype.kind == "U" else 0
    for found, expected in zip(answers(), first, strict=True):
        np.testing.assert_array_equal(found, expected)


FRAME = pd.DataFrame(rows_of(60, 3), columns=["a", "b", "c"])
OTHER = with_holes(60) * 9 + 50
AGAIN = {  # an estimator, the arguments of an earlier fit, those of the last one, its answers
    "FlowDensity": (
        fc.FlowDensity("small", missing="learn", **QUICKLY),
        {"X": FRAME[["a", "b"]], "context": FRAME[["c"]], "sample_weight": 1 + np.arange(60)},
        {"X": OTHER},
        lambda own: [own.score_samples(OTHER[1:5]), own.sample(3, 0), own.impute(OTHER, 2).draws,
                     own.given({0: 50.0}).mean(), own.posterior(OTHER[1:5], 1).mean(),
                     own.explain(OTHER[1:5]).gains, own.transform(OTHER[1:5])],
    ),
    "TableDensity": (
        TableDensity(learn=gaussian, missing="drop"),
        {"X": FRAME.assign(c=WORDS), "sample_weight": 1 + np.arange(60)}, {"X": OTHER},
        lambda own: [own.log_prob(OTHER), own.impute(OTHER, 2).tables[0],
                     own.given({0: 50.0}).mean()[1], own.explain(OTHER[1:5]).gains],
    ),
    "FlowImputer": (
        fc.FlowImputer(TableDensity(learn=gaussian, missing="drop"), bootstraps=1, n_draws=50),
        {"X": FRAME.assign(c=WORDS)}, {"X": OTHER},
        lambda own: [own.transform(OTHER), *own.sample(2, rng=0)],
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@over(AGAIN)
def test_a_second_fit_leaves_nothing_of_the_first(name):
    estimator, first, last, answers = AGAIN[name]
    used, new = clone(estimator).fit(**first), clone(estimator).fit(**last)
    if name == "FlowDensity":
        used.given({"a": 0.0}, context=[0.5])
    used.fit(**last)
    for one, other in zip(answers(used), answers(new), strict=True):
        np.testing.assert_array_equal(one, other)
    assert vars(used).keys() == vars(new).keys()


@over(SEEDED.items())
def test_a_seed_decides(name, answer):
    first, same, other = (answer(rng) for rng in (0, np.random.default_rng(0), 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
