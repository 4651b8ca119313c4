"""An `Inference` for a paper: files, and the table of its parameters."""

import json
from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import flowcore as fc
from flowcore.inference.modes import Modes
from flowcore.inference.space import Space, pulled_back
from flowcore.inference.unnormalised import LogTarget

SUPPORT = {"rate": (0, np.inf), "share": ("simplex", (3,)), "$b_1$": ("real", (1, 2))}
OPTIMIZER = fc.Adam(0.01)
HISTORY = fc.History(
    [3.0, float("nan")], [2.5, 2.25], 1, 0.5, False,
    {"optimizer": OPTIMIZER, "bad_rows": np.int64(3), "gradient": "path", "clip_norm": None},
)  # fmt: skip
MODES = Modes(np.eye(5)[:2], np.array([0.75, 0.25]), np.array([150, 50]), 200, (1.0, 3.0))


def log_target(p):  # a Gamma(3, 1), a Dirichlet(2, 2, 2) and normals, without their constants
    shares = anp.sum(anp.log(p["share"]), axis=1)
    return 2 * anp.log(p["rate"]) - p["rate"] + shares - anp.sum(p["$b_1$"] ** 2, axis=(1, 2))


def wide(dim, scale=1.5):
    return fc.TransformedDistribution(
        fc.Normal(dim), fc.ElementwiseAffine(np.zeros(dim), np.full(dim, scale))
    )


def found_by(log_p, support, dim=None, flow=None, n=3000):
    space = Space(support, dim)
    target = LogTarget(log_p if space.is_line else pulled_back(log_p, space.from_line), space.free)
    return fc.Inference.of(flow or wide(space.free), target, n, 0, HISTORY, space, MODES)


def through_file(found, tmp_path, **options):
    fc.save(found, tmp_path / "found.npz")
    return fc.load(tmp_path / "found.npz", **options)


def mixture(n):
    """A flow that is a Mixture, whose draws have their log q."""
    flow = fc.Mixture([wide(2), wide(2, 0.5)], [0.75, 0.25])
    rows, target = flow.sample(n, rng=0), LogTarget(lambda x: -0.5 * anp.sum(x**2, axis=1), 2)
    log_q, space = flow.log_prob(rows), Space(None, 2)
    return fc.Inference(flow, None, target, rows, log_q, *target(rows), space, MODES)


@pytest.mark.parametrize(
    "found",
    [
        found_by(log_target, SUPPORT),
        found_by(lambda x: -anp.sum(x, axis=1), ["positive", (1, 4.0)], 2),
        replace(found_by(lambda x: -anp.sum(x**4, axis=1), None, 2), history=None, modes=None),
        mixture(3000),
    ],
    ids=["names", "rows in a box", "the line", "mixture"],
)
def test_a_file_has_the_same_numbers_to_the_bit(found, tmp_path):
    again = through_file(found, tmp_path)
    assert str(again) == str(found) and again.verdict == found.verdict
    for name in ("log_evidence", "elbo", "k_hat", "stretch", "missing_tail"):
        assert getattr(again, name) == getattr(found, name)
    assert repr(again.summary()) == repr(found.summary())  # NaN is not NaN
    assert_array_equal(again.weights, found.weights)
    assert_array_equal(again.log_prob(again.draws), found.log_prob(found.draws))
    kept, given = again.columns(9, rng=0), found.columns(9, rng=0)
    assert [*kept] == [*given] == found.space.labels()
    assert_array_equal(np.stack([*kept.values()]), np.stack([*given.values()]))
    assert repr(again.modes) == repr(found.modes)
    fc.save(again, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "found.npz").read_bytes()


def test_the_history_of_a_file(tmp_path):
    """Numbers and texts as they are; objects, such as an optimizer, as texts."""
    history = through_file(found_by(log_target, SUPPORT, n=100), tmp_path).history
    assert repr(history.train_nll) == "[3.0, nan]" and history.best_epoch == 1
    assert history.settings == HISTORY.settings | {"optimizer": repr(OPTIMIZER)}
    assert HISTORY.settings["optimizer"] is OPTIMIZER


@pytest.mark.parametrize(
    "call",
    [
        lambda found: found.refit(epochs=10**9),
        lambda found: found.metropolis(10),
        lambda found: found.hmc(10),
        lambda found: found.latent_target(np.zeros((2, 5))),
    ],
)
def test_a_file_does_not_hold_the_target(call, tmp_path):
    again = through_file(found_by(log_target, SUPPORT, n=100), tmp_path)
    with pytest.raises(ValueError, match=r"hold log_target: .* found.with_target\(log_target\)"):
        call(again)


def test_a_target_can_be_given_again(tmp_path):
    found = found_by(log_target, SUPPORT)
    again = through_file(found, tmp_path).with_target(log_target)
    assert_array_equal(again.log_p, found.log_p)
    assert_array_equal(again.slope, found.slope)
    (chain, taken), (other, _) = (one.metropolis(300, rng=0) for one in (found, again))
    assert_array_equal(chain["share"], other["share"])
    assert taken > 0.01 and again.hmc(2, chains=2, warm_up=1, rng=0)[0]["rate"].shape == (2, 2)


def test_the_same_draws_have_weights_for_another_prior():
    """q = N(0, 1.5^2): the likelihood N(0, 1) times a prior exp(x / 2) is exp(1/8) N(1/2, 1)."""
    found = replace(found_by(lambda x: -0.5 * x[:, 0] ** 2, None, 1, n=20_000), modes=None)
    other = found.with_target(lambda x: -0.5 * x[:, 0] ** 2 + 0.5 * x[:, 0])
    assert other.rows is found.rows and other.expectation()[0] == pytest.approx(0.5, abs=0.05)
    assert other.log_evidence[0] - found.log_evidence[0] == pytest.approx(1 / 8, abs=0.05)
    np.testing.assert_allclose(other.missing_mass[0], 0, atol=4 * other.missing_mass[1])
    assert_allclose(other.slope, found.slope + 0.5)
    far = other.with_target(lambda x: -0.5 * (x[:, 0] - 90) ** 2)
    assert far.moved is None and np.isnan(far.missing_mass[0])  # too few draws for moves


class Base:  # of somebody else
    def __init__(self, dim):
        self.dim = dim

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).normal(size=(n, self.dim))

    def log_prob(self, z):
        return -0.5 * np.sum(z**2, axis=-1) - 0.5 * self.dim * np.log(2 * np.pi)


def test_classes_of_your_own(tmp_path):
    flow = fc.TransformedDistribution(Base(2), fc.ElementwiseAffine([0.0, 0.0], [1.0, 1.0]))
    found = found_by(lambda x: -anp.sum(x**2, axis=1), None, 2, flow, n=100)
    again = through_file(found, tmp_path, classes=[Base])
    assert again.log_evidence == found.log_evidence
    with pytest.raises(ValueError, match=r"classes=\[Base\]"):
        fc.load(tmp_path / "found.npz")


def test_what_a_file_cannot_hold_is_refused_before_writing(tmp_path):
    found = found_by(log_target, SUPPORT, n=100)
    found.space.support["rate"] = object()
    with pytest.raises(ValueError, match="Space cannot be saved: its 'support' holds"):
        fc.save(found, tmp_path / "found.npz")
    assert not [*tmp_path.iterdir()]


# ---------------------------------------------------------------------------- the table


def test_the_summary_of_a_known_density():
    """q = N(0, 1.5^2) beside p = N(1/2, 1): the weights correct quantiles, too."""
    found = found_by(lambda x: -0.5 * anp.sum((x - 0.5) ** 2, axis=1), None, 2, n=20_000)
    summary = found.summary()
    assert [*summary] == ["x_1", "x_2"] and json.loads(json.dumps(summary)) == summary
    mean, errors = found.expectation()
    for j, row in enumerate(summary.values()):
        assert (row["mean"], row["error"]) == (mean[j], errors[j])
        assert row["sd"] == pytest.approx(1, abs=0.04)
        for level, name in ((0.05, "5%"), (0.5, "50%"), (0.95, "95%")):
            exact = stats.norm.ppf(level)
            error = np.sqrt(level * (1 - level) / 10_000) / stats.norm.pdf(exact)
            assert abs(row[name] - 0.5 - exact) < 4 * error
            assert f"{row[name]:11.4g}" in str(found)


def test_names_of_the_summary():
    found = found_by(log_target, SUPPORT)
    assert [*found.summary()] == ["rate", *(f"share[{k}]" for k in range(3)), "$b_1$[0,0]",
                                  "$b_1$[0,1]"]  # fmt: skip
    columns = found.columns(5, rng=0)
    assert_allclose(columns["share[2]"], found.resample(5, rng=0)["share"][:, 2])


def test_priors_and_angles_in_a_file(tmp_path):
    """A phase near the ends of its circle, in another turn; and a likelihood alone."""
    support = {"phase": "angle", "tau": (fc.HalfCauchy(2.0), (2,)), "rate": stats.gamma(a=3)}

    def log_p(p):
        return 20 * anp.cos(p["phase"] - np.pi) - 0.5 * anp.sum(p["tau"] ** 2, axis=1)

    flow = fc.flows.iaf(4, layers=1, hidden=[8])
    found = fc.infer(log_p, flow=flow, support=support, epochs=2, batches=10, draws=2000)
    again = through_file(found, tmp_path)
    assert str(again) == str(found) and again.log_evidence == found.log_evidence
    assert_array_equal(again.with_target(log_p).log_p, found.log_p)
    row, phase = again.summary()["phase"], again.columns(500, rng=0)["phase"]
    assert abs(row["50%"]) == pytest.approx(np.pi, abs=0.05) and row["sd"] < 0.3
    assert np.ptp(phase) < 3 and np.ptp(again.draws["phase"]) > 6
    fc.plots.corner(again, ["phase", "rate"])[0, 0].figure.savefig(tmp_path / "corner.png")
