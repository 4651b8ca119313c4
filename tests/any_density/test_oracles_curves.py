"""Oracles of curves: `pit`, `quantiles`, `posterior` and `given` describe one and the same density.

Nothing here is read from the code that it judges: integrals are sums of exp(log p) over points that
this file chooses.

    mass        a curve has the integral 1; raw it is 1 given a context, p(the rest) of a joint
    curve       is log_prob, divided by the integral
    agree       quantiles, PIT, mean and given are those of the curve
    alone       a row has one curve, alone, in any company and order
    sharp       modes that are narrow, far apart, or far from all draws are found
    refused     what has no answer is an error that names it

A density of one column is one more line in CONDITIONAL, one of several columns in JOINT.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from support.flows import Opaque

import flowcore as fc
from flowcore import flows, targets
from flowcore.conditionals import curves
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

N_NODES = 8001
TURN = np.linspace(-np.pi, np.pi, 4001)
RNG = np.random.default_rng
Q = np.array([0.001, 0.05, 0.16, 0.5, 0.84, 0.95, 0.999])


def posterior(density, *args):
    return fc.Conditionals(density).posterior(*args)


def initialized(make, spread=0.5, seed=3):
    """A flow with random parameters, whose constants are those of `rows`."""
    x, c = rows()
    flow = make().initialize(x, c if make().context_dim else None)
    return randomize(flow, spread, rng=seed)


def rows(n=400, seed=0):
    """x (n, 1) in (0, 2) and a context (n, 3) whose columns are nearly copies, in other units."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=(n, 3))
    x = stats.norm.cdf(c[:, :1] + 0.3 * rng.normal(size=(n, 1))) * 1.9 + 0.05
    return x, c * [1, 100, 0.01] + [0, 24, 5]


SMALL = {"layers": 2, "hidden": [8], "context_dim": 3}
CONDITIONAL = {
    "affine": lambda: initialized(lambda: flows.maf(1, **SMALL)),
    "spline": lambda: initialized(lambda: flows.nsf(1, **SMALL), 0.3),
    "whitened": lambda: initialized(
        lambda: flows.nsf(1, standardize_context="whiten", **SMALL), 0.3
    ),
    "normal base": lambda: initialized(lambda: flows.nsf(1, base="normal", bins=4, **SMALL)),
    "mixture of Gaussians": lambda: initialized(
        lambda: flows.made_mog(1, hidden=[8], context_dim=3)
    ),
    "bounded": lambda: initialized(
        lambda: flows.nsf(1, bounded=(0.0, 2.0), base="normal", **SMALL), 0.3
    ),
    "float32": lambda: initialized(lambda: flows.nsf(1, dtype=np.float32, **SMALL), 0.3),
    "mixture of flows": lambda: fc.Mixture(
        [initialized(lambda: flows.nsf(1, **SMALL), 0.3, seed) for seed in (1, 2)], [0.3, 0.7]
    ),
    "estimator": lambda: estimator().density_,
}  # fmt: skip
one_column = pytest.mark.parametrize("name", CONDITIONAL)


@cache
def conditional(name):
    """(density, y (6, 1), contexts (6, 3), nodes (6, N), F and p at the nodes)."""
    density, c = CONDITIONAL[name](), rows(6, seed=7)[1]
    draws = density.sample(4000, 5, context=c)[..., 0].T.astype(float)
    middle = np.median(draws, axis=1, keepdims=True)
    width = np.quantile(np.abs(draws - middle), 0.7, axis=1, keepdims=True)
    end = np.arcsinh(40 * np.abs(draws - middle).max(axis=1, keepdims=True) / width)
    nodes = middle + width * np.sinh(end * np.linspace(-1, 1, N_NODES))
    if name == "bounded":
        # its density may be infinite at the ends
        nodes = np.broadcast_to(2 * expit(np.linspace(-34, 34, N_NODES)), nodes.shape)
    p = np.exp(
        density.log_prob(nodes.reshape(-1, 1), context=np.repeat(c, N_NODES, axis=0)).astype(float)
    ).reshape(nodes.shape)
    cells = np.diff(nodes, axis=1) * (p[:, 1:] + p[:, :-1]) / 2
    F = np.concatenate([np.zeros((6, 1)), np.cumsum(cells, axis=1)], axis=1)
    return density, density.sample((), 1, context=c).astype(float), c, nodes, F, p


@cache
def estimator():
    (x, c), options = rows(120), {"budget": 1e-3, "n_jobs": 1, "random_state": 0}
    return fc.FlowDensity("small", **options).fit(x, context=c)


def tolerance(name):
    return 2e-3 if name == "float32" else 3e-4


@one_column
def test_the_pit_is_the_integral_up_to_y(name):
    density, y, c, nodes, F, _ = conditional(name)
    assert np.allclose(F[:, -1], 1, atol=tolerance(name))  # of this file's own quadrature
    expected = [np.interp(*one) for one in zip(y[:, 0], nodes, F, strict=True)]
    found = density.pit(y, context=c)
    assert found.shape == (6,)
    np.testing.assert_allclose(found, expected, atol=tolerance(name))


@one_column
def test_a_curve_is_log_prob_with_the_mass_one(name):
    density, _, c, nodes, F, p = conditional(name)
    found = density.posterior(context=c)
    assert found.grid.shape == found.density.shape == (6, found.grid.shape[1])
    assert (np.diff(found.grid, axis=1) >= 0).all() and (found.density >= 0).all()
    np.testing.assert_allclose(found.mass, 1, atol=3e-3)
    np.testing.assert_allclose(np.trapezoid(found.density, found.grid, axis=1), 1, rtol=2e-3)
    context = np.repeat(c, found.grid.shape[1], axis=0)
    log_p = density.log_prob(found.grid.reshape(-1, 1), context=context)
    raw = np.exp(log_p.astype(float)).reshape(found.grid.shape)
    np.testing.assert_allclose(found.density * found.mass[:, None], raw, rtol=1e-4, atol=1e-8)
    quantiles = found.quantiles(Q)
    assert quantiles.shape == (7, 6)
    for q, y in zip(Q, quantiles, strict=True):
        np.testing.assert_allclose(density.pit(y[:, None], context=c), q, atol=3e-3)
    inside = np.abs(F - 0.5) < 0.4995  # a mean of heavy tails depends on where they are cut
    draws = density.sample(4000, 2, context=c)[..., 0].astype(float)
    spread = np.quantile(draws, 0.9, axis=0) - np.quantile(draws, 0.1, axis=0)
    mean = (np.where(inside, nodes * p, 0)[:, :-1] * np.diff(nodes, axis=1)).sum(axis=1)
    assert (np.abs(found.mean() - mean) < 0.1 * spread).all()


@one_column
def test_a_row_alone_has_the_curve_that_it_has_in_company(name):
    density, y, c, *_ = conditional(name)
    together, order = density.posterior(context=c), np.array([3, 0, 5, 1, 1])
    np.testing.assert_allclose(
        density.quantiles(Q, context=c[order]), density.quantiles(Q, context=c)[:, order], rtol=1e-6
    )
    np.testing.assert_allclose(
        density.pit(y[2:3], context=c[2:3]), density.pit(y, context=c)[2:3], rtol=1e-6
    )
    near_0 = 1e-6 if name == "float32" else 0  # rounded as the numbers that it is between
    for others in ([2], order):
        found = density.posterior(context=c[others])
        for of in (lambda curve: curve.quantiles(Q), lambda curve: curve.mean()):
            np.testing.assert_allclose(of(found), of(together)[..., others], 1e-5, near_0)


# ------------------------------------------------------------------------ a column of a joint


def gaussian():
    return fc.MultivariateNormalMixture(
        [[0.0, 0.0, 1.0], [1.0, -2.0, 0.0]],
        [[[1, 0, 0], [0.9, 0.2, 0], [0.5, 0.1, 0.3]], [[0.5, 0, 0], [-0.3, 0.4, 0], [0, 1, 0.1]]],
        [0.4, 0.6],
    )


JOINT = {
    "mixture of Gaussians": gaussian,
    "flow": lambda: randomize(flows.maf(3, layers=2, hidden=[8], standardize=False), 0.5, rng=1),
    "spline": lambda: randomize(
        flows.nsf(3, layers=2, hidden=[8], bins=4, base="normal", standardize=False), 0.5, rng=1
    ),
    "mixture of flows": lambda: fc.Mixture(
        [JOINT["flow"](), fc.MultivariateNormalDiag([0.0, 1, 2], [1.0, 2, 0.5])], [0.7, 0.3]
    ),
}
of_several = pytest.mark.parametrize("name", JOINT)


@cache
def joint(name):
    """(density, five of its draws)."""
    density = JOINT[name]()
    return density, np.asarray(density.sample(5, 9), float)


@cache
def asked(name):
    return fc.Conditionals(joint(name)[0])


def integral(density, x, column):
    """p of the other columns (n,), p along the column, and its nodes: by a sum over wide nodes."""
    draws = np.asarray(density.sample(4000, 3), float)[:, column]
    nodes = np.linspace(draws.min() - 3 * np.ptp(draws), draws.max() + 3 * np.ptp(draws), 20_001)
    lines = np.repeat(x[:, None], len(nodes), axis=1)
    lines[..., column] = nodes
    p = np.exp(density.log_prob(lines))
    return p.sum(axis=1) * (nodes[1] - nodes[0]), p, nodes


@of_several
@pytest.mark.parametrize("column", range(3))
def test_the_mass_of_a_curve_is_the_density_of_the_other_columns(name, column):
    density, x = joint(name)
    expected, p, nodes = integral(density, x, column)
    hidden = x.copy()
    hidden[:, column] = np.nan  # what stands there is ignored
    found = density.posterior(hidden, column)
    np.testing.assert_allclose(found.mass, expected, rtol=3e-3)
    at = [np.interp(*one) for one in zip(x[:, column], found.grid, found.density, strict=True)]
    np.testing.assert_allclose(at, np.exp(density.log_prob(x)) / expected, rtol=0.03, atol=2e-3)
    mean = (p @ nodes) * (nodes[1] - nodes[0]) / expected
    np.testing.assert_allclose(found.mean(), mean, atol=0.01)
    same = density.posterior(x, column)
    np.testing.assert_array_equal(same.density, found.density)
    given = asked(name).given(hidden[0])  # one unknown number is integrated, not drawn
    assert given.log_marginal == pytest.approx(np.log(expected[0]), abs=0.005)


@of_several
def test_rows_of_a_joint_have_their_curves_alone(name, monkeypatch):
    """And in blocks of rows."""
    density, x = joint(name)
    together = density.posterior(x, 1)
    for others in ([2], [4, 0, 0], [0, 1, 2, 3, 4]):
        found = density.posterior(x[others], 1)
        np.testing.assert_allclose(found.mass, together.mass[others], rtol=1e-6)
        np.testing.assert_allclose(found.quantiles(Q), together.quantiles(Q)[:, others], rtol=1e-6)
        monkeypatch.setattr(curves, "ROWS", 3)


# ------------------------------------------------------------------------ exact conditionals


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


def test_draws_of_one_unknown_column_are_stratified():
    """They follow the conditional, in random order, with log p of the known values."""
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


def test_a_conditional_density_of_two_columns():
    flow = flows.nsf(2, layers=2, hidden=[8], context_dim=2, standardize=False)
    flow, contexts = randomize(flow, 0.7, rng=0), RNG(0).normal(size=(30, 2))
    x, nodes = flow.sample((), 0, context=contexts), np.sinh(np.linspace(-7, 7, 6001))
    lines = np.column_stack([nodes, np.full(6001, x[3, 1])])
    mass = np.trapezoid(flow.prob(lines, context=contexts[3]), nodes)
    assert flow.posterior(x, 0, context=contexts).mass[3] == pytest.approx(mass, rel=1e-3)


# ------------------------------------------------------------------------ sharp curves


def bent(sd, slope):
    """(x, y): y is slope x up to sd, or slope x + 1, equally likely."""
    return fc.MultivariateNormalMixture(
        [[0.0, 0.0], [0.0, 1.0]], np.array([[[1, 0], [slope, sd]]] * 2), [0.5, 0.5]
    )


@pytest.mark.parametrize(("slope", "sd"), [(10, 0.1), (10, 0.01), (10, 1e-3), (1000, 0.1)])
@pytest.mark.parametrize("x", [0.0, -1.7, 4.5])
def test_narrow_modes_are_found_wherever_they_are(slope, sd, x):
    """Two modes of width sd with a distance of 1, in a column that is `slope` wide."""
    density = bent(sd, slope)
    found = density.posterior([[x, np.nan]], 1)
    assert found.mass == pytest.approx(stats.norm.pdf(x), rel=0.01)
    assert found.mean() == pytest.approx(slope * x + 0.5, abs=0.02)
    low, high = found.quantiles([0.25, 0.75])[:, 0] - slope * x
    assert abs(low) < sd and abs(high - 1) < sd
    given = fc.Conditionals(Opaque(density)).given([x, np.nan])
    assert given.log_marginal == pytest.approx(stats.norm.logpdf(x), abs=0.01)


def stripes(n, sd):
    """x_0 is N(0, 1), and x_1 is N(k, sd^2) with k = 0, ..., n - 1, all equally likely."""
    return fc.MultivariateNormalMixture([[0.0, k] for k in range(n)], [np.diag([1, sd])] * n)


STRIPES = {
    "ten stripes": (10, 0.02),
    "thirty stripes": (30, 0.02),
    "fifty stripes": (50, 0.01),
    "eighty wide stripes": (80, 0.05),
    "a hundred stripes": (100, 0.01),
    "narrow stripes": (110, 0.001),
    "too many stripes": (200, 0.01),
}


@pytest.mark.filterwarnings("ignore:.* is not resolved")
@pytest.mark.parametrize("name", STRIPES)
def test_many_narrow_modes_are_found_or_the_answer_is_not_called_exact(name):
    n, sd = STRIPES[name]
    density = Opaque(stripes(n, sd))
    conditionals = fc.Conditionals(density, proposal=rough(density))
    given = conditionals.given({0: 0.3})
    off, exact = abs(given.log_marginal - stats.norm.logpdf(0.3)), repr(given).endswith("exact")
    assert exact == (n < 100)
    assert off < 1e-3 if exact else off < 3 * given.error < 0.5
    levels, k = [0.1, 0.5, 0.9], np.arange(n)
    pits = stats.norm.cdf((given.quantiles(levels) - k) / sd).mean(axis=1)
    np.testing.assert_allclose(pits, levels, atol=3e-3 if exact else 4 * given.error)
    if n == 200:
        return  # its curve is not resolved, see below
    found = conditionals.posterior([[0.3, np.nan]], 1)
    np.testing.assert_allclose(found.mass, stats.norm.pdf(0.3), rtol=1e-3 if exact else 0.03)
    pits = stats.norm.cdf((found.quantiles(levels) - k) / sd).mean(axis=1)
    np.testing.assert_allclose(pits, levels, atol=3e-3 if exact else 0.03)


def rough(density):
    """A proposal that has none of many modes."""
    return fc.MultivariateTMixture.from_data(density.sample(1500, 0), 1, df=5.0)


def test_a_curve_with_too_many_narrow_modes_is_not_resolved():
    density = Opaque(stripes(200, 0.01))
    with pytest.warns(UserWarning, match="curve of 1 of 1 rows is not resolved: .* too many modes"):
        fc.Conditionals(density, proposal=rough(density)).posterior([[0.3, np.nan]], 1)


def test_rows_that_need_more_draws_stand_beside_others():
    """Where x_0 is near 9, x_1 has thirty stripes, near 0 a single one."""
    means, narrow = [[0.0, 0], *([9.0, k] for k in range(30))], np.diag([1, 0.02])
    factors = [np.eye(2)] + [narrow] * 30
    density = fc.MultivariateNormalMixture(means, factors, [30] + [1] * 30)
    conditionals = fc.Conditionals(Opaque(density), proposal=rough(density))
    rows = np.array([[0.0, np.nan], [9.3, np.nan], [-0.4, np.nan], [8.8, np.nan]])
    found, curves = conditionals.log_prob(rows), conditionals.posterior(rows, 1)
    exact = density.marginal([0]).log_prob(rows[:, :1])
    np.testing.assert_allclose(found.log_p, exact, atol=1e-3)
    np.testing.assert_allclose(curves.mass, np.exp(exact), rtol=1e-3)
    nodes = [len(np.unique(grid)) for grid in curves.grid]
    assert max(nodes[::2]) < 500 < min(nodes[1::2])
    for i, row in enumerate(rows):
        np.testing.assert_allclose(conditionals.log_prob(row[None]).log_p, found.log_p[i])
        alone = conditionals.posterior(row[None], 1)
        np.testing.assert_allclose(alone.quantiles(Q)[:, 0], curves.quantiles(Q)[:, i])


def blobs(n, wide=False):
    """Blobs in the plane, beside a column that is a million wide."""
    centres = np.random.default_rng(0).uniform(0, 10, (n, 2))
    means, scale = np.insert(centres, 0, 0, axis=1), np.diag([1e6, 0.02, 0.02])
    density = fc.MultivariateNormalMixture(means, [scale] * n)
    return density if wide else density.marginal([1, 2])


def blobs_of_angles(n):
    """The same with an angle, and how to integrate the other column exactly."""
    rng = np.random.default_rng(0)
    angles = rng.vonmises(3, 0.5, n)
    parts = [fc.VonMises([a], [2500.0]) for a in angles], rng.uniform(0, 10, n)
    density = fc.Mixture(
        [
            fc.Product([a, fc.MultivariateNormalDiag([y], [0.02])])
            for a, y in zip(*parts, strict=True)
        ]
    )
    return density, fc.Mixture(parts[0])


@pytest.mark.parametrize("name", ["a hundred", "two hundred", "beside a wide column", "angles"])
def test_blobs_in_the_plane_are_found_by_the_draws_near_a_row(name):
    """A row meets few of the blobs; with and without the rows that need more draws."""
    if name == "angles":
        density, marginal = blobs_of_angles(100)
        proposal = fc.MultivariateTMixture.from_data(density.sample(1500, 0), 1, df=5.0)
    else:
        density = blobs(200 if name == "two hundred" else 100, name == "beside a wide column")
        marginal, proposal = density.marginal(range(density.dim - 1)), rough(density)
    conditionals, x = fc.Conditionals(Opaque(density), proposal=proposal), density.sample(40, 1)
    exact, hidden = marginal.log_prob(x[:, :-1]), x.copy()
    hidden[:, -1] = np.nan
    together = conditionals.log_prob(hidden)
    np.testing.assert_allclose(together.log_p, exact, atol=2e-3)
    for others in ([3], [7, 3, 21]):
        alone = conditionals.log_prob(hidden[others])
        np.testing.assert_allclose(alone.log_p, together.log_p[others], atol=1e-9)
        np.testing.assert_allclose(alone.error, together.error[others], atol=1e-9)


class Wiggles:
    """x_0 is N(0, 1), and x_1 on [0, 1] has 200 periods of 1 + .9 cos: dips, not modes."""

    dim = 2

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        u = rng.random((20 * n + 200, 3))
        kept = u[1.9 * u[:, 1] < 1 + 0.9 * np.cos(400 * np.pi * u[:, 0])][:n]
        return np.column_stack([rng.standard_normal(n), kept[:, 0]])

    def log_prob(self, x):
        a, b = np.moveaxis(np.asarray(x), -1, 0)
        with np.errstate(divide="ignore"):
            inside = np.log(1.0 * ((b >= 0) & (b <= 1)))
        return stats.norm.logpdf(a) + inside + np.log(1 + 0.9 * np.cos(400 * np.pi * b))


def test_a_curve_with_many_dips_is_no_curve_with_many_narrow_modes():
    given = fc.Conditionals(Wiggles(), proposal=rough(Wiggles())).given({0: 0.3})
    assert repr(given).endswith("exact")
    assert given.log_marginal == pytest.approx(stats.norm.logpdf(0.3), abs=1e-3)


def test_a_component_of_the_proposal_with_little_mass_has_its_nodes():
    """A mode so rare that no draw near the row has it, and so narrow that no cell shows it."""
    means, factors, weights = [[0, 0], [0, 3]], [np.eye(2), np.diag([1, 1e-4])], [0.996, 0.004]
    density = fc.MultivariateNormalMixture(means, factors, weights)
    proposal = fc.MultivariateTMixture(means, factors, weights, df=5.0)
    rows = np.column_stack([np.linspace(-2, 2, 20), np.full(20, np.nan)])
    found = fc.Conditionals(Opaque(density), proposal=proposal).log_prob(rows)
    np.testing.assert_allclose(found.log_p, stats.norm.logpdf(rows[:, 0]), atol=5e-4)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_units_do_not_matter(unit):
    density, x = gaussian(), joint("mixture of Gaussians")[1]
    scaled = fc.TransformedDistribution(density, fc.ElementwiseAffine([0, 0, 0], [1, 1, unit]))
    found, same = density.posterior(x, 2), scaled.posterior(x * [1, 1, unit], 2)
    np.testing.assert_allclose(
        same.quantiles(Q), found.quantiles(Q) * unit, rtol=0.01, atol=0.005 * unit
    )
    np.testing.assert_allclose(same.mass, found.mass, rtol=3e-3)


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


# ------------------------------------------------------------------------ angles


@pytest.mark.parametrize("name", ["torus", "uniform", "spline"])
def test_angles_are_integrated_over_one_turn(name):
    flow = flows.nsf(2, layers=2, hidden=[8], bins=4, circular=(0, 1))
    flow = randomize(flow.initialize(RNG(0).normal(size=(100, 2))), 0.5, rng=1)
    p = {"torus": targets.torus(), "uniform": fc.UniformCircle(2), "spline": flow}[name]
    x = p.sample(6, 0) + 2 * np.pi
    found = posterior(p, x, 1)
    assert found.angle and np.abs(found.grid).max() <= np.pi + 1e-12
    log_marginal = fc.Conditionals(p).given({0: x[0, 0]}).log_marginal
    assert log_marginal == pytest.approx(np.log(found.mass[0]), abs=0.005)
    curves = found, posterior(p, x, 1, TURN)  # and on the caller's grid
    for found, (i, mean) in ((c, pair) for c in curves for pair in enumerate(c.mean())):
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


# ------------------------------------------------------------------------ odd rows


def test_no_rows_have_no_curves():
    density, x = joint("flow")
    found = density.posterior(x[:0], 0)
    assert found.density.shape[0] == 0 and found.mass.shape == (0,)
    flow, _, c, *_ = conditional("spline")
    assert flow.posterior(context=c[:0]).density.shape[0] == 0
    assert flow.quantiles(Q, context=c[:0]).shape == (7, 0)
    assert flow.pit(np.empty((0, 1)), context=c[:0]).shape == (0,)


def test_a_row_or_a_column_that_has_no_curve_is_named():
    density, x = joint("flow")
    conditionals = fc.Conditionals(density, names=["age", "income", "debt"])
    hole = np.where(np.arange(15).reshape((5, 3)) == 8, np.nan, x)
    for table, column, message in (
        (hole, "income", r"rows has NaN or infinite values in row 2 .*'debt'"),
        (pd.DataFrame({"age": x[:, 0]}), "income", "rows lacks 'debt'"),
        (x, "wealth", "no column is named 'wealth'"),
        (x[:, :2], 0, r"\(\.\.\., 3\)"),
        (x, None, "needs rows= and column="),
        (None, 1, "needs rows= and column="),
    ):
        with pytest.raises(ValueError, match=message):
            conditionals.posterior(table, column)


def test_equal_rows_a_constant_column_and_an_atom_do_no_harm():
    """A table of repeated rows, with zeros in a third of y and a constant in the context."""
    rng = np.random.default_rng(0)
    c = np.column_stack([rng.normal(size=60), np.full(60, 99.0), np.zeros(60)])
    c[:, 2] = c[:, 0]  # a copy
    y = np.where(rng.random(60) < 1 / 3, 0.0, rng.gamma(2, size=60))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few distinct values
        flow, _ = fc.fit(
            flows.nsf(1, layers=1, hidden=[8], context_dim=3, standardize_context="whiten"),
            np.tile(y, (5, 1)), context=np.tile(c, (5, 1)), epochs=20, batch_size=32,
        )  # fmt: skip
    found = flow.posterior(context=c)
    assert np.isfinite(found.density).all()
    np.testing.assert_allclose(found.mass, 1, atol=0.01)
    assert np.isfinite(flow.quantiles(Q, context=c)).all()


def test_the_estimator_answers_as_its_density_does():
    density, (x, c) = estimator(), rows(40, seed=8)
    u, quantiles = density.pit(x[:, 0], context=c), density.quantiles(Q, context=c)
    np.testing.assert_array_equal(u, density.density_.pit(x, context=c))
    np.testing.assert_array_equal(quantiles, density.density_.quantiles(Q, context=c))
    found, same = density.posterior(context=c), density.density_.posterior(context=c)
    np.testing.assert_array_equal(found.density, same.density)
    one = density.quantiles(Q, context=c[3])  # a single context, (C,)
    np.testing.assert_allclose(one, quantiles[:, 3:4], rtol=1e-9)
    (judged,) = fc.diagnose(density, x, context=c, draws=4000).of("pit")
    assert judged.effect == stats.kstest(u, "uniform").statistic
    for call in (lambda: density.pit(x), lambda: density.quantiles(0.5)):
        with pytest.raises(ValueError, match="context= has 0 columns"):
            call()
    plain = fc.FlowDensity("white", budget=0.002, random_state=0).fit(x)
    np.testing.assert_allclose(plain.pit(plain.quantiles([0.2, 0.8])), [0.2, 0.8], rtol=1e-9)
