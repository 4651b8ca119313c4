"""`infer` and `evidence`: against exact answers, and what they refuse."""

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.training.reverse_kl import Target

QUICK = {"epochs": 6, "batches": 30, "learning_rate": 0.01}


def flow_of(dim, recipe="iaf"):
    return getattr(fc.flows, recipe)(dim, layers=2, hidden=[16], activation="tanh")


def banana(x):  # exp of it has the integral 1
    return -0.5 * (x[:, 0] ** 2 + (x[:, 1] - 0.5 * x[:, 0] ** 2) ** 2) - np.log(2 * np.pi)


@pytest.fixture(scope="module")
def found():
    return fc.infer(banana, flow=flow_of(2), epochs=20, batches=40, learning_rate=0.01)


def test_the_answer_of_a_known_density(found):
    value, error = found.log_evidence
    assert abs(value) < 0.03 and error < 0.05 and found.elbo[0] <= value + 3 * found.elbo[1]
    mean, errors = found.expectation()
    assert (np.abs(mean - [0, 0.5]) < 5 * errors).all() and (errors < 0.1).all()
    assert found.k_hat < 0.7 and 1000 < found.effective_sample_size <= len(found.draws)
    assert found.weights.sum() == pytest.approx(1) and "log evidence" in str(found)
    second, _ = found.expectation(lambda x: x[:, 0] ** 2)
    assert second == pytest.approx(1, abs=0.1)


def test_weights_are_those_of_the_densities(found):
    """Unless they are among the largest, which are smoothed."""
    log_w = banana(found.draws) - found.flow.log_prob(found.draws)
    ratio = np.log(found.weights) - log_w
    body = np.argsort(log_w)[:3000]
    assert np.ptp(ratio[body]) < 1e-9


def test_corrected_draws_are_draws_of_the_target(found):
    chain, taken = found.metropolis(6000, rng=1)
    assert chain.shape == (6000, 2) and 0.5 < taken <= 1
    for x in (found.resample(2000, rng=0), chain[::3]):
        assert stats.kstest(x[:, 0], "norm").pvalue > 1e-3
        assert stats.kstest(x[:, 1] - 0.5 * x[:, 0] ** 2, "norm").pvalue > 1e-3


def test_metropolis_corrects_a_flow_that_is_wrong():
    """q = N(0, 1.5^2), p = N(0.5, 1): the chain has the moments of p, exactly in the long run."""
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [1.5]))
    target = Target(lambda x: -0.5 * anp.sum((x - 0.5) ** 2, 1), 1)
    chain, taken = fc.Inference.of(flow, target, 2000).metropolis(30_000, rng=0)
    assert chain.mean() == pytest.approx(0.5, abs=0.04) and chain.std() == pytest.approx(
        1, abs=0.04
    )
    assert 0.5 < taken < 0.9


def test_a_refit_covers_what_reverse_kl_left_out(found):
    again = found.refit(n=1000, epochs=3)
    assert again.history.train_nll and len(again.draws) == 1000
    assert abs(again.log_evidence[0]) < 0.1


def test_supports():
    """A Gamma(3, 1), a Beta(2, 3) and a normal coordinate, each with its exact mean."""

    def log_target(x):
        gamma = 2 * anp.log(x[:, 0]) - x[:, 0]
        beta = anp.log(x[:, 1]) + 2 * anp.log(1 - x[:, 1])
        return gamma + beta - 0.5 * x[:, 2] ** 2

    support = ["positive", (0.0, 1.0), "real"]
    found = fc.infer(log_target, flow=flow_of(3), support=support, epochs=15, batches=30)
    mean, error = found.expectation()
    assert (np.abs(mean - [3, 0.4, 0]) < np.maximum(5 * error, 0.02)).all()
    exact = np.log(2 * (1 / 12) * np.sqrt(2 * np.pi))
    assert found.log_evidence[0] == pytest.approx(exact, abs=0.03)
    assert (found.draws[:, 0] > 0).all() and (
        (found.draws[:, 1] > 0) & (found.draws[:, 1] < 1)
    ).all()


def test_a_fit_that_cannot_be_trusted_is_not_praised():
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [0.2]))
    target = Target(lambda x: -0.5 * anp.sum(x**2, axis=1), 1)
    found = fc.Inference.of(flow, target, 4000)
    assert found.k_hat > 0.7 and "can be trusted" in found.verdict and "Try" in found.verdict


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fc.infer(banana), "needs dim"),
        (lambda: fc.infer(banana, 3, flow=flow_of(2)), "dim is 3, but the flow has dim 2"),
        (lambda: fc.infer(banana, 2, support="simplex"), 'a support is "real"'),
        (lambda: fc.infer(banana, 2, support=["real"]), "1 entries for 2 coordinates"),
        (lambda: fc.infer(lambda x: x, 2, **QUICK), "returned shape"),
        (lambda: fc.evidence(np.zeros((5, 2)), banana), "at least 100"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 2)), banana,
                             chains=[1, 2]), "chains has shape"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 2)), lambda x: x,
                             epochs=1), "returned shape"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 1)),
                             lambda x: np.log(x[:, 0]), epochs=1), "one of the samples"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- evidence from draws


def test_evidence_and_its_error_by_many_seeds():
    """The bars hold about as often as they say; a chain that repeats rows has wider ones."""
    misses = []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(size=(800, 2))
        x[:, 1] += 0.5 * x[:, 0] ** 2
        log_z, error = fc.evidence(x, lambda x: banana(x) + 7.0, flow=flow_of(2, "maf"), epochs=8)
        misses.append((log_z - 7) / error)
    assert np.abs(np.mean(misses)) < 1.2 and 0.3 < np.std(misses) < 2.0


def test_a_chain_counts_by_its_effective_number():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2))
    errors = []
    for rows in (x, np.repeat(x, 5, axis=0)):
        flow = fc.TransformedDistribution(
            fc.Normal(2), fc.ElementwiseAffine([0.0, 0.0], [1.3, 1.3])
        )
        flow = fc.TransformedDistribution(
            fc.Normal(2), fc.Chain([flow.bijector, fc.Planar(2)])
        )  # a flow with parameters, which hardly changes
        options = {"epochs": 1, "learning_rate": 1e-12, "average": None, "schedule": "constant"}
        errors.append(
            fc.evidence(rows, lambda x: -0.5 * np.sum(x**2, axis=1), flow=flow, **options)
        )
    assert errors[1][1] > 0.5 * errors[0][1]  # and not sqrt(5) times smaller


def test_draws_of_another_density_are_refused():
    x = np.random.default_rng(0).normal(size=(400, 2)) + 60
    with pytest.raises(ValueError, match="hardly overlap"):
        fc.evidence(x, lambda x: -0.5 * np.sum((x + 60) ** 2, axis=1), flow=flow_of(2), epochs=2)
