"""Dequantisation: exact bits of known distributions, the bound, units, the logits of pixels."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

import flowcore as fc

STEPS = [1.0, 0.1, 1 / 256, 1e-9, 12345.678, np.array([1.0, 0.01, 1 / 3])]
MEAN, SD = np.array([3.3, -1.0]), np.array([0.8, 2.5])
GAUSSIAN = fc.MultivariateNormalDiag(MEAN, SD)  # of y = x + u: its P(x) is known


def exact_log_p(x):
    """log P(x) of the integers x (n, 2) when y = x + u has the density GAUSSIAN."""
    y = stats.norm(MEAN, SD)
    return np.log(y.cdf(x + 1) - y.cdf(x)).sum(axis=-1)


def integers(n, rng=0):
    """Draws of that distribution over the integers."""
    return np.floor(GAUSSIAN.sample(n, rng))


# ------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("low", [0.0, -7.3])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_quantize_undoes_it_exactly(step, low):
    k = np.random.default_rng(0).integers(-300, 300, size=(2000, 3))
    dequantize = fc.Dequantize(step, low)
    x = dequantize.low + dequantize.step * k
    y = dequantize(x, rng=1)
    assert np.array_equal(dequantize.quantize(y), x)
    u = (y - x) / dequantize.step
    assert y.dtype == float and u.min() > -1e-6 and u.max() < 1 + 1e-6
    assert stats.kstest(u.ravel(), "uniform").pvalue > 0.01  # with this seed


@pytest.mark.parametrize("step, low", [(0.1, 0.0), (0.1, -1000.0), (0.01, 0.0), (1e-3, 5.0)])
def test_grid_values_are_their_own_quantised_values(step, low):
    """0.3 / 0.1 is just below 3 in floats, and must not fall into the cell of 0.2."""
    x = low + step * np.arange(10_000.0)[:, None]
    dequantize = fc.Dequantize(step, low)
    quantised = dequantize.quantize(x)
    np.testing.assert_allclose(quantised, x, atol=1e-6 * step)
    np.testing.assert_array_equal(dequantize.quantize(quantised), quantised)


def test_a_continuous_column_next_to_a_discrete_one():
    """log P = log P(integer) + log density of the other, when they are independent."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 4, 50), rng.standard_normal(50)])
    dequantize = fc.Dequantize(step=[1.0, 0.0])
    y = dequantize(x, rng=1)
    assert (y[:, 0] != x[:, 0]).all() and (y[:, 0] // 1 == x[:, 0]).all()
    np.testing.assert_array_equal(y[:, 1], x[:, 1])
    np.testing.assert_array_equal(dequantize.quantize(y), x)

    class Both:
        def log_prob(self, y):
            return fc.Uniform(1, high=4.0).log_prob(y[:, :1]) + fc.Normal(1).log_prob(y[:, 1:])

    exact = -np.log(4) + fc.Normal(1).log_prob(x[:, 1:])
    np.testing.assert_allclose(dequantize.log_prob(Both(), x, draws=3), exact, rtol=1e-12)


def test_far_out_the_noise_is_uniform_and_infinities_are_silent():
    dequantize = fc.Dequantize()
    np.testing.assert_array_equal(
        dequantize.quantize([[1e13 + 0.75], [np.inf]]), [[1e13], [np.inf]]
    )
    u = dequantize(np.full((20_000, 1), 1e13), rng=0) - 1e13
    assert abs(np.mean(u > 0.9) - 0.1) < 0.01
    both = fc.Dequantize([1.0, 0.0])
    assert np.isinf(both.quantize([[2.5, np.inf]])[0, 1])
    assert np.isinf(both([[2.0, np.inf]], rng=0)[0, 1])


def test_single_precision_measurements_snap_to_the_grid():
    x = (0.1 * np.arange(200)).astype(np.float32)[:, None]  # 1e-7 off the grid, relatively
    exact = 0.1 * np.arange(200)[:, None]
    assert np.array_equal(fc.Dequantize(0.1)(x, rng=0), fc.Dequantize(0.1)(exact, rng=0))
    assert np.array_equal(fc.Dequantize(0.1).quantize(fc.Dequantize(0.1)(x, rng=0)), exact)


def test_immutable():
    dequantize = fc.Dequantize(np.array([1.0, 2.0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        dequantize.step = 2.0
    with pytest.raises(ValueError, match="read-only"):
        dequantize.step[0] = 2.0


def test_a_nan_stays_in_its_row():
    x = np.array([[0.0, 1.0], [np.nan, 1.0], [2.0, 1.0]])
    found = fc.Dequantize().log_prob(fc.Normal(2), x, draws=3)
    assert np.isnan(found).tolist() == [False, True, False]
    assert np.isnan(fc.Dequantize()(x, 0)).sum() == 1
    assert np.isnan(fc.Dequantize().quantize(x)).sum() == 1


# ------------------------------------------------------------------------- probabilities


def test_uniform_over_256_values_takes_exactly_8_bits():
    x = np.arange(256)[:, None] * [1, 1, 1]
    for draws in (1, 4):
        log_p = fc.Dequantize().log_prob(fc.Uniform(3, 0.0, 256.0), x, draws=draws)
        np.testing.assert_allclose(fc.bits_per_dim(log_p, 3), 8, rtol=1e-14)


def test_the_units_of_the_columns_do_not_matter():
    x, steps, low = integers(50), np.array([1 / 256, 7.0]), np.array([0, 5.0])
    scaled = fc.MultivariateNormalDiag(MEAN * steps + low, SD * steps)
    dequantize, y = fc.Dequantize(steps, low), x * steps + low
    raw, found = (d.log_prob(p, a, draws=3) for d, p, a in (
        (fc.Dequantize(), GAUSSIAN, x), (dequantize, scaled, y)
    ))  # fmt: skip
    np.testing.assert_allclose(found, raw, rtol=1e-9)
    # what is often forgotten: the density alone is off by log2(1 / step) bits
    bits = fc.bits_per_dim(scaled.log_prob(dequantize(y, rng=0)), 2)
    bits -= fc.bits_per_dim(fc.Dequantize().log_prob(GAUSSIAN, x), 2)
    np.testing.assert_allclose(bits, np.log2(steps).mean(), rtol=1e-9)


def test_many_draws_find_the_exact_probability():
    x = integers(100)
    estimate = fc.Dequantize().log_prob(GAUSSIAN, x, draws=4000)
    np.testing.assert_allclose(estimate, exact_log_p(x), atol=0.05)


def test_a_lower_bound_that_more_draws_tighten():
    """On average over the noise: 1 draw < 4 draws < log P(x); and so for the mean bits."""
    x = integers(20_000)
    exact = exact_log_p(x)
    slack = [exact - fc.Dequantize().log_prob(GAUSSIAN, x, draws=draws) for draws in (1, 4)]
    mean, error = np.mean(slack, axis=1), np.std(slack, axis=1) / np.sqrt(len(x))
    assert (mean > 4 * error).all()
    assert mean[1] < mean[0] / 2
    entropy = _entropy_bits()
    np.testing.assert_allclose(fc.bits_per_dim(exact.mean(), 2), entropy, atol=0.02)
    bits = fc.bits_per_dim(fc.Dequantize().log_prob(GAUSSIAN, x).mean(), 2)
    assert entropy < bits < entropy + 0.2


def _entropy_bits():
    """The exact entropy of the integers, in bits per dimension."""
    k = np.arange(-60, 60)[:, None]
    y = stats.norm(MEAN, SD)
    p = y.cdf(k + 1) - y.cdf(k)
    return -(p * np.log2(np.maximum(p, 1e-300))).sum() / 2


def test_density_zero_is_probability_zero_without_a_warning():
    found = fc.Dequantize().log_prob(fc.Uniform(1, 0.0, 4.0), [[3], [4]], draws=2)
    assert np.array_equal(found, [-np.log(4), -np.inf])
    assert np.array_equal(fc.bits_per_dim(found, 1), [2, np.inf])


def test_context_and_single_precision():
    flow = fc.flows.maf(2, layers=1, hidden=[8], context_dim=3, dtype=np.float32)
    flow = fc.testing.randomize(flow, rng=0)
    x, context = integers(10), np.eye(3)[np.arange(10) % 3]
    found = fc.Dequantize().log_prob(flow, x, draws=2, context=context)
    assert found.dtype == np.float32 and fc.bits_per_dim(found, 2).dtype == np.float32
    assert fc.Dequantize().log_prob(flow, x, draws=2, context=np.eye(3)[0]).shape == (10,)
    assert fc.Dequantize().log_prob(flow, x[0], draws=2, context=context[0]).dtype == np.float32
    for k in range(3):
        alone = fc.Dequantize().log_prob(flow, x, draws=2, context=np.eye(3)[k])
        np.testing.assert_allclose(found[k::3], alone[k::3], rtol=1e-5)
    with pytest.raises(ValueError, match="needs context"):
        fc.Dequantize().log_prob(flow, x)


# ------------------------------------------------------------------------- logits of pixels


@pytest.mark.parametrize("squash", [1e-6, 0.05])
def test_logits_are_those_of_the_formula(squash):
    x = np.random.default_rng(0).uniform(0, 17, size=(50, 3))
    bijector = fc.logit_preprocessing(3, 17, squash)
    p = squash + (1 - 2 * squash) * x / 17
    np.testing.assert_allclose(bijector.inverse(x), logit(p), rtol=1e-9)
    slope = (1 - 2 * squash) / 17 / (p * (1 - p))
    np.testing.assert_allclose(bijector.inverse_log_det(x), np.log(slope).sum(-1), rtol=1e-9)


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_black_and_white_have_finite_logits(dtype):
    """The ends of the range, also when a float32 flow rounds 255.9999999 up to 256."""
    bijector = fc.logit_preprocessing(2, 256)
    z, log_det = bijector.inverse_and_log_det(np.array([[0, 256], [256, 0]], dtype))
    assert np.isfinite(z).all() and np.isfinite(log_det).all() and z.dtype == dtype
    beyond = bijector.inverse_log_det(np.array([[-0.1, 1], [1, 256.1]], dtype))
    assert np.array_equal(beyond, [-np.inf, -np.inf])


def test_points_of_cells_are_where_they_are_asked_for():
    dequantize, u = fc.Dequantize(step=[0.5, 0.0], low=[0.25, 0.0]), np.array([[0.0, 0], [0.5, 0]])
    x = np.array([[0.25, 7.1], [-0.25, 3.0], [1.25, np.nan]])
    found = dequantize.points(x, u[:, None])
    np.testing.assert_array_equal(found, x + [0.5, 0.0] * u[:, None])
    np.testing.assert_array_equal(dequantize.quantize(found), [x, x])
    far = fc.Dequantize(step=1.7e308).points([[1.7e308]], 0.9)  # its cell reaches beyond all floats
    assert np.isfinite(far).all() and far >= 1.7e308
