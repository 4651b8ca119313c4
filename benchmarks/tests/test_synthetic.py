"""Figures of drawn rows: by hand, beside SDMetrics, and a run on a made table."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.environment import python_of
from benchmarks.studies.synthetic import contestants, figures, run, tables
from benchmarks.studies.tables import synthetic

pd = pytest.importorskip("pandas")


def made(n, seed, correlation=0.8):
    """Two numbers, one with zeros, and two categories that depend on them."""
    rng = np.random.default_rng(seed)
    x, e = rng.normal(size=(2, n))
    y = np.where(rng.random(n) < 0.4, 0.0, correlation * x + (1 - correlation) * e)
    city = np.where(x + 0.5 * e > 0, "Rome", np.where(e > 0.5, "Oslo", "Bern")).astype(object)
    old = np.where(y > 0, "yes", "no").astype(object)
    return pd.DataFrame({"x": x, "y": y, "city": city, "old": old})


REAL, ALIKE, OTHER = made(600, 0), made(600, 1), made(600, 2, correlation=0.1)


def test_shapes_and_pairs_by_hand():
    real = pd.DataFrame({"a": [0.0, 1, 2, 3], "c": ["u", "u", "v", "v"]})
    drawn = pd.DataFrame({"a": [0.0, 1, 2, 9], "c": ["u", "v", "v", "w"]})
    assert figures.column_shapes(real, real) == figures.pair_trends(real, real) == 1
    assert figures.column_shapes(real, drawn) == pytest.approx((0.75 + 0.75) / 2)
    assert figures.overlap(real[["c"]], drawn[["c"]]) == 0.75
    assert figures.overlap(real, drawn) == 0.5  # (0, u) and (2, v) are in both


def test_shapes_and_pairs_are_those_of_sdmetrics():
    pytest.importorskip("sdmetrics")
    from sdmetrics.reports.single_table._properties import ColumnPairTrends, ColumnShapes

    kinds = {name: "numerical" if tables.is_number(REAL[name]) else "categorical" for name in REAL}
    metadata = {"columns": {name: {"sdtype": kind} for name, kind in kinds.items()}}
    for drawn in (ALIKE, OTHER):
        shapes = ColumnShapes().get_score(REAL, drawn, metadata)
        pairs = ColumnPairTrends().get_score(REAL, drawn, metadata)
        assert figures.column_shapes(REAL, drawn) == pytest.approx(shapes, abs=1e-9)
        assert figures.pair_trends(REAL, drawn) == pytest.approx(pairs, abs=1e-9)


def test_a_detector_finds_what_differs_and_guesses_where_nothing_does():
    assert abs(figures.detector_auc(REAL, ALIKE) - 0.5) < 0.08
    assert figures.detector_auc(REAL, OTHER) > 0.7


def test_a_classifier_learns_from_draws_what_they_keep():
    shuffled = contestants.independent(REAL, np.random.default_rng(0))
    for target in ("city", "y"):
        assert figures.transfer_auc(ALIKE, REAL, target) > 0.9
        assert figures.transfer_auc(shuffled, REAL, target) < 0.65
    assert figures.transfer_auc(ALIKE.assign(old="no"), REAL, "old") == 0.5


def test_copies_are_nearer_to_training_rows_and_other_rows_are_not():
    held_out = made(600, 3)
    assert figures.nearer_share(REAL, held_out, REAL) > 0.99
    assert figures.nearer_share(REAL, held_out, held_out) < 0.01
    assert abs(figures.nearer_share(REAL, held_out, ALIKE) - 0.5) < 0.07
    assert figures.nearer_share(REAL, REAL, ALIKE) == 0.5  # ties


def test_distance_counts_a_category_as_the_range_of_a_number():
    a = pd.DataFrame({"x": [0.0, 10], "c": ["u", "u"]})
    b = pd.DataFrame({"x": [4.0, 4], "c": ["v", "v"]})
    drawn = pd.DataFrame({"x": [4.0], "c": ["u"]})
    assert figures.nearer_share(a, b, drawn) == 1  # .4 is less than 1


def test_shares_of_the_commonest_value_and_out_of_range():
    real = pd.DataFrame({"x": [0.0, 0, 0, 8], "c": list("aabb")})
    drawn = pd.DataFrame({"x": [0.0, 5, -1, 9], "c": list("aaab")})
    assert figures.commonest_gap(real, drawn) == (0.5, "x")
    assert figures.outside_share(real, drawn) == 0.5


@pytest.mark.parametrize("draw", [contestants.copula, contestants.independent])
def test_columns_of_others_keep_their_values(draw):
    drawn = draw(REAL, np.random.default_rng(0))
    for name in REAL:
        assert set(drawn[name]) <= set(REAL[name])
    assert figures.column_shapes(REAL, drawn) > 0.97
    kept = abs(drawn["x"].corr(drawn["y"]))
    assert kept > 0.3 if draw is contestants.copula else kept < 0.15


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize(
    ("draw", "package"), [(contestants.beta_copula, "copulas"), (contestants.forest, "arfpy")]
)
def test_others_that_are_packages(draw, package):
    pytest.importorskip(package)
    drawn = draw(REAL, np.random.default_rng(0))
    assert drawn.shape == REAL.shape and drawn["x"].between(*REAL["x"].agg(["min", "max"])).all()
    assert figures.column_shapes(REAL, drawn) > 0.8


def test_what_was_chosen_on_is_not_reported():
    assert not tables.CHOOSING.keys() & tables.REPORTING.keys()
    assert len(tables.REPORTING) >= 5


def test_a_run_goes_on_and_prints_its_tables(tmp_path, monkeypatch, capsys):
    halves = {"census": (REAL, ALIKE), "credit": (ALIKE, REAL)}
    own = tables.Table(lambda: REAL, "city")
    monkeypatch.setattr(run, "REPORTING", dict.fromkeys(halves, own))
    asked = []
    monkeypatch.setattr(run, "halves", lambda name: asked.append(name) or halves[name])
    monkeypatch.setattr(run, "versions", lambda: "none")
    monkeypatch.setattr(run.environment, "ensure", lambda *_: python_of(Path(sys.prefix)))
    file = tmp_path / "synthetic.json"
    argv = ["--quick", "--json", str(file), "--contestants", "held-out rows", "flowcore"]
    argv += ["--budget", "0.001", "--tables"]
    assert run.main([*argv, "credit"]) == 0 and run.main([*argv, "census", "credit"]) == 0
    document = json.loads(file.read_text("utf-8"))
    assert asked == ["credit", "census"]
    found = [(row["table"], row["who"]) for row in document["rows"]]
    assert found == [(t, who) for t in halves for who in ("held-out rows", "flowcore")]
    ours = document["rows"][1]
    assert ours["rows"] == 500 and ours["shapes"] > 0.9 and ours["detector"] < 0.75
    assert len(ours["gain"]) == 2 and document["rows"][0]["nearer"] is None
    assert "| mean of 2 tables |" in capsys.readouterr().out
    assert (
        synthetic.means(document).count("\n") == 4 == synthetic.by_table(document).count("\n") - 2
    )
