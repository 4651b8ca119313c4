"""PIT and quantiles of estimators, in reports and in pictures."""

import numpy as np
import pytest
from scipy import stats

import flowcore as fc

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng


def given(n, rng=0, scale=1.0):
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


TRUTH = fc.TransformedDistribution(fc.Normal(1), Truth(1))


@pytest.fixture(scope="module")
def estimator():
    y, context = given(300)
    return fc.FlowDensity("white", budget=0.004, random_state=0).fit(y[:, None], context=context)


def test_estimator(estimator):
    y, context = given(50, rng=5)
    u, q = estimator.pit(y, context), estimator.quantiles([0.1, 0.5, 0.9], context)
    assert u.shape == (50,)
    assert q.shape == (3, 50)
    np.testing.assert_allclose(estimator.pit(q[2], context), 0.9, rtol=1e-9)
    np.testing.assert_array_equal(u, estimator.pit(y[:, None], context))
    np.testing.assert_allclose(
        u, [estimator.density_.cdf([a], c)[0] for a, c in zip(y, context, strict=True)]
    )
    one = estimator.quantiles([0.1, 0.5, 0.9], context[3])  # a single context, (C,)
    np.testing.assert_allclose(one, q[:, 3:4], rtol=1e-9)
    curve = estimator.posterior(context=context[3])
    assert curve.density.shape[0] == 1 and curve.mass[0] == pytest.approx(1, abs=1e-3)
    with pytest.raises(ValueError, match="context= has 0 columns"):
        estimator.pit(y)
    with pytest.raises(ValueError, match="context= has 0 columns"):
        estimator.quantiles(0.5)


def test_estimator_without_context():
    y, _ = given(100)
    plain = fc.FlowDensity("white", budget=0.002, random_state=0).fit(y[:, None])
    assert plain.quantiles([0.2, 0.8]).shape == (2,)
    np.testing.assert_allclose(plain.pit(plain.quantiles([0.2, 0.8])), [0.2, 0.8], rtol=1e-9)


def test_report_of_a_conditional_density():
    y, context = given(1500, rng=3)
    right = fc.diagnose(TRUTH, y[:, None], context=context, names=["z"])
    (found,) = right.of("pit")
    ks = stats.kstest(TRUTH.pit(y, context), "uniform")
    assert (found.effect, found.p) == (ks.statistic, ks.pvalue)  # exact: no draws
    assert "The exact PIT, F(x | context) of every row, differs from uniform numbers by no" in str(
        right
    )
    assert right.trusted
    y, context = given(1500, rng=3, scale=1.6)
    wrong = fc.diagnose(TRUTH, y[:, None], context=context, names=["z"])
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


def test_report_of_an_estimator(estimator):
    y, context = given(200, rng=9)
    (found,) = fc.diagnose(estimator, y[:, None], context=context, draws=4000).of("pit")
    assert found.effect == stats.kstest(estimator.pit(y, context), "uniform").statistic


def test_picture():
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


def test_the_band_holds_95_percent_of_the_bars():
    ax = fc.plots.pit(RNG(0).random(2000))
    band = next(p for p in ax.patches if not hasattr(p, "get_data")).get_extents()
    low, high = ax.transData.inverted().transform(band)[:, 1]
    bars = RNG(1).multinomial(2000, np.full(20, 0.05), size=2000) / 100
    assert ((bars > low) & (bars < high)).mean() == pytest.approx(0.95, abs=0.01)
