"""One body of tests for all targets: density, sampler, entropy and moments tell the same story.

A new target is one more line in CASES.
"""

import pickle
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore import targets


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
    "two_moons": Case(targets.two_moons(0.2), (-2.6, -2.1), (3.6, 2.6), 0.08, 1e-6),
    "circles": Case(targets.circles(0.1), (-1.9, -1.9), (1.9, 1.9), 0.03),
    "ring": Case(targets.ring(1.5, 0.3), (-4.2, -4.2), (4.2, 4.2), 0.1),
    "two_spirals": Case(targets.two_spirals(0.2), (-4.6, -4.6), (4.6, 4.6), 0.08, 1e-6),
    "pinwheel": Case(targets.pinwheel(), (-5.5, -5.5), (5.5, 5.5), 0.05, 1e-6),
    "checkerboard": Case(targets.checkerboard(), (-5, -5), (5, 5), 0.1, 1e-4, bounded=True),
    "eight_gaussians": Case(targets.eight_gaussians(), (-6, -6), (6, 6), 0.1),
    "gaussian": Case(targets.correlated_gaussian(0.8), (-8, -8), (8, 8), 0.2),
    "covariance": Case(
        targets.correlated_gaussian(covariance=[[4, -1], [-1, 1]]), (-15, -8), (15, 8), 0.2
    ),
    "funnel": Case(targets.funnel(scale=1.0), (-5, -6), (5, 6), 0.1),
    "banana": Case(targets.banana(b=0.5, sd=1.5), (-11, -75), (11, 10), 0.2),
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
def test_samples_have_the_entropy_and_the_moments(name):
    target, n = CASES[name].target, 10_000
    x = target.sample(n, rng=1)
    surprise = -target.log_prob(x)
    assert np.isfinite(surprise).all()
    slack = 4 * surprise.std() / np.sqrt(n) + 1e-12
    assert abs(surprise.mean() - target.entropy()) < slack
    assert (abs(x.mean(axis=0) - target.mean()) < 4 * target.std() / np.sqrt(n)).all()
    square = (x - target.mean()) ** 2
    error = square.mean(axis=0) - target.std() ** 2
    assert (abs(error) < 4 * square.std(axis=0) / np.sqrt(n)).all()


@names
def test_samples_fall_into_cells_as_the_density_says(name):
    case, n, cells, fine = CASES[name], 40_000, 20, 6
    x = case.target.sample(n, rng=2)
    low, high = np.quantile(x, [0.001, 0.999], axis=0)
    if case.bounded:
        low, high = np.array([-4.0, -4.0]), np.array([4.0, 4.0])  # cells end where squares do
    side = (high - low) / cells
    axes = [a + s * (np.arange(cells * fine) + 0.5) / fine for a, s in zip(low, side, strict=True)]
    p = case.target.prob(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    mass = p.reshape(cells, fine, cells, fine).mean(axis=(1, 3)) * side.prod()
    edges = [a + s * np.arange(cells + 1) for a, s in zip(low, side, strict=True)]
    observed, expected = np.histogram2d(*x.T, bins=edges)[0], n * mass
    full = expected >= 10
    assert full.sum() > 40
    # all other cells, and whatever lies outside, are one more
    observed, expected = observed[full], expected[full]
    observed = np.append(observed, n - observed.sum())
    expected = np.append(expected, n - expected.sum())
    statistic = np.sum((observed - expected) ** 2 / expected)
    assert stats.chi2.sf(statistic, len(observed) - 1) > 1e-4


@names
def test_log_prob_far_away(name):
    case = CASES[name]
    far = np.array([[50, -80], [-1e3, 1e3], [1e6, 1e6], [-1e40, 3], [1e200, -1e200]])
    log_p = case.target.log_prob(far)
    if case.bounded:
        assert (log_p == -np.inf).all()
    else:
        # at the funnel's second point x2^2 exp(-x1) = 1e6 exp(1000) overflows
        assert np.isfinite(log_p[:4]).all() or name == "funnel"
        assert (log_p[:4] < -30).all() and not np.isnan(log_p).any()


@names
def test_nan_and_infinity_stay_in_their_rows(name):
    target = CASES[name].target
    x = target.sample(300, rng=3)
    expected = target.log_prob(x)
    x[7, 1], x[130], x[200, 0], x[201] = np.nan, (np.nan, np.inf), -np.inf, (np.inf, np.inf)
    found = target.log_prob(x)
    changed = [7, 130, 200, 201]
    assert np.isnan(found[[7, 130]]).all()
    assert (found[[200, 201]] == -np.inf).all()
    assert np.delete(found, changed) == pytest.approx(np.delete(expected, changed), rel=1e-12)


@names
def test_any_leading_axes_and_numbers(name):
    target = CASES[name].target
    x = target.sample(12, rng=4)
    rows = target.log_prob(x)
    assert rows.shape == (12,) and rows.dtype == float
    assert rows == pytest.approx([target.log_prob(row) for row in x], rel=1e-12, abs=1e-12)
    assert np.array_equal(target.log_prob(x.reshape(3, 4, 2)), rows.reshape(3, 4))
    assert np.shape(target.log_prob(x[0])) == () and target.log_prob(np.zeros((3, 0, 2))).size == 0
    assert target.log_prob([1, 1]) == target.log_prob(np.ones(2, np.float32))
    for shape in ((3,), (2, 3), ()):
        with pytest.raises(ValueError, match=r"\(\.\.\., 2\)"):
            target.log_prob(np.zeros(shape))


@names
def test_sample_takes_a_seed_or_a_generator(name):
    target = CASES[name].target
    assert target.sample(0, rng=0).shape == (0, 2)
    assert np.array_equal(target.sample(5, rng=0), target.sample(5, np.random.default_rng(0)))
    generator = np.random.default_rng(0)
    assert not np.array_equal(target.sample(5, generator), target.sample(5, generator))
    for n in (-1, 2.5):
        with pytest.raises(ValueError, match=f"number of samples must be .* not {n}"):
            target.sample(n, rng=0)


@names
def test_targets_are_values_that_can_be_pickled_and_saved(name, tmp_path):
    target = CASES[name].target
    for same in (pickle.loads(pickle.dumps(target)), eval(repr(target), vars(targets))):
        assert same == target and hash(same) == hash(target)
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
    assert kinds - {targets.Target} == tested
    assert all(callable(getattr(targets, name)) for name in targets.__all__)


@pytest.mark.parametrize("scale", [1e300, 5e-324])
@pytest.mark.parametrize(
    "make", [targets.TwoMoons, targets.TwoSpirals, lambda s: targets.Pinwheel(scale=s)]
)
def test_a_scale_whose_square_is_no_float(make, scale):
    log_p = make(scale).log_prob(np.zeros((1, 2)))
    assert log_p.shape == (1,) and not np.isposinf(log_p).any()
