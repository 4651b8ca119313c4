"""Weights are copies: a row with the weight 2 is the row twice. A line in CASES is one more case.

    twice    integer weights are that many copies of the row
    parts    and copies may share its weight
    zero     a row of weight 0 is absent, whatever is in it
    little   and one of hardly any weight nearly so
    scale    only the ratios of weights matter
    count    weights change the answer

A line names the laws that its case does not keep. Where the number of rows matters, as for a prior
or for folds, it is the effective number (sum w)^2 / sum w^2, which is less than that of copies.
"""

from typing import NamedTuple

import numpy as np
import pytest
from support.families import over

import flowcore as fc
from flowcore.conditionals.angles import circular_mean
from flowcore.conditionals.completion import completed
from flowcore.estimator import simple_densities as simple
from flowcore.estimator.candidates import FLOWS
from flowcore.estimator.rows import Fold, Sample, linear_means, near, scaling
from flowcore.estimator.stacking import cross_fitted, mean_and_error, stacked_weights
from flowcore.flows import continuous, maf
from flowcore.mixtures.expectation_maximization import expectation_maximization, whitened
from flowcore.mixtures.incomplete_rows import IncompleteRows, climbed
from flowcore.tables import Kind, Schema, TableDensity, fit_table
from flowcore.tables.categorical import CategoricalMixture
from flowcore.tables.chow_liu_tree import ChowLiuTree
from flowcore.tables.frequencies import Frequencies
from flowcore.tables.latent_classes import LatentClasses
from flowcore.tables.missing_categories import first_codes
from flowcore.tables.normal_scores import normal_scores

pytestmark = [pytest.mark.usefixtures("few_folds"), pytest.mark.filterwarnings("ignore")]
RNG, SIZES = np.random.default_rng, (4, 3)
FULL = {"epochs": 4, "batch_size": None, "validation_split": 0, "learning_rate": 0.01}


def rows_of(n, seed=0):
    x = RNG(seed).normal(size=(n, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    return np.column_stack([x[:, 0], np.exp(1 + x[:, 1] / 2)])


SCHEMA = Schema.from_data(rows_of(150))
AT, CODES = rows_of(9, seed=1), np.indices(SIZES).reshape(2, -1).T
SMALL = {"layers": 1, "hidden": [4]}
QUICK = {"budget": 1e-4, "n_jobs": 1, "random_state": 0}


class Case(NamedTuple):
    """answer(rows, their weights or None) -> arrays; but: the laws it does not keep."""

    answer: object
    but: str = ""
    n: int = 150


def share(w, x):
    return np.full(len(x), 1 / len(x)) if w is None else w / w.sum()


def codes_of(x):
    return np.column_stack([np.digitize(x[:, 0], [-1, 0, 1]), np.digitize(x[:, 1], [2, 4])])


def holes(x):
    return np.where(np.sin(1e3 * x[:, :1] + [0, 3]) > 0.8, np.nan, x)


def log_p(fit):
    return lambda x, w: [fit(x, w).log_prob(AT)]


def mixture(cls, k, of=lambda x: x, n=150, **options):
    return Case(log_p(lambda x, w: cls.from_data(of(x), k, w, **options)), "twice parts", n)


def trained(flow, X, w, fit=fc.fit, **more):
    return fit(flow, X, sample_weight=w, **FULL, **more)[0]


def sample(x, w):
    return Sample(x, None, share(w, x), np.arange(len(x)))


def log_p_of_present(fit):
    """Of rows that lack some numbers."""

    def answer(x, w):
        there = np.isfinite(holes(x)).astype(float)
        own = fit(Sample(x, there, share(w, x), np.arange(len(x))), RNG(0))
        return [own.log_prob(AT, context=np.ones_like(AT))]

    return answer


def estimator(of=lambda x: x, **options):
    """Rows of little weight are rows of folds."""
    learn = fc.FlowDensity(**QUICK, **options)
    return Case(lambda x, w: [learn.fit(of(x), sample_weight=w).score_samples(AT)], "little", 12)


def standard(x, **_):
    return fc.Normal(x.shape[1])


def normal(x, sample_weight=None, **_):
    return NORMAL.from_data(x, 1, sample_weight)


def counts(fit):
    return lambda x, w: [fit(codes_of(x), np.ones(len(x)) if w is None else w).log_prob(CODES)]


categories = counts(lambda c, w: CategoricalMixture.fit(c, SIZES, (True, True), w, RNG(0)))


FAR = np.full((1, 2), 1e9)
NORMAL = fc.MultivariateNormalMixture
CASES = {
    "fit-standardized": Case(log_p(lambda x, w: trained(
        maf(2, **SMALL), x, w)), "little parts"),  # rounding grows in Adam
    "fit-plain": Case(log_p(lambda x, w: trained(maf(2, standardize=False, **SMALL), x, w))),
    "fit-validation": Case(lambda x, w: [fc.fit(
        maf(2, **SMALL), AT, **FULL, validation_data=(x, None, w))[1].val_nll]),
    "fit-context": Case(lambda x, w: [trained(
        maf(1, context_dim=1, **SMALL), x[:, :1], w, context=x[:, 1:]
    ).log_prob(AT[:, :1], context=AT[:, 1:])], "little"),
    "fit-matching": Case(log_p(lambda x, w: trained(
        continuous(2, hidden=[8] * 3, standardize=False), x, w, fc.fit_matching)), "little"),
    "estimator-rows": estimator(),
    "estimator-holes": estimator(holes, missing="learn"),
    "estimator-scale": Case(lambda x, w: [scaling(x, share(w, x)).inverse(AT)]),
    "estimator-near": Case(lambda x, w: near(
        np.vstack([x, FAR, -FAR]), np.append(share(w, x), [0, 0]))[-2:], "twice parts"),
    "estimator-gaussian": Case(log_p(lambda x, w: simple.gaussian(sample(x, w), shrink=False))),
    "estimator-student": Case(log_p(lambda x, w: simple.student(sample(x, w), shrink=False))),
    **{f"estimator-{fit.__name__}": Case(log_p_of_present(fit), but) for fit, but in (
        (simple.gaussian_of_present, "twice parts"), (simple.student_of_present, ""))},
    "estimator-means": Case(lambda x, w: [linear_means(
        Sample(x[:, :1], x[:, 1:], share(w, x), np.arange(len(x)))
    ).inverse(AT[:, :1], context=AT[:, 1:])], "twice parts"),
    "estimator-flow": Case(lambda x, w: [FLOWS["small"].fitted(
        Fold(sample(x, w), sample(AT, None)), 0, [4], 2, 2, True
    ).at(0)[0].log_prob(AT)], "twice parts zero little"),
    "estimator-completed": Case(lambda x, w: [completed(
        holes(x), None, share(w, x), RNG(0)).x], "twice parts zero little"),
    "angles-mean": Case(lambda x, w: [circular_mean(x, share(w, x))]),
    "stacking-weights": Case(lambda x, w: [stacked_weights(-x, w)], "twice parts"),
    "stacking-cross": Case(lambda x, w: [cross_fitted(
        -x, np.arange(len(x)) % 5, share(w, x))], "twice parts zero little"),
    "stacking-error": Case(lambda x, w: [mean_and_error(x[:, 0], share(w, x))[1]], "twice parts"),
    "stacking-score": Case(lambda x, w: [mean_and_error(x[:, 0], share(w, x))[0]]),
    "mixture-normal": mixture(NORMAL, 1, n=12),
    "mixture-normals": mixture(NORMAL, "bic"),
    "mixture-t": mixture(fc.MultivariateTMixture, 2),
    "mixture-normal-holes": mixture(NORMAL, 1, of=holes, missing="learn"),
    "mixture-t-holes": mixture(fc.MultivariateTMixture, 1, of=holes, missing="learn"),
    "mixture-white": Case(lambda x, w: whitened(x, share(w, x), shrink=0)[1:]),
    "mixture-em": Case(lambda x, w: expectation_maximization(
        x, share(w, x), np.ones((len(x), 1)), prior=0, df=3.0)[1][:2], "zero"),
    "mixture-em-holes": Case(lambda x, w: climbed(
        IncompleteRows(holes(x), share(w, x)), (np.zeros((1, 2)), np.eye(2)[None], np.ones(1)),
        np.eye(2), 3.0, prior=0)[1][:2], "zero"),
    "margins": Case(lambda x, w: [fc.Margins.from_data(x, w).inverse(AT)], "twice parts"),
    "table-numbers": Case(log_p(lambda x, w: fit_table(
        x, SCHEMA, learn=standard, sample_weight=w))),
    "table-imputed": Case(log_p(lambda x, w: fc.FlowImputer(
        TableDensity(SCHEMA, standard, missing="drop"), bootstraps=0
    ).fit(holes(x), sample_weight=w).density_), n=300),
    "table-bootstraps": Case(lambda x, w: [fc.FlowImputer(
        TableDensity(SCHEMA, normal, missing="drop"), bootstraps=1
    ).fit(x, sample_weight=w).bootstrapped_[0].log_prob(AT)], "twice parts zero little"),
    "heaps": Case(lambda x, w: [normal_scores(
        7 * np.rint(np.minimum(x[:, 1:], 9))[:, 0], Kind("integer", 1), w
    ).inverse(7 * np.rint(AT[:, 1:]))], "twice parts"),
    "categories-open": Case(counts(lambda c, w: Frequencies.fit(
        c, SIZES, (False, False), w)), "twice parts scale little", 40),
    "categories-counts": Case(counts(
        lambda c, w: Frequencies.fit(c, SIZES, (True, True), w)), "scale"),
    "categories-tree": Case(counts(
        lambda c, w: ChowLiuTree.fit(c, SIZES, np.zeros(2), w)), "scale"),
    "categories-classes": Case(counts(
        lambda c, w: LatentClasses.fit(c, SIZES, np.zeros(2), w, 2, RNG(0))), "scale"),
    "categories-mixture": Case(categories, "twice parts zero little"),
    "categories-few": Case(categories, "twice parts", 40),
    "categories-unknown": Case(lambda x, w: [first_codes(
        np.where(holes(x) == x, codes_of(x), -1), SIZES, x, w, RNG(0))], "twice parts zero little"),
}  # fmt: skip
JUNK, WILD = rows_of(9, seed=2) - [3, 9], np.vstack([AT[:3], [0.0, 1e300]])
LAWS = {  # of rows and weights: others that are worth the same, and a tolerance
    "twice": lambda x, w: (np.repeat(x, w, axis=0), None, 1e-8),
    "parts": lambda x, w: (np.repeat(x, 2, axis=0), np.outer(w, [0.25, 0.75]).ravel(), 1e-8),
    "zero": lambda x, w: (np.vstack([WILD, x]), np.append(np.zeros(4), w), 1e-8),
    "little": lambda x, w: (np.vstack([JUNK, x]), np.append(np.full(9, 1e-310), w), 1e-5),
    "scale": lambda x, w: (x, 1e-3 * w, 1e-8),
}


@over(CASES)
def test_weights_are_copies_of_rows(name):
    answer, but, n = CASES[name]
    x, w = rows_of(n), RNG(3).integers(1, 4, n)
    expected = answer(x, w)
    for law in LAWS.keys() - but.split():
        rows, weights, tol = LAWS[law](x, w)
        for one, other in zip(answer(rows, weights), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=tol, atol=tol, err_msg=law)
    apart = zip(answer(x, None), expected, strict=True)
    assert any(np.abs(np.subtract(*each)).max() > 1e-6 for each in apart)
