"""The estimator's benchmark: its tables, its splits, its verdicts."""

import json

import numpy as np
import pytest

import flowcore as fc
from benchmarks.studies.estimator import run, tables, truth
from benchmarks.studies.estimator.results import compared


def test_tables_for_choosing_are_not_those_that_are_published():
    assert len(tables.REPORTING) == 20 and len(tables.CHOOSING) == 20
    assert not set(tables.REPORTING) & set(tables.CHOOSING)


def test_grids_are_filled():
    x = np.column_stack([np.arange(100) // 10, np.random.default_rng(0).normal(size=100)])
    filled = tables.grid_filled(x)
    assert len(np.unique(filled[:, 0])) == 100
    np.testing.assert_array_equal(filled[:, 0].round(), x[:, 0])
    np.testing.assert_array_equal(filled[:, 1], x[:, 1])


@pytest.mark.parametrize("n", [150, 20_000])
def test_splits(n):
    found = run.splits(n)
    assert len(found) == (10 if n < 20_000 else 1)
    for learn, held_out in found:
        assert sorted([*learn, *held_out]) == list(range(n))
    if n < 20_000:
        assert sorted(np.concatenate([held_out for _, held_out in found])) == list(range(n))


def rows(who, log_p, **more):
    more |= {"winner": "spline flow", "winner_is_flow": True}
    return [
        {"table": "t", "rows": 4, "columns": 2, "fold": k, "who": who, "seconds": 1.0,
         "log_p": values, **more}
        for k, values in enumerate(log_p)
    ]  # fmt: skip


def test_comparison_is_paired_and_of_the_folds_that_all_did():
    found = rows("FlowDensity", [[-1.0, -2.0], [-3.0, -4.0], [9.0, 9.0]])
    found += rows("Gaussian", [[-2.0, -3.0], [-4.0, -5.5]])
    found += rows("KDE, CV", [[-9.0, -9.0], [-9.0, -9.0]])
    [row] = compared(found)
    assert row["folds"] == 2 and row["best"] == "Gaussian" and row["flow_wins"]
    assert row["means"]["FlowDensity"] == -2.5
    np.testing.assert_allclose([row["gain"], row["error"]], [1.125, np.std([1, 1, 1, 1.5]) / 2])


def test_the_truth_of_twonorm():
    rng = np.random.default_rng(0)
    side = rng.choice([-1, 1], (4000, 1))
    x = side * 2 / np.sqrt(20) + rng.normal(size=(4000, 20))
    squares = [((x - s * 2 / np.sqrt(20)) ** 2).sum(axis=1) for s in (1, -1)]
    log_p = np.logaddexp(*(-0.5 * s for s in squares)) - np.log(2) - 10 * np.log(2 * np.pi)
    found = [
        {"table": "twonorm", "who": "FlowDensity", "fold": k,
         "log_p": log_p[held_out] + np.log(x[learn].std(axis=0)).sum() - 0.25}
        for k, (learn, held_out) in enumerate(run.splits(4000))
    ]  # fmt: skip
    kl, error = truth.twonorm_kl(found, lambda name: x, run.splits)
    np.testing.assert_allclose([kl, error], [0.25, 0.0], atol=1e-9)
    assert truth.twonorm_kl([], lambda name: x, run.splits) is None


def test_command(tmp_path, monkeypatch, capsys):
    x = np.random.default_rng(0).normal(size=(60, 2))
    monkeypatch.setattr(run, "load", lambda name: x)
    raw, json_file = tmp_path / "raw.json", tmp_path / "published.json"
    call = ["--tables", "iris", "--folds", "1", "--budget", "0.001", "--raw", str(raw)]
    call += ["--contestants", "FlowDensity", "Gaussian", "--json", str(json_file)]
    assert run.main(call) == 0
    assert "Of 1 tables" in capsys.readouterr().out
    before = raw.read_bytes()
    assert run.main(call) == 0 and raw.read_bytes() == before  # nothing is computed again
    [row] = json.loads(json_file.read_text("utf-8"))["rows"]
    assert set(row["means"]) == {"FlowDensity", "Gaussian"} and row["folds"] == 1


def test_costs_are_printed_beside_the_plans(capsys):
    from benchmarks.studies.estimator import costs

    assert costs.main(["--dims", "2", "--batches", "16", "--quick"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 7 and "spline" in out and "planned" in out


def test_optimism_is_measured_by_nested_folds(tmp_path, monkeypatch, capsys):
    from benchmarks.studies.estimator import optimism

    assert not set(optimism.TABLES) & set(tables.REPORTING)
    x = fc.targets.two_moons().sample(60, rng=0)
    monkeypatch.setattr(optimism, "load", lambda name: x)
    raw = tmp_path / "raw.json"
    call = ["--tables", "ais", "--folds", "2", "--budget", "0.001", "--raw", str(raw)]
    assert optimism.main(call) == 0 and "optimism" in capsys.readouterr().out
    before = raw.read_text("utf-8")
    assert optimism.main(call) == 0 and raw.read_text("utf-8") == before  # nothing again
    for row in json.loads(before):
        assert len(row["held_out"]) == 54 and len(row["one_fold"]) == 6
        assert (np.array(row["one_fold"]) < row["density"]).all()  # an average of densities
    own = [{**row, "one_fold": [-2.0] * 6, "density": [-1.0] * 6, "held_out": [-1.5] * 54,
            "stated": -1.4} for row in json.loads(before)]  # fmt: skip
    assert optimism.compared("ais", own)[3:] == [
        "-1.400", "-2.000", "-1.000", "+0.600", "0.000", "-0.400", "0.000",
    ]  # fmt: skip


def test_seconds_of_a_fit_are_printed(capsys):
    from benchmarks import fit_seconds as seconds

    assert seconds.main(["--sizes", "60x2", "--budget", "0.001"]) == 0
    assert "60" in capsys.readouterr().out
