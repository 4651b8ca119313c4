"""What corrects a flow: HMC on its z; and what shows that nothing can."""

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.inference.hmc import hmc, neutra
from flowcore.inference.unnormalised import LogTarget


def gaussian(rho=0.8):
    """log density of (x_1, x_2) of mean (1, -1), sd 1 and correlation rho, with its gradient."""
    precision = np.linalg.inv([[1.0, rho], [rho, 1.0]])

    def log_p(x):
        far = x - [1.0, -1.0]
        return -0.5 * np.sum(far @ precision * far, axis=1), -far @ precision

    return log_p


def wrong_flow():
    """N(0, 1.5^2) in each of two coordinates."""
    return fc.TransformedDistribution(fc.Normal(2), fc.ElementwiseAffine([0.0, 0.0], [1.5, 1.5]))


def test_hmc_has_the_moments_of_its_target():
    rng = np.random.default_rng(0)
    x, taken, step = hmc(
        gaussian(), np.zeros((100, 2)), 300, warm_up=150, leapfrogs=8, step=3.0, rng=rng
    )
    assert x.shape == (100, 300, 2) and 0.65 < taken < 0.95 and 0.2 < step < 1.2
    means = x[:, 50:].mean(axis=1)  # chains are independent: errors come from between them
    error = means.std(axis=0) / 10
    assert (np.abs(means.mean(axis=0) - [1, -1]) < 5 * error).all() and (error < 0.05).all()
    covariance = np.cov(x[:, 50:].reshape(-1, 2).T)
    np.testing.assert_allclose(covariance, [[1, 0.8], [0.8, 1]], atol=0.05)
    last = x[:, -1, 0]
    assert stats.kstest(last - 1, "norm").pvalue > 1e-3


def test_hmc_needs_the_acceptance_step():
    """With long steps leapfrog alone is far off; the chain still has the right variance."""
    x, taken, _ = hmc(
        lambda x: (-0.5 * np.sum(x**2, axis=1), -x), np.zeros((200, 1)), 400,
        warm_up=0, leapfrogs=2, step=1.6, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert taken < 0.9 and x[:, 100:].var() == pytest.approx(1, abs=0.05)


def test_hmc_leaves_a_periodic_orbit():
    """Ten leapfrogs of this step are one period of a normal target: each ends where it began.

    A step turns (z, p) by the angle t with sin(t / 2) = step / 2 (Neal 2011, section 5.3.2.2).
    """
    start = np.full((400, 1), 3.0)
    x, taken, _ = hmc(
        lambda x: (-0.5 * np.sum(x**2, axis=1), -x), start, 40,
        warm_up=0, leapfrogs=10, step=2 * np.sin(np.pi / 10), rng=np.random.default_rng(0),
    )  # fmt: skip
    assert taken > 0.9 and stats.kstest(x[:, -1, 0], "norm").pvalue > 1e-3


def test_a_chain_moves_in_the_part_that_its_start_most_likely_came_from():
    """A quarter of a period in the z of the wide part is a draw; in the narrow one it is not."""
    parts = [fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [scale]))
             for scale in (3.0, 0.5)]  # fmt: skip
    x, _ = neutra(
        lambda x: (-0.5 * np.sum(x**2, axis=1) / 9, -x / 9), fc.Mixture(parts, [0.99, 0.01]),
        np.zeros((400, 1)), 3, np.random.default_rng(0), warm_up=0, leapfrogs=8, step=np.pi / 16,
    )  # fmt: skip
    assert stats.kstest(x[:, -1, 0] / 3, "norm").pvalue > 1e-3


def test_neutra_through_a_flow_and_a_support():
    """A log-normal, x = exp(y) with y ~ N(1, 0.5^2), from a flow that is too wide."""
    found = fc.infer(
        lambda p: -0.5 * ((anp.log(p["x"]) - 1) / 0.5) ** 2 - anp.log(p["x"]),
        support={"x": "positive"}, flow=fc.flows.iaf(1, layers=1, hidden=[4]), epochs=1, batches=2,
    )  # fmt: skip
    draws, taken = found.hmc(41, chains=100, warm_up=40, rng=0)
    assert draws["x"].shape == (100, 41) and taken > 0.6
    still, _ = found.hmc(3, chains=4, warm_up=0, leapfrogs=1, step=1e-6, rng=0)
    assert np.ptp(still["x"], axis=1).max() < 1e-3 < np.ptp(still["x"])  # each has its own place
    y = np.log(draws["x"][:, ::20].ravel())
    assert stats.kstest((y - 1) / 0.5, "norm").pvalue > 1e-3


def test_the_latent_target_is_the_density_of_z():
    """log p~(f(z)) + log |det|, which is the base's density where q = p; and its gradient."""
    flow = fc.testing.randomize(fc.flows.iaf(2, layers=2, hidden=[8], standardize=False), 0.3)
    found = fc.Inference.of(flow, LogTarget(lambda x: flow.log_prob(x) + 3.0, 2), 50)
    z = np.random.default_rng(0).normal(size=(20, 2))
    value, slope = found.latent_target(z)
    np.testing.assert_allclose(value, flow.base.log_prob(z) + 3, atol=1e-9)
    np.testing.assert_allclose(slope, -z, atol=1e-8)
    assert all(found.metropolis(1, rng=seed)[1] == 1 for seed in range(100))  # q is p


def test_metropolis_and_resampling_keep_the_names():
    found = fc.infer(
        lambda p: -p["a"] - 0.5 * anp.sum(p["b"] ** 2, axis=1),
        support={"a": "positive", "b": ("real", (2,))}, epochs=3, batches=20, learning_rate=0.01,
    )  # fmt: skip
    chain, taken = found.metropolis(500, rng=0)
    assert chain["a"].shape == (500,) and chain["b"].shape == (500, 2) and taken > 0.3
    assert found.resample(30, rng=0)["b"].shape == (30, 2)
    again = found.refit(epochs=2)
    assert again.draws["a"].shape == (20_000,) and (again.draws["a"] > 0).all()


# ---------------------------------------------------------------- improper targets


@pytest.mark.parametrize(
    "log_target",
    [lambda x: -0.5 * x[:, 0] ** 2 + 0 * x[:, 1], lambda x: x[:, 0] - 0.5 * x[:, 1] ** 2],
)
def test_an_improper_target_is_refused_where_the_search_shows_it(log_target):
    with pytest.raises(ValueError, match=r"climbs without end .*improper"):
        fc.infer(log_target, 2, epochs=1)


def test_an_improper_target_is_not_praised():
    """Flat along x_1 = -x_2, which independent coordinates do not show."""
    found = fc.infer(
        lambda x: -0.5 * (x[:, 0] + x[:, 1]) ** 2, flow=fc.flows.iaf(2, layers=2, hidden=[16]),
        epochs=8, batches=30, learning_rate=0.01,
    )  # fmt: skip
    assert not found.trusted and found.stretch[0] > 0.4
    assert "improper" in found.verdict and "neither the flow" in str(found)


def test_the_stretch_of_a_flow_that_is_known():
    """q = N(0, s^2) beside p = N(0, 1): d/d log s of the ELBO is 1 - s^2 per coordinate."""
    for s in (0.5, 1.0, 1.2):
        flow = fc.TransformedDistribution(fc.Normal(2), fc.ElementwiseAffine([0.0, 0.0], [s, s]))
        target = LogTarget(lambda x: -0.5 * anp.sum(x**2, axis=1), 2)
        slope, error = fc.Inference.of(flow, target, 4000).stretch
        assert abs(slope - 2 * (1 - s**2)) < 5 * error < 0.25
