"""p(c) p(x | c): exact where it can be, brute force beside it, and what is refused."""

import json
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table, learn_flow
from flowcore.tables.frame import as_frame
from flowcore.tables.frequencies import Frequencies
from flowcore.tables.onehot import OneHot
from flowcore.tables.record import TableRecord

rng = np.random.default_rng(0)


class Shifted:
    """N(shift * sum of the context with weights 1, 2, ..., I): a density that anybody can check."""

    def __init__(self, dim, shift=0.5):
        self.dim, self.shift = dim, shift

    def mean(self, context):
        return self.shift * (context @ np.arange(1, context.shape[-1] + 1))[..., None]

    def log_prob(self, x, context=None):
        mean = 0.0 if context is None else self.mean(context)
        return stats.norm(mean).logpdf(x).sum(axis=-1)

    def sample(self, n, rng=None, context=None):
        draws = np.random.default_rng(rng)
        if context is None:
            return draws.normal(size=(n, self.dim))
        return self.mean(context) + draws.normal(size=(n, len(context), self.dim))


def shifted(x, context=None, sample_weight=None, rng=None):
    return Shifted(x.shape[1])


def table(n=300):
    city = rng.choice(["Bern", "Oslo", "Rome"], n, p=[0.5, 0.3, 0.2])
    return {
        "price": np.exp(rng.normal(size=n)),
        "share": 1 / (1 + np.exp(-rng.normal(size=n))),
        "rooms": np.minimum(rng.poisson(3, n), 9),
        "grade": rng.integers(0, 5, n) * 0.5,
        "city": city,
        "flag": rng.random(n) < 0.3,
    }


def modelled(schema, density, notes=None):
    return TableRecord(schema.to_dict(), None, density, notes=notes).restored()


KINDS = {"price": "positive", "share": "bounded(0, 1)", "rooms": "integer", "grade": "gridded(0.5)"}


def fitted(*names, n=300, learn=shifted, **kinds):
    X = {name: values for name, values in table(n).items() if name in names}
    edits = {name: kind for name, kind in KINDS.items() if name in names}
    return fit_table(X, Schema.from_data(X).edit(edits | kinds), learn=learn), X


# ---------------------------------------------------------------- p(c)


def test_one_column_is_the_formula():
    counts, n, seen_once = np.array([5, 3, 1, 1]), 10, 2
    codes = np.repeat(np.arange(4), counts)[:, None]
    found = Frequencies.fit(codes, (4,), (False,))
    unseen = (seen_once + 0.5) / (n + 1)
    expected = [*((1 - unseen) * (counts + 0.5) / (n + 2)), unseen]
    np.testing.assert_allclose(np.exp(found.log_prob(np.arange(5)[:, None])), expected)


def test_combinations_are_counts_drawn_towards_independence():
    codes = np.array([[0, 0]] * 50 + [[1, 1]] * 50 + [[0, 1]])
    found = Frequencies.fit(codes, (2, 2), (True, True))
    q = np.outer(found.of_column(0)[:2], found.of_column(1)[:2])
    counts = np.array([[50, 1], [0, 50]])
    expected = (counts + found.strength * q) / (101 + found.strength)
    both = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_allclose(np.exp(found.log_prob(both)), expected.ravel())
    assert found.strength < 10  # these two belong together
    free = np.random.default_rng(1).integers(0, 3, (400, 3))
    assert Frequencies.fit(free, (3,) * 3, (True,) * 3).strength > 100  # and these do not


def test_the_strength_is_the_best_for_rows_left_out():
    draws = np.random.default_rng(2)
    first, other = draws.integers(0, 4, (2, 60))
    codes = np.column_stack([first, np.where(draws.random(60) < 0.4, first, other)])
    found = Frequencies.fit(codes, (4, 4), (True, True))
    assert np.isfinite(found.strength)

    def left_out(strength):
        total = 0.0
        for row in codes:
            n = (codes == row).all(axis=1).sum() - 1
            q = np.prod([found.of_column(k)[row[k]] for k in range(2)])
            total += np.log((n + strength * q) / (len(codes) - 1 + strength))
        return total

    assert all(left_out(found.strength) >= left_out(found.strength * f) for f in (0.5, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.array([1.0, -1.0])}, "counts must be positive"),
        ({"counts": np.ones(3)}, "have shapes"),
        ({"combinations": np.array([[0], [7]])}, "different codes below"),
        ({"combinations": np.array([[0], [0]])}, "different codes below"),
        ({"unseen": np.array([1.0])}, r"unseen must be 1 numbers in \[0, 1\)"),
        ({"strength": np.nan}, "strength >= 0"),
        ({"counts": np.full(2, 1e308)}, "a finite sum"),
    ],
)
def test_frequencies_that_do_not_fit_are_refused(changes, message):
    good = {
        "sizes": (2,), "combinations": np.array([[0], [1]]), "counts": np.ones(2),
        "unseen": np.zeros(1), "strength": 1.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Frequencies(**{**good, **changes})


PAIRS = np.array([[0, 0], [1, 1]])


@pytest.mark.parametrize(
    "found",
    [
        Frequencies.fit(np.repeat([*PAIRS, [2, 0]], [30, 20, 3], axis=0), (3, 2), (False, True)),
        Frequencies((2, 2), PAIRS, np.array([30.0, 10.0]), np.array([0.6, 0.5]), 40.0),
    ],
)
def test_samples_of_categories_are_from_p_given_that_all_values_are_known(found):
    draws, known = found.sample(40_000, rng=0), np.array([*np.ndindex(found.sizes)])
    p = np.exp(found.log_prob(known))
    share = [(draws == row).all(axis=1).mean() for row in known]
    np.testing.assert_allclose(share, p / p.sum(), atol=0.008)


# ---------------------------------------------------------------- densities


def test_log_p_is_the_sum_of_its_parts():
    X = table(300)
    X = {"a": X["price"] - 2, "b": 3 + 4 * X["share"], "city": X["city"], "flag": X["flag"]}
    schema = Schema.from_data(X).edit(a="positive(-2)", b="bounded(3, 7)")
    density = fit_table(X, schema, learn=shifted)
    codes = np.column_stack([np.unique(X["city"], return_inverse=True)[1], X["flag"]])
    frequencies = density.categories_
    context = OneHot.of(frequencies.counts)(codes)
    assert context.shape == (300, 4) and set(np.unique(context)) == {0, 1}  # three, and one
    z = np.column_stack([np.log(X["a"] + 2), np.log((X["b"] - 3) / (7 - X["b"]))])
    log_det = -np.log(X["a"] + 2) + np.log(4 / ((X["b"] - 3) * (7 - X["b"])))
    expected = frequencies.log_prob(codes) + Shifted(2).log_prob(z, context) + log_det
    below = z[:, 0] < density.coordinates_.scores[0].parts[1].edge  # of the tail
    np.testing.assert_allclose(density.log_prob(X)[below], expected[below], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "line", "slope"),
    [
        ("integer", lambda y: y, lambda y: 1.0),
        ("integer(0)", lambda y: np.log(np.expm1(y)), lambda y: 1 / -np.expm1(-y)),
        ("integer(0, 20)", lambda y: np.log(y / (21 - y)), lambda y: 21 / (y * (21 - y))),
        ("gridded(1, -1)", lambda y: np.log(np.expm1(y + 1)), lambda y: 1 / -np.expm1(-y - 1)),
    ],
)
def test_probabilities_of_a_grid_are_integrals_over_its_cells(kind, line, slope):
    density, _ = fitted("rooms", rooms=kind)
    step = density.schema.columns[0].kind.step

    def p(y):
        return stats.norm.pdf(line(y)) * slope(y)

    k = np.arange(8) * step
    expected = [integrate.quad(p, i + 1e-12, i + step)[0] for i in k]
    np.testing.assert_allclose(density.log_prob({"rooms": k}), np.log(expected), atol=5e-3)


@pytest.mark.parametrize("kind", ["integer", "integer(0)", "gridded(0.5)", "gridded(1.7e308)"])
def test_far_out_a_gridded_column_has_a_log_density_too(kind):
    schema = Schema((Column("x", Kind.parse(kind)),))
    log_p = modelled(schema, fc.StudentT(1)).log_prob({"x": [1.7e308, 0.0]})
    assert not np.isnan(log_p).any() and np.isfinite(log_p[1])


def test_values_that_were_never_seen_do_not_inform():
    density, X = fitted("price", "city", "flag")
    p = density.categories_.counts.of_column(0)
    rows = {"price": [0.5, 2.0], "city": ["Paris"] * 2, "flag": [True, False]}
    each = []
    counts = np.unique(X["city"], return_counts=True)[1]
    for city in ("Bern", "Oslo", "Rome"):
        known = {**rows, "city": [city] * 2}
        codes = np.array([[("Bern", "Oslo", "Rome").index(city), f] for f in (1, 0)])
        each.append(density.log_prob(known) - density.categories_.log_prob(codes))
    codes = np.array([[3, 1], [3, 0]])
    mixed = np.log(np.einsum("v,vn->n", counts / counts.sum(), np.exp(each)))
    expected = density.categories_.log_prob(codes) + mixed
    np.testing.assert_allclose(density.log_prob(rows), expected, rtol=1e-12)
    assert p[-1] == pytest.approx(0.5 / 301)  # nobody was seen once


def test_rare_values_share_a_level():
    codes = np.repeat([0, 1, 2, 3], [50, 20, 3, 1])[:, None]
    one_hot = OneHot(np.arange(4)[:, None], np.array([50, 20, 3, 1]), (4,))
    assert one_hot.dim == 3
    assert one_hot.levels(np.arange(5)[:, None])[:, 0].tolist() == [0, 1, 2, 2, -1]
    often = OneHot(np.arange(31)[:, None], np.array([50, *[4] * 30]), (31,))  # 120 rows are rare
    assert often.levels(np.array([[0], [7], [31]]))[:, 0].tolist() == [0, 1, -1]
    levels, weights = often.alternatives(np.array([True]))  # a fifth is that of the rare values
    assert levels[:, 0].tolist() == [0, 1]
    assert weights == pytest.approx([0.8 * 50 / 170, 0.8 * 120 / 170 + 0.2])
    assert one_hot.alternatives(np.array([True]))[1] == pytest.approx([50 / 74, 20 / 74, 4 / 74])
    assert one_hot(codes[[0, 50, 70, 73]]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_a_context_that_never_varies_is_none():
    X = {"x": rng.normal(size=8), "c": list("aabbccdd")}  # all rare: one slot
    density = fit_table(X, learn=shifted)
    assert np.isfinite(density.log_prob(X)).all()
    assert np.isfinite(density.log_prob({"x": [0.0], "c": ["?"]})).all()
    assert len(density.sample(3, rng=0)) == 3


def test_missing_and_impossible_rows():
    density, X = fitted("price", "share", "rooms", "city", "flag", rooms="integer(0, 20)")
    row = {"price": 1.0, "share": 0.5, "rooms": 3.0, "city": "Bern", "flag": True}

    def log_p(**changes):
        changed = {name: np.array([v], object) for name, v in {**row, **changes}.items()}
        return density.log_prob(changed)[0]

    assert np.isfinite(log_p()) and np.isfinite(log_p(rooms=0.0)) and np.isfinite(log_p(rooms=20.0))
    for name, values in {
        "price": [0.0, -1.0, np.inf], "share": [0.0, 1.0, 2.0], "rooms": [-1.0, 21.0, np.inf],
    }.items():  # fmt: skip
        for value in values:
            assert log_p(**{name: value}) == -np.inf, (name, value)
    for name in row:
        assert np.isnan(log_p(**{name: None})), name
    together = {name: np.array([v, v, v], object) for name, v in row.items()}
    together["price"][1], together["city"][2], together["share"][2] = None, None, 2.0
    found = density.log_prob(together)
    assert found[0] == log_p() and np.isnan(found[1:]).all()
    assert density.log_prob({name: values[:0] for name, values in X.items()}).shape == (0,)


def test_categories_that_are_numbers_or_booleans():
    X = {"x": rng.normal(size=60), "code": rng.integers(0, 3, 60) * 7, "flag": rng.random(60) < 0.5}
    density = fit_table(X, Schema.from_data(X).edit(code="categorical"), learn=shifted)
    log_p = density.log_prob(X)
    for same in (
        {**X, "code": X["code"].astype(float)},
        {**X, "flag": X["flag"].astype(int)},
        {**X, "flag": np.where(X["flag"], "true", "FALSE")},
        pd.DataFrame(X),
    ):
        assert (density.log_prob(same) == log_p).all()
    with pytest.raises(ValueError, match="row 0, column 'code' is '7', but the column was of num"):
        density.log_prob({**X, "code": [f"{c}" for c in np.full(60, 7)]})
    sample = density.sample(50, rng=0)
    assert sample["code"].dtype == np.int64 and set(sample["code"]) == {0, 7, 14}
    assert sample["flag"].dtype == bool


# ---------------------------------------------------------------- samples


def test_samples_are_rows_of_such_a_table():
    density, X = fitted("price", "share", "rooms", "grade", "city", "flag", rooms="integer(0, 9)")
    sample = density.sample(500, rng=0)
    assert sample.names == tuple(X) and np.isfinite(density.log_prob(sample)).all()
    assert sample["rooms"].dtype == np.int64 and sample["flag"].dtype == bool
    again = density.sample(500, rng=0)
    assert all((again[name] == sample[name]).all() for name in X)
    assert len(density.sample(0)) == 0 and density.sample(0).names == tuple(X)
    with pytest.raises(ValueError, match="number of samples"):
        density.sample(-1)


def test_samples_far_out_stay_inside():
    class Far(Shifted):
        def sample(self, n, rng=None, context=None):
            return np.full((n, self.dim), [[1e4, 800.0, -800.0, 1e300]])

    X = {"a": np.exp(rng.normal(size=50)), "b": rng.random(50),
         "c": rng.random(50), "d": rng.poisson(3, 50)}  # fmt: skip
    schema = Schema.from_data(X).edit(
        a="positive", b="bounded(0, 1)", c="positive(-2)", d="integer(0, 30)"
    )
    density = fit_table(X, schema, learn=lambda x, **given: Far(4))
    sample = density.sample(3, rng=0)
    assert np.isfinite(np.asarray(sample)).all() and (sample["b"] < 1).all()
    assert (sample["c"] > -2).all() and (sample["d"] <= 30).all()


@pytest.mark.usefixtures("few_folds_here")
def test_by_default_it_is_what_held_out_rows_prefer_and_weights_count(monkeypatch):
    monkeypatch.setattr("flowcore.estimator.plan.default_minutes", lambda n: 1e-3)
    X = {"x": np.random.default_rng(0).normal(size=60)}
    density = fit_table(X, sample_weight=np.arange(60) >= 20)
    assert density.notes["rows"] == 40 and density.notes["dropped"] == 0
    assert "this density" in str(density.summary)


@pytest.mark.parametrize("X", [
    {"id": np.array([2**60, 2**60 + 1, 2**60 + 2, 2**60 + 3] * 20)},
    {"id": pd.Categorical([2**60, 2**60 + 1] * 40)},
    pd.DataFrame({"id": pd.Categorical([1, 2, 3, 4] * 20)}),
    pl.DataFrame({"id": pl.Series(["1", "2", "3", "x"] * 20, dtype=pl.Categorical)}),
])  # fmt: skip
def test_integers_beyond_floats_and_declared_categories(X):
    """Integers beyond 2^53 stay apart; what a library calls a category is one."""
    schema = Schema.from_data(X)
    if isinstance(X, dict) and isinstance(X["id"], np.ndarray):
        assert str(schema.columns[0].suggestion) == "categorical"
        schema = schema.suggested()
    values = list(dict.fromkeys(as_frame(X)["id"].tolist()))
    assert str(schema.columns[0].kind) == "categorical"
    assert list(schema.columns[0].values) == values
    density = fit_table(X, schema)
    again = density.as_record().restored()
    assert set(as_frame(again.sample(200, rng=0))["id"].tolist()) == set(values)
    assert np.allclose(again.log_prob(X), -np.log(len(values)), atol=0.1)


def test_tables_without_names_give_arrays():
    X = np.column_stack([rng.normal(size=60), rng.poisson(2, 60), np.full(60, 4.0)])
    density = fit_table(X, Schema.from_data(X).edit({1: "integer", 2: "aside"}), learn=shifted)
    sample = density.sample(7, rng=0)
    assert sample.shape == (7, 3) and sample.dtype == float and (sample[:, 2] == 4).all()
    assert np.isfinite(density.log_prob(sample)).all()
    assert density.dim == 2  # the columns that p is of
    assert (density.log_prob(sample[:, :2]) == density.log_prob(sample)).all()
    mixed = np.array([[1.5, "a"], [2.5, "b"], [0.5, "a"], [0.1, "b"]], object)
    assert fit_table(mixed, learn=shifted).sample(3, rng=0).dtype == object


# ---------------------------------------------------------------- fit_table


x, y = rng.normal(size=(2, 50))
GOOD = {"x": x, "y": y}


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"c": np.ones(50)}, "", r"'c' is constant \(always 1:.*edit\({'c': 'aside'}\)"),
        ({"c": [f"row {i}" for i in range(50)]}, "", "'c' is text .* an identifier"),
        ({"c": ["z"] * 50}, "", "'c' is constant"),
        ({"c": np.where(np.arange(50) == 7, np.nan, x)}, "", "row 7, column 'c' is missing"),
        ({"c": x}, "", "column 'c' repeats column 'x'"),
        ({"c": 3 * x - y + 7}, "", "dependent columns: of columns 0 'x', 1 'y', 2 'c', 1"),
        ({"x": np.exp(x), "y": np.exp(y), "c": np.exp(x + y)}, "positive",
         "dependent columns: of columns 0 'x', 1 'y', 2 'c', 1"),
        ({}, "aside", "all columns of the schema are aside"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(more, kind, message):
    X = {**GOOD, **more}
    with pytest.raises(ValueError, match=message):
        fit_table(X, Schema.from_data(X).edit(dict.fromkeys(X, kind)) if kind else None)


@pytest.mark.parametrize(
    ("change", "message", "scored"),
    [
        ({"a": [0.0, 2.0, 1.0]}, "0.0, which is not inside of positive, as 1 of 3 rows", True),
        ({"a": ["x", 2.0, 1.0]}, "'x', no number", False),
        ({"b": [2.5, 2.0, 5.0]}, "2.5, which is not on the grid of integer: 1 of 3 va", False),
        ({"c": ["w", "v", "u"]}, "'w', which the schema does not have", True),
        ({"c": [3.0, 2.0, 1.0]}, "3.0, but the column was of texts in fit: 'u'", False),
    ],
)
def test_rows_that_a_schema_does_not_fit(change, message, scored):
    good = {"a": [0.5, 2.0, 1.0], "b": [1, 2, 5], "c": ["u", "v", "u"]}
    schema = Schema.from_data(good).edit(a="positive", b="integer")
    density = fit_table(good, schema, learn=shifted)
    functions = [partial(fit_table, schema=schema, learn=shifted), density.log_prob]
    for function in functions[: 1 if scored else 2]:
        with pytest.raises(ValueError, match=f"row 0, column '[abc]' is {message}"):
            function({**good, **change})


def test_what_learn_is_given():
    seen = {}

    def learn(x, context, sample_weight, rng):
        seen.update(x=x, context=context, weight=sample_weight, rng=rng)
        return Shifted(x.shape[1])

    n = 60
    X = {"p": np.exp(rng.normal(size=n)), "k": rng.poisson(3, n), "c": ["a", "b", "c"] * 20}
    X["p"][5], X["c"][6] = np.nan, None
    weight = np.where(np.arange(n) == 8, 0.0, 2.0)
    schema = Schema.from_data(X, missing="drop").edit(p="positive", k="integer")
    fit_table(X, schema, learn=learn, missing="drop", sample_weight=weight, rng=3)
    kept = np.delete(np.arange(n), [5, 6, 8])
    np.testing.assert_allclose(seen["x"][:, 0], np.log(X["p"][kept]))
    assert (np.floor(seen["x"][:, 1]) == X["k"][kept]).all()
    assert seen["context"].argmax(axis=1).tolist() == (kept % 3).tolist()
    assert seen["weight"].shape == (n - 3,) and isinstance(seen["rng"], np.random.Generator)


def test_a_density_of_another_width_is_an_error():
    with pytest.raises(ValueError, match="density has dim 3, but the schema has 2 numbers"):
        fit_table(GOOD, learn=lambda x, **given: Shifted(3))
    with pytest.raises(TypeError, match="base needs dim, sample"):
        fit_table(GOOD, learn=lambda x, **given: "nothing")
    schema = Schema.from_data({**GOOD, "c": np.ones(50)})
    with pytest.raises(ValueError, match=r"column 'c' is constant .*cannot be modelled: .*aside"):
        modelled(schema, Shifted(2))


def calm(x, context=None, **given):
    """A normal density of the numbers that a row has, without a warning however far out."""
    width = 0 if context is None else context.shape[1]
    return fc.ClampedBase(fc.Normal(x.shape[1]), width + x.shape[1])


DATES = st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01"))


def as_numbers(values):
    """Floats; None is NaN."""
    return np.array(values, float)


def columns_of(n):
    """Strategies for a column of n values."""

    def of(values):
        return st.lists(values, min_size=n, max_size=n)

    finite = st.floats(allow_nan=False, allow_infinity=False)
    return st.one_of(
        of(finite), of(st.floats(0.01, 0.99)), of(st.floats(1e-300, 1e300)), of(st.booleans()),
        of(st.integers(0, 6)), of(st.integers(-(2**63), 2**63 - 1)),
        of(st.sampled_from(["a", "b", "", "é", "1 "])),
        of(st.sampled_from([0.5, 1.0, 2.5])), of(st.just(3.0)), of(st.floats(width=16)),
        of(st.sampled_from(["a", "b", None])), of(st.floats(0, 9) | st.none()).map(as_numbers),
        of(st.integers(0, 30) | st.just(0)), of(DATES).map(lambda d: np.array(d, "M8[s]")),
        of(DATES).map(lambda d: [f"{one:%Y-%m-%d}" for one in d]),
        of(DATES).map(lambda d: [int(f"{one:%Y%m%d}") for one in d]),
    )  # fmt: skip


@given(st.integers(1, 30).flatmap(lambda n: st.lists(columns_of(n), min_size=1, max_size=4)))
def test_any_table_is_modelled_or_refused(columns):
    X = {f"c{j}": column for j, column in enumerate(columns)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "of columns .* nearly follow")
        try:
            found = Schema.from_data(X, missing="atom")
            schema = found.suggested()  # which fits the data that it came from
            for one in (found, schema):
                assert str(one) and Schema.from_dict(json.loads(json.dumps(one.to_dict()))) == one
            density = fit_table(X, schema, learn=calm)
        except ValueError as problem:
            assert "column" in str(problem)
            return
    for column, values in zip(schema.columns, columns, strict=True):
        there = [v for v in values if v is not None and v == v]
        assert column.missing == (len(there) < len(values))
        assert not column.kind.is_category or set(column.values) >= set(there)
        if column.low is not None:
            assert (column.low, column.high) == (float(min(there)), float(max(there)))
    log_p = density.log_prob(X)
    assert log_p.shape == (len(columns[0]),) and not np.isnan(log_p).any()
    for margins in ("model", "table"):
        sample = density.sample(20, rng=0, margins=margins)
        assert not np.isnan(density.log_prob(sample)).any()
    assert sample.names == tuple(c.name for c in schema.columns if c.kind.name != "aside")


def everything_at_once(n=120):
    """A table with an atom, a date, missing cells, a grid, a category and two numbers."""
    X = pd.DataFrame(table(n))
    X["rain"] = np.where(np.arange(n) % 3 == 0, 0.0, np.exp(rng.normal(size=n)))
    X["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    X["age"] = np.where(np.arange(n) % 10 == 0, np.nan, rng.normal(40, 9, n))
    X["odd"] = np.round(np.where(np.arange(n) == 5, 1.234, rng.integers(0, 30, n) / 10), 3)
    return X


def one_normal(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1)


def test_it_is_an_estimator_that_is_saved(tmp_path):
    X = everything_at_once()
    unfitted = TableDensity(learn=one_normal, missing="atom", random_state=3)
    assert clone(unfitted).get_params() == unfitted.get_params()
    assert unfitted.get_params() == {
        "schema": None, "learn": one_normal, "missing": "atom", "rules": True,
        "ignore_extra": False, "random_state": 3,
    }  # fmt: skip
    assert "missing='atom'" in repr(unfitted) and len(repr(TableDensity())) < 50
    for function in (
        unfitted.log_prob, unfitted.score, unfitted.given, unfitted.impute, unfitted.explain,
        unfitted.outlier_score, lambda X: unfitted.sample(3), lambda X: unfitted.as_record(),
    ):  # fmt: skip
        with pytest.raises(NotFittedError):
            function(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is taken for what, and is rounded
        density = unfitted.fit(X)
        assert density is unfitted and density.schema is None
        log_p = density.log_prob(X)
        assert np.isfinite(log_p).all() and density.score(X) == log_p.mean()
        assert (density.score_samples(X) == log_p).all()
        fc.save(density, tmp_path / "table.npz")
        loaded = fc.load(tmp_path / "table.npz")
        for again in (loaded, pickle.loads(pickle.dumps(density)), clone(density).fit(X)):
            assert (again.log_prob(X) == log_p).all() and repr(again) == repr(density)
            for margins in ("model", "table"):
                drawn = [one.sample(40, rng=1, margins=margins) for one in (density, again)]
                pd.testing.assert_frame_equal(*drawn)
        assert isinstance(drawn[0], pd.DataFrame) and list(drawn[0]) == list(X)
        kinds = {c.name: str(c.kind) for c in density.schema_.columns}
        assert kinds["rain"] == "positive atoms(0)" and kinds["day"].startswith("date(day")
        assert loaded.schema == density.schema_ and density.schema_.columns[-1].rounded
        extra = X.assign(more=1.0)
        with pytest.raises(ValueError, match="X has 'more', which was not there in fit"):
            density.log_prob(extra)
        assert (density.set_params(ignore_extra=True).log_prob(extra) == log_p).all()
        assert TableDensity(density.schema_, one_normal, ignore_extra=True).fit(extra).dim == 10
        with pytest.raises(ValueError, match="X has 'more'"):
            TableDensity(density.schema_, one_normal).fit(extra)


@pytest.mark.slow
def test_a_learned_table_comes_close_to_the_truth():
    """price | city is log-normal, rooms | price Poisson: the exact log p is known."""
    draw = np.random.default_rng(4)

    def truth(n):
        city = draw.integers(0, 3, n)
        z = draw.normal(0.8 * city, 0.5)
        rooms = draw.poisson(2 + 2 / (1 + np.exp(-z)))
        log_p = (
            np.log([0.5, 0.3, 0.2])[city] * 0 - np.log(3) + stats.norm.logpdf(z, 0.8 * city, 0.5)
        )
        log_p += -z + stats.poisson.logpmf(rooms, 2 + 2 / (1 + np.exp(-z)))
        return {"price": np.exp(z), "rooms": rooms, "city": np.array(list("abc"))[city]}, log_p

    X, _ = truth(4000)
    schema = Schema.from_data(X).edit(price="positive", rooms="integer(0)")
    density = fit_table(X, schema, learn=learn_flow, rng=0)
    fresh, log_p = truth(4000)
    gap = log_p - density.log_prob(fresh)
    assert -0.02 < gap.mean() < 0.08


def test_the_lines_to_paste_work():
    """Also for a table with missing values: one warning, or one error, has the line."""
    X = pd.DataFrame({"rooms": rng.poisson(3, 200).astype(float), "note": "always"})
    X.loc[3, "rooms"] = np.nan
    scope = {"X": X, "Schema": Schema, "fit_table": partial(fit_table, learn=shifted)}
    with pytest.raises(ValueError, match="is constant") as refused:
        fit_table(X, missing="drop")
    exec(str(refused.value).partition("set it aside: ")[2], scope)
    assert scope["schema"].columns[1].kind.name == "aside"
    scope["X"] = X = X[["rooms"]]
    with pytest.warns(UserWarning, match="columns are taken for") as caught:
        assert fit_table(X, missing="drop", learn=shifted).schema.columns[0].kind.is_gridded
    assert len(caught) == 1 and caught[0].filename == __file__
    text = str(caught[0].message)
    assert "'rooms': integer(0) (whole numbers)" in text
    exec(text.partition("as they are: ")[2].partition("; fit_table")[0], scope)
    assert str(scope["schema"].columns[0].kind) == "continuous"
    exec("density = " + text.partition("); ")[2].partition(". To change")[0], scope)
    assert scope["density"].schema == scope["schema"]  # without a warning
    with pytest.warns(UserWarning, match=r"'id': aside \(whole numbers that"):
        fit_table({"id": np.arange(60), "x": rng.normal(size=60)}, learn=shifted)


def test_an_interrupt_stops_a_fit_that_has_no_history_to_show_it(monkeypatch):
    history = fc.History(train_nll=[1.0], best_epoch=0, interrupted=True)
    monkeypatch.setattr("flowcore.tables.fitting.fit", lambda flow, *_, **__: (flow, history))
    with pytest.raises(KeyboardInterrupt):
        fit_table({"a": rng.normal(size=50)}, learn=learn_flow)


def test_an_estimator_learns_and_its_summary_is_in_the_units_of_the_table(tmp_path):
    X = pd.DataFrame({name: column for name, column in table(39).items() if name in KINDS})
    X["flag"], X["price"] = np.arange(39) % 3 == 0, np.exp(np.arange(39) / 10)
    schema = Schema.from_data(X).edit(KINDS)
    estimator = fc.FlowDensity(budget=1e-3, n_jobs=1)
    density = fit_table(X, schema, learn=estimator, rng=0)
    assert not hasattr(estimator, "density_") and estimator.random_state is None
    held_out = density.summary.density
    assert abs(held_out.score - density.log_prob(X).mean()) < 1.5 and held_out.error < 1
    cents = fit_table(X.assign(price=100 * X["price"]), schema, learn=estimator, rng=0)
    assert cents.summary.density.score == pytest.approx(held_out.score - np.log(100), abs=1e-6)
    assert density.notes["rows"] == 39 and len(repr(density)) < 600
    fc.save(density, tmp_path / "table.npz")
    assert fc.load(tmp_path / "table.npz").summary == density.summary
    assert fit_table(X, schema, learn=shifted).summary is None
    with pytest.raises(TypeError, match="learn is a FlowDensity or a function: got 'spline'"):
        fit_table(X, schema, learn="spline")


def test_a_column_that_nearly_follows_from_others_is_a_warning_before_the_fit():
    def learn(x, context=None, sample_weight=None, rng=0):
        raise KeyboardInterrupt

    month = np.random.default_rng(0).normal(3000, 900, 60).round(2)
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in ("year", "month")))
    warned = pytest.warns(UserWarning, match="1 nearly follow")
    with pytest.raises(KeyboardInterrupt), warned as caught:
        fit_table({"year": (12 * month).round(), "month": month}, schema, learn=learn)
    assert caught[0].message.fix == ({"kind": {"month": "aside"}},)
    with pytest.raises(KeyboardInterrupt):
        fit_table({"year": (12 * month).round(-2), "month": month}, schema, learn=learn)


class Tens(fc.Distribution):
    """x = 10 c + z."""

    dim, context_dim = 1, 1

    def log_prob(self, x, params=None, context=None, threads=None):
        return fc.Normal(1).log_prob(x - 10 * context)

    def sample(self, n=1, rng=None, context=None):
        return 10 * context + np.random.default_rng(rng).normal(size=(n, len(context), 1))


def test_a_diagnosis_is_about_x_given_c():
    draws = np.random.default_rng(0)
    right = draws.random(400) < 0.3
    X = {"x": 10.0 * right + draws.normal(size=400), "side": np.where(right, "r", "l")}
    model = fit_table(X, learn=lambda x, **_: Tens(), rules=False)  # r where x > 5
    report = fc.diagnose(model, X, draws=2000, rng=1)
    assert (report.n, report.names, report.given) == (400, ("x",), ("side",)) and report.trusted
    mean = f"Mean log p {model.log_prob(X).mean():.3f} "
    assert report.density == "TableDensity" and f"{report}".startswith(mean)
    with pytest.raises(ValueError, match=r"^X lacks 'side'"):
        fc.diagnose(model, {"x": X["x"]})
    with pytest.raises(ValueError, match="leave out names="):
        fc.diagnose(model, X, names=["x", "side"])
    X["side"][:2], X["x"][2] = "u", np.nan
    with pytest.warns(UserWarning) as caught:
        found = model.numbers_of(X)
    assert [str(w.message) for w in caught] == [
        "1 row left out for missing values",
        "2 rows left out for a category that was never seen",
    ]
    assert np.array_equal(found.rows[:, 0], X["x"][3:]) and isinstance(found.density, Tens)
    assert not fc.diagnose(Tens(), found.rows, context=1 - found.context, draws=2000).trusted


def test_numbers_have_the_density_of_the_table_apart_from_noise_and_categories():
    """p(c, x) = p(c) times the mean density of the noisy numbers, and their steps are 1."""
    X = table(40)
    frame = as_frame({name: X[name] for name in ("price", "rooms", "city")})
    schema = Schema.from_data(frame).edit(price="positive", rooms="integer(0)")
    model = fit_table(frame, schema, learn=lambda x, **_: fc.GaussianMixture.from_data(x, 1))
    numbers = []
    for seed in range(200):
        found = model.numbers_of(frame, seed)
        y = found.units(found.rows)
        assert y[:, 0] == pytest.approx(frame["price"])
        assert np.array_equal(np.floor(y[:, 1]), frame["rooms"])
        given = {} if found.context is None else {"context": found.context}
        slope = model.coordinates_.line.inverse_log_det(y)
        numbers.append(np.exp(found.density.log_prob(found.rows, **given) + slope))
    own = model.categories_.log_prob(model.encoding.encode(frame)[0])
    log_p = np.log(np.mean(numbers, axis=0)) + own
    assert log_p == pytest.approx(model.log_prob(frame), abs=0.1)
