"""A table as it comes is a model after one command: what has no density is set aside, and said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, fit_table
from flowcore.tables.fitting import training_rows

pytestmark = pytest.mark.usefixtures("few_folds", "few_epochs")
N = 200
rng = np.random.default_rng(5)
AGE = np.where(np.arange(N) % 17, rng.integers(18, 90, N), np.nan)
DIRTY = pd.DataFrame({
    "customer_id": rng.choice(10**6, N, replace=False),
    "age": AGE,
    "zip": rng.choice([90001, 90210, 94105, 60601], N),
    "joined": [f"{day.day}/{day.month:02d}/{day.year}" for day in
               pd.date_range("2015-01-01", periods=N)],
    "pay": np.exp(rng.normal(8, 1, N)).round(2),
    "city": np.where(np.arange(N) % 23, rng.choice(["Bern", "Rome"], N), None),
    "country": "CH",
    "remark": [f"a text {i} about it" for i in range(N)],
    "age_again": AGE,
    "empty": np.full(N, np.nan),
})  # fmt: skip
ASIDE = ["customer_id", "country", "remark", "age_again", "empty"]


def test_every_proposal_is_followed_and_has_its_reason():
    schema = Schema.from_data(DIRTY, auto=True)
    aside = {c.name: c.note for c in schema.columns if c.kind.name == "aside"}
    assert list(aside) == ASIDE and all(aside.values())
    assert "identify rows" in aside["customer_id"] and "repeats column 'age'" in aside["age_again"]
    kinds = {c.name: str(c.kind) for c in schema.columns}
    assert kinds["zip"] == "categorical" and kinds["joined"] == "date(day, %-d/%m/%Y)"
    assert not any(c.suggestion for c in schema.columns)
    learn = fc.FlowDensity("affine", budget=0.01, n_jobs=1)
    density = fit_table(DIRTY, schema, learn=learn, missing="learn")
    answers = density.impute(DIRTY.iloc[:20], n=1)
    (table,) = answers.tables
    assert table[["age", "city"]].notna().all(axis=None)
    pd.testing.assert_frame_equal(table[ASIDE], DIRTY[ASIDE].iloc[:20])  # they come back


def test_what_nearly_follows_is_set_aside_too():
    X = pd.DataFrame({"pounds": rng.normal(7, 1, N).round(2), "age": AGE})
    X["grams"] = (453.6 * X["pounds"]).round(1)
    schema = Schema.from_data(X, auto=True)
    notes = {c.name: c.note for c in schema.columns if c.kind.name == "aside"}
    assert list(notes) == ["grams"] and notes["grams"].endswith("a flow hardly learns that")


def test_a_third_column_stays_where_one_nearly_repeats_another():
    a, c, noise = rng.normal(size=(3, N))
    X = {"a": a, "b": a + 5e-4 * c + 1e-5 * noise, "c": c}
    schema = Schema.from_data(X, auto=True)
    assert [c.name for c in schema.columns if c.kind.name == "aside"] == ["b"]


def run(capsys, *arguments):
    status = main(list(arguments))
    return status, capsys.readouterr().err


def test_one_command_fits_what_a_refusal_has_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DIRTY.to_csv("dirty.csv")  # with the index, as pandas writes it
    fit = ("fit", "dirty.csv", "--quick", "--budget", "0.01", "--flow", "affine")
    status, refused = run(capsys, *fit, "-o", "m.npz")
    assert status and "--missing learn --kind 'Unnamed: 0=aside'" in refused and "--auto" in refused
    assert all(f"{name!r} is best set aside" in refused for name in ASIDE)
    status, said = run(capsys, *fit, "-o", "m.npz", "--auto")
    assert not status and all(f"{name!r} is set aside" in said for name in ASIDE)
    DIRTY.sample(frac=0.5, random_state=1).to_csv("dirty.csv")
    status, said = run(capsys, *fit, "-o", "next.npz", "--schema", "m.npz", "--missing", "learn")
    assert not status, said
    first, later = (fc.load(name).schema_ for name in ("m.npz", "next.npz"))
    assert [c.kind for c in first.columns] == [c.kind for c in later.columns]


def test_a_log_has_a_line_at_the_start(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flowcore.cli.fit.LONG", 0.0)
    pd.DataFrame({"x": AGE[AGE > 0], "y": DIRTY["pay"][AGE > 0]}).to_csv("t.csv", index=False)
    fit = ("fit", "t.csv", "-o", "m.npz", "--budget", "0.01", "--flow", "affine")
    status, said = run(capsys, *fit)
    first = next(line for line in said.splitlines() if "note" not in line)
    assert not status and "188 rows of 2 columns: flows for about 0.01 min on two cores" in first
    status, said = run(capsys, *fit, "--no-progress")
    assert not status and "rows of 2 columns" not in said


def test_imputed_rows_have_the_columns_of_the_file_in_their_order(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = DIRTY[["remark", "age", "pay", "customer_id"]].assign(more="NA")
    own.to_csv("dirty.csv")
    fit = ("fit", "dirty.csv", "-c", "age,pay", "--missing", "learn", "--budget", "0.01")
    assert run(capsys, *fit, "--flow", "affine", "-o", "m.npz")[0] == 0
    own.iloc[::-1].to_csv("dirty.csv")
    status, said = run(capsys, "impute", "m.npz", "dirty.csv", "-o", "full.csv", "-n", "2")
    assert not status, said
    before, after = (
        pd.read_csv(name, dtype=str, keep_default_na=False) for name in ("dirty.csv", "full.csv")
    )
    assert after.columns.tolist() == ["imputation", *before.columns]
    aside = before.columns.difference(["age"])
    pd.testing.assert_frame_equal(
        after[aside], before[aside].loc[before.index.repeat(2)].reset_index(drop=True)
    )
    assert (after["age"] != "").all() and (before["age"] == "").any()


ROWS = 60
CELLS = {
    "prices on steps": st.floats(0, 16).map(lambda v: round(np.exp(v) / 500) * 500.0),
    "amounts": st.floats(0, 1e4).map(lambda v: round(v, 2)),
    "with zeros": st.one_of(st.just(0.0), st.floats(0, 1e3)),
    "negative": st.integers(-1000, 10).map(float),
    "any": st.floats(-1e300, 1e300),
    "huge": st.floats(1e200, 1e300),
    "tiny": st.floats(-1e-200, 1e-200),
    "whole": st.integers(-(2**62), 2**62),
    "few": st.sampled_from([0.0, 0.5, 1.0, 99.0, 0.0433, 7.25]),
    "whole as floats": st.integers(0, 40).map(float),
    "shares": st.floats(0, 1),
    "constant": st.just(3.5),
    "texts of numbers": st.integers(0, 99).map(str),
    "texts": st.text("ab c", min_size=1, max_size=4),
    "booleans": st.booleans(),
    "days": st.dates().map(lambda day: f"{day.day}/{day.month}/{day.year:04d}"),
    "days of a type": st.integers(-90_000, 90_000).map(lambda n: np.datetime64(n, "D").item()),
}  # fmt: skip


@st.composite
def tables(draw):
    """Two columns of drawn values, with missing cells, and one of normal numbers."""
    table = {"z": np.random.default_rng(0).normal(size=ROWS)}
    for name in draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=2)):
        seed = draw(st.lists(CELLS[name], min_size=1, max_size=ROWS))
        cells = np.array([*seed, *[seed[-1]] * ROWS], object)[:ROWS]
        if draw(st.booleans()):
            cells[draw(st.integers(0, ROWS - 1)) :: 7] = None
        table[name] = pd.Series(cells).infer_objects().to_numpy()
    return table


@given(tables())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_schema_that_was_found_takes_all_rows_of_its_table(table):
    """`auto` always; suggestions, too, apart from columns that have no density by themselves."""
    schema = Schema.from_data(table, auto=True)
    rows = training_rows(table, schema, "learn", None, False)
    assert len(rows.x) == ROWS and not schema.suggestions
    assert not rows.encoding.without_odd(schema.select(table))[1]
    try:
        schema = Schema.from_data(table, "learn").suggested()
    except ValueError as problem:  # text among numbers, or nothing in a column
        assert "no values" in str(problem) or "number" in str(problem)
        return
    refused = [c.name for c in schema.columns if c.kind.name in ("constant", "text")]
    try:
        training_rows(table, schema.edit(dict.fromkeys(refused, "aside")), "learn", None, False)
    except ValueError as problem:
        assert "no density" in str(problem)  # a copy, or a constant day


def test_an_empty_column_of_an_array_and_the_copy_with_holes_are_set_aside():
    x = rng.normal(size=(N, 2))
    schema = Schema.from_data(np.column_stack([x, np.full(N, np.nan)]), auto=True)
    assert [str(c.kind) for c in schema.columns] == ["continuous", "continuous", "aside"]
    holes = pd.DataFrame({"holes": np.where(rng.random(N) < 0.4, np.nan, x[:, 0]), "all": x[:, 0]})
    kinds = {c.name: str(c.kind) for c in Schema.from_data(holes, auto=True).columns}
    assert kinds == {"holes": "aside", "all": "continuous"}


def test_years_of_another_century_are_no_dates():
    years = [f"{1 + i % 28}/{1 + i % 12}/{30 + i % 69}" for i in range(N)]  # of birth: 1930 to 1998
    (column,) = Schema.from_data(pd.DataFrame({"born": years})).columns
    assert str(column.kind) == "text"
