"""A table as it comes is a model after one command: what has no density is set aside, and said."""

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, fit_table

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


def run(capsys, *arguments):
    status = main(list(arguments))
    return status, capsys.readouterr().err


def test_one_command_fits_what_a_refusal_has_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DIRTY.to_csv("dirty.csv")  # with the index, as pandas writes it
    fit = ("fit", "dirty.csv", "--quick", "--budget", "0.01", "--jobs", "1", "--flow", "affine")
    status, refused = run(capsys, *fit, "-o", "m.npz")
    assert status and "--missing learn --kind 'Unnamed: 0=aside'" in refused and "--auto" in refused
    assert all(f"{name!r} is best set aside" in refused for name in ASIDE)
    status, said = run(capsys, *fit, "-o", "m.npz", "--auto")
    assert not status and all(f"{name!r} is best set aside" in said for name in ASIDE)
    DIRTY.sample(frac=0.5, random_state=1).to_csv("dirty.csv")
    status, said = run(capsys, *fit, "-o", "next.npz", "--schema", "m.npz", "--missing", "learn")
    assert not status, said
    first, later = (fc.load(name).schema_ for name in ("m.npz", "next.npz"))
    assert [c.kind for c in first.columns] == [c.kind for c in later.columns]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("%-d/%m/%Y", "1/07/2017"), ("%-d/%-m/%Y", "21/7/2017"), ("%-m/%-d/%y", "7/21/17"),
        ("%d-%b-%Y", "05-Jul-2017"), ("%-d-%b-%y", "5-Jul-17"),
    ],
)  # fmt: skip
def test_days_are_read_in_any_order_and_written_as_they_were(form, written):
    days = list(pd.date_range("2017-06-25", periods=60))
    texts = [
        day.strftime(form.replace("%-d", str(day.day)).replace("%-m", str(day.month)))
        for day in days
    ]
    assert written in texts
    column = Schema.from_data({"d": texts, "x": rng.normal(size=60)}).columns[0]
    assert column.kind.form == form
