"""Angles: the seam, periodic densities, another transformer for each coordinate, exact targets."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore import flows, targets
from flowcore.networks.network import from_circular
from flowcore.plots.network import network as draw_network
from flowcore.testing import randomize

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


def test_angles_count_modulo_a_turn_and_come_back():
    each = fc.Compose([fc.CircularShift(), fc.CircularSpline(3)])
    z = np.linspace(-3.1, 3.1, 50)
    phi = np.random.default_rng(1).standard_normal((50, each.n_out))
    x, log_det = each.forward_and_log_det(z, phi)
    turned, turned_log_det = each.forward_and_log_det(z + 6 * PI, phi)
    assert (np.abs(x) <= PI).all()
    np.testing.assert_allclose(np.exp(1j * turned), np.exp(1j * x), atol=1e-12)
    np.testing.assert_allclose(turned_log_det, log_det, atol=1e-12)
    back, back_log_det = each.inverse_and_log_det(x, phi)
    np.testing.assert_allclose(back, z, atol=1e-9)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-9)


def test_zero_is_the_identity_and_a_nan_stays_one():
    for part in (fc.CircularSpline(5), fc.CircularShift()):
        z = np.array([-3.0, 0.0, 1.0, np.nan])
        x, log_det = part.forward_and_log_det(z, np.zeros((4, part.n_out)))
        np.testing.assert_allclose(x, z, atol=1e-12)
        np.testing.assert_allclose(log_det[:3], 0, atol=1e-12)


KINDS = ("autoregressive", "coupling")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim, circular", [(1, [0]), (2, [0, 1]), (2, [1]), (5, [3, 0])])
def test_a_density_with_angles_has_no_jump_and_no_second_turn(dim, circular, kind):
    if dim == 1 and kind == "coupling":
        with pytest.raises(ValueError, match="dim >= 2"):
            flows.nsf(1, circular=[0], kind=kind)
        return
    options = {"layers": 4, "hidden": [8], "circular": circular, "kind": kind}
    flow = randomize(flows.nsf(dim, **options, rng=1), rng=2)
    x = flow.sample(20, rng=0)
    for i in circular:
        assert (np.abs(x[:, i]) <= PI).all()
        ends = [np.where(np.arange(dim) == i, end, x) for end in (-PI, PI, 3 * PI)]
        found = [flow.log_prob(end) for end in ends]
        np.testing.assert_allclose(found[1], found[0], atol=1e-10)
        np.testing.assert_allclose(found[2], found[0], atol=1e-10)
    z = flow.to_latent(x)
    np.testing.assert_allclose(flow.from_latent(z), x, atol=1e-8)


@pytest.mark.parametrize("made", [fc.MADE(4, [9, 9], circular=[3, 1], order=[2, 4, 1, 3]),
                                  fc.MADE(3, [], circular=[0], context_dim=2)])  # fmt: skip
def test_a_made_reads_cosine_and_sine_with_the_degree_of_their_angle(made):
    made, degrees = randomize(made), made.degrees[0]
    assert made.features.tolist() == [0, 2, 1, 3, 1, 3] or made.features.tolist() == [1, 2, 0, 0]
    assert made.masks[0].shape[0] == made.dim + len(made.circular)
    context = None if not made.context_dim else [0.3, -0.2]
    x = np.random.default_rng(1).uniform(-PI, PI, made.dim)
    phi = made(x, context=context)
    for i in range(made.dim):
        moved = made(x + 0.1 * np.eye(made.dim)[i], context=context)
        depends = np.abs(moved - phi).max(axis=1) > 1e-9
        assert depends.tolist() == (degrees > degrees[i]).tolist()
        turned = made(x + 2 * PI * np.eye(made.dim)[i], context=context)
        assert np.allclose(turned, phi, atol=1e-12) == (
            i in made.circular or degrees[i] == made.dim
        )


@pytest.mark.parametrize("context_dim", [0, 2])
def test_the_walk_over_angles_is_the_textbook_loop_and_so_is_its_gradient(context_dim):
    angle = fc.Compose([fc.CircularShift(), fc.CircularSpline(3)])
    each = fc.PerCoordinate([fc.Affine(), angle, angle, fc.Affine()])
    made = fc.MADE(4, [9, 9], each.n_out, "tanh", [2, 4, 1, 3], context_dim=context_dim,
                   circular=[1, 2])  # fmt: skip
    walk = randomize(fc.MaskedAutoregressiveFlow(made, each))
    loop = fc.MaskedAutoregressiveFlow(walk.made, each, method="sequential")
    rng = np.random.default_rng(3)
    z, context = rng.uniform(-PI, PI, (5, 4)), rng.normal(size=(5, 2)) if context_dim else None

    def loss(flow):
        def of(theta, z):
            x, log_det = flow.forward_and_log_det(z, theta, context)
            return anp.sum(anp.sin(x)) + anp.sum(log_det)

        return [*flow.forward_and_log_det(z, None, context), *grad(of, (0, 1))(flow.params, z)]

    for one, other in zip(loss(walk), loss(loop), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_an_angle_given_a_context():
    flow = randomize(flows.nsf(1, layers=2, hidden=[8], circular=[0], context_dim=1), 0.5, rng=2)
    grid = (-PI + 2 * PI * (np.arange(400) + 0.5) / 400)[:, None]
    found = [flow.log_prob(grid, context=np.full((400, 1), c)) for c in (-1.0, 1.0)]
    for log_p in found:
        assert abs(np.exp(log_p).mean() * 2 * PI - 1) < 1e-3
    assert np.abs(found[0] - found[1]).max() > 0.1
    rng = np.random.default_rng(0)
    c = rng.normal(size=(600, 1))
    x = rng.vonmises(3 + c, 6.0)  # its mean turns with c, over the seam
    flow = flows.nsf(1, layers=2, hidden=[8], circular=[0], context_dim=1)
    flow, history = fc.fit(flow, x, context=c, epochs=30, learning_rate=0.01, rng=0)
    assert history.val_nll[-1] < fc.VonMises([0.0], 6.0).entropy() + 0.1


def test_the_base_has_the_order_of_the_data():
    flow = flows.nsf(5, layers=3, hidden=[8], circular=[1, 2], kind="coupling")
    assert [part.dim for part in flow.base.densities] == [1, 2, 2]
    z = flow.to_latent(np.linspace(-3, 3, 5))  # a new flow is the identity
    np.testing.assert_allclose(z, np.linspace(-3, 3, 5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_density_of_two_angles_integrates_to_one(kind):
    options = {"layers": 3, "hidden": [8], "circular": [0, 1], "kind": kind}
    flow = randomize(flows.nsf(2, **options), 0.5, rng=2)
    grid = -PI + 2 * PI * (np.arange(400) + 0.5) / 400
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    assert abs(flow.prob(points).mean() * (2 * PI) ** 2 - 1) < 1e-3


def test_of_a_cylinder_only_the_line_is_standardised():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(50, 9, 300), rng.vonmises(3, 4, 300), rng.normal(0, 1, 300)])
    flow, _ = fc.fit(flows.nsf(3, layers=2, hidden=[8], circular=[1]), x, epochs=60, rng=0)
    draws = flow.sample(500, rng=0)
    assert abs(draws[:, 0].mean() - 50) < 3 and (np.abs(draws[:, 1]) <= PI).all()
    assert np.cos(draws[:, 1] - 3).mean() > 0.6


def test_each_coordinate_has_its_transformer():
    each = fc.PerCoordinate([fc.Shift(), fc.Affine(), fc.Shift()])
    assert each.n_out == 2 and each.of(1) == fc.Affine() and fc.Shift().of(7) == fc.Shift()
    phi = np.array([[1.0, 9.0], [2.0, 0.5], [3.0, 9.0]])
    x, log_det = each.forward_and_log_det(np.zeros(3), phi)
    assert x.tolist() == [1.0, 2.0, 3.0] and log_det[[0, 2]].tolist() == [0, 0] and log_det[1] > 0
    maf = randomize(fc.MaskedAutoregressiveFlow(fc.MADE(3, [8]), each))
    z = np.random.default_rng(0).standard_normal((4, 3))
    loop = fc.MaskedAutoregressiveFlow(maf.made, each, method="sequential")
    np.testing.assert_allclose(maf.forward(z), loop.forward(z), rtol=1e-12)
    np.testing.assert_allclose(maf.inverse(maf.forward(z)), z, atol=1e-12)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: flows.nsf(2, circular=[2]), r"different coordinates of 0..1"),
        (lambda: flows.nsf(2, circular=[1, 1]), r"different coordinates of 0..1"),
        (lambda: flows.nsf(2, circular=[1], base=fc.Normal(2)), "base must be one of"),
        (lambda: fc.MADE(2, circular=[2]), r"different coordinates of 0..1"),
        (lambda: fc.MLP(2, (1,), circular=[-1]), "circular"),
        (lambda: fc.Coupling(3, circular=[0, 0]), r"different coordinates of 0..2"),
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


@pytest.mark.parametrize("target", [targets.von_mises_product(), targets.torus()])
def test_targets_of_angles_are_exact(target):
    grid = -PI + 2 * PI * np.arange(200) / 200
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    log_p, cell = target.log_prob(points), (2 * PI / 200) ** 2
    assert np.exp(log_p).sum() * cell == pytest.approx(1, abs=1e-12)
    assert -(np.exp(log_p) * log_p).sum() * cell == pytest.approx(target.entropy(), abs=1e-12)
    np.testing.assert_allclose(target.log_prob(points + 2 * PI), log_p, atol=1e-12)
    x = target.sample(20_000, rng=0)
    assert (np.abs(x) <= PI).all()
    waves = [np.exp(1j * (a * x[:, 0] + b * x[:, 1])).mean() for a, b in ((1, 0), (0, 1), (1, -2))]
    exact = [
        (np.exp(log_p + 1j * (a * points[..., 0] + b * points[..., 1]))).sum() * cell
        for a, b in ((1, 0), (0, 1), (1, -2))
    ]
    np.testing.assert_allclose(waves, exact, atol=0.03)


def test_bases_of_angles():
    base = fc.VonMises([1.0, -3.0], [0.5, 9.0])
    target = targets.von_mises_product([1.0, -3.0], [0.5, 9.0])
    x = target.sample(20, rng=0)
    np.testing.assert_allclose(base.log_prob(x), target.log_prob(x), rtol=1e-12)
    assert base.entropy() == pytest.approx(target.entropy())
    assert fc.UniformCircle(3).entropy() == pytest.approx(3 * np.log(2 * PI))
    both = fc.Product([fc.Normal(1), base])
    z = both.sample((2, 5), rng=0)
    expected = fc.Normal(1).log_prob(z[..., :1]) + base.log_prob(z[..., 1:])
    np.testing.assert_allclose(both.log_prob(z), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "target, largest",
    [
        (targets.von_mises_product([3.0], [2.0]), 0.005),
        (targets.von_mises_product(), 0.01),
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


def test_per_coordinate_takes_lists_and_transformers_without_a_hash():
    transformer = fc.PerCoordinate([fc.Shift(), fc.Affine()])
    x, log_det = transformer.forward_and_log_det([0.0, 0.0], [[1.0, 1.0], [1.0, 0.0]])
    assert x.tolist() == [1.0, 1.0] and log_det.tolist() == [0.0, 0.0]

    class Unhashable(fc.Transformer):
        n_out, __hash__ = 1, None

        def forward_and_log_det(self, z, phi):
            return z + phi[..., 0], 0 * z

        def inverse_and_log_det(self, x, phi):
            return x - phi[..., 0], 0 * x

    made = randomize(fc.MADE(2, [6], n_out=2), 1.0)
    flow = fc.MaskedAutoregressiveFlow(made, fc.PerCoordinate([Unhashable(), fc.Affine()]))
    z = np.random.default_rng(0).normal(size=(4, 2))
    assert flow.inverse(flow.forward(z)) == pytest.approx(z)


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


def test_networks_of_older_files_read_the_same_features():
    x, c = np.array([2.0, 0.7, -1.0]), [0.4]
    features = [x[1], *np.cos(x[[0, 2]]), *np.sin(x[[0, 2]])]
    with pytest.raises(ValueError, match="MLP"):
        from_circular(fc.MADE(2, [4]), [0])
    old = randomize(fc.MLP(5, (2,), [5], context_dim=1))
    new = from_circular(old, [0, 2])
    np.testing.assert_allclose(new(x, context=c), old(features, context=c), rtol=1e-12)
