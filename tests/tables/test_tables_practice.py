"""What real tables showed: kinds that were wrong, and draws that no row could be."""

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from flowcore.tables import (
    Schema,
    fit_table,
)
from flowcore.tables.kind import Kind

rng = np.random.default_rng(0)
N = 600
HOUR = rng.integers(0, 24, N)
STEPS = np.sort(rng.integers(0, 400, N))


def shifted(x, context=None, sample_weight=None, rng=0):
    flow = fc.flows.maf(x.shape[1], 1, [8], 0 if context is None else context.shape[1])
    return fc.TransformedDistribution(flow.base, flow.bijector.initialize(x, context=context))


def suggestion(values, name="x"):
    column = Schema.from_data({name: values}, missing="atom").columns[0]
    return str(column.suggestion or column.kind)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (rng.integers(1, 30, N), "integer(0)"),  # rings, days, months: all below 60
        (rng.integers(0, 24, N) * 100, "gridded(100, 0)"),  # may be anything
        (100 * HOUR + rng.integers(0, 60, N), "time(minute, %H%M)"),
        (np.where(HOUR > 2, 100 * HOUR + rng.integers(0, 60, N), np.nan), "time(minute, %H%M)"),
        ([f"{h:02d}:00" for h in HOUR], "time(hour, %H:%M)"),  # was a unit of a day
        ([f"{1950 + i // 12}-{1 + i % 12:02d}" for i in range(144)], "date(month, %Y-%m)"),
        (pd.date_range("1950-01-01", periods=144, freq="MS"), "date(month)"),
        ([f"2013-01-{1 + i % 28:02d}T{i % 24:02d}:00:00Z" for i in range(N)],
         "date(hour, %Y-%m-%dT%H:%M:%SZ)"),
        (1.15078 * rng.integers(0, 30, N), "gridded(1e-05, 0)"),  # knots, from miles
        (np.where(STEPS < 90, 0, rng.integers(1, 97, N)), "integer(0) atoms(0)"),
        (np.clip(rng.normal(80, 20, N).round(), 0, 100), "integer(0) atoms(100)"),
        (np.floor(rng.normal(60, 9, N)) + 0.99, "integer(0.99)"),  # not from the least price on
        (rng.beta(5, 1, 2000).round(4), "gridded(0.0001, 0)"),  # near 1 only
        (rng.choice([0, 3111, 4300, 7111], N, p=[0.97, 0.01, 0.01, 0.01]), "categorical"),
        (np.where(rng.random(N) < 0.2, -0.0, rng.normal(size=N)), "continuous atoms(0)"),
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
