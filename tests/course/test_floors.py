"""Floors of an architecture: against closed forms, against trained flows, and what they refuse."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import flowcore as fc
from flowcore import targets
from flowcore.targets import Target, affine_floor, kl_to_truth, volume_preserving_floor


class Known(Target):
    """A target from a function (rng, n) -> (n, 2), its log-density of (x1, x2), its entropy."""

    dim = 2

    def __init__(self, draw, log_p, entropy):
        self.draw, self.log_p, self.h = draw, log_p, entropy

    def sample(self, n, rng=None):
        return np.stack(self.draw(np.random.default_rng(rng), n), axis=-1)

    def log_prob(self, x):
        return self.log_p(*np.moveaxis(np.asarray(x, float), -1, 0))

    def entropy(self):
        return self.h


NORMAL = 0.5 * np.log(2 * np.pi * np.e)  # the entropy of N(0, 1)


def two_bells(a):
    """The entropy of 1/2 N(-a, 1) + 1/2 N(a, 1)."""

    def integrand(u):
        p = (stats.norm.pdf(u, a) + stats.norm.pdf(u, -a)) / 2
        return -p * np.log(p)

    return 2 * quad(integrand, 0, a + 10)[0]


def mixed(a, slope=0.7):
    """x1 ~ N(0, 1); given x1, x2 is N(slope x1 - a, 1) or N(slope x1 + a, 1), half and half."""

    def draw(rng, n):
        x1, noise = rng.normal(size=(2, n))
        return x1, slope * x1 + noise + a * rng.choice([-1, 1], n)

    def log_p(x1, x2):
        each = [stats.norm.logpdf(x2, slope * x1 + sign * a) for sign in (-1, 1)]
        return stats.norm.logpdf(x1) + np.logaddexp(*each) - np.log(2)

    return Known(draw, log_p, NORMAL + two_bells(a))


def heavy_tailed(df):
    """x1 ~ N(0, 1), x2 ~ t(df): beyond df = 4 the variance settles, below it is the tails'."""
    t = stats.t(df)
    return Known(
        lambda rng, n: (rng.standard_normal(n), rng.standard_t(df, n)),
        lambda x1, x2: stats.norm.logpdf(x1) + t.logpdf(x2),
        NORMAL + float(t.entropy()),
    )


def wide(rho=0.0, sd=(100.0, 0.01)):
    """A Gaussian of another size in every direction, away from the origin."""
    normal = targets.correlated_gaussian(rho)
    return Known(
        lambda rng, n: (7.0 + sd * normal.sample(n, rng)).T,
        lambda *x: normal.log_prob((np.stack(x, -1) - 7.0) / sd) - np.log(sd).sum(),
        normal.entropy() + np.log(sd).sum(),
    )


def polar(radius, log_p, entropy):
    """Of any angle; radius(rng, n) and log_p(r)."""

    def draw(rng, n):
        r, angle = radius(rng, n), rng.uniform(0, 2 * np.pi, n)
        return r * np.cos(angle), r * np.sin(angle)

    return Known(draw, lambda x1, x2: log_p(np.hypot(x1, x2)), entropy)


LOG_2PI = np.log(2 * np.pi)
EXPONENTIAL = polar(
    lambda rng, n: rng.gamma(2.0, size=n), lambda r: -r - LOG_2PI, LOG_2PI + 2
)  # p(x) = exp(-r) / (2 pi)
ANNULUS = polar(  # uniform between the radii 1 and 2
    lambda rng, n: np.sqrt(rng.uniform(1, 4, n)),
    lambda r: np.where((r > 1) & (r < 2), -np.log(3 * np.pi), -np.inf),
    np.log(3 * np.pi),
)
RHOMBUS = Known(  # uniform where |x1| + |x2| < 1
    lambda rng, n: np.array([[1, 1], [1, -1]]) @ rng.uniform(-0.5, 0.5, (2, n)),
    lambda x1, x2: np.where(abs(x1) + abs(x2) < 1, -np.log(2), -np.inf),
    np.log(2),
)
BOTH = [(1, 2), (2, 1)]


# ------------------------------------------------------------------------------- closed forms


# given x_a, x_b is uniform on two pieces of 2, whose middles are 4 apart
BOARD = 2 * NORMAL + 0.5 * np.log(64 / 12 * (4 / 12 + 4)) - np.log(32)
# given x_a, x_b is uniform over a width of 2 h, and E log h = -1/2; both ends are one cell thick
CORNERS = 2 * NORMAL + 0.5 * np.log(1 / 6) - 0.5 * (1 + np.log(3)) - np.log(2)
AFFINE = [
    *((targets.correlated_gaussian(rho), order, 0, 1e-5) for rho in (0.8, -0.3) for order in BOTH),
    *((wide(rho), order, 0, 1e-5) for rho in (0.0, 0.9) for order in BOTH),
    (targets.banana(0.5, 1.5), (1, 2), 0, 1e-4),  # autoregressive in this order
    (targets.banana(), (1, 2), 0, 1e-4),
    (targets.funnel(scale=1.0), (1, 2), 0, 1e-4),
    *((targets.checkerboard(), order, BOARD, 0.01) for order in BOTH),
    *((RHOMBUS, order, CORNERS, 2e-3) for order in BOTH),
    *(  # the best conditional has the variance 1 + a^2, whatever the slope
        (mixed(a, slope), order, NORMAL + 0.5 * np.log(1 + a**2) - two_bells(a), 1e-5)
        for a in (0.5, 2.0, 3.0)
        for slope, order in ((0.7, (1, 2)), (0.0, (2, 1)))
    ),
    (heavy_tailed(20.0), (1, 2), NORMAL + 0.5 * np.log(20 / 18) - stats.t(20).entropy(), 2e-3),
]


@pytest.mark.parametrize(("target", "order", "floor", "within"), AFFINE)
def test_affine_floor_is_the_closed_form(target, order, floor, within):
    assert affine_floor(target, order) == pytest.approx(floor, abs=within)


@pytest.mark.parametrize(
    ("target", "floor"),
    [
        *((target, 0) for target in (targets.correlated_gaussian(0.8), wide(), wide(0.9))),
        *((uniform, 1 - np.log(2)) for uniform in (targets.checkerboard(), ANNULUS)),
        (EXPONENTIAL, np.log(3) - 1),  # V = pi r^2, E V = 6 pi, H = log(2 pi) + 2
    ],
)
def test_volume_preserving_floor_is_the_closed_form(target, floor):
    assert volume_preserving_floor(target) == pytest.approx(floor, abs=1e-3)


@pytest.mark.parametrize("name", ["two_moons", "circles", "ring", "eight_gaussians"])
def test_floors_are_positive_and_converged(name):
    """Equal Gaussians far apart cost next to nothing where volumes are kept: they are one, cut into
    pieces. It stays a bound, since a continuous map cannot cut."""
    target = getattr(targets, name)()
    for floor, least in ((affine_floor, 0.8), (volume_preserving_floor, 1e-4)):
        coarse, fine = (floor(target, n=n) for n in (100, 140))
        assert fine > least and coarse == pytest.approx(fine, abs=1e-3)


# ------------------------------------------------------------------------------- bad input


NARROW = targets.correlated_gaussian(0.999)  # given one coordinate, the other varies by 0.045
THIN = targets.ring(noise=0.01)
COARSE = "too wide for the details|details too fine"
REFUSED = [
    *(((floor, targets.funnel(dim=3)), {}, r"floors are for targets in the plane.*dim 3")
      for floor in (affine_floor, volume_preserving_floor)),
    *(((affine_floor, targets.ring()), {"n": n}, f"n must be an integer >= 2, not {n}")
      for n in (1, 0, 2.5, None)),
    *(((floor, targets.funnel(scale=6.0)), {}, r"holds .* of the mass of .*, not 1: its tails")
      for floor in (affine_floor, volume_preserving_floor)),
    *(((affine_floor, targets.ring(), order), {}, r"order must be \(1, 2\) or \(2, 1\), not")
      for order in ((0, 1), (1, 1), (1, 2, 3), (2,))),
    # not a floor of minus infinity, or one below 0
    *(((affine_floor, NARROW, order), {"n": n}, COARSE) for order in BOTH for n in (130, 150)),
    ((affine_floor, targets.ring(noise=0.003)), {"n": 60}, COARSE),
    *(((volume_preserving_floor, THIN), {"n": n}, COARSE) for n in (29, 64, 89, 94, 114)),
    *(((affine_floor, heavy_tailed(df), order), {}, "The tails are too heavy")
      for df, order in product((2.0, 2.5, 3.0), BOTH)),
]  # fmt: skip


@pytest.mark.parametrize(("call", "options", "message"), REFUSED)
def test_floors_refuse_what_they_cannot_compute(call, options, message):
    floor, *arguments = call
    with pytest.raises(ValueError, match=message):
        floor(*arguments, **options)


# ------------------------------------------------------------------------------- trained flows


def one_order(reverse, layers=3):
    """MAFs of one order: no swaps between them."""
    order = "right-to-left" if reverse else "left-to-right"
    parts = [fc.MaskedAutoregressiveFlow(fc.MADE(2, [64, 64], order=order, activation="tanh",
             rng=seed)) for seed in range(layers)]  # fmt: skip
    return fc.TransformedDistribution(fc.Normal(2), fc.Chain([*parts, fc.Standardize(2)][::-1]))


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_no_trained_flow_of_one_order_gets_below_the_affine_floor(reverse):
    truth = targets.two_moons(0.05)
    flow, _ = fc.fit(one_order(reverse), truth.sample(4000, rng=0), epochs=80, rng=0)
    kl, standard_error = kl_to_truth(flow, truth)
    floor = affine_floor(truth, (2, 1) if reverse else (1, 2))
    assert floor - 3 * standard_error < kl < floor + 0.25


@pytest.mark.slow
def test_no_trained_nice_gets_below_the_volume_preserving_floor():
    board = targets.checkerboard()
    flow = fc.flows.nice(2, layers=8, rng=0)
    flow, _ = fc.fit(flow, board.sample(10_000, rng=0), epochs=60, rng=0)
    kl, standard_error = kl_to_truth(flow, board)
    assert volume_preserving_floor(board) - 3 * standard_error < kl < 0.9
