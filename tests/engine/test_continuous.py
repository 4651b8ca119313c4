"""Continuous flows: the solver, the exact divergence, grids, and bad input."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import flowcore as fc
from flowcore import flows
from flowcore.testing import randomize

ROWS = np.random.default_rng(3).standard_normal((6, 40))


def random_flow(dim, rng=1, **options):
    options = {"hidden": [8, 8], "activation": "silu"} | options
    return randomize(fc.ContinuousFlow.of(dim, **options), rng=rng)


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
    """A tolerance in units of the whole table, where the tolerance was, is half of a cluster. In
    units of z the error is at most five tolerances."""
    x = np.random.default_rng(0).normal(size=(2000, 2))
    x[::2, 0] += 1e4
    flow, _ = fc.fit_matching(flows.continuous(2), x, epochs=60, rng=0)
    z = flow.to_latent(x)
    again = flow.from_latent(z)
    assert np.abs(flow.to_latent(again) - z).max() < 6e-4  # 500 rows chose the grid
    assert np.abs(again - x).max() < 0.2  # was 0.58


def steep_flow():
    return randomize(fc.ContinuousFlow.of(2, [8, 8], "silu"), 2.0, rng=1)


def test_a_finer_grid_for_a_smaller_tolerance():
    flow, x = steep_flow(), ROWS[:, :2]
    grids = [flow.with_tolerance(x, tol) for tol in (1.0, 1e-6, 1e-10)]
    numbers = [grid.n_steps for grid in grids]
    assert numbers == sorted(set(numbers)) and numbers[0] == 2
    assert all(grid.order == 5 for grid in grids)
    float32 = flow.with_params(flow.params.astype(np.float32))
    assert float32.with_tolerance(x, 1e-10).n_steps == numbers[-1]
    with pytest.warns(UserWarning, match="1024 steps are off by"):
        assert flow.with_tolerance(x, 1e-300).n_steps == 1024


def test_the_tolerance_is_kept_and_few_steps_are_wasted():
    """Against a grid of 500 steps: the points in the worst row, log-dets in root mean square."""
    x = np.random.default_rng(0).standard_normal((100, 2))
    for tolerance in (1e-6, 1e-10):
        flow = steep_flow().with_tolerance(x, tolerance)
        exact = flow.with_steps(500).inverse_and_log_det(x)

        def error(n_steps, flow=flow, exact=exact):
            z, log_det = flow.with_steps(n_steps).inverse_and_log_det(x)
            return max(np.abs(z - exact[0]).max(), np.sqrt(np.mean((log_det - exact[1]) ** 2)))

        assert error(flow.n_steps) <= 1.1 * tolerance
        assert error(int(0.7 * flow.n_steps)) > tolerance


def test_shared_contexts_single_rows_and_leading_axes_choose_the_grid_of_plain_rows():
    flow = randomize(fc.ContinuousFlow.of(2, [8, 8], "silu", context_dim=3), 2.0, rng=1)
    x, c = ROWS[:, :2], np.array([0.5, -1.0, 2.0])
    every = flow.with_tolerance(x, 1e-9, np.tile(c, (len(x), 1)))
    assert flow.with_tolerance(x, 1e-9, c).n_steps == every.n_steps > 2
    pairs = x.reshape(2, 3, 2), 1e-9, np.tile(c, (3, 1))
    assert flow.with_tolerance(*pairs).n_steps == every.n_steps
    one = flow.with_tolerance(x[:1], 1e-9, c[None])
    assert flow.with_tolerance(x[0], 1e-9, c).n_steps == one.n_steps > 2


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


def test_a_path_starts_at_the_base_and_ends_where_the_flow_does():
    flow, z = random_flow(2, n_steps=20), ROWS[:, :2]
    path = flow.path(z, [0.0, 0.5, 1.0])
    assert path.shape == (3, 6, 2) and np.array_equal(path[0], z)
    np.testing.assert_allclose(path[-1], flow.forward(z), atol=1e-6)
    assert np.array_equal(flow.field(z, 0.5), flow.field(z, np.full(6, 0.5)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fc.ContinuousFlow.of(2, activation="relu"), "activation must be smooth"),
        (lambda: fc.ContinuousFlow(fc.MLP(2, (2,), [4], "tanh")), "velocity must map D"),
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
