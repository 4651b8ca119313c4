"""The benchmark of questions to a density: its figures by hand, each script on a tiny setting."""

import json
from functools import partial

import numpy as np
import pytest

import flowcore as fc
from benchmarks.conditionals import (
    contestants,
    effective,
    figures,
    imputation,
    learning,
    seconds,
    truth,
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
    assert abs(figures.covered(cells[:39], cells[39]) - 0.95) < 0.01
    assert np.isnan(figures.covered(draws[:1], y))
    assert figures.share_of_loss(0.3, 0.5, 0.1) == pytest.approx(0.5)
    assert np.isnan(figures.share_of_loss(0.3, 0.1, 0.1))


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("who", [w for w in contestants.OTHERS if contestants.installed(w)])
def test_imputers_keep_what_is_known(who, monkeypatch):
    monkeypatch.setattr(contestants, "DRAWS", 2)
    x = figures.with_holes(
        RNG(0).normal(size=(60, 1)) + 0.1 * RNG(1).normal(size=(60, 3)), 0.2, RNG(2)
    )
    known = ~np.isnan(x)
    found = contestants.OTHERS[who](x, 0)
    assert found.shape[1:] == x.shape and len(found) in (1, 2) and np.isfinite(found).all()
    assert np.allclose(found[:, known], x[known])


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


def test_imputation_runs_on_a_folder(small, tmp_path, capsys):
    pytest.importorskip("pandas")
    x = RNG(0).normal(size=(80, 1)) + 0.3 * RNG(1).normal(size=(80, 3))
    lines = ["a,b,c,kind", *(",".join(f"{v:.4f}" for v in row) + ",yes" for row in x)]
    (tmp_path / "made.csv").write_text("\n".join(lines))
    argv = ["--folder", str(tmp_path), "--contestants", "FlowDensity", "mean", "miceforest"]
    text, rows = run(imputation, argv, tmp_path, capsys)
    ours, mean = rows[:2]
    assert ours["crps"] < 0.7 * mean["crps"] and 0.8 < ours["covered"] <= 1
    if not contestants.installed("miceforest"):
        assert "miceforest: not installed" in text


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
