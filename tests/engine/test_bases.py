"""Base densities: against scipy, at the edges and far out; conditionals; mixtures fitted by EM."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats
from support.registry import DENSITIES, FACTORS, MEANS, SCALES

import flowcore as fc
from flowcore.mixtures.expectation_maximization import by_bic, whitened

MEANS, SCALES, FACTORS = np.array(MEANS), np.array(SCALES), np.array(FACTORS)
WEIGHTS = np.array([0.5, 0.2, 0.3])


class MixtureByScipy:
    """The joint density of t densities with these shapes (df=inf: Gaussians), and the cdfs."""

    def __init__(self, covariances, df=np.inf):
        self.covariances, self.df = covariances, df

    def logpdf(self, z):
        parts = zip(WEIGHTS, MEANS, self.covariances, strict=True)
        return np.log(sum(w * stats.multivariate_t(m, c, self.df).pdf(z) for w, m, c in parts))

    def cdf(self, i):
        parts = list(zip(WEIGHTS, MEANS[:, i], np.sqrt(self.covariances[:, i, i]), strict=True))
        return lambda v: sum(w * stats.t(self.df, m, s).cdf(v) for w, m, s in parts)


class Independent:
    def __init__(self, *parts):
        self.parts = parts

    def logpdf(self, z):
        return sum(part.logpdf(z[..., i]) for i, part in enumerate(self.parts))

    def cdf(self, i):
        return self.parts[i].cdf


T = Independent(stats.t(1.5), stats.t(30))
TRUTHS = {  # of the densities of the registry
    "diagonal": Independent(stats.norm(1, 0.5), stats.norm(-2, 3)),
    "uniform": Independent(stats.uniform(-9, 18), stats.uniform(-8, 17.5)),
    "laplace": Independent(stats.laplace(0, 2), stats.laplace(1, 0.5)),
    "student-trainable": T,
    "mixture": MixtureByScipy(np.stack([np.diag(s**2) for s in SCALES])),
    "normal-mixture": MixtureByScipy(FACTORS @ FACTORS.transpose(0, 2, 1)),
    "t-mixture": MixtureByScipy(FACTORS @ FACTORS.transpose(0, 2, 1), df=3.5),
}
BASES = {name: (DENSITIES[name], truth) for name, truth in TRUTHS.items()}
BASES["normal"] = (lambda: fc.Normal(2), Independent(stats.norm(), stats.norm()))
BASES["student"] = (lambda: fc.StudentT(2, df=[1.5, 30]), T)


@pytest.mark.parametrize("name", BASES)
def test_against_scipy(name):
    make, truth = BASES[name]
    base = make()
    z = base.sample(5000, rng=0)
    assert z.shape == (5000, 2) and base.sample(0).shape == (0, 2) and base.dim == 2
    for i in range(2):
        assert stats.kstest(z[:, i], truth.cdf(i)).pvalue > 1e-3
    np.testing.assert_allclose(base.log_prob(z), truth.logpdf(z), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(base.sample((2, 3), 1), base.sample(6, 1).reshape(2, 3, 2))
    assert base.sample((), 1).shape == (2,) and base.sample(rng=1).shape == (1, 2)


@pytest.mark.parametrize("name", BASES)
def test_moments(name):
    make, truth = BASES[name]
    if "mixture" in name:
        with pytest.raises(NotImplementedError, match=r"Mixture.* no closed form"):
            make().entropy()
        z = make().sample(200_000, rng=0)
        error = z.std(axis=0) / np.sqrt(len(z))
        assert (np.abs(make().mean() - z.mean(axis=0)) < 5 * error).all()
        np.testing.assert_allclose(make().std(), z.std(axis=0), rtol=0.02)
        return
    np.testing.assert_allclose(make().mean(), [part.mean() for part in truth.parts], atol=1e-12)
    np.testing.assert_allclose(make().std(), [part.std() for part in truth.parts], rtol=1e-12)
    assert make().entropy() == pytest.approx(sum(part.entropy() for part in truth.parts), rel=1e-12)


def test_moments_of_cauchy_do_not_exist():
    base = fc.StudentT(2, df=[1.0, 2.0])
    np.testing.assert_array_equal(base.mean(), [np.nan, 0])
    np.testing.assert_array_equal(base.std(), [np.nan, np.inf])
    assert base.entropy() == pytest.approx(np.log(4 * np.pi) + stats.t(2).entropy())
    for df, mean, std in ((1.0, np.nan, np.nan), (2.0, 0.0, np.inf), (2.5, 0.0, np.sqrt(5))):
        mixture = fc.MultivariateTMixture([[0.0, 0.0]], [np.eye(2)], df=df)
        np.testing.assert_allclose([mixture.mean(), mixture.std()], [[mean] * 2, [std] * 2])


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_student_at_every_log_df(dtype):
    """Where exp(log df) is inf it is Normal, where it is 0 it is as heavy as floats allow."""
    z, normal = np.linspace(-3, 3, 8, dtype=dtype).reshape(4, 2), fc.Normal(2)
    for log_df in (100, 710, 1e30):
        base = fc.StudentT(2, trainable=True).with_params(np.full(2, log_df, dtype))
        np.testing.assert_allclose(base.log_prob(z), normal.log_prob(z), rtol=1e-5)
        np.testing.assert_allclose(base.std(), 1)
        slope = autograd.grad(lambda theta, base=base: anp.sum(base.log_prob(z, theta)))
        np.testing.assert_allclose(slope(base.params), 0, atol=1e-5)
    heavy = base.with_params(np.full(2, -1e4, dtype))
    assert np.isfinite(heavy.log_prob(z)).all()


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("name", BASES)
def test_infinite_and_nan_rows(name, dtype):
    """Warnings are errors here."""
    base = BASES[name][0]()
    base = base.with_params(base.params.astype(dtype))
    inf, nan = np.inf, np.nan
    z = np.array([[inf, 0], [-inf, inf], [1, 2.2], [nan, 2.2], [2.2, nan], [inf, nan]], dtype)
    log_prob = base.log_prob(z)
    assert (log_prob[:2] == -inf).all() and np.isfinite(log_prob[2])
    assert np.isnan(log_prob[3:]).all()
    np.testing.assert_array_equal(base.log_prob(z[2]), log_prob[2])
    assert base.log_prob(z[2]).dtype == log_prob.dtype == dtype
    far = base.log_prob(np.full((1, 2), 1e30 if dtype is np.float32 else 1e200, dtype))
    assert far < -30 and (np.isfinite(far).all() or "student" not in name)


def test_far_tails_of_student_and_laplace_are_finite():
    """t^2 would overflow."""
    far = np.array([[1e200, -1e250]])
    np.testing.assert_allclose(
        fc.StudentT(2, df=2.0).log_prob(far), -3 * 450 * np.log(10), rtol=1e-3
    )
    z_bar = autograd.grad(lambda z: anp.sum(fc.StudentT(2, df=2.0).log_prob(z)))(far)
    np.testing.assert_allclose(z_bar, -3 / far, rtol=1e-12)
    z_bar = autograd.grad(lambda z: anp.sum(fc.StudentT(2, df=2.0).log_prob(z)))(0 * far)
    np.testing.assert_array_equal(z_bar, 0 * far)
    np.testing.assert_allclose(fc.Laplace(2).log_prob(far), -1e250)


# ---------------------------------------------------------------- each on its own


def test_uniform_edges():
    base = fc.Uniform(2, [-1, 0], [1, 0.5])
    corners = np.array([[-1, 0], [1, 0.5], [-1, 0.5]])
    np.testing.assert_array_equal(base.log_prob(corners), [0.0, 0.0, 0.0])
    outside = np.nextafter(corners, [[-2, 0], [2, 0], [-1, 1]])
    np.testing.assert_array_equal(base.log_prob(outside), np.full(3, -np.inf))
    z = base.sample(10_000, rng=0)
    assert (z >= base.low).all() and (z < base.high).all()
    assert np.isfinite(base.log_prob(z.astype(np.float32))).all()
    np.testing.assert_array_equal(autograd.grad(lambda z: anp.sum(base.log_prob(z)))(z), 0 * z)


@pytest.mark.parametrize("df", [1e-3, 0.7, 10, 99.999, 100.001, 150, 1e4])
def test_student_for_all_df(df):
    z = np.array([[0.0], [1e-9], [0.3], [1.0], [40.0], [1e6]])
    np.testing.assert_allclose(
        fc.StudentT(1, df).log_prob(z), stats.t(df).logpdf(z[:, 0]), rtol=1e-11
    )


@pytest.mark.parametrize("df", [0.7, 99.999, 100.001, 1e3])
def test_the_slope_by_log_df(df):
    """Against a difference quotient that leaves an error of about 1e-10."""
    z, base = np.array([[0.3], [1.7]]), fc.StudentT(1, df, trainable=True)
    slope = autograd.jacobian(lambda th: base.log_prob(z, params=th))(base.params)[:, 0]
    ends = [stats.t(df * np.exp(h)).logpdf(z[:, 0]) for h in (1e-3, -1e-3)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-3, rtol=1e-5, atol=1e-9)


# ---------------------------------------------------------------- conditionals and marginals

RNG = np.random.default_rng(7)
UNITS = np.array([1.0, 1e-6, 1e9, 1.0])  # columns whose squares have nothing in common
FOUR = fc.MultivariateNormalMixture(
    UNITS * RNG.normal(0, 2, (3, 4)),
    UNITS[:, None] * (np.tril(RNG.normal(size=(3, 4, 4)), -1) + np.diag([0.4, 1.0, 0.2, 2.0])),
    [1, 2, 3],
)
FOUR_T = fc.MultivariateTMixture(FOUR.means, FOUR.scale_tril, FOUR.weights, df=2.5)


def t_logpdf(weights, means, covariances, x, df):
    parts = zip(weights, means, covariances, strict=True)
    return np.log(sum(w * stats.multivariate_t(m, c, df).pdf(x) for w, m, c in parts))


@pytest.mark.parametrize("four", [FOUR, FOUR_T])
@pytest.mark.parametrize("columns", [[2], [1, 3, 0]])
def test_marginals_are_the_blocks_of_the_covariances(columns, four):
    found, x = four.marginal(columns), four.sample(20, rng=1)[:, columns] / UNITS[columns]
    blocks = (FOUR.covariances / np.outer(UNITS, UNITS))[:, columns][:, :, columns]
    expected = t_logpdf(four.weights, (four.means / UNITS)[:, columns], blocks, x, four.df)
    expected -= np.log(UNITS[columns]).sum()
    np.testing.assert_allclose(found.log_prob(x * UNITS[columns]), expected, rtol=1e-10)


@pytest.mark.parametrize("four", [FOUR, FOUR_T])
@pytest.mark.parametrize("columns", [[2], [3, 0], [1, 3, 0]])
def test_conditionals_are_the_joint_density_over_the_marginal(columns, four):
    others = [j for j in range(4) if j not in columns]
    x = four.sample(20, rng=2)
    known = x[0, columns]
    x[:, columns] = known
    found = four.given(dict(zip(columns, known, strict=True)))
    expected = four.log_prob(x) - four.marginal(columns).log_prob(known)
    np.testing.assert_allclose(found.log_prob(x[:, others]), expected, rtol=1e-9, atol=1e-9)
    row = np.where(np.isin(np.arange(4), columns), x[0], np.nan)
    np.testing.assert_allclose(four.given(row).means, found.means, rtol=1e-12)


@pytest.mark.parametrize("four", [FOUR, FOUR_T])
@pytest.mark.parametrize("columns", [[], [2], [3, 0]])
def test_draws_of_many_rows_given_what_they_know(columns, four):
    """Each row's draws follow its own conditional, and come with its log-density."""
    rows, others = four.sample(3, rng=3), [j for j in range(4) if j not in columns]
    rows[:, others] = np.nan
    x, log_p = four.sample_given(rows, 2000, rng=0)
    assert x.shape == (3, 2000, 4) and (x[..., columns] == rows[:, None, columns]).all()
    for row, draws, own in zip(rows, x, log_p, strict=True):
        given = four.given(row)
        np.testing.assert_allclose(own, given.log_prob(draws[:, others]), rtol=1e-8, atol=1e-8)
        again = given.sample(2000, rng=1)
        for j, column in enumerate(others):
            assert stats.ks_2samp(draws[:, column], again[:, j]).pvalue > 1e-4
    assert four.sample_given(rows[:0], 5, rng=0)[0].shape == (0, 5, 4)
    for wrong in ([[1.0] * 4], [[np.nan, 1, 1, 1], [1, np.nan, 1, 1]]):
        with pytest.raises(ValueError, match="NaN in the same columns"):
            four.sample_given(wrong, 1)


def test_likely_values_are_the_centre_of_the_highest_component():
    """A component far from the known values is wide, so its centre is low."""
    means, factors = np.column_stack([MEANS, [0, 3, -1]]), np.zeros((3, 3, 3))
    factors[:, :2, :2], factors[:, 2, 2] = FACTORS, [0.3, 1, 2]
    p = fc.MultivariateTMixture(means, factors, df=3.0)
    columns = np.arange(1, p.dim)
    for row in p.sample(5, 0):
        row[columns] = np.nan
        parts = [fc.MultivariateTMixture([m], [f], df=3.0).given(row)
                 for m, f in zip(means, factors, strict=True)]  # fmt: skip
        for shift in np.linspace(-2, 2, 21):
            log_w = np.arange(len(parts)) * shift
            heights = [float(part.log_prob(part.means[0])) for part in parts] + log_w
            found = p.likely(row[None], log_w[:, None])
            wanted = parts[np.argmax(heights)].means[0]
            np.testing.assert_allclose(found[0, columns], wanted)


def test_conditionals_at_their_edges():
    assert FOUR.given({}) is FOUR and FOUR.given([np.nan] * 4) is FOUR
    near = FOUR.given({0: FOUR.means[0, 0] + 1e4})  # one component has all of the mass
    assert near.n_components < 3 and near.weights.sum() == pytest.approx(1)
    for known, message in (
        ({0: np.inf}, "must be finite"), ({4: 1.0}, r"column 4: each must be one of 0..3"),
        ([1.0] * 4, "all columns are known"), ({0: 1e300}, "too far from every component"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            FOUR.given(known)
    for columns in ([0, 0], [-1], []):
        with pytest.raises(ValueError, match=r"columns?"):
            FOUR.marginal(columns)


FITTED = {
    "mixture": lambda x: fc.GaussianMixture.from_data(x, 3, rng=0),
    "normal-mixture": lambda x: fc.MultivariateNormalMixture.from_data(x, 3, rng=0),
    "normal-mixture, its size by BIC": lambda x: fc.MultivariateNormalMixture.from_data(x, "bic"),
}


def test_larger_mixtures_are_tried_until_two_in_a_row_are_no_better():
    log_p = {1: 0.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0, 8: 9.0}  # by the number of components
    found = by_bic(lambda k: (log_p[k], k), n=100, dim=1, sizes=[*log_p])
    assert found == 4


@pytest.mark.parametrize("dim", [1, 4])
def test_a_component_has_to_gain_half_of_log_n_for_each_of_its_numbers(dim):
    """Its weight, its mean, and the lower triangle of its covariance."""
    least = (1 + dim + len(np.tril_indices(dim)[0])) * np.log(500) / 1000
    for gain, k in ((0.99 * least, 1), (1.01 * least, 2)):
        assert by_bic(lambda k, gain=gain: ((k - 1) * gain, k), 500, dim, [1, 2]) == k


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("unit, shift", [(1e-6, 100.0), (1e200, 0.0)])
def test_a_mixture_is_fitted_in_any_units(name, unit, shift):
    """And is as good as the truth on fresh rows."""
    if name == "mixture" and unit == 1e200:
        return
    fit, truth = FITTED[name], DENSITIES[name.partition(",")[0]]()
    x, fresh = truth.sample(3000, rng=2), truth.sample(3000, rng=1)  # with rng=0 BIC is undecided
    found = fit(shift + unit * x)
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose((found.means[order] - shift) / unit, MEANS[[0, 2, 1]], atol=0.15)
    np.testing.assert_allclose(found.weights[order], WEIGHTS[[0, 2, 1]], atol=0.05)
    gain = found.log_prob(shift + unit * fresh) + 2 * np.log(unit) - truth.log_prob(fresh)
    assert abs(gain.mean()) < 0.02
    np.testing.assert_array_equal(found.params, fit(shift + unit * x).params)
    if "BIC" in name:  # five rows a component and number
        assert [fit(unit * x[:n]).n_components for n in (29, 3000)] == [1, 3]


def test_a_mixture_of_t_is_fitted_to_tails():
    """By EM: as good as the truth on fresh rows, where Gaussians are not."""
    truth = DENSITIES["t-mixture"]()
    x, fresh = truth.sample(4000, rng=0), truth.sample(4000, rng=1)
    found = fc.MultivariateTMixture.from_data(x, 3, df=3.5)
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose(found.means[order], MEANS[[0, 2, 1]], atol=0.2)
    np.testing.assert_allclose(found.weights[order], WEIGHTS[[0, 2, 1]], atol=0.05)
    scales, expected = (np.diagonal(L, axis1=1, axis2=2) for L in (found.scale_tril, FACTORS))
    ratio = (scales[order] / expected[[0, 2, 1]])[:2]  # the prior widens the third, a tiny one
    np.testing.assert_allclose(ratio, 1, atol=0.1)
    lost = truth.log_prob(fresh) - found.log_prob(fresh)
    gaussians = fc.MultivariateNormalMixture.from_data(x, 3)
    assert lost.mean() < 0.03 < (truth.log_prob(fresh) - gaussians.log_prob(fresh)).mean()
    one = fc.MultivariateTMixture.from_data(x, 1, rng=1)
    assert (one.df, one.n_components) == (5.0, 1)


def slope(p):
    """Of the second column, given the first one."""
    return (p.scale_tril[0, 1] @ p.scale_tril[0, 0]) / (p.scale_tril[0, 0] @ p.scale_tril[0, 0])


@pytest.mark.parametrize("n", [20, 77, 300])
def test_one_gaussian_has_the_correlations_of_its_rows(n):
    """The slope is unbiased, and that of least squares."""
    truth, found, least = CORRELATED, [], []
    for seed in range(60):
        x = truth.sample(n, rng=seed)
        found.append(slope(fc.MultivariateNormalMixture.from_data(x, 1)))
        least.append(np.polyfit(*x.T, 1)[0])
    assert abs(np.mean(found) - 0.8) < 2 * np.std(found) / np.sqrt(60)
    assert abs(np.mean(found) - np.mean(least)) < 0.005


CORRELATED = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0], [0.8, 0.6]]])


def test_one_gaussian_of_many_rows_is_the_most_likely_one():
    """Nearly: also where all columns are nearly the same, as shrinking them costs most there."""
    truth = np.linalg.cholesky(0.99 + 0.01 * np.eye(10))
    x = np.random.default_rng(0).normal(size=(200, 10)) @ truth.T
    most = stats.multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True)).logpdf(x)
    assert most.mean() - 2e-3 < fc.MultivariateNormalMixture.from_data(x, 1).log_prob(x).mean()


@pytest.mark.parametrize("n, dim, rank", [(8, 8, 8), (12, 8, 8), (20, 20, 3)])
def test_one_gaussian_of_few_rows_serves_fresh_ones(n, dim, rank):
    """It is better than columns that are independent, and has no direction without variance."""
    rng = np.random.default_rng(1)
    factor, rows = rng.normal(size=(dim, rank)), rng.normal(size=(n + 500, rank))
    x, fresh = np.split(rows @ factor.T + 0.1 * rng.normal(size=(n + 500, dim)), [n])
    found = fc.MultivariateNormalMixture.from_data(x, 1)
    alone = stats.norm(x.mean(axis=0), x.std(axis=0)).logpdf(fresh).sum(axis=1)
    assert found.log_prob(fresh).mean() > alone.mean()
    assert np.linalg.cond(found.scale_tril[0] / x.std(axis=0)[:, None]) < 100


def test_normal_mixture_of_weighted_rows():
    x, times = BASES["normal-mixture"][0]().sample(200, rng=0), np.arange(200) % 3
    make = fc.MultivariateNormalMixture.from_data
    weighted, repeated = make(x, 1, times), make(np.repeat(x, times, axis=0), 1)
    np.testing.assert_allclose(weighted.means, repeated.means, rtol=1e-9)
    np.testing.assert_allclose(weighted.covariances, repeated.covariances, rtol=0.02)
    assert make(x[:5], 4).log_prob(x).max() < 20  # does not collapse onto a row
    z, _, factor = whitened(np.ones((5, 2)), np.full(5, 0.2), shrink=False)  # no variance at all
    assert not z.any() and (np.diagonal(factor) > 0).all()


@pytest.mark.parametrize("name", ["student-trainable", "mixture"])
def test_a_file_keeps_parameters_that_exp_cannot_take(name, tmp_path):
    """The constructor would refuse scales or df of 0."""
    base = BASES[name][0]()
    base = base.with_params(np.full(base.n_params, -800.0))
    fc.save(base, tmp_path / "base.npz")
    np.testing.assert_array_equal(fc.load(tmp_path / "base.npz").params, base.params)


def test_spread_has_unit_scale():
    z = np.concatenate([fc.GaussianMixture.spread(8, 2, rng=k).sample(100, k) for k in range(100)])
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(z.var(axis=0), 1, atol=0.1)
