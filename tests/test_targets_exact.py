"""What is special to each target: its density against its definition, limits, bad parameters."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import logsumexp
from sklearn.datasets import make_circles

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
from flowcore.targets.pinwheel import _mean_log_distance, _solutions


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


# ------------------------------------------------------------------------------- blurred curves


@pytest.mark.parametrize("noise", [0.02, 0.1, 1.0])
def test_spirals_are_the_integral_along_the_curve(noise):
    target, end = two_spirals(noise), 3 * np.pi

    def curve(t):
        return np.stack([-t * np.cos(t), t * np.sin(t)], axis=-1) / 3

    near = np.random.default_rng(1).normal(0, 0.4, (3, 2))
    for x in [*target.sample(3, rng=0), *near, [0, 0], [1 / 6, 0], [1, -8]]:
        both = [
            log_mean_of_normals(sign * np.array(x), curve, lambda t: 2 * t / end**2, end, noise)
            for sign in (1, -1)
        ]
        assert target.log_prob(x) == pytest.approx(
            np.logaddexp(*both) - np.log(2), rel=1e-9, abs=1e-9
        )


def test_spirals_are_those_of_the_definition():
    # every sample lies within noise of t (-cos t, sin t) / 3 or its mirror image: t = 3 |x|
    x = two_spirals(1e-4).sample(1000, rng=0)
    t = 3 * np.hypot(x[:, 0], x[:, 1])
    curve = np.stack([-t * np.cos(t), t * np.sin(t)], axis=-1) / 3
    off = np.minimum(*(np.hypot(*(x - sign * curve).T) for sign in (1, -1)))
    assert off.max() < 1e-2 and stats.kstest((t / (3 * np.pi)) ** 2, "uniform").pvalue > 1e-4


def test_far_from_the_spirals_only_the_distance_counts():
    x = np.array([[-1e6, 0], [1e8, 0]])
    distance = np.abs(x[:, 0]) - np.pi  # to the end of one of them, at (pi, 0) or (-pi, 0)
    assert two_spirals(0.05).log_prob(x) == pytest.approx(-(distance**2) / (2 * 0.05**2), rel=1e-6)


@pytest.mark.parametrize(("noise", "factor"), [(0.05, 0.5), (0.3, 0.0), (1.0, 0.9)])
def test_circles_are_the_integral_over_the_angle(noise, factor):
    def log_circle(x, radius):
        def curve(t):
            return radius * np.stack([np.cos(t), np.sin(t)], axis=-1)

        return log_mean_of_normals(x, curve, lambda t: 1 / (2 * np.pi), 2 * np.pi, noise)

    target = circles(noise, factor)
    for x in [*target.sample(4, rng=0), np.zeros(2), np.array([2.0, -1.0])]:
        expected = np.logaddexp(log_circle(x, 1.0), log_circle(x, factor)) - np.log(2)
        assert target.log_prob(x) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert ring(1.0, noise).log_prob(x) == pytest.approx(log_circle(x, 1.0), rel=1e-9)


def test_circles_are_distributed_as_in_scikit_learn():
    ours = circles(0.1, 0.3).sample(20_000, rng=1)
    theirs, _ = make_circles(20_000, noise=0.1, factor=0.3, random_state=0)
    for direction in ([1, 0], [1, -2]):
        assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-3


def test_entropy_of_a_thin_and_of_a_thick_ring():
    across = np.log(2 * np.pi * np.e * 0.001**2) / 2
    assert ring(2.0, 0.001).entropy() == pytest.approx(np.log(4 * np.pi) + across, abs=1e-6)
    assert ring(0.01, 10.0).entropy() == pytest.approx(np.log(2 * np.pi * np.e * 100), abs=1e-6)


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
    [{}, dict(rate=1.5), dict(arms=3, radial_std=0.1, tangential_std=0.5, rate=0.7, scale=1.0)],
)
def test_pinwheel_sums_over_all_preimages(options):
    target = pinwheel(**options)
    around = np.random.default_rng(1).uniform(-6, 6, (20, 2))
    for x in [*target.sample(15, rng=0), *around]:
        assert target.log_prob(x) == pytest.approx(
            brute_force_pinwheel(x, target), rel=1e-8, abs=1e-8
        )


def test_some_points_of_a_pinwheel_have_several_preimages():
    start = np.linspace(0, 6, 50)
    index, t = _solutions(np.full(50, 3.0), start, rate=1.0, far=9.0)
    counts = np.bincount(index)
    assert (counts % 2 == 1).all() and counts.max() >= 5  # folds make and take them in pairs
    miss = t - 3 * np.cos(start[index] + np.exp(t))
    assert np.abs(miss).max() < 1e-12


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
    """At rate = 2 arms of ordinary size are folded, and log p is infinite on the folds."""
    target = pinwheel(rate=2.0)
    assert abs(target.entropy() - target.entropy(step=0.2)) < 5e-5
    log_p = target.log_prob(target.sample(2000, rng=0))
    assert abs(target.entropy() + log_p.mean()) < 4 * log_p.std() / np.sqrt(2000)


@pytest.mark.parametrize("c", [1e-3, 0.3, 5.0, 11.9, 12.1, 1e6])
def test_the_mean_log_distance_of_a_normal_number(c):
    def density(u):
        return (stats.norm.pdf(u, c) + stats.norm.pdf(u, -c)) * np.log(u)

    if c < 100:
        edges = [0.0, min(1.0, c), c, c + 12.0]
        exact = sum(quad(density, a, b, limit=200)[0] for a, b in pairwise(edges))
    else:
        exact = np.log(c) - 0.5 / c**2
    np.testing.assert_allclose(_mean_log_distance(np.array([c])), exact, rtol=1e-10, atol=1e-10)


def test_pinwheel_has_as_many_arms_as_asked_for():
    x = pinwheel(arms=7, radial_std=0.01, tangential_std=0.01).sample(500, rng=0)
    phase = np.mod(np.arctan2(x[:, 1], x[:, 0]) + 0.25 * np.e, 2 * np.pi) / (2 * np.pi / 7)
    assert np.unique(np.round(phase) % 7).size == 7 and np.abs(phase - np.round(phase)).max() < 0.2


# ------------------------------------------------------------------------------- closed forms


def test_checkerboard_fills_every_other_square():
    centres = np.stack(np.meshgrid(*2 * [np.arange(-5.0, 6.0, 2.0)], indexing="ij"), axis=-1)
    filled = np.isfinite(checkerboard().log_prob(centres))
    i, j = np.indices((6, 6))
    inside = (i > 0) & (i < 5) & (j > 0) & (j < 5)
    assert np.array_equal(filled, inside & ((i + j) % 2 == 0)) and filled.sum() == 8
    edges = checkerboard().log_prob([[-4, -4], [0, 0], [4, 4], [-4 - 1e-9, -3], [0.5, -1e-9]])
    assert np.isfinite(edges).tolist() == [True, True, False, False, False]


def test_eight_gaussians_is_the_mean_of_eight():
    angle = np.arange(8) * np.pi / 4
    centres = 4 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x = eight_gaussians().sample(20, rng=0)
    each = [stats.multivariate_normal(c, (0.5 / 1.414) ** 2).pdf(x) for c in centres]
    assert eight_gaussians().prob(x) == pytest.approx(np.mean(each, axis=0), rel=1e-10)


def test_correlated_gaussian_of_any_dim_is_scipys():
    a = np.random.default_rng(0).normal(size=(4, 4))
    covariance = a @ a.T + 0.1 * np.eye(4)
    ours, theirs = correlated_gaussian(covariance=covariance), stats.multivariate_normal(
        np.zeros(4), covariance
    )  # fmt: skip
    x = ours.sample(50_000, rng=1)
    assert ours.log_prob(x[:50]) == pytest.approx(theirs.logpdf(x[:50]), rel=1e-9)
    assert ours.entropy() == pytest.approx(theirs.entropy(), rel=1e-12)
    assert np.cov(x.T) == pytest.approx(covariance, abs=0.03 * covariance.max())
    assert (ours.dim, ours.mean().shape) == (4, (4,)) and correlated_gaussian() == (
        correlated_gaussian(0.8)
    )


def test_funnel_of_any_dim():
    target = funnel(dim=5, scale=2.0)
    x = target.sample(20_000, rng=0)
    expected = stats.norm.logpdf(x[:, 0], 0, 2) + stats.norm.logpdf(
        x[:, 1:], 0, np.exp(x[:, :1] / 2)
    ).sum(axis=1)
    assert target.log_prob(x) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert abs(expected.mean() + target.entropy()) < 4 * expected.std() / np.sqrt(len(x))
    neck = target.log_prob([[-2e3, 0, 0, 0, 0], [-2e3, 0, 0, 0, 1e-9]])
    assert np.isfinite(neck[0]) and neck[1] == -np.inf


def test_banana_is_a_bent_gaussian():
    target = banana(b=0.3, sd=2.0)
    x = target.sample(1000, rng=0)
    straight = x[:, 1] + 0.3 * (x[:, 0] ** 2 - 4)
    expected = stats.norm.logpdf(x[:, 0], 0, 2) + stats.norm.logpdf(straight)
    assert target.log_prob(x) == pytest.approx(expected, rel=1e-10)
    assert banana(b=0.0, sd=1.0).entropy() == pytest.approx(np.log(2 * np.pi * np.e))


# ------------------------------------------------------------------------------- bad parameters


@pytest.mark.parametrize("bad", [0, -0.1, np.nan, np.inf, None, "0.1"])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (two_moons, "noise"), (circles, "noise"), (ring, "radius"), (ring, "noise"),
        (two_spirals, "noise"),
        (pinwheel, "radial_std"), (pinwheel, "tangential_std"), (pinwheel, "rate"),
        (pinwheel, "scale"), (funnel, "scale"), (banana, "sd"),
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
        (lambda: circles(factor=-0.1), "factor must be .* not -0.1"),
        (lambda: circles(factor=np.nan), "factor must be .* not nan"),
        (lambda: pinwheel(arms=2), "arms must be an integer >= 3, not 2"),
        (lambda: pinwheel(radial_std=3), "radial_std must be at most 1.0, not 3.0.*use scale"),
        (lambda: pinwheel(tangential_std=11), "tangential_std must be at most 10.0"),
        (lambda: pinwheel(rate=1e4), "rate must be at most 100.0"),
        (lambda: funnel(dim=1), "dim must be an integer >= 2, not 1"),
        (lambda: funnel(scale=51.0), "scale must be at most 50, not 51.0"),
        (lambda: banana(b=np.inf), "b must be a finite number, not inf"),
        (lambda: banana(b="1"), "b must be a finite number, not '1'"),
        (lambda: correlated_gaussian(1.0), "rho must be a correlation, .* not 1.0"),
        (lambda: correlated_gaussian(0.5, np.eye(2)), "give rho=0.5 or covariance, not both"),
        (lambda: correlated_gaussian(covariance=np.ones(3)), r"\(D, D\) matrix, not .* \(3,\)"),
        (lambda: correlated_gaussian(covariance=[[1, 0.2], [0, 1]]), "finite and symmetric"),
        (lambda: correlated_gaussian(covariance=[[np.inf, 0], [0, 1]]), "finite and symmetric"),
        (lambda: correlated_gaussian(covariance=[[1, 2], [2, 1]]), "positive definite"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_target_without_moments_says_so():
    class Plain(targets.Target):
        dim = 1

        def sample(self, n, rng=None):
            return np.zeros((n, 1))

        def log_prob(self, x):
            return np.zeros(np.shape(x)[:-1])

        def entropy(self):
            return 0.0

    for name in ("mean", "std"):
        with pytest.raises(NotImplementedError, match=f"Plain does not know its {name}"):
            getattr(Plain(), name)()
