"""The inference benchmark: exact targets and evidences, ports, the command in quick form."""

import json
import zipfile
from types import SimpleNamespace

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import integrate, stats

from benchmarks.studies.inference import models, peers, regressions, rival, tables
from benchmarks.studies.inference.exact import mixture, targets
from benchmarks.studies.inference.known import problems, shared
from benchmarks.studies.inference.posterior import Posterior, moments, score_of_the_port
from benchmarks.studies.inference.run import main


def test_a_mixture_is_that_of_its_draws():
    target, rng = mixture(2, 3, 2.0, 0), np.random.default_rng(0)
    wide = stats.multivariate_normal(np.zeros(2), 9 * np.eye(2))
    y = wide.rvs(100_000, random_state=1)
    w = np.exp(target.log_p(y) - wide.logpdf(y))
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.2
    x = target.sample(100_000, rng)
    slope = elementwise_grad(lambda x: target.log_p(x))(x)
    assert (np.abs(slope.mean(axis=0)) < 5 * slope.std(axis=0) / np.sqrt(len(x))).all()


@pytest.mark.parametrize("name", targets(3))
def test_exact_targets_have_the_integral_one_and_their_draws(name):
    """By importance from a wide t density, and by E grad log p = 0 over the draws."""
    target, rng = targets(3)[name], np.random.default_rng(0)
    x = target.sample(200_000, rng)
    slope = elementwise_grad(lambda x: target.log_p(x))(x)
    assert (np.abs(slope.mean(axis=0)) < 5 * slope.std(axis=0) / np.sqrt(len(x))).all()
    two = targets(2)[name]
    wide = stats.multivariate_t(np.zeros(2), 4 * np.eye(2), df=1)
    y = wide.rvs(200_000, random_state=1)
    with np.errstate(all="ignore"):  # far out in the neck
        w = np.exp(two.log_p(y) - wide.logpdf(y))
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.2


@pytest.mark.parametrize("name", problems())
def test_evidences_are_exact(name):
    """The mean of q / p~ over draws of p is 1 / Z, for any normalised q narrower than p."""
    problem = problems()[name]
    x = problem.sample(100_000, np.random.default_rng(0))
    q = stats.multivariate_normal(x.mean(axis=0), 0.5 * np.cov(x.T))
    w = np.exp(q.logpdf(x) - problem.log_p(x) + problem.log_z)
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.2


def test_a_regression_is_its_formula():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    posterior = regressions.regression(x, y, regressions.normal(0.0, 2.0))
    p = {"beta": rng.normal(size=(4, 3)), "sigma": rng.gamma(2, size=4)}
    exact = stats.norm.logpdf(y, p["beta"] @ x.T, p["sigma"][:, None]).sum(axis=1)
    exact += stats.norm.logpdf(p["beta"], 0, 2).sum(axis=1)
    assert np.ptp(posterior.log_p(p) - exact) < 1e-9


def test_the_score_of_a_port_finds_a_wrong_one():
    ref = {"a": np.random.default_rng(0).gamma(3.0, size=5000)}

    def of(shape):
        return Posterior({"a": "positive"}, lambda p: (shape - 1) * anp.log(p["a"]) - p["a"],
                         lambda p: {"a": p["a"]}, lambda ref: {"a": ref["a"]})  # fmt: skip

    assert score_of_the_port(of(3.0), ref) < 4 and score_of_the_port(of(3.3), ref) > 8
    assert moments(ref).mean["a"] == pytest.approx(3, abs=0.1)


def test_the_likelihood_of_a_hidden_markov_model_by_summing_all_paths():
    y = np.array([3.0, 9.0, 4.0])
    posterior = models.hmm("hmm_example", {"y": y})
    p = {"theta1": np.array([[0.7, 0.3]]), "theta2": np.array([[0.2, 0.8]]),
         "mu1": np.array([2.5]), "step": np.array([7.0])}  # fmt: skip
    theta, mu = np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([2.5, 9.5])
    total = 0.0
    for path in np.ndindex(2, 2, 2):
        weight = np.exp(-0.5 * np.sum((y - mu[list(path)]) ** 2))
        total += weight * theta[path[0], path[1]] * theta[path[1], path[2]]
    prior = -0.5 * ((2.5 - 3) ** 2 + (9.5 - 10) ** 2)
    assert posterior.log_p(p)[0] == pytest.approx(np.log(total) + prior)


def test_gaussian_processes_are_their_formulas():
    x, y = np.linspace(0, 3, 5), np.array([0.1, 1.0, -0.3, 0.2, 0.5])
    p = {"rho": np.array([1.2, 0.8]), "alpha": np.array([0.7, 2.0]), "sigma": np.array([0.3, 0.5])}
    found = models.gp_regression("gp_regr", {"x": x, "y": y}).log_p(p)
    far = (x[:, None] - x) ** 2
    exact = [
        stats.multivariate_normal.logpdf(y, cov=a**2 * np.exp(-far / (2 * r**2)) + s * np.eye(5))
        + stats.gamma.logpdf(r, 25, scale=1 / 4) + stats.norm.logpdf(a, 0, 2) + stats.norm.logpdf(s)
        for r, a, s in zip(p["rho"], p["alpha"], p["sigma"], strict=True)
    ]  # fmt: skip
    assert found[0] - found[1] == pytest.approx(exact[0] - exact[1])


def test_the_evidence_of_the_schools_is_the_integral():
    def both(log_tau, mu):
        x = np.array([[mu, log_tau]])
        y, sigma = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), [15, 10, 16, 11, 9, 11, 10, 18]
        tau = np.exp(x[0, 1])
        data = stats.norm.logpdf(y, mu, np.hypot(sigma, tau)).sum()
        return np.exp(data + stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5)
                      + log_tau + 30)  # fmt: skip

    found = integrate.dblquad(both, -15, 25, -8, 5.5, epsabs=1e-3, epsrel=1e-3)[0]
    assert np.log(found) - 30 == pytest.approx(problems()["eight schools, D = 10"].log_z, abs=0.02)


@pytest.mark.parametrize("table", ["exact", "gap", "modes", "evidence", "steps"])
def test_the_command_prints_its_table(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tables, "REFERENCE", 2000)
    assert main([table, "--quick", "--json", str(tmp_path / "found.json")]) == 0
    assert "inference" in capsys.readouterr().out
    rows = json.loads((tmp_path / "found.json").read_text("utf-8"))["rows"]
    assert len(rows) >= 2


def test_posteriors_are_read_from_a_clone(tmp_path, capsys):
    rng = np.random.default_rng(0)
    hs, beta = (rng.random(50) < 0.5).astype(float), rng.normal(0, 1, (500, 2))
    put(tmp_path, "data/data", "kidiq", {"mom_hs": hs.tolist(), "mom_iq": hs.tolist(),
                                         "kid_score": rng.normal(size=50).tolist()})  # fmt: skip
    chain = {
        "beta[1]": beta[:, 0].tolist(),
        "beta[2]": beta[:, 1].tolist(),
        "sigma": [1.0, 1.1] * 250,
    }
    put(tmp_path, "reference_posteriors/draws/draws", "kidiq-kidscore_momhs", [chain, chain])
    main(
        [
            "posteriors",
            "--quick",
            "--posteriordb",
            str(tmp_path),
            "--models",
            "kidiq-kidscore_momhs",
        ]
    )
    assert "kidiq-kidscore_momhs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["posteriors", "--quick"])


def put(clone, folder, name, content):
    folder = clone / "posterior_database" / folder
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{name}.json.zip", "w") as file:
        file.writestr(f"{name}.json", json.dumps(content))


def test_what_the_peers_get_is_a_density_with_a_gradient():
    assert len(shared()) == 10
    for log_p, dim, _ in shared().values():
        x = 0.5 * np.random.default_rng(0).normal(size=(7, dim))
        one, slope = log_p(x), elementwise_grad(lambda x, own=log_p: own(x))(x)
        assert one.shape == (7,) and slope.shape == x.shape
        assert np.isfinite(one).all() and np.isfinite(slope).all()
        for k in range(3):
            step = np.zeros_like(x)
            step[:, k % dim] = 1e-5
            near = (log_p(x + step) - log_p(x - step)) / 2e-5
            assert np.allclose(near, slope[:, k % dim], rtol=1e-5, atol=1e-5)


def test_the_peers_are_judged_by_their_draws(tmp_path, capsys, monkeypatch):
    """A density that is exact has the ELBO log Z, one that is wider by a factor e less."""
    wider = {"flowcore": 0, "viabel": 1, "flowjax": 0.01}

    def run(command, **_):
        target, file = command[4], command[6]
        log_p, _, log_z = shared()[target]
        x = problems()["normal-gamma, D = 2"].sample(4000, np.random.default_rng(0))
        np.savez(file, x=x, log_q=log_p(x) - log_z + wider[command[3]])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(peers, "subprocess", SimpleNamespace(run=run))
    found = tmp_path / "found.json"
    peers.main(["--env", "python", "--targets", "normal-gamma", "--libraries", "flowjax",
                "--times", "1", "2", "--json", str(found)])  # fmt: skip
    (row,) = json.loads(found.read_text("utf-8"))["rows"]
    assert row["flowcore"] == pytest.approx(0) and row["viabel"] == pytest.approx(-1)
    assert row["flowjax, 2 S"] == pytest.approx(-0.01) and not row["ahead"]  # it is as near in S
    printed = capsys.readouterr().out
    assert "within 0.05 nats of the best on 1 of 1, ahead in seconds on 0" in printed
    peers.main(["--env", "python", "--targets", "normal-gamma", "--libraries", "flowjax",
                "--times", "2", "--json", str(found)])  # fmt: skip
    (row,) = json.loads(found.read_text("utf-8"))["rows"]
    assert row["ahead"]  # flowjax is as near in 2 S only, viabel is not near


def test_a_contestant_writes_its_draws(tmp_path, monkeypatch):
    def own(log_p, dim, seconds):
        return np.zeros((5, dim)), np.full(5, seconds)

    monkeypatch.setitem(rival.LIBRARIES, "flowcore", own)
    rival.main("flowcore", "funnel", "3.5", str(tmp_path / "draws.npz"))
    with np.load(tmp_path / "draws.npz") as found:
        assert found["x"].shape == (5, 10) and (found["log_q"] == 3.5).all()
