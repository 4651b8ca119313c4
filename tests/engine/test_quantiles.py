"""cdf, ppf, pit and quantiles: against the integral of the density, and against draws; and PITs in
reports and pictures."""

import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.distributions.law import root
from flowcore.testing import randomize

RNG = np.random.default_rng
ONE = fc.MADE(1, [8], context_dim=2)


def spline(context_dim=0, dtype=float, rng=3, **options):
    options = {"base": "normal", "layers": 2, "hidden": [8], **options}
    flow = fc.flows.nsf(1, context_dim=context_dim, rng=rng, dtype=dtype, **options)
    return randomize(flow, scale=1.0, rng=rng)


def flow(base, *bijectors):
    made = fc.TransformedDistribution(base, fc.Chain(list(bijectors)))
    return randomize(made, scale=0.7, rng=5)


class Mirror(fc.Bijector):
    """x = c_1 z: falls for the rows whose context is negative."""

    context_dim = 2

    def forward_and_log_det(self, z, params=None, context=None):
        return z * context[..., :1], np.log(np.abs(context[..., 0])) + 0 * z[..., 0]

    def inverse_and_log_det(self, x, params=None, context=None):
        return x / context[..., :1], -np.log(np.abs(context[..., 0])) + 0 * x[..., 0]


FALLING = fc.ElementwiseAffine([1.0], [-2.0])
BASES = {
    "normal": fc.Normal(1),
    "diagonal": fc.MultivariateNormalDiag([1.0], [0.3]),
    "uniform": fc.Uniform(-2.0, 5.0),
    "laplace": fc.Laplace(1, 0.5, 2.0),
    "student": fc.StudentT(1, df=2.5),
    "trained student": fc.StudentT(1, df=3.0, trainable=True).with_params([0.2]),
    "gaussian mixture": fc.GaussianMixture(
        [[-2.0], [2.0], [9.0]], [[0.5], [1.0], [0.1]], [3, 1, 2]
    ),
    "normal mixture": fc.MultivariateNormalMixture([[-2.0], [2.0]], [[[0.5]], [[1.0]]], [3, 1]),
    "t mixture": fc.MultivariateTMixture([[-2.0], [2.0]], [[[0.5]], [[1.0]]], [3, 1], df=3.0),
    "mixture": fc.Mixture([fc.Normal(1), fc.Uniform(3.0, 4.0), spline(rng=8)], [2, 1, 3]),
}
FLOWS = {
    "spline": spline(),
    "falling spline": flow(fc.Normal(1), FALLING, spline().bijector),
    "twice falling": flow(fc.Laplace(1), FALLING, spline().bijector, FALLING),
    "invert": fc.TransformedDistribution(fc.Normal(1), fc.Invert(spline().bijector)),
    "lu": flow(fc.StudentT(1, 5.0), fc.LULinear(1)),
    "maf": flow(fc.Normal(1), fc.MaskedAutoregressiveFlow(fc.MADE(1, [8]))),
    "mixture of gaussians": flow(
        fc.Normal(1),
        fc.MaskedAutoregressiveFlow(fc.MADE(1, [8], n_out=9), fc.MixtureOfGaussians(3)),
    ),
    "positive": flow(fc.Normal(1), fc.Exp(1), fc.ElementwiseAffine([0.2], [0.4])),
    "negative": flow(fc.Normal(1), FALLING, fc.Exp(1), fc.ElementwiseAffine([0.2], [0.4])),
    "bounded": spline(bounded=(-1.0, 2.0)),
    "uniform base": flow(fc.Uniform(1), FALLING),
    "modes": flow(BASES["gaussian mixture"], FALLING, spline().bijector),
    "of a flow": fc.TransformedDistribution(spline(), FALLING),
    "over a falling flow": fc.TransformedDistribution(flow(fc.Normal(1), FALLING), FALLING),
    "of a mixture": fc.TransformedDistribution(BASES["mixture"], FALLING),
}
GIVEN = {
    "spline given": spline(2),
    "falling given": flow(fc.Normal(1), FALLING, spline(2).bijector),
    "mirror": fc.TransformedDistribution(fc.Normal(1), fc.Chain([Mirror(1), spline(2).bijector])),
    "context in the base": fc.TransformedDistribution(spline(2), FALLING),
    "context in both": fc.TransformedDistribution(spline(2), Mirror(1)),
    "mixture given": fc.Mixture([spline(2), spline(2, rng=1), fc.Normal(1)], [1, 2, 3]),
    "bounded given": spline(2, bounded=(-1.0, 2.0)),
    "estimator's": fc.TransformedDistribution(
        fc.Mixture([spline(2), fc.Laplace(1)]),
        fc.Standardize(1).with_moments(np.array([3.0]), np.array([0.2])),
    ),
}
CONTEXTS = RNG(0).normal(size=(4, 2)) + np.array([[1.0], [-1.0], [0.3], [-0.3]])


def draws(density, n, context=None, rng=0):
    return density.sample(n, rng=rng) if context is None else density.sample(n, rng, context)


def is_integral(density, context=None):
    """F against Gauss-Legendre's rule between neighbouring draws: no cell holds much mass."""
    x = draws(density, 4000, context)[:, 0]
    x = np.sort(np.concatenate([x, np.linspace(x.min(), x.max(), 8000)]))
    node, weight = np.polynomial.legendre.leggauss(3)
    middle, half = (x[1:] + x[:-1]) / 2, (x[1:] - x[:-1]) / 2
    p = np.exp(
        density.log_prob((middle[:, None] + half[:, None] * node)[..., None], context=context)
    )
    total = np.concatenate([[0.0], np.cumsum(half * (p @ weight))])
    u = density.cdf(x[:, None], context)[:, 0]
    np.testing.assert_allclose(u - u[0], total, atol=3e-4)
    assert u[-1] - u[0] > 0.99


@pytest.mark.parametrize("name", BASES | FLOWS)
def test_cdf_is_the_integral_of_the_density(name):
    is_integral((BASES | FLOWS)[name])


@pytest.mark.parametrize("name", GIVEN)
def test_cdf_given_a_context_is_the_integral_of_the_density(name):
    for context in CONTEXTS[:2]:
        is_integral(GIVEN[name], context)


@pytest.mark.parametrize("name", BASES | FLOWS)
def test_ppf_is_the_inverse_of_cdf(name):
    density, q = (BASES | FLOWS)[name], np.linspace(0.001, 0.999, 40)
    x = density.quantiles(q)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(density.pit(x), q, rtol=1e-9)
    y = draws(density, 200, rng=3)
    np.testing.assert_allclose(density.ppf(density.cdf(y)), y, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("loc", "sd"), [(1e12, 1), (-1e12, 1), (1e6, 1e-3), (3, 1e-8)])
def test_quantiles_of_a_mixture_far_from_zero_are_as_precise_as_their_numbers(loc, sd):
    parts = [stats.norm(loc, sd), stats.norm(loc + sd, 2 * sd)]
    density = fc.Mixture([fc.MultivariateNormalDiag([p.mean()], [p.std()]) for p in parts], [1, 3])
    q = np.linspace(0.001, 0.999, 500)
    x = density.quantiles(q)
    assert (np.diff(x) >= 0).all()
    levels = sum(w * p.cdf(x) for w, p in zip([0.25, 0.75], parts, strict=True))
    np.testing.assert_allclose(levels, q, atol=np.spacing(abs(loc)) / sd)


@pytest.mark.parametrize("name", GIVEN)
def test_quantiles_given_a_context(name):
    density, q = GIVEN[name], np.array([0.02, 0.5, 0.9])
    x = density.quantiles(q, CONTEXTS)
    assert x.shape == (3, 4)
    assert (np.diff(x, axis=0) > 0).all()
    for level, found in zip(q, x, strict=True):
        np.testing.assert_allclose(density.pit(found, CONTEXTS), level, rtol=1e-9)
    for i, row in enumerate(CONTEXTS):  # a row alone = the row in company
        np.testing.assert_allclose(density.quantiles(q, row[None])[:, 0], x[:, i], rtol=1e-10)
        alone = density.cdf(x[0, i : i + 1], row)
        np.testing.assert_allclose(alone, density.pit(x[0], CONTEXTS)[i], rtol=1e-12)


@pytest.mark.parametrize("name", BASES | FLOWS | GIVEN)
def test_pit_of_draws_is_uniform(name):
    density = (BASES | FLOWS | GIVEN)[name]
    context = RNG(1).normal(size=(2000, 2)) if name in GIVEN else None
    y = density.sample(2000, rng=2) if context is None else density.sample((), 2, context)
    u = density.pit(y, context)
    assert u.shape == (2000,)
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    away = density.pit(y + 0.3 * np.std(y), context)
    assert stats.kstest(away, "uniform").pvalue < 1e-6


def test_levels_0_and_1_are_the_ends_of_the_support():
    ends = lambda name: (BASES | FLOWS)[name].quantiles([0, 1]).tolist()  # noqa: E731
    for name in ("normal", "laplace", "student", "gaussian mixture", "t mixture", "mixture"):
        assert ends(name) == [-np.inf, np.inf]
    for name in ("spline", "falling spline", "twice falling", "invert", "lu", "modes"):
        assert ends(name) == [-np.inf, np.inf]
    assert ends("uniform") == [-2, 5]
    assert ends("uniform base") == [-1, 1]
    assert ends("bounded") == pytest.approx([-1, 2])
    assert fc.TransformedDistribution(fc.Normal(1), fc.Exp(1)).quantiles([0, 1]).tolist() == [
        0,
        np.inf,
    ]
    both = fc.Mixture([fc.Uniform(0.0, 1.0), fc.Uniform(2.0, 5.0)])
    assert both.quantiles([0, 0.25, 0.75, 1]).tolist() == pytest.approx([0, 0.5, 3.5, 5])


def test_outside_of_the_support_and_nan():
    for density, low, high in (
        (FLOWS["bounded"], -1.5, 2.5),
        (fc.TransformedDistribution(fc.Normal(1), fc.Exp(1)), -1.0, np.inf),
        (BASES["uniform"], -3.0, 6.0),
        (FLOWS["falling spline"], -np.inf, np.inf),
        (FLOWS["uniform base"], -4.0, 4.0),
    ):
        found = density.pit([low, high, np.nan, density.quantiles(0.3)[0]])
        np.testing.assert_allclose(found, [0, 1, np.nan, 0.3], rtol=1e-9)
    context = CONTEXTS.copy()
    context[1, 0] = np.nan
    for density in GIVEN.values():
        if density is not GIVEN["mixture given"] and density is not GIVEN["estimator's"]:
            assert np.isnan(density.pit(np.full(4, 9.0), context)).tolist() == [0, 1, 0, 0]
        assert np.isnan(density.quantiles(0.4, context)).tolist() == [[0, 1, 0, 0]]


def test_several_independent_columns():
    z = RNG(4).normal(size=(5, 3, 2))
    for density, each in (
        (fc.Normal(2), [fc.Normal(1)] * 2),
        (fc.Uniform(2, -1.0, [1.0, 3.0]), [fc.Uniform(-1.0, 1.0), fc.Uniform(-1.0, 3.0)]),
        (fc.Laplace(2, 1.0, [0.5, 2.0]), [fc.Laplace(1, 1.0, 0.5), fc.Laplace(1, 1.0, 2.0)]),
        (fc.StudentT(2, df=[1.5, 4.0]), [fc.StudentT(1, 1.5), fc.StudentT(1, 4.0)]),
    ):
        u = density.cdf(z)
        assert u.shape == z.shape
        np.testing.assert_array_equal(
            u, np.dstack([p.cdf(z[..., i : i + 1]) for i, p in enumerate(each)])
        )
        inside = (u > 0) & (u < 1)
        np.testing.assert_allclose(density.ppf(u)[inside], z[inside])


def test_columns_of_a_mixture_of_gaussians_have_their_marginals():
    p = fc.MultivariateNormalMixture([[0.0, 4.0], [1.0, 2.0]], [[[1, 0], [0.8, 0.6]]] * 2, [3, 1])
    x = p.sample(20, rng=0)
    each = [p.marginal([i]).cdf(x[:, i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(p.cdf(x), np.hstack(each))
    np.testing.assert_allclose(p.ppf(p.cdf(x)), x, rtol=1e-8)


def test_float32():
    for base in (fc.Normal(1), fc.GaussianMixture([[-2.0], [2.0]], 0.5, dtype=np.float32)):
        low, q = spline(dtype=np.float32), np.linspace(0.01, 0.99, 50)
        density = fc.TransformedDistribution(base, low.bijector)
        assert density.dtype == np.float32
        mixture = fc.Mixture([density, fc.TransformedDistribution(density, FALLING)])
        for one in (density, mixture):
            x = one.quantiles(q)
            np.testing.assert_allclose(one.pit(x), q, atol=1e-5)
        high = spline()
    np.testing.assert_allclose(low.quantiles(q), high.quantiles(q), atol=1e-4)


def test_refused():
    angles = fc.flows.nsf(1, circular=[0])
    wide = fc.flows.nsf(2)
    for call, words in (
        (lambda: wide.cdf([[0, 0]]), "one column, not of 2: posterior"),
        (lambda: fc.Mixture([fc.Normal(2)]).cdf([[0, 0]]), "one column"),
        (lambda: fc.Normal(2).pit([0]), "pit takes a density of one column, not of 2"),
        (lambda: fc.Normal(2).quantiles([0.5]), "quantiles takes"),
        (lambda: angles.quantiles([0.5]), "has no cdf: .* posterior"),
        (lambda: fc.VonMises([0.0]).cdf([[0.0]]), "VonMises.* has no cdf"),
        (lambda: fc.Uniform(-np.pi, np.pi, circular=True).ppf([[0.5]]), "has no cdf"),
        (lambda: fc.Normal(1).ppf([[1.01]]), "q must be probabilities"),
        (lambda: fc.Normal(1).ppf([[np.nan]]), "q must be probabilities"),
        (lambda: fc.Normal(1).quantiles([-0.1]), "q must be probabilities"),
        (lambda: fc.Normal(1).quantiles([np.nan]), "q must be probabilities"),
        (lambda: fc.Normal(1).cdf([0.0, 1.0]), r"x\[:, None\]"),
        (lambda: spline(2).pit([0.0]), "needs context"),
        (lambda: fc.Normal(1).pit([0.0], context=[[1.0]]), "takes no context"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


class Logistic(fc.Distribution):
    dim = 1

    def sample(self, n=1, rng=None):
        return RNG(rng).logistic(size=(n, 1))

    def log_prob(self, x, params=None, context=None):
        return stats.logistic.logpdf(x)[..., 0]


class WithCdf(Logistic):
    def cdf(self, x, context=None):
        return stats.logistic.cdf(x)

    def ppf(self, q, context=None):
        return stats.logistic.ppf(q)


def test_a_base_of_the_users_own():
    with pytest.raises(ValueError, match=r"write cdf\(x, context=None\) and ppf"):
        fc.TransformedDistribution(Logistic(), FALLING).quantiles([0.5])
    own = fc.TransformedDistribution(WithCdf(), fc.ElementwiseAffine([1.0], [-2.0]))
    np.testing.assert_allclose(own.quantiles([0.2]), 1 - 2 * stats.logistic.ppf(0.8))
    np.testing.assert_allclose(WithCdf().pit([0.3]), stats.logistic.cdf(0.3))


def test_tables_of_one_column():
    pandas = pytest.importorskip("pandas")
    density, y = spline(2), np.array([0.1, 0.2, -0.4, 3.0])
    u = density.pit(y, CONTEXTS)
    frame = pandas.DataFrame({"z": y})
    for same in (y[:, None], y.tolist(), frame, frame["z"]):
        np.testing.assert_array_equal(density.pit(same, CONTEXTS), u)


def test_root_search():
    q = RNG(2).random(500)
    hard = [  # steep, flat, with a gap, with heavy tails, all on one side
        lambda x: np.tanh(300 * (x - 0.2)) / 2 + 0.5,
        lambda x: np.clip(x, -1, 1) ** 9 / 2 + 0.5,
        lambda x: np.where(x < -1, np.exp(x + 1) / 2, np.where(x > 1, 1 - np.exp(1 - x) / 2, 0.5)),
        lambda x: np.arctan(x) / np.pi + 0.5,
        lambda x: -np.expm1(-np.maximum(x, 0)),
    ]
    for cdf in hard:
        calls = []
        x = root(
            lambda x, cdf=cdf, calls=calls: calls.append(x) or cdf(x),
            q,
            np.full(500, -1e6),
            np.full(500, 1e6),
        )
        assert len(calls) <= 105
        near = 1e-9 * abs(x) + 1e-12
        assert ((cdf(x - near) <= q) & (cdf(x + near) >= q)).all()


def test_a_curved_cdf_costs_few_steps():
    """An end that stays counts half (Illinois): without this it takes 29 to 33 steps, not 17."""
    for cdf in (lambda x: x**9, lambda x: 1 - (1 - x) ** 9):  # the one or the other end stays
        for q in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
            calls = []
            x = root(lambda x, cdf=cdf, calls=calls: calls.append(x) or cdf(x), q, 0.0, 1.0)
            assert cdf(x) == pytest.approx(q, abs=1e-10) and len(calls) <= 18


# ---------------------------------------------------------------- in reports and in pictures


def noisy(n, rng=0, scale=1.0):
    """y | c ~ N(sin c_1, (0.2 + c_2^2 / 4)^2), and how it is drawn with another scale."""
    context = RNG(rng).normal(size=(n, 2))
    spread = 0.2 + context[:, 1] ** 2 / 4
    return np.sin(context[:, 0]) + scale * spread * RNG(rng + 1).normal(size=n), context


class Truth(fc.Bijector):
    context_dim = 2

    def forward_and_log_det(self, z, params=None, context=None):
        spread = 0.2 + context[..., 1:] ** 2 / 4
        return np.sin(context[..., :1]) + spread * z, np.log(spread)[..., 0]

    def inverse_and_log_det(self, x, params=None, context=None):
        spread = 0.2 + context[..., 1:] ** 2 / 4
        return (x - np.sin(context[..., :1])) / spread, -np.log(spread)[..., 0]


@pytest.mark.usefixtures("few_folds_here")
def test_report_of_a_conditional_density():
    truth = fc.TransformedDistribution(fc.Normal(1), Truth(1))
    y, context = noisy(1500, rng=3)
    right = fc.diagnose(truth, y[:, None], context=context, names=["z"])
    (found,) = right.of("pit")
    ks = stats.kstest(truth.pit(y, context), "uniform")
    assert (found.effect, found.p) == (ks.statistic, ks.pvalue)  # exact: no draws
    assert "The exact PIT, F(x | context) of every row, differs from uniform numbers by no" in str(
        right
    )
    y, context = noisy(1500, rng=3, scale=1.6)
    wrong = fc.diagnose(truth, y[:, None], context=context, names=["z"])
    (found,) = wrong.of("pit")
    assert found.fault
    assert found.sentence.startswith(
        "The density puts too little mass in the tails of `z` given the"
    )
    wrong.figure()
    for density, x, c in (
        (fc.Normal(1), y[:, None], None),
        (fc.TransformedDistribution(fc.UniformCircle(1), Truth(1)), y[:, None], context),
    ):
        report = fc.diagnose(density, x, context=c)
        assert not report.of("pit")


def test_a_picture_of_pits_and_its_band():
    """Which holds 95% of the bars of uniform numbers."""
    u = RNG(0).random(1000)
    ax = fc.plots.pit(u)
    (bars,) = (p for p in ax.patches if hasattr(p, "get_data"))
    np.testing.assert_allclose(bars.get_data().values, np.histogram(u, 20, (0, 1))[0] / 50)
    assert (
        ax.texts[0].get_text()
        == f"n = 1,000, KS = {stats.kstest(u, 'uniform').statistic:.3f}; band: 95%"
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PIT", "density")
    assert fc.plots.pit([0.5, 1.0], ax=ax) is ax
    for wrong in ([], [0.5, 1.2], [np.nan, 0.5]):
        with pytest.raises(ValueError, match="PIT values in"):
            fc.plots.pit(wrong)
    ax = fc.plots.pit(RNG(0).random(2000))
    band = next(p for p in ax.patches if not hasattr(p, "get_data")).get_extents()
    low, high = ax.transData.inverted().transform(band)[:, 1]
    bars = RNG(1).multinomial(2000, np.full(20, 0.05), size=2000) / 100
    assert ((bars > low) & (bars < high)).mean() == pytest.approx(0.95, abs=0.01)
