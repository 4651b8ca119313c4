"""Planar and radial flows: the printed formulas, and every theta is a flow."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore.bijectors.planar import _solve
from flowcore.testing import randomize

KINDS = [fc.Planar, fc.Radial]
WAYS = ["forward", "inverse"]


def rows(n, dim, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def slopes(b, x):
    """Of all values and log-dets, both ways, by the parameters and by the points."""

    def loss(theta, x, way):
        value, log_det = getattr(b, f"{way}_and_log_det")(x, theta)
        return anp.sum(value) + anp.sum(log_det)

    return [autograd.grad(loss, k)(b.params, x, way) for k in (0, 1) for way in WAYS]


def m(a):
    return a if a >= 0 else a / (1 - a)


def test_planar_as_the_paper_prints_it():
    """Eqs. 10-12 and A.1, with our m, for w.u of either sign; the log-det as that of a matrix."""
    signs = set()
    for seed in range(8):
        b = randomize(fc.Planar(3), 2.0, rng=seed)
        w, u, bias = b.params[:3], b.params[3:6], b.params[6]
        signs.add(w @ u > 0)
        u_hat = u + (m(w @ u) - w @ u) * w / np.sum(w**2)
        np.testing.assert_allclose(w @ u_hat, m(w @ u), rtol=1e-10)
        for z in rows(4, 3, seed):
            x, log_det = b.forward_and_log_det(z)
            np.testing.assert_allclose(x, z + u_hat * np.tanh(w @ z + bias), rtol=1e-13)
            psi = (1 - np.tanh(w @ z + bias) ** 2) * w
            np.testing.assert_allclose(np.exp(log_det), abs(1 + u_hat @ psi), rtol=1e-10)
            determinant = np.linalg.det(np.eye(3) + np.outer(u_hat, psi))
            np.testing.assert_allclose(np.exp(log_det), determinant, rtol=1e-10)
    assert signs == {True, False}


def test_radial_as_the_paper_prints_it():
    """Eq. 14 and A.2, with beta^ = alpha m(beta)."""
    for seed in range(8):
        b = randomize(fc.Radial(3), rng=seed)
        z0, alpha = b.params[:3], np.exp(b.params[3])
        beta_hat = alpha * m(b.params[4])
        for z in rows(4, 3, seed):
            r = np.linalg.norm(z - z0)
            h, slope = 1 / (alpha + r), -1 / (alpha + r) ** 2
            x, log_det = b.forward_and_log_det(z)
            np.testing.assert_allclose(x, z + beta_hat * h * (z - z0), rtol=1e-12)
            det = (1 + beta_hat * h) ** 2 * (1 + beta_hat * h + beta_hat * slope * r)
            np.testing.assert_allclose(np.exp(log_det), det, rtol=1e-11)


@pytest.mark.parametrize("size", [1, 1e2, 1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_every_theta_is_a_flow(kind, size):
    """Finite values, log-dets and gradients, and the inverse undone by the forward map."""
    x = 3 * rows(20, 3)
    for seed in range(8):
        b = randomize(kind(3), size, rng=seed)
        if kind is fc.Radial:  # log alpha: exp overflows beyond 700
            b = b.with_params(np.where(np.arange(5) == 3, b.params / size, b.params))
        z, log_det = b.inverse_and_log_det(x)
        again, forward_log_det = b.forward_and_log_det(z)
        # w.z + b of large terms is known to rounding only, and u^ multiplies that
        rounding = 1e-15 * size**2 * (1 + np.abs(z).max())
        assert np.abs(again - x).max() < 10 * rounding
        assert np.isfinite(log_det).all() and np.isfinite(forward_log_det).all()
        assert all(np.isfinite(slope).all() for slope in slopes(b, x))


@pytest.mark.parametrize("a", [1e18, -1e18])
def test_no_theta_is_singular(a):
    """1 + m of a = -1e18 must not round to 0."""
    planar = fc.Planar(2).with_params([1e9, 0.0, a / 1e9, 0.5, 0.0])
    radial = fc.Radial(2).with_params([0.0, 0.0, 0.0, a])
    for b, power in ((planar, 1), (radial, 2)):
        for way, sign in zip(WAYS, (1, -1), strict=True):
            value, log_det = getattr(b, f"{way}_and_log_det")(np.zeros((1, 2)))
            np.testing.assert_array_equal(value, [[0, 0]])
            np.testing.assert_allclose(log_det, sign * power * np.sign(a) * np.log1p(1e18))


@pytest.mark.parametrize("p", [1e8, 1e-8])
def test_the_inverse_is_found_where_the_slope_changes_most(p):
    """1 + m = p is the slope at 0, and 1 is that far away."""
    v = np.logspace(-12, 2, 200)
    np.testing.assert_allclose(_solve(v - np.tanh(v) + p * np.tanh(v), p), v, rtol=1e-7)


def test_planar_without_a_direction():
    """w = 0: a shift by u tanh(b), the limit of small w."""
    u, z = np.array([-2.0, 3.0]), rows(4, 2)
    for w in (np.zeros(2), np.array([1e-9, -1e-9]), np.array([1e-200, -1e-200])):
        theta = np.concatenate([w, u, [0.7]])
        b = fc.Planar(2).with_params(theta)
        x, log_det = b.forward_and_log_det(z)
        np.testing.assert_allclose(x, z + u * np.tanh(0.7), atol=1e-7)
        np.testing.assert_allclose(log_det, 0, atol=1e-7)
        np.testing.assert_allclose(b.inverse(x), z, rtol=1e-14)
        assert all(np.isfinite(slope).all() for slope in slopes(b, z))


@pytest.mark.parametrize("dim", [1, 3])
def test_radial_at_its_centre(dim):
    b = randomize(fc.Radial(dim), rng=1)
    z0, p = b.params[:dim], 1 + m(b.params[dim + 1])
    for way, sign in zip(WAYS, (1, -1), strict=True):
        value, log_det = getattr(b, f"{way}_and_log_det")(z0)
        np.testing.assert_array_equal(value, z0)
        np.testing.assert_allclose(log_det, sign * dim * np.log(p), rtol=1e-14)
        jacobian = autograd.jacobian(getattr(b, way))(z0)
        np.testing.assert_allclose(jacobian, p**sign * np.eye(dim), rtol=1e-13)
