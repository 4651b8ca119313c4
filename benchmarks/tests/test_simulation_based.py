"""The simulators by their moments, the classifier, truncation, and the command in quick form."""

import bz2
import json

import numpy as np
import pytest

import flowcore as fc
from benchmarks.studies import simulation_based as sbi

N = 40_000


def test_two_moons_is_a_displaced_crescent():
    """x - (-|t_1 + t_2|, t_2 - t_1) / sqrt 2 - (.25, 0) is half of a ring of radius .1."""
    theta = np.tile([[0.3, -0.8]], (N, 1))
    x = sbi.two_moons(theta, np.random.default_rng(0))
    ring = x - np.array([-0.5, -1.1]) / np.sqrt(2) - [0.25, 0.0]
    radius = np.hypot(*ring.T)
    assert abs(radius.mean() - 0.1) < 5 * 0.01 / np.sqrt(N)
    assert radius.std() == pytest.approx(0.01, rel=5 / np.sqrt(2 * N))
    angle = np.arctan2(*ring.T[::-1])
    assert (np.abs(angle) < np.pi / 2).all()
    assert angle.std() == pytest.approx(np.pi / np.sqrt(12), rel=0.02)
    turned = sbi.two_moons(theta[:, ::-1] * [-1, -1], np.random.default_rng(0))
    assert np.allclose(x, turned)  # the other moon


def test_slcp_draws_four_points_of_its_gaussian():
    theta = np.tile([[0.7, -2.0, 1.2, -0.9, 0.6]], (N, 1))
    x = sbi.slcp(theta, np.random.default_rng(0)).reshape(N, 4, 2)
    s1, s2, rho = 1.44, 0.81, np.tanh(0.6)
    exact = np.array([[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]])
    for k in range(4):
        assert np.allclose(x[:, k].mean(axis=0), [0.7, -2.0], atol=5 * 1.44 / np.sqrt(N))
        assert np.allclose(np.cov(x[:, k].T), exact, atol=5 * 2.1 * np.sqrt(2 / N))
    assert abs(np.corrcoef(x[:, 0, 0], x[:, 1, 0])[0, 1]) < 5 / np.sqrt(N)


def test_the_mixture_has_two_widths():
    theta = np.tile([[3.0, -4.0]], (N, 1))
    x = sbi.gaussian_mixture(theta, np.random.default_rng(0)) - theta
    assert np.allclose(x.var(axis=0), 0.505, atol=0.03)
    narrow = (np.abs(x) < 0.2).all(axis=1).mean()  # of the wide one, 2.5%
    assert narrow == pytest.approx(0.5 * 0.9545**2 + 0.5 * 0.1585**2, abs=0.015)


def test_the_classifier_is_blind_to_what_is_equal():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 600, 2))
    assert abs(sbi.c2st(a, b) - 0.5) < 0.08
    assert sbi.c2st(a, b + 4) > 0.95


def test_draws_stay_within_the_prior_and_truncation_within_the_posterior():
    rng = np.random.default_rng(0)
    flow = fc.flows.nsf(2, layers=1, hidden=[8], context_dim=2, standardize=False, rng=0)
    task, x = sbi.TASKS["two_moons"], np.zeros((1, 2))
    draws = sbi.draws_of(flow, task, x, 3000, rng)
    assert draws.shape == (3000, 2) and np.abs(draws).max() < 1
    more = sbi.truncated(flow, task._replace(bound=6.0), x, 2000, rng)
    assert more.shape == (2000, 2) and 1.5 < np.abs(more).max() < 6
    inside = flow.log_prob(more, context=x)
    assert inside.min() > -20  # a corner of the prior has less
    assert flow.log_prob(np.full((1, 2), 5.9), context=x)[0] < inside.min()


def test_the_network_before_x_is_part_of_the_flow():
    theta, x = np.random.default_rng(0).normal(size=(2, 50, 2))
    quick = {"epochs": 1, "learning_rate": 1e-6}
    plain, with_net = (sbi.fitted(theta, x, 0, net, **quick) for net in (False, True))
    assert with_net.n_params > plain.n_params and with_net.context_dim == plain.context_dim == 2


def test_the_command_reads_a_clone(tmp_path, capsys):
    folder = tmp_path / "sbibm/tasks/two_moons/files/num_observation_1"
    folder.mkdir(parents=True)
    (folder / "observation.csv").write_text("data_1,data_2\n0.1,0.2\n", "utf-8")
    rows = "\n".join(f"{a},{b}" for a, b in np.random.default_rng(0).uniform(-1, 1, (100, 2)))
    text = "parameter_1,parameter_2\n" + rows + "\n"
    (folder / "reference_posterior_samples.csv.bz2").write_bytes(bz2.compress(text.encode()))
    common = ["--quick", "--sbibm", str(tmp_path), "--tasks", "two_moons", "--observations", "1"]
    for extra in ([], ["--rounds", "2"], ["--context-net"]):
        assert sbi.main([*common, *extra, "--json", str(tmp_path / "found.json")]) == 0
        (row,) = json.loads((tmp_path / "found.json").read_text("utf-8"))["rows"]
        assert 0.3 < row["C2ST"] <= 1
    assert "mean C2ST" in capsys.readouterr().out
