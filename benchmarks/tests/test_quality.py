"""Time to quality without peers: curves, thresholds, a run of flowcore, one that goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies import time_to_quality
from benchmarks.studies.environment import python_of
from benchmarks.studies.tables import beside_peers
from benchmarks.support.common import Report

QUICK = ["--quick", "--libraries", "--rounds", "1", "--seconds", "0.0005"]


def test_a_threshold_is_reached_between_two_points():
    curve = [[10, -1.0], [20, 0.0], [30, -0.5], [40, 1.0]]
    assert beside_peers.seconds_to(curve, -0.5) == 15
    assert beside_peers.seconds_to(curve, 0.5) == pytest.approx(30 + 10 * 2 / 3)
    assert beside_peers.seconds_to(curve, -2) == 10  # before the first validation: then
    assert beside_peers.seconds_to(curve, 1.5) is None
    assert beside_peers.pace(curve) == 10 and beside_peers.pace(curve[:1]) == 10


def test_a_run_writes_as_it_goes_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    file, picture = tmp_path / "quality.json", tmp_path / "new" / "quality.png"
    argv = [*QUICK, "--thresholds", "-9.6", "--json", str(file)]
    here = Path(sys.prefix)
    monkeypatch.setattr(time_to_quality.environment, "ensure", lambda env, kind: python_of(here))
    assert time_to_quality.main([*argv, "--picture", str(picture)]) == 0
    (row,) = json.loads(file.read_text("utf-8"))["rows"]
    seconds, values = np.transpose(row["curve"])
    assert row["complete"] and len(values) == 3
    assert (np.diff(seconds) > 0).all() and values[-1] > values[0]
    assert picture.read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(time_to_quality, "learn", lambda *args: pytest.fail("trained again"))
    assert time_to_quality.main(argv) == 0
    assert json.loads(file.read_text("utf-8"))["rows"] == [row]
    with pytest.raises(ValueError, match="other settings"):
        time_to_quality.main([*argv, "--epochs", "4"])


def test_what_was_stopped_half_way_is_made_again(tmp_path):
    args = time_to_quality.arguments(QUICK)
    settings = Report("time_to_quality", args).as_dict()["settings"]
    file = tmp_path / "quality.json"
    rows = [
        {"name": n, "complete": c, "curve": []} for n, c in (("zuko", True), ("flowcore", False))
    ]
    file.write_text(json.dumps({"settings": settings, "rows": rows}))
    assert [row["name"] for row in time_to_quality.finished(file, settings)] == ["zuko"]
    assert time_to_quality.finished(None, settings) == []


def test_a_run_ends_after_its_minutes(tmp_path):
    args = time_to_quality.arguments([*QUICK, "--minutes", "0.000001"])
    time_to_quality.save(tmp_path / "table.npz", quick=True)
    row, report = {"curve": []}, Report("time_to_quality", args)
    run = (Path(sys.executable), "flowcore", tmp_path / "table.npz", report)
    time_to_quality.learn(*run, row)  # killed, and no error
    assert not row["curve"]
    args.minutes = 1.0
    with pytest.raises(RuntimeError, match=r"(?s)nobody did not train.*KeyError"):
        time_to_quality.learn(run[0], "nobody", *run[2:], row)
