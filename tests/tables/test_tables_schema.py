"""Columns: what is found, what is only suggested, what can be edited, what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, fit_table
from flowcore.tables.detection import find_atoms, grid_of
from flowcore.tables.patterns import pattern_of

rng = np.random.default_rng(0)
N = 400
TABLE = {
    "normal": rng.normal(size=N),
    "price": np.exp(rng.normal(size=N)),
    "share": 1 / (1 + np.exp(-2 * rng.normal(size=N))),
    "count": rng.poisson(3, N),
    "half": rng.integers(1, 9, N) * 0.5,
    "tens": 10 * rng.integers(1, 9, N),
    "bit": rng.integers(0, 2, N),
    "euros": rng.integers(10**3, 10**6, N),
    "city": rng.choice(["Bern", "Rome"], N),
    "flag": rng.random(N) < 0.3,
    "id": [f"row {i}" for i in range(N)],
    "one": np.full(N, 2.5),
    "same": ["x"] * N,
    "spike": np.where(rng.random(N) < 0.2, 0.0, rng.normal(size=N)),
}
SCHEMA = Schema.from_data(TABLE)


def of(schema, name):
    return next(c for c in schema.columns if c.name == name)


@pytest.mark.parametrize(
    ("name", "kind", "suggestion"),
    [
        ("normal", "continuous", None),
        ("price", "continuous", "positive"),
        ("share", "continuous", None),
        ("count", "continuous", "integer(0)"),
        ("half", "continuous", "gridded(0.5, 0)"),
        ("tens", "continuous", "gridded(10, 0)"),
        ("bit", "continuous", "categorical"),
        ("euros", "continuous", None),  # whole, but all different: 0 may come
        ("city", "categorical", None),
        ("flag", "boolean", None),
        ("id", "text", None),
        ("one", "constant", None),
        ("same", "constant", None),
        ("spike", "continuous", "continuous atoms(0)"),
    ],
)
def test_kinds_that_are_found(name, kind, suggestion):
    column = of(SCHEMA, name)
    found = None if column.suggestion is None else str(column.suggestion)
    assert (str(column.kind), found) == (kind, suggestion)
    assert column.why and ("0 in 0.2" in column.note) == (name == "spike")


def test_print_has_kinds_facts_meaning_and_the_line_to_paste():
    text = str(SCHEMA)
    assert "column  kind" in text and "True in 0." in text and "an identifier" in text
    *_, line, last = text.splitlines()
    assert last == SCHEMA.meaning
    assert last.startswith("p is a density of normal, price,") and "left out" in last
    call = line.removeprefix("to follow: ").split(", or schema")[0]
    assert eval(call, {"schema": SCHEMA}) == SCHEMA.suggested()
    assert not SCHEMA.suggested().suggestions


def test_meaning_after_editing():
    schema = Schema.from_data({k: TABLE[k] for k in ("price", "count", "city", "id")})
    schema = schema.suggested().edit(id="aside")
    assert schema.meaning == (
        "p is a density of price times a probability of count, city, in units of 1/[price]; "
        "id left out"
    )
    assert "a pure number" in schema.edit(price="aside").meaning
    rain = Column("rain", Kind.parse("positive atoms(0, 99)"), missing=True)
    assert Schema((rain, Column("n", Kind.parse("integer atoms(1)")))).meaning == (
        "p is a density of rain times a probability of n, in units of 1/[rain]; "
        "a probability of rain where it is 0 or 99 or missing"
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"nobody": "aside"}, "there is no column 'nobody', but 'normal', 'price'"),
        ({"normal": "weird"}, "there is no kind of column 'weird': take one of continuous"),
        (
            {"normal": "positive"},
            r"'normal' has the value -[\d.]+, which is not inside",
        ),
        ({"share": "bounded(0, 0.5)"}, "not inside of bounded"),
        ({"share": "bounded(1, 0)"}, "low less than high"),
        ({"share": "bounded(0)"}, "has 1 arguments"),
        ({"share": "bounded(0, x)"}, "an argument that is no number"),
        ({"share": "bounded(0, inf)"}, "finite numbers"),
        ({"half": "gridded(-1)"}, "step must be positive"),
        ({"half": "gridded(1, 0, 2.5)"}, "whole steps apart"),
        ({"count": "integer(1)"}, "the value 0, which is not inside"),
        ({"count": "boolean"}, r"'count' is boolean, but has the values \(0, 1, 2"),
        ({"city": "boolean"}, "'city' is boolean, but has the values"),
        ({"city": "positive"}, "is text and cannot be positive"),
        ({"normal": "constant"}, "is found, not chosen"),
        ({"normal": "text"}, "is found, not chosen"),
        ({"normal": 3}, "there is no kind of column 3"),
        ({"many": "categorical"}, "'many' has too many different values for a category"),
        ({"texts": "categorical"}, "'texts' has too many different values for a category"),
    ],
)
def test_edits_that_are_refused(edit, message):
    many = Schema.from_data({"many": np.arange(3000.0), "texts": [f"{i} a" for i in range(3000)]})
    with pytest.raises(ValueError, match=message):
        Schema((*SCHEMA.columns, *many.columns)).edit(edit)


def test_edits():
    edited = SCHEMA.edit({"one": "aside"}, count="integer(0, 30)", half=Kind("gridded", 0.5))
    assert str(of(edited, "count").kind) == "integer(0, 30)"
    assert str(of(edited, "half").kind) == "gridded(0.5)"
    assert of(SCHEMA.edit(bit="boolean"), "bit").values == (False, True)
    assert of(edited, "one").kind.counts_as == "nothing"
    assert Schema.from_data(TABLE) == SCHEMA  # nothing was changed in place
    few = Schema.from_data({"x": np.arange(30.0)}).edit(x="categorical")
    assert few.columns[0].values == tuple(range(30))


# ---------------------------------------------------------------- data that are refused


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            {"a": [1.0, np.nan, 3.0]},
            r"row 1, column 'a' is missing.*: 'a' 1; 2 of 3 rows.*'drop' or missing='learn' or",
        ),
        ({"a": [1.0, np.inf]}, "row 1, column 'a' is inf"),
        ({"a": np.array([1, 2, "n/a", 4], object)}, "row 2, column 'a' is 'n/a', but most of the"),
        (
            {"a": ["1", "2", "?", "4"]},
            "row 2, column 'a' is '\\?', but most of the col",
        ),
        ({"a": np.array(["x", "y", 3], object)}, "row 2, column 'a' is 3, but the column has text"),
        ({"a": [None, None]}, "column 'a' has no values"),
        ({"a": []}, "X has no rows"),
        (np.array([["x", "y"], [1, None]], object), "column 0"),
    ],
)
def test_bad_data(X, message):
    with pytest.raises(ValueError, match=message):
        Schema.from_data(X)


def test_missing_rows_are_dropped_on_request():
    X = {"a": [1.0, np.nan, 3.0, 4.5], "b": ["x", "y", None, "x"]}
    schema = Schema.from_data(X, missing="drop")
    assert schema.n_rows == 2 and of(schema, "a").high == 4.5
    with pytest.raises(ValueError, match="every row misses a value"):
        Schema.from_data({"a": [1.0, np.nan], "b": [None, "x"]}, missing="drop")
    with pytest.raises(ValueError, match="missing is one of error, drop, atom, learn"):
        Schema.from_data(X, missing="ignore")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "X lacks 'c'"),
        (["a", "b", "c", "d"], "X has 'd', which was not there in fit"),
        (["a", "b", "d"], "X lacks 'c' and has 'd', which was not there"),
    ],
)
def test_columns_at_scoring(names, message):
    schema = Schema.from_data({name: rng.normal(size=9) for name in "abc"})
    with pytest.raises(ValueError, match=message):
        schema.select({name: rng.normal(size=3) for name in names})
    with pytest.raises(ValueError, match="X has 2 columns, but the schema has 3"):
        schema.select(np.zeros((4, 2)))
    assert schema.select(np.zeros((4, 3))).names == ("a", "b", "c")
    found = schema.select({"c": [3.0], "a": [1.0], "b": [2.0]})
    assert found.names == ("a", "b", "c") and np.asarray(found).tolist() == [[1.0, 2.0, 3.0]]
    assert found[["c", "a"]].names == ("c", "a")


@pytest.mark.parametrize(
    "values",
    [["?"], [7.0], [None], [np.nan], [True], np.array(["2024-01-01"], "M8[D]")],
)
def test_columns_aside_may_be_missing_and_hold_anything(values):
    X = {"id": list("abcdefghi"), "a": rng.normal(size=9), "b": rng.normal(size=9)}
    schema = Schema.from_data(X).edit(id="aside")
    assert schema.select({"b": [2.0], "a": [1.0]}).names == ("a", "b")
    assert schema.select({"b": [2.0], "id": values, "a": [1.0]}).names == ("a", "b")
    assert np.asarray(schema.select(np.array([[1.0, 2.0]]))).tolist() == [[1.0, 2.0]]
    assert np.asarray(schema.select(np.array([[0.0, 1.0, 2.0]]))).tolist() == [[1.0, 2.0]]
    with pytest.raises(ValueError, match="X has 4 columns, but the schema has 3"):
        schema.select(np.zeros((1, 4)))


@pytest.mark.parametrize("step", [0.1, 0.25, 0.005])
def test_a_grid_far_from_zero_is_found(step):
    """Seconds since 1970 in tenths: floats there are apart by 2e-7."""
    X = {"t": rng.choice(1.7e9 + step * np.arange(1, 5), 500), "x": rng.normal(size=500)}
    schema = Schema.from_data(X)
    assert str(schema.columns[0].suggestion).startswith(f"gridded({step}")
    fit_table(X, schema.suggested(), learn=lambda x, **given: fc.Normal(2))


@pytest.mark.parametrize(("low", "step"), [(0, 1e-9), (0, 1e-300), (1, 1e-9)])
def test_draws_of_small_numbers_are_not_rounded(low, step):
    """Nanometres in metres."""
    x = low + step * TABLE["normal"]
    density = fit_table({"x": x}, learn=shifted)
    assert np.ptp(density.sample(N, rng=0)["x"]) > np.ptp(x) / 2
    assert np.isfinite(density.log_prob({"x": x})).all()


# ---------------------------------------------------------------- plain data and back


NAMES = st.text(max_size=5)
KINDS = st.one_of(
    st.sampled_from(["continuous", "positive", "categorical", "boolean", "aside", "integer"]),
    st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)).map(
        lambda ends: "bounded({!r}, {!r})".format(*ends)
    ),
    st.floats(1e-300, 1e300).map(lambda step: f"gridded({step!r})"),
)


@given(KINDS)
def test_kinds_read_as_they_are_written(text):
    try:
        kind = Kind.parse(text)
    except ValueError:
        return
    assert Kind.parse(str(kind)) == kind


@given(st.integers(1, 999), st.integers(0, 4), st.lists(st.integers(-99, 99), min_size=2))
def test_a_step_is_found(step, decimals, cells):
    values = np.unique(np.array(cells) * step / 10**decimals)
    if len(values) > 1:
        found = grid_of(values, np.ones(len(values)))[0]
        assert found * 10**decimals >= 1 - 1e-9
        gap = np.diff(values) / found
        assert np.abs(gap - np.rint(gap)).max() < 1e-6
        more = np.gcd.reduce(np.rint(gap).astype(int))
        rounder = more % 10 and (more % 5 or f"{found:.3e}"[0] != "1")
        assert rounder or values[0] < 0  # of numbers below 0, the grid has a value at 0


def test_columns_that_are_no_schema():
    one, other = Column("a", Kind("continuous")), Column("a", Kind("positive"))
    for make, message in (
        (lambda: Schema((one, other)), "two columns are called 'a'"),
        (lambda: Schema(()), "needs at least one column"),
        (lambda: Column(1.5, one.kind), r"a column is called 1\.5: names are text or integers"),
        (lambda: Schema.from_dict({"format": 1, "n_rows": 1, "columns": []}),
         "a schema of format 1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("x", np.arange(60), True),
        ("x", np.random.default_rng(0).permutation(60) + 1, True),
        ("row", np.arange(60) + 10**5, True),
        ("x", np.arange(60) + 10**5, False),
        ("year", np.arange(1940, 2020), False),
        ("x", np.random.default_rng(0).permutation(10**4)[:60], False),
        ("customer_id", np.random.default_rng(0).permutation(10**4)[:60], True),
        ("x", np.arange(60) / 8, False),
        ("x", np.arange(40), False),  # too few to decide
        ("x", np.arange(60) // 2, False),
    ],
)
def test_row_numbers_are_found(name, values, found):
    column = Schema.from_data({name: values}).columns[0]
    assert ("identify rows" in column.note) == found == (column.suggestion == Kind("aside"))
    assert column.kind == Kind("continuous")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("row {k}", None), ("{k} to 9", None), ("{k}A", None), ("1.{k}.00", None),
        ("112 {k}1", None), ("{k}.13.2024", None), ("12:{k}", None),
        ("{k} km/h", "numbers with 'km/h'"), ("{k}KG", "numbers with 'kg'"),
        ("€ {k}", "numbers with '€'"), ("{k} €/m²", "numbers with '€/m²'"),
        ("{k} °C", "numbers with '°C'"), ("{k}‰", "numbers with '‰'"),
        ("1 234 0{k}", None), ("{k},234", "numbers with separators of thousands"),
        ("1\u00a00{k} €", "numbers with '€'"),
    ],
)  # fmt: skip
def test_units_of_texts(text, expected):
    found = pattern_of({text.format(k=10 + k): 1 for k in range(60)})
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    "text", ["2024-{m:02}-{d:02}", "{d}.{m}.24", "{m}/{d}/2024", "{d:02}/{m:02}/24 10:30"]
)
def test_days_as_text(text):
    days = [(m, d) for m in range(1, 13) for d in (1, 12, 31)]
    assert pattern_of({text.format(m=m, d=d): 1 for m, d in days})[0] == "days or times"


def test_dates_are_found():
    n = 60
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) % 3, unit="D")
    X = pd.DataFrame({"x": rng.normal(size=n), "day": days, "long": days - days[0]})
    schema = Schema.from_data(X)
    assert "3 different dates from 2020-01-01 to 2020-01-03" in str(schema)
    with pytest.raises(ValueError, match=r"'long' is text .*as seconds.*edit\({'long': 'aside'}"):
        fit_table(X)
    schema = schema.edit(long="aside", day="aside")
    normal = fit_table(X, schema, learn=lambda x, **_: fc.Normal(1))
    assert len(normal.log_prob(X)) == n and Schema.from_dict(schema.to_dict()) == schema
    with pytest.raises(ValueError, match=r"column 'x' holds datetime64.* make it a number first"):
        normal.log_prob(X[["day"]].rename(columns={"day": "x"}))


@pytest.mark.parametrize(
    "arguments",
    [
        ("continuous", 0.0, 1.0), ("continuous", 1.0), ("positive", 0.0, None, 3.0),
        ("positive", 0.0, 1.0, 3.0), ("bounded",), ("bounded", 0.0, 1.0), ("integer", 2.5),
        ("integer",), ("integer", 1.0, None, 4.0), ("gridded",), ("categorical", 1.0),
        ("aside", 0.0, 1.0),
    ],
)  # fmt: skip
def test_a_kind_that_could_not_be_written_is_refused(arguments):
    """`str(kind)` is what `Kind.parse` reads: nothing else is a kind."""
    with pytest.raises(ValueError, match=f"no kind {arguments[0]} has step"):
        Kind(*arguments)


@pytest.mark.parametrize(("off", "step"), [(15, 1.0), (30, 0.1)])
def test_a_fiftieth_of_the_rows_may_be_off_a_grid(off, step):
    values, counts = np.append(np.arange(40.0), 9.3), np.append(np.full(40, 25), off)
    order = np.argsort(values)
    assert grid_of(values[order], counts[order])[0] == step


def test_a_cap_needs_a_five_hundredth_of_the_rows_and_other_atoms_a_twentieth():
    counts = np.append(np.full(49, 2), np.full(49, 40))[::-1]
    for often, is_atom in ((12, True), (3, False)):  # .6% of the rows, and a seventh of a percent
        assert find_atoms(np.append(counts, often))[-1] == is_atom
    assert not find_atoms(np.concatenate([counts, [12], np.full(5, 2)])).any()


@pytest.mark.parametrize(("last", "kind"), [(50, "categorical"), (30, "integer(0)")])
def test_few_values_on_a_grid_of_which_nine_tenths_are_empty_are_categories(last, kind):
    schema = Schema.from_data({"code": np.tile([1.0, 2.0, 3.0, last], 30)})
    assert str(schema.columns[0].suggestion) == kind


# ---------------------------------------------------------------- what real tables showed

M = 600
HOUR = rng.integers(0, 24, M)
STEPS = np.sort(rng.integers(0, 400, M))


def shifted(x, context=None, sample_weight=None, rng=0):
    flow = fc.flows.maf(x.shape[1], 1, [8], 0 if context is None else context.shape[1])
    return fc.TransformedDistribution(flow.base, flow.bijector.initialize(x, context=context))


def suggestion(values, name="x"):
    column = Schema.from_data({name: values}, missing="atom").columns[0]
    return str(column.suggestion or column.kind)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (rng.integers(1, 30, M), "integer(0)"),  # rings, days, months: all below 60
        (rng.integers(0, 24, M) * 100, "gridded(100, 0)"),  # may be anything
        (100 * HOUR + rng.integers(0, 60, M), "time(minute, %H%M)"),
        (np.where(HOUR > 2, 100 * HOUR + rng.integers(0, 60, M), np.nan), "time(minute, %H%M)"),
        ([f"{h:02d}:00" for h in HOUR], "time(hour, %H:%M)"),  # was a unit of a day
        ([f"{1950 + i // 12}-{1 + i % 12:02d}" for i in range(144)], "date(month, %Y-%m)"),
        (pd.date_range("1950-01-01", periods=144, freq="MS"), "date(month)"),
        ([f"2013-01-{1 + i % 28:02d}T{i % 24:02d}:00:00Z" for i in range(M)],
         "date(hour, %Y-%m-%dT%H:%M:%SZ)"),
        (1.15078 * rng.integers(0, 30, M), "gridded(1e-05, 0)"),  # knots, from miles
        (np.where(STEPS < 90, 0, rng.integers(1, 97, M)), "integer(0) atoms(0)"),
        (np.clip(rng.normal(80, 20, M).round(), 0, 100), "integer(0) atoms(100)"),
        (np.floor(rng.normal(60, 9, M)) + 0.99, "integer(0.99)"),  # not from the least price on
        (rng.beta(5, 1, 2000).round(4), "gridded(0.0001, 0)"),  # near 1 only
        (rng.choice([0, 3111, 4300, 7111], M, p=[0.97, 0.01, 0.01, 0.01]), "categorical"),
        (np.where(rng.random(M) < 0.2, -0.0, rng.normal(size=M)), "continuous atoms(0)"),
        (1e-10 * TABLE["price"], "positive"),
        (1e-200 * TABLE["price"], "positive"),
    ],
)  # fmt: skip
def test_what_columns_are(values, kind):
    found = suggestion(values)
    if kind.startswith("date"):
        found = found.replace(" week,", "").replace(" year,", "").replace(", year", "")
    assert found == kind


def test_months_are_written_as_they_were():
    month = [f"{1950 + i // 12}-{1 + i % 12:02d}" for i in range(144)]
    X = {"month": month, "sold": 100 + 3 * np.arange(144) + rng.normal(size=144)}
    for kind in ("date(month, %Y-%m)", "date(month, year, %Y-%m)"):
        density = fit_table(X, Schema.from_data(X).edit(month=kind), learn=shifted)
        draws = density.sample(50, rng=0)
        assert np.isfinite(density.log_prob(X)).all() and np.isfinite(density.log_prob(draws)).all()
        pd.to_datetime(list(draws["month"]), format="%Y-%m")
    with pytest.raises(ValueError, match=r"which is no date.month"):
        other = {"d": pd.date_range("2020-01-01", periods=20, freq="MS"), "x": np.arange(20.0) ** 2}
        model = fit_table(other, Schema.from_data(other), learn=shifted)
        model.log_prob({"d": np.array(["2020-01-02"], "M8[D]"), "x": [3.0]})


def test_numbers_of_few_complete_rows_are_not_constant():
    """Gaps in many columns: one row has all numbers, and was taken for the table."""
    X = rng.normal(size=(60, 5))
    X[rng.random(X.shape) < 0.6] = np.nan
    X[0] = 1.0
    X[1:3] = np.where(np.arange(5) % 2, np.nan, X[1:3])
    density = fit_table(X, missing="atom", learn=lambda x, **_: fc.Normal(5))
    assert np.isfinite(density.log_prob(X)).all()


def test_columns_without_names_are_named_by_number():
    """The columns that the message names can be set aside."""
    x = rng.normal(size=(50, 2))
    with pytest.raises(ValueError, match=r"schema.edit\({2: 'aside'}\)"):
        fit_table(np.column_stack([x, x[:, 0]]), learn=shifted)


def test_atoms_leave_numbers():
    with pytest.raises(ValueError, match="at least two values must not be atoms"):
        Kind.parse("integer(0, 2) atoms(0, 1)")
