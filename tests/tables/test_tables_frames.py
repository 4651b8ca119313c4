"""Tables of any library are one thing: the same columns, whoever made them."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, fit_table
from flowcore.tables.frame import Frame, as_frame

COLUMNS = {
    "x": [0.1, -2.5, None, 1e300],
    "n": [3, -1, 2**40, 0],
    "gap": [1, None, 3, 4],
    "flag": [True, False, True, True],
    "maybe": [True, None, False, True],
    "city": ["Bern", "Rome", None, "é\n"],
}
MAKERS = {
    "pandas": lambda c: pd.DataFrame(c),
    "pandas, nullable": lambda c: pd.DataFrame(c).convert_dtypes(),
    "pandas, arrow": lambda c: pd.DataFrame(c).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, objects": lambda c: pd.DataFrame(c).astype(object),
    "polars": lambda c: pl.DataFrame(c, strict=False),
    "pyarrow": lambda c: pa.table(c),
    "pyarrow, chunks": lambda c: pa.concat_tables([pa.table(c).slice(0, 1), pa.table(c).slice(1)]),
    "pyarrow, batch": lambda c: pa.RecordBatch.from_pydict(c),
    "lists": lambda c: c,
    "capsule": lambda c: Capsule(pa.table(c)),
}


class Capsule:
    """A table of a library that nobody here knows."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def plain(frame):
    """Columns as lists, missing values as None."""

    def item(v):
        return None if v is None or v != v else v

    return {name: [item(v) for v in frame[name].tolist()] for name in frame.names}


@pytest.mark.filterwarnings("ignore:invalid value .* cast:RuntimeWarning:pandas")  # with NumPy 1
@pytest.mark.parametrize("maker", MAKERS)
def test_the_same_table_from_every_library(maker):
    frame = as_frame(MAKERS[maker](COLUMNS))
    assert plain(frame) == COLUMNS
    assert frame["x"].dtype == frame["gap"].dtype == float and frame["n"].dtype == np.int64
    assert frame["flag"].dtype == bool and frame["city"].dtype == object


@pytest.mark.parametrize("maker", ["pandas", "polars", "pyarrow"])
def test_categories_of_a_library_are_text(maker):
    words = ["b", "a", None, "b"]
    made = {
        "pandas": lambda: pd.DataFrame({"c": pd.Categorical(words)}),
        "polars": lambda: pl.DataFrame({"c": pl.Series(words, dtype=pl.Categorical)}),
        "pyarrow": lambda: pa.table({"c": pa.array(words).dictionary_encode()}),
    }[maker]()
    assert plain(as_frame(made)) == {"c": words}


DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f4", "<i8", "g"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype(dtype):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    for made in (x, np.asfortranarray(x), x[:, ::-1][:, ::-1], x.tolist()):
        frame = as_frame(made)
        assert frame.names == (0, 1, 2) and not frame.is_named
        assert frame.numbers().dtype == float and (frame.numbers() == x).all()


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        ({"a": np.array([Decimal("1.5"), Fraction(1, 4), 2, np.float32(3), Decimal("NaN")])},
         {"a": [1.5, 0.25, 2.0, 3.0, None]}),
        ({"a": [1, "1", 2.5, None, True]}, {"a": [1, "1", 2.5, None, True]}),
        (np.array([(1, "x")], [("n", int), ("c", "U3")]), {"n": [1], "c": ["x"]}),
        ([[1, "x"], [2, "y"]], {0: [1, 2], 1: ["x", "y"]}),
        (pd.DataFrame(np.eye(2)), {0: [1, 0], 1: [0, 1]}),
        (pd.DataFrame(np.eye(2), columns=[1, 5]), {1: [1, 0], 5: [0, 1]}),
    ],
)  # fmt: skip
def test_tables_of_python(X, expected):
    assert plain(as_frame(X)) == expected


def test_frames_back_to_libraries():
    X = pd.DataFrame({"a": [1.0, 2.0], "c": ["x", "y"]})
    frame = as_frame(X)
    assert frame.to_pandas().astype(X.dtypes).equals(X)
    assert pl.DataFrame(dict(frame))["a"].to_list() == [1.0, 2.0]
    assert pa.table(dict(frame)).column_names == ["a", "c"]
    with pytest.raises(ValueError, match="read-only"):
        frame["a"][0] = 7.0
    with pytest.raises(ValueError, match="row 0, column 'c' is 'x', no number"):
        pd.DataFrame(frame)
    with pytest.raises(KeyError, match="there is no column 'b', but 'a', 'c'"):
        frame["b"]
    assert as_frame(frame) is frame and repr(frame) == "Frame(2 rows: a, c)"
    assert np.asarray(frame.select(["a"])).shape == (2, 1)


def test_rows_keep_their_numbers_when_others_are_dropped():
    frame = Frame({"a": np.array([None, "x", "y", None], object)}, "data.csv", 7)
    kept = frame.take(np.array([False, True, False, True]))
    with pytest.raises(ValueError, match=r"row 8, column 'a' of data.csv is 'x', no number"):
        kept.numbers()
    assert kept.take(np.array([1])).place(0, "a") == "row 10, column 'a' of data.csv"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(3), r"X has shape \(3,\), but a table is \(n, D\); write X\[:, None\]"),
        (np.zeros((2, 2, 2)), r"X has shape \(2, 2, 2\)"),
        (None, "a table is"),
        ("text", "a table is"),
        ([[1.0, 2.0], [3.0]], "X is no table|a table is"),
        ({}, "at least one column"),
        (np.zeros((3, 0)), "at least one column"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "columns differ in length: {'a': 1, 'b': 2}"),
        (np.array([[1j]]), "column 0 holds complex128, such as"),
        ({"a": [1j]}, "row 0, column 'a' is a complex"),
        ({"a": np.ma.array([1.0, 2.0], mask=[0, 1])}, "row 1, column 'a' is masked"),
        (np.ma.array(np.eye(2), mask=np.eye(2, dtype=bool)), "row 0, column 0 is masked"),
        ({"a": np.eye(2)}, r"column 'a' has shape \(2, 2\)"),
        ({"a": [[1], [3, 4]]}, r"row 0, column 'a' is a list, '\[1\]'"),
        ({"a": np.array([10**400], object)}, "column 'a' has a number too large"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns have the same name: .*'a'"),
        (pl.LazyFrame({"a": [1]}), r"X is a LazyFrame: collect\(\) it first"),
    ],
)
def test_what_is_no_table(X, message):
    with pytest.raises(ValueError, match=message):
        as_frame(X)


def test_dates_stand_in_a_frame_but_are_no_numbers():
    days = pd.to_datetime(["2020-01-01", None])
    X = pd.DataFrame({"t": days, "zoned": days.tz_localize("UTC"), "x": [1.0, 2.0]})
    for table in (X, pl.DataFrame({"t": [datetime.date(2020, 1, 1), None]})):
        frame = as_frame(table)
        assert all(frame[name].dtype.kind == "M" for name in frame.names if name != "x")
        with pytest.raises(ValueError, match=r"column 't' holds datetime64.*days since a day"):
            np.asarray(frame)
    with pytest.raises(ValueError, match="column 'a' holds timedelta64"):
        as_frame({"a": np.array([3], "m8[s]")}).numbers()


def test_days_among_objects_are_text():
    X = pd.DataFrame({
        "day": [datetime.date(2020, 1, 1), None],
        "time": [datetime.time(10, 30), pd.NaT],
        "month": pd.period_range("2020-01", periods=2, freq="M"),
    })  # fmt: skip
    assert plain(as_frame(X)) == {
        "day": ["2020-01-01", None], "time": ["10:30:00", None],
        "month": ["2020-01", "2020-02"],
    }  # fmt: skip
    assert as_frame({"a": [datetime.timedelta(hours=2)]})["a"].tolist() == ["2:00:00"]
    with pytest.raises(ValueError, match="column 'day' is '2020-01-01', no number"):
        as_frame(X).numbers()


def test_a_frame_of_numbers_is_a_table_for_densities():
    frame = as_frame({"a": [1.0, np.nan], "b": [2.0, 3.0]})
    assert fc.Normal(2).log_prob(frame.take(np.array([0]))).shape == (1,)
    with pytest.raises(ValueError, match=r"\(column 0 'a'\)"):
        fc.diagnose(fc.Normal(2), frame.take(np.arange(20) % 2))
    with pytest.raises(KeyError, match="no column 0, but 'a', 'b'"):
        frame[0]


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.decimals(),
    st.complex_numbers(), st.dates(), st.binary(max_size=2), st.lists(st.integers(), max_size=2),
)  # fmt: skip


@given(st.lists(ANYTHING, max_size=5), st.sampled_from(["lists", "objects", "rows"]))
def test_whatever_is_given_is_a_frame_or_a_documented_error(values, way):
    if way == "objects":
        given = np.empty(len(values), object)
        given[:] = values
        values = given
    try:
        frame = as_frame({"a": values} if way != "rows" else [values, values])
    except ValueError:
        return
    for name in frame.names:
        assert frame[name].dtype in (float, np.int64, bool, object)
        if frame[name].dtype == object:
            kinds = {type(v) for v in frame[name].tolist()}
            assert not kinds & {complex, list, bytes, datetime.date}


def test_dates_of_numpy_may_stand_in_a_list():
    """As those of pandas and datetime do: a known value is a list of one."""
    days = np.array(["2024-03-05", "NaT", "2024-03-07"], "datetime64[D]")
    for unit in ("D", "ns"):
        values = as_frame({"day": [*days.astype(f"datetime64[{unit}]")]})["day"]
        assert values.tolist() == ["2024-03-05 00:00:00", None, "2024-03-07 00:00:00"]


def test_integer_names_are_names_in_any_order():
    """As text, too; and two columns whose names have the same text are one too many."""
    rows = pd.DataFrame(np.random.default_rng(0).normal([0.0, 5.0, 50.0], size=(200, 3)))
    table = fit_table(rows[[2, 0, 1]], learn=lambda x, **_: fc.Normal(3))
    np.testing.assert_array_equal(table.log_prob(rows), table.log_prob(rows[[2, 0, 1]]))
    given = [table.given({name: 0.5}, rng=0).mean() for name in (1, "1")]
    assert given[0] == given[1] and set(given[0]) == {0, 2}
    two = fit_table(rows[[2, 0]], learn=lambda x, **_: fc.Normal(2))
    array = two.log_prob(rows[[2, 0]].to_numpy())
    np.testing.assert_array_equal(array, two.log_prob(rows[[0, 2]]))
    with pytest.raises(ValueError, match="lacks 2 and has 1"):
        two.log_prob(rows[[0, 1]])  # whose 0 is at another place
    rest = fit_table(rows, learn=lambda x, **_: fc.Normal(3)).given({0: 0.5}, rng=0)
    array = rest.log_prob(rows[[1, 2]].to_numpy())
    for columns in ([1, 2], [2, 1]):
        np.testing.assert_array_equal(rest.log_prob(rows[columns]), array)
    with pytest.raises(ValueError, match="two columns are called '1'"):
        Schema((Column(1, Kind("continuous")), Column("1", Kind("continuous"))))
