"""Numbers with atoms, ends and grids, missing cells: what p, draws and messages make of them."""

import warnings
from inspect import signature

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table, learn_flow
from flowcore.tables.categorical import CategoricalMixture
from flowcore.tables.frequencies import Frequencies
from flowcore.tables.record import TableRecord
from flowcore.training.repeats import first_equal

rng = np.random.default_rng(0)
MIXTURE = fc.MultivariateNormalMixture(
    [[0.3, 0.5], [-0.5, 1.5]], [[[1.0, 0], [0.6, 0.8]], [[0.7, 0], [-0.3, 0.5]]],
    [0.7, 0.3],
)  # fmt: skip


def schema_of(**kinds):
    """Columns of these kinds; those of texts are categories."""
    return Schema(tuple(
        Column(name, Kind("categorical"), "text", kind) if isinstance(kind, tuple)
        else Column(name, Kind.parse(kind))
        for name, kind in kinds.items()
    ))  # fmt: skip


def p_of_codes(*sizes, closed=True):
    """A p(c) that has no zero and knows no symmetry, and no unseen values."""
    codes = np.array([*np.ndindex(sizes)])
    counts = Frequencies(sizes, codes, 1.0 + np.arange(len(codes)), np.zeros(len(sizes)), 2.0)
    return CategoricalMixture([1.0], counts)


def normal(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1)


# ---------------------------------------------------------------- what p is


@pytest.mark.parametrize(("centre", "scale"), [(0.0, 1.0), (0.4, 1.3), (-0.5, 1.2)])
def test_a_row_with_an_atom_has_the_marginal_density_of_the_others(centre, scale):
    """Of a density that ignores the context, and whatever stands in the place of the atom."""
    schema = schema_of(a="positive atoms(0)", b="continuous atoms(-1)", c=("u", "v"))
    fillers, categories = np.array([[centre] * 2, [scale] * 2]), p_of_codes(2, 2, 2)
    record = TableRecord(schema.to_dict(), categories, MIXTURE, fillers)
    density = record.restored()
    a, b = np.exp(np.linspace(-1.2, 1.8, 20)), np.linspace(1.9, -0.5, 20)
    zero, c = np.zeros(20), np.array(["u", "v"] * 10)
    code = np.arange(20) % 2

    def log_p(a, b, *codes):
        own = categories.log_prob(np.column_stack([np.full((20, 2), codes), code]))
        return density.log_prob({"a": a, "b": b, "c": c}) - own

    both = MIXTURE.log_prob(np.column_stack([np.log(a), b])) - np.log(a)
    np.testing.assert_allclose(log_p(a, b, 0, 0), both, rtol=1e-10)
    only_b, only_a = MIXTURE.marginal([1]), MIXTURE.marginal([0])
    np.testing.assert_allclose(log_p(zero, b, 1, 0), only_b.log_prob(b[:, None]), atol=0.1)
    expected = only_a.log_prob(np.log(a)[:, None]) - np.log(a)
    np.testing.assert_allclose(log_p(a, zero - 1, 0, 1), expected, atol=0.1)
    np.testing.assert_allclose(log_p(zero, zero - 1, 1, 1), 0, atol=0.1)


def zero_inflated(n, dim, seed=0):
    """(y, absent): one hidden u moves all columns, and the chance of a zero."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(n, 1))
    y = 0.7 * u + 0.5 * rng.normal(size=(n, dim))
    absent = rng.random((n, dim)) < 1 / (1 + np.exp(2 * u - 0.5))
    return np.where(absent, 0.0, y), absent


def truth_of_zero_inflated(y, absent):
    """(log p(which are absent), log p(y)), by Gauss-Hermite quadrature over u."""
    u, w = np.polynomial.hermite_e.hermegauss(100)
    log_share = np.where(absent[..., None], -1, 1) * (2 * u - 0.5)
    log_share = -np.logaddexp(0, -log_share).sum(axis=1)
    log_p = np.where(absent[..., None], 0.0, stats.norm.logpdf(y[..., None], 0.7 * u, 0.5))
    with np.errstate(divide="ignore"):
        log_w = np.log(w / w.sum())
    both = log_share + log_p.sum(axis=1)
    return (np.logaddexp.reduce(a + log_w, axis=1) for a in (log_share, both))


CHEAP = {"n_jobs": 1, "random_state": 0}


def of_zeros(n, dim, flow="small", budget=0.001, missing="error"):
    y, absent = zero_inflated(n, dim)
    table = pd.DataFrame(
        np.where(absent & (missing == "atom"), np.nan, y), columns=[*"abcdef"[:dim]]
    )
    schema = Schema.from_data(table, missing).suggested()
    learn = fc.FlowDensity(flow, budget=budget, **CHEAP)
    return table, absent, fit_table(table, schema, learn=learn, missing=missing)


def test_a_table_with_zeros_is_not_above_the_truth():
    """On fresh rows of a known density; each pattern of zeros has the mass of its atoms."""
    _, _, density = of_zeros(800, 3, budget=0.01)
    fresh, absent = zero_inflated(4000, 3, seed=1)
    _, log_p = truth_of_zero_inflated(fresh, absent)
    frame = pd.DataFrame(fresh, columns=[*"abc"])
    loss = log_p - density.log_prob(frame)
    error = loss.std() / len(loss) ** 0.5
    assert -2 * error < loss.mean() < 0.15
    grid = np.linspace(-5, 5, 401)
    for pattern in ([True, False, True], [True, True, False]):
        x = np.where(pattern, 0.0, grid[:, None])
        p = np.exp(density.log_prob(pd.DataFrame(x[grid != 0], columns=[*"abc"])))
        mass = integrate.trapezoid(p, grid[grid != 0])
        codes = np.array(pattern, int)[None]
        assert mass == pytest.approx(np.exp(density.categories_.log_prob(codes))[0], rel=2e-3)


def test_a_function_that_leaves_absent_numbers_out():
    """`learn_flow`; and a density with exact marginals, which knows nothing of absent numbers."""
    y, absent = zero_inflated(300, 2)
    table = pd.DataFrame(y, columns=["a", "b"])
    schema = schema_of(a="continuous atoms(0)", b="continuous atoms(0)")

    def learn(x, context=None, sample_weight=None, rng=0, present=None):
        assert (present == ~absent).all()
        assert "present" in signature(learn_flow).parameters
        return learn_flow(x[:60], context[:60], None, rng, present[:60])

    for learned in (learn, normal):
        density = fit_table(table, schema, learn=learned)
        grid = np.linspace(-8, 8, 1601)[1::2]
        row = pd.DataFrame({"a": grid, "b": 0.0})
        mass = np.exp(density.log_prob(row)).sum() * 0.02
        p = np.exp(density.categories_.log_prob(np.array([[0, 1], [1, 1]])))
        assert mass == pytest.approx(p[0], rel=2e-3)
        assert np.exp(density.log_prob({"a": [0.0], "b": [0.0]})) == pytest.approx(p[1])


def test_a_density_of_complete_rows_is_refused_for_a_table_with_atoms():
    table = pd.DataFrame(zero_inflated(60, 2)[0], columns=["a", "b"])

    def learn(x, context=None, sample_weight=None, rng=0):
        return fc.flows.maf(2, layers=1, context_dim=context.shape[1])

    with pytest.raises(ValueError, match=r"takes complete rows: .* argument present, see"):
        fit_table(table, schema_of(a="continuous atoms(0)", b="continuous"), learn=learn)


class Exact(fc.Distribution):
    """log rain is normal given the city, where there is rain; wind given rain."""

    dim, context_dim = 2, 6  # there is rain, it is 0, it is at its cap, Rome; rain and wind present

    def log_prob(self, x, params=None, context=None, threads=None):
        there, (rain, wind) = context[:, 4] == 1, x.T
        found = np.where(there, stats.norm(context[:, 3], 0.5).logpdf(rain), 0.0)
        return found + stats.norm(np.where(there, rain, 2.0)).logpdf(wind)

    def sample(self, n=1, rng=None, context=None):
        draws, there = np.random.default_rng(rng), context[:, 4] == 1
        rain = there * draws.normal(context[:, 3], 0.5)
        return np.column_stack([rain, draws.normal(np.where(there, rain, 2.0))])[None]


def weather(n, draw):
    """(table, log p): rain has a spike at 0 and a cap at 9, more of either in Rome."""
    rome = draw.random(n) < 0.4
    p = np.where(rome[:, None], [0.2, 0.7, 0.1], [0.6, 0.35, 0.05])
    state = (draw.random((n, 1)) > p.cumsum(axis=1)[:, :2]).sum(axis=1)
    z = draw.normal(rome, 0.5)
    wind = draw.normal(np.where(state == 0, z, 2.0), 1.0)
    log_p = np.log(np.where(rome, 0.4, 0.6)) + np.log(p[np.arange(n), state])
    log_p += stats.norm.logpdf(wind, np.where(state == 0, z, 2.0))
    log_p += np.where(state == 0, stats.norm.logpdf(z, rome, 0.5) - z, 0.0)
    rain = np.choose(state, [np.exp(z), 0.0, 9.0])
    return {"rain": rain, "wind": wind, "city": np.where(rome, "Rome", "Bern")}, log_p


def test_a_table_with_atoms_has_the_true_log_p(monkeypatch):
    monkeypatch.setattr("flowcore.tables.coordinates.tail", lambda z, weight: None)
    draw = np.random.default_rng(3)
    X, _ = weather(8000, draw)
    schema = Schema.from_data(X)
    assert schema.suggestions == {"rain": "positive atoms(0, 9)"}
    assert "0 in 0.4" in schema.columns[0].note and "9 in 0.06" in schema.columns[0].note
    seen = []

    def learn(x, context=None, sample_weight=None, rng=0, present=None):
        seen.append((x, context, present))
        return Exact()

    density = fit_table(X, schema.suggested(), learn=learn)
    (z, context, present), there = seen[0], ~np.isin(X["rain"], [0.0, 9.0])
    np.testing.assert_allclose(z[there, 0], np.log(X["rain"][there]))
    mean, scale = density.coordinates_.fillers[:, 0]
    assert z[there, 0].mean() == pytest.approx(mean) and z[there, 0].std() == pytest.approx(scale)
    assert stats.kstest(z[~there, 0], stats.norm(mean, scale).cdf).pvalue > 1e-3
    assert ((context[:, 0] == 1) == there).all()
    np.testing.assert_array_equal(present, np.column_stack([there, np.ones(len(there), bool)]))
    fresh, log_p = weather(3000, draw)
    off = pd.DataFrame({"off": density.log_prob(fresh) - log_p, "city": fresh["city"]})
    each = off.groupby(["city", (fresh["rain"] == 0) + 2 * (fresh["rain"] == 9)])["off"]
    assert abs(off["off"].mean()) < 0.01 and off["off"].abs().max() < 0.15  # p(c) is estimated
    assert each.agg(np.ptp).max() < 1e-9  # and the rest exact
    drawn = density.sample(8000, rng=0)
    for city in ("Bern", "Rome"):
        for atom in (0.0, 9.0):
            each = [np.mean(one["rain"][np.asarray(one["city"]) == city] == atom)
                    for one in (X, drawn)]  # fmt: skip
            assert each[0] == pytest.approx(each[1], abs=0.025), (city, atom)
    assert (drawn["rain"] >= 0).all()


def test_numbers_of_a_table_with_atoms_are_rows_of_a_density():
    """`numbers_of` fills what is not there, which is NaN among the values."""
    X, _ = weather(500, np.random.default_rng(1))
    schema = schema_of(rain="positive atoms(0, 9)", wind="continuous", city=("Bern", "Rome"))
    density = fit_table(X, schema, learn=lambda x, **_: Exact())
    found = density.numbers_of(X)
    assert np.isfinite(found.density.log_prob(found.rows, context=found.context)).all()
    there = np.where(np.isin(X["rain"], [0, 9]), np.nan, X["rain"])
    np.testing.assert_array_equal(found.values[:, 0], there)


def test_kinds_with_atoms_that_are_refused():
    for text, message in {
        "positive atoms(0, 0)": "different numbers, the smallest first",
        "categorical atoms(0)": "only numbers have atoms",
        "positive atoms(x)": "an argument that is no number",
        "positive atoms(inf)": "different numbers, the smallest first",
        "gridded(1, 0, 3) atoms": "no kind of column",
    }.items():
        with pytest.raises(ValueError, match=message):
            Kind.parse(text)
    X = {"x": [0.0, 1.5, 2.5]}
    assert Schema.from_data(X).edit(x="positive atoms(0)")
    with pytest.raises(ValueError, match="'x' has the value 0, which is not inside of positive"):
        Schema.from_data(X).edit(x="positive atoms(1.5)")
    density = TableDensity.of(schema_of(x="positive atoms(0)"), fc.Normal(1), p_of_codes(2))
    assert np.isneginf(density.log_prob({"x": [-1.0]})) and np.isnan(
        density.log_prob({"x": [None]})
    )


# ---------------------------------------------------------------- what is found


N = 2000
u = np.random.default_rng(1)
zeros = u.random(N) < 0.3
FOUND = {
    "hours": ("integer(0)", u.integers(0, 24, N) * 1.0),
    "months": ("integer(0)", u.integers(1, 13, N) * 1.0),
    "percent": ("integer(0)", u.integers(0, 101, N)),
    "count": ("integer(0)", u.poisson(4.0, N) * 1.0),
    "change": ("integer", u.poisson(4.0, N) - 4),
    "year": ("integer", u.integers(1975, 2023, N)),
    "tenths": ("gridded(0.1, 0)", np.round(u.gamma(4, 0.5, N), 1)),
    "thousands": ("gridded(5000, 0)", u.integers(1, 101, N) * 5000),
    "walk": ("gridded(2.5e+08)", u.integers(-8, 9, N).cumsum() * 2.5e8),
    "prices": ("integer(0.99)", u.poisson(5, N) + 0.99),
    "below 0": ("gridded(0.5)", u.poisson(5, N) - 9.5),  # no place for an end that none declared
    "fine": ("gridded(0.001, 0)", np.round(9 * u.random(N), 3)),  # hardly a value repeats
    "uniform": ("continuous", 7.3 * u.random(N)),  # 0 may come
    "exponential": ("continuous", u.exponential(size=N)),  # its logarithm is more normal
    "latitude": ("continuous", np.repeat(np.round(u.normal(33, 1, N // 4), 6), 4)),
    "roots": ("categorical", u.choice([np.e, np.pi, np.sqrt(2)], N)),
    "amount": ("positive atoms(0)", np.where(zeros, 0, np.exp(u.normal(size=N)))),
    "two atoms": ("continuous atoms(-9, 7)",
                  np.select([zeros, u.random(N) < 0.2], [-9, 7], u.normal(size=N))),
    "zeros": ("integer(0) atoms(0)", np.where(zeros, 0, u.poisson(9, N)) * 1.0),
    "forty": ("integer(0) atoms(40)", np.where(zeros, 40, u.integers(1, 100, N))),
    "nearly all 0": ("integer(0) atoms(0)",  # a value off the grid is judged beside the others
                     np.where(u.random(N) < 0.95, 0, u.poisson(9, N)) * 1.0),
}  # fmt: skip


def test_few_rows_with_an_atom_are_learned_without_a_flow():
    rng = np.random.default_rng(0)
    table = {"a": np.where(rng.random(35) < 0.4, 0.0, rng.normal(5, 1, 35)), "b": np.arange(35.0)}
    schema = Schema.from_data(table).edit(a="continuous atoms(0)", b="continuous")
    assert np.isfinite(fit_table(table, schema).log_prob(table)).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FOUND)
def test_ends_grids_and_atoms_are_found(name):
    kind, x = FOUND[name]
    X = {"x": x, "y": rng.normal(size=N)}
    column = Schema.from_data(X).suggested().columns[0]
    found = column.kind
    if name == "walk":
        found = found.parse(f"gridded({found.step})")
    assert found == Kind.parse(kind), (str(found), kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        density = fit_table({"x": x}, learn=lambda x, **_: fc.StudentT(1, df=1.0))
    drawn = density.sample(2000, rng=0)
    assert np.isfinite(density.log_prob(drawn)).all()  # on the grid, and within the ends
    low, high = column.kind.low, column.kind.high
    assert not column.rounded or column.kind.is_gridded
    for end, beyond in ((low, -1), (high, 1)):
        if end is not None:
            outside = {"x": [end + 3 * beyond * column.kind.step]}
            assert density.log_prob(outside) == -np.inf
    whole = column.kind.step % 1 == 0 and (low or 0) % 1 == 0 and column.kind.is_gridded
    assert (drawn["x"].dtype == np.int64) == whole
    if high is not None:
        assert drawn["x"].min() >= low and drawn["x"].max() <= high


@pytest.mark.parametrize("shift", [0.0, 0.99])
def test_odd_cells_do_not_decide_the_grid(shift):
    x = np.round(u.integers(30, 90, N) / 10, 1) + shift
    x[[7, 900]] = 5.25, 6.333
    schema = Schema.from_data({"x": x})
    column = schema.columns[0]
    assert column.suggestion.step == 0.1 and "2 cells are off this grid, and rounded" in column.note
    schema = schema.suggested()
    with pytest.warns(
        UserWarning, match=r"row 7, column 'x' is 5.25.*grid of gridded\(0.1.*: 2 of"
    ):
        density = fit_table({"x": x}, schema, learn=normal)
    with pytest.warns(UserWarning, match="row 0, column 'x' is 6.333.* they are rounded"):
        odd = density.log_prob({"x": [6.333]})
    assert odd == density.log_prob({"x": [np.round(6.333 - shift, 1) + shift]})
    other = Schema.from_data({"x": x}).edit(x=f"gridded(0.1, {shift}, {shift + 20})")
    with pytest.raises(ValueError, match=r"row 7, column 'x' is 5\.25, which is not on"):
        fit_table({"x": x}, other, learn=normal)
    x[: N // 20] += 0.037  # too many to be odd
    assert Schema.from_data({"x": x}).columns[0].suggestion.step != 0.1


# ---------------------------------------------------------------- copies


def noise_of(X, schema):
    """z of the rows as `learn` gets them."""
    found = []
    fit_table(X, schema, learn=lambda x, **_: found.append(x) or fc.Normal(x.shape[1]))
    return found[0]


KINDS = {"price": "positive", "rooms": "integer(0)", "rain": "positive atoms(0)"}
ONCE = {
    "price": np.exp(rng.normal(size=60)),
    "rooms": rng.poisson(3, 60) * 1.0,
    "rain": np.where(np.arange(60) % 3 == 0, 0, np.exp(rng.normal(size=60))),
}
TWICE = {name: np.tile(column, 2) for name, column in ONCE.items()}


@pytest.mark.parametrize("names", [["price", "rooms"], ["rooms", "price", "rain"]])
def test_copies_of_rows_stay_copies(names):
    """So that no fold separates them."""
    schema = schema_of(**{name: KINDS[name] for name in names})
    z = noise_of({name: TWICE[name] for name in names}, schema)
    assert (z[:60] == z[60:]).all() and len(np.unique(z[:60], axis=0)) == 60


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_rows_that_are_equal_by_chance_have_noise_of_their_own(names):
    X = {"a": rng.integers(0, 9, 200) * 1.0, "b": rng.integers(0, 3, 200),
         "c": np.where(rng.random(200) < 0.7, 0, rng.normal(size=200))}  # fmt: skip
    X = {name: X[name] for name in names}
    assert first_equal(np.column_stack([*X.values()]), None) is not None
    kinds = {"a": "integer(0)", "b": "integer(0)", "c": "continuous atoms(0)"}
    z = noise_of(X, schema_of(**{name: kinds[name] for name in names}))
    assert len(np.unique(z, axis=0)) == 200


# ---------------------------------------------------------------- missing cells


GAPS = {
    "age": np.where(np.arange(90) % 9 == 0, np.nan, rng.normal(40, 9, 90)),
    "income": np.where(np.arange(90) % 2 == 0, np.nan, np.exp(rng.normal(size=90))),
    "city": [None if i % 5 == 0 else "Bern" if i % 3 else "Rome" for i in range(90)],
    "size": rng.normal(size=90),
}


def test_the_message_names_all_columns_with_gaps_and_what_dropping_costs():
    gaps = "'age' 10, 'income' 45; 40 of 90 rows are complete"
    with pytest.raises(ValueError, match=f"row 0, column 'age' is missing.*{gaps}.*missing='atom'"):
        fit_table(GAPS, learn=normal)
    assert Schema.from_data(GAPS, missing="drop").n_rows == 32  # a category may not miss then


def test_missing_cells_are_values_with_a_probability():
    schema = Schema.from_data(GAPS, missing="atom")
    assert [c.missing for c in schema.columns] == [True, True, True, False]
    assert "10 missing: a value of its own" in schema.columns[0].why
    schema = schema.edit(income="positive")
    density = fit_table(GAPS, schema, missing="atom", learn=normal)
    assert np.isfinite(density.log_prob(GAPS)).all()
    assert density.categories_.sizes == (2, 2, 3) and density.notes["dropped"] == 0
    drawn = density.sample(4000, rng=0)
    for name in GAPS:
        share, seen = (pd.isna(pd.Series(one[name])).mean() for one in (drawn, GAPS))
        assert share == pytest.approx(seen, abs=0.04), name
    one = {name: [column[1]] for name, column in GAPS.items()}
    gone = density.log_prob({**one, "age": [np.nan]}) - density.log_prob(one)
    assert np.isfinite(gone) and abs(gone) < 12
    assert np.isnan(density.log_prob({**one, "size": [np.nan]}))  # it never missed one
    only = {"city": GAPS["city"], "size": GAPS["size"]}
    density = fit_table(only, learn=normal)  # without a word: a missing category is a value
    p = [density.log_prob({"city": [c], "size": [0.0]})[0] for c in (None, "Bern", "Rome", "Oslo")]
    assert np.argsort(p).tolist()[::-1][:3] == [1, 2, 0] and np.isfinite(p).all()
    known = {"city": ["Bern"] * 5, "size": [0.0] * 5}
    assert (density.log_prob(known) == p[1]).all()


def test_a_constant_column_with_gaps_is_a_category():
    X = {"x": rng.normal(size=60), "mark": np.where(np.arange(60) % 2, 1.0, np.nan)}
    density = fit_table(X, missing="atom", learn=normal)
    drawn = density.sample(200, rng=0)["mark"]
    assert set(drawn[~np.isnan(drawn)]) == {1} and 0.3 < np.isnan(drawn).mean() < 0.7


# ---------------------------------------------------------------- margins


def test_margins_of_the_table(tmp_path):
    draw = np.random.default_rng(0)
    z = draw.normal(size=(2000, 2)) @ [[1, 0.8], [0, 0.6]]
    X = {"a": np.exp(2 * z[:, 0]), "b": np.round(z[:, 1], 1),
         "c": np.where(draw.random(2000) < 0.3, 0, draw.gamma(2, 1, 2000)),
         "d": np.where(z[:, 0] < 0, "u", "v")}  # fmt: skip
    X = {name: X[name] for name in "dabc"}
    schema = schema_of(d=("u", "v"), a="positive", b="gridded(0.1)", c="positive atoms(0)")
    density = fit_table(X, schema, learn=normal)
    fc.save(density, tmp_path / "table.npz")
    n, again = 1000, fc.load(tmp_path / "table.npz")
    for one in (density, again):
        drawn, plain = one.sample(n, rng=0, margins="table"), one.sample(n, rng=0)
        for name in "ab":
            assert stats.ks_2samp(drawn[name], X[name]).statistic < 0.002
            assert set(drawn[name]) <= set(X[name])
            order, own = np.argsort(plain[name], kind="stable"), drawn[name]
            assert (np.diff(own[order]) >= 0).all()  # the ranks are those of the model
        assert ((drawn["c"] == 0) == (plain["c"] == 0)).all()  # atoms stay
        rest = X["c"][X["c"] > 0]
        assert stats.ks_2samp(drawn["c"][drawn["c"] > 0], rest).statistic < 0.003
        assert stats.spearmanr(drawn["a"], drawn["b"])[0] > 0.6
    with pytest.raises(ValueError, match='margins is "model" or'):
        density.sample(3, margins="data")
    own = TableDensity.of(schema_of(a="positive"), fc.Normal(1))
    with pytest.raises(ValueError, match="saved without the margins of its table"):
        own.sample(3, margins="table")


def test_of_many_rows_evenly_spaced_values_are_kept():
    x = np.random.default_rng(0).gamma(2, 1, 20_000)
    density = fit_table({"x": x}, schema_of(x="positive"), learn=normal)
    (margin,) = density.margins_
    assert len(margin) == 4096 and set(margin) <= set(x)
    assert stats.kstest(density.sample(4000, rng=0, margins="table")["x"], x).statistic < 0.002


def test_margins_are_those_of_the_weighted_rows():
    draw = np.random.default_rng(0)
    x = np.append(draw.normal(0, 1, 900), draw.normal(10, 1, 900))
    weight = np.repeat([0.9, 0.1], 900)
    density = fit_table({"x": x}, schema_of(x="continuous"), learn=normal, sample_weight=weight)
    drawn = density.sample(4000, rng=0, margins="table")["x"]
    assert np.mean(drawn > 5) == pytest.approx(0.1, abs=0.002) and set(drawn) <= set(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": None}, r"categories has sizes \(\), but the schema \(2,\)"),
        ({"categories": p_of_codes(3)}, r"categories has sizes \(3,\), but the schema \(2,\)"),
        ({"density": fc.Normal(3)}, "density has dim 3, but the schema has 2 numbers"),
        ({"density": None}, "density has dim 0"),
    ],
)
def test_records_that_do_not_fit_their_schema_are_refused(changes, message):
    schema = schema_of(a="positive atoms(0)", b="continuous")
    good = {
        "schema": schema.to_dict(),
        "categories": p_of_codes(2),
        "density": fc.Normal(2),
    }
    assert TableRecord(**good).restored().dim == 2
    with pytest.raises(ValueError, match=message):
        TableRecord(**{**good, **changes}).restored()
