"""Rational-quadratic splines: the paper's formulas, TFP's values, brute force, gradients, edges."""

import numpy as np
import pytest

import flowcore as fc
from flowcore import reference as ref
from flowcore.testing import check_bijector, randomize
from flowcore.transformers.splines import TEMPERATURE

SPLINE = fc.RationalQuadratic(bins=5, tail=2.5)


def softmax(raw):
    e = np.exp((raw - raw.max()) / TEMPERATURE)
    return e / e.sum()


def knots(spline, phi):
    """(xs, ys, slopes) of one coordinate, as in the class's docstring."""
    k, axes = spline.bins, []
    for raw, least in ((phi[:k], spline.min_width), (phi[k : 2 * k], spline.min_height)):
        sizes = 2 * spline.tail * (least + (1 - k * least) * softmax(raw))
        axes.append(np.concatenate([[0], np.cumsum(sizes)]) - spline.tail)
    shift = np.log(np.expm1(1 - spline.min_slope))
    inner = spline.min_slope + np.logaddexp(0, phi[2 * k :] + shift)
    return *axes, np.concatenate([[1], inner, [1]])


def random_case(spline, n=200, dim=3, scale=2.0, seed=0, reach=1.2):
    rng = np.random.default_rng(seed)
    phi = scale * rng.standard_normal((n, dim, spline.n_out))
    return rng.uniform(-reach, reach, (n, dim)) * spline.tail, phi


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_equals_the_printed_formulas(direction):
    x, phi = random_case(SPLINE)
    value, log_det = getattr(SPLINE, f"{direction}_and_log_det")(x, phi)
    formula = getattr(ref, f"spline_{direction}")
    expected = [
        formula(a, *knots(SPLINE, p)) for a, p in zip(x.flat, phi.reshape(600, -1), strict=True)
    ]
    np.testing.assert_allclose(value.ravel(), [e[0] for e in expected], atol=1e-11)
    np.testing.assert_allclose(log_det.ravel(), [e[1] for e in expected], atol=1e-10)
    assert (np.abs(x) > SPLINE.tail).any()


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3])
def test_is_increasing_continuous_and_invertible(scale):
    """Also where phi is so extreme that bins and slopes are at their least."""
    rng = np.random.default_rng(1)
    z = np.linspace(-1.1, 1.1, 4001)[:, None] * SPLINE.tail
    for _ in range(5):
        phi = np.broadcast_to(scale * rng.standard_normal(SPLINE.n_out), (len(z), 1, SPLINE.n_out))
        x, log_det = SPLINE.forward_and_log_det(z, phi)
        assert (np.diff(x, axis=0) > 0).all() and np.isfinite(log_det).all()
        back, back_log_det = SPLINE.inverse_and_log_det(x, phi)
        slope = np.exp(log_det)
        assert (np.abs(back - z) * np.minimum(slope, 1) < 1e-12).all()
        if scale == 1:
            np.testing.assert_allclose(back_log_det, -log_det, atol=1e-9)


@pytest.mark.parametrize(
    ("scale", "dtype", "tolerance"),
    [(1, float, 1e-14), (1e3, float, 1e-11), (1e6, float, 1e-8), (30, np.float32, 1e-3)],
)
def test_the_root_does_not_cancel_where_slopes_grow_steeply(scale, dtype, tolerance):
    x, phi = random_case(SPLINE, n=20_000, dim=1, scale=scale, seed=8, reach=1)
    x, phi = x.astype(dtype), phi.astype(dtype)
    z, log_det = SPLINE.inverse_and_log_det(x, phi)
    back, back_log_det = SPLINE.forward_and_log_det(z, phi)
    assert np.abs(back - x).max() < tolerance
    assert np.abs(log_det + back_log_det).max() < 100 * tolerance


@pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 1e-10), (1e4, 1e-2)])
def test_a_mirrored_spline_is_as_accurate(scale, tolerance):
    """The root next to the end of a bin was computed as 1 minus a rounding error: by 7 nats off."""
    k, rng = SPLINE.bins, np.random.default_rng(2)
    phi = scale * rng.standard_normal((250, 1, SPLINE.n_out))
    mirrored = np.concatenate(
        [part[..., ::-1] for part in np.split(phi, [k, 2 * k], axis=-1)], axis=-1
    )
    near = np.geomspace(1e-15, 1e-1, 40)[:, None, None, None] * np.array([-1, 1])[:, None, None]
    for way, axis in (("forward", 0), ("inverse", 1)):
        for knot in range(1, k):
            x = SPLINE.knots(phi)[axis][..., knot] + near
            found = getattr(SPLINE, f"{way}_and_log_det")(x, phi)[1]
            other = getattr(SPLINE, f"{way}_and_log_det")(-x, mirrored)[1]
            assert np.abs(found - other).max() < tolerance


@pytest.mark.parametrize(
    ("dtype", "raw"), [(float, 1e8), (float, 1e300), (np.float32, 1e8), (np.float32, 1e38)]
)
def test_a_very_steep_knot_is_finite(dtype, raw):
    phi = np.zeros((2001, 1, SPLINE.n_out), dtype)
    phi[..., -2] = raw
    x = np.linspace(-1, 1, 2001, dtype=dtype)[:, None] * dtype(SPLINE.tail)
    for way in ("forward", "inverse"):
        value, log_det = getattr(SPLINE, f"{way}_and_log_det")(x, phi)
        assert np.isfinite(log_det).all() and (np.abs(value) <= 1.000001 * SPLINE.tail).all()


def test_an_interval_is_a_moved_and_scaled_spline(tmp_path):
    """On [-4, 5]: g(z) = 1/2 + 4.5/2.5 f((z - 1/2) 2.5/4.5) with f on [-2.5, 2.5]."""
    spline, (z, phi) = fc.RationalQuadratic(5, (-4, 5)), random_case(SPLINE)
    y, log_det = SPLINE.forward_and_log_det(z, phi)
    x, found = spline.forward_and_log_det(0.5 + 1.8 * z, phi)
    np.testing.assert_allclose(x, 0.5 + 1.8 * y, atol=1e-12)
    np.testing.assert_allclose(found, log_det, atol=1e-11)
    np.testing.assert_allclose(spline.inverse_and_log_det(x, phi)[0], 0.5 + 1.8 * z, atol=1e-9)
    np.testing.assert_allclose(spline.knots(phi)[0], 0.5 + 1.8 * SPLINE.knots(phi)[0], atol=1e-12)
    b = randomize(fc.Elementwise(2, spline))
    check_bijector(b, far_tails=True, float32=True)
    fc.save(b, tmp_path / "b.npz")
    assert fc.load(tmp_path / "b.npz").transformer == spline != fc.RationalQuadratic(5, (-4, 6))
    assert repr(spline) == "RationalQuadratic(bins=5, tail=(-4.0, 5.0))"
    np.testing.assert_array_equal(
        fc.RationalQuadratic(5, (-2.5, 2.5)).forward_and_log_det(z, phi), (y, log_det)
    )


def test_knots_are_public():
    phi = np.random.default_rng(5).standard_normal((4, 2, SPLINE.n_out))
    each = [knots(SPLINE, p) for p in phi.reshape(8, -1)]
    expected = [np.array(parts) for parts in zip(*each, strict=True)]
    for found, rows in zip(SPLINE.knots(phi), expected, strict=True):
        np.testing.assert_allclose(found.reshape(8, -1), rows, atol=1e-12)


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
def test_ten_layers_come_back(kind):
    flow = randomize(fc.flows.nsf(5, layers=10, kind=kind, standardize=False), rng=1)
    x = np.random.default_rng(1).standard_normal((2000, 5))
    assert np.abs(flow.from_latent(flow.to_latent(x)) - x).max() < 1e-6
    assert np.abs(flow.to_latent(flow.from_latent(x)) - x).max() < 1e-6


@pytest.mark.parametrize("method", ["forward_and_log_det", "inverse_and_log_det"])
def test_parameters_that_are_nan_show_also_beyond_the_spline(method):
    y, _ = getattr(SPLINE, method)(np.array([9.0]), np.full((1, SPLINE.n_out), np.nan))
    assert np.isnan(y).all()
