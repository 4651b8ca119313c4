"""The benchmark of questions to a density: its figures by hand, each script on a tiny setting."""

import json
import os
import sys
from functools import partial

import numpy as np
import pytest
from scipy.stats import linregress

import flowcore as fc
from benchmarks.studies.conditionals import (
    contestants,
    effective,
    figures,
    hidden,
    imputation,
    learning,
    published,
    seconds,
    truth,
    uci,
    wrong_cells,
)

RNG = np.random.default_rng


def test_holes_are_as_many_as_asked_for_and_no_row_or_column_is_empty():
    x = RNG(0).normal(size=(400, 5))
    holes = figures.with_holes(x, 0.3, RNG(1))
    hole = np.isnan(holes)
    assert 0.2 < hole.mean() < 0.3 and not hole.all(axis=1).any() and not hole.all(axis=0).any()
    assert np.array_equal(holes[~hole], x[~hole])


def test_crps_is_the_mean_over_pairs_and_coverage_is_exact():
    draws, y = RNG(0).normal(size=(7, 3)), np.array([0.0, 1.0, -2.0])
    pairs = np.abs(draws[:, None] - draws[None]).sum(axis=(0, 1)) / (7 * 6)
    assert np.allclose(figures.crps(draws, y), np.abs(draws - y).mean(axis=0) - pairs / 2)
    assert np.allclose(figures.crps(draws[:1], y), np.abs(draws[0] - y))
    cells = RNG(1).normal(size=(40, 20_000))  # the last one is the truth
    assert abs(figures.covered_cells(cells[:39], cells[39]).mean() - 0.95) < 0.01
    assert np.isnan(figures.covered_cells(draws[:1], y)).all()
    assert figures.share_of_loss(0.3, 0.5, 0.1) == pytest.approx(0.5)
    assert np.isnan(figures.share_of_loss(0.3, 0.1, 0.1))


def test_scores_of_categories_are_those_of_numbers_that_differ_by_0_or_1():
    draws, y = RNG(0).integers(0, 2, size=(9, 30)), RNG(1).integers(0, 2, size=30)
    assert np.allclose(figures.category_score(draws, y), figures.crps(draws, y))
    assert np.array_equal(figures.category_score(draws[:1], y), draws[0] != y)
    assert np.array_equal(figures.category_error(draws, y), (np.median(draws, axis=0) != y))


def test_errors_of_means_count_rows_not_cells():
    of_rows = RNG(0).normal(size=400)
    mean, error = figures.mean_and_error(np.repeat(of_rows, 5), np.repeat(np.arange(400), 5))
    assert mean == pytest.approx(of_rows.mean()) and error == pytest.approx(of_rows.std() / 20)


LEVELS = np.array([0, 3, 0, 2])


def mixed(n: int) -> hidden.Table:
    """Numbers and categories that depend on each other."""
    rng, z = RNG(0), RNG(1).normal(size=n)
    x = np.column_stack([z, np.digitize(z + 0.3 * rng.normal(size=n), [-0.6, 0.6]),
                         z + 0.3 * rng.normal(size=n), z > 0])  # fmt: skip
    return hidden.standardized(x, LEVELS)


def test_one_hot_columns_come_back_and_holes_stay():
    x = figures.with_holes(mixed(50).x, 0.3, RNG(2))
    hot = contestants.one_hot(x, LEVELS)
    assert hot.shape == (50, 7) and np.array_equal(np.isnan(hot[:, 2]), np.isnan(x[:, 1]))
    complete = mixed(50).x
    back = contestants.from_one_hot(contestants.one_hot(complete, LEVELS), LEVELS)
    assert np.allclose(back, complete)


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("who", contestants.OTHERS)
def test_imputers_keep_what_is_known(who, monkeypatch):
    monkeypatch.setattr(contestants, "DRAWS", 2)
    table = mixed(60)
    x, levels = figures.with_holes(table.x, 0.2, RNG(2)), table.levels
    if not imputation.can(who, table):
        x, levels = x[:, [0, 2]], levels[[0, 2]]
    known = ~np.isnan(x)
    found = contestants.OTHERS[who](x, levels, 0)
    assert found.shape[1:] == x.shape and len(found) in (1, 2) and np.isfinite(found).all()
    assert np.allclose(found[:, known], x[known])
    categories = found[:, :, levels > 0]
    assert np.array_equal(categories, categories.round())


UTREES = """
import numpy as np
class UnmaskingTrees:
    def __init__(self, random_state, xgboost_kwargs): self.seed = random_state
    def fit(self, x, quantize_cols):
        assert quantize_cols == ["continuous", "categorical", "continuous", "categorical"]
        self.x = x
        return self
    def impute(self, n_impute): return np.nan_to_num(np.stack([self.x] * n_impute), nan=self.seed)
"""


def test_rivals_run_in_an_environment_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "utrees.py").write_text(UTREES)
    (tmp_path / "utrees-0.9.dist-info").mkdir()
    (tmp_path / "utrees-0.9.dist-info" / "METADATA").write_text("Name: utrees\nVersion: 0.9\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.getenv("PYTHONPATH", "")]))
    x = figures.with_holes(mixed(20).x, 0.3, RNG(2))
    ask = partial(contestants.in_its_environment, python=sys.executable, x=x, levels=LEVELS)
    found, version = ask("utrees", draws=2, seed=7)
    assert version == "utrees 0.9" and found.shape == (2, 20, 4)
    assert np.array_equal(found[0], np.where(np.isnan(x), 7, x))
    (tmp_path / "missforest.py").write_text("raise ImportError('no forest here')")
    with pytest.raises(RuntimeError, match=r"MissForest did not impute: [\s\S]*no forest here"):
        ask("MissForest", draws=2, seed=7)


def test_interpreters_are_named_and_others_are_errors(tmp_path):
    assert imputation.environments([f"utrees={sys.executable}"])["utrees"].exists()
    assert "utrees" not in imputation.environments([f"utrees={tmp_path / 'none'}"])
    for wrong in ("utrees", "mean=python"):
        with pytest.raises(ValueError, match="NAME=PATH"):
            imputation.environments([wrong])


def test_a_table_has_the_best_of_the_others_and_its_gain():
    table = hidden.standardized(RNG(0).normal(size=(200, 2)))
    hole = np.zeros((200, 2), bool)
    hole[:, 0] = True
    truth_ = table.x[:, 0]

    def found(noise, facts=()):
        draws = truth_ + noise * RNG(1).normal(size=(39, 200))
        return [{"draws": draws, "hidden": hole, **dict(facts)}]

    facts = {"ess": 100.0, "low_ess": 50.0, "bad_k": 0.0}
    row = imputation.compared(
        "made", table, {"flowcore": found(0.5, facts), "near": found(0.6), "far": found(2.0)}
    )
    assert row["crps"]["best"] == "near" and row["crps"]["gain"] > 3 * row["crps"]["error"] > 0
    text = imputation.printed.by_table({"rows": [row]})
    assert "the best on 1 of 1 tables" in text and "made, 200 rows, 2 columns" in text


@pytest.mark.filterwarnings("ignore")  # few rows
def test_categories_are_drawn_by_a_table(small, monkeypatch):
    monkeypatch.setattr(contestants, "DRAWS", 3)
    table = mixed(80)
    x = figures.with_holes(table.x, 0.2, RNG(2))
    draws, facts = contestants.flow_density(x, table.levels, 0, 1e-3)
    known = ~np.isnan(x)
    assert draws.shape == (3, 80, 4) and np.allclose(draws[:, known], x[known])
    codes = draws[:, :, LEVELS > 0]
    assert set(codes[..., 0].ravel()) <= {0, 1, 2} and set(codes[..., 1].ravel()) <= {0, 1}
    assert facts["ess"] > 20


@pytest.mark.parametrize("name", truth.TARGETS)
def test_exact_answers_are_those_of_the_definition(name):
    known = truth.TARGETS[name]()
    x = truth.hidden_subsets(known.density.sample(20, 0), RNG(0))
    hole = np.isnan(x)
    assert hole.any(axis=1).all() and not hole.all(axis=1).any()
    answers = fc.Conditionals(truth.Hidden(known.density)).log_prob(x[:5], n_draws=2000)
    assert np.abs(known.log_known(x[:5]) - answers.log_p).max() < 0.3


@pytest.fixture
def small(monkeypatch):
    """One small flow only."""
    monkeypatch.setattr(fc, "FlowDensity", partial(fc.FlowDensity, "small", n_jobs=1))


def run(script, argv, tmp_path, capsys):
    """(what it prints, the rows of its JSON)."""
    file = tmp_path / "found.json"
    assert script.main(["--quick", "--json", str(file), *argv]) == 0
    return capsys.readouterr().out, json.loads(file.read_text("utf-8"))["rows"]


@pytest.mark.slow
def test_truth_runs(small, tmp_path, capsys):
    text, rows = run(truth, ["--targets", "two moons", "--rows", "40"], tmp_path, capsys)
    exact, ours = rows
    assert abs(exact["kl"]) < 0.05 and exact["joint"] == 0 and "two moons" in text
    assert ours["who"] == "FlowDensity" and ours["ess"] > 100


def test_imputation_runs_on_a_folder_and_goes_on(small, tmp_path, capsys, monkeypatch):
    pytest.importorskip("pandas")
    x = RNG(0).normal(size=(80, 1)) + 0.3 * RNG(1).normal(size=(80, 3))
    lines = ["a,b,c,kind", *(",".join(f"{v:.4f}" for v in row) + ",yes" for row in x)]
    (tmp_path / "made.csv").write_text("\n".join(lines))
    monkeypatch.setattr(imputation, "environments", lambda given: {})
    argv = ["--folder", str(tmp_path), "--contestants", "flowcore", "mean", "miceforest"]
    argv += ["--draws", str(tmp_path / "draws")]
    text, (row,) = run(imputation, argv, tmp_path, capsys)
    ours, mean = row["means"]["flowcore"], row["means"]["mean"]
    assert ours["crps"] < 0.7 * mean["crps"] and 0.8 < ours["covered"] <= 1
    assert mean["covered"] is None and row["crps"]["best"] == "mean"
    assert "the best on 1 of 1 tables" in text
    monkeypatch.setattr(contestants, "flow_density", None)  # the draws are there
    assert run(imputation, [*argv, "--print"], tmp_path, capsys)[1] == [row]


def test_a_regression_is_that_of_the_definition():
    x = RNG(0).normal(size=(30, 2))
    (constant, slope), half = published.least_squares(x)
    found = linregress(x[:, 0], x[:, 1])
    assert slope == pytest.approx(found.slope) and constant == pytest.approx(found.intercept)
    assert half[1] == pytest.approx(found.stderr * 2.048407, rel=1e-6)  # t of 28 degrees, .975
    other = x + np.array([0, 1])  # another constant, the same slope
    bias, coverage = published.regression_errors(x, np.stack([other, other]))
    assert coverage == 0.5 and bias == pytest.approx(abs(1 / constant) / 2)


def test_absolute_errors_by_hand():
    x = np.array([[0.0, 1, 5], [2, 0, 5], [4, 1, 6]])  # the range of the first is 4
    hole = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    a = np.array([[2.0, 0, 5], [2, 0, 5], [4, 1, 6]])  # off by 1/2, and another category
    b = np.array([[1.0, 1, 5], [2, 0, 5], [2, 1, 6]])  # off by 1/4, right, 1/2
    kinds = ("number", "category", "number")
    minimum, average = published.absolute_errors(x, hole, np.stack([a, b]), kinds)
    assert average == pytest.approx((1.5 + 0.75) / 2 / 3)
    assert minimum == pytest.approx(0.25 / 3)


def test_published_figures_are_those_of_the_paper():
    figures_ = json.loads(published.PUBLISHED.read_text("utf-8"))["tables"]
    assert set(uci.LOADERS) == set(figures_) and len(figures_) == 27
    rows = {row["who"]: row for row in published.means(figures_, dict.fromkeys(figures_, [0] * 4))}
    best, trees = rows["MissForest"], rows["UnmaskingTrees"]
    assert f"{best['AvgMAE']:.2f} {best['CoverageRate']:.2f}" == "0.12 0.79"
    assert f"{trees['AvgMAE']:.2f} {trees['PercentBias']:.2f}" == "0.14 0.55"
    assert best["tables of AvgMAE"] == 26 and best["tables of PercentBias"] == 6


def test_files_of_the_archive_are_read_with_and_without_a_header(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWCORE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"glass\.data is wanted"):
        uci.load("glass")
    (tmp_path / "uci").mkdir()
    (tmp_path / "uci" / "glass.data").write_text("1,1.5,13.6,1\n2,1.6,13.9,3\n3,1.7,13.5,1\n")
    (tmp_path / "uci" / "winequality-white.csv").write_text('"a";"quality"\n7;6\n8.5;5\n')
    glass, wine = uci.load("glass"), uci.load("wine_quality_white")
    assert np.array_equal(glass.x, [[1.5, 13.6, 0], [1.6, 13.9, 1], [1.7, 13.5, 0]])
    assert glass.kinds == ("number", "number", "category")
    assert np.array_equal(wine.x, [[7, 6], [8.5, 5]]) and wine.kinds == ("number", "integer")


def test_the_published_protocol_runs_and_goes_on(tmp_path, capsys, monkeypatch):
    def stub(holes, kinds, seed, budget):
        return np.stack([np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)] * 5)

    monkeypatch.setattr(published, "completed", stub)
    argv = ["--tables", "iris", "--draws", str(tmp_path)]
    text, rows = run(published, argv, tmp_path, capsys)
    assert [row["table"] for row in rows] == ["iris"] and rows[0]["CoverageRate"] is None
    assert 0.1 < rows[0]["MinMAE"] == rows[0]["AvgMAE"] < 0.5
    assert (
        "UnmaskingTrees" in text
        and "Errors: 1 tables; coverage and bias: 0" in text
        and "iris 1" in text
    )
    monkeypatch.setattr(published, "completed", None)
    assert run(published, [*argv, "--print"], tmp_path, capsys)[1] == rows


@pytest.mark.filterwarnings("ignore")  # few rows
def test_completed_tables_keep_what_is_known(small):
    rows = uci.load("iris")
    x, holes = published.hide(rows, 0, 60)
    assert np.isnan(holes).any() and not np.isnan(holes[:, -1]).any()
    draws = published.completed(holes, rows.kinds, 0, 1e-3)
    known = ~np.isnan(holes)
    assert draws.shape == (5, *x.shape) and np.allclose(draws[:, known], x[known])
    assert np.ptp(draws, axis=0)[~known].max() > 0


@pytest.mark.slow
def test_learning_runs(small, tmp_path, capsys):
    text, (row,) = run(learning, ["--tables", "gauss-4", "--rows", "80"], tmp_path, capsys)
    assert row["complete"] < row["learned"] < row["filled"] and "whole rows" in text
    assert learning.made("moons-4").log_prob(np.zeros((2, 4))).shape == (2,)


@pytest.mark.slow
def test_learning_of_a_table_with_categories_runs(small, tmp_path, capsys, monkeypatch):
    pd, rng = pytest.importorskip("pandas"), RNG(0)
    kind = rng.choice(["a", "b"], 400)
    x = np.where(kind == "a", 0.0, 3.0) + rng.normal(size=400)
    table = pd.DataFrame(
        {"kind": kind, "n": rng.poisson(9, 400), "x": x, "y": x + rng.normal(size=400)}
    )
    made = learning.mixed.Table(lambda: table, "kind")
    monkeypatch.setitem(learning.mixed.CHOOSING, "computers", made)
    _, (row,) = run(learning, ["--tables", "computers", "--rows", "200"], tmp_path, capsys)
    assert row["complete"] == 0 < row["learned"] < row["filled"] and row["mixture"] is None


def test_effective_sample_sizes_run(small, tmp_path, capsys):
    pytest.importorskip("pandas")
    text, (row,) = run(effective, [], tmp_path, capsys)
    assert row["table"] == "wine" and row["dim"] == 14 and row["ess"] > 60 and "k > .7" in text


def test_seconds_run(small, tmp_path, capsys):
    text, rows = run(seconds, ["--rows", "40", "--columns", "3"], tmp_path, capsys)
    assert [row["density"] for row in rows] == ["FlowDensity", "a spline flow"]
    assert rows[0]["parts"] > 2 and rows[0]["trusted"] > 0.8 and "MB" in text


def test_a_row_has_one_wrong_cell_and_it_is_distant():
    x = RNG(0).normal(size=(60, 3))
    x[:, 2] = 5.0  # has no distant value
    wrong, columns = wrong_cells.with_wrong_cells(x, RNG(1))
    assert 20 < len(wrong) < 60 and set(columns) == {0, 1}
    for row, j in zip(wrong, columns, strict=True):
        same = [np.delete(row, j).tolist() == np.delete(other, j).tolist() for other in x]
        (k,) = np.flatnonzero(same)
        assert abs(row[j] - x[k, j]) > x[:, j].std() and row[j] in x[:, j]


def test_wrong_cells_run(small, tmp_path, capsys):
    text, (row,) = run(wrong_cells, ["--tables", "iris"], tmp_path, capsys)
    assert min(row["explain"], row["residuals"]) > 0.6 > row["marginal"] and "chance" in text
