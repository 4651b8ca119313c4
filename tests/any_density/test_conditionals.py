"""Questions to a joint density: against exact conditionals, quadrature, and each other."""

import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.flows import Opaque

import flowcore as fc
from flowcore import targets
from flowcore.conditionals.annealing import annealed
from flowcore.conditionals.weights import normalized, weighted
from flowcore.pareto import fitted_pareto, pareto_smoothed
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng


def mixture(dim, k=4):
    rng = RNG(1)
    factors = np.tril(0.4 * rng.normal(size=(k, dim, dim)), -1)
    factors += np.eye(dim) * rng.uniform(0.3, 1, (k, 1, 1))
    return fc.MultivariateNormalMixture(rng.normal(0, 2, (k, dim)), factors)


class Bent:
    """A banana in every second column: no mixture of a few components resembles it."""

    dim = 6
    base = fc.MultivariateNormalMixture(
        np.zeros((1, 6)), np.linalg.cholesky(np.full((1, 6, 6), 0.8) + 0.2 * np.eye(6))
    )

    def __repr__(self):
        return "Bent"

    def sample(self, n, rng=None):
        return self.bent(self.base.sample(n, rng), 1)

    def log_prob(self, x):
        return self.base.log_prob(self.bent(x, -1))

    @staticmethod
    def bent(x, sign):
        x = np.array(x)
        x[..., 1::2] += sign * 1.5 * x[..., ::2] ** 2
        return x


def with_holes(density, n, seed=0, share=0.3):
    """(rows, which cells are hidden): no row is empty, a few are complete."""
    rng = RNG(seed)
    x = density.sample(n, rng)
    hidden = rng.random(x.shape) < share
    hidden[hidden.all(axis=1), 0] = False
    return x, hidden


# ------------------------------------------------------------------------ Pareto smoothing


def falling(n, k):
    """Log-weights at fixed quantiles of a Pareto density, in a fixed order."""
    p = (np.arange(n) * 37 % n + 0.5) / n
    return np.log(np.expm1(-k * np.log1p(-p)) / k + 0.1)


@pytest.mark.parametrize(
    "n, expected",
    [  # (k-hat, effective sample size, largest log-share) by arviz-stats 0.8.0, psislw
        (100, [(0.37726986816579633, 37.86064619411592, -2.444889156786909),
               (0.6062891118970052, 18.098393691076932, -1.7275768098418727),
               (0.8923632152333724, 7.300125785967627, -1.1154037895098814)]),
        (1000, [(0.3234196135111019, 338.2746339295084, -3.951540495396026),
                (0.6699004120429923, 72.84037787049725, -2.4567193839824606),
                (1.1032047898364377, 7.665754340840506, -1.0937015347418892)]),
    ],
)  # fmt: skip
def test_smoothing_is_that_of_arviz(n, expected):
    smoothed, k_hat = pareto_smoothed(np.stack([falling(n, k) for k in (0.3, 0.7, 1.2)]))
    _, share, ess = normalized(smoothed)
    found = np.stack([k_hat, ess, np.log(share.max(axis=1))], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_shape_of_pareto_draws_is_found():
    x = np.sort(stats.genpareto(0.6, scale=3).rvs((4, 2000), random_state=0), axis=1)
    k, scale = fitted_pareto(x)
    np.testing.assert_allclose(k, 0.6, atol=0.1)
    np.testing.assert_allclose(scale, 3, rtol=0.1)


def test_a_weight_above_twice_the_mean_has_a_tail():
    """The largest of u^(1/2), u even on (0, 1), is 1.5 times the mean, that of u^2 3 times."""
    log_u = np.log(np.arange(1, 1001) / 1000)
    k_hat = pareto_smoothed(np.stack([0.5 * log_u, 2 * log_u]))[1]
    assert np.isneginf(k_hat).tolist() == [True, False] and k_hat[1] < 0


def test_weights_without_a_tail():
    """Equal ones need no smoothing; few that are not zero, or few draws, cannot be judged."""
    equal, none, few = np.full(100, 7.0), np.full(100, -np.inf), np.full(100, -np.inf)
    few[:3], bounded = 0.0, np.where(np.arange(100) < 90, 0.0, 0.4 * RNG(0).random(100))
    smoothed, k_hat = pareto_smoothed(np.stack([equal, bounded, none, few]))
    assert k_hat.tolist() == [-np.inf, -np.inf, np.inf, np.inf]
    assert (smoothed == [equal, bounded, none, few]).all() and normalized(smoothed)[2][2] == 0
    assert pareto_smoothed(np.zeros((1, 20)))[1] == np.inf


def test_of_500_effective_draws_100_are_worth_100():
    alike = weighted(RNG(0).normal(size=(1, 500, 1)), np.zeros((1, 500)))
    assert [alike.of_equal_weight(n, [RNG(0)]).ess[0] for n in (100, 900)] == [100, 500]


# ------------------------------------------------------------------------ one question


def test_quantiles_between_weighted_draws():
    """Each draw stands in the middle of its weight; between two of them quantiles are linear."""
    given = fc.Conditionals(fc.Normal(2)).given({0: 0.0}, n_draws=30)
    draws, share = [[[0.0, 7.0], [0.0, 1.0], [0.0, 3.0]]], [[0.5, 0.2, 0.3]]
    given.draws = replace(given.draws, x=np.array(draws), share=np.array(share))
    # the middles of the weights: 1 at 0.1, 3 at 0.35, 7 at 0.75
    levels = [0.0, 0.1, 0.225, 0.35, 0.45, 0.75, 1.0]
    np.testing.assert_allclose(given.quantiles(levels)[:, 0], [1, 1, 2, 3, 4, 7, 7], rtol=1e-12)


@pytest.mark.parametrize("known", [{0: 0.5}, {2: 1.0, 0: -1.0}, {1: 0.0, 2: 1.0, 3: 0.5}])
def test_conditionals_by_weights_are_the_exact_ones(known):
    p = mixture(4)
    exact, found = p.given(known), fc.Conditionals(Opaque(p)).given(known, n_draws=4000)
    assert found.trusted and found.ess > 1000 and 0 < found.error < 0.05
    x = exact.sample(500, rng=0)
    offset = found.log_prob(x) - exact.log_prob(x)
    assert np.ptp(offset) < 1e-9 and abs(offset[0]) < 4 * found.error
    log_known = p.marginal(list(known)).log_prob(list(known.values()))
    assert abs(found.log_marginal - log_known) < 4 * found.error
    draws = exact.sample(100_000, rng=1)
    np.testing.assert_allclose(found.mean(), draws.mean(axis=0), atol=0.1)
    levels = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(
        [np.mean(draws[:, j] < q) for j in range(found.dim) for q in found.quantiles(levels)[:, j]],
        levels * found.dim, atol=0.04,
    )  # fmt: skip
    new = found.sample(2000, rng=2)
    for j in range(found.dim):
        assert stats.ks_2samp(new[:, j], draws[:5000, j]).pvalue > 1e-4


def test_questions_to_a_flow_agree_with_each_other():
    """A flow keeps what answers them, and other parameters have their own."""
    flow = randomize(fc.flows.maf(3, layers=3, standardize=False), rng=0)
    a, b, c = flow.sample(1, rng=1)[0]
    given = flow.given({0: a})
    assert given.columns == [1, 2] and given.joint is flow.given({0: b}).joint
    p_bc = given.log_prob([[b, c]])[0] + given.log_marginal
    assert p_bc == pytest.approx(flow.log_prob([a, b, c]), abs=1e-9)
    assert flow.marginal([1]).sample(3, rng=0).tolist() == flow.sample(3, rng=0)[:, [1]].tolist()
    other = flow.with_params(0.5 * flow.params)  # with questions of its own
    assert other.given({0: a}).joint.density is other


def test_a_proposal_is_kept_in_a_file(tmp_path):
    p = Opaque(mixture(3))
    joint, row = fc.Conditionals(p), [[0.5, np.nan, np.nan]]
    fc.save(joint.proposal, tmp_path / "proposal.npz")
    again = fc.Conditionals(p, proposal=fc.load(tmp_path / "proposal.npz"))
    np.testing.assert_array_equal(again.impute(row).draws, joint.impute(row).draws)
    one, other = joint.impute(2 * row).draws.swapaxes(0, 1)  # equal rows have draws of their own
    assert (one[:, 1:] != other[:, 1:]).any(axis=0).all()


# ------------------------------------------------------------------------ rows with holes


@pytest.mark.parametrize("p", [mixture(4), targets.ring(), Bent()], ids=repr)
def test_hidden_cells_lie_among_the_draws_as_they_should(p):
    """Their ranks are uniform (one cell a row): calibration, at any pattern of holes."""
    n, m = 500, 40
    x, hidden = with_holes(p, n, share=0.2)
    column = RNG(1).integers(p.dim, size=n)
    hidden[np.arange(n), column] = True
    hidden[hidden.all(axis=1)] = np.arange(p.dim) == 0
    column = np.where(hidden[np.arange(n), column], column, 0)
    answers = fc.Conditionals(Opaque(p)).impute(np.where(hidden, np.nan, x), n=m, rng=2)
    assert answers.trusted.mean() > 0.95
    np.testing.assert_array_equal(
        answers.draws[:, ~hidden], np.repeat(x[~hidden][None], m, axis=0)
    )  # what is known stays
    draws, truth = answers.draws[:, np.arange(n), column], x[np.arange(n), column]
    rank = ((draws < truth).sum(axis=0) + RNG(3).random(n)) / (m + 1)
    assert stats.kstest(rank, "uniform").pvalue > 1e-3
    assert abs(np.mean((rank > 0.05) & (rank < 0.95)) - 0.9) < 0.05


def test_log_densities_of_rows_with_holes():
    """Against the exact marginals; errors are as large as they should be."""
    p = mixture(5)
    x, hidden = with_holes(p, 400)
    rows = np.where(hidden, np.nan, x)
    found, exact = fc.Conditionals(Opaque(p)).log_prob(rows), fc.Conditionals(p).log_prob(rows)
    np.testing.assert_allclose(exact.error, 0, atol=1e-7)
    for i in range(20):
        known = np.flatnonzero(~hidden[i])
        assert exact.log_p[i] == pytest.approx(p.marginal(known).log_prob(x[i, known]), abs=1e-9)
    holes = hidden.any(axis=1)
    assert found.draws.shape == (0, 400, 5) and (found.log_p[~holes] == p.log_prob(x[~holes])).all()
    assert (found.ess[~holes] == np.inf).all() and not found.error[~holes].any()
    many, off = hidden.sum(axis=1) > 1, found.log_p - exact.log_p
    z = off[many] / found.error[many]
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.4 and found.error[holes].max() < 0.3
    assert np.abs(off[~many]).max() < 1e-4  # by quadrature


def test_a_row_with_nothing_known_is_a_draw_of_the_density():
    p = Opaque(mixture(3))
    answers = fc.Conditionals(p).impute(np.full((2, 3), np.nan), n=500, rng=0)
    assert (answers.log_p == 0).all() and (answers.ess == 200).all() and answers.trusted.all()
    assert stats.ks_2samp(answers.draws[:, 0, 0], p.sample(2000, 1)[:, 0]).pvalue > 1e-4
    with pytest.raises(ValueError, match="all columns are known"):
        fc.Conditionals(p).given([1.0, 2.0, 3.0])


@pytest.mark.slow
def test_annealed_draws_where_weights_fail():
    """A proposal that knows nothing: plain weights fail, and what comes instead is right."""
    p = mixture(4, k=2)
    poor = fc.MultivariateTMixture(np.full((1, 4), 6.0), 2 * np.eye(4)[None])
    joint = fc.Conditionals(Opaque(p), proposal=poor)
    known = {0: p.means[0, 0]}
    found, exact = joint.given(known, n_draws=2000), p.given(known)
    assert found.annealed and "annealed" in repr(found)
    log_known = p.marginal([0]).log_prob([known[0]])
    others = [joint.given(known, n_draws=2000, rng=seed) for seed in range(24)]
    z = [(one.log_marginal - log_known) / one.error for one in (found, *others)]
    assert np.abs(np.mean(z)) < 0.6 and 0.6 < np.std(z) < 1.5
    draws = exact.sample(20_000, rng=0)
    np.testing.assert_allclose(found.mean(), draws.mean(axis=0), atol=0.3)
    for own, other in zip(found.draws.x[0][:, 1:].T, draws.T, strict=True):
        assert stats.ks_2samp(own, other).statistic < 0.1
    assert len(np.unique(found.draws.x[0][:, 1])) > 1800


def test_annealed_codes_are_distributed_as_p():
    """States that are a code alone: there is no walk, only draws of q, which is far from p."""
    q, p = np.exp(-np.arange(8.0)), np.exp(0.5 * np.arange(8.0))
    q, p = q / q.sum(), p / p.sum()

    class Codes:
        moving = np.zeros(1, bool)

        def sample(self, rngs):
            x = rngs[0].choice(8, p=q, size=(1, 20_000, 1)).astype(float)
            return x, np.log(q[x[..., 0].astype(int)])

        def log_prob(self, x):
            return np.log(3 * p[x[..., 0].astype(int)])

        def log_proposal(self, x):
            return np.log(q[x[..., 0].astype(int)]) + 7.0

    found = annealed(Codes(), RNG(0))
    shares = np.bincount(found.x[0, :, 0].astype(int), minlength=8) / 20_000
    np.testing.assert_allclose(shares, p, atol=0.05)
    assert found.log_p[0] == pytest.approx(np.log(3), abs=5 * found.error[0])


def with_a_poor_proposal(dim, k, off, seed=0):
    """A mixture with known conditionals, and its `Conditionals` by a proposal that is off."""
    rng = RNG(seed)

    def near(factor):
        factor = factor @ (np.eye(dim) + off * np.tril(rng.normal(size=(dim, dim))))
        return np.linalg.cholesky(factor @ factor.T)

    wide = [0.5 * np.eye(dim) + rng.normal(size=(dim, dim)) / np.sqrt(dim) for _ in range(k)]
    scale = [np.linalg.cholesky(a @ a.T + 0.1 * np.eye(dim)) for a in wide]
    p = fc.MultivariateNormalMixture(rng.normal(size=(k, dim)), scale)
    means = p.means + off * rng.normal(size=p.means.shape)
    poor = fc.MultivariateTMixture(means, np.array([*map(near, scale)]), p.weights, 5.0)
    return p.given({0: 1.0}), fc.Conditionals(Opaque(p), proposal=poor)


def off_by(exact, joint, n):
    """Of ten answers: their means, and those of n draws of each, minus the exact ones, both in
    printed standard errors; how many draws differ; which are annealed."""
    true = exact.sample(100_000, rng=0)
    mean, sd, found = true.mean(axis=0), true.std(axis=0), []
    for seed in range(10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = joint.given({0: 1.0}, rng=seed)
        draws = given.sample(n, rng=seed)
        error = sd / np.sqrt(given.ess)
        spread = [(x - mean) / error for x in (given.mean(), draws.mean(axis=0))]
        found.append((*spread, len(np.unique(draws[:, 0])), given.annealed))
    return [np.array(part) for part in zip(*found, strict=True)]


@pytest.mark.parametrize(("k", "off", "hard"), [(1, 0.15, False), (1, 0.3, True), (2, 0.4, True)])
def test_means_of_answers_spread_as_printed(k, off, hard):
    of_answers, of_draws, n_different, how = off_by(*with_a_poor_proposal(12, k, off), 1000)
    assert how.mean() > 0.6 if hard else how.mean() < 0.4
    assert 0.5 < np.sqrt(np.mean(of_answers**2)) < 1.5
    assert np.sqrt(np.mean(of_draws**2)) < 1.5
    assert n_different.min() >= 950


@pytest.mark.slow
@pytest.mark.parametrize(("k", "off"), [(1, 0.07), (2, 0.1)])
def test_ten_thousand_draws_of_30_columns(k, off):
    started = time.process_time()
    _, of_draws, n_different, _ = off_by(*with_a_poor_proposal(30, k, off), 10_000)
    assert n_different.min() >= 9_500 and np.sqrt(np.mean(of_draws**2)) < 1.5
    assert time.process_time() - started < 10 * 15


def test_few_effective_draws_are_a_warning_beside_the_answer():
    _, joint = with_a_poor_proposal(30, 1, 0.07)
    with pytest.warns(UserWarning, match="few draws decide it: effective sample size .*Raise n_dr"):
        few = joint.given({0: 1.0}, rng=1)
    assert few.trusted and few.ess < 100 and "few draws decide it" in repr(few)
    many = joint.given({0: 1.0}, rng=1, n_draws=20_000)  # no warning
    assert many.ess > 100 and "few" not in repr(many)


def test_rows_that_a_poor_proposal_cannot_answer_are_counted(monkeypatch):
    monkeypatch.setattr("flowcore.conditionals.numbers.MultivariateTMixture", str)  # weights alone
    p = Bent()
    x, hidden = with_holes(p, 60, seed=4)
    poor = fc.MultivariateTMixture.from_data(p.sample(4000, 0), 1)
    with pytest.warns(UserWarning, match="rows have answers that are not to be trusted") as found:
        answer = fc.Conditionals(p, proposal=poor).log_prob(np.where(hidden, np.nan, x), n_draws=30)
    assert str(found[0].message).startswith(f"{(~answer.trusted).sum()} of 60 rows")


# ------------------------------------------------------------------------ contexts


def conditional_flow():
    return randomize(fc.flows.maf(3, layers=2, context_dim=1, standardize=False), 0.7, rng=0)


def test_a_context_is_known():
    """One for each row, or one for all; log p(x_a | c) agrees with the marginal of that flow."""
    flow, joint = conditional_flow(), fc.Conditionals(conditional_flow())
    contexts = RNG(0).normal(size=(60, 1))
    x = flow.sample((), 1, context=contexts)
    rows = x.copy()
    rows[:30, 1], rows[30:-2, :2], rows[-1] = np.nan, np.nan, np.nan
    answers = joint.impute(rows, n=5, n_draws=1000, context=contexts)
    assert answers.draws.shape == (5, 60, 3) and answers.trusted.all() and answers.log_p[-1] == 0
    assert answers.log_p[-2] == pytest.approx(flow.log_prob(x[-2], context=contexts[-2]))
    for i in (0, 40):
        one = joint.given(rows[i], n_draws=4000, context=contexts[i])
        tolerance = 5 * (one.error + answers.error[i])
        assert one.log_marginal == pytest.approx(answers.log_p[i], abs=tolerance)
        hole = np.isnan(rows[i])
        expected = flow.log_prob(x[i], context=contexts[i]) - one.log_marginal
        assert one.log_prob(x[i, hole]) == pytest.approx(expected)
        assert one.sample(10, rng=0).shape == (10, hole.sum())
    p = joint.marginal([2])
    assert p.sample(4, 0, context=contexts[:2]).shape == (4, 2, 1)
    np.testing.assert_allclose(
        p.estimate(x[40:42, [2]], 1000, context=contexts[40:42]).log_p,
        answers.log_p[40:42],
        atol=0.3,
    )


# ------------------------------------------------------------------------ names, edges, errors


def test_bad_questions():
    class Broken(Opaque):
        def log_prob(self, x):
            return np.full(np.shape(x)[:-1], np.nan)

    joint, given_one = fc.Conditionals(Opaque(mixture(3))), fc.Conditionals(conditional_flow())
    given, hole = joint.given({0: 0.0}), [[0.5, np.nan, 0.0]]
    for ask, message in (
        (lambda: fc.Conditionals(mixture(3), names=["a", "b"]),
         "2 names, but the density has 3 columns"),
        (lambda: joint.given({0: np.inf}), "must be finite"),
        (lambda: joint.given({3: 0.0}), "column 3: each must be one of 0..2"),
        (lambda: joint.given([0.0, np.nan]), r"not \(2,\)"),
        (lambda: joint.impute([np.nan, 1.0, 2.0]), "X must be rows"),
        (lambda: joint.impute([[np.nan, 1.0]]), r"\(\.\.\., 3\)"),
        (lambda: joint.impute([[np.nan, 1.0, 2.0], [np.nan, 1.0, np.inf]]),
         r"X is infinite in row 1 \(column 2\)"),
        (lambda: joint.impute(hole, n=-1), "n must be an integer >= 0"),
        (lambda: joint.impute(hole, n_draws=0), "n_draws must be an integer >= 30"),
        (lambda: joint.marginal([]), "columns names none"),
        (lambda: given.quantiles(1.5), r"probabilities in \[0, 1\]"),
        (lambda: given.sample(-1), "n must be an integer >= 0, not -1"),
        (lambda: given.sample(2.5), "n must be an integer >= 0, not 2.5"),
        (lambda: mixture(3).given({0: 0.0}, n_draws=10), "exact, and take no n_draws"),
        (lambda: given_one.impute(hole, context=[[np.nan]]), "context has NaN .* in row 0"),
        (lambda: given_one.log_prob(hole, context=[[np.nan]]), "context has NaN .* in row 0"),
        (lambda: fc.Conditionals(Broken(mixture(3))).given({0: 0.0}),
         "log-density is NaN at some draws"),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=message):
            ask()


def test_a_context_of_one_number_is_one():
    flow = randomize(fc.flows.maf(2, layers=1, hidden=[8], context_dim=1, standardize=False), 0.3)
    one, same = (fc.Conditionals(flow).given({0: 0.3}, context=c) for c in (0.5, [0.5]))
    assert (one.mean() == same.mean()).all()


def test_none_is_a_hole_as_nan_is():
    pd = pytest.importorskip("pandas")
    mixture = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    p = fc.Conditionals(mixture, names=["a", "b"])
    expected = p.impute([[1.0, np.nan], [np.nan, 4.0]], 3).draws
    assert (p.impute([[1.0, None], [None, 4.0]], 3).draws == expected).all()
    for hole in (None, pd.NA, np.nan):
        table = pd.DataFrame({"b": [hole, 4.0], "a": [1.0, hole]}, dtype=object)
        assert (p.impute(table, 3).draws == expected).all()
    with pytest.raises(ValueError, match="there is a str 'x' in row 0"):
        p.impute([["x", None]])


def test_values_out_of_the_support_are_no_nan():
    joint = fc.Conditionals(Opaque(fc.Uniform(2)), names=["a", "b"])
    with pytest.raises(ValueError, match=r"known is 0, .* by 1000 draws: a = 7"):
        joint.given({"a": 7.0})
    rows = [[0.5, np.nan], [7.0, np.nan], [0.5, 0.5], [7.0, 0.5]]
    with pytest.warns(UserWarning, match="1 of 4 rows have answers that are not to be trusted.*1"):
        answers = joint.impute(rows, n=2)
    assert answers.log_p[[1, 3]].tolist() == [-np.inf] * 2 and answers.log_p[2] == 0
    assert answers.trusted.tolist() == [True, False, True, True]
    assert np.isfinite(answers.draws).all() and (answers.draws[:, 2] == 0.5).all()
