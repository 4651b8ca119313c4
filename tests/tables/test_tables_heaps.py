"""Columns in which some values hold most rows: their cells are as wide as they are probable."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from scipy import integrate, stats

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table
from flowcore.tables.normal_scores import NormalScores, normal_scores
from flowcore.tables.soft_log import SoftLog, soft_log
from flowcore.testing import check_bijector

rng = np.random.default_rng(7)
HOURS = np.concatenate([np.repeat([20.0, 30, 40, 50], [90, 90, 300, 120]), np.arange(10.0, 80)])
ENDS = ["integer", "integer(0)", "integer(0, 168)", "integer(10, 79)", "integer(5)"]


def schema_of(kind):
    return Schema((Column("hours", Kind.parse(kind)),))


@pytest.mark.parametrize("kind", ENDS)
def test_the_map_is_a_bijector_that_makes_the_table_normal(kind):
    kind = Kind.parse(kind)
    scores = normal_scores(HOURS, kind)
    check_bijector(scores, rng=0)
    assert scores.codomain == kind.support
    u = rng.random((400, len(HOURS)))
    z = scores.inverse((HOURS + u).reshape(-1, 1))[:, 0]
    assert stats.kstest(z, "norm").statistic < 0.06
    far = np.array([[kind.support[0]], [kind.support[1]]])
    far = np.where(np.isinf(far), np.sign(far) * 1e12, far + 1e-9 * np.array([[1], [-1]]))
    assert scores.forward(scores.inverse(far)) == pytest.approx(far, rel=1e-6)


def test_the_slope_is_that_of_the_distribution_function():
    """Against differences, beyond the rows too, where the tails are exponential."""
    scores = normal_scores(HOURS, Kind.parse("integer"))
    y = np.array([-1e6, -50.0, 3.3, 10.5, 40.5, 61.2, 90.0, 1e7, 1e25, 1e100])[:, None]
    z, log_det = scores.inverse_and_log_det(y)
    h = 1e-6 * np.maximum(np.abs(y), 1)
    slope = (scores.inverse(y + h) - scores.inverse(y - h)) / (2 * h)
    assert np.exp(log_det) == pytest.approx(slope[:, 0], rel=1e-4)
    curvature = (scores.inverse_log_det(y + h) - scores.inverse_log_det(y - h)) / (2 * h[:, 0])
    found = grad(lambda y: anp.sum(scores.inverse_log_det(y)))(y)[:, 0]
    assert found == pytest.approx(curvature, rel=1e-4, abs=1e-12)
    knots, mass = scores.knots
    log_far = np.log(mass[1]) - (knots[1] - y[:2, 0]) / (knots[-2] - knots[1])
    assert stats.norm.logcdf(z[:2, 0]) == pytest.approx(log_far)
    width = integrate.quad(lambda t: np.exp(scores.inverse_log_det([[t]])[0]), 40, 41)[0]
    assert width == pytest.approx(np.ptp(scores.inverse([[40.0], [41.0]])), rel=1e-8)


def test_the_last_cell_is_accurate_up_to_its_end():
    scores = normal_scores(HOURS, Kind.parse("integer(10, 79)"))
    left = 2.0 ** -np.arange(1, 40)  # of the last cell, from 79 to 80
    z = scores.inverse((80 - left)[:, None])[:, 0]
    assert z == pytest.approx(stats.norm.isf(scores.knots[1, -1] * left), rel=1e-13)


@pytest.mark.parametrize("kind", ENDS)
def test_heaps_are_as_probable_as_they_are_frequent(kind):
    learned = fit_table(
        {"hours": HOURS}, schema_of(kind), learn=lambda x, **_: fc.GaussianMixture.from_data(x, 1)
    )
    p = np.exp(learned.log_prob({"hours": [40.0, 39.0, 50.0]}))
    assert p[0] == pytest.approx(301 / len(HOURS), rel=0.2) and p[2] > 20 * p[1] > 0
    drawn = learned.sample(4000, rng=0)["hours"]
    assert abs((drawn == 40).mean() - p[0]) < 0.03
    assert (drawn % 10 != 0).mean() == pytest.approx((HOURS % 10 != 0).mean(), abs=0.1)


@pytest.mark.parametrize("n", [60, 600, 6000])
@pytest.mark.parametrize("sd", [2.0, 20.0, 1e5])
def test_smooth_columns_have_no_heaps(n, sd):
    x = np.round(np.random.default_rng(3).normal(0, sd, n))
    assert normal_scores(x, Kind.parse("integer")) is None
    assert normal_scores(x / 4, Kind.parse("gridded(0.25)")) is None


GUESTS = np.repeat(np.arange(1.0, 11), [12, 118, 40, 140, 20, 45, 4, 12, 1, 8])  # mostly even


def test_counts_of_few_values_are_as_frequent_as_they_are():
    """A smooth distribution through as many quantiles as there are values would follow them all."""
    learned = fit_table(
        {"hours": GUESTS}, schema_of("integer(0)"),
        learn=lambda x, **_: fc.GaussianMixture.from_data(x, 1),
    )  # fmt: skip
    p = np.exp(learned.log_prob({"hours": np.arange(400.0)}))
    share = np.bincount(GUESTS.astype(int), minlength=11) / len(GUESTS)
    drawn = learned.sample(20_000, rng=0)["hours"]
    assert p.sum() == pytest.approx(1, abs=1e-3)
    assert np.abs(p[:11] - share).max() < 0.02
    assert np.abs(np.bincount(drawn, minlength=400)[:11] / 20_000 - share).max() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_smooth_counts_have_no_heaps(seed):
    own = np.random.default_rng(seed)
    for x in (own.poisson(20, 400), own.binomial(30, 0.4, 400)):
        assert normal_scores(x.astype(float), Kind.parse("integer(0)")) is None


def test_a_column_is_heaped_if_that_explains_its_rows_better_by_three_nats():
    """Of 300 rows a fifth were rounded to tens: held-out rows gain, though the heaps are small."""
    kind, learn = Kind.parse("integer"), lambda x, **_: fc.GaussianMixture.from_data(x, 1)

    def rows(seed):
        own = np.random.default_rng(seed)
        x = own.normal(0, 15, 300)
        return np.where(own.random(300) < 0.2, 10 * np.round(x / 10), np.round(x))

    x, later = rows(0), {"hours": rows(1)}
    assert isinstance(normal_scores(x, kind), NormalScores)
    density = fit_table({"hours": x}, schema_of("integer"), learn=learn)
    u = np.random.default_rng(2).random((300, 1))
    plain = TableDensity.of(density.schema_, learn(x[:, None] + u))
    assert (density.log_prob(later) - plain.log_prob(later)).sum() > 3


@pytest.mark.parametrize("ends", ["both", "first", "last"])
def test_numbers_that_stop_at_once_end_there(ends):
    """A fiftieth of the rows, or more, in the last twentieth of the range: beyond, there is half of
    1 / (n + 1)."""
    own = np.random.default_rng(0)
    x = np.floor(100 * {"both": own.random(2000), "first": np.abs(own.normal(0, 0.3, 2000)),
                        "last": 1 - np.abs(own.normal(0, 0.3, 2000))}[ends])  # fmt: skip
    scores = normal_scores(x, Kind.parse("integer"))
    sides = {"both": [-1, 1], "first": [-1], "last": [1]}[ends]
    for side in sides:
        end = x.min() if side < 0 else x.max() + 1
        beyond = stats.norm.cdf(side * -scores.inverse([[end]])[0, 0])
        assert beyond == pytest.approx(0.5 / 2001, rel=1e-3)


def test_the_logarithm_of_amounts_begins_below_nearly_all_of_them():
    """At most .2% of the rows are below, where z is a line: a few zeros do not matter."""
    x = np.random.default_rng(0).lognormal(3, 1, 2000)
    x[:3] = 0.0
    found = soft_log(x)
    assert isinstance(found, SoftLog) and 0 < np.mean(x < found.a) <= 0.002
    assert stats.skew(found.inverse(x[3:, None])[:, 0]) == pytest.approx(0, abs=0.2)
    x[:5] = 0.0  # more of them, and the logarithm would begin at 0
    assert soft_log(x) is None and soft_log(np.random.default_rng(1).normal(9, 1, 500)) is None


def test_the_mass_beyond_weighted_rows_is_that_of_fewer_rows():
    """Weights of 1 and 3: (sum w)^2 / sum w^2 is 4/5 of the rows."""
    x, weight = 5.0 * np.arange(200) % 100, np.resize([1.0, 3.0], 200)
    _, mass = normal_scores(x, Kind("integer", 1), weight).knots
    assert mass[1:3].sum() == pytest.approx(0.5 / 161) == mass[-2:].sum()


def test_weights_are_shares_of_fewer_rows():
    """A large weight is one row, and no value that comes back."""
    kind = Kind.parse("integer(0)")
    plain = normal_scores(HOURS, kind)
    heavy = normal_scores(HOURS, kind, np.where(HOURS == 20, 4.0, 1.0))
    at_20 = [np.ptp(s.inverse([[20.0], [21.0]])) for s in (plain, heavy)]
    assert at_20[1] > 1.2 * at_20[0]
    assert normal_scores(np.full(9, 40.0), kind) is None
    for seed in range(5):
        own = np.random.default_rng(seed)
        x = np.round(own.normal(0, 50, 400))
        assert normal_scores(x, Kind.parse("integer"), own.exponential(size=400)) is None


def test_copies_of_rows_are_no_heaps():
    """A table that was resampled: its rows repeat, whatever its columns are."""
    own = np.random.default_rng(3)
    x = np.round(own.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 400), 2)
    table = dict(zip("ab", x[own.integers(400, size=600)].T, strict=True))
    schema = Schema.from_data(table).edit(a="gridded(0.01)", b="gridded(0.01)")
    density = fit_table(table, schema, learn=lambda x, **_: fc.GaussianMixture.from_data(x, 1))
    assert density.coordinates_.scores == (None, None)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_mass_beyond_the_rows_is_next_to_them(sign):
    """Beside an outlier the last interval once was 1e290 wide."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = np.floor(
            rng.gamma(rng.uniform(0.3, 3), rng.choice([5, 100, 3000]), rng.choice([60, 800]))
        )
        x = sign * np.append(x, x.max() * rng.choice([1, 100, 1e7]))
        if (scores := normal_scores(x, Kind("integer", 1.0), None)) is not None:
            (low, *_, high), (_, below, *_, above) = scores.knots[:, 1:-1]
            widest = 1.0 + max(1.0, 0.05 * (x.max() + 1 - x.min()))
            assert np.isinf(scores.knots[0, [0, -1]]).all() and scores.knots[1, 1] < 1e-5
            assert x.min() - widest <= low and high <= x.max() + widest
            assert below + above == pytest.approx(1 / len(x), rel=0.1)  # .5 / (n + 1) each


def test_a_file_keeps_the_map(tmp_path):
    table = {"hours": HOURS, "x": rng.normal(size=len(HOURS))}
    schema = Schema.from_data(table).edit(hours="integer(0)", x="continuous")
    density = fit_table(table, schema, learn=lambda x, **_: fc.GaussianMixture.from_data(x, 1))
    assert density.coordinates_.scores[1] is None
    fc.save(density, tmp_path / "m.npz")
    again = fc.load(tmp_path / "m.npz")
    assert np.array_equal(again.log_prob(table), density.log_prob(table))
    assert np.array_equal(again.sample(50, rng=0)["hours"], density.sample(50, rng=0)["hours"])


@pytest.mark.parametrize(
    ("knots", "message"),
    [
        ([[0, 1, 1], [0, 0.5, 0.5]], "do not rise"),
        ([[-np.inf, 1, np.inf], [0, 0.5, 0.5]], "do not rise"),
        ([[0, 1, 2], [0, 0.5, 0.6]], "add up to 1"),
        ([[0, 1, 2], [0, 0, 1]], "masses must be 0 first, then positive"),
        ([[0, 1, 2], [0.5, 0.25, 0.25]], "masses must be 0 first, then positive"),
        ([[0, np.nan, 2], [0, 0.5, 0.5]], "do not rise"),
        ([[0, 1], [0, 1]], "shape"),
        ([0, 1, 2], "shape"),
    ],
)
def test_knots_that_are_no_distribution_function_are_refused(knots, message):
    with pytest.raises(ValueError, match=message):
        NormalScores(knots)
