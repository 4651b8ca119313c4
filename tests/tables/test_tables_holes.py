"""Densities of tables learned from rows with holes, categories among them; proposals in files."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import flowcore as fc
from flowcore.tables import Schema, TableDensity, fit_table
from flowcore.tables.missing_categories import drawn_codes, first_codes
from flowcore.tables.proposal import MixedMixture
from flowcore.tables.question import encoded_with_holes

pytestmark = pytest.mark.usefixtures("few_folds")
RNG = np.random.default_rng
QUICK = fc.FlowDensity("affine", budget=1e-3, n_jobs=1, random_state=0)
KINDS = {"age": "integer", "pay": "positive", "rain": "positive atoms(0)"}


def people(n=400, seed=0):
    rng = RNG(seed)
    city = rng.choice(["Bern", "Oslo", "Rome"], n, p=[0.5, 0.3, 0.2])
    age = rng.normal(np.select([city == "Bern", city == "Oslo"], [30, 45], 60), 3, n).round()
    wet = rng.random(n) < np.where(city == "Oslo", 0.8, 0.2)
    return pd.DataFrame({
        "city": city, "age": age, "pay": np.exp(0.05 * age + 0.2 * rng.normal(size=n)),
        "rain": np.where(wet, np.exp(rng.normal(size=n)), 0.0),
    })  # fmt: skip


def with_holes(X, share=0.3, seed=1):
    return X.mask(RNG(seed).random(X.shape) < share)


def learned(holes, missing="learn", budget=1e-3):
    schema, learn = Schema.from_data(holes, missing).edit(KINDS), clone(QUICK)
    return fit_table(holes, schema, learn=learn.set_params(budget=budget), missing=missing)


@pytest.fixture(scope="module")
def density():
    return learned(with_holes(people(250)))


# ---------------------------------------------------------------- what is learned


@pytest.mark.slow
def test_rows_with_holes_are_worth_more_than_complete_ones_alone():
    X, fresh = people(), people(1500, seed=2)
    holes, score = with_holes(X), lambda found: found.log_prob(fresh).mean()
    found, complete, dropped = (
        learned(rows, missing, budget=5e-3)
        for rows, missing in ((holes, "learn"), (X, "error"), (holes, "drop"))
    )
    lost = score(complete) - score(found), score(complete) - score(dropped)
    assert lost[0] < 0.7 * lost[1] and lost[0] < 0.15
    codes = found.encoding.encode(found.schema_.select(fresh))[0]
    true = complete.categories_.log_prob(codes).mean()
    assert found.categories_.log_prob(codes).mean() == pytest.approx(true, abs=0.02)
    assert dropped.notes["rows"] < 120 and found.notes["rows"] == 399
    assert found.summary.n_rows <= 399 and np.isfinite(found.summary.density.score)


def test_unknown_cells_are_no_values(density):
    columns = density.schema_.columns
    assert not any(column.missing for column in columns)
    assert "unknown" in columns[0].why
    drawn = density.sample(300, rng=0)
    assert drawn.notna().all().all() and 0.5 < (drawn["rain"] == 0).mean() < 0.8
    oslo = density.given({"city": "Oslo"}).sample(300, rng=0)
    assert (oslo["rain"] == 0).mean() < 0.4 < (density.sample(300, rng=0)["rain"] == 0).mean()
    ages = {city: density.given({"city": city}).mean()["age"] for city in ("Bern", "Oslo", "Rome")}
    assert ages == pytest.approx({"Bern": 30, "Oslo": 45, "Rome": 60}, abs=4)


def test_missing_cells_that_a_schema_has_as_values_stay_so(few_epochs):
    X = people(200)
    X["city"] = X["city"].where(RNG(0).random(200) < 0.7, None)
    schema = Schema.from_data(X)  # of the complete numbers, with cities that may be missing
    holes = X.assign(age=X["age"].mask(RNG(1).random(200) < 0.3))
    found = fit_table(holes, schema, learn=QUICK, missing="learn")
    assert found.schema_.columns[0].missing
    assert found.given({"city": None}).log_marginal == pytest.approx(np.log(0.3), abs=0.2)


def test_categories_alone():
    rng = RNG(0)
    a = rng.integers(0, 3, 900)
    b = np.where(rng.random(900) < 0.9, a, rng.integers(0, 3, 900))
    X = pd.DataFrame({"a": a, "b": b}).astype(str).map("v{}".format)
    found = fit_table(with_holes(X, 0.4), missing="learn")
    assert found.given({"a": "v1"}).shares()["b"]["v1"] == pytest.approx(0.9 + 0.1 / 3, abs=0.06)


def test_categories_that_follow_from_numbers_are_found_and_drawn_again(density):
    """First by classes, then by the density that was learned."""
    X = people(300, seed=5)
    holes = X.assign(city=X["city"].mask(RNG(0).random(300) < 0.4)).mask(
        RNG(1).random(X.shape) < 0.1
    )
    codes, x, hole, _ = encoded_with_holes(density.encoding, density.schema_.select(holes), True)
    truth = density.encoding.encode(density.schema_.select(X))[0]
    gone = (codes[:, 0] < 0) & ~np.isnan(x[:, 0])
    first = first_codes(codes, density.encoding.sizes, x, None, RNG(0))
    again = drawn_codes(density, codes, x, hole, RNG(0))
    for found, least in ((first, 0.6), (again, 0.85)):
        assert (found >= 0).all() and (found[codes >= 0] == codes[codes >= 0]).all()
        assert (found == truth)[gone, 0].mean() > least  # by chance .38


def test_an_imputer_of_a_density_that_learns_from_all_rows(few_epochs):
    holes = with_holes(people(80), 0.4)
    learn = clone(QUICK).set_params(missing="learn")
    fitted = fc.FlowImputer(learn, bootstraps=0).fit(holes)
    assert fitted.density_.missing == "learn" and fitted.density_.notes["rows"] > 75
    assert fitted.transform(holes[:20]).notna().all().all()


# ---------------------------------------------------------------- the proposal


def test_a_proposal_is_fitted_once_and_kept_in_files(density, tmp_path, monkeypatch):
    holes = with_holes(people(20, seed=9))
    fresh = TableDensity.of(density.schema_, density.density_, density.categories_)
    fc.save(fresh, tmp_path / "new.npz")
    assert fc.load(tmp_path / "new.npz").answering.kept is None
    expected = density.impute(holes, n=2)
    fc.save(density, tmp_path / "asked.npz")
    monkeypatch.setattr(MixedMixture, "fitted", None)  # a second fit is an error
    again = fc.load(tmp_path / "asked.npz")
    for a, b in zip(expected.tables, again.impute(holes, n=2).tables, strict=True):
        pd.testing.assert_frame_equal(a, b)


def test_a_flow_density_keeps_its_proposal(few_epochs, tmp_path, monkeypatch):
    X = people()[["age", "pay"]]
    X = X + RNG(1).random(X.shape)
    found = fc.FlowDensity("affine", budget=1e-3, n_jobs=1, random_state=0).fit(X)
    assert found.conditionals_.kept_proposal is None
    given = found.conditionals_.given({"age": 40.0})
    assert given.columns == ["pay"]
    fc.save(found, tmp_path / "asked.npz")
    monkeypatch.setattr("flowcore.conditionals.conditionals.fitted_proposal", None)
    again = fc.load(tmp_path / "asked.npz").conditionals_.given({"age": 40.0})
    assert again.mean() == given.mean() and repr(again) == repr(given)


# ---------------------------------------------------------------- bad input


def test_a_column_of_which_only_an_atom_is_known(few_epochs):
    X = people(120)
    X["rain"] = 0.0
    holes = with_holes(X)
    assert np.isfinite(learned(holes).log_prob(X)).all()  # without a warning of NumPy's


def test_tables_that_cannot_be_learned():
    X = with_holes(people(60))
    constant = X["pay"].where(X["pay"].isna(), 3.0)
    kinds = Schema.from_data(X, "learn").edit(KINDS)
    for table, options, message in (
        (X.assign(pay=np.nan), {}, "column 'pay' has no values: leave it out"),
        (X.assign(city=None), {}, "column 'city' has no values: leave it out"),
        (X.assign(pay=constant), {}, "'pay' is constant"),
        (X, {"schema": kinds, "learn": lambda x, **_: None},
         "missing='learn' wants a FlowDensity, but learn is <func"),
        (X, {"missing": "mean"}, "missing is one of error, drop, atom, learn: got 'mean'"),
        (X, {"missing": "error"}, r"or pass missing='drop' or missing='learn' or missing="),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            fit_table(table, **{"learn": QUICK, "missing": "learn"} | options)
