"""How amounts go on beyond their last rows: `Tail`, and which one held-out rows prefer."""

import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.bijectors import Chain
from flowcore.tables import Schema, fit_table
from flowcore.tables.tail import Tail, tail

EXACT = {0.0: stats.expon(scale=0.6), 0.4: stats.genpareto(0.4, scale=0.6)}


@pytest.mark.parametrize("k", EXACT)
def test_the_rest_of_a_normal_density_is_the_tail(k):
    """Quantiles and slopes, from the edge to one draw in 1e300."""
    own, share = Tail(1.3, 0.03, 1e300, 0.6, k), 0.03
    rest = np.array([0.9999, 0.5, 1e-3, 1e-12, 1e-300])
    u = stats.norm.isf(share * rest)
    z = 1.3 + own.inverse([[1.3 + 1e-7]])[0, 0] - 1.3 - 1e-7 + (u - stats.norm.isf(share)) * own._s
    out = np.expm1(own.forward(z[:, None])[:, 0] - 1.3)
    np.testing.assert_allclose(out, EXACT[k].isf(rest), rtol=1e-5)
    log_p = EXACT[k].logpdf(out) + 1.3 + np.log1p(out) - 1.3  # of log x
    log_q = stats.norm.logpdf(u) - np.log(share) - np.log(own._s)
    np.testing.assert_allclose(own.forward_log_det(z[:, None]), log_q - log_p, atol=1e-6)


@pytest.mark.parametrize("k", EXACT)
def test_it_is_the_logarithm_itself_below_and_its_slope_has_no_step(k):
    own = Tail(1.3, 0.03, 20, 0.6, k)
    z = np.array([[-50.0], [0.0], [1.3]])
    np.testing.assert_array_equal(own.forward(z), z)
    assert own.forward_log_det([[1.3 + 1e-9]]) == pytest.approx(0, abs=1e-7)
    z = np.array([[1.4], [2.0], [5.0], [40.0], [1e4], [1e9], [1e90]])
    h = np.maximum(1e-6, 1e-4 * (z - 41))
    slope = ((own.forward(z + h) - own.forward(z - h)) / (2 * h))[:, 0]
    np.testing.assert_allclose(own.forward_log_det(z), np.log(slope), atol=1e-6)
    z = z[:4]
    np.testing.assert_allclose(own.inverse(own.forward(z)), z)
    far = np.array([[300.0], [700.0]])  # e^700 is among the largest floats
    np.testing.assert_allclose(own.forward(own.inverse(far)), far)


def test_beyond_one_row_it_is_exponential():
    """Steeper by the same slope, so that there is no step; all moments are finite."""
    own, pareto = Tail(1.3, 0.03, 50, 0.6, 0.8), stats.genpareto(0.8, scale=0.6)
    u = stats.norm.isf(0.03 / np.exp([np.log(50) - 1e-6, np.log(50) + 1e-6, 9.0, 12.0]))
    z = 1.3 + own._s * (u - stats.norm.isf(0.03))
    out = np.expm1(own.forward(z[:, None])[:, 0] - 1.3)
    assert out[:2] == pytest.approx(pareto.isf(1 / 50), rel=1e-5)
    assert out[2:] == pytest.approx(out[0] + 0.6 * 50**0.8 * (np.array([9, 12]) - np.log(50)))
    slopes = own.forward_log_det(z[:, None])
    assert slopes[0] == pytest.approx(slopes[1], abs=1e-5)


@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("name", ["expon", "gamma", "lognormal", "pareto"])
def test_it_is_as_long_as_the_rows_suggest(name, n):
    """The value that one in three such tables exceeds, by a mean of its logarithm over ten."""
    p = {"expon": stats.expon(), "gamma": stats.gamma(0.7), "lognormal": stats.lognorm(1.0),
         "pareto": stats.pareto(3.0)}[name]  # fmt: skip
    ratio, shapes, rare = [], [], 1 / (3 * n)
    for seed in range(10):
        own = tail(np.log(p.rvs(n, random_state=np.random.default_rng(seed))))
        z = own.edge + own._s * (stats.norm.isf(rare) - stats.norm.isf(own.share))
        ratio.append(own.forward([[z]])[0, 0] - np.log(p.isf(rare)))
        shapes.append(own.k)
    assert abs(np.mean(ratio)) < 0.35
    exponential = np.mean(np.array(shapes) < 1e-9)
    assert exponential >= 0.5 if name in ("expon", "gamma") else exponential <= 0.5


def test_weights_are_copies_of_rows_and_few_values_have_no_tail():
    rng = np.random.default_rng(0)
    z = rng.normal(size=2000)
    weight = rng.integers(1, 4, 2000) + 3.0 * (z > 0)  # the edge is not that of equal weights
    copies, own = np.sort(np.repeat(z, weight.astype(int))), tail(z, weight)
    assert own.edge == pytest.approx(np.quantile(copies, 1 - own.share), abs=0.02)
    out = np.expm1(copies[copies > own.edge] - own.edge)
    assert stats.kstest(out[::3], p_of(own)).pvalue > 0.01
    assert tail(z[:90]) is None and tail(np.round(z)) is None and tail(z[:0]) is None


@pytest.mark.parametrize("kind", ["positive", "positive(2)", "continuous"])
def test_amounts_of_a_table_have_one(kind):
    """Whatever their unit, and where they begin."""
    rng = np.random.default_rng(0)
    low = 2.0 if "(" in kind else 0.0
    x = {"x": low + rng.gamma(0.7, 3.0, 1500), "y": rng.normal(size=1500)}
    schema = Schema.from_data(x).edit(x=kind, y="continuous")
    seen = []

    def learn(z, **_):
        seen.append(z)
        return fc.Normal(z.shape[1])

    own = fit_table(x, schema, learn=learn).coordinates_.scores
    assert isinstance(own[0], Chain) and isinstance(own[0].parts[1], Tail) and own[1] is None
    upper = np.sort(seen[0][:, 0])[-150:]  # as far out as in a normal density
    assert stats.kstest(own[0].parts[1]._u(upper), below_is_gone(own[0].parts[1])).pvalue > 0.01


def p_of(own):
    return stats.genpareto(own.k, scale=own.sigma).cdf


def below_is_gone(own):
    return lambda u: 1 - stats.norm.sf(np.maximum(u, own._start)) / own.share
