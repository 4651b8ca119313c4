"""The benchmark of continuous flows and angles runs and writes its table."""

import json

import numpy as np

from benchmarks import flow_matching


def test_it_measures_flows_of_the_plane_and_of_angles(tmp_path, capsys):
    file = tmp_path / "rows.json"
    argv = ["--quick", "--targets", "ring", "von_mises", "torus", "--json", str(file)]
    assert flow_matching.main(argv) == 0
    rows = json.loads(file.read_text("utf-8"))["rows"]
    assert [row["target"] for row in rows] == ["ring", "von_mises", "torus"]
    assert np.isfinite([row["kl"] for row in rows]).all() and rows[0]["n_steps"] >= 4
    assert "ring               seed 0 KL" in capsys.readouterr().out
