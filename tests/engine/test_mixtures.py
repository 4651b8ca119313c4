"""Mixtures of Gaussians: against scipy.stats.norm, and in their tails."""

from math import log, sqrt

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.scipy.stats import norm as traced_norm
from scipy.special import log_ndtr, ndtri
from scipy.stats import norm

import flowcore as fc


def draw(components, rows=200, scale=1.0, rng=0):
    """A mixture, random phi, and standard normal points."""
    rng = np.random.default_rng(rng)
    phi = scale * rng.standard_normal((rows, 3 * components))
    return fc.MixtureOfGaussians(components), phi, rng.standard_normal(rows)


def numbers(mixture, phi):
    """(pi, mu, sigma), each (..., K), as the docstring prints them; traced by autograd."""
    n, bound = mixture.components, mixture.log_scale_bound
    s, centres = n**-0.2, ndtri((np.arange(n) + 0.5) / n)
    if n > 1:
        centres = centres * sqrt((1 - s**2) / np.mean(centres**2))
    weight = anp.exp(phi[..., :n])
    weight = weight / anp.sum(weight, axis=-1, keepdims=True)
    scale = s * anp.exp(bound * anp.tanh(phi[..., 2 * n :] / bound))
    return weight, centres + phi[..., n : 2 * n], scale


def log_mixture(mixture, phi, x):
    """log sum_k pi_k N(x; mu_k, sigma_k^2), slow and plain."""
    weight, mean, scale = numbers(mixture, phi)
    return anp.log(anp.sum(weight * traced_norm.pdf(x[..., None], mean, scale), axis=-1))


def slopes(mixture, way, x, phi, by_value=0.0, by_log_det=1.0):
    """Of by_value * value + by_log_det * log_det, summed, by x and by phi."""

    def loss(x, phi):
        value, log_det = getattr(mixture, f"{way}_and_log_det")(x, phi)
        return anp.sum(by_value * value + by_log_det * log_det)

    return grad(loss, 0)(x, phi), grad(loss, 1)(x, phi)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("components", [1, 3, 10])
def test_density_is_that_of_scipy(components):
    mixture, phi, x = draw(components)
    x = 1.5 * x
    z, log_det = mixture.inverse_and_log_det(x, phi)
    weight, mean, scale = numbers(mixture, phi)
    u = (x[:, None] - mean) / scale
    lower, upper = (np.sum(weight * p, axis=1) for p in (norm.cdf(u), norm.sf(u)))
    expected = np.where(lower < upper, norm.ppf(lower), norm.isf(upper))
    np.testing.assert_allclose(z, expected, rtol=1e-12, atol=1e-13)
    log_f = log_mixture(mixture, phi, x)
    np.testing.assert_allclose(log_det, log_f - norm.logpdf(z), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(norm.logpdf(z) + log_det, log_f, rtol=1e-13, atol=1e-13)


def test_one_component_is_affine_however_far_out():
    _, phi, z = draw(1)
    mixture, affine = fc.MixtureOfGaussians(1, log_scale_bound=2.0), fc.Affine(2.0)
    for size in (0, 1, 36.5, 38, 1e3, 1e8, 1e50):
        for way in ("forward", "inverse"):
            found, expected = (
                getattr(t, f"{way}_and_log_det")(size * z, p)
                for t, p in ((mixture, phi), (affine, phi[:, 1:]))
            )
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-14, atol=1e-15)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-12)


def test_phi_zero_is_nearly_normal_and_spread():
    x = np.linspace(-8, 8, 4001)
    for components in (2, 3, 10, 30):
        mixture, phi = fc.MixtureOfGaussians(components), np.zeros((x.size, 3 * components))
        z, log_det = mixture.inverse_and_log_det(x, phi)
        log_f = norm.logpdf(z) + log_det
        density, width = norm.pdf(x), x[1] - x[0]
        assert 1e-6 < width * np.sum(density * (norm.logpdf(x) - log_f)) < 3e-3
        for power, moment in ((0, 1), (1, 0), (2, 1)):
            found = width * np.sum(x**power * np.exp(log_f))
            assert abs(found - moment) < 1e-9
        assert np.abs(z - x)[np.abs(x) < 2].max() < 0.05
        assert np.ptp(numbers(mixture, phi[0])[1]) > 0.9


def test_scales_stay_above_the_minimum():
    mixture = fc.MixtureOfGaussians(2, log_scale_bound=4.0)
    for raw, sigma in ((-1e6, 2**-0.2 * np.exp(-4)), (1e6, 2**-0.2 * np.exp(4))):
        phi = np.array([[0, 0, 0, 0, raw, raw]])
        c = numbers(mixture, phi)[1][0, 1]
        x, _ = mixture.forward_and_log_det(np.array([50.0]), phi)
        np.testing.assert_allclose(x, 50 * sigma + c, atol=0.02 * sigma)


@pytest.mark.parametrize("components", [2, 5])
def test_tails_are_finite_monotone_and_invertible(components):
    mixture, phi, _ = draw(components, rows=8)
    size = np.geomspace(1e-3, 1e60, 800)
    z = np.tile(np.concatenate([-size[::-1], size]), (8, 1))
    phi = np.broadcast_to(phi[:, None], (*z.shape, phi.shape[-1]))
    x, log_det = mixture.forward_and_log_det(z, phi)
    assert np.isfinite(x).all() and np.isfinite(log_det).all() and (np.diff(x) > 0).all()
    back, minus = mixture.inverse_and_log_det(x, phi)
    assert (np.diff(back) > 0).all()
    slack = 1e-15 * (1 + np.abs(z)) + 4e-16 * np.abs(x) * np.exp(minus)
    assert (np.abs(back - z) <= slack).all()
    np.testing.assert_allclose(minus, -log_det, rtol=1e-12, atol=1e-12)
    widest = numbers(mixture, phi[:, -1])[2].max(axis=1)
    for end in (0, -1):  # far out the widest component is all
        np.testing.assert_allclose(log_det[:, end], np.log(widest), atol=1e-12)


def test_a_rare_component_rules_its_tail():
    """z beyond the reach of a probability: log F = log pi_1 + log Phi, with pi_1 = e^-2000."""
    mixture, phi = fc.MixtureOfGaussians(2), np.array([[-2000.0, 0, 0, 0, 5, 0]])
    (weight, mean, scale), x = numbers(mixture, phi), np.array([-70.0])
    assert weight[0, 0] == 0
    z, log_det = mixture.inverse_and_log_det(x, phi)
    u = (x - mean[0, 0]) / scale[0, 0]
    np.testing.assert_allclose(log_ndtr(z), -2000 + log_ndtr(u), rtol=1e-13)
    log_f = -2000 + norm.logpdf(u) - log(scale[0, 0])
    np.testing.assert_allclose(log_det, log_f - norm.logpdf(z), rtol=1e-9)
    np.testing.assert_allclose(mixture.forward_and_log_det(z, phi)[0], x, rtol=1e-13)


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("components", [1, 2, 5])
def test_gradients_in_the_body_and_in_both_tails(components, way):
    mixture, phi, x = draw(components, rows=6, rng=3)
    x = np.array([0.1, -0.6, 1.3, -9, 8, 45]) * (1 + 0.1 * x)
    run, step = getattr(mixture, f"{way}_and_log_det"), 1e-5
    for weights in ((1.0, 0.0), (0.0, 1.0), (0.7, -1.3)):
        x_bar, phi_bar = slopes(mixture, way, x, phi, *weights)
        for k in range(-1, phi.shape[-1]):
            dx, dphi = (step, 0.0) if k < 0 else (0.0, step * np.eye(phi.shape[-1])[k])
            up, down = run(x + dx, phi + dphi), run(x - dx, phi - dphi)
            slope = sum(b * (p - m) for b, p, m in zip(weights, up, down, strict=True)) / (2 * step)
            found = x_bar if k < 0 else phi_bar[:, k]
            np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-6)
