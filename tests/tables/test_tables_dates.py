"""Dates and times of day: found, summed, drawn, written as they were, refused."""

import io
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import flowcore as fc
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table, read_blocks
from flowcore.tables.categorical import CategoricalMixture
from flowcore.tables.dates import (
    calendar,
    formats_of,
    from_calendar,
    is_clock,
    seconds_of,
    weekday,
    written,
)
from flowcore.tables.frequencies import Frequencies

N = 300
draw = np.random.default_rng(0)
DAYS = np.datetime64("2015-01-01") + draw.integers(0, 3000, N)  # some 1,000 days come
CLOCK = draw.integers(0, 24 * 60, N)
STAMPS = pd.Series(DAYS.astype("M8[s]") + CLOCK.astype("m8[m]"))


def texts(form):
    return [f"{d.day} {d:{form}}" if form == "%b %Y" else d.strftime(form) for d in STAMPS]


TABLES = {
    "date(day)": DAYS,
    "date(day, %Y-%m-%d)": texts("%Y-%m-%d"),
    "date(day, %d.%m.%Y)": texts("%d.%m.%Y"),
    "date(day, %-m/%-d/%Y)": [f"{d.month}/{d.day}/{d.year}" for d in STAMPS],
    "date(day, %Y%m%d)": np.array([int(t) for t in texts("%Y%m%d")]),
    "date(day, %b %-d %Y)": [f"{d:%b} {d.day} {d.year}" for d in STAMPS],
    "date(day, %-d %b %Y)": texts("%b %Y"),
    "date(minute)": STAMPS.to_numpy().astype("M8[ms]"),
    "date(minute, %Y-%m-%d %H:%M)": texts("%Y-%m-%d %H:%M"),
    "date(hour, %Y-%m-%dT%H:%M:%S)": texts("%Y-%m-%dT%H:00:00"),
    "time(minute, %H:%M)": texts("%H:%M"),
    "time(minute, %H%M)": np.array([int(t) for t in texts("%H%M")]),
}


def normal(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1)


def fitted(X, missing="error"):
    schema = Schema.from_data(X, missing=missing).suggested()
    return fit_table(X, schema, missing=missing, learn=normal)


@pytest.mark.parametrize("kind", TABLES)
def test_dates_are_found_drawn_and_written_as_they_were(kind):
    values = TABLES[kind]
    density = fitted({"when": values, "x": np.arange(N) / 7})
    column = density.schema_.columns[0]
    assert str(column.kind).replace("week, ", "") == kind
    if column.type != "number":
        assert ("from 2015-01-" in column.why) == (column.kind.name == "date")
    log_p = density.log_prob({"when": values, "x": np.arange(N) / 7})
    assert np.isfinite(log_p).all() and density.schema_.meaning.count("probability of when") == 1
    drawn = density.sample(200, rng=0)["when"]
    assert isinstance(drawn[0], str if isinstance(values[0], str) else type(np.asarray(values)[0]))
    assert np.isfinite(density.log_prob({"when": drawn, "x": np.zeros(200)})).all()
    found = seconds_of(np.asarray(drawn), column.kind.form)
    own = seconds_of(np.asarray(values), column.kind.form)
    again = written(own, column.kind.form, column.type == "number")
    assert again.tolist() == np.asarray(values).astype(again.dtype).tolist()
    assert abs(found.mean() - own.mean()) < 0.3 * own.std() and 0.6 < found.std() / own.std() < 1.4


@pytest.mark.parametrize("repeats", ["week", "year"])
def test_a_missing_date_is_one_value_beside_the_weekdays_or_months(repeats):
    """All p of missing dates is that of the rows that score as missing; draws have it."""
    gone = np.arange(N) % 5 == 0
    X = pd.DataFrame({"when": pd.Series(DAYS).mask(gone)})
    schema = Schema.from_data(X, missing="atom").edit(when=f"date(day, {repeats})")
    density = fit_table(X, schema, missing="atom", learn=normal)
    (p,) = np.exp(density.log_prob(X[:1]))
    assert p == pytest.approx(0.2, abs=0.01) and density.categories_.sizes[0] in (8, 13)
    assert pd.isna(density.sample(2000, rng=0)["when"]).mean() == pytest.approx(p, abs=0.03)


# ---------------------------------------------------------------- sums


def of(kind, *sizes):
    """A density of dates near 1970 and its p(c), which knows no symmetry."""
    kind = Kind.parse(kind)
    schema = Schema((Column("when", kind, "date"),))
    codes = np.array([*np.ndindex(sizes)])
    counts = Frequencies(sizes, codes, 1.0 + np.arange(len(codes)), np.zeros(len(sizes)), 1.0)
    n = {"week": 1, "year": 2}.get(kind.repeats, 1) + bool(kind.repeats and kind.step < 86400)
    categories = CategoricalMixture([1.0], counts) if sizes else None
    return TableDensity.of(schema, fc.Normal(n), categories), counts if sizes else None


def test_days_of_months_have_the_sum_one_but_for_days_that_a_month_lacks():
    density, counts = of("date(day, year)", 12)
    days = np.arange("-0008-01-01", "0010-01-01", dtype="M8[D]")
    p = np.exp(density.log_prob({"when": days}))
    month = days.astype("M8[M]").astype(int) % 12
    total, expected = np.bincount(month, p), np.exp(counts.log_prob(np.arange(12)[:, None]))
    long = [0, 2, 4, 6, 7, 9, 11]
    np.testing.assert_allclose(total[long], expected[long], rtol=5e-3)
    short = [1, 3, 5, 8, 10]
    assert (total[short] < expected[short]).all() and 0.97 < p.sum() < 1


def test_the_calendar_is_that_of_pandas():
    days = np.concatenate([DAYS, np.array(["1969-12-31", "2000-02-29", "1900-03-01"], "M8[D]")])
    seconds, index = days.astype("M8[s]").astype(float), pd.DatetimeIndex(days)
    year, month, day = calendar(seconds)
    assert (year == index.year).all() and (month + 1 == index.month).all()
    assert (day + 1 == index.day).all() and (weekday(seconds) == index.day_of_week).all()
    assert (from_calendar(year, month, day) == seconds).all()
    last = from_calendar(np.array([2023, 2024]), np.array([1, 1]), np.array([30, 30]))
    assert last.astype("M8[s]").astype("M8[D]").astype(str).tolist() == ["2023-02-28", "2024-02-29"]


@pytest.mark.parametrize(
    ("days", "repeats"),
    [
        (np.datetime64("2018-01-01") + 7 * (np.arange(N) % 150) + draw.integers(0, 5, N), "week"),
        (
            np.datetime64("2018-01-04") + 365 * (np.arange(N) % 9) + draw.integers(0, 80, N),
            "year",
        ),
        (np.datetime64("2018-01-01") + np.arange(294), ""),
        (np.datetime64("2018-01-01") + draw.integers(0, 20, N), ""),  # too few weeks
        (np.datetime64("2018-01-01") + 7 * (np.arange(N) // 2) + 3 * (np.arange(N) % 2), "week"),
        (np.datetime64("2015-01") + draw.integers(0, 60, N), ""),  # months have no weekdays
        (np.repeat(np.datetime64("2015-01-01") + draw.integers(0, 3000, 30), 10), ""),  # copies
    ],
)
def test_what_repeats_is_found(days, repeats):
    kind = Schema.from_data({"d": days}).columns[0].kind
    assert kind.repeats == repeats
    if repeats:
        drawn = fitted({"d": days}).sample(500, rng=0)["d"].astype("M8[D]")
        months, number = drawn.astype("M8[M]").astype(int) % 12, (drawn.astype(int) + 3) % 7
        odd = number > 4 if repeats == "week" else months > 3
        assert odd.mean() < 0.02


@pytest.mark.parametrize("unit", ["D", "M"])
def test_dates_without_a_rhythm_have_no_repeats(unit):
    found = [
        Schema.from_data({"d": np.datetime64("2015-01", unit) + draw.integers(0, most, 200)})
        for most in [{"D": 3000, "M": 60}[unit]] * 60
    ]
    assert not any(schema.columns[0].kind.repeats for schema in found)


def test_whole_numbers_that_are_days_repeat_by_their_frequencies():
    days = np.datetime64("2018-01-01") + np.arange(400)
    weekday = (days.astype(int) + 3) % 7
    often = np.repeat(days, np.where(weekday < 5, 5, 1))
    numbers = np.array([int(f"{d}".replace("-", "")) for d in often])
    column = Schema.from_data({"d": numbers}).columns[0]
    assert str(column.suggestion) == "date(day, week, %Y%m%d)"


@pytest.mark.parametrize(
    ("days", "form", "other"),
    [
        (np.datetime64("2015-01") + np.arange(40), "date(month, %m/%d/%Y)", "%d/%m/%Y"),
        (np.datetime64("2015-01-01") + 31 * np.arange(12), "date(day, %d/%m/%Y)", "%m/%d/%Y"),
    ],
)
def test_a_note_names_the_other_order_of_day_and_month(days, form, other):
    """American first days of months; days 1 to 12 of other months."""
    months_first = [f"{pd.Timestamp(d):%m/%d/%Y}" for d in days.astype("M8[D]")]
    column = Schema.from_data({"d": np.array(months_first, object)}).columns[0]
    assert str(column.kind) == form and f"or {other}, which fits" in column.note


@pytest.mark.parametrize(
    "values",
    [
        np.arange(30) * 1.5,
        np.arange(20200101, 20200160),  # there is no 40th of January
        np.array([f"v{i}" for i in range(30)], object),
        np.array(["2020-01-01"] * 50, object),
    ],
)
def test_what_are_no_dates(values):
    column = Schema.from_data({"x": values}).columns[0]
    assert not column.kind.is_date and not (column.suggestion and column.suggestion.is_date)


# ---------------------------------------------------------------- libraries, files, errors


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize(
    "kind", ["date(day)", "date(minute)", "date(day, %Y-%m-%d)", "time(minute, %H%M)"]
)
def test_scores_read_what_samples_write(library, kind, tmp_path):
    X = library({"when": TABLES[kind], "x": np.arange(N) / 7})
    density = fitted(X)
    assert str(density.schema_.columns[0].kind) == kind
    fc.save(density, tmp_path / "table.npz")
    again = fc.load(tmp_path / "table.npz")
    drawn = again.sample(50, rng=0)
    assert isinstance(drawn, type(X))
    log_p = density.log_prob(drawn)
    assert np.isfinite(log_p).all()
    table = drawn.to_pandas() if library is not pd.DataFrame else drawn
    file = io.BytesIO(table.to_csv(index=False).encode())
    (frame,) = read_blocks(file, schema=density.schema_)
    np.testing.assert_allclose(density.log_prob(frame), log_p, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date(day, %Y-%m-%d)", "soon"), ("date(day, %Y-%m-%d)", "2020-02-30"),
        ("date(day, %Y%m%d)", 20201301), ("date(day, %Y%m%d)", 3),
        ("time(minute, %H%M)", 2460), ("time(minute, %H:%M)", "24:00"),
        ("date(day)", np.datetime64("2020-01-01T10:00", "s")),
        ("date(minute)", np.datetime64("2020-01-01T10:00:30", "s")),
        ("date(day, %-d %b %Y)", "1 Foo 2020"),
    ],
)  # fmt: skip
def test_what_is_no_date_is_an_error_that_names_it(kind, value):
    X = {"when": TABLES[kind], "x": np.arange(N) / 7}
    density = fitted(X)
    wrong = list(X["when"][:4])
    wrong[2] = value
    is_date = isinstance(value, np.datetime64)
    wrong = np.array(
        wrong,
        "M8[s]"
        if is_date
        else np.asarray(X["when"]).dtype
        if not isinstance(value, str)
        else object,
    )
    message = r"row 2, column 'when' is .*, which is no (date|time)\(.*: write it so, or make it m"
    with pytest.raises(ValueError, match=message):
        density.log_prob({"when": wrong, "x": np.zeros(4)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date(year)", "a unit of dates is one of"),
        ("date(day, week, %Y", "no kind of column"),
        ("time(week)", "a unit of dates is one of"),
    ],
)
def test_kinds_of_dates_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Kind.parse(text)
    for good in (
        "date(day)",
        "date(hour, week, %Y-%m-%d %H)",
        "time(minute, %H:%M)",
        "date(day, year)",
    ):
        assert str(Kind.parse(good)) == good


def test_years_of_two_digits_are_no_dates_of_another_century():
    """Birthdays such as 1/7/45 would lie in 2045."""
    days = [f"{day:02}/{month:02}/{{}}" for day in (3, 14, 27) for month in (1, 5, 8, 12)]
    assert "%d/%m/%y" in formats_of(Counter(day.format("19") for day in days))
    assert not formats_of(Counter(day.format("45") for day in days))


@pytest.mark.parametrize(("hours", "clock"), [(3, False), (8, True)])
def test_numbers_in_few_hours_are_no_times_of_day(hours, clock):
    numbers = 100 * (9 + np.arange(hours))[:, None] + np.arange(0, 60, 5)
    assert is_clock(numbers.ravel()) == clock
