"""Flows of rows that lack some coordinates: `Clamped` and `ClampedBase`."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import jacobian, value_and_grad

import flowcore as fc
from flowcore.core import Workspace
from flowcore.spec import twins

rng = np.random.default_rng(0)
D, C = 3, 2
PATTERNS = np.array([*np.ndindex((2,) * D)], float)


def spline_flow(base="student_t", **options):
    return fc.flows.nsf(
        D, layers=2, hidden=[8], context_dim=C + D, standardize=False, standardize_context=False,
        base=base, bins=4, **options,
    )  # fmt: skip


def clamped(flow):
    """A flow as a density of the coordinates that are present, at random parameters."""
    scale = fc.Standardize.from_data([[0.0, -2, -1], [1.0, -5, 3]])
    bijector = fc.Clamped(fc.Chain([scale, flow.bijector]))
    base = fc.ClampedBase(flow.base, bijector.context_dim)
    return fc.testing.randomize(fc.TransformedDistribution(base, bijector), 0.5, rng=1)


MODES = fc.GaussianMixture([[-1.0, 0, 1], [1, 0.5, 0]], [[0.5, 1, 0.7], [1, 0.4, 0.8]], [1, 2])
FULL = fc.MultivariateNormalMixture(
    [[0.0, 0, 1], [2, 1, 0]], [np.tril(np.ones((3, 3))), np.eye(3)], [1, 2]
)
FLOWS = {
    "spline": lambda: clamped(spline_flow()),
    "affine": lambda: clamped(
        fc.flows.maf(D, layers=2, hidden=[8], context_dim=C + D, standardize=False)
    ),
    "modes": lambda: clamped(spline_flow(base=MODES)),
    "coupling": lambda: clamped(
        fc.TransformedDistribution(fc.Normal(D), fc.Coupling(D, 1, hidden=[8], context_dim=C + D))
    ),
    "inverted": lambda: clamped(
        fc.TransformedDistribution(
            fc.StudentT(D, [2.0, 3.0, 4.0], trainable=True),
            fc.Invert(fc.MaskedAutoregressiveFlow(fc.MADE(D, [8], context_dim=C + D))),
        )
    ),
    "full": lambda: fc.TransformedDistribution(
        fc.ClampedBase(FULL, C + D), fc.Clamped(fc.Elementwise(D, fc.Affine()), C + D)
    ),
}


def rows(n=6):
    """x, and the context: c, then every pattern."""
    x = rng.normal(size=(len(PATTERNS) * n, D))
    c = rng.normal(size=(len(x), C))
    return x, np.hstack([c, np.repeat(PATTERNS, n, axis=0)])


@pytest.mark.parametrize("name", FLOWS)
def test_the_log_det_is_that_of_the_present_coordinates(name):
    """By brute force, for every pattern; absent ones are 0, whatever stands in their place."""
    flow = FLOWS[name]()
    x, context = rows(1)
    for x_n, c_n in zip(x, context, strict=True):
        present = np.flatnonzero(c_n[C:])
        for direction in ("inverse", "forward"):
            run = getattr(flow.bijector, f"{direction}_and_log_det")
            y, log_det = run(x_n, context=c_n)
            assert not np.delete(y, present).any()
            other = np.where(c_n[C:] == 0, 77.0, x_n)
            np.testing.assert_array_equal(run(other, context=c_n)[0], y)
            full = jacobian(lambda v, run=run, c=c_n: run(v, context=c)[0])(x_n)
            own = np.linalg.slogdet(full[np.ix_(present, present)])[1] if present.size else 0.0
            assert log_det == pytest.approx(own, abs=1e-10)


@pytest.mark.parametrize("name", FLOWS)
def test_round_trip(name):
    flow = FLOWS[name]()
    x, context = rows()
    x = x * context[:, C:]
    back = flow.from_latent(flow.to_latent(x, context=context), context=context)
    np.testing.assert_allclose(back, x, atol=1e-8)


@pytest.mark.parametrize("name", FLOWS)
def test_mass_is_one_for_every_pattern(name):
    """By quadrature of one and of two coordinates; exactly for a row that has none."""
    flow, c = FLOWS[name](), [0.3, -0.8]
    grid = np.sinh(np.linspace(-9, 9, 151))
    weight = np.gradient(grid)
    for pattern in PATTERNS[PATTERNS.sum(axis=1) <= 2]:
        present = np.flatnonzero(pattern)
        n = len(grid) ** len(present)
        index = np.indices((len(grid),) * len(present)).reshape(len(present), n).T
        x = np.zeros((len(index), D))
        x[:, present] = grid[index]
        context = np.tile([*c, *pattern], (len(x), 1))
        mass = np.exp(flow.log_prob(x, context=context)) @ weight[index].prod(axis=1)
        assert mass == pytest.approx(1, abs=1e-12 if not present.size else 0.02)


@pytest.mark.parametrize("name", FLOWS)
def test_values_and_gradients_are_those_of_the_twin(name):
    flow = FLOWS[name]()
    x, context = rows(3)

    def loss(evaluate):
        def f(args):
            theta, x = args
            return anp.sum(anp.sin(evaluate(theta, x)))

        return value_and_grad(f)((flow.params, x))

    own = loss(lambda theta, x: flow.log_prob(x, theta, context))
    twin = loss(lambda theta, x: twins.evaluate(flow, "log_prob", theta, x, context))
    assert own[0] == pytest.approx(twin[0], abs=1e-10)
    for a, b in zip(own[1], twin[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_fit_learns_the_density_of_each_pattern(tmp_path):
    """A Gaussian whose mean depends on which numbers are present; saved and loaded."""
    n = 3000
    present = (np.random.default_rng(1).random((n, 2)) < 0.6).astype(float)
    noise = np.random.default_rng(2).normal(size=(n, 2)) @ [[1.0, 0.8], [0, 0.6]]
    x = (noise + present[:, ::-1]) * present
    flow = fc.flows.maf(2, layers=2, hidden=[16], context_dim=2, standardize=False,
                        standardize_context=False)  # fmt: skip
    flow = fc.TransformedDistribution(fc.ClampedBase(flow.base), fc.Clamped(flow.bijector))
    flow, _ = fc.fit(flow, x, context=present, epochs=40, rng=0)
    only = flow.sample(4000, rng=0, context=np.array([1.0, 0]))[:, 0]
    both = flow.sample(4000, rng=0, context=np.array([1.0, 1]))
    assert only.mean() == pytest.approx(0, abs=0.1) and only.std() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(both.mean(axis=0), 1, atol=0.1)
    assert np.corrcoef(both.T)[0, 1] == pytest.approx(0.8, abs=0.05)
    fc.save(flow, tmp_path / "flow.npz")
    loaded = fc.load(tmp_path / "flow.npz")
    own = flow.log_prob(x[:9], context=present[:9])
    np.testing.assert_array_equal(loaded.log_prob(x[:9], context=present[:9]), own)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fc.Clamped(fc.LULinear(2)), "mixes coordinates"),
        (lambda: fc.Clamped(fc.Standardize(2)), "is not set from data"),
        (lambda: fc.Clamped(fc.flows.made_mog(2, standardize=False).bijector), "not the identity"),
        (lambda: fc.Clamped(fc.MADE(2)), "takes a bijector"),
        (lambda: fc.Clamped(fc.Elementwise(2, fc.Affine()), 1), "last 2 columns"),
        (lambda: fc.ClampedBase(fc.Laplace(2)), "cannot leave out coordinates"),
        (lambda: fc.ClampedBase(fc.Normal(2), 1), "context_dim"),
    ],
)  # fmt: skip
def test_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_an_absent_number_is_no_angle():
    """The density does not depend on it, so it has no integral: conditionals refuse such rows."""
    joint, x = fc.Conditionals(FLOWS["affine"]()), [[0.3, np.nan, 0.1]]
    assert np.isfinite(joint.log_prob(x, context=[[0.2, 0.1, 1, 1, 1]], n_draws=100).log_p).all()
    with pytest.raises(ValueError, match=r"column 1, so it has no integral.+that rows lack"):
        joint.log_prob(x, context=[[0.2, 0.1, 1, 0, 1]], n_draws=100)


@pytest.mark.parametrize("name", FLOWS)
def test_absent_coordinates_are_0_in_draws(name):
    """And no -0: a table would show it."""
    flow, context = FLOWS[name](), rows(5)[1]
    for density in (flow.base, flow):
        z = density.sample(4, rng=0, context=context)
        absent = np.broadcast_to(context[:, C:] == 0, z.shape)
        assert (z[absent] == 0).all() and not np.signbit(z[absent]).any()
        assert (z[~absent] != 0).all()


def test_a_bound_mixture_forgets_the_patterns_of_its_last_run():
    """The gradient is 0 at coordinates that were present in the run before."""
    at = Workspace(FULL, 4, np.dtype(float), tape=True).with_present(D)
    run, back = FULL.bind(at)
    z = rng.normal(size=(D, 4))
    for present in (np.ones((D, 4)), np.eye(D)[:, [0, 1, 2, 0]]):
        at.present[...] = present
        log_p = np.zeros(4)
        run(z, log_p)
        z_bar = back(np.ones(4))
        assert ((z_bar != 0) == (present != 0)).all()
