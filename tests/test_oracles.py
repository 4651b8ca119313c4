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
import pytest
import registry
from scipy import stats
from scipy.special import expit, gammaln

import flowcore as fc
from flowcore import flows, targets
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize

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
        """(the integral of values >= 0 at the points, its standard error)."""
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
    a, b = (2 * np.arctan((x - middle) / (high - low)) for x in (draws, points.x))
    ess = np.inf if np.isinf(points.size) else 1 / np.sum(weight**2)
    d = draws.shape[1]
    for direction in [*np.eye(d), *rng.normal(size=(3 * (d > 1), d))]:
        seen, at = np.sort(a @ direction), b @ direction
        order, level = np.argsort(at), np.quantile(seen, np.linspace(0.02, 0.98, 49))
        cdf = np.append(0, np.cumsum(weight[order]))[np.searchsorted(at[order], level)]
        gap = np.abs(np.searchsorted(seen, level, side="right") / len(seen) - cdf).max()
        allowed = 2.3 * np.sqrt(1 / len(seen) + 1 / ess) + tol
        assert gap < allowed, f"distributions differ by {gap}, allowed {allowed}"


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
    spread: float = SPREAD  # of random parameters; less, where much makes a density of spikes


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
NODES_OF = {"student-trainable": 500, "flow-student": 500}  # densities like Cauchy's
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
    **{f"bijector-{name}": Case(lambda make=make: over_its_domain(make), tol=0.03, nodes=80)
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
    if isinstance(density, fc.Distribution):
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


every_density = pytest.mark.parametrize("name", DENSITIES)


@every_density
def test_the_mass_is_one(name):
    s = subject(name)
    mass, error = s.points.integral(np.exp(s.log_p))
    assert error < 0.1
    agree(mass, 1, error, s.case.tol)


@every_density
def test_draws_follow_the_density(name):
    s = subject(name)
    follow(s.draws, s.points, np.exp(s.log_p))
    for j, kind in s.case.ends.items():
        low, high = (-np.pi, np.pi) if kind == "turn" else kind
        assert ((s.draws[:, j] >= low) & (s.draws[:, j] <= high)).all()


@every_density
def test_a_row_alone_is_the_row_in_company(name):
    s = subject(name)
    x = s.draws[:60]
    log_p = s.density.log_prob(x)
    order = np.random.default_rng(0).permutation(60)
    for found, expected in (
        (s.density.log_prob(x[order]), log_p[order]),
        ([s.density.log_prob(row) for row in x[:3]], log_p[:3]),
        (s.density.log_prob(np.vstack([x[:2], 1e3 * x[2:4], np.full((1, s.density.dim), np.nan)]))[:2], log_p[:2]),
        (s.density.log_prob(x.reshape(3, 20, -1)).ravel(), log_p),
        (s.density.log_prob(np.repeat(x, 100, axis=0))[::100], log_p),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@every_density
def test_an_angle_has_no_beginning(name):
    s = subject(name)
    for j, kind in s.case.ends.items():
        if kind == "turn":
            turned = s.draws[:20] + TURN * (np.arange(s.density.dim) == j)
            np.testing.assert_allclose(
                s.density.log_prob(turned), s.density.log_prob(s.draws[:20]), atol=1e-9
            )


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


LINE, LEARNED = 61, 0.4  # points of a line; spread of the parameters that `learn` returns
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
    "city": Kind(None, lambda u: np.array([*"abc"])[np.digitize(u, [-0.5, 0.7])],
                 single(*"abc", UNSEEN)),
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
    "gaps": ("gap", "gap-of-counts", "gap-of-cities"),
    "heaps": ("hours", "continuous"),
    "heaps-and-atoms": ("shifts", "visits"),
}
ATOMS = pytest.mark.xfail(strict=True, reason="S1: rows with several atoms")
BROKEN: dict[str, Any] = {}


def random_flow(x, context=None, sample_weight=None, rng=0):
    """What `learn` returns: no fit, a random MAF about the rows."""
    width = 0 if context is None else context.shape[1]
    flow = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width, standardize_context=False)
    return randomize(flow.initialize(x, context=context), LEARNED, rng=2)


class Table(NamedTuple):
    density: Any
    rows: dict  # that it was fitted to
    cells: dict  # all rows that there can be
    weight: np.ndarray
    p: np.ndarray  # of the cells, times their weight


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
    density = fit_table(rows, schema.edit(edits), learn=random_flow, missing=missing)
    each = [KINDS[k].cells() for k in kinds]
    at = [a.ravel() for a in np.meshgrid(*(np.arange(len(w)) for _, w in each), indexing="ij")]
    cells = frame((k, values[i]) for k, (values, _), i in zip(kinds, each, at, strict=True))
    weight = np.prod([w[i] for (_, w), i in zip(each, at, strict=True)], axis=0)
    return Table(density, rows, cells, weight, weight * np.exp(density.log_prob(cells)))


every_table = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=BROKEN.get(name, ())) for name in TABLES]
)


@every_table
def test_the_cells_of_a_table_sum_to_one(name):
    t = table(name)
    agree(t.p.sum(), 1, tol=5e-3)
