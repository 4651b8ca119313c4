"""Oracles: what every density and every answer of the library has to satisfy, whatever its code.

One test a law, one line a case. Nothing here is read from the code that it judges: integrals are
sums over points that this file chooses, from draws alone.

    mass          exp(log p) has the integral 1, over numbers and angles
    draws         they follow log_prob, in every coordinate and in random directions
    alone         a row has one answer, alone, in any company, order and block
    marginal      is the integral of the joint density
    conditional   is the ratio of joint and marginal
    chain         log p(a) + log p(b | a) = log p(b) + log p(a | b) = log p(a, b)
    bars          of 40 small repeats, two standard errors cover the truth in most (slow)

A density is one more line in DENSITIES, a question in QUESTIONS, an estimate with an error in BARS.
What is in `registry.py` is in here without a line. Tables: tests/tables/test_oracles_tables.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
from scipy.special import gammaln
from support import registry
from support.flows import Opaque
from support.oracles import (
    N_DRAWS,
    N_POINTS,
    NODES,
    Points,
    agree,
    axis,
    bars_cover,
    cases,
    follow,
    importance,
    quadrature,
)

import flowcore as fc
from flowcore import flows, targets
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

SPREAD = 0.7  # of random parameters: far from the identity, and smooth enough for a quadrature
TURN = 2 * np.pi


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
    "nsf-coupling-mixed": Case(spline(2, kind="coupling", circular=[1]), {1: "turn"}),
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
            around = np.linspace(s.draws[0], turned[0], 10_001)
            assert np.abs(np.diff(s.density.log_prob(around))).max() < 0.1, "a seam"


@every_density
def test_draws_and_values_are_the_callers_own(name):
    """Whoever writes into what a density returned changes no later answer; a seed decides it."""
    s = subject(name)
    x = s.draws[:4].copy()
    x.flags.writeable = False
    draws, log_p = s.density.sample(4, 1), np.array(s.density.log_prob(x))
    kept = np.array(draws)
    if draws.flags.writeable:
        draws[...] = 0
    for rng in (1, np.random.default_rng(1)):
        np.testing.assert_array_equal(s.density.sample(4, rng), kept)
    assert not np.array_equal(s.density.sample(4, 2), kept)
    np.testing.assert_array_equal(s.density.log_prob(x), log_p)


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


# ------------------------------------------------------------------------ bars


def known_value(name, row):
    """The error of log p of a known value, against the integral."""

    def once(seed):
        s, _, fine = on_the_plane(name)
        x, known = np.array([row]), np.array([True, False])
        found = conditionals(s.density).marginal([0]).estimate(x[:, :1], n_draws=200, rng=seed)
        return found.log_p[0], found.error[0], exact_marginal(s, x, known, fine)[0]

    return once


def divergence(seed):
    kl, error = fc.kl_to_truth(fc.Normal(2), targets.correlated_gaussian(0.8), 500, seed)
    return kl, error, -np.log(1 - 0.8**2) / 2


def stray(seed):
    """Of N(0, I), where a Gaussian with the correlation .8 is below its own .1% quantile."""
    share, error = fc.stray_mass(fc.Normal(2), targets.correlated_gaussian(0.8), rng=seed)
    return share, error, 0.10402  # by 2e7 draws


@cache
def thirty_stripes():
    """x_0 is N(0, 1), x_1 has thirty narrow modes, and the conditionals cannot be seen."""
    means = [[0.0, k] for k in range(30)]
    return Opaque(fc.MultivariateNormalMixture(means, [np.diag([1, 0.02])] * 30))


def of_stripes(seed):
    whole = conditionals(thirty_stripes())
    found = whole.marginal([0]).estimate([[0.3]], n_draws=200, rng=seed)
    return found.log_p[0], found.error[0], -0.5 * (0.3**2 + np.log(TURN))


def inferred(log_target, dim, log_z, **options):
    """log Z of a target, by a short training."""

    def once(seed):
        found = fc.infer(log_target, dim, rng=seed, epochs=2, batches=20, **options)
        return *found.log_evidence, log_z

    return once


def gamma(a):
    """log Z of a gamma density without its constant: log of its numbers has a long tail."""
    log_target = lambda x: (a - 1) * anp.log(x[:, 0]) - x[:, 0]  # noqa: E731
    return inferred(log_target, 1, gammaln(a), support="positive")


def banana(x):
    return -0.5 * (x[:, 0] ** 2 + (x[:, 1] - x[:, 0] ** 2) ** 2)


def bridged(seed):
    """log Z of e^3 times a density, by draws of it."""
    moons = targets.two_moons(0.2)
    flow = flows.nsf(2, layers=2, hidden=[16], bins=4, rng=0)
    x = moons.sample(1000, rng=seed)
    return *fc.evidence(x, lambda x: 3 + moons.log_prob(x), flow=flow, epochs=8, rng=seed), 3.0


BARS = {
    "infer, gamma(.5)": gamma(0.5),
    "infer, a banana": inferred(banana, 2, np.log(2 * np.pi)),
    "evidence": bridged,
    "thirty stripes": of_stripes,
    "marginal of moons": known_value("target-two-moons", [0.5, 0.0]),
    "marginal of a flow": known_value("nsf-2", [0.5, 0.0]),
    "marginal of an angle": known_value("target-torus", [0.5, 0.0]),
    "kl_to_truth": divergence,
    "stray_mass": stray,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*not to be trusted", "ignore:no epoch was better")
@pytest.mark.parametrize("name", BARS)
def test_bars_cover(name):
    bars_cover(BARS[name])
