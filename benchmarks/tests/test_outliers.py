"""The outlier benchmark without PyOD: rules, what is done to tables, ranks, verdicts, a run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies import outlier_detectors, outlier_tables, outliers
from benchmarks.studies.environment import python_of
from benchmarks.studies.outlier_tables import CHOOSING, REPORTING, Labelled, prepared
from benchmarks.studies.tables import quality


def labelled(**rule):
    """Twenty rows of three classes: ten a, six b, four c."""
    classes = np.repeat(["a", "b", "c"], [10, 6, 4])
    return Labelled("ours", lambda: (np.arange(20.0)[:, None], classes), **rule)


def test_a_rule_decides_which_rows_stay_and_which_are_outliers():
    table, is_outlier = labelled(outliers=["c"]).load()
    assert len(table) == 20 and is_outlier.tolist() == [False] * 16 + [True] * 4
    table, is_outlier = labelled(outliers=["b"], normal=["a"], thin=2).load()
    assert len(table) == 12 and is_outlier.sum() == 2
    assert set(table[is_outlier, 0]) < set(range(10, 16)) and (np.diff(table[:, 0]) > 0).all()
    again, _ = labelled(outliers=["b"], normal=["a"], thin=2).load()
    np.testing.assert_array_equal(table, again)


def test_tables_are_standardised_and_lose_constant_columns_and_rows_beyond_the_most(monkeypatch):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(5, 3, 40), np.full(40, 7.1), rng.normal(size=40)])
    is_outlier = np.arange(40) < 3
    found, same = prepared(table, is_outlier)
    assert found.shape == (40, 2) and same.sum() == 3
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), 1)
    monkeypatch.setattr(outlier_tables, "MOST_ROWS", 30)
    fewer, labels = prepared(table, is_outlier)
    assert fewer.shape == (30, 2) and labels.shape == (30,)


def test_made_outliers():
    table = np.random.default_rng(0).normal(5, [1, 3, 9], (400, 3))
    wrong, is_outlier = outlier_tables.swapped(table, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(wrong, axis=0), np.sort(table, axis=0))
    assert is_outlier.sum() == 10 and ((wrong != table).sum(axis=1) == is_outlier).all()
    more, is_outlier = outlier_tables.clustered(table, np.random.default_rng(1))
    cluster = more[is_outlier]
    assert len(cluster) == 10 and (cluster.std(axis=0) < 0.3 * table.std(axis=0)).all()
    np.testing.assert_array_equal(more[~is_outlier], table)


def test_what_was_chosen_on_is_not_reported():
    assert not CHOOSING.keys() & REPORTING.keys()
    assert len(REPORTING) >= 15
    assert {rule.source for rule in REPORTING.values()} == {"ODDS", "ADBench", "KEEL"}


def row(name, **auroc):
    return {"table": name, "rule": "ours", "n": 100, "dim": 2, "outliers": 5, "auroc": auroc,
            "seconds": dict.fromkeys(auroc, 1.0)}  # fmt: skip


ROWS = [
    row("first", FlowDensity=0.9, KNN=0.8, KDE=0.7, GMM=0.6),
    row("second", FlowDensity=0.5, KNN=0.9, KDE=0.6, GMM=0.5),
]


def test_ranks_means_and_the_verdict():
    by_name = {who: numbers for who, *numbers in quality.summary(ROWS)}
    assert by_name["FlowDensity"] == [pytest.approx(0.7), pytest.approx(2.25), 0.5]  # level: 3.5
    assert by_name["KNN"] == [pytest.approx(0.85), pytest.approx(1.5), 1.0]
    said = quality.verdict(ROWS)
    assert "mean AUROC 0.700, -0.150 beside the best of PyOD (KNN; target +0.01: missed)" in said
    assert "in the top two on 50% (target 45%: met)" in said
    assert quality.verdict([row("alone", KNN=0.5)]) == ""


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch, capsys):
    asked = []

    def far(table):
        asked.append(len(table))
        return np.abs(table).sum(axis=1)

    rng = np.random.default_rng(1)
    table = np.concatenate([rng.normal(size=(50, 2)), [[9, 9], [8, 8]]])
    monkeypatch.setattr(outliers, "load", lambda name, kind: (table, np.arange(52) >= 50))
    monkeypatch.setattr(outliers, "_versions", lambda: "none")
    monkeypatch.setattr(outliers.environment, "ensure", lambda *_: python_of(Path(sys.prefix)))
    monkeypatch.setitem(outlier_detectors.DETECTORS, "KNN", far)
    file = tmp_path / "outliers.json"
    argv = ["--detectors", "KNN", "--json", str(file), "--tables"]
    assert outliers.main([*argv, "wine"]) == 0 and asked == [52]
    assert outliers.main([*argv, "wine", "glass"]) == 0 and asked == [52, 52]
    rows = json.loads(file.read_text("utf-8"))["rows"]
    assert [r["table"] for r in rows] == ["glass", "wine"] and rows[0]["auroc"] == {"KNN": 1.0}
    assert "mean AUROC" in capsys.readouterr().out
    assert outliers.main([*argv, "wine", "--kinds", "swapped", "clustered"]) == 0
    found = capsys.readouterr().out
    assert "| swapped: wine | 52 | 2 | 3.8% | 1.000 (1.00) |" in found and len(asked) == 4
