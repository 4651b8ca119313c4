"""Targets: one body of tests for all of them; then each against its definition.

A new target is one more line in CASES.
"""

import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import logsumexp
from sklearn.datasets import make_circles, make_moons

import flowcore as fc
from flowcore import targets
from flowcore.targets import (
    banana,
    checkerboard,
    circles,
    correlated_gaussian,
    eight_gaussians,
    funnel,
    pinwheel,
    ring,
    two_moons,
    two_spirals,
)


def box(low, high, step):
    """Quadrature by the midpoint rule in a rectangle: points (n, 2) and weights (n,)."""
    axes = [np.arange(a + step / 2, b, step) for a, b in zip(low, high, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return x, np.full(len(x), step**2)


def neck(scale):
    """The same for a funnel, in the coordinates x1, x2 exp(-x1/2), where it is a Gaussian."""
    x, weight = box([-9 * scale, -9], [9 * scale, 9], 0.1)
    widen = np.exp(x[:, 0] / 2)
    return x * np.stack([np.ones(len(x)), widen], axis=-1), weight * widen


class Case(NamedTuple):
    target: targets.Target
    low: tuple  # a rectangle with practically all of the mass
    high: tuple
    step: float
    tolerance: float = 1e-8  # of sums over the grid of that step
    bounded: bool = False

    def quadrature(self):
        if isinstance(self.target, targets.Funnel):
            return neck(self.target.scale)
        return box(self.low, self.high, self.step)


CASES = {
    "two_moons": Case(two_moons(0.2), (-2.6, -2.1), (3.6, 2.6), 0.08, 1e-6),
    "circles": Case(circles(0.1), (-1.9, -1.9), (1.9, 1.9), 0.03),
    "ring": Case(ring(1.5, 0.3), (-4.2, -4.2), (4.2, 4.2), 0.1),
    "two_spirals": Case(two_spirals(0.2), (-4.6, -4.6), (4.6, 4.6), 0.12, 1e-6),
    "pinwheel": Case(pinwheel(), (-5.5, -5.5), (5.5, 5.5), 0.05, 1e-6),
    "checkerboard": Case(checkerboard(), (-5, -5), (5, 5), 0.1, 1e-4, bounded=True),
    "eight_gaussians": Case(eight_gaussians(), (-6, -6), (6, 6), 0.1),
    "gaussian": Case(correlated_gaussian(covariance=[[4, -1], [-1, 1]]), (-15, -8), (15, 8), 0.2),
    "funnel": Case(funnel(scale=1.0), (-5, -6), (5, 6), 0.1),
    "banana": Case(banana(b=0.5, sd=1.5), (-11, -75), (11, 10), 0.2),
}
names = pytest.mark.parametrize("name", CASES)


@names
def test_mass_entropy_and_moments_are_those_of_the_density(name):
    case = CASES[name]
    target, tolerance = case.target, case.tolerance
    x, weight = case.quadrature()
    log_p = target.log_prob(x)
    mass = weight * np.exp(log_p)
    assert mass.sum() == pytest.approx(1.0, abs=tolerance if not case.bounded else 1e-12)
    surprise = np.where(mass > 0, log_p, 0.0)
    assert target.entropy() == pytest.approx(-np.sum(mass * surprise), abs=tolerance)
    mean = mass @ x
    assert target.mean() == pytest.approx(mean, abs=10 * tolerance)
    assert target.std() == pytest.approx(np.sqrt(mass @ (x - mean) ** 2), abs=10 * tolerance)


@names
def test_nothing_but_its_own_row_is_changed_by_a_row(name):
    """Far away, infinite and NaN rows."""
    case = CASES[name]
    target = case.target
    far = np.array([[50, -80], [-1e3, 1e3], [1e6, 1e6], [-1e40, 3], [1e200, -1e200]])
    log_p = target.log_prob(far)
    assert (log_p[:4] < -30).all() and not np.isnan(log_p).any()
    if case.bounded:
        assert (log_p == -np.inf).all()
    else:  # at the funnel's second point x2^2 exp(-x1) = 1e6 exp(1000) overflows
        assert np.isfinite(log_p[:4]).all() or name == "funnel"
    x = target.sample(300, rng=3)
    expected = target.log_prob(x)
    x[7, 1], x[130], x[200, 0], x[201] = np.nan, (np.nan, np.inf), -np.inf, (np.inf, np.inf)
    found = target.log_prob(x)
    assert np.isnan(found[[7, 130]]).all() and (found[[200, 201]] == -np.inf).all()
    kept = np.delete(np.arange(300), [7, 130, 200, 201])
    assert found[kept] == pytest.approx(expected[kept], rel=1e-12)
    for shape in ((3,), ()):
        with pytest.raises(ValueError, match=r"\(\.\.\., 2\)"):
            target.log_prob(np.zeros(shape))


@names
def test_targets_are_values_that_sample_by_a_seed(name, tmp_path):
    target = CASES[name].target
    assert target.sample(0, rng=0).shape == (0, 2)
    assert np.array_equal(target.sample(5, rng=0), target.sample(5, np.random.default_rng(0)))
    for n in (-1, 2.5):
        with pytest.raises(ValueError, match=f"number of samples must be .* not {n}"):
            target.sample(n, rng=0)
    for same in (pickle.loads(pickle.dumps(target)), eval(repr(target), vars(targets))):
        assert same == target and hash(same) == hash(target)
    with pytest.raises(FrozenInstanceError):
        target.noise = 0.2
    flow = fc.TransformedDistribution(target, fc.Permute([1, 0]))
    fc.save(flow, tmp_path / "flow.npz")
    assert fc.load(tmp_path / "flow.npz").base == target


def test_every_public_target_is_tested():
    tested = {type(case.target) for case in CASES.values()}
    kinds = {
        kind
        for kind in vars(targets).values()
        if isinstance(kind, type) and issubclass(kind, targets.Target)
    }
    angles = {targets.Torus, targets.VonMisesProduct}  # in test_circular: they are periodic
    assert kinds - {targets.Target} - angles == tested
    assert all(callable(getattr(targets, name)) for name in targets.__all__)


@pytest.mark.parametrize("scale", [1e300, 5e-324])
@pytest.mark.parametrize("make", [two_moons, two_spirals, lambda s: pinwheel(scale=s)])
def test_a_scale_whose_square_is_no_float(make, scale):
    log_p = make(scale).log_prob(np.zeros((1, 2)))
    assert log_p.shape == (1,) and not np.isposinf(log_p).any()


# ------------------------------------------------------------------------------- blurred curves


def arc(t):
    return np.stack([np.cos(t), np.sin(t)], axis=-1)


def spiral(t):
    return np.stack([-t * np.cos(t), t * np.sin(t)], axis=-1) / 3


def log_mean_of_normals(x, curve, density, end, s):
    """log int_0^end density(t) N(x; curve(t), s^2 I) dt, by adaptive quadrature around the peak."""
    t = np.linspace(0, end, 20_001)
    energy = np.sum((x - curve(t)) ** 2, axis=-1) / (2 * s**2)
    peak, lowest = t[np.argmin(energy)], energy.min()

    def integrand(t):
        return density(t) * np.exp(lowest - np.sum((x - curve(t)) ** 2) / (2 * s**2))

    away = np.geomspace(1e-3, 1, 7)
    edges = np.r_[np.linspace(0, end, 13), peak - away, peak, peak + away]
    edges = np.unique(np.clip(edges, 0, end))
    integral = sum(quad(integrand, a, b, epsabs=1e-13, epsrel=1e-11)[0] for a, b in pairwise(edges))
    return np.log(integral) - lowest - np.log(2 * np.pi * s**2)


MOONS = [
    (arc, np.pi, lambda t: 1 / np.pi),
    (lambda t: [1, 0.5] - arc(t), np.pi, lambda t: 1 / np.pi),
]
END = 3 * np.pi
SPIRALS = [(lambda t, sign=sign: sign * spiral(t), END, lambda t: 2 * t / END**2)
           for sign in (1, -1)]  # fmt: skip


def rings(*radii):
    return [(lambda t, r=r: r * arc(t), 2 * np.pi, lambda t: 1 / (2 * np.pi)) for r in radii]


@pytest.mark.parametrize(
    ("target", "curves"),
    [
        *((two_moons(noise), MOONS) for noise in (0.05, 1.0)),
        *((two_spirals(noise), SPIRALS) for noise in (0.1, 1.0)),
        *((circles(noise, r), rings(1.0, r)) for noise, r in ((0.05, 0.5), (0.3, 0.0))),
        (ring(1.0, 0.3), rings(1.0)),
    ],
    ids=lambda value: "" if isinstance(value, list) else repr(value),
)
def test_a_blurred_curve_is_the_integral_along_it(target, curves):
    near = np.random.default_rng(1).normal(0, 0.4, (3, 2))
    ends = [[0, 0], [1, 0.5], [0.5, 0.25], [1, 0], [-1, -1e-9], [1 / 6, 0], [1, -8], [-50, 80]]
    for x in [*target.sample(4, rng=0), *near, *np.array(ends)]:
        each = [
            log_mean_of_normals(x, curve, density, end, target.noise)
            for curve, end, density in curves
        ]
        wanted = logsumexp(each) - np.log(len(each))
        assert target.log_prob(x) == pytest.approx(wanted, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(
    ("target", "x", "distance"),
    [
        (two_moons(0.05), [-1e6, 1e6], np.hypot(1e6, 1e6) - 1),
        (two_moons(0.05), [-1e6, -1e6], np.hypot(1e6 - 1, 1e6)),
        (two_moons(0.05), [1e8, -1e-3], 1e8 - 2),
        (two_spirals(0.05), [-1e6, 0], 1e6 - np.pi),  # to the end of one of them
    ],
)
def test_far_from_a_curve_only_the_distance_counts(target, x, distance):
    assert target.log_prob(x) == pytest.approx(-(distance**2) / (2 * 0.05**2), rel=1e-6)


def test_moons_and_circles_are_distributed_as_in_scikit_learn():
    """Their angles are evenly spaced."""
    for target, (theirs, _) in (
        (two_moons(0.1), make_moons(20_000, noise=0.1, random_state=0)),
        (circles(0.1, 0.3), make_circles(20_000, noise=0.1, factor=0.3, random_state=0)),
    ):
        log_p = target.log_prob(theirs)
        assert abs(log_p.mean() + target.entropy()) < 4 * log_p.std() / np.sqrt(len(log_p))
        ours = target.sample(20_000, rng=10)
        for direction in ([1, 0], [1, -2]):
            assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-3


def across(s):
    """The entropy of N(0, s^2)."""
    return np.log(2 * np.pi * np.e * s**2) / 2


@pytest.mark.parametrize(
    ("target", "entropy", "within"),
    [
        (two_moons(0.05), 0.2892337, 1e-6),
        (two_moons(100.0), 2 * across(100), 1e-4),  # a blurred point
        (ring(2.0, 0.001), np.log(4 * np.pi) + across(0.001), 1e-6),
        (banana(b=0.0, sd=1.0), 2 * across(1), 1e-12),
    ],
    ids=repr,
)
def test_known_entropies(target, entropy, within):
    assert target.entropy() == pytest.approx(entropy, abs=within)


# ------------------------------------------------------------------------------- pinwheel


def brute_force_pinwheel(x, p):
    """log p from a dense scan for f1 with |f| = |x| / scale and the right angle."""
    r, w = np.hypot(*x) / p.scale, np.arctan2(x[1], x[0])
    total = 0.0
    for k in range(p.arms):

        def angle(f1, k=k):
            return w + 2 * np.pi * k / p.arms + p.rate * np.exp(f1)

        def miss(f1, angle=angle):
            return f1 - r * np.cos(angle(f1))

        scan = np.linspace(-r - 1e-3, r + 1e-3, 20_001)
        sign = np.sign(miss(scan))
        for i in np.flatnonzero(sign[1:] != sign[:-1]):
            f1 = brentq(miss, scan[i], scan[i + 1], xtol=1e-15, rtol=1e-14)
            f2 = r * np.sin(angle(f1))
            normal = stats.norm.pdf(f1, 1, p.radial_std) * stats.norm.pdf(f2, 0, p.tangential_std)
            total += normal / abs(1 + p.rate * np.exp(f1) * f2)
    return np.log(total / (p.arms * p.scale**2))


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(rate=1.5),
        dict(arms=3, radial_std=0.1, tangential_std=0.5, rate=0.7, scale=1.0),
        dict(radial_std=0.05, tangential_std=1.0),
    ],
)
def test_pinwheel_sums_over_all_preimages(options):
    target = pinwheel(**options)
    around = np.random.default_rng(1).uniform(-6, 6, (20, 2))
    for x in [*target.sample(15, rng=0), *around]:
        assert target.log_prob(x) == pytest.approx(
            brute_force_pinwheel(x, target), rel=1e-8, abs=1e-8
        )


def test_pinwheel_far_out_is_averaged_over_the_angle():
    target = pinwheel()
    r = target.far * target.scale
    for factor in (3.0, 1e3):
        log_p = target.log_prob([[r * factor, 0.0], [0.0, -r * factor]])
        assert log_p[0] == pytest.approx(log_p[1], rel=1e-12)
    # int N(f) dt / 2 pi over f = r (cos t, sin t)
    t = np.linspace(-np.pi, np.pi, 100_001)[1:]
    radius = 3.0 * target.far
    normal = stats.norm.logpdf(radius * np.cos(t), 1, 0.3)
    normal += stats.norm.logpdf(radius * np.sin(t), 0, 0.1)
    expected = logsumexp(normal) - np.log(len(t)) - 2 * np.log(target.scale)
    assert target.log_prob([0.0, 3.0 * r]) == pytest.approx(expected, rel=1e-9)


def test_pinwheel_entropy_across_its_own_folds():
    """Its arms are folded, and log p is infinite on the folds."""
    target = pinwheel(7, 0.2, 0.3)
    entropy, log_p = target.entropy(), target.log_prob(target.sample(2000, rng=0))
    assert abs(entropy - target.entropy(step=0.2)) < 1e-5
    assert abs(entropy + log_p.mean()) < 4 * log_p.std() / np.sqrt(2000)


# ------------------------------------------------------------------------------- closed forms


def test_checkerboard_fills_every_other_square():
    centres = np.stack(np.meshgrid(*2 * [np.arange(-5.0, 6.0, 2.0)], indexing="ij"), axis=-1)
    filled = np.isfinite(checkerboard().log_prob(centres))
    i, j = np.indices((6, 6))
    inside = (i > 0) & (i < 5) & (j > 0) & (j < 5)
    assert np.array_equal(filled, inside & ((i + j) % 2 == 0)) and filled.sum() == 8
    edges = checkerboard().log_prob([[-4, -4], [0, 0], [4, 4], [-4 - 1e-9, -3], [0.5, -1e-9]])
    assert np.isfinite(edges).tolist() == [True, True, False, False, False]


COVARIANCE = [[4.0, -1.0, 0.5], [-1.0, 1.0, 0.0], [0.5, 0.0, 2.0]]
EIGHT = 4 / 1.414 * arc(np.arange(8) * np.pi / 4)
normal, gaussian = stats.norm.logpdf, stats.multivariate_normal
CLOSED_FORMS = {
    "eight_gaussians": (
        eight_gaussians(),
        lambda x: (
            logsumexp([gaussian(c, (0.5 / 1.414) ** 2).logpdf(x) for c in EIGHT], 0) - np.log(8)
        ),
    ),
    "gaussian": (
        correlated_gaussian(covariance=COVARIANCE),
        gaussian(np.zeros(3), COVARIANCE).logpdf,
    ),
    "funnel": (
        funnel(dim=5, scale=2.0),
        lambda x: normal(x[:, 0], 0, 2) + normal(x[:, 1:], 0, np.exp(x[:, :1] / 2)).sum(axis=1),
    ),
    "banana": (
        banana(b=0.3, sd=2.0),
        lambda x: normal(x[:, 0], 0, 2) + normal(x[:, 1] + 0.3 * (x[:, 0] ** 2 - 4)),
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms_are_scipys(name):
    target, log_prob = CLOSED_FORMS[name]
    x = target.sample(5000, rng=0)
    expected = log_prob(x)
    assert target.log_prob(x) == pytest.approx(expected, rel=1e-11, abs=1e-11)
    assert abs(expected.mean() + target.entropy()) < 4 * expected.std() / np.sqrt(len(x))
    assert target.mean().shape == target.std().shape == (target.dim,)
    error = x.std(axis=0) / target.std() - 1
    assert (abs(error) < 0.1).all() or name == "funnel"


def test_the_neck_of_a_funnel():
    neck = funnel(3).log_prob([[-2e3, 0, 0], [-2e3, 0, 1e-9]])
    assert np.isfinite(neck[0]) and neck[1] == -np.inf


# ------------------------------------------------------------------------------- bad parameters


@pytest.mark.parametrize("bad", [0, np.nan, np.inf, "0.1"])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (two_moons, "noise"), (circles, "noise"), (ring, "radius"), (ring, "noise"),
        (two_spirals, "noise"), (pinwheel, "radial_std"), (pinwheel, "tangential_std"),
        (pinwheel, "rate"), (pinwheel, "scale"), (funnel, "scale"), (banana, "sd"),
    ],
)  # fmt: skip
def test_what_must_be_positive(make, name, bad):
    with pytest.raises(ValueError, match=f"{name} must be a finite number > 0, not ") as error:
        make(**{name: bad})
    assert repr(bad) in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: circles(factor=1.0), "factor must be .* not 1.0"),
        (lambda: pinwheel(arms=2), "arms must be an integer >= 3, not 2"),
        (lambda: pinwheel(radial_std=3), "radial_std must be at most 1.0, not 3.0.*use scale"),
        (lambda: pinwheel(tangential_std=11), "tangential_std must be at most 10.0"),
        (lambda: pinwheel(rate=1e4), "rate must be at most 100.0"),
        (lambda: funnel(dim=1), "dim must be an integer >= 2, not 1"),
        (lambda: funnel(scale=51.0), "scale must be at most 50, not 51.0"),
        (lambda: banana(b=np.inf), "b must be a finite number, not inf"),
        (lambda: correlated_gaussian(1.0), "rho must be a correlation, .* not 1.0"),
        (lambda: correlated_gaussian(0.5, np.eye(2)), "give rho=0.5 or covariance, not both"),
        (lambda: correlated_gaussian(covariance=np.ones(3)), r"\(D, D\) matrix, not .* \(3,\)"),
        (lambda: correlated_gaussian(covariance=[[1, 0.2], [0.199, 1]]), "finite and symmetric"),
        (lambda: correlated_gaussian(covariance=[[1, 2], [2, 1]]), "positive definite"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
