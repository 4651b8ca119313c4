"""Oracles: what every density and every answer of the library has to satisfy, whatever its code.

One test a law, one line a case. Nothing here is read from the code that it judges: integrals are
sums over points that this file chooses, from draws alone.

    mass          exp(log p) has the integral 1, over numbers, angles, cells, categories and atoms
    draws         they follow log_prob, in every coordinate and in random directions
    alone         a row has one answer, alone, in any company, order and block
    arrays        the caller's arrays are read only, and not needed afterwards
    marginal      is the integral of the joint density
    conditional   is the ratio of joint and marginal
    chain         log p(a) + log p(b | a) = log p(b) + log p(a | b) = log p(a, b)
    bars          of 40 small repeats, two standard errors cover the truth in 36 at least (slow)

A density is one more line in DENSITIES, a column of a table in KINDS, a table in TABLES, a question
in QUESTIONS, an estimate with an error in BARS. What is in `registry.py` is in here without a line.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, gammaln
from support import registry

import flowcore as fc
from flowcore import flows, targets
from flowcore.inference import Inference
from flowcore.tables import Schema, TableDensity, fit_table
from flowcore.testing import randomize
from flowcore.training.unnormalised import LogTarget

SPREAD = 0.7  # of random parameters: far from the identity, and smooth enough for a quadrature
TURN = 2 * np.pi
NODES = {1: 2000, 2: 200}  # of an axis; from three dimensions on, importance sampling
N_POINTS, N_DRAWS, KERNELS = 3000, 2000, 200


# ------------------------------------------------------------------------ points to sum over


class Points(NamedTuple):
    """sum_i weight_i f(x_i) is the integral of f: a quadrature, or importance sampling.

    size: the number of points that count for an error; infinite for a quadrature.
    """

    x: np.ndarray
    weight: np.ndarray
    size: float

    def integral(self, values):
        """(the integral of the values at the points, its standard error)."""
        each = self.weight * values
        error = 0.0 if np.isinf(self.size) else np.sqrt(self.size) * each.std()
        return each.sum(), error


def axis(draws, n, kind):
    """Points (n,) of a coordinate and their weights: a turn, an interval, or the whole line."""
    if kind is not None:
        low, high = (-np.pi, np.pi) if kind == "turn" else kind
        return low + (high - low) * (np.arange(n) + 0.5) / n, np.full(n, (high - low) / n)
    low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9])
    scale = (high - low) / 4
    far = np.abs(draws - middle).max() / scale
    end = np.arcsinh(far * (1e5 if far > 50 else 2))  # few draws of a heavy tail are at its end
    t = np.linspace(-end, end, n)
    return middle + scale * np.sinh(t), scale * np.cosh(t) * (t[1] - t[0])


def quadrature(draws, kinds, n):
    """The product of one axis a coordinate."""
    axes = [axis(column, n, kind) for column, kind in zip(draws.T, kinds, strict=True)]
    x, weight = (np.meshgrid(*each, indexing="ij") for each in zip(*axes, strict=True))
    return Points(
        np.stack([a.ravel() for a in x], axis=1), np.prod([a.ravel() for a in weight], axis=0),
        np.inf,
    )  # fmt: skip


def importance(draws, kinds, n, rng=0):
    """Draws of t(3) kernels around some of the draws; uniform ones on a turn or an interval."""
    rng, free = np.random.default_rng(rng), np.array([kind is None for kind in kinds])
    x, log_q = np.empty((n, len(kinds))), np.zeros(n)
    for j in np.flatnonzero(~free):
        low, high = (-np.pi, np.pi) if kinds[j] == "turn" else kinds[j]
        x[:, j], log_q = rng.uniform(low, high, n), log_q - np.log(high - low)
    if d := np.count_nonzero(free):
        centres = draws[:KERNELS, free]
        low, high = np.quantile(centres, [0.1, 0.9], axis=0)
        near = np.clip(centres, 2 * low - high, 2 * high - low)
        root = np.linalg.cholesky(np.atleast_2d(np.cov(near.T)) * KERNELS ** (-2 / (d + 4)))
        t = rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(3, n) / 3)[:, None]
        x[:, free] = centres[rng.integers(KERNELS, size=n)] + t @ root.T
        u, c = (np.linalg.solve(root, a.T).T for a in (x[:, free], centres))
        apart = ((u[:, None] - c) ** 2).sum(axis=2)
        constant = gammaln((3 + d) / 2) - gammaln(1.5) - d / 2 * np.log(3 * np.pi)
        log_k = constant - (3 + d) / 2 * np.log1p(apart / 3) - np.log(np.diag(root)).sum()
        log_q += np.logaddexp.reduce(log_k, axis=1) - np.log(KERNELS)
    return Points(x, np.exp(-log_q) / n, n)


def agree(found, expected, error=0.0, tol=5e-3, sigmas=4.5):
    """Equal up to a tolerance and standard errors."""
    miss, slack = np.abs(np.asarray(found) - expected), tol + sigmas * np.asarray(error)
    assert (miss <= slack).all(), f"{found} for {expected}: off by {miss}, allowed {slack}"


def follow(draws, points, p, tol=0.015):
    """The draws have the distribution of the weighted points, seen from a few directions."""
    rng, weight = np.random.default_rng(1), points.weight * p / np.sum(points.weight * p)
    low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9], axis=0)
    scale = np.where(high > low, high - low, 1)
    a, b = (2 * np.arctan((x - middle) / scale) for x in (draws, points.x))
    ess = np.inf if np.isinf(points.size) else 1 / np.sum(weight**2)
    d = draws.shape[1]
    for direction in [*np.eye(d), *rng.normal(size=(3 * (d > 1), d))]:
        seen, at = np.sort((a @ direction).round(9)), (b @ direction).round(9)
        level = np.quantile(seen, np.linspace(0.02, 0.98, 49), method="lower")
        at, which = np.unique(at, return_inverse=True)
        mass = np.bincount(which, weight)
        cdf = np.interp(level, at, np.cumsum(mass) - mass / 2)  # ties count half
        ends = [np.searchsorted(seen, level, side) for side in ("left", "right")]
        gap = np.abs(np.mean(ends, axis=0) / len(seen) - cdf).max()
        allowed = 2.3 * np.sqrt(1 / len(seen) + 1 / ess) + tol
        assert gap < allowed, f"distributions differ by {gap}, allowed {allowed}"


def cases(names, slow=()):
    """Parameters of a test."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] * (name in slow), id=name) for name in names
    ]


# ------------------------------------------------------------------------ densities


class InContext:
    """p(x | c) at one context c."""

    def __init__(self, density, context):
        self.density, self.dim, self.context = density, density.dim, context

    def sample(self, n, rng=None):
        return self.density.sample(n, rng, context=self.context)

    def log_prob(self, x):
        return self.density.log_prob(x, context=self.context)


class Case(NamedTuple):
    """A density, {coordinate: "turn" or its two ends}, and how finely to integrate."""

    make: Callable
    ends: dict = {}  # noqa: RUF012
    tol: float = 5e-3
    nodes: int | None = None  # of an axis; 0: importance sampling, of few points
    spread: float | None = SPREAD  # of random parameters; less, where much is all spikes


def over_its_domain(make):
    """A bijector as a density: over draws of where it is defined."""
    b, parts = make(), []
    for low, high in zip(*(np.broadcast_to(end, b.dim) for end in b.domain), strict=True):
        ends = np.isfinite([low, high])
        parts.append(fc.Sigmoid(1, low, high) if ends.all() else fc.Exp(1) if ends.any() else None)
    parts = [fc.Permute([0]) if part is None else part for part in parts]
    return fc.TransformedDistribution(fc.Normal(b.dim), fc.Chain([b, fc.Blockwise(parts)]))


def recipe(name, dim, **options):
    return lambda: getattr(flows, name)(dim, **{"hidden": [8], "standardize": False} | options)


def mixture(dim):
    """Three Gaussians, with exact conditionals."""
    rng = np.random.default_rng(0)
    factors = np.tril(rng.normal(size=(3, dim, dim)), -1) + np.eye(dim)
    return fc.MultivariateNormalMixture(rng.normal(size=(3, dim)), factors, [0.2, 0.5, 0.3])


def spline(dim, **options):
    """Few bins over a normal base: many, or the default's tails, at random are all spikes."""
    return recipe("nsf", dim, layers=2, bins=4, base="normal", **options)


ANGLES = {0: "turn", 1: "turn"}
ENDS = {  # of densities in the registry
    "uniform-circle": ANGLES,
    "von-mises": ANGLES,
    "product": {1: "turn"},
    "flow-of-angles": {0: "turn", 2: "turn"},
    "uniform": {0: (-9, 9), 1: (-8, 9.5)},
}
SPREADS = {"flow-of-angles": 0.2, "flows.nsf": 0.1, "student-trainable": 0.1, "flow-student": 0.1}
NODES_OF = {"student-trainable": 500, "flow-student": 500, "again-fixed": 500}  # of sharp ones
RESIDUAL = {"hidden": [8] * 3, "residual": True}

DENSITIES = {
    **{name: Case(make, ENDS.get(name, {}), spread=SPREADS.get(name, SPREAD),
               nodes=NODES_OF.get(name))
       for name, make in registry.DENSITIES.items()},
    "target-two-moons": Case(lambda: targets.two_moons(0.2)),
    "target-circles": Case(lambda: targets.circles(0.1), tol=0.02),
    "target-ring": Case(targets.ring),
    "target-two-spirals": Case(lambda: targets.two_spirals(0.2), nodes=0),
    "target-pinwheel": Case(targets.pinwheel, nodes=0),
    "target-checkerboard": Case(targets.checkerboard, {0: (-5, 5), 1: (-5, 5)}),
    "target-eight-gaussians": Case(targets.eight_gaussians, tol=0.02),
    "target-gaussian": Case(lambda: targets.correlated_gaussian(0.8)),
    "target-funnel": Case(lambda: targets.funnel(scale=1.0), tol=0.02),
    "target-banana": Case(targets.banana),
    "target-von-mises": Case(lambda: targets.von_mises_product([0.5, 3.0], [2.0, 9.0]), ANGLES),
    "target-torus": Case(targets.torus, ANGLES),
    "FlowDensity": Case(
        lambda: (
            fc.FlowDensity(budget=1e-3, n_jobs=1, random_state=0)
            .fit(targets.two_moons(0.2).sample(200, rng=0))
            .density_
        ),
        spread=None,
    ),
    "conditional": Case(lambda: mixture(3).given({0: 0.5}), spread=None),
    "marginal": Case(lambda: mixture(3).marginal([2, 0]), spread=None, nodes=50),
    "marginal-of-moons": Case(
        lambda: conditionals(targets.two_moons(0.2)).marginal([1]), tol=0.03, nodes=50
    ),
    # recipes in one and two dimensions, by quadrature
    **{f"{name}-1": Case(recipe(name, 1)) for name in ("maf", "iaf", "made_mog")},
    **{f"{name}-2": Case(recipe(name, 2)) for name in
       ("maf", "iaf", "realnvp", "nice", "made", "made_mog", "maf_mog", "glow")},
    "nsf-1": Case(spline(1)),
    "nsf-2": Case(spline(2)),
    "nsf-circular-1": Case(spline(1, circular=[0]), {0: "turn"}),
    "nsf-circular-2": Case(spline(2, circular=[0, 1]), ANGLES),
    "nsf-circular-mixed": Case(spline(2, circular=[1]), {1: "turn"}, tol=0.01),
    "nsf-bounded": Case(spline(2, bounded=([0, -np.inf], [1, np.inf])), {0: (0, 1)}),
    "nsf-coupling": Case(spline(2, kind="coupling")),
    "nsf-context": Case(spline(2, context_dim=2, standardize_context=False)),
    "continuous-1": Case(recipe("continuous", 1, **RESIDUAL)),
    "continuous-2": Case(recipe("continuous", 2, **RESIDUAL), nodes=60),
    "continuous-3": Case(recipe("continuous", 3, **RESIDUAL)),
    "continuous-context": Case(
        recipe("continuous", 2, context_dim=1, standardize_context=False, **RESIDUAL), nodes=60
    ),
    **{f"bijector-{name}": Case(lambda make=make: over_its_domain(make), tol=0.03,
                              nodes=NODES_OF.get(name, 80))
       for name, make in registry.BIJECTORS.items() if "circular" not in name},
}  # fmt: skip


class Subject(NamedTuple):
    density: Any
    draws: np.ndarray
    points: Points
    log_p: np.ndarray  # at the points
    case: Case


@cache
def subject(name) -> Subject:
    """A density of the registry at random parameters, its draws, and its values at points."""
    case = DENSITIES[name]
    density = case.make()
    if case.spread is not None and isinstance(density, fc.Distribution):
        density = randomize(density, case.spread, rng=3)
    if width := getattr(density, "context_dim", 0):
        density = InContext(density, np.linspace(-0.5, 0.8, width))
    draws = np.asarray(density.sample(N_DRAWS, 5), float)
    kinds = [case.ends.get(j) for j in range(density.dim)]
    nodes = NODES.get(density.dim, 0) if case.nodes is None else case.nodes
    if nodes and density.dim in NODES:
        points = quadrature(draws, kinds, nodes)
    else:
        points = importance(draws, kinds, N_POINTS if case.nodes != 0 else 300)
    return Subject(density, draws, points, density.log_prob(points.x), case)


# bijectors are held against brute-force Jacobians in the fast tests, too
SLOW = [name for name in DENSITIES if name.startswith("bijector-")]
SLOW += ["FlowDensity", "marginal-of-moons", "target-two-moons", "target-two-spirals",
         "target-pinwheel"]  # fmt: skip
every_density = pytest.mark.parametrize("name", cases(DENSITIES, SLOW))


@every_density
def test_the_mass_is_one(name):
    s = subject(name)
    mass, error = s.points.integral(np.exp(s.log_p))
    assert error < 0.1
    agree(mass, 1, error, s.case.tol)


@every_density
def test_draws_follow_the_density(name):
    """Their mean log p is the negative entropy, too, which a wrong spread changes first."""
    s = subject(name)
    p = np.exp(s.log_p)
    follow(s.draws, s.points, p)
    log_p = s.density.log_prob(s.draws)
    expected, error = s.points.integral(p * np.where(p > 0, s.log_p, 0))
    agree(log_p.mean(), expected, error + log_p.std() / np.sqrt(N_DRAWS), tol=5 * s.case.tol)
    for j, kind in s.case.ends.items():
        low, high = (-np.pi, np.pi) if kind == "turn" else kind
        assert ((s.draws[:, j] >= low) & (s.draws[:, j] <= high)).all()


@pytest.mark.parametrize("name", cases(DENSITIES, SLOW))
def test_a_row_alone_is_the_row_in_company(name):
    s = subject(name)
    x = s.draws[:60]
    log_p = s.density.log_prob(x)
    order = np.random.default_rng(0).permutation(60)
    for found, expected in (
        (s.density.log_prob(x[order]), log_p[order]),
        ([s.density.log_prob(row) for row in x[:3]], log_p[:3]),
        (s.density.log_prob(np.vstack([x[:2], 1e3 * x[2:4], np.nan * x[:1]]))[:2], log_p[:2]),
        (s.density.log_prob(x.reshape(3, 20, -1)).ravel(), log_p),
        (s.density.log_prob(np.repeat(x, 100, axis=0))[::100], log_p),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


OF_TURNS = [name for name, case in DENSITIES.items() if "turn" in case.ends.values()]


@pytest.mark.parametrize("name", OF_TURNS)
def test_an_angle_has_no_beginning(name):
    s = subject(name)
    for j, kind in s.case.ends.items():
        if kind == "turn":
            turned = s.draws[:20] + TURN * (np.arange(s.density.dim) == j)
            np.testing.assert_allclose(
                s.density.log_prob(turned), s.density.log_prob(s.draws[:20]), atol=1e-9
            )


# ------------------------------------------------------------------------ questions

# a question: (density, its rows, which cells are known) -> (log p of what is known, errors)


def by_marginal(density, x, known):
    rows = x[:, known]
    found = conditionals(density).marginal(np.flatnonzero(known)).estimate(rows, n_draws=2000)
    return found.log_p, found.error


def by_given(density, x, known):
    found = [conditionals(density).given(row, n_draws=2000) for row in np.where(known, x, np.nan)]
    return tuple(np.array([[one.log_marginal, one.error] for one in found]).T)


def by_imputing(density, x, known):
    found = conditionals(density).impute(np.where(known, x, np.nan), n=0, n_draws=2000)
    return found.log_p, found.error


QUESTIONS = {"marginal": by_marginal, "given": by_given, "impute": by_imputing}
ASKED = ["normal-mixture", "t-mixture", "flow", "mixture-of-flows", "maf-2", "nsf-2", "realnvp-2",
         "made-2", "made_mog-2", "nsf-context", "continuous-2", "target-two-moons",
         "target-banana", "target-torus", "uniform-circle", "von-mises", "nsf-circular-2",
         "nsf-circular-mixed", "nsf-bounded"]  # fmt: skip
SLOWLY = [name for name in ASKED if name not in ("maf-2", "t-mixture", "uniform-circle")]


@cache
def conditionals(density):
    """With a rough proposal, which only weights make right; exact conditionals need none."""
    if hasattr(density, "sample_given"):
        return fc.Conditionals(density)
    draws = np.asarray(density.sample(1500, 0), float)
    return fc.Conditionals(density, proposal=fc.MultivariateTMixture.from_data(draws, 1, df=5.0))


def on_the_plane(name):
    """(subject, its rows to ask about, p on the product of two axes, the axes with weights)."""
    s = subject(name)
    kinds = [s.case.ends.get(j) for j in range(2)]
    fine = [axis(draws, 400, kind) for draws, kind in zip(s.draws.T, kinds, strict=True)]
    return s, s.draws[:4], fine


def exact_marginal(s, x, known, fine):
    """log of the integral of p over the unknown coordinate, at each row."""
    (hidden,) = np.flatnonzero(~known)
    nodes, weight = fine[hidden]
    rows = np.repeat(x, len(nodes), axis=0)
    rows[:, hidden] = np.tile(nodes, len(x))
    return np.log(np.exp(s.density.log_prob(rows)).reshape(len(x), -1) @ weight)


@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(ASKED, SLOWLY))
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_marginal_is_the_integral_of_the_joint(name, question):
    s, x, fine = on_the_plane(name)
    for known in np.eye(2, dtype=bool):
        log_p, error = QUESTIONS[question](s.density, x, known)
        agree(log_p, exact_marginal(s, x, known, fine), error, tol=0.03)


@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(ASKED, SLOWLY))
def test_the_conditional_is_the_ratio_and_its_draws_follow_it(name):
    s, x, fine = on_the_plane(name)
    for known, (nodes, weight) in zip(np.eye(2, dtype=bool), fine[::-1], strict=True):
        row = np.where(known, x[0], np.nan)
        given = conditionals(s.density).given(row, n_draws=2000)
        log_p = given.log_prob(nodes[:, None])
        mass = weight @ np.exp(log_p)
        agree(mass, 1, given.error, tol=0.03)
        draws = given.sample(N_DRAWS, rng=2)
        follow(draws, Points(nodes[:, None], weight, np.inf), np.exp(log_p) / mass, tol=0.02)
        if s.case.ends.get(int(np.flatnonzero(~known)[0])) == "turn":
            assert (np.abs(draws) <= np.pi).all()
            continue
        share = weight * np.exp(log_p) / mass
        agree(given.mean(), share @ nodes, np.sqrt(share @ nodes**2 / given.ess), tol=0.02)


@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(
    ASKED, SLOWLY
))  # fmt: skip
def test_the_chain_rule_holds_in_both_orders(name):
    s, x, _ = on_the_plane(name)
    whole = conditionals(s.density)
    for first in (0, 1):
        known = np.arange(2) == first
        alone = whole.marginal([first]).estimate(x[:, known], n_draws=2000, rng=1)
        for i, row in enumerate(x):
            rest = whole.given({first: row[first]}, n_draws=2000, rng=2)
            found = alone.log_p[i] + rest.log_prob(row[~known])
            agree(found, s.density.log_prob(row), alone.error[i] + rest.error, tol=0.01)


@pytest.mark.filterwarnings("ignore:.*not to be trusted")
def test_the_chain_rule_holds_in_six_orders():
    """Of three coordinates: p(a) p(b | a) p(c | a, b), by two marginals and a conditional."""
    density = randomize(registry.DENSITIES["flows.maf"](), SPREAD, rng=3)
    whole, x = conditionals(density), density.sample(1, rng=0)[0]
    for order in itertools.permutations(range(3)):
        a, b, c = order
        one, two = (
            whole.marginal(sorted(own)).estimate(x[None, sorted(own)], n_draws=2000)
            for own in ([a], [a, b])
        )
        rest = whole.given({a: x[a], b: x[b]}, n_draws=2000)
        found = one.log_p + (two.log_p - one.log_p) + rest.log_prob(x[[c]])
        agree(found, density.log_prob(x), two.error + rest.error, tol=0.01)
        assert rest.log_marginal == pytest.approx(float(two.log_p[0]), abs=4.5 * rest.error + 0.03)


# ------------------------------------------------------------------------ tables


class Kind(NamedTuple):
    """A kind of column: how a hidden factor u (n,) becomes values, and all that it may be.

    cells: values and their weights, the distance of points of a line or 1; all of p is in them.
    """

    kind: str | None  # None: as `Schema.from_data` recognises it
    values: Callable
    cells: Callable
    missing: bool = False


def line(to=lambda z: z, slope=np.ones_like):
    """Cells of a number: a quadrature of z in [-10, 10], which the kind maps to its support."""
    z = np.linspace(-9.97, 10.03, LINE)
    return lambda: (to(z), slope(z) * (z[1] - z[0]))


def single(*values):
    return lambda: (np.array(values), np.ones(len(values)))


def grid(low, high, step=1.0):
    return single(*(step * np.arange(low, high + 1)))


def either(*parts):
    """Several cells together, the first of each value."""

    def cells():
        values, weight = (np.concatenate(each) for each in zip(*(p() for p in parts), strict=True))
        _, first = np.unique(values, return_index=True)
        return values[np.sort(first)], weight[np.sort(first)]

    return cells


def often(values, u, value, share=0.35):
    """The values, but `value` in a share of the rows that falls with u."""
    return np.where(stats.norm.cdf(u) < share, value, values)


def dates(u):
    return np.datetime64("2024-03-01") + np.round(4 * u).astype(int)


def cities(u):
    """Three values that were seen once make an unseen value probable."""
    return np.append(np.array([*"abc"])[np.digitize(u[3:], [-0.5, 0.7])], [*"rst"])


LINE, LEARNED = 61, 0.25  # points of a line; spread of the parameters that `learn` returns
DAYS = np.datetime64("2024-03-01") + np.arange(-60, 61)
UNSEEN = "nobody has seen it"
WEEKDAYS = DAYS[np.is_busday(DAYS)]
exp, logistic = line(np.exp, np.exp), line(expit, lambda z: expit(z) * expit(-z))
KINDS = {
    "continuous": Kind("continuous", lambda u: u, line()),
    "positive": Kind("positive", np.exp, exp),
    "bounded": Kind("bounded(0, 1)", expit, logistic),
    "count": Kind("integer(0)", lambda u: np.floor(np.exp(0.7 * u + 1)), grid(0, 60)),
    "grade": Kind("integer(0, 4)", lambda u: np.clip(np.round(2 + u), 0, 4), grid(0, 4)),
    "half": Kind("gridded(0.5)", lambda u: np.round(2 * u) / 2, grid(-24, 24, 0.5)),
    "city": Kind(None, cities, single(*"abcrst", UNSEEN)),
    "flag": Kind(None, lambda u: u > 0.4, single(False, True)),
    "day": Kind(None, dates, single(*DAYS)),
    "weekday": Kind("date(day, week)", lambda u: np.busday_offset(dates(3 * u), 0, "forward"),
                    single(*DAYS)),
    "hour": Kind(None, lambda u: np.array([f"{int(24 * p):02}:00" for p in stats.norm.cdf(u)]),
                 single(*(f"{h:02}:00" for h in range(24)))),
    "rain": Kind("positive atoms(0)", lambda u: often(np.exp(u), u, 0.0), either(single(0.0), exp)),
    "cap": Kind("continuous atoms(1)", lambda u: np.minimum(u, 1.0), either(single(1.0), line())),
    "ends": Kind("bounded(0, 1) atoms(0, 1)",
                 lambda u: np.clip(np.round(1.5 * expit(u) - 0.25, 9), 0, 1),
                 either(single(0.0, 1.0), logistic)),
    "visits": Kind("integer(0, 3) atoms(0)", lambda u: np.clip(np.round(1 + u), 0, 3), grid(0, 3)),
    "hours": Kind("integer(0)", lambda u: heaped(20 + 9 * u), grid(0, 300)),
    "shifts": Kind("integer(0) atoms(0)", lambda u: often(heaped(20 + 9 * u), u, 0.0, 0.2),
                   grid(0, 300)),
    "gap": Kind("continuous", lambda u: often(u, u, np.nan), either(single(np.nan), line()), True),
    "gap-of-counts": Kind("integer(0)", lambda u: often(np.floor(np.exp(u)), u, np.nan),
                          either(single(np.nan), grid(0, 60)), True),
    "gap-of-cities": Kind(None, lambda u: np.where(u < -0.5, None, np.where(u < 1, "a", "b")),
                          single(None, "a", "b", UNSEEN), True),
}  # fmt: skip


def heaped(values):
    """Most of the values are multiples of five."""
    whole = np.maximum(np.round(values), 0)
    return np.where(np.arange(len(values)) % 4, 5 * np.round(whole / 5), whole)


TABLES = {name: (name,) for name in KINDS} | {
    "numbers": ("continuous", "positive"),
    "numbers-and-categories": ("continuous", "bounded", "city", "flag"),
    "two-grids": ("half", "grade"),
    "grid-and-category": ("count", "city", "continuous"),
    "dates-and-times": ("weekday", "hour"),
    "atoms-2": ("rain", "cap"),
    "atoms-3": ("rain", "visits", "city", "visits"),
    "atoms-4": ("visits",) * 4,
    "atoms-6": ("visits",) * 6,
    "atoms-and-grids": ("visits", "visits", "visits", "visits", "grade", "grade"),
    "integrated": ("rain", "cap"),  # by a density that cannot leave numbers out
    "gaps": ("gap", "gap-of-counts", "gap-of-cities"),
    "heaps": ("hours", "continuous"),
    "heaps-and-atoms": ("shifts", "visits"),
}


def random_flow(x, context=None, sample_weight=None, rng=0):
    """What `learn` returns: no fit, a random MAF about the rows."""
    width = 0 if context is None else context.shape[1]
    flow = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width, standardize_context=False)
    return randomize(flow.initialize(x, context=context), LEARNED, rng=2)


def random_clamped_flow(x, context=None, sample_weight=None, rng=0):
    """The same of the numbers that a row has."""
    dim, width = x.shape[1], context.shape[1] + x.shape[1]
    flow = flows.maf(dim, layers=2, hidden=[8], context_dim=width, standardize=False,
                     standardize_context=False)  # fmt: skip
    scaled = fc.Chain([fc.Standardize.from_data(x), flow.bijector])
    base = fc.ClampedBase(flow.base, width)
    return randomize(fc.TransformedDistribution(base, fc.Clamped(scaled)), LEARNED, rng=2)


class Table(NamedTuple):
    density: Any
    rows: dict  # that it was fitted to
    cells: dict  # all rows that there can be
    axes: dict  # the weight of each value
    weight: np.ndarray  # their product
    p: np.ndarray  # of the cells, times their weight
    n_gridded: int


def frame(columns):
    """The columns of a table, name -> values."""
    return {f"{kind}-{i}": values for i, (kind, values) in enumerate(columns)}


@cache
def table(name, n=300) -> Table:
    rng, kinds = np.random.default_rng(4), TABLES[name]
    u = rng.normal(size=n)
    rows = frame((k, KINDS[k].values(0.8 * u + 0.6 * rng.normal(size=n))) for k in kinds)
    missing = "atom" if any(KINDS[k].missing for k in kinds) else "error"
    schema = Schema.from_data(rows, missing=missing)
    edits = {own: KINDS[k].kind for own, k in zip(rows, kinds, strict=True) if KINDS[k].kind}
    learn = random_clamped_flow if name in WITH_ATOMS else random_flow
    density = fit_table(rows, schema.edit(edits), learn=learn, missing=missing)
    each = [KINDS[k].cells() for k in kinds]
    at = [a.ravel() for a in np.meshgrid(*(np.arange(len(w)) for _, w in each), indexing="ij")]
    cells = frame((k, values[i]) for k, (values, _), i in zip(kinds, each, at, strict=True))
    axes = frame((k, w[i]) for k, (_, w), i in zip(kinds, each, at, strict=True))
    weight = np.prod([*axes.values()], axis=0)
    p, n_gridded = weight * np.exp(density.log_prob(cells)), np.sum(density.coordinates_.step > 0)
    return Table(density, rows, cells, axes, weight, p, n_gridded)


LEVELS = [0.2, 0.5, 0.8]
LARGE = ["numbers-and-categories", "grid-and-category", "dates-and-times", "atoms-3", "atoms-6",
         "atoms-and-grids", "gaps", "heaps", "heaps-and-atoms"]  # fmt: skip
WITH_ATOMS = ["rain", "cap", "visits", "shifts", "gap", "gap-of-counts", "atoms-2", "atoms-4",
              "atoms-3", "atoms-6", "atoms-and-grids", "gaps", "heaps-and-atoms"]  # fmt: skip


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_the_cells_of_a_table_sum_to_one(name):
    """Of three gridded numbers or more, a random flow is too rough for 64 points of a cell."""
    t = table(name)
    agree(t.p.sum(), 1, tol=5e-3 if t.n_gridded < 3 else 0.04)


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_draws_of_a_table_follow_its_density(name):
    """Given the categories and atoms, draws stay between the least and the greatest number."""
    t = table(name)
    x, cells, patterns, keep = [], [], [], np.ones(len(t.p), bool)
    drawn = t.density.sample(N_DRAWS, rng=1)
    for column in t.density.schema_.columns:
        tables = [each[column.name] for each in (drawn, t.cells, t.rows)]
        now, there, fitted = (as_number(values, tables[1]) for values in tables)
        if column.kind.is_category:
            patterns.append(there)
            keep &= np.isin(there, fitted)
        else:
            now, there, fitted = (
                apart(values, column.kind.atoms) for values in (now, there, fitted)
            )
            single, fitted = there < FAR, fitted[fitted >= FAR]
            patterns.append(np.where(single, there, 0))
            keep &= single | ((there >= fitted.min()) & (there <= fitted.max()))
            if getattr(column.kind, "repeats", "") == "week":
                patterns.append(there % (7 * 86400))
        x.append(now)
        cells.append(there)
    which = np.unique(np.stack(patterns), axis=1, return_inverse=True)[1].ravel()
    every, kept = np.bincount(which, t.p), np.bincount(which, t.p * keep)
    p = keep * t.p * np.divide(every, kept, where=kept > 0, out=np.zeros(len(kept)))[which]
    follow(np.stack(x, axis=1), Points(np.stack(cells, axis=1), np.ones(len(p)), np.inf), p)


FAR = -1000.0  # where atoms and gaps are put, below all numbers


def apart(values, atoms):
    """Atoms, and NaN, below all other numbers."""
    for k, atom in enumerate([np.nan, *atoms]):
        is_atom = np.isnan(values) if k == 0 else values == atom
        values = np.where(is_atom, FAR - 1 - k, values)
    return values


def as_number(values, like):
    """Numbers as they are, dates in seconds, others by their place among all there can be."""
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return values.astype("datetime64[s]").astype(float)
    if values.dtype.kind in "fiub":
        return values.astype(float)
    return np.searchsorted(np.unique(np.asarray(like).astype(str)), values.astype(str)).astype(
        float
    )


def some(columns, index):
    return {name: np.asarray(values)[index] for name, values in columns.items()}


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_a_row_of_a_table_alone_is_the_row_in_company(name):
    t = table(name)
    log_p, order = t.density.log_prob(t.rows), np.random.default_rng(0).permutation(300)
    for index in (order, [7], np.repeat([3, 4], 9), order[:40]):
        found = t.density.log_prob(some(t.rows, index))
        np.testing.assert_allclose(found, log_p[index], rtol=1e-9, atol=1e-9)
    backwards = {name: t.rows[name] for name in reversed(t.rows)}
    np.testing.assert_allclose(t.density.log_prob(backwards), log_p, rtol=1e-9, atol=1e-9)


def of_given(density, rows, i, known):
    found = density.given({name: rows[name][i] for name in known}, n_draws=2000)
    return found.log_marginal, found.error


def with_gaps(rows, i, known):
    """Row i of a table with cells that are not known."""
    return {
        name: values[i : i + 1] if name in known else gap_like(values)
        for name, values in rows.items()
    }


def gap_like(values):
    """A missing cell of a column."""
    return np.array([np.nan]) if values.dtype.kind in "fiu" else np.array([None], object)


def of_imputed(density, rows, i, known):
    found = density.impute(with_gaps(rows, i, known), n=0, n_draws=2000)
    return found.log_p[0], found.error[0]


def of_missing(density, rows, i, known):
    """With 200 draws, and without an error: .1 nats are five of its own, as it is measured here."""
    return density.log_prob(with_gaps(rows, i, known), missing="marginal")[0], 0.1 / 4.5


TABLE_QUESTIONS = {"given": of_given, "impute": of_imputed, "missing": of_missing}
TABLES_ASKED = ["numbers", "numbers-and-categories", "two-grids", "grid-and-category",
                "dates-and-times", "atoms-2", "atoms-4", "gaps", "heaps"]  # fmt: skip
ASKED_LATER = [name for name in TABLES_ASKED if name not in ("numbers", "two-grids")]


def summed(t, rows, i, known):
    """log of the sum of p over all cells that agree with what is known, of categories seen."""
    here = np.ones(len(t.p), bool)
    for column in t.density.schema_.columns:
        cells = t.cells[column.name]
        if column.name in known:
            value = rows[column.name][i]
            here &= (cells == value) | ((cells != cells) & (value != value))
        elif column.kind.is_category:
            here &= np.isin(cells.astype(str), t.rows[column.name].astype(str))
    per_unit = np.prod([t.axes[name][here][0] for name in known])
    return np.log(t.p[here].sum() / per_unit)


@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("asked", cases(
    [f"{question} {name}" for question in TABLE_QUESTIONS for name in TABLES_ASKED],
    [f"{question} {name}" for question in TABLE_QUESTIONS for name in ASKED_LATER],
))  # fmt: skip
def test_the_marginal_of_a_table_is_the_sum_over_its_cells(asked):
    """Of cells that there can be, drawn by their probability; one column known, and all but one."""
    question, name = asked.split()
    t = table(name)
    drawn = np.random.default_rng(3).choice(len(t.p), 2, p=t.p / t.p.sum())
    rows, names = some(t.cells, drawn), [*t.cells]
    for i, known in itertools.product(
        range(2), [[n] for n in names] + [names[:-1]] * (len(names) > 2)
    ):
        if question != "given" and "gap" in name:
            continue  # there, a missing cell is a value for `given` alone
        log_p, error = TABLE_QUESTIONS[question](t.density, rows, i, known)
        agree(log_p, summed(t, rows, i, known), error, tol=0.03)


@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(TABLES_ASKED, ASKED_LATER))
def test_the_conditional_of_a_table_is_a_density_that_its_draws_follow(name):
    t = table(name)
    (i,) = np.random.default_rng(3).choice(len(t.p), 1, p=t.p / t.p.sum())
    for first in t.cells:
        value = t.cells[first][i]
        given = t.density.given({first: value}, n_draws=2000)
        here = (t.cells[first] == value) | ((t.cells[first] != t.cells[first]) & (value != value))
        rest = {name: values[here] for name, values in t.cells.items() if name != first}
        p = np.exp(given.log_prob(rest)) * t.weight[here] / t.axes[first][here]
        known = np.ones(len(p), bool)
        for column in t.density.schema_.columns:
            if column.name != first and column.kind.is_category:
                known &= np.isin(rest[column.name].astype(str), t.rows[column.name].astype(str))
        agree(p[known].sum(), 1, given.error, tol=0.03)
        for name, quantiles in given.quantiles(LEVELS).items():
            values = as_number(rest[name], rest[name])
            there = known & ~np.isnan(values)
            share, gap = p[there] / p[there].sum(), np.diff(np.unique(values[there])).min() / 2
            for level, quantile in zip(LEVELS, quantiles, strict=True):
                below, above = (share[values[there] < quantile + s * gap].sum() for s in (-1, 1))
                miss = max(below - level, level - above)
                agree(max(miss, 0), 0, 0.5 / np.sqrt(given.ess), tol=0.03)
        for name, shares in given.shares().items():
            for one, share in shares.items():
                expected = p[known & (rest[name].astype(str) == str(one))].sum() / p[known].sum()
                agree(share, expected, 1 / np.sqrt(given.ess), tol=0.02)


@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(["numbers", "two-grids"]))
def test_a_row_with_gaps_alone_is_the_row_in_company(name):
    t, rng = table(name), np.random.default_rng(0)
    first = next(iter(t.rows))
    rows = some(t.rows, slice(6))
    rows[first] = np.where(np.arange(6) % 3, rows[first].astype(float), np.nan)
    log_p, order = t.density.log_prob(rows, missing="marginal"), rng.permutation(6)
    for index in (order, [3]):
        found = t.density.log_prob(some(rows, index), missing="marginal")
        np.testing.assert_allclose(found, log_p[index], atol=1e-9)


# ------------------------------------------------------------------------ the caller's arrays

# (arrays by name, what is made of them): a function that returns answers, again and again


def rows_of(n=60, dim=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def with_holes(n=80):
    x = rows_of(n, 2) @ [[1.0, 0.8], [0.0, 0.6]]
    x[::5, 1] = np.nan
    return x


def gaussian(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1)


AT = rows_of(5, 2, seed=1)
SMALL = dict(layers=1, hidden=[4])
QUICKLY = dict(budget=1e-4, n_jobs=1, random_state=0)


def log_prob_of(density):
    return lambda: [density.log_prob(AT), density.sample(3, rng=0)]


def made(make, **arrays):
    """A density that is made of arrays."""
    return arrays, lambda a: log_prob_of(make(**a))


def mapped(make, **arrays):
    """A bijector that is made of arrays."""
    return made(lambda **a: fc.TransformedDistribution(fc.Normal(2), make(**a)), **arrays)


def fitted_flow(a):
    flow, _ = fc.fit(flows.maf(2, context_dim=1, **SMALL), epochs=1, rng=0, **a)
    return lambda: [flow.log_prob(AT, context=AT[:, :1])]


def fitted_density(a):
    model = fc.FlowDensity("small", **QUICKLY).fit(**a)
    given = model.conditionals_.given({0: 0.3}, n_draws=100)
    return lambda: [
        model.score_samples(AT), model.held_out_scores_, given.log_prob(AT[:, :1]),
        model.conditionals_.impute([[0.1, np.nan]], n=2, rng=0).draws,
    ]  # fmt: skip


def fitted_with_holes(a):
    model = fc.FlowDensity("small", missing="learn", **QUICKLY).fit(**a)
    return lambda: [model.score_samples(AT), model.held_out_scores_]


def fitted_table(a):
    model = fit_table(a, Schema.from_data(a).edit(n="integer(0)"), learn=gaussian)
    at = {"n": np.array([1, 2]), "x": np.array([0.1, 0.2]), "c": np.array(["a", "b"])}
    return lambda: [
        model.log_prob(at), model.sample(3, rng=0, margins="table")["x"],
        model.given({"n": 1}, n_draws=100).log_prob({"x": at["x"], "c": at["c"]}),
    ]  # fmt: skip


def fitted_imputer(a):
    learn = TableDensity(learn=gaussian, missing="drop")
    model = fc.FlowImputer(learn, bootstraps=1, n_draws=50).fit(a["X"])
    return lambda: [*model.sample(2, rng=0)]


def transforming_imputer(a):
    learn = TableDensity(learn=gaussian, missing="drop")
    model, new = fc.FlowImputer(learn, bootstraps=0, n_draws=50).fit(a["X"]), with_holes(5)
    return lambda: [model.transform(new)]


def with_donors(a):
    whole = fc.Conditionals(targets.two_moons(0.1), proposal=PROPOSAL, **a)
    return lambda: [whole.impute([[0.3, np.nan]], n=2).draws]


def judged(a):
    report = fc.diagnose(fc.Normal(2), a["held_out"], a["train"], draws=1000, rng=0)
    return lambda: [np.array([f.effect for f in report.findings], float)]


def with_evidence(a):
    return lambda: [np.array(fc.evidence(a["samples"], fc.Normal(2).log_prob, epochs=1, rng=0))]


PROPOSAL = fc.MultivariateTMixture(np.zeros((1, 2)), np.eye(2)[None], df=5.0)
WORDS = np.array([*"aabab"] * 12)
SCALE, FACTORS = np.array([1.0, 2.0]), np.array([np.eye(2), [[1.0, 0.0], [0.5, 0.8]]])
HELD = {
    "Normal diag": made(fc.MultivariateNormalDiag, loc=AT[0], scale_diag=SCALE),
    "Uniform": made(lambda low, high: fc.Uniform(2, low, high), low=-AT[0] - 9, high=AT[0] + 9),
    "Laplace": made(lambda loc, scale: fc.Laplace(2, loc, scale), loc=AT[0], scale=SCALE),
    "StudentT": made(lambda df: fc.StudentT(2, df), df=np.array([2.0, 5.0])),
    "VonMises": made(fc.VonMises, loc=AT[0], concentration=np.array([1.0, 2.0])),
    "GaussianMixture": made(fc.GaussianMixture, means=AT, scales=np.ones((5, 2)),
                            weights=np.full(5, 0.2)),
    "NormalMixture": made(fc.MultivariateNormalMixture, means=AT[:2], scale_tril=FACTORS,
                          weights=np.array([0.3, 0.7])),
    "TMixture": made(fc.MultivariateTMixture, means=AT[:2], scale_tril=FACTORS,
                     weights=np.array([0.3, 0.7])),
    "Mixture": made(lambda weights: fc.Mixture([fc.Normal(2), fc.Laplace(2)], weights),
                    weights=np.array([0.3, 0.7])),
    "from_data": made(lambda X: fc.MultivariateNormalMixture.from_data(X, 2), X=rows_of()),
    "target": made(lambda covariance: targets.correlated_gaussian(covariance=covariance),
                   covariance=np.array([[2.0, 0.3], [0.3, 1.0]])),
    "Standardize": mapped(lambda X: fc.Standardize.from_data(X), X=rows_of()),
    "ElementwiseAffine": mapped(fc.ElementwiseAffine, loc=AT[0], scale=np.array([1.0, -2.0])),
    "SinhArcsinh": mapped(lambda s, t: fc.SinhArcsinh(2, s, t), s=AT[0], t=np.array([0.5, 1.0])),
    "Permute": mapped(fc.Permute, permutation=np.array([1, 0])),
    "LULinear": mapped(lambda p, s: fc.LULinear(2, p, signs=s), p=np.array([1, 0]),
                       s=np.array([1, -1])),
    "with_params": mapped(lambda theta: fc.LULinear(2).with_params(theta),
                          theta=np.linspace(0.1, 0.5, fc.LULinear(2).n_params)),
    "bounded": made(lambda low, high: randomize(spline(2, bounded=(low, high))(), 0.3),
                    low=np.array([-9.0, -np.inf]), high=np.array([9.0, np.inf])),
    "fit": (dict(X=rows_of(), context=rows_of(60, 1), sample_weight=np.linspace(1, 2, 60)),
            fitted_flow),
    "fit of repeated rows": (dict(X=np.repeat(rows_of(30), 2, axis=0), context=np.repeat(
        rows_of(30, 1), 2, axis=0)), fitted_flow),
    "fit_matching": (dict(X=rows_of()), lambda a: log_prob_of(
        fc.fit_matching(recipe("continuous", 2, **RESIDUAL)(), epochs=1, rng=0, **a)[0])),
    "fit of angles": (dict(X=rows_of()), lambda a: log_prob_of(
        fc.fit(flows.nsf(2, circular=[0], **SMALL), epochs=1, rng=0, **a)[0])),
    "FlowDensity": (dict(X=rows_of(), sample_weight=np.linspace(1, 2, 60)), fitted_density),
    "FlowDensity with holes": (dict(X=with_holes()), fitted_with_holes),
    "fit_table": (dict(n=np.arange(60) % 4, x=rows_of()[:, 0], c=WORDS), fitted_table),
    "FlowImputer.sample": (dict(X=with_holes()), fitted_imputer),
    "FlowImputer.transform": (dict(X=with_holes()), transforming_imputer),
    "donors": (dict(donors=rows_of(50)), with_donors),
    "diagnose": (dict(held_out=rows_of(100), train=rows_of(100, seed=2)), judged),
    "evidence": (dict(samples=rows_of(200)), with_evidence),
}  # fmt: skip
HELD_LONG = ["FlowDensity", "FlowDensity with holes", "FlowImputer.transform", "diagnose"]
USED_LATER = ["evidence"]  # its arrays are arguments of the answer itself


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", cases(HELD, HELD_LONG))
def test_arrays_are_read_only_and_not_needed_afterwards(name):
    arrays, use = HELD[name]
    arrays = {key: np.array(values) for key, values in arrays.items()}
    before = {key: values.copy() for key, values in arrays.items()}
    for values in arrays.values():
        values.flags.writeable = False
    answers = use(arrays)
    first = [np.array(found) for found in answers()]
    for key, values in arrays.items():
        np.testing.assert_array_equal(values, before[key])
        values.flags.writeable = True
        if name not in USED_LATER:
            values[...] = values[:1] if values.dtype.kind == "U" else 0
    for found, expected in zip(answers(), first, strict=True):
        np.testing.assert_array_equal(found, expected)


@every_density
def test_draws_and_values_are_the_callers_own(name):
    """Whoever writes into what a density returned changes no later answer."""
    s = subject(name)
    x = s.draws[:4].copy()
    x.flags.writeable = False
    draws, log_p = s.density.sample(4, 1), np.array(s.density.log_prob(x))
    kept = np.array(draws)
    if draws.flags.writeable:
        draws[...] = 0
    np.testing.assert_array_equal(s.density.sample(4, 1), kept)
    np.testing.assert_array_equal(s.density.log_prob(x), log_p)


# ------------------------------------------------------------------------ names and company

# (a frame) -> answers; another order of its columns is the same answer, or an error


def joint():
    return fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])


def of_conditionals(frame):
    return fc.Conditionals(joint(), names=["a", "b"]).log_prob(frame).log_p


def of_estimator(frame):
    model = fc.FlowDensity("small", **QUICKLY).fit(FRAME)
    return model.conditionals_.log_prob(frame, n_draws=50).log_p


def of_scores(frame):
    return fc.FlowDensity("small", **QUICKLY).fit(FRAME).score_samples(frame)


def of_table(frame):
    return fit_table(FRAME, learn=gaussian).log_prob(frame)


def of_context(frame):
    model = flows.maf(1, context_dim=2, **SMALL)
    model, _ = fc.fit(model, FRAME[["a"]], context=FRAME, epochs=1, rng=0)
    return randomize(model, rng=1).log_prob(FRAME[["a"]], context=frame)


FRAME = pd.DataFrame(rows_of() + np.array([0.0, 5.0]), columns=["a", "b"])
NAMED = {
    "Conditionals": of_conditionals,
    "FlowDensity.conditionals_": of_estimator,
    "FlowDensity.score_samples": of_scores,
    "TableDensity": of_table,
    "context": of_context,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", cases(
    NAMED, ["FlowDensity.conditionals_", "FlowDensity.score_samples"]
))  # fmt: skip
def test_columns_have_names(name):
    expected = NAMED[name](FRAME)
    try:
        found = NAMED[name](FRAME[["b", "a"]])
    except ValueError:
        return
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_an_imputed_row_alone_is_the_row_in_company():
    learn, rows = TableDensity(learn=gaussian, missing="drop"), with_holes()
    model = fc.FlowImputer(learn, bootstraps=0, n_draws=50).fit(rows)
    filled, order = model.transform(rows), np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(model.transform(rows[order]), filled[order], atol=1e-9)
    np.testing.assert_allclose(model.transform(rows[5:6]), filled[5:6], atol=1e-9)


# ------------------------------------------------------------------------ inference, and bars


def weighted_draws(seed, base=None):
    """Draws of a wide t, weighted by e^3 times a correlated Gaussian: no training."""
    flow = fc.TransformedDistribution(fc.StudentT(2, 5.0), fc.ElementwiseAffine([0.3, 0.0], 1.5))
    target = targets.correlated_gaussian(0.6)
    precision = np.linalg.inv([[1, 0.6], [0.6, 1]])
    log_target = lambda x: 3 - 0.5 * anp.sum(x @ precision * x, axis=1)  # noqa: E731
    log_z = 3 + np.log(TURN) + 0.5 * np.log(1 - 0.6**2)
    return Inference.of(flow, LogTarget(log_target, 2), 1000, seed), target, log_z


def log_z_of_draws(seed):
    found, _, log_z = weighted_draws(seed)
    return *found.log_evidence, log_z


def mean_of_draws(seed):
    found, _, _ = weighted_draws(seed)
    (value,), (error,) = found.expectation(lambda x: x[:, :1] * x[:, 1:])
    return value, error, 0.6


def bridged(draws):
    """evidence of draws (n, D) of a Gaussian with the correlations .5."""

    def once(seed):
        rng = np.random.default_rng(seed)
        x, chains, dim = draws(rng)
        covariance = np.full((dim, dim), 0.5) + 0.5 * np.eye(dim)
        x = x @ np.linalg.cholesky(covariance).T
        precision = np.linalg.inv(covariance)
        log_z = 0.5 * np.linalg.slogdet(TURN * covariance)[1]
        flow = flows.maf(dim, layers=1, hidden=[8], rng=0)
        found = fc.evidence(
            x, lambda x: -0.5 * np.sum(x @ precision * x, axis=1), flow=flow, chains=chains,
            epochs=8, rng=seed,
        )  # fmt: skip
        return *found, log_z

    return once


def walk(rng, rho, steps, walkers=1, dim=2):
    """Autocorrelated N(0, I): (steps, walkers, D)."""
    x = rng.normal(size=(steps, walkers, dim))
    for t in range(1, steps):
        x[t] = rho * x[t - 1] + np.sqrt(1 - rho**2) * x[t]
    return x


def flattened(rng):
    return walk(rng, 0.95, 50, 40).reshape(-1, 2), None, 2


def in_chains(rng):
    x = walk(rng, 0.9, 500, 8).transpose(1, 0, 2).reshape(-1, 2)
    return x, np.repeat(np.arange(8), 500), 2


def of_angles(seed):
    """Draws in [0, 2 pi), and a target that vanishes elsewhere."""
    torus = targets.torus()

    def log_target(x):
        return np.where(((x >= 0) & (x < TURN)).all(axis=1), torus.log_prob(x), -np.inf)

    x = torus.sample(1000, rng=seed) % TURN
    flow = flows.nsf(2, layers=2, hidden=[8], bins=4, circular=[0, 1], rng=0)
    return *fc.evidence(x, log_target, flow=flow, epochs=8, rng=seed), 0.0


def repeated(rng):
    return rng.normal(size=(300, 2))[rng.integers(300, size=2000)], None, 2


def known_value(name, row):
    """The error of log p of a known value, against the integral."""

    def once(seed):
        s, _, fine = on_the_plane(name)
        x, known = np.array([row]), np.array([True, False])
        found = conditionals(s.density).marginal([0]).estimate(x[:, :1], n_draws=200, rng=seed)
        return found.log_p[0], found.error[0], exact_marginal(s, x, known, fine)[0]

    return once


def known_cell(seed):
    t = table("numbers")
    (first, second), i = t.cells, int(np.argmax(t.p))
    row = {first: t.cells[first][i : i + 1], second: np.array([np.nan])}
    found = t.density.impute(row, n=0, n_draws=200, rng=seed)
    return found.log_p[0], found.error[0], summed(t, t.cells, i, [first])


def divergence(seed):
    kl, error = fc.kl_to_truth(fc.Normal(2), targets.correlated_gaussian(0.8), 500, seed)
    return kl, error, -np.log(1 - 0.8**2) / 2


def stray(seed):
    """Of N(0, I), where a Gaussian with the correlation .8 is below its own .1% quantile."""
    share, error = fc.stray_mass(fc.Normal(2), targets.correlated_gaussian(0.8), rng=seed)
    return share, error, 0.10402  # by 2e7 draws


BARS = {
    "Inference.log_evidence": log_z_of_draws,
    "Inference.expectation": mean_of_draws,
    "evidence of draws": bridged(lambda rng: (rng.normal(size=(2000, 2)), None, 2)),
    "evidence of a chain": bridged(lambda rng: (walk(rng, 0.9, 2000)[:, 0], None, 2)),
    "evidence of chains": bridged(in_chains),
    "evidence of flat chains": bridged(flattened),
    "evidence of repeated rows": bridged(repeated),
    "evidence of angles": of_angles,
    "evidence in eight dimensions": bridged(lambda rng: (rng.normal(size=(2000, 8)), None, 8)),
    "marginal of moons": known_value("target-two-moons", [0.5, 0.0]),
    "marginal of a flow": known_value("nsf-2", [0.5, 0.0]),
    "marginal of an angle": known_value("target-torus", [0.5, 0.0]),
    "cell of a table": known_cell,
    "kl_to_truth": divergence,
    "stray_mass": stray,
}
REPEATS, LEAST = 40, 34  # 38 are expected; fewer than 34 have the probability .003


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.parametrize("name", cases(BARS))
def test_bars_cover(name):
    found, error, truth = np.array([BARS[name](seed) for seed in range(REPEATS)]).T
    covered = np.sum(np.abs(found - truth) < 1.96 * error)
    assert covered >= LEAST, f"{covered} of {REPEATS}: rms z {np.std((found - truth) / error):.2f}"


def test_weighted_draws_have_the_right_evidence_and_mean():
    found, target, log_z = weighted_draws(0)
    agree(found.log_evidence[0], log_z, found.log_evidence[1], tol=0)
    mean, error = found.expectation()
    agree(mean, target.mean(), error, tol=0)
    again = found.resample(N_DRAWS, 1)
    fine = [axis(column, 160, None) for column in again.T]
    points = Points(*(np.stack([a.ravel() for a in np.meshgrid(*each, indexing="ij")], axis=1)
                      for each in zip(*fine, strict=True)), np.inf)  # fmt: skip
    p = np.exp(target.log_prob(points.x))
    follow(again, points._replace(weight=points.weight.prod(axis=1)), p, tol=0.05)


# name: (log p~, support, log Z)
INFERRED = {
    "gamma(.05)": (lambda x: -0.95 * anp.log(x[:, 0]) - x[:, 0], "positive", gammaln(0.05)),
    "gamma(3)": (lambda x: 2 * anp.log(x[:, 0]) - x[:, 0], "positive", np.log(2)),
    "beta(.5, .5)": (
        lambda x: -0.5 * anp.log(x[:, 0]) - 0.5 * anp.log1p(-x[:, 0]), (0, 1), np.log(np.pi)
    ),
    "half-Cauchy": (lambda x: -anp.log1p(x[:, 0] ** 2), "positive", np.log(np.pi / 2)),
    "t(3)": (lambda x: -2 * anp.log1p(x[:, 0] ** 2 / 3), None,
             np.log(np.sqrt(3 * np.pi)) + gammaln(1.5) - gammaln(2)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no epoch was better")
@pytest.mark.parametrize("name", cases(INFERRED))
def test_what_is_trusted_is_right(name):
    log_target, support, log_z = INFERRED[name]
    found = fc.infer(log_target, 1, support=support)
    if found.trusted:
        agree(found.log_evidence[0], log_z, found.log_evidence[1], tol=0.01)
