"""The benchmark of continuous flows and angles runs and writes its table."""

import json

import numpy as np
import pytest
from scipy.stats import gaussian_kde, norm

from benchmarks.studies import flow_matching, matching_peers


def test_it_measures_flows_of_the_plane_and_of_angles(tmp_path, capsys):
    file = tmp_path / "rows.json"
    argv = ["--quick", "--targets", "ring", "von_mises", "torus", "--json", str(file)]
    assert flow_matching.main(argv) == 0
    rows = json.loads(file.read_text("utf-8"))["rows"]
    assert [row["target"] for row in rows] == ["ring", "von_mises", "torus"]
    assert np.isfinite([row["kl"] for row in rows]).all() and rows[0]["n_steps"] >= 2
    assert "ring               seed 0 KL" in capsys.readouterr().out


def test_what_is_timed_beside_the_peers_does_its_work():
    case = matching_peers.Case(3, (8, 8))
    ours = matching_peers.Ours(case, epochs=2)
    before = ours.theta.copy()
    ours.step()
    assert (ours.theta != before).any() and ours.theta.dtype == np.float32
    assert ours.density().shape == (1000,) and ours.sample().shape == (1000, 3)
    pytest.importorskip("torchcfm", reason="torchcfm and zuko are installed by the benchmark")
    theirs = matching_peers.Theirs(ours, case)
    np.testing.assert_allclose(theirs.density(), ours.density(), atol=1e-2)
    theirs.step()
    for draws in (theirs.sample(), theirs.sample_by_dopri5(), ours.sample()):
        np.testing.assert_allclose(draws.mean(axis=0), ours.x.mean(axis=0), atol=0.3)


def test_the_kernel_estimate_is_that_of_scipy():
    x, y = np.random.default_rng(0).normal(size=(2, 200, 2))
    log_p = norm.logpdf(y).sum(axis=1)
    at_width = [
        np.mean(log_p - gaussian_kde(x.T, bw_method=lambda _, w=w: w).logpdf(y.T))
        for w in flow_matching.WIDTHS
    ]
    whitened = np.linalg.cholesky(np.linalg.inv(np.cov(x.T)))  # scipy's kernels have this shape
    found = flow_matching.kernel_kl(x @ whitened, y @ whitened, log_p, angles=False)
    jacobian = np.linalg.slogdet(whitened)[1]
    np.testing.assert_allclose(found - jacobian, min(at_width), atol=1e-9)
    angles = flow_matching.kernel_kl(x / 50, y / 50, log_p, angles=True)  # nearly a plane
    plane = flow_matching.kernel_kl(x / 50, y / 50, log_p, angles=False)
    np.testing.assert_allclose(angles, plane, atol=1e-2)
