"""Floors of an architecture: against closed forms, against the best flow, and what they refuse."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import flowcore as fc
from flowcore import targets
from flowcore.targets import Target, affine_floor, kl_to_truth, volume_preserving_floor


class Mixed(Target):
    """x1 ~ N(0, 1); given x1, x2 is N(slope x1 - a, 1) or N(slope x1 + a, 1), half and half."""

    dim = 2

    def __init__(self, a=2.0, slope=0.7):
        self.a, self.slope = a, slope

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        x1, noise = rng.normal(size=(2, n))
        return np.stack([x1, self.slope * x1 + noise + self.a * rng.choice([-1, 1], n)], axis=-1)

    def log_prob(self, x):
        x1, x2 = np.moveaxis(np.asarray(x, float), -1, 0)
        each = [stats.norm.logpdf(x2, self.slope * x1 + s * self.a) for s in (-1, 1)]
        return stats.norm.logpdf(x1) + np.logaddexp(*each) - np.log(2)

    def entropy(self):
        def integrand(u):
            p = (stats.norm.pdf(u, self.a) + stats.norm.pdf(u, -self.a)) / 2
            return -p * np.log(p)

        return 0.5 * np.log(2 * np.pi * np.e) + 2 * quad(integrand, 0, self.a + 10)[0]


class Exponential(Target):
    """p(x) = exp(-r) / (2 pi)."""

    dim = 2

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        angle = rng.uniform(0, 2 * np.pi, n)
        return rng.gamma(2.0, size=n)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def log_prob(self, x):
        return -np.hypot(x[..., 0], x[..., 1]) - np.log(2 * np.pi)

    def entropy(self):
        return np.log(2 * np.pi) + 2


class Annulus(Target):
    """Uniform between the radii 1 and 2."""

    dim = 2

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        r, angle = np.sqrt(rng.uniform(1, 4, n)), rng.uniform(0, 2 * np.pi, n)
        return r[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def log_prob(self, x):
        r = np.hypot(x[..., 0], x[..., 1])
        return np.where((r > 1) & (r < 2), -np.log(3 * np.pi), -np.inf)

    def entropy(self):
        return np.log(3 * np.pi)


class Rhombus(Target):
    """Uniform where |x1| + |x2| < 1."""

    dim = 2

    def sample(self, n, rng=None):
        u = np.random.default_rng(rng).uniform(-1, 1, (n, 2))
        return np.stack([u[:, 0] + u[:, 1], u[:, 0] - u[:, 1]], axis=-1) / 2

    def log_prob(self, x):
        return np.where(np.abs(x).sum(axis=-1) < 1, -np.log(2), -np.inf)

    def entropy(self):
        return np.log(2)


class Wide(Target):
    """A Gaussian of another size in every direction, away from the origin."""

    dim = 2

    def __init__(self, sd=(100.0, 0.01), rho=0.0):
        self.sd, self.rho = np.array(sd), rho

    def sample(self, n, rng=None):
        return 7.0 + self.sd * targets.correlated_gaussian(self.rho).sample(n, rng)

    def log_prob(self, x):
        z = (np.asarray(x) - 7.0) / self.sd
        return targets.correlated_gaussian(self.rho).log_prob(z) - np.log(self.sd).sum()

    def entropy(self):
        return targets.correlated_gaussian(self.rho).entropy() + np.log(self.sd).sum()


BOTH = pytest.mark.parametrize("order", [(1, 2), (2, 1)])


# ------------------------------------------------------------------------------- affine


@BOTH
@pytest.mark.parametrize("target", [targets.correlated_gaussian(0.8),
                                    targets.correlated_gaussian(-0.3), Wide(), Wide(rho=0.9)],
                         ids=["0.8", "-0.3", "wide", "wide 0.9"])  # fmt: skip
def test_affine_floor_of_a_gaussian_is_zero_in_both_orders(target, order):
    assert abs(affine_floor(target, order)) < 1e-5


@pytest.mark.parametrize("target", [targets.banana(0.5, 1.5), targets.banana(),
                                    targets.funnel(scale=1.0)],
                         ids=["banana", "long banana", "funnel"])  # fmt: skip
def test_affine_floor_is_zero_in_the_order_in_which_the_target_is_autoregressive(target):
    assert abs(affine_floor(target, (1, 2))) < 1e-4
    assert affine_floor(target, (2, 1)) > 0.05


@pytest.mark.parametrize("a", [0.5, 2.0, 3.0])
def test_affine_floor_of_a_mixture_is_the_closed_form(a):
    """The best conditional has the mixture's variance, 1 + a^2, whatever the slope."""
    target = Mixed(a)
    normal = 0.5 * np.log(2 * np.pi * np.e)
    wanted = normal + 0.5 * np.log(1 + a**2) - (target.entropy() - normal)
    assert affine_floor(target) == pytest.approx(wanted, abs=1e-5)
    same = Mixed(a, slope=0.0)
    assert affine_floor(same, (2, 1)) == pytest.approx(affine_floor(same), abs=1e-5)


@BOTH
def test_affine_floor_of_a_board_is_the_closed_form(order):
    """x_a is uniform over a width of 8; x_b on two pieces of 2, whose middles are 4 apart."""
    wanted = np.log(2 * np.pi * np.e) + 0.5 * np.log(64 / 12 * (4 / 12 + 4)) - np.log(32)
    assert affine_floor(targets.checkerboard(), order) == pytest.approx(wanted, abs=0.01)


@BOTH
def test_affine_floor_of_a_rhombus_is_the_closed_form(order):
    """Given x_a, x_b is uniform over a width of 2 h, and E log h = -1/2. At both ends a column of
    the grid is one cell thick, in which nothing varies."""
    wanted = np.log(2 * np.pi * np.e) + 0.5 * np.log(1 / 6) - 0.5 * (1 + np.log(3)) - np.log(2)
    assert affine_floor(Rhombus(), order) == pytest.approx(wanted, abs=2e-3)


def test_affine_floor_is_what_the_best_affine_layer_reaches():
    target = Mixed(2.0)

    class Best:
        dim = 2

        def log_prob(self, x):
            second = stats.norm.logpdf(x[:, 1], 0.7 * x[:, 0], np.sqrt(1 + 2.0**2))
            return stats.norm.logpdf(x[:, 0]) + second

    kl, standard_error = kl_to_truth(Best(), target)
    assert abs(kl - affine_floor(target)) < 4 * standard_error


SIZES = {
    "two_moons": (150, 400), "circles": (150, 400), "ring": (150, 400),
    "eight_gaussians": (150, 400), "two_spirals": (100, 140), "pinwheel": (100, 140),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_floors_are_positive_and_converged(name):
    target = getattr(targets, name)()
    for floor, least in ((affine_floor, 0.8), (volume_preserving_floor, 5e-4)):
        coarse, fine = (floor(target, n=n) for n in SIZES[name])
        assert fine > least and coarse == pytest.approx(fine, abs=1e-3)


def test_the_orders_of_symmetric_targets_do_not_matter():
    for target in (targets.ring(), targets.eight_gaussians(), targets.circles()):
        assert affine_floor(target) == pytest.approx(affine_floor(target, (2, 1)), abs=1e-3)


# ------------------------------------------------------------------------------- volumes


@pytest.mark.parametrize("target", [targets.correlated_gaussian(0.8), Wide(), Wide(rho=0.9)],
                         ids=["0.8", "wide", "wide 0.9"])  # fmt: skip
def test_volume_preserving_floor_of_a_gaussian_is_zero(target):
    assert abs(volume_preserving_floor(target)) < 1e-4


@pytest.mark.parametrize("target", [targets.checkerboard(), Annulus()], ids=["board", "annulus"])
def test_volume_preserving_floor_of_uniform_densities_is_1_minus_log_2(target):
    assert volume_preserving_floor(target) == pytest.approx(1 - np.log(2), abs=2e-3)


def test_volume_preserving_floor_of_an_exponential_is_the_closed_form():
    """Of p = exp(-r) / 2 pi: V = pi r^2, E V = 6 pi, H = log(2 pi) + 2."""
    assert volume_preserving_floor(Exponential()) == pytest.approx(np.log(3) - 1, abs=1e-3)


def test_pieces_cost_nothing_where_volumes_are_kept():
    """Equal Gaussians far apart are one Gaussian, cut into pieces: the bound is 0, and it stays a
    bound, since a continuous map cannot cut."""
    assert 0 < volume_preserving_floor(targets.eight_gaussians()) < 0.02
    assert affine_floor(targets.eight_gaussians()) > 0.5


# ------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("floor", [affine_floor, volume_preserving_floor])
def test_floors_refuse_what_they_cannot_compute(floor):
    with pytest.raises(ValueError, match=r"floors are for targets in the plane.*dim 3"):
        floor(targets.funnel(dim=3))
    for n in (1, 0, 2.5, None):
        with pytest.raises(ValueError, match=f"n must be an integer >= 2, not {n}"):
            floor(targets.ring(), n=n)
    with pytest.raises(ValueError, match=r"holds .* of the mass of .*, not 1: its tails are too"):
        floor(targets.funnel(scale=6.0))


@pytest.mark.parametrize("order", [(0, 1), (1, 1), (1, 2, 3), (2,)])
def test_affine_floor_refuses_other_orders(order):
    with pytest.raises(ValueError, match=r"order must be \(1, 2\) or \(2, 1\), not"):
        affine_floor(targets.ring(), order)


@BOTH
def test_affine_floor_refuses_a_grid_that_is_too_coarse(order):
    """Not a floor of minus infinity, or one below 0: an error."""
    narrow = targets.correlated_gaussian(0.999)  # given one coordinate, the other varies by 0.045
    for n in (130, 150):
        with pytest.raises(ValueError, match="too wide for the details|details too fine"):
            affine_floor(narrow, order, n=n)
    assert abs(affine_floor(narrow, order, n=250)) < 1e-4
    for noise in (0.01, 0.003):
        with pytest.raises(ValueError, match=r"too wide for the details|details too fine"):
            affine_floor(targets.ring(noise=noise), order, n=60)


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


@dataclass(frozen=True)
class HeavyTailed(Target):
    """x1 ~ N(0, 1), x2 ~ t(df): beyond df = 4 the variance settles, below it is the tails'."""

    df: float
    dim = 2

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        return np.stack([rng.standard_normal(n), rng.standard_t(self.df, n)], axis=-1)

    def log_prob(self, x):
        return stats.norm.logpdf(x[..., 0]) + stats.t(self.df).logpdf(x[..., 1])

    def entropy(self):
        return float(stats.norm.entropy() + stats.t(self.df).entropy())


@pytest.mark.parametrize("df", [2.0, 2.5, 3.0])
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_affine_floor_refuses_heavy_tails(df, order):
    with pytest.raises(ValueError, match=r"tails"):
        affine_floor(HeavyTailed(df), order)


def test_affine_floor_of_lighter_tails():
    df = 20.0
    exact = 0.5 * np.log(2 * np.pi * np.e * df / (df - 2)) - stats.t(df).entropy()
    assert affine_floor(HeavyTailed(df)) == pytest.approx(exact, abs=2e-3)


@pytest.mark.parametrize("n", [29, 64, 89, 94])
def test_volume_preserving_floor_refuses_a_grid_that_is_too_coarse(n):
    with pytest.raises(ValueError, match=r"cells are too wide|holds .* of the mass"):
        volume_preserving_floor(targets.ring(noise=0.01), n=n)
