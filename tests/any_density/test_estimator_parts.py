"""What `FlowDensity` is made of: weights, Gaussians, folds, the plan, when to stop."""

import time
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import oas
from sklearn.mixture import GaussianMixture as EM

import flowcore as fc
from flowcore.core import OutOfTime, check_time, limit, until
from flowcore.estimator import simple_densities
from flowcore.estimator.candidates import (
    FLOWS,
    Candidate,
    Fit,
    floored,
    simple_candidates,
)
from flowcore.estimator.plan import CORRELATED, LEAST_EPOCHS, MEMORY, Plan, default_minutes, plan
from flowcore.estimator.rows import (
    Fold,
    Sample,
    merged,
    scaling,
)
from flowcore.estimator.selection import Folds, Race, simple_fits, stacked
from flowcore.estimator.stacking import cross_fitted, mixed, stacked_weights
from flowcore.estimator.workers import run
from flowcore.mixtures import expectation_maximization as em
from flowcore.mixtures.expectation_maximization import (
    expectation_maximization,
    first_shares,
    shrunk,
    whitened,
)
from flowcore.tables.fitting import learn_flow
from flowcore.training import defaults
from flowcore.training.columns import condition_number
from flowcore.training.defaults import bins_for

ALL = tuple(FLOWS.values())


def correlated(n, dim=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dim)) @ rng.standard_normal((dim, dim)) + 3


def equal(n):
    return np.full(n, 1 / n)


def scaled(x):
    return scaling(x, equal(len(x)))


def table(x):
    return Sample(x, None, equal(len(x)), np.arange(len(x)))


def test_stacked_weights_are_the_best():
    log_p = np.random.default_rng(0).normal([-3.0, -2.8, -3.5], 1, (4000, 3))

    def loss(logits):
        w = np.exp(logits - np.logaddexp.reduce(logits))
        return -mixed(log_p, w).mean()

    best = minimize(loss, np.zeros(3)).x
    best = np.exp(best - np.logaddexp.reduce(best))
    np.testing.assert_allclose(stacked_weights(log_p), best, atol=2e-3)


def test_a_row_counts_as_one_among_n():
    log_p = np.column_stack([np.full(100, -2.0), np.full(100, -3.0)])
    before = stacked_weights(log_p)
    log_p[0] = -1e6, -5.0  # the better candidate fails completely on one row
    after = stacked_weights(log_p)
    assert before[0] > 0.98 and after[0] > 0.95


def test_a_worthless_candidate_keeps_its_part_of_one_imagined_row():
    log_p = np.column_stack([np.zeros(4), np.full(4, -1000.0)])
    np.testing.assert_allclose(stacked_weights(log_p), [4.5 / 5, 0.5 / 5])


@pytest.mark.parametrize(
    ("share", "kept", "weight"), [(0.03, False, 0.03), (0.002, False, 0.0), (0.002, True, 0.002)]
)
def test_a_candidate_of_less_than_a_hundredth_is_left_out(share, kept, weight):
    """Unless it is kept, whatever its weight is, as the t density is: the net below far rows.

    The weights that stacking finds for disjoint candidates are their shares of the rows.
    """
    n, rare = 10_000, round(10_000 * share)
    log_p = np.where(np.arange(n) < rare, -50.0, 0.0)
    folds = folds_of(table(np.empty((n, 1))), 1, 1)
    density = fc.TransformedDistribution(fc.Normal(1), fc.Exp(1))
    both = [
        (Candidate(name, None, kept=kept, latent=True), [Fit(density, own[None])])
        for name, own in (("common", log_p), ("rare", -50 - log_p))
    ]
    mixture, _, _, summary = stacked(both, 0, folds, 1, [], (0.0, 0.0))
    np.testing.assert_allclose(
        [scored.weight for scored in summary.candidates], [1 - weight, weight], atol=2e-4
    )
    assert len(mixture.densities) == 1 + (weight > 0)


class Runner:
    """A flow of which the held-out log-density after each epoch is known."""

    kept, latent, is_flow, seed = False, True, True, 0

    def __init__(self, name, curve):
        self.name, self.curve = name, curve

    def fitted(self, fold, seed, rounds, snapshots, n_modes, shrink, before=None):
        done = (before.epochs if before else 0) + sum(rounds)
        curve = self.curve[:done, fold.held_out.place]
        return Fit(fc.Normal(1), curve, epochs=len(curve), ended=len(self.curve) <= done)


def raced(curves, n, budget=1000.0, first=1):
    """A race of flows whose epochs take a second; one simple density scores -5 everywhere."""
    costs = {Runner(name, curve): 1.0 for name, curve in curves.items()}
    todo = Plan([], costs, False, 5, 5, first, 10, 16, 16, budget, [])
    folds = Folds(table(np.zeros((n, 1))), todo, np.random.SeedSequence(0))

    def density(rows, rng):
        return fc.MultivariateNormalDiag([0.0], [np.exp(5) / np.sqrt(2 * np.pi)])

    one = Candidate("simple", density)
    simple = [(one, [folds.task(one, k)() for k in range(first)])]
    race = Race(folds, simple, lambda tasks, seconds: [task() for task in tasks], [])
    race.run()
    return race


def epochs_of(race):
    return {flow.name: fits[0].epochs for flow, fits in race.flows.items()}


def curves_of(n, epochs=16):
    """The worst flow adds to the best one; its copy does not, although it scores nearly as well."""
    first = np.random.default_rng(0).random(n) < 0.7  # rows of one kind, and of another
    best, worst = np.where(first, -1.0, -4.0), np.where(first, -9.0, -1.0)
    copy = best - 0.1 + np.tile([0.02, -0.02], n // 2)
    grow = np.linspace(-1, 0, epochs)[:, None]
    curves = {"best": best, "copy": copy, "worst": worst, "useless": 0 * best - 9}
    return {name: grow + own for name, own in curves.items()}


@pytest.mark.parametrize(("n", "first"), [(900, 2), (4000, 1)])
def test_a_race_keeps_what_adds_to_the_density_not_what_scores(n, first):
    race = raced(curves_of(n), n, first=first)
    assert epochs_of(race) == {"best": 16, "worst": 16}
    assert race.left_out == ["copy, which adds little", "useless, which adds little"]
    assert race.spent == sum(race.epochs.values()) == 4 * 16 * first


def test_rounds_spend_the_budget_on_flows_that_are_left():
    """The first round is a quarter of the budget; the next one leaves as much for another fold."""
    race = raced(curves_of(4000), 4000, budget=80.0)
    assert epochs_of(race)["best"] > 5 and race.rounds[next(iter(race.flows))][0] == 5
    assert race.epochs[next(flow for flow in race.rounds if flow.name == "useless"), 0] == 5
    places = race.run_elsewhere()
    assert places >= 2 and all(len(fits) == places for fits in race.flows.values())
    assert abs(race.spent - 80) < 16


def test_a_fit_without_time_ends_the_folds_of_all():
    """Two fits of a flow on other folds, three of another one: the density has two of both."""
    race = raced(curves_of(4000), 4000, budget=400.0)
    best, worst = race.flows
    late = {best: [1, 1, None, 1], worst: [1, 1, 1, None]}
    race._fitted = lambda rounds, places: {flow: late[flow][: len(places)] for flow in rounds}
    assert race.run_elsewhere() == 3 == len(race.simple[0][1])
    assert race.late == ["fit 4 of 10"]


def test_if_few_rows_decide_a_flow_that_learns_slowly_is_among_the_better_half():
    """Its weight is nothing after the first round, and all in the end."""
    for n, first, kept in ((900, 2, ["late"]), (4000, 1, [])):
        late = np.append(np.full(6, -8.0), np.full(10, -1.0))[:, None] * np.ones(n)
        other = np.full((16, n), -30.0)
        curves = {"late": late, "other": other, "third": other}
        race = raced(curves, n, budget=48.0 * first, first=first)
        assert [*epochs_of(race)] == kept and {rounds[0] for rounds in race.rounds.values()} == {4}


def test_a_larger_budget_buys_other_seeds_of_the_folds():
    minutes = default_minutes(500)
    assert [plan(500, 5, 0, ALL, times * minutes).places for times in (0.5, 1, 2, 9)] == [
        10, 10, 20, 40,
    ]  # fmt: skip
    folds = folds_of(table(correlated(60)), 4, 2, places=4)
    log_p = [np.full((1, 15), own) for own in (-1.0, -5.0, -3.0, -5.0)]
    densities, mean = folds.fitted([Fit(fc.Normal(4), own) for own in log_p])
    assert len(densities) == 4 and mean[0] == pytest.approx(np.log(np.exp([-1, -3]).mean()))
    np.testing.assert_allclose(mean[15:], -5)
    first, third = (folds.task(Candidate("", None), place).args for place in (0, 2))
    assert first[0] is third[0] and first[1] != third[1]


def test_clearly_better_is_by_two_standard_errors():
    """One row of thirty gains seven nats, or five of 150 rows do."""
    for times, is_better in ((1, False), (5, True)):
        folds = folds_of(table(np.zeros((30 * times, 1))), 1, 1)
        gain = np.tile(np.where(np.arange(30) == 7, 7.0, 0.0), times)
        better, other = (Fit(fc.Normal(1), own[None]) for own in (gain, 0 * gain))
        assert folds.is_clearly_better([better], [other]) == is_better
        assert not folds.is_clearly_better([other], [better])


def test_rows_with_hardly_any_weight_are_not_trained_on():
    rows = table(correlated(300))
    assert rows.heavy.all()
    assert not with_junk(rows, 1e-9).heavy[300:].any() and with_junk(rows, 1e-9).heavy[:300].all()
    assert with_junk(rows, 0.1).heavy.all()
    folds = folds_of(with_junk(rows, 1e-9), 5, 5)
    assert (folds.fold(0).training.weight > 1e-6).all()
    assert (folds.fold(0).held_out.weight < 1e-6).any()


def test_a_weak_prior_needs_rows_for_every_number():
    few, many = ([one.name for one in simple_candidates([8], n, 5)[1]] for n in (470, 490))
    weak = ["mixture of 8, weak prior", "mixture of 8, weak prior of margins"]
    assert many == few + weak and few == ["mixture of 8", "mixture of 8 of margins"]


@pytest.mark.usefixtures("few_folds_here", "few_epochs")
def test_splines_have_as_many_bins_as_the_rows_determine(monkeypatch):
    edges = {40: 8, 49_999: 8, 50_000: 16, 299_999: 16, 300_000: 32}
    assert [bins_for(n) for n in edges] == list(edges.values())
    for name, flow in FLOWS.items():
        many = flow.with_bins_for(200_000)
        if not flow.bins:
            assert many is flow
            continue
        assert flow.with_bins_for(500) == flow
        costs = [one.milliseconds(3, 64) for one in (flow, many)]
        assert costs[0] < costs[1] < 1.5 * costs[0], name
        assert [*plan(60_000, 3, 0, [flow], 1.0).seconds] == [many]
    x = np.random.default_rng(0).normal(size=(40, 2))
    sizes = []
    for bins in (3, 5):
        monkeypatch.setitem(defaults.BINS, 0, bins)
        found = fc.FlowDensity("spline", budget=1e-3, n_jobs=1, random_state=0).fit(x)
        sizes.append(found.density_.base.densities[0].n_params)
        sizes.append(learn_flow(x, None, None, 0).n_params)
    assert sizes[0] < sizes[2] and sizes[1] < sizes[3]


def test_crossed_weights_are_those_of_other_folds():
    log_p = np.random.default_rng(1).normal(-3, 1, (60, 3))
    fold = np.arange(60) % 3
    found = cross_fitted(log_p, fold, equal(60))
    own = stacked_weights(log_p[fold != 1])
    np.testing.assert_allclose(found[fold == 1], mixed(log_p[fold == 1], own), atol=1e-9)
    np.testing.assert_allclose(
        cross_fitted(log_p, 0 * fold, equal(60)), mixed(log_p, stacked_weights(log_p))
    )


def test_gaussian_is_scikit_learns():
    x = correlated(50)
    found = simple_densities.gaussian(table(x), shrink=False)
    np.testing.assert_allclose(found.log_prob(x), EM(1, reg_covar=0).fit(x).score_samples(x), 1e-6)
    covariance = np.cov(x.T, bias=True)
    np.testing.assert_allclose(shrunk(covariance, 50), oas(x)[0])


@pytest.mark.parametrize("far", [0.0, 1e60])
def test_student_tails_do_not_depend_on_the_order_of_the_columns(far):
    """The whitening was by a Cholesky factor, of which one column comes first."""
    x = correlated(50)
    x[0, 1] += far
    found = simple_densities.student(table(x))
    again = simple_densities.student(table(x[:, ::-1]))
    np.testing.assert_allclose(found.log_prob(x), again.log_prob(x[:, ::-1]), rtol=1e-6)
    factor = whitened(x, equal(50))[2]
    scale = np.linalg.norm(factor, axis=1, keepdims=True)
    matrix, factor = found.bijector.matrix() / scale, factor / scale
    np.testing.assert_allclose(matrix @ matrix.T, factor @ factor.T, atol=1e-7)


LIGHT = [Candidate("Student t", simple_densities.student),
         Candidate("t", simple_densities.mixture, {"n_components": 2, "df": 5.0}),
         *(FLOWS[name] for name in ("spline", "white", "small"))]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("one", LIGHT, ids=lambda one: one.name)
def test_columns_with_light_tails_get_no_heavy_ones(one):
    """Behind an exponential; not of the columns beside them, either."""
    rng = np.random.default_rng(0)
    light = np.array([True, False, True])
    x = rng.standard_normal((300, 3)) @ np.linalg.cholesky(0.7 + 0.3 * np.eye(3)).T
    x[:, 1] = 0.5 * x[:, 0] + rng.standard_t(2.5, 300)
    x = scaled(x).inverse(x)
    how = {"rounds": [12], "snapshots": 2, "n_modes": 2, "shrink": True} if one.is_flow else {}

    def largest(light):
        rows = replace(table(x), light=light).take(np.arange(300))
        found = one.fitted(Fold(rows, rows), 0, **how).at(0)[0]
        return np.abs(found.sample(200_000, rng=1)).max(axis=0)

    everywhere, own = largest(False), largest(light)
    assert (own[light] < 12).all() and (everywhere[light] > 1.25 * own[light]).all()
    if one.name in ("Student t", "spline flow"):
        assert own[1] > 8


def test_the_columns_of_the_net_do_not_mix():
    x, light = correlated(80, dim=3), np.array([True, False, True])
    for own, df in ((False, 5.0), (light, 10.0)):  # with one light column a mixture is lighter
        rows = replace(table(x), light=own)
        assert simple_densities.mixture(rows, np.random.default_rng(0), 1, df=5.0).df == df
    matrix = simple_densities.student(replace(table(x), light=light)).bijector.matrix()
    assert (matrix[light][:, ~light] == 0).all() and (matrix[~light][:, light] == 0).all()
    scale = np.linalg.norm(matrix, axis=1)
    factor = whitened(x, equal(80))[2]
    spread = np.linalg.norm(factor, axis=1)
    np.testing.assert_allclose(scale, spread)
    correlation = (factor / spread[:, None]) @ (factor / spread[:, None]).T
    unit = matrix / scale[:, None]
    np.testing.assert_allclose((unit @ unit.T)[0, 2], correlation[0, 2])


def test_the_base_of_a_flow_has_the_deviations_of_a_mixture():
    x = correlated(90)
    full, plain = (
        make(table(x), np.random.default_rng(0), 2)
        for make in (simple_densities.mixture, simple_densities.modes)
    )
    for scales, factor in zip(plain.scales, full.scale_tril, strict=True):
        np.testing.assert_allclose(scales**2, np.diag(factor @ factor.T), rtol=1e-6)
    np.testing.assert_allclose(plain.means, full.means)
    np.testing.assert_allclose(plain.weights, full.weights)


def test_mixture_finds_clusters_and_does_not_collapse():
    rng = np.random.default_rng(0)
    x = np.concatenate([correlated(150, seed=1) - 20, correlated(350, seed=2)])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    found = simple_densities.mixture(table(x), rng, 2, prior=0.01)
    np.testing.assert_allclose(np.sort(found.weights), [0.3, 0.7], atol=0.01)
    truth = EM(2, random_state=0).fit(x).score(x)
    assert found.log_prob(x).mean() > truth - 0.05
    twice = np.concatenate([x[:30], np.zeros((30, 4))])  # a point that is there thirty times
    spiky = simple_densities.mixture(table(twice), rng, 8, prior=0.01)
    assert spiky.log_prob(np.zeros(4)) < 30


@pytest.mark.parametrize("apart", [0.02, 0.2])
def test_mixture_finds_long_clusters_side_by_side(apart):
    """Only in the whitened rows are they clusters: in the others the nearest centre is a half."""
    rng, n = np.random.default_rng(0), 400
    length, side = rng.normal(size=n), np.arange(n) % 2 - 0.5
    x = np.column_stack([length, length + apart * (2 * side + rng.normal(size=n) / 8)])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    one, two = (simple_densities.mixture(table(x), rng, k).log_prob(x).mean() for k in (1, 2))
    assert two > one + 1.3


@pytest.mark.parametrize("apart", [3, 30])
def test_clusters_far_apart_have_a_density_with_a_weak_prior(apart):
    x = np.random.default_rng(0).normal(size=(600, 2))
    x[:, 0] += apart * (np.arange(600) % 2)
    x /= x.std(axis=0)
    fold = Fold(table(x[:60]), table(x[60:]))
    best = max(one.fitted(fold, 0).log_p.mean() for one in simple_candidates([2], 600, 2)[1])
    assert best > EM(2, random_state=0).fit(x).score(x[60:]) - 0.2


def test_larger_sizes_are_tried_until_one_is_clearly_worse():
    tried = []

    def density(rows, rng, scale):
        tried.append(scale)
        return fc.MultivariateNormalDiag([0.0], [scale])

    groups = [[Candidate("one", density, {"scale": s})] for s in (3, 1, 1.1, 0.9, 4, 1)]
    x = np.random.default_rng(0).normal(size=(100, 1))
    found = simple_fits(folds_of(table(x), 5, 1, simple=groups, first=1), [])
    assert tried == [3, 1, 1.1, 0.9, 4] and len(found) == 5


def as_white(x):
    rows, _, _ = whitened(x, equal(len(x)), shrink=False, more=0.0)
    np.testing.assert_allclose(np.cov(rows.T, bias=True), np.eye(x.shape[1]), atol=1e-9)
    return rows


def textbook_step(x, shares, prior):
    """(log p of the rows, weights, means, covariances, the next shares): one step of EM."""
    (n, dim), k = x.shape, shares.shape[1]
    mass = shares.sum(axis=0)
    means, weights = shares.T @ x / mass[:, None], (mass + 1) / (n + k)
    rows, imagined = prior * dim, k ** (-2 / dim) * np.eye(dim)
    scatters = [mass[j] * np.cov(x.T, aweights=shares[:, j], bias=True) for j in range(k)]
    covariances = [(scatters[j] + rows * imagined) / (mass[j] + rows) for j in range(k)]
    p = [weights[j] * multivariate_normal(means[j], covariances[j]).pdf(x) for j in range(k)]
    return np.log(sum(p)), weights, means, covariances, np.transpose(p / sum(p))


@pytest.mark.parametrize("prior", [0.0, 0.3])
def test_expectation_maximization_is_the_textbooks(monkeypatch, prior):
    monkeypatch.setattr(em, "STEPS", 4)
    monkeypatch.setattr(em, "BLOCK", 300)  # many blocks, the last one smaller
    x = as_white(np.concatenate([correlated(50, seed=1), correlated(87, seed=2) + 2]))
    shares = first_shares(x, equal(137), 3, np.random.default_rng(0))
    score, found = expectation_maximization(x, equal(137), shares, prior)
    for _ in range(4):
        log_p, weights, means, covariances, shares = textbook_step(x, shares, prior)
    np.testing.assert_allclose(score, log_p.mean(), rtol=1e-9)
    density = fc.MultivariateNormalMixture(*found)
    np.testing.assert_allclose(density.log_prob(x), log_p, rtol=1e-9)
    np.testing.assert_allclose(density.weights, weights, rtol=1e-9)
    np.testing.assert_allclose(density.means, means, atol=1e-9)
    np.testing.assert_allclose(density.covariances, covariances, atol=1e-9)


def test_mixtures_of_mixtures_and_what_is_no_mixture():
    parts = [fc.flows.maf(2, layers=1, hidden=[4], standardize=False), fc.StudentT(2, df=3.0)]
    mixture = fc.Mixture(parts, [1, 3])
    x = mixture.sample(20, rng=0)
    expected = np.logaddexp(
        np.log(0.25) + parts[0].log_prob(x), np.log(0.75) + parts[1].log_prob(x)
    )
    for one in (mixture, fc.Mixture([mixture, mixture])):
        np.testing.assert_allclose(one.log_prob(x), expected, rtol=1e-12)
    for densities, weights, message in (
        ([], None, "at least one"),
        ([fc.Normal(1), fc.Normal(2)], None, r"differ in dim: \[1, 2\]"),
        (parts, [1, 0], "2 positive numbers, not"), (parts, [1], "2 positive numbers"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            fc.Mixture(densities, weights)
    with pytest.raises(TypeError, match="takes a list"):
        fc.Mixture(fc.Normal(2))


def test_merged_rows_keep_everything():
    x = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [7.0, 7.0]])
    rows, first = merged(x, np.array([1.0, 2.0, 3.0, 0.0]), None)
    np.testing.assert_array_equal(rows.x, [[0, 5], [1, 2]])
    np.testing.assert_allclose(rows.weight, [1 / 3, 2 / 3])
    assert rows.place.tolist() == [1, 0] and first.tolist() == [0, 1, 0, 3]
    context = np.array([[0.0], [0.0], [9.0], [0.0]])  # not the same row, after all
    apart, _ = merged(x, np.ones(4), context)
    assert len(apart) == 4 and apart.context[apart.place == 2] == 9
    # nothing is learned of rows without a number: as one heavy row they would be in one fold
    assert len(merged(np.zeros((4, 2)), np.ones(4), None, np.arange(4) > 1)[0]) == 3


def folds_of(rows, parts, used, **options):
    plan = SimpleNamespace(**{"parts": parts, "used": used, "places": used, **options})
    return Folds(rows, plan, np.random.SeedSequence(0))


def test_folds_are_of_one_size():
    folds = [*map(folds_of(table(np.arange(103.0)[:, None]), 10, 10).fold, range(10))]
    assert len(folds) == 10 and {len(fold.held_out) for fold in folds} == {10, 11}
    assert sorted(np.concatenate([fold.held_out.place for fold in folds])) == [*range(103)]
    for fold in folds:
        assert not set(fold.training.place) & set(fold.held_out.place)
    angles = Fold(replace(table(correlated(60)), angle=np.arange(4) < 2), None)
    inside = np.isclose(angles.in_margins.training.x, angles.training.x)
    assert inside[:, :2].all() and not inside[:, 2:].all(axis=0).any()


def test_scaling_does_not_mind_a_far_value():
    x = np.random.default_rng(0).normal(5, 2, (400, 2))
    plain = scaled(x)
    np.testing.assert_allclose(plain.scale, x.std(axis=0))
    for far in (1e9, -1e9):
        x[0] = far
        low, high = np.quantile(x, (0.25, 0.75), axis=0)
        found = scaled(x)
        x[0] = (high if far > 0 else low) + np.sign(far) * 10 * (high - low)  # where it counts
        np.testing.assert_allclose([found.mean, found.scale], [x.mean(axis=0), x.std(axis=0)])
    assert np.isfinite(scaled(np.array([[0.0], [0.0], [0.0], [1.0]])).inverse([[1.0]])).all()
    huge = scaled(np.array([[1e200], [-1e200], [3e200], [0.0]]))
    assert np.isfinite(huge.inverse([[1e200]])).all()


def test_the_condition_number_depends_on_neither_signs_nor_order_nor_units():
    z = np.random.default_rng(0).standard_normal((5000, 2))
    x = z @ [[1, 1], [0, 0.05]]

    def found(x):
        return condition_number(scaled(x).inverse(x))

    r = np.corrcoef(x.T)[0, 1]
    assert found(x) == pytest.approx((1 + r) / (1 - r), rel=0.01) and found(z) < 1.1
    for other in (x[:, ::-1], x * [1, -1], x * [1e-9, 1e9]):
        assert found(other) == pytest.approx(found(x), rel=1e-6)
    assert found(np.vstack([x, [1e9, 1e9]])) == pytest.approx(found(x), rel=0.1)
    assert found(np.column_stack([x, x[:, 0]])) < 3 * found(x)  # a copy
    c = np.column_stack([scaled(x).inverse(x), np.zeros(len(x))])  # and a constant
    assert condition_number(c) == pytest.approx(found(x), rel=1e-6)
    assert found(x[:2]) < 10  # two rows are always on a line


@pytest.mark.parametrize("n, dim", [(150, 4), (500, 5), (500, 30), (20_000, 10), (54_000, 7)])
def test_a_round_keeps_to_its_part_of_the_budget(n, dim):
    """A quarter for the first round; then what leaves as much for the same rounds elsewhere."""
    todo = plan(n, dim, 0, ALL, default_minutes(n))
    rounds, spent = {flow: [] for flow in todo.seconds}, 0.0
    for part in (0.25, 1.0):
        epochs = todo.of_round(rounds, spent)
        for flow, own in epochs.items():
            rounds[flow].append(own)
            spent += own * todo.first * todo.seconds[flow]
            assert LEAST_EPOCHS <= own <= todo.epochs
        least = LEAST_EPOCHS * todo.first * sum(todo.seconds.values())
        assert spent <= max(part * todo.budget * 1.01, 2 * least)
    more = plan(n, dim, 0, ALL, 4 * default_minutes(n))
    assert more.epochs == todo.epochs and more.places >= todo.places
    now = todo.of_round(dict.fromkeys(todo.seconds, ()), 0)
    later = more.of_round(dict.fromkeys(more.seconds, ()), 0)
    assert sum(later.values()) > sum(now.values())


def test_plan_of_small_tables_and_of_one_flow():
    def names(*table, flows=ALL, condition=1.0):
        return [flow.name for flow in plan(*table, flows, 1.0, condition).seconds]

    assert names(30, 3, 0) == [] and len(names(30, 3, 0, flows=ALL[:1])) == 1
    assert FLOWS["white"].name in names(500, 3, 0)
    assert FLOWS["white"].name not in names(500, 2, 0)
    one = FLOWS["white_spline"]
    assert one.name in names(500, 2, 0, condition=CORRELATED)
    assert one.name not in names(500, 2, 0, condition=0.99 * CORRELATED)
    assert one.name in names(500, 1, 6, condition=CORRELATED)  # of the context
    assert one.name not in names(500, 6, 0, condition=CORRELATED)  # too few rows a column
    assert one.name in names(500, 2, 0, flows=[one])  # by name
    minutes = [default_minutes(n) for n in (100, 500, 20_000)]
    np.testing.assert_allclose(minutes, [9 / 60, 9 / 60, 0.513], rtol=0.02)


def test_a_tenth_of_the_rows_is_held_out():
    folds = {8: (8, 8), 999: (10, 10), 20_000: (10, 10), 10**6: (200, 10)}
    for n, wanted in folds.items():
        todo = plan(n, 3, 0, ALL, 1.0)
        assert (todo.parts, todo.used) == wanted
    assert [plan(n, 3, 0, ALL, 1.0).first for n in (999, 1000)] == [2, 1]


@pytest.mark.parametrize("dim", [300, 1000, 3000])
@pytest.mark.parametrize("minutes", [0.01, None])
def test_wide_tables_keep_to_time_and_memory(dim, minutes):
    """300 x 300 took two minutes and 4 GB at budget=0.01, and 300 x 1000 more than 6 GB."""
    minutes = default_minutes(300) if minutes is None else minutes
    todo = plan(300, dim, 0, ALL, minutes)
    assert 4 * sum(todo.seconds.values()) <= max(60 * 2 * 0.8 * minutes, 10) and [*todo.seconds]
    numbers = sum(flow.nbytes(dim) for flow in [*todo.seconds])
    fits = max(flow.nbytes(dim) for flow in [*todo.seconds])
    assert numbers + 50 * fits <= MEMORY >= todo.used * 21 * 8 * dim**2
    names = " ".join(todo.left_out)
    assert "spline flow, which takes" in names and all(f.name not in names for f in [*todo.seconds])


def test_what_a_plan_counts_as_memory_is_a_flows_parameters():
    for flow in ALL:
        for dim in (16, 100) if flow.widens else (16, 30):
            own = flow.recipe(dim, rng=0, standardize=False)
            assert 0.6 < flow.nbytes(dim) / own.params.nbytes < 4


def test_mixtures_of_wide_tables():
    todo = plan(20_000, 300, 0, ALL, 1.0)
    assert len(todo.simple) == 1 and todo.left_out[0].startswith("mixtures of 2")
    with pytest.raises(ValueError, match=r"X has 5,000 columns, .* take at most 3,450"):
        plan(10_000, 5_000, 0, ALL, 1.0)


def curved(n, seed=0):
    """Rows whose correlation is .999, where the difference of the columns has two moons in it."""
    moons = fc.targets.two_moons(0.1).sample(n, rng=seed)
    return moons @ [[1, 1], [0, 0.05]]


def test_a_white_spline_flow_sees_small_differences_of_columns():
    x = curved(300)
    fold = folds_of(table(scaled(x).inverse(x)), 3, 1).fold(0)
    plain, white = (
        FLOWS[name].fitted(fold, 0, [15], 3, 2, True) for name in ("spline", "white_spline")
    )
    assert white.log_p[-1].mean() > plain.log_p[-1].mean() + 0.3


def test_folds_stop_together():
    flow = fc.flows.maf(1, layers=1, hidden=[2], standardize=False)
    thetas = np.arange(3)[:, None] * np.ones(flow.n_params, np.float32)
    # one fold likes the last snapshot by luck, another, which weighs more, that in the middle
    curves = [[-3.0, -2.5, -2.4], [-3.0, -2.0, -4.0], [-3.0]]
    rows = table(np.arange(15.0)[:, None])
    number = folds_of(rows, 3, 3).number
    folds = folds_of(replace(rows, weight=np.array([1.0, 5.0, 1.0])[number]), 3, 3)
    fits = [Fit(flow, np.repeat([own], 5, axis=0).T, thetas) for own in curves[:2]]
    fits.append(Fit(flow.with_params(thetas[0].astype(float)), np.full((1, 5), -3.0)))
    densities, log_p = folds.fitted(fits)
    assert [density.params[0] for density in densities] == [1, 1, 0]
    np.testing.assert_array_equal(
        log_p, np.array([-2.5, -2.0, -3.0])[folds.number[folds.held_out(3)]]
    )
    assert floored(np.append(np.zeros(99), -1e5), equal(100)).min() > -1100


def test_a_fold_whose_training_had_ended_takes_its_own_best():
    flow = fc.flows.maf(1, layers=1, hidden=[2], standardize=False)
    thetas = np.arange(3)[:, None] * np.ones(flow.n_params, np.float32)
    curves = [-9.0, -8.0, -1.0], [-1.0, -2.0]  # the second one was stopped
    fits = [Fit(flow, np.repeat([own], 5, axis=0).T, thetas[: len(own)]) for own in curves]
    folds = folds_of(table(np.arange(10.0)[:, None]), 2, 2)
    densities, log_p = folds.fitted(fits)
    assert [density.params[0] for density in densities] == [2, 0]
    np.testing.assert_array_equal(log_p, -1.0)


@pytest.mark.parametrize("n", [1, 2, 30, 300])
def test_the_floor_of_rows_of_one_weight_is_numpys_quantile(n):
    log_p = np.random.default_rng(n).standard_t(1, n) * 30
    wanted = np.maximum(log_p, np.quantile(log_p, 0.01) - 5)
    np.testing.assert_allclose(floored(log_p, equal(n)), wanted, rtol=1e-12)


def with_junk(rows, share=1e-12):
    """The same rows, and as many others of hardly any weight."""
    junk = np.random.default_rng(9).uniform(-9, 9, rows.x.shape)
    weight = np.append(rows.weight, share * rows.weight)
    return Sample(np.vstack([rows.x, junk]), None, weight / weight.sum(), np.arange(2 * len(rows)))


def test_rows_of_hardly_any_weight_do_not_choose_the_epoch():
    """Importance weights: the rows that do not count get worse at once, in every epoch."""
    fold = folds_of(table(correlated(300)), 3, 1).fold(0)
    other = Fold(fold.training, with_junk(fold.held_out))
    many, same = (FLOWS["small"].fitted(one, 0, [300], 100, 2, True) for one in (fold, other))
    assert len(many.log_p) < 100  # stopped
    np.testing.assert_array_equal(same.thetas, many.thetas)
    log_p = many.log_p[0]
    junk = floored(np.append(log_p, log_p - 50), with_junk(fold.held_out).weight)
    np.testing.assert_allclose(junk[: len(log_p)], floored(log_p, fold.held_out.weight), rtol=1e-9)


def test_a_flow_learns_in_float32_and_is_scored_as_it_is_then():
    fold = folds_of(table(correlated(300)), 3, 1).fold(0)
    density, log_p = FLOWS["small"].fitted(fold, 0, [12], 4, 2, True).at(-1)
    assert density.dtype == float
    np.testing.assert_array_equal(density.params, density.params.astype(np.float32))
    np.testing.assert_allclose(log_p, density.log_prob(fold.held_out.x), rtol=1e-12)


@pytest.fixture
def ticks(monkeypatch):
    """A clock that is a second later at every look."""
    monkeypatch.setattr("time.monotonic", count().__next__)


@pytest.mark.parametrize("looks", [3, 60])
def test_a_flow_whose_time_is_over_keeps_its_best_epoch(ticks, looks):
    rows = table(correlated(500))
    fold = folds_of(rows, 5, 1).fold(0)

    def fitted(moment):
        with until(moment):
            return FLOWS["small"].fitted(fold, 0, [12], 4, 2, True)

    short, enough = fitted(looks), fitted(np.inf)
    assert short.cut and not enough.cut and len(short.log_p) <= len(enough.log_p)
    assert np.isfinite(short.log_p).all()
    start = FLOWS["small"]._untrained(fold.training, np.random.default_rng(0), 2, True)
    assert not np.array_equal(short.density.params, start.params)
    with pytest.raises(OutOfTime):
        fitted(-1)


def test_a_flow_that_is_cut_short_is_a_warning(ticks):
    with pytest.warns(UserWarning, match="was over before .*, the end of small affine flow"):
        fc.FlowDensity("small", max_seconds=50, n_jobs=1, random_state=0).fit(correlated(60))


def test_mixtures_end_when_the_time_is_over(ticks):
    x = correlated(200)
    with until(3), pytest.raises(OutOfTime):
        simple_densities.mixture(table(x), np.random.default_rng(0), 4)
    late, groups = [], simple_candidates([2, 3, 4, 6, 8, 12], 200, 4)
    with until(2000):
        found = simple_fits(folds_of(table(x), 5, 1, simple=groups, first=1), late)
    names = [one.name for one, _ in found]
    assert len(late) == 1 and names[0] == "Gaussian" and late[0] not in names


def ends(threads=None):
    """When it must: a task."""
    return next(k for k in count() if time.monotonic() > limit())


@pytest.mark.parametrize("seconds, n_jobs", [([3, 1, 1], 1), ([0.1, 0.1, 0.1], 2)])
def test_every_task_gets_its_part_of_the_time(ticks, seconds, n_jobs):
    with until(5000):
        looks = run([ends] * 3, seconds, n_jobs)
        np.testing.assert_allclose(looks, 5000 * np.divide(seconds, sum(seconds)), atol=50)
        assert run([check_time], [1], 1) == [None]


def test_rows_of_hardly_any_weight_choose_neither_sizes_nor_shrinkage():
    """Half of the rows weigh nothing, and are noise: scores are those of the others."""
    folds = folds_of(with_junk(table(correlated(100)), 1e-9), 5, 5)
    log_p = np.where(folds.fold(0).held_out.weight > 1e-6, -1.0, -99.0)
    assert folds.score([Fit(fc.Normal(1), log_p[None])]) == pytest.approx(-1, abs=1e-5)
