"""Fixed elementwise maps: tails and supports."""

import numpy as np
import pytest

import flowcore as fc


def rows(n, dim, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def density(bijector):
    return fc.TransformedDistribution(fc.Normal(bijector.dim), bijector)


# ---------------------------------------------------------------- tails

FAR = np.array([40.0, 800.0, 1e3, 1e6])


@pytest.mark.parametrize(
    "b, low, high, right, left",
    [
        (fc.Sigmoid(1), 0, 1, -FAR, -FAR),
        (fc.Sigmoid(1, -2, 5), -2, 5, np.log(7) - FAR, np.log(7) - FAR),
        (fc.Tanh(1), -1, 1, np.log(4) - 2 * FAR, np.log(4) - 2 * FAR),
        (fc.Softplus(1), 0, FAR, -np.exp(-FAR), -FAR),
        (fc.Softplus(1, 0.5, 3), 3, 3 + FAR, -np.exp(-2 * FAR), -2 * FAR),
        (fc.Exp(1), 0, [np.exp(40.0), np.inf, np.inf, np.inf], FAR, -FAR),
    ],
)
def test_far_out(b, low, high, right, left):
    """The asymptotes: no warning, no NaN, and log-dets that are exact where x has saturated."""
    found = b.forward_and_log_det(FAR[:, None]), b.forward_and_log_det(-FAR[:, None])
    (x_right, l_right), (x_left, l_left) = found
    np.testing.assert_allclose(x_right[:, 0], np.broadcast_to(high, 4), rtol=1e-15)
    np.testing.assert_allclose(x_left[:, 0], np.full(4, low), atol=1e-17)
    np.testing.assert_allclose(l_right, right, rtol=1e-14)
    np.testing.assert_allclose(l_left, left, rtol=1e-14)


@pytest.mark.parametrize(
    "b",
    [
        fc.Sigmoid(1),
        fc.Exp(1),
        fc.Softplus(1),
        fc.Softplus(1, 0.1),
        fc.Softplus(1, 4.0),
        fc.Logit(1),
    ],
)
def test_inverse_near_an_end_at_zero(b):
    """Where floats are dense, down to the smallest: z follows the logarithm of x."""
    x = np.array([1e-10, 1e-100, 1e-300, 5e-324])[:, None]
    run = b.forward if isinstance(b, fc.Logit) else b.inverse
    c = b.hinge_softness if isinstance(b, fc.Softplus) else 1.0
    np.testing.assert_allclose(run(x)[:3], c * np.log(x[:3] / c), rtol=1e-9)
    assert np.isfinite(run(x)).all() and np.isfinite(b.inverse_log_det(x)).all()


def test_latents_beyond_floats_and_images_out_of_a_domain_are_nan():
    """z would be about exp(2000)."""
    assert np.isnan(density(fc.Logit(2)).from_latent([0.5, 7.0])).all()
    b = density(fc.SinhArcsinh(1, tailweight=0.01))
    assert b.log_prob(np.array([1e9])) == -np.inf and np.isnan(b.to_latent(np.array([1e9])))


# ---------------------------------------------------------------- supports

SUPPORTS = {
    "sigmoid": (fc.Sigmoid(2), [0.5, 0.2], [[0, 0.5], [0.5, 1], [-3, 0.5], [2, 2], [np.inf, 0.5]]),
    "sigmoid-5": (fc.Sigmoid(2, -2, [5, 1]), [4, 0.5], [[-2, 0], [4, 1], [5, 0], [0, -np.inf]]),
    "inverted-logit": (fc.Invert(fc.Logit(2)), [0.5, 0.2], [[0, 0.5], [0.5, 1], [-3, 0.5]]),
    "tanh": (fc.Tanh(2), [0.5, -0.2], [[1, 0], [0, -1], [7, 0], [-1e30, 0]]),
    "exp": (fc.Exp(2), [3, 1e-5], [[0, 1], [1, -1], [1, -np.inf], [np.inf, 1]]),
    "softplus": (fc.Softplus(2, 0.3, 1), [3, 1.1], [[1, 2], [2, 0], [-5, -5], [np.inf, 2]]),
    "sinh-arcsinh": (fc.SinhArcsinh(2, 0.4, 1.3), [3, 0], [[np.inf, 0], [0, -np.inf]]),
    "affine": (fc.ElementwiseAffine(0.0, [1, -2]), [3, 0], [[np.inf, 0], [0, -np.inf]]),
}


@pytest.mark.parametrize("name", SUPPORTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_prob_out_of_support(name, dtype):
    """-inf outside and on the boundary, NaN for NaN, and nothing in the rows between."""
    b, inside, outside = SUPPORTS[name]
    for bijector in (b, fc.Chain([b, fc.Permute([1, 0])]), fc.Blockwise([b])):
        flow = density(bijector)
        outside = np.array(outside, dtype)
        n = len(outside)
        x = np.full((2 * n + 2, 2), inside, dtype)
        x[1 : 2 * n : 2] = outside
        x[2 * n] = np.nan, inside[1]
        x[2 * n + 1] = outside[0, 0], np.nan
        log_prob = flow.log_prob(x)
        assert log_prob.dtype == dtype
        assert (log_prob[1 : 2 * n : 2] == -np.inf).all()
        np.testing.assert_array_equal(log_prob[0 : 2 * n : 2], flow.log_prob(x[0]))
        assert np.isfinite(flow.log_prob(x[0])) and np.isnan(log_prob[2 * n :]).all()
        z = flow.to_latent(x)
        assert np.isfinite(z[: 2 * n : 2]).all() and np.isnan(z[1 : 2 * n : 2]).all()
        assert np.isnan(z[2 * n :]).any(axis=1).all()
        assert (flow.prob(x)[1 : 2 * n : 2] == 0).all()
