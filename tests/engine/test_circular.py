"""Angles: the seam, which columns are standardised, exact targets (test_oracles.py: the rest)."""

import numpy as np
import pytest

import flowcore as fc
from flowcore import flows, targets
from flowcore.teaching.pictures.network import network as draw_network

PI = np.pi
PHI = np.random.default_rng(0).standard_normal((50, 12))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_slope_of_a_circular_spline_is_the_same_on_both_sides_of_the_seam(direction):
    run = getattr(fc.CircularSpline(4), f"{direction}_and_log_det")
    left, right = (run(np.full(50, end), PHI) for end in (-PI, PI))
    np.testing.assert_allclose(left[0], -PI, rtol=1e-14)
    np.testing.assert_allclose(right[0], PI, rtol=1e-14)
    np.testing.assert_allclose(left[1], right[1], atol=1e-12)
    assert np.abs(left[1]).max() > 0.3  # and not 0, as at the ends of RationalQuadratic


def test_the_seam_is_on_the_spline_however_its_turn_is_rounded():
    spline, z = fc.CircularSpline(bins=4), np.pi * (2.0 * np.arange(-1000, 1000) + 1)
    phi = np.random.default_rng(0).normal(size=12)
    log_det = spline.forward_and_log_det(z, np.tile(phi, (len(z), 1)))[1]
    np.testing.assert_allclose(log_det, log_det[1000], atol=1e-9)


def test_the_base_has_the_order_of_the_data():
    flow = flows.nsf(5, layers=3, hidden=[8], circular=[1, 2], kind="coupling")
    assert [part.dim for part in flow.base.densities] == [1, 2, 2]
    z = flow.to_latent(np.linspace(-3, 3, 5))  # a new flow is the identity
    np.testing.assert_allclose(z, np.linspace(-3, 3, 5), atol=1e-12)


def test_of_a_cylinder_only_the_line_is_standardised():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(50, 9, 300), rng.vonmises(3, 4, 300)])
    z = flows.nsf(2, layers=2, hidden=[8], circular=[1]).initialize(x).to_latent(x)
    np.testing.assert_allclose([z[:, 0].mean(), z[:, 0].std()], [0, 1], atol=1e-9)
    np.testing.assert_allclose(z[:, 1], x[:, 1], atol=1e-9)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: flows.nsf(2, circular=[2]), r"different coordinates of 0..1"),
        (lambda: flows.nsf(2, circular=[True, False]), "must hold integers, not bool"),
        (lambda: flows.nsf(2, circular=[1], base=fc.Normal(2)), "base must be one of"),
        (lambda: fc.MLP(2, (1,), circular=[-1]), "circular"),
        (lambda: flows.nsf(2, circular=[1], bounded=(0, 1)), "leave out bounded="),
        (lambda: fc.PerCoordinate([]), "at least one transformer"),
        (lambda: fc.PerCoordinate([fc.Affine()], n_out=1), "reads 2 numbers"),
        (lambda: fc.Elementwise(3, fc.PerCoordinate([fc.Shift()])).forward([1, 2, 3]), "not 3"),
        (lambda: fc.VonMises([0.0], 0.0), "concentration"),
        (lambda: fc.Product([]), "at least one"),
        (lambda: targets.von_mises_product([0.0], [1.0, 2.0]), "as many means"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "target",
    [
        targets.von_mises_product(),
        targets.torus(),
        fc.UniformCircle(2),
        fc.VonMises([0.0, 2.0], [0.5, 9.0]),
    ],
)
def test_densities_of_angles_are_exact(target):
    grid = -PI + 2 * PI * np.arange(200) / 200
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    log_p, cell = target.log_prob(points), (2 * PI / 200) ** 2
    assert np.exp(log_p).sum() * cell == pytest.approx(1, abs=1e-12)
    assert -(np.exp(log_p) * log_p).sum() * cell == pytest.approx(target.entropy(), abs=1e-12)
    np.testing.assert_allclose(target.log_prob(points + 2 * PI), log_p, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "target, largest",
    [
        (targets.von_mises_product([3.0], [2.0]), 0.005),
        (targets.torus(), 0.02),
    ],
)
def test_angles_are_learned(target, largest):
    flow = flows.nsf(target.dim, circular=range(target.dim))
    x = target.sample(10_000, rng=0)
    flow, _ = fc.fit(flow, x, rng=0, epochs=60)
    found = fc.kl_to_truth(flow, target, 20_000, rng=1)
    assert found.kl < largest + 3 * found.standard_error


def test_per_coordinate_of_another_dimension():
    transformer = fc.PerCoordinate([fc.Affine(), fc.Shift()])
    with pytest.raises(ValueError, match=r"is for 2 coordinates: x has shape \(4, 3\)"):
        transformer.forward_and_log_det(np.zeros((4, 3)), np.zeros((4, 3, 2)))


def test_pictures_of_a_made_that_reads_angles():
    plt = pytest.importorskip("matplotlib.pyplot")
    made = fc.MADE(3, [6], circular=[1])
    axes = fc.plots.masks(made)
    sees = axes[-1].images[0].get_array()
    assert np.array_equal(sees, np.triu(np.ones((3, 3)), 1))
    assert axes[0].images[0].get_array().shape == (4, 6)
    ax = draw_network(made)
    names = [text.get_text() for text in ax.texts if text.get_text().startswith("$x")]
    assert names == ["$x_{1}$", "$x_{3}$", "$x_{2}$", "$x_{2}$"]
    plt.close("all")
