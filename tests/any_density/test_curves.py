"""Curves of one column given the others: against exact conditionals, and brute force."""

import numpy as np
import pytest
from scipy import stats
from support.flows import Opaque

import flowcore as fc
from flowcore import flows, targets
from flowcore.conditionals import curves
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng
TURN = np.linspace(-np.pi, np.pi, 4001)


def posterior(density, *args):
    return fc.Conditionals(density).posterior(*args)


class Boxes:
    """x_0 is uniform on [0, 1], and x_1 on [x_0, x_0 + 1], or with probability 1/4 on a box of the
    width 0.01 at 1000: jumps, holes, and a mode far away."""

    dim = 2

    def sample(self, n, rng=None):
        rng = RNG(rng)
        x = rng.random((n, 2))
        far = rng.random(n) < 0.25
        return np.column_stack([x[:, 0], np.where(far, 1000 + x[:, 1] / 100, x.sum(axis=1))])

    def log_prob(self, x):
        a, b = np.moveaxis(np.asarray(x), -1, 0)
        near, far = (a <= b) & (b <= a + 1), (b >= 1000) & (b <= 1000.01)
        with np.errstate(divide="ignore"):
            return np.log(((a >= 0) & (a <= 1)) * (0.75 * near + 25 * far))


def mixture(seed, dim, k, orders):
    """Gaussians whose widths differ by `orders` powers of ten."""
    rng = RNG(seed)
    factors = np.tril(0.4 * rng.normal(size=(k, dim, dim)), -1) + np.eye(dim)
    factors *= 10 ** -np.linspace(0, orders, k)[:, None, None]
    return fc.MultivariateNormalMixture(rng.normal(0, 2, (k, dim)), factors, 0.1 + rng.random(k))


def cdf(p, x):
    """The exact CDF of a mixture of Gaussians in one dimension."""
    z = (np.asarray(x)[..., None] - p.means[:, 0]) / p.scale_tril[:, 0, 0]
    return stats.norm.cdf(z) @ p.weights


@pytest.mark.parametrize("seed, dim, k, orders", [(0, 2, 3, 0), (1, 3, 5, 1), (2, 5, 4, 3)])
def test_curves_are_the_exact_conditionals(seed, dim, k, orders):
    p = mixture(seed, dim, k, orders)
    x = p.sample(40, 3)
    before, column = x.copy(), seed % dim
    found = posterior(Opaque(p), x, column)
    np.testing.assert_array_equal(x, before)
    others = np.delete(np.arange(dim), column)
    exact_mass = p.marginal(others).prob(x[:, others])
    np.testing.assert_allclose(found.mass, exact_mass, rtol=3e-4)
    np.testing.assert_allclose(np.trapezoid(found.density, found.grid, axis=1), 1, atol=2e-3)
    levels = np.array([0.05, 0.5, 0.95])
    for i, quantiles in enumerate(found.quantiles(levels).T):
        exact = p.given(np.where(np.arange(dim) == column, np.nan, x[i]))
        density = exact.prob(found.grid[i][:, None])
        np.testing.assert_allclose(found.density[i], density, rtol=1e-3, atol=1e-9 * density.max())
        np.testing.assert_allclose(cdf(exact, quantiles), levels, atol=1e-3)
        assert found.mean()[i] == pytest.approx(exact.mean()[0], abs=2e-3 * exact.std()[0])


def test_one_unknown_column_is_integrated_by_quadrature():
    """log p of the known values, and draws that follow the conditional, in random order."""
    p = mixture(4, 3, 4, 2)
    joint, x = fc.Conditionals(Opaque(p)), p.sample(300, 5)
    rows = np.where(np.arange(3) == np.arange(300)[:, None] % 3, np.nan, x)
    answers = joint.impute(rows, n=19)
    for j in range(3):
        known, here = np.delete(np.arange(3), j), np.arange(300) % 3 == j
        exact = p.marginal(known).log_prob(x[here][:, known])
        np.testing.assert_allclose(answers.log_p[here], exact, atol=1e-3)
    assert answers.trusted.all() and (answers.ess == 200).all() and (answers.error < 1e-3).all()
    assert (answers.k_hat == -np.inf).all() and not answers.annealed.any()
    at, truth = np.arange(300), x[np.arange(300), np.arange(300) % 3]
    draws = answers.draws[:, at, at % 3]
    pit = [cdf(p.given(row), own) for row, own in zip(rows, draws.T, strict=True)]
    assert stats.kstest(np.ravel(pit), "uniform").pvalue > 1e-3
    steps = np.diff(pit, axis=1).ravel()
    assert abs(np.mean(steps > 0) - 0.5) < 0.02 and np.std(steps) == pytest.approx(
        6**-0.5, abs=0.01
    )
    inside = (draws.min(axis=0) < truth) & (truth < draws.max(axis=0))
    assert abs(inside.mean() - 0.9) < 0.05
    given = joint.given(rows[0])
    assert given.log_marginal == pytest.approx(answers.log_p[0], abs=1e-12)
    assert repr(given).endswith(": exact") and joint.given({0: 0.0}).error > 1e-3
    assert given.mean()[0] == pytest.approx(p.given(rows[0]).mean()[0], abs=0.01)


def test_jumps_and_a_mode_far_away():
    x = np.array([[0.2, np.nan], [0.9, np.nan]])
    found = posterior(Boxes(), x, 1)
    np.testing.assert_allclose(found.mass, 1, atol=1e-3)
    expected = [[0.2 + 0.5 / 0.75, 1000.005], [0.9 + 0.5 / 0.75, 1000.005]]
    np.testing.assert_allclose(found.quantiles([0.5, 0.875]).T, expected, atol=2e-3)
    assert found.density[(found.grid > 2) & (found.grid < 999)].max() == 0
    with pytest.warns(UserWarning, match="curve of 1 of 3 rows is not resolved"):
        found = posterior(Boxes(), [[0.2, 0], [7.0, 0], [0.2, 0]], 1)
    assert np.isnan(found.quantiles([0.5])[0]).tolist() == [False, True, False]
    assert found.mass[1] == 0


def test_heavy_tails():
    p = fc.MultivariateTMixture([[0.0, 1.0]], [[[1, 0], [0.5, 0.1]]], df=1.0)
    found, exact = posterior(Opaque(p), [[0.5, 0.0], [40.0, 0.0]], 1), p.marginal([0])
    np.testing.assert_allclose(found.mass, exact.prob([[0.5], [40.0]]), rtol=1e-3)
    at = found.quantiles([0.5, 0.999])[:, 0]
    given = p.given({0: 0.5})
    t = stats.t(2, given.means[0, 0], given.scale_tril[0, 0, 0])
    np.testing.assert_allclose(t.cdf(at), [0.5, 0.999], atol=5e-4)
    with pytest.warns(UserWarning, match="1 of 1 rows is not resolved"):  # 1e4 scales are too few
        posterior(fc.StudentT(1, df=0.2))


@pytest.mark.parametrize("name", ["torus", "uniform", "spline"])
def test_angles_are_integrated_over_one_turn(name):
    flow = flows.nsf(2, layers=2, hidden=[8], bins=4, circular=(0, 1))
    flow = randomize(flow.initialize(RNG(0).normal(size=(100, 2))), 0.5, rng=1)
    p = {"torus": targets.torus(), "uniform": fc.UniformCircle(2), "spline": flow}[name]
    x = p.sample(6, 0) + 2 * np.pi
    found = posterior(p, x, 1)
    assert found.angle and np.abs(found.grid).max() <= np.pi + 1e-12
    for i, mean in enumerate(found.mean()):
        rows = np.column_stack([np.full(len(TURN), x[i, 0]), TURN])
        f = np.exp(p.log_prob(rows))
        mass = np.trapezoid(f, TURN)
        assert found.mass[i] == pytest.approx(mass, rel=1e-3)
        direction = np.trapezoid(f * np.exp(1j * TURN), TURN) / mass
        if abs(direction) > 0.1:
            assert abs(np.exp(1j * mean) - direction / abs(direction)) < 5e-3
        u = mean + TURN
        f = np.exp(p.log_prob(np.column_stack([rows[:, 0], u]))) / mass
        exact = np.append(0, np.cumsum(f[1:] + f[:-1]) / 2 * (u[1] - u[0]))
        at = found.quantiles([0.05, 0.4, 0.95])[:, i]
        np.testing.assert_allclose(np.interp(at, u, exact), [0.05, 0.4, 0.95], atol=3e-3)


@pytest.mark.parametrize("points, widths", [(4000, 0.5), (1250, 1.6)])
def test_a_grid_of_an_angle_has_one_turn_and_more_than_a_point_a_width(points, widths):
    """Even 1.6 widths apart, points have the right mass, but quantiles between them are off."""
    p, shape = fc.VonMises([0.4], [(points * widths / TURN[-1] / 2) ** 2]), (points + 1,)
    for start in (-np.pi, 0.0, 0.1, 50.0):
        grid = np.linspace(start, start + 2 * np.pi, *shape)
        if widths < 1:
            found = posterior(p, None, None, grid)
            assert found.mass == pytest.approx(1, abs=1e-3)
            width = 1 / np.sqrt(p.concentration[0])
            off = np.exp(1j * (found.quantiles([0.16, 0.84])[:, 0] - 0.4))
            wanted = stats.norm.ppf([0.16, 0.84]) * width
            np.testing.assert_allclose(np.angle(off), wanted, atol=0.03 * width)
        else:
            with pytest.warns(UserWarning, match="off for more than 5% of its mass: take a finer"):
                posterior(p, None, None, grid)
    with pytest.warns(UserWarning, match="curve of 1 of 1 rows is off"):
        posterior(p, None, None, np.linspace(1, 3, 9001))  # where it has no mass
    for turns in (1.01, 2, 5.5):
        grid = np.linspace(0, turns * 2 * np.pi, 40_001)
        with pytest.raises(ValueError, match=rf"grid covers {turns} turns of an angle: pass one"):
            posterior(p, None, None, grid)


def conditional_flow(dim=1):
    flow = flows.nsf(dim, layers=2, hidden=[8], context_dim=2, standardize=False)
    return randomize(flow, 0.7, rng=0)


def test_a_conditional_density_needs_no_rows():
    flow, contexts = conditional_flow(), RNG(0).normal(size=(30, 2))
    found = flow.posterior(context=contexts)
    np.testing.assert_allclose(found.mass, 1, atol=1e-3)
    log_p = flow.log_prob(found.grid[..., None], context=contexts[:, None])
    np.testing.assert_allclose(found.density, np.exp(log_p), rtol=1e-3, atol=1e-12)
    one = flow.posterior(context=contexts[3])
    levels = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(
        one.quantiles(levels)[:, 0], found.quantiles(levels)[:, 3], atol=5e-3
    )
    two = conditional_flow(2)
    x = two.sample((), 0, context=contexts)
    both = two.posterior(x, 0, context=contexts)
    grid = np.sinh(np.linspace(-7, 7, 6001))
    rows = np.column_stack([grid, np.full(6001, x[3, 1])])
    mass = np.trapezoid(two.prob(rows, context=contexts[3]), grid)
    assert both.mass[3] == pytest.approx(mass, rel=1e-3)


def test_a_callers_grid():
    """Its values are those of the density, and its mass is compared with that of finer nodes."""
    p = mixture(5, 3, 3, 1)
    joint, x = fc.Conditionals(Opaque(p)), p.sample(50, 6)
    x[:, 0] = np.nan
    grid = np.linspace(-12, 12, 4001)
    found = joint.posterior(x, 0, grid)
    rows = np.repeat(x[:, None], len(grid), axis=1)
    rows[..., 0] = grid
    f = p.prob(rows)
    mass = np.trapezoid(f, grid, axis=1)
    np.testing.assert_allclose(found.mass, mass, rtol=1e-3)
    peak = f.max(axis=1, keepdims=True)
    assert (
        np.abs(found.density * found.mass[:, None] - f).max(where=f > 1e-4 * peak, initial=0) < 1e-9
    )
    assert (np.abs(found.density * found.mass[:, None] - f) < 2e-4 * peak).all()
    assert found.grid.shape == (4001,) and found.quantiles([0.5]).shape == (1, 50)
    np.testing.assert_allclose(np.trapezoid(found.density, grid, axis=1), 1, atol=1e-9)
    coarse = np.linspace(-12, 12, 41)
    lines = np.stack([np.interp(grid, coarse, own) for own in f[:, ::100]])
    off = np.trapezoid(np.abs(lines - f), grid, axis=1) / mass
    assert np.sum(off > 0.07) > 10 and np.sum(off < 0.03) > 10
    with pytest.warns(UserWarning, match="curve of ([1-4][0-9]) of 50 rows is off for more than"):
        joint.posterior(x, 0, coarse)
    joint.posterior(x[off < 0.03], 0, coarse)
    bad = np.sum(off > 0.07)
    with pytest.warns(UserWarning, match=f"curve of {bad} of {bad} rows is off for more than"):
        joint.posterior(x[off > 0.07], 0, coarse)
    with pytest.warns(UserWarning, match="curve of 50 of 50 rows is off for more than"):
        joint.posterior(x, 0, grid + 30)
    for bad in ([1.0], [0.0, np.nan], [1.0, 0.0], [[0.0, 1.0]], [0.0, np.inf]):
        with pytest.raises(ValueError, match="grid must be finite numbers"):
            joint.posterior(x, 0, bad)


def test_a_row_alone_and_in_company(monkeypatch):
    flow = randomize(flows.nsf(3, layers=2, hidden=[8], standardize=False), 0.5, rng=2)
    x = flow.sample(20, 0)
    found, one = flow.posterior(x, 1), flow.posterior(x[7:8], 1)
    assert len(np.unique(one.grid)) == len(np.unique(found.grid[7]))
    for a, b in (
        (one.mass[0], found.mass[7]),
        (one.quantiles([0.3])[0, 0], found.quantiles([0.3])[0, 7]),
    ):
        assert a == pytest.approx(b, rel=1e-9)
    monkeypatch.setattr(curves, "ROWS", 3)  # in blocks of three rows
    blocks = flow.posterior(x, 1)
    np.testing.assert_allclose(blocks.density, found.density, rtol=1e-9)
    layer = randomize(flows.maf(3, layers=1, standardize=False), rng=3)  # its conditional is exact
    grid, x = np.linspace(-60, 60, 20001), layer.sample(3, 0)
    rows = np.column_stack([np.tile(x[1, :2], (20001, 1)), grid])
    mass = np.trapezoid(layer.prob(rows), grid)
    assert layer.posterior(x, 2).mass[1] == pytest.approx(mass, rel=1e-3)


def test_columns_have_names():
    pd = pytest.importorskip("pandas")
    p, names = mixture(6, 3, 2, 0), ["age", "income", "debt"]
    x = p.sample(5, 0)
    joint, frame = fc.Conditionals(p, names=names), pd.DataFrame(x, columns=names)
    expected = p.posterior(x, 1).density
    for table in (frame, frame[["debt", "age"]], frame[["income", "debt", "age"]], x):
        found = joint.posterior(table, "income")
        np.testing.assert_allclose(found.density, expected, rtol=1e-9)
        assert found.column == "income"
    with pytest.raises(ValueError, match=r"rows has NaN or infinite values in row 2 .*'debt'"):
        joint.posterior(np.where(np.arange(15).reshape((5, 3)) == 8, np.nan, x), "income")
    for table, column, message in (
        (frame[["age"]], "income", "rows lacks 'debt'"),
        (x, "wealth", "no column is named 'wealth'"),
        (x[:, :2], 0, r"\(\.\.\., 3\)"),
        (x, None, "needs rows= and column="),
        (None, 1, "needs rows= and column="),
    ):
        with pytest.raises(ValueError, match=message):
            joint.posterior(table, column)


def test_an_estimator_has_curves():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(targets.two_moons(0.1).sample(200, 0), columns=["a", "b"])
    density = fc.FlowDensity("affine", max_seconds=0.1, random_state=0, n_jobs=1)
    with pytest.warns(UserWarning, match="max_seconds was over"):
        density.fit(frame)
    found = density.posterior(frame[["a"]].iloc[:3], "b")
    marginal = density.conditionals_.marginal(["a"]).log_prob(frame[["a"]].to_numpy()[:3])
    np.testing.assert_allclose(np.log(found.mass), marginal, atol=2e-3)


@pytest.mark.parametrize("sd", [0.01, 0.3])
def test_modes_that_a_proposal_lacks_have_their_mass(sd):
    """Twelve modes, in a row for which every mode is as probable."""
    means = [[5.0 * k, 0.0] for k in range(12)]
    p = fc.MultivariateNormalMixture(means, [np.diag([sd, 1.0])] * 12)
    joint = fc.Conditionals(fc.TransformedDistribution(p, fc.Permute([0, 1])))
    answers = joint.impute([[np.nan, 0.0]], n=240, rng=0)
    assert answers.log_p[0] == pytest.approx(-0.5 * np.log(2 * np.pi), abs=2e-3)
    modes = np.round(answers.draws[:, 0, 0] / 5).astype(int)
    assert (np.abs(np.bincount(modes, minlength=12) - 20) < 5).all()
