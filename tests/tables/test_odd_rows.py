"""An odd row stops nothing: it is named, and the others are answered as before."""

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, TableDensity, fit_table
from flowcore.tables.explaining import encoded

pytestmark = pytest.mark.usefixtures("few_folds")
N = 300
rng = np.random.default_rng(11)
TABLE = pd.DataFrame({
    "age": rng.integers(0, 90, N),
    "dose": rng.integers(1, 30, N) * 0.5,
    "pay": np.exp(rng.normal(size=N)),
    "day": pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d"),
    "city": rng.choice(["Bern", "Rome"], N),
})  # fmt: skip
KINDS = {"age": "integer(0, 120)", "dose": "gridded(0.5, 0, 20)", "pay": "positive",
         "day": "date(day, %Y-%m-%d)"}  # fmt: skip
ODD = {"age": -3, "dose": 2.3, "pay": 0.0, "day": "31 May", "city": "Oslo"}  # the last is unseen


def mixture(x, context=None, sample_weight=None, rng=0):
    width = 0 if context is None else context.shape[1]
    return fc.flows.maf(x.shape[1], 1, [8], width, standardize_context=False).initialize(
        x, context=context
    )


@pytest.fixture(scope="module")
def density() -> TableDensity:
    return fit_table(TABLE, Schema.from_data(TABLE).edit(KINDS), learn=mixture)


def with_odd(n=8) -> pd.DataFrame:
    """Row i has an odd cell in column i, and its neighbour is missing."""
    rows = TABLE.iloc[:n].astype(object).reset_index(drop=True)
    for i, (name, value) in enumerate(ODD.items()):
        rows.loc[i, name] = value
    return rows


def test_another_value_is_tried_for_the_three_most_surprising_cells(density):
    found = density.explain(TABLE.iloc[:40])
    order = (-found.surprise).argsort(axis=1)
    tried = ~np.isnan(found.gains)
    assert (np.take_along_axis(tried, order, axis=1) == [True, True, True, False, False]).all()


@pytest.mark.parametrize("name", TABLE)
def test_an_unknown_cell_makes_a_row_neither_odd_nor_usual(density, name):
    """The mean score of a row, over draws, is 0 without the cell, too: log g(x) is the sum of
    log g(x_j | the others), which counts as usual, and log g(the others)."""
    rows = density.sample(2000, rng=5)
    rows = rows.astype({name: object}).assign(**{name: None})
    surprises = density.answering.surprises(*encoded(density, density.schema_.select(rows))[2])
    error = surprises[:, -1].std() / np.sqrt(2000)
    assert abs(surprises[:, -1].mean()) < 5 * error + 0.05


@pytest.fixture
def in_blocks(monkeypatch):
    """Files are read in two blocks, of which the first has one row."""
    monkeypatch.setattr("flowcore.tables.reading.FIRST", 1)


@pytest.mark.usefixtures("in_blocks")
def test_the_command_scores_the_rows_beside_odd_ones(density, tmp_path, capsys):
    fc.save(density, tmp_path / "m.npz")
    with_odd().to_csv(tmp_path / "rows.csv", index=False)
    files = [str(tmp_path / name) for name in ("m.npz", "rows.csv")]
    assert main(["score", *files]) == 0
    printed, said = capsys.readouterr()
    found, alone = np.array(printed.split()[1:], float), density.log_prob(TABLE.iloc[:8])
    assert np.isneginf(found[:4]).all() and np.isfinite(found[4:]).all()
    assert found[5:] == pytest.approx(alone[5:])
    assert "4 of 8 rows have the density 0" in said
    assert "4 cells of 8 rows cannot be: row 0, column 'age'" in said
    assert f"the mean log_prob of the other rows is {found[4:].mean():.4f}" in said
    assert main(["score", "--strict", *files]) and "'age'" in capsys.readouterr().err


@pytest.mark.usefixtures("in_blocks")
def test_text_among_the_numbers_of_a_later_file_is_unknown_and_stays(density, tmp_path, capsys):
    fc.save(density, tmp_path / "m.npz")
    rows = TABLE.iloc[:8].astype(object)
    rows.loc[2, "pay"] = "about 3"
    rows.to_csv(tmp_path / "rows.csv", index=False)
    files = [str(tmp_path / name) for name in ("m.npz", "rows.csv")]
    assert main(["score", *files]) == 0
    printed, said = capsys.readouterr()
    found = np.array(printed.split()[1:], float)
    assert np.isnan(found[2]) and np.isfinite(np.delete(found, 2)).all()
    assert "row 2, column 'pay': 'about 3' is no number: 0.12 of the column's cells count" in said
    assert main(["score", *files, "--missing", "marginal"]) == 0
    printed, said = capsys.readouterr()
    known = density.log_prob(TABLE.iloc[:8].assign(pay=[np.nan] * 8), missing="marginal")
    assert float(printed.split()[3]) == pytest.approx(known[2]) and "is nan" not in said
    assert main(["impute", *files]) == 0 and "about 3" in capsys.readouterr().out
    assert main(["impute", "--strict", *files]) == 1 and "'about 3'" in capsys.readouterr().err
    rows["pay"] = "refused"  # all of them: a wrong file, not an odd row
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert main(["score", *files]) == 1 and "--missing-values refused" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:column 'city' never")
def test_imputation_answers_beside_an_odd_cell_and_leaves_it(density):
    rows = with_odd()
    rows.loc[:3, "city"] = None
    rows.loc[4, "pay"] = None
    with pytest.warns(UserWarning, match=r"4 cells of 8 rows cannot be: row 0, column 'age' is -3"):
        answers = density.impute(rows, n=3)
    known = rows.notna()
    for table in answers.tables:
        assert table.shape == rows.shape and table.notna().all(axis=None)
        assert (table.astype(object)[known] == rows[known]).where(known, True).all(axis=None)
    nothing_known = rows.copy()
    for name in list(ODD)[:4]:
        nothing_known.loc[list(ODD).index(name), name] = None
    same = density.impute(nothing_known, n=3)  # an odd cell counts as a missing one
    for a, b in zip(answers.tables, same.tables, strict=True):
        assert a["city"].tolist() == b["city"].tolist()
    with pytest.raises(ValueError, match="which is not"):
        density.impute(rows, n=1, strict=True)


@pytest.mark.filterwarnings("ignore:column 'city' never", "ignore:.*a category")
def test_a_diagnosis_leaves_odd_rows_out(density):
    rows = pd.concat([with_odd(), TABLE.iloc[8:].astype(object)])
    rows.loc[100, "pay"] = 1e9
    with pytest.warns(
        UserWarning, match=r"4 rows left out for odd cells: 4 cells of 300 rows cannot be"
    ):
        found = fc.diagnose(density, rows, draws=1000)
    assert found.n == N - 4 - 1  # the unseen city, too
    assert found.worst[0].index == 100
    with pytest.raises(ValueError, match="which is not"):
        fc.diagnose(density, rows, draws=1000, strict=True)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_imputer_takes_rows_beyond_those_of_its_fit():
    """In the folds of a sorted table."""
    x = np.sort(rng.normal(50, 9, 120).round())
    X = np.column_stack([x, x + rng.normal(size=120)])
    X[::7, 1] = np.nan
    imputer = fc.FlowImputer(TableDensity(learn=mixture, missing="drop"), bootstraps=0)
    later = imputer.fit(X[:80]).transform(X[80:])
    assert later.shape == (40, 2) and np.isfinite(later).all()
    assert np.array_equal(later[:, 0], X[80:, 0])


def test_a_value_that_a_boolean_cannot_have_is_odd():
    flags = pd.DataFrame({"flag": rng.random(N) < 0.4, "city": rng.choice(["a", "b"], N)})
    learned = fit_table(flags, Schema.from_data(flags))
    rows = flags.iloc[:3].astype(object)
    rows.loc[0] = ["maybe", None]
    with pytest.warns(UserWarning, match="row 0, column 'flag' is 'maybe', not inside of boolean"):
        (table,) = learned.impute(rows, n=1).tables
    assert table.loc[0, "flag"] == "maybe" and table["city"].notna().all()
    rows = pd.concat([rows, flags[3:]])
    rows.loc[50, "city"] = "new"
    with pytest.warns(UserWarning, match="1 row left out for odd cells"):
        found = fc.diagnose(learned, rows, draws=1000)
    assert found.of("tails")[0].rows == (50,)


def test_numbers_off_the_grid_are_named_by_each_answer():
    numbers = pd.DataFrame({"k": rng.poisson(5, 400), "x": rng.normal(size=400)})
    learned = fit_table(numbers, Schema.from_data(numbers).suggested(), learn=mixture)
    rows = numbers.astype({"k": float})
    rows.loc[3, "k"], rows.loc[5, "x"] = 2.5, np.nan
    for answer in (learned.log_prob, learned.impute, learned.possible_rows):
        with pytest.warns(UserWarning, match="row 3, column 'k' is 2.5, .* they are rounded"):
            answer(rows)
