"""Mixtures and densities of rows with holes: exact EM, marginals as scores, what it is worth."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.covariance import oas

import flowcore as fc
from flowcore.conditionals.completion import completed
from flowcore.core import until
from flowcore.estimator.candidates import FLOWS, evaluated, log_prob, simple_candidates
from flowcore.estimator.rows import Fold, Sample
from flowcore.mixtures import expectation_maximization as em
from flowcore.mixtures.expectation_maximization import shrunk
from flowcore.mixtures.incomplete_rows import (
    IncompleteRows,
    Sums,
    climbed,
    expectations,
    log_profile,
)

pytestmark = pytest.mark.usefixtures("few_folds")
QUICK = {"budget": 1e-3, "n_jobs": 1, "random_state": 0, "missing": "learn"}
MIXTURES = {"normal": fc.MultivariateNormalMixture, "t": fc.MultivariateTMixture}


def mixture(kind="normal", dim=4, seed=0):
    """A random one of two components."""
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(2, dim, dim))) + 2 * np.eye(dim)
    factors = np.tril(factors) * np.sign(np.diagonal(factors, axis1=1, axis2=2))[:, None]
    return MIXTURES[kind](3 * rng.normal(size=(2, dim)), factors, [0.6, 0.4])


def with_holes(x, share=0.3, seed=0):
    """x with NaN in that share of its cells; every row knows something."""
    rng = np.random.default_rng(seed)
    hole = rng.random(x.shape) < share
    hole[np.arange(len(x)), rng.integers(x.shape[1], size=len(x))] = False
    return np.where(hole, np.nan, x)


def log_known(p, x):
    """log p(x_a) of each row, one after the other."""
    return np.array(
        [p.marginal(np.flatnonzero(s)).log_prob(r[s]) for r, s in zip(x, ~np.isnan(x), strict=True)]
    )


# ---------------------------------------------------------------- EM


@pytest.mark.parametrize("kind", MIXTURES)
def test_expectations_are_those_of_exact_conditionals(kind):
    p, df = mixture(kind), 5.0 if kind == "t" else np.inf
    x = with_holes(p.sample(40, rng=1), 0.4)
    rows = IncompleteRows(x, np.full(40, 1 / 40))
    found = p.means, p.scale_tril, p.weights
    ((_, expected),) = expectations(rows, found, df)
    x = x[rows.order]
    assert np.allclose(expected.value, log_known(p, x), atol=1e-10)
    left = expected.residuals[expected.which]
    for n in np.flatnonzero(np.isnan(x).any(axis=1)):
        hole, row = np.isnan(x[n]), x[n]
        for k in range(2):
            alone = type(p)(p.means[[k]], p.scale_tril[[k]])
            given = alone.given(row)
            assert np.allclose(expected.x[n, k][hole], given.means[0])
            assert np.array_equal(expected.x[n, k][~hole], row[~hole])
            # of a t density the conditional matrix is that of Gaussians, divided by the precision,
            # times (df + a) / (df + a): see `EllipticalMixture`
            own = (
                given.covariances[0]
                if kind == "normal"
                else given.scale_tril[0] @ given.scale_tril[0].T
            )
            assert np.allclose(left[n, k][np.ix_(hole, hole)], own * expected.precision[n, k])


@pytest.mark.parametrize("df", [np.inf, 5.0])
def test_no_step_of_em_is_worse_and_the_end_is_a_maximum(df):
    x = with_holes(mixture(dim=2).sample(300, rng=3))
    x = (x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    rows, reached = IncompleteRows(x, np.full(300, 1 / 300)), []
    found = np.zeros((1, 2)), np.eye(2)[None], np.ones(1)
    for _ in range(60):
        sums, total = Sums(1, rows), 0.0
        for here, expected in expectations(rows, found, df):
            total += rows.weight[here] @ expected.value
            sums.add(here, expected)
        reached.append(total)
        found = sums.maximized(1e-9 * np.eye(2))
    # the prior has two imagined rows at the mean, without a spread
    assert np.diff(reached).min() > -1e-4 and reached[-1] > reached[0]

    def loss(theta):
        factor = np.array([[np.exp(theta[2]), 0], [theta[3], np.exp(theta[4])]])
        p = multivariate_normal if df == np.inf else multivariate_t
        scale, total = factor @ factor.T, 0.0
        for pattern in np.unique(rows.seen, axis=0):
            here = x[(~np.isnan(x) == pattern).all(axis=1)][:, pattern]
            own = theta[:2][pattern], scale[np.ix_(pattern, pattern)]
            total -= np.sum(p.logpdf(here, *own, *[df] * (df < np.inf)))
        # what the imagined rows add
        return total + 2 * (theta[2] + theta[4])

    best = minimize(loss, np.zeros(5), method="BFGS")
    assert np.allclose(found[0][0], best.x[:2], atol=2e-3)
    factor = np.array([[np.exp(best.x[2]), 0], [best.x[3], np.exp(best.x[4])]])
    assert np.allclose(found[1][0], factor, atol=5e-3)


@pytest.mark.parametrize("kind", MIXTURES)
def test_holes_cost_less_than_dropped_rows_and_filled_means(kind):
    p = mixture(kind, dim=6)
    x, fresh = p.sample(600, rng=1), p.sample(2000, rng=2)
    holes, fit = with_holes(x), MIXTURES[kind].from_data

    def gap(found):
        return (p.log_prob(fresh) - found.log_prob(fresh)).mean()

    learned = gap(fit(holes, missing="learn"))
    complete, dropped = gap(fit(x)), gap(fit(holes[~np.isnan(holes).any(axis=1)]))
    filled = gap(fit(np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)))
    assert complete < learned < complete + 0.4 * (dropped - complete)
    assert learned < filled - 0.3


@pytest.mark.parametrize("kind, n, within", [("normal", 77, 0.005), ("normal", 1000, 0.002),
                                             ("t", 300, 0.01)])  # fmt: skip
def test_holes_move_no_correlation(kind, n, within):
    """The slope is that of least squares on the complete rows, as y alone has holes."""
    p = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0], [0.8, 0.6]]])
    apart = []
    for seed in range(20):
        x = p.sample(n, rng=seed)
        x[np.random.default_rng(seed).random(n) < 1 / (1 + np.exp(-1.5 * x[:, 0])), 1] = np.nan
        factor = MIXTURES[kind].from_data(x, 1, missing="learn").scale_tril[0]
        least = np.polyfit(*x[~np.isnan(x[:, 1])].T, 1)[0]
        apart.append(factor[1, 0] / factor[0, 0] - least)
    assert abs(np.mean(apart)) < within


def test_columns_that_are_never_seen_together_stay_independent():
    x = np.random.default_rng(0).normal(size=(400, 2))
    x[:200, 0] = x[200:, 1] = np.nan
    for rows in (x, np.vstack([x, [[1.0, 1.1], [-1.0, -0.9]]])):  # and two rows decide nothing
        p = fc.MultivariateNormalMixture.from_data(rows, 1, missing="learn")
        assert abs(np.corrcoef(p.sample(5000, rng=0).T)[0, 1]) < 0.6


def test_rows_that_know_nothing_are_left_out():
    x, fit = with_holes(mixture(dim=3).sample(200, rng=0)), fc.MultivariateTMixture.from_data
    more = fit(np.vstack([x, np.full((5, 3), np.nan)]), 2, missing="learn")
    np.testing.assert_array_equal(more.means, fit(x, 2, missing="learn").means)


# ---------------------------------------------------------------- draws and weights


def draws_of(x):
    return completed(x, None, np.full(len(x), 1 / len(x)), np.random.default_rng(0))


def test_scores_of_rows_with_holes_are_their_marginals():
    p = mixture(dim=3)
    x = with_holes(p.sample(150, rng=0))
    drawn, complete = draws_of(x), ~np.isnan(x).any(axis=1)
    assert np.array_equal(drawn.x[complete][:, 0], x[complete])
    score = drawn.log_marginal(evaluated(p), None)
    truth = log_known(p, x)
    assert np.abs(score - truth).mean() < 0.1 and abs((score - truth).mean()) < 0.03
    assert np.array_equal(complete, ~drawn.hole)
    assert np.allclose(score[complete], p.log_prob(x[complete]))


def test_resampled_copies_are_draws_of_the_density():
    seen = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0], [0.8, 0.6]]])
    other = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0], [0.2, 0.5]]])
    x = seen.sample(2000, rng=0)
    x[:1500, 1] = np.nan
    first = draws_of(x)
    drawn = first.resampled(evaluated(other), None, np.random.default_rng(1))
    covariances = [np.mean(d.copies[:1500, :, 0] * d.copies[:1500, :, 1]) for d in (first, drawn)]
    assert np.allclose(covariances, [0.8, 0.2], atol=0.1)
    assert np.array_equal(drawn.copies[1500:], first.copies[1500:])


def test_complete_rows_are_there_once():
    x = with_holes(mixture(dim=2).sample(100, rng=0), 0.2)
    drawn, weight = draws_of(x), np.full(100, 1 / 100)
    rows = Sample(drawn.copies[:, 0], None, weight, np.arange(100), drawn).take(np.arange(100) < 60)
    copies, hole = rows.completed(), np.isnan(x[:60]).any(axis=1)
    m = rows.drawn.copies.shape[1]
    assert len(copies) == (~hole).sum() + m * hole.sum() and copies.times == len(copies) / 60
    assert np.isclose(copies.weight.sum(), 1)
    assert np.allclose(np.bincount(copies.place, copies.weight)[:60], 1 / 60)


@pytest.mark.parametrize("width", [0, 1], ids=["no context", "context"])
def test_candidates_score_rows_with_holes_by_their_own_density(width):
    """Also those that are fitted to the rows' margins, or to rows less means given the context."""
    rng = np.random.default_rng(0)
    context = rng.normal(size=(150, width)) if width else None
    x = with_holes(np.exp(mixture(dim=2).sample(150, rng=0) / 3))
    x = x + (2 * context if width else 0)
    weight, held_out = np.full(150, 1 / 150), np.arange(150) < 50
    drawn = completed(x, context, weight, rng)
    rows = Sample(drawn.copies[:, 0], context, weight, np.arange(150), drawn)
    fold = Fold(rows.take(~held_out).completed(), rows.take(held_out))
    fits = [one.fitted(fold, 0) for one in simple_candidates([2], 100, 2)[0]]
    fits += [FLOWS["margins"].fitted(fold, 0, [2], 1, 2, True)]
    for fit in fits:
        density, log_p = fit.at(0)
        np.testing.assert_allclose(log_p, log_prob(density, fold.held_out), atol=1e-3)


# ---------------------------------------------------------------- FlowDensity


def test_a_density_of_rows_with_holes():
    truth = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0], [0.9, 0.4]]])
    unit, start = np.array([100.0, 0.01]), np.array([5.0, 3.0])
    x = with_holes(truth.sample(350, rng=0) * unit + start)
    x[7] = np.nan
    weight = 1 + np.arange(350) % 3
    found = fc.FlowDensity("small", **QUICK).fit(x, sample_weight=weight)
    fresh = truth.sample(1000, rng=1)
    score = found.score(fresh * unit + start) + np.log(unit).sum()
    assert truth.log_prob(fresh).mean() - score < 0.2
    # what it scores is log p(x_a), of held-out rows
    scores = found.held_out_scores_
    assert np.isnan(scores[7]) and np.isfinite(np.delete(scores, 7)).all()
    known = fc.Conditionals(found.density_).log_prob(np.delete(x, 7, axis=0)).log_p
    assert np.abs(np.delete(scores, 7) - known).mean() < 0.2
    mean = np.average(np.delete(scores, 7), weights=np.delete(weight, 7))
    assert found.summary_.density.score == pytest.approx(mean)


def test_learning_from_complete_rows_is_what_it_was():
    x = fc.targets.two_moons(noise=0.1).sample(80, rng=0)
    one, other = (
        fc.FlowDensity("small", **QUICK | {"missing": m}).fit(x) for m in ("learn", "error")
    )
    assert np.array_equal(one.score_samples(x), other.score_samples(x))
    assert one.summary_ == other.summary_


def test_a_context_completes_rows_and_a_file_keeps_the_option(tmp_path):
    rng = np.random.default_rng(0)
    c = np.column_stack([rng.normal(size=200), np.ones(200)])
    x = c[:, [0]] + 0.3 * rng.normal(size=(200, 2))
    found = fc.FlowDensity("small", **QUICK).fit(with_holes(x, 0.4), context=c)
    assert found.score(x, context=c) > found.score(x[::-1], context=c) + 1
    fc.save(found, tmp_path / "holes.npz")
    assert fc.load(tmp_path / "holes.npz").missing == "learn"


@pytest.mark.parametrize("kind", MIXTURES)
def test_one_hole_hardly_changes_the_components_of_few_rows(kind):
    """Whose pseudo-rows have the strong correlations of all rows, in units that are not white."""
    x = (
        np.random.default_rng(0).normal(size=(24, 3))
        @ np.linalg.cholesky(0.97 + 0.03 * np.eye(3)).T
    )
    x[:12] += 6
    one = np.where(np.arange(72).reshape(24, 3) == 2, np.nan, x)
    found = [MIXTURES[kind].from_data(rows, 2, missing="learn") for rows in (x, one)]
    assert abs(np.diff([np.linalg.slogdet(p.scale_tril)[1].sum() for p in found])) < 0.5


# ---------------------------------------------------------------- bad input


X = mixture(dim=3).sample(30, rng=0)
NEVER_SEEN = np.where([False, True, False], np.nan, X)
CONSTANT = with_holes(np.where([False, True, False], 4.0, X))
BAD = {
    "a column without a value": (NEVER_SEEN, "X has no value in column 1"),
    "with names": (pd.DataFrame(NEVER_SEEN, columns=["a", "b", "c"]), "column 1 'b'"),
    "a constant, as far as it is seen": (CONSTANT, "X is constant in column 1"),
    "or has weight": (np.vstack([CONSTANT, X]), "X is constant in column 1"),
    "infinite": (np.vstack([[1.0, np.nan, -np.inf], X[1:]]), "infinite"),
}


@pytest.mark.parametrize("x, message", BAD.values(), ids=BAD)
def test_columns_that_cannot_be_learned(x, message):
    for fit in (fc.FlowDensity(**QUICK).fit, MIXTURES["t"].from_data):
        options = {} if fit.__name__ == "fit" else {"missing": "learn"}
        with pytest.raises(ValueError, match=message):
            fit(x, sample_weight=1.0 * (np.arange(len(x)) < 30), **options)


def test_options_that_do_not_exist_and_holes_without_the_option():
    holes, drop = with_holes(X), {"missing": "drop"}
    for fit, x, message in (
        (fc.FlowDensity(**QUICK | drop).fit, X, "one of 'error', 'learn': got 'drop'"),
        (partial(MIXTURES["t"].from_data, **drop), holes, "one of 'error', 'learn': got 'drop'"),
        (fc.FlowDensity().fit, holes, r"NaN or infinite .* in rows .* or pass missing='learn'"),
        (fc.FlowDensity(**QUICK).fit, np.where(np.isnan(holes), np.inf, holes), "infinite"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(x)


def test_blocks_change_nothing(monkeypatch):
    x = with_holes(mixture().sample(200, rng=4), 0.4)
    options = {"n_components": 2, "rng": 0, "missing": "learn"}
    whole = fc.MultivariateNormalMixture.from_data(x, **options)
    monkeypatch.setattr("flowcore.mixtures.incomplete_rows.BLOCK", 500)
    blocks = fc.MultivariateNormalMixture.from_data(x, **options)
    assert blocks.means == pytest.approx(whole.means, rel=1e-8)
    assert blocks.scale_tril == pytest.approx(whole.scale_tril, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("unit", [1e-200, 1e200, np.array([1e-8, 1.0, 1e9, 1.0])])
def test_units_do_not_matter(unit):
    x = with_holes(mixture().sample(200, rng=4), 0.3)
    options = {"n_components": 1, "missing": "learn"}
    plain = fc.MultivariateNormalMixture.from_data(x, **options)
    scaled = fc.MultivariateNormalMixture.from_data(unit * x, **options)
    assert scaled.means / unit == pytest.approx(plain.means, rel=1e-8)
    assert scaled.scale_tril[0] / np.reshape(unit, (-1, 1)) == pytest.approx(plain.scale_tril[0])


def test_em_keeps_to_the_clock():
    """EM ends with its best after the step in which the time is over."""
    x = with_holes(mixture().sample(300, rng=4), 0.3)
    rows = IncompleteRows((x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0), np.full(300, 1 / 300))
    start = np.zeros((1, 4)), np.eye(4)[None], np.ones(1)
    with until(0.0):
        value, found = climbed(rows, start, np.eye(4), np.inf)
    assert np.isfinite(value)
    assert not np.array_equal(found[1][0], np.eye(4))


def test_a_column_that_is_rarely_seen_is_learned_from_all_its_rows(monkeypatch):
    monkeypatch.setattr("flowcore.conditionals.completion.MOST_ROWS", 300)
    z = np.random.default_rng(5).standard_normal((3000, 3))
    truth = z @ [1, 1, 0.1]
    x = np.c_[z[:, :2], np.where(np.arange(3000) < 40, truth, np.nan)]
    found = draws_of(x).copies[:, 0, 2]
    assert np.corrcoef(found[40:], truth[40:])[0, 1] > 0.98


@pytest.mark.parametrize("a", [1, 4])
def test_the_profile_of_a_columns(a):
    """log g of a columns at the squared length r^2: the log-density at a point this far out."""
    r = np.array([0.0, 0.7, 30.0])
    x, a_of_rows = np.outer(r, np.eye(a)[0]), np.full(3, a)
    t, normal = multivariate_t(np.zeros(a), df=3.0), multivariate_normal(np.zeros(a))
    assert np.allclose(log_profile(r**2, a_of_rows, 3.0), t.logpdf(x), rtol=1e-12)
    assert np.allclose(log_profile(r**2, a_of_rows, np.inf), normal.logpdf(x), rtol=1e-12)


def test_shrinkage_is_that_of_scikit_learn():
    x = np.random.default_rng(0).normal(size=(12, 5)) @ np.tril(np.ones((5, 5)))
    for unit in (1.0, 1e120):  # whose square no float holds
        own = shrunk(unit * (x.T @ x / 12), 12)
        assert np.allclose(own / unit, oas(x, assume_centered=True)[0], rtol=1e-12)
    assert not shrunk(np.zeros((3, 3)), 12).any()  # of rows that are all equal


@pytest.mark.parametrize("df", [np.inf, 4.0])
@pytest.mark.parametrize("beside", [False, True])
def test_two_steps_of_em_are_those_of_the_textbook(df, beside, monkeypatch):
    """With the log-densities of a model of other data, which is fitted to the shares."""
    rng = np.random.default_rng(0)
    x, weight, k = rng.normal(size=(60, 2)), rng.dirichlet(np.ones(60)), 3
    share, other = rng.dirichlet(np.ones(k), size=60), rng.normal(size=(k, 60))
    more = lambda shares: other * shares.mean(axis=1, keepdims=True)  # noqa: E731
    monkeypatch.setattr(em, "STEPS", 2)
    log_p, found = em.expectation_maximization(x, weight, share, 1.0, df, more if beside else None)
    n, r, precision = 1 / np.sum(weight**2), share.T, np.ones((k, 60))
    for _ in range(2):
        w = n * weight * r
        mass, moment = w.sum(axis=1), (w * precision).sum(axis=1)
        means = (w * precision) @ x / moment[:, None]
        apart = x - means[:, None]
        scatter = np.einsum("kn,kni,knj->kij", w * precision, apart, apart)
        matrices = (scatter + 2 * np.eye(2) / k) / (mass + 2)[:, None, None]
        joint = np.log((mass + 1) / (n + k))[:, None] + [
            (multivariate_t(m, s, df) if df < np.inf else multivariate_normal(m, s)).logpdf(x)
            for m, s in zip(means, matrices, strict=True)
        ]
        squares = np.einsum("kni,kij,knj->kn", apart, np.linalg.inv(matrices), apart)
        precision = (df + 2) / (df + squares) if df < np.inf else np.ones((k, 60))
        joint += more(r) if beside else 0.0
        value = logsumexp(joint, axis=0)
        r = np.exp(joint - value)
    assert np.allclose(found[0], means) and np.allclose(found[1], np.linalg.cholesky(matrices))
    assert log_p == pytest.approx(weight @ value, rel=1e-10)
