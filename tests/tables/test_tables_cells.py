"""log p of grid cells: points in float32, and its plain twin, all points in float64."""

import numpy as np
import pytest

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table
from flowcore.tables import density as room
from flowcore.tables.coordinates import FIRST, Coordinates
from flowcore.tables.normal_scores import normal_scores
from flowcore.testing import randomize

AMOUNT, ROOMS, STARS = Kind("positive"), Kind("integer", 1.0, 0.0), Kind("gridded", 0.5, 1.0, 5.0)


@pytest.fixture(scope="module")
def flow():
    """A density of an amount and of two numbers on grids, by a flow with random parameters."""
    columns = tuple(map(Column, ("amount", "rooms", "stars"), (AMOUNT, ROOMS, STARS)))
    q = randomize(fc.flows.nsf(3, layers=2, hidden=[12], standardize=False), 0.5, rng=1)
    return TableDensity.of(Schema(columns), q)


def rows(n):
    rng = np.random.default_rng(0)
    return {"amount": rng.lognormal(0, 1, n), "rooms": rng.poisson(3, n),
            "stars": 0.5 * rng.integers(2, 10, n)}  # fmt: skip


def plain(density, table):
    """The formula of `Coordinates`, in float64."""
    x, u = (
        np.column_stack([*table.values()]).astype(float),
        density.coordinates_.points(density.coordinates_.n_points),
    )
    found = [
        density.density_.log_prob(z) + log_w
        for z, log_w in zip(*density.coordinates_.in_cells(x, u), strict=True)
    ]
    return np.logaddexp.reduce(found) - np.log(len(u)), np.exp(found)


def test_each_number_of_a_column_is_mapped_once_as_all_rows_are():
    """Of cells that are at no end of their support."""
    table, u = rows(50), np.random.default_rng(1).random((8, 3))
    inside = table["rooms"] + 1, np.clip(table["stars"], 1.5, 4)
    x = np.column_stack([table["amount"], *inside]).astype(float)
    x[3, 0] = x[4, 1] = x[5, 2] = np.nan
    u[:, 0] = 0.5  # of a number without a grid
    scores = [None, None, normal_scores(table["stars"], STARS, None)]
    coordinates = Coordinates((AMOUNT, ROOMS, STARS), scores=scores)
    z, log_w = coordinates.in_cells(x, u)
    for own_z, own_w, point in zip(z, log_w, u, strict=True):
        expected = coordinates.to_line(x, np.tile(point, (len(x), 1)))
        np.testing.assert_allclose(own_z, expected[0], rtol=1e-12)
        np.testing.assert_allclose(own_w, expected[1], rtol=1e-12)


def test_points_in_float32_agree_with_all_of_them_in_float64(flow, monkeypatch):
    table = rows(300)
    log_p, (expected, p) = flow.log_prob(table), plain(flow, table)
    spread = p[:FIRST].std(axis=0) / p[:FIRST].mean(axis=0)
    assert (spread > 1.2 * room.UNEVEN).any() and (spread < 0.8 * room.EVEN).any()
    exact = spread > 1.2 * room.UNEVEN
    np.testing.assert_allclose(log_p[exact], expected[exact], atol=1e-4)
    error = np.abs(log_p - expected)[~exact]
    assert error.mean() < 0.01 and error.max() < 0.05 and error.max() > 1e-4
    monkeypatch.setattr(room, "EVEN", -2.0)
    monkeypatch.setattr(room, "UNEVEN", -1.0)
    np.testing.assert_allclose(flow.log_prob(table), expected, atol=1e-4)


def test_points_of_a_cell_have_the_mean_of_it():
    """Both halves alone, too: the mean of u, and of u_i u_j, to the order of 1 / n."""
    u = Coordinates((AMOUNT, ROOMS, STARS)).points(64)
    assert u.shape == (64, 3) and (u[:, 0] == 0.5).all() and len(np.unique(u, axis=0)) == 64
    for half in (u[:FIRST], u[FIRST:]):
        np.testing.assert_allclose(half[:, 1:].mean(axis=0), 0.5, atol=1e-12)
        assert abs(np.mean((half[:, 1] - 0.5) * (half[:, 2] - 0.5))) < 0.01


def test_no_row_changes_by_more_than_rounding_where_the_points_begin_to_suffice(flow, monkeypatch):
    table = rows(300)
    log_p = flow.log_prob(table)
    monkeypatch.setattr(room, "EVEN", room.EVEN + 1e-6)
    np.testing.assert_allclose(flow.log_prob(table), log_p, atol=1e-5)


def test_a_number_too_far_out_for_float32_has_its_log_p():
    q = randomize(fc.flows.maf(1, layers=1, hidden=[5], standardize=False), 0.5, rng=0)
    density = TableDensity.of(Schema((Column("rooms", ROOMS),)), q)
    far = {"rooms": [3.0, 1e22]}
    log_p = density.log_prob(far)
    assert np.isfinite(log_p).all() and not np.isfinite(
        q.with_params(q.params.astype(np.float32)).log_prob([[1e22]])
    )
    np.testing.assert_allclose(log_p, plain(density, far)[0], rtol=1e-6)


RNG = np.random.default_rng(2)
FIVES = 5 * np.round(RNG.gamma(2, 2, 800))
HEAPS = np.where(np.arange(800) % 3, FIVES, np.round(RNG.gamma(2, 10, 800)))
AGES = np.round(18 + 9 * np.abs(RNG.normal(size=800)) ** 1.5)
HOURS = RNG.integers(0, 24, 800)
COLUMNS = {
    "geometric": (RNG.geometric(0.38, 800) - 1, "integer(0)"),
    "hours": (HOURS, "integer(0, 23)"), "hours from 0": (HOURS, "integer(0)"),
    "hours, no ends": (HOURS, "integer"),
    "heaps": (HEAPS, "integer(0)"), "heaps below 169": (HEAPS, "integer(0, 168)"),
    "heaps above -69": (100 - HEAPS, "integer(-68, 100)"),
    "ages from 18": (AGES, "integer(18)"), "ages from 0": (AGES, "integer(0)"),
    "ages, no ends": (AGES, "integer"),
    "tenths": (HEAPS / 10 + 0.3, "gridded(0.1, 0.3)"),
    "amounts": (np.round(RNG.lognormal(3, 1, 800)), "integer(0)"),
}  # fmt: skip


def with_tails(x, context=None, sample_weight=None, rng=0):
    """A spline flow about the rows, with the tails of a Student t."""
    flow = randomize(fc.flows.nsf(1, layers=1, hidden=[8]).initialize(x), 0.25, rng=rng)
    return fc.TransformedDistribution(fc.StudentT(1, df=4.0), flow.bijector)


def integrals(density, x):
    """log of the integral of q over the cells of x (n,), from one end on the line to the other."""
    low, high = (np.arctan(end) for end in density.coordinates_.cells(x[:, None]))
    at = np.arange(4096) / 4096 + 1 / 8192
    z = np.tan(low + at * (high - low))
    q = np.exp(density.density_.log_prob(z.reshape(-1, 1))).reshape(z.shape)
    return np.log(np.mean(q * (1 + z**2), axis=1) * (high - low)[:, 0])


@pytest.mark.parametrize("name", COLUMNS)
def test_a_cell_is_its_integral_at_an_end_too(name):
    """Declared, or where the numbers stop at once: there z goes far out, where q has its tails."""
    values, kind = COLUMNS[name]
    schema = Schema((Column("v", Kind.parse(kind)),))
    density = fit_table({"v": values}, schema, learn=with_tails)
    own = schema.columns[0].kind
    low = values.min() if own.low is None else own.low
    high = values.max() if own.high is None else own.high
    x = own.nearest(np.arange(low, high + own.step / 2, own.step))
    x = np.concatenate([x[:20], x[20:-20:5], x[-20:]])
    np.testing.assert_allclose(density.log_prob({"v": x}), integrals(density, x), atol=5e-3)


def test_the_cells_at_both_ends_are_mirror_images_however_far_they_are():
    """A billion spreads from the rows, the distribution function is 1 in floats."""
    kind = Kind.parse("integer(0, 999)")
    coordinates = Coordinates([kind], fillers=np.array([[0.0], [1e-9]]))
    z, log_w = coordinates.in_cells(np.array([[0.0], [999.0]]), np.full((1, 1), 0.3))
    assert z[0, 0, 0] < -6.9 and np.isfinite(log_w).all()
    np.testing.assert_allclose(z[0, 1], -z[0, 0], rtol=1e-9)
    np.testing.assert_allclose(log_w[0, 1], log_w[0, 0], rtol=1e-9)
