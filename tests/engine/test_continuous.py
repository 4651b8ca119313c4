"""Continuous flows: the solver, the exact divergence, grids, and bad input."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from support.places import DATA

import flowcore as fc
from flowcore import flows
from flowcore.testing import randomize

ROWS = np.random.default_rng(3).standard_normal((6, 40))


def random_flow(dim, rng=1, **options):
    options = {"hidden": [8, 8], "activation": "silu"} | options
    return randomize(fc.ContinuousFlow.of(dim, **options), rng=rng)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize(
    "dim, options",
    [
        (1, {}), (2, {"activation": "tanh", "frequencies": 2}), (3, {"activation": "softplus"}),
        (4, {"context_dim": 2}), (5, {"hidden": [8] * 3, "residual": True}),
    ],
)  # fmt: skip
def test_the_log_det_is_that_of_the_solvers_map(dim, options, direction):
    """By a brute-force Jacobian: central differences of the map, at a tolerance of 1e-8."""
    x = ROWS[:4, :dim]
    context = (
        ROWS[:4, 30 : 30 + options.get("context_dim", 0)] if "context_dim" in options else None
    )
    flow = random_flow(dim, **options).with_tolerance(x, 1e-8, context)
    run = getattr(flow, direction)
    steps = 1e-4 * np.eye(dim)
    columns = [(run(x + e, context=context) - run(x - e, context=context)) / 2e-4 for e in steps]
    expected = np.linalg.slogdet(np.stack(columns, axis=-1))[1]
    found = getattr(flow, f"{direction}_log_det")(x, context=context)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found).max() > 0.05  # there is something to be right about


@pytest.mark.parametrize("order, n_steps", [(4, 100), (5, 40)])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_solution_is_scipys(direction, order, n_steps):
    """A point and its log-det, by an adaptive solver and a Jacobian by differences."""
    flow, x = random_flow(3, frequencies=1, n_steps=n_steps, order=order), ROWS[0, :3]

    def derivative(t, state):
        steps = 1e-5 * np.eye(3)
        ends = flow.field(np.concatenate([state[:3] + steps, state[:3] - steps]), t)
        div = np.trace(ends[:3] - ends[3:]) / 2e-5
        return [*flow.field(state[:3], t), div]

    span = (0, 1) if direction == "forward" else (1, 0)
    expected = solve_ivp(derivative, span, [*x, 0.0], rtol=1e-9, atol=1e-10).y[:, -1]
    found, log_det = getattr(flow, f"{direction}_and_log_det")(x)
    np.testing.assert_allclose([*found, log_det], expected, atol=1e-7)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-4])
def test_round_trips_are_as_good_as_the_grid(tolerance):
    x = ROWS[:, :3]
    flow = random_flow(3, hidden=[16, 16]).with_tolerance(x, tolerance)
    z, log_det = flow.inverse_and_log_det(x)
    again, back = flow.forward_and_log_det(z)
    np.testing.assert_allclose(again, x, atol=10 * tolerance)
    np.testing.assert_allclose(back, -log_det, atol=10 * tolerance)


@pytest.mark.parametrize("order", [4, 5])
def test_the_error_falls_with_the_power_of_the_step_that_is_the_order(order):
    """Of the points and of the log-dets, while it is far above rounding."""
    flow, x = steep_flow().with_steps(4, order), ROWS[:, :2]
    exact = flow.with_steps(256).forward_and_log_det(x)
    errors = []
    for n in (8, 16, 32):
        found = flow.with_steps(n).forward_and_log_det(x)
        errors.append([np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(found, exact, strict=True)])
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(rates - order) < 0.5).all()
    assert np.min(errors) > 1e-12


@pytest.mark.slow
def test_narrow_clusters_far_apart_come_back_in_units_of_their_own_width():
    """A tolerance in units of the whole table, where the tolerance was, is half of a cluster."""
    x = np.random.default_rng(0).normal(size=(2000, 2))
    x[::2, 0] += 1e4
    flow, _ = fc.fit_matching(flows.continuous(2), x, epochs=60, rng=0)
    assert np.abs(flow.from_latent(flow.to_latent(x)) - x).max() < 0.2  # was 0.58


@pytest.mark.parametrize("dim, n", [(1, 4001), (2, 161)])
def test_the_mass_is_one(dim, n):
    flow = randomize(flows.continuous(dim, hidden=[8] * 3, n_steps=20), 0.7, rng=2)
    axes = np.meshgrid(*[np.linspace(-12, 12, n)] * dim)
    x = np.stack(axes, axis=-1).reshape(-1, dim)
    assert flow.prob(x).sum() * (24 / (n - 1)) ** dim == pytest.approx(1, abs=1e-3)


def test_a_file_with_probes_has_the_exact_log_density_now():
    flow = fc.load(DATA / "models" / "continuous-options.npz")
    x = ROWS[:, :3]
    steps = 1e-4 * np.eye(3)
    columns = [(flow.to_latent(x + e) - flow.to_latent(x - e)) / 2e-4 for e in steps]
    log_det = np.linalg.slogdet(np.stack(columns, axis=-1))[1]
    expected = flow.base.log_prob(flow.to_latent(x)) + log_det
    np.testing.assert_allclose(flow.log_prob(x), expected, atol=5e-3)  # of a grid of 3 steps


def steep_flow():
    return randomize(fc.ContinuousFlow.of(2, [8, 8], "silu"), 2.0, rng=1)


def test_a_finer_grid_for_a_smaller_tolerance():
    flow, x = steep_flow(), ROWS[:, :2]
    grids = [flow.with_tolerance(x, tol) for tol in (1.0, 1e-6, 1e-8, 1e-10)]
    numbers = [grid.n_steps for grid in grids]
    assert numbers == sorted(set(numbers)) and numbers[0] == 2
    assert all(grid.order == 5 for grid in grids)
    float32 = flow.with_params(flow.params.astype(np.float32))
    assert float32.with_tolerance(x, 1e-10).n_steps == numbers[-1]
    with pytest.warns(UserWarning, match="1024 steps are off by"):
        assert flow.with_tolerance(x, 1e-300).n_steps == 1024


def test_the_tolerance_is_kept_and_few_steps_are_wasted():
    """Against a grid of 500 steps: the points in the worst row, log-dets in root mean square."""
    x = np.random.default_rng(0).standard_normal((300, 2))
    for tolerance in (1e-6, 1e-8, 1e-10):
        flow = steep_flow().with_tolerance(x, tolerance)
        exact = flow.with_steps(500).inverse_and_log_det(x)

        def error(n_steps, flow=flow, exact=exact):
            z, log_det = flow.with_steps(n_steps).inverse_and_log_det(x)
            return max(np.abs(z - exact[0]).max(), np.sqrt(np.mean((log_det - exact[1]) ** 2)))

        assert error(flow.n_steps) <= 1.1 * tolerance
        assert error(int(0.7 * flow.n_steps)) > tolerance


def test_the_tolerance_holds_for_log_dets_too():
    """A velocity of short waves moves points little; there its divergence decides."""
    net = steep_flow().velocity
    (W, *first), *middle, (last, b, C) = net.weights()
    waves = net.with_weights([(W * 20, *first), *middle, (last / 20, b / 20, C)])
    x = ROWS[:, :2]
    flow = fc.ContinuousFlow(waves).with_tolerance(x, 1e-4)
    pairs = zip(
        flow.inverse_and_log_det(x), flow.with_steps(500).inverse_and_log_det(x), strict=True
    )
    moved, changed = (a - b for a, b in pairs)
    assert np.abs(moved).max() < 1e-5 and 1e-5 < np.sqrt(np.mean(changed**2)) < 1.1e-4


def test_rows_do_not_couple():
    flow, x = random_flow(3, n_steps=4), ROWS[:, :3].copy()
    y, log_det = flow.inverse_and_log_det(x)
    for i, row in enumerate(x):
        one, one_log_det = flow.inverse_and_log_det(row)
        np.testing.assert_allclose(one, y[i], rtol=1e-13)
        np.testing.assert_allclose(one_log_det, log_det[i], rtol=1e-12)
    x[2, 1] = np.nan
    found, found_log_det = flow.inverse_and_log_det(x)
    assert np.isnan(found[2]).all() and np.isnan(found_log_det[2])
    others = [0, 1, 3, 4, 5]
    assert np.array_equal(found[others], y[others])
    assert np.array_equal(found_log_det[others], log_det[others])


def test_a_path_starts_at_the_base_and_ends_where_the_flow_does():
    flow, z = random_flow(2, n_steps=20), ROWS[:, :2]
    path = flow.path(z, [0.0, 0.5, 1.0])
    assert path.shape == (3, 6, 2) and np.array_equal(path[0], z)
    np.testing.assert_allclose(path[-1], flow.forward(z), atol=1e-6)
    assert np.array_equal(flow.field(z, 0.5), flow.field(z, np.full(6, 0.5)))


def test_a_flow_of_it_integrates_to_one_and_learns_by_maximum_likelihood():
    x = np.exp(np.random.default_rng(0).normal(0.0, 0.7, (200, 1)))
    flow = flows.continuous(1, hidden=[8] * 3, n_steps=6, rng=1)
    flow, history = fc.fit(flow, x, epochs=15, batch_size=50, learning_rate=1e-2, rng=0)
    assert history.train_nll[-1] < history.train_nll[0] - 0.1
    flow = randomize(flow, 0.5)
    grid = np.linspace(-40, 40, 4001)[:, None]
    assert abs(flow.prob(grid).sum() * 0.02 - 1) < 1e-3


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fc.ContinuousFlow.of(2, activation="relu"), "activation must be smooth"),
        (lambda: fc.ContinuousFlow.of(2, activation="elu"), "activation must be smooth"),
        (lambda: fc.ContinuousFlow(fc.MLP(2, (2,), [4], "tanh")), "velocity must map D"),
        (lambda: fc.ContinuousFlow(fc.MLP(1, (1,), [4], "tanh")), "velocity must map D"),
        (lambda: fc.ContinuousFlow(fc.MLP(3, (2,), [4], "tanh"), frequencies=1), "frequencies=1"),
        (lambda: fc.ContinuousFlow.of(2, order=3), r"order must be one of \[4, 5\], not 3"),
        (lambda: fc.ContinuousFlow.of(2, n_steps=0), "n_steps must be an integer >= 1"),
        (lambda: random_flow(2).with_tolerance([[0, 0]], 0), "tolerance"),
    ],
)  # fmt: skip
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_velocity_must_be_an_mlp():
    with pytest.raises(TypeError, match="velocity must be an MLP"):
        fc.ContinuousFlow(fc.MADE(2))


@pytest.mark.parametrize("options", [{}, {"context_dim": 2}])
def test_draws_are_those_of_the_pass_with_log_densities(options):
    flow = randomize(flows.continuous(3, hidden=[8] * 3, n_steps=4, **options), 0.5)
    context = np.ones((5, 2)) if "context_dim" in options else None
    draws = flow.sample(5 if context is None else 1, rng=0, context=context)
    same, log_p = flow.sample_and_log_prob(len(draws) if context is None else 1, 0, context)
    np.testing.assert_allclose(draws, same, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(log_p, flow.log_prob(same, context=context), atol=1e-2)
