"""`infer` and `evidence`: against exact answers, and what they refuse."""

from collections import Counter
from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln, gammaln
from support.oracles import bars_cover

import flowcore as fc
from flowcore import flows, targets
from flowcore.inference.evidence import _bridge, _effective, _repeated
from flowcore.inference.result import Inference
from flowcore.inference.reverse_kl import elbo_and_error
from flowcore.inference.space import Space
from flowcore.inference.start import first_gaussian
from flowcore.inference.unnormalised import LogTarget
from flowcore.pareto import pareto_smoothed

QUICK = {"epochs": 6, "batches": 30, "learning_rate": 0.01}


def flow_of(dim, recipe="iaf"):
    return getattr(fc.flows, recipe)(dim, layers=2, hidden=[16], activation="tanh")


def banana(x):  # exp of it has the integral 1
    return -0.5 * (x[:, 0] ** 2 + (x[:, 1] - 0.5 * x[:, 0] ** 2) ** 2) - np.log(2 * np.pi)


@pytest.fixture(scope="module")
def found():
    return fc.infer(banana, flow=flow_of(2), **QUICK)


def test_the_answer_of_a_known_density(found):
    value, error = found.log_evidence
    assert abs(value) < 0.03 and error < 0.05 and found.elbo[0] <= value + 3 * found.elbo[1]
    mean, errors = found.expectation()
    assert (np.abs(mean - [0, 0.5]) < 5 * errors).all() and (errors < 0.1).all()
    assert found.k_hat < 0.7 and 1000 < found.effective_sample_size <= len(found.draws)
    assert found.weights.sum() == pytest.approx(1) and "log evidence" in str(found)
    second, _ = found.expectation(lambda x: x[:, 0] ** 2)
    assert second == pytest.approx(1, abs=0.1)


def of_normals(mean, scale, n=4000):
    """q = N(0, scale^2) beside p~ = exp(-(x - mean)^2 / 2)."""
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [scale]))
    return fc.Inference.of(flow, LogTarget(lambda x: -0.5 * anp.sum((x - mean) ** 2, 1), 1), n)


def test_weights_correct_a_flow_that_is_wrong():
    """q = N(0, 1.5^2), p = N(0.5, 1): draws have the moments of p, exactly in the long run."""
    found = of_normals(0.5, 1.5)
    chain, taken = found.metropolis(30_000, rng=0)
    for x in (chain, found.resample(4000, rng=0)):
        assert x.mean() == pytest.approx(0.5, abs=0.06) and x.std() == pytest.approx(1, abs=0.05)
    assert 0.5 < taken < 0.9 and np.abs(found.draws.mean()) < 0.1
    (mean,), (error,) = found.expectation()
    assert abs(mean - 0.5) < 4 * error < 0.15
    value, error = found.log_evidence
    assert abs(value - np.log(2 * np.pi) / 2) < 4 * error < 0.1
    elbo = np.log(2 * np.pi) / 2 - (1.5**2 + 0.5**2 - 1) / 2 + np.log(1.5)
    assert abs(found.elbo[0] - elbo) < 4 * found.elbo[1] < 0.2


def test_a_refit_covers_what_reverse_kl_left_out():
    """A flow that is too narrow becomes wider, by the weights of its draws."""
    base = fc.MultivariateNormalDiag(np.zeros(2), 0.6 * np.ones(2))
    flow = fc.flows.iaf(2, layers=2, hidden=[16], base=base, standardize=False)
    target = LogTarget(lambda x: -0.5 * anp.sum(x**2, axis=1), 2)
    narrow = fc.Inference.of(flow, target, 4000)
    again = narrow.refit(n=4000, epochs=10)
    assert again.effective_sample_size > 2 * narrow.effective_sample_size
    assert again.history.train_nll and len(again.draws) == 4000


DIVERGED = fc.History([], [], 0, 0.0, False, {"diverged": "in the first epoch"})


@pytest.mark.parametrize(("scale", "history", "surer"), [(1.0, None, True), (2.0, None, False),
                                                         (1.0, DIVERGED, False)])  # fmt: skip
def test_of_a_fit_and_its_refits_the_surer_one_is_the_answer(scale, history, surer, monkeypatch):
    """Whatever its evidence, if it is trusted."""
    again = replace(of_normals(0.0, scale, 500), history=history)
    monkeypatch.setitem(fc.infer.__globals__, "GAP", -np.inf)  # no fit is good enough
    monkeypatch.setattr(fc.Inference, "refit", lambda self, *args, **options: again)
    found = fc.infer(lambda x: 3 - 0.25 * anp.sum(x**4, axis=1), 1, epochs=1, batches=5)
    assert found.trusted and again.trusted == (history is None)
    assert (found.log_evidence == again.log_evidence) is surer


def weighted_draws(seed):
    """Draws of a wide t, weighted by e^3 times a correlated Gaussian: no training."""
    flow = fc.TransformedDistribution(fc.StudentT(2, 5.0), fc.ElementwiseAffine([0.3, 0.0], 1.5))
    target = targets.correlated_gaussian(0.6)
    precision = np.linalg.inv([[1, 0.6], [0.6, 1]])
    log_target = lambda x: 3 - 0.5 * anp.sum(x @ precision * x, axis=1)  # noqa: E731
    log_z = 3 + np.log(2 * np.pi) + 0.5 * np.log(1 - 0.6**2)
    return Inference.of(flow, LogTarget(log_target, 2), 1000, seed), target, log_z


def log_z_of_draws(seed):
    found, _, log_z = weighted_draws(seed)
    return *found.log_evidence, log_z


def mean_of_draws(seed):
    found, _, _ = weighted_draws(seed)
    (value,), (error,) = found.expectation(lambda x: x[:, :1] * x[:, 1:])
    return value, error, 0.6


def test_the_elbo_is_a_bound_where_rows_are_left_out():
    """p~ = exp(-x^2 / 2) for x > 0, q = N(0, 1): half of q, which is exact there."""
    x = np.random.default_rng(0).normal(size=(50, 4000))
    log_w = np.where(x > 0, np.log(2 * np.pi) / 2, -np.inf)
    found = np.array([elbo_and_error(own) for own in log_w])
    z = (found[:, 0] - np.log(np.sqrt(2 * np.pi) / 2)) / found[:, 1]
    assert abs(z.mean()) < 0.5 and 0.7 < z.std() < 1.3
    assert elbo_and_error(np.array([-np.inf, np.nan])) == (-np.inf, 0.0)


def test_a_fit_that_cannot_be_trusted_is_not_praised():
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [0.2]))
    target = LogTarget(lambda x: -0.5 * anp.sum(x**2, axis=1), 1)
    found = fc.Inference.of(flow, target, 4000)
    assert found.k_hat > 0.5 and "can be trusted" in found.verdict and "Try" in found.verdict
    assert "still climbs as the flow widens" in found.verdict and not found.trusted
    wide = of_normals(0.0, 30.0)
    assert wide.k_hat < 0.5 and "the flow is not close to the target" in wide.verdict
    # draws of q = N(0, s^2) are worth a share sqrt(2 s^2 - 1) / s^2 of their number
    for scale, n, words in ((3, 4000, "not close"), (2.3, 4000, "the weights correct"),
                            (1, 28, "they must be worth 30"), (1, 40, "correct")):  # fmt: skip
        assert words in of_normals(0.0, scale, n).verdict
    assert "can be trusted" in of_normals(0.0, 3000.0).verdict  # a few draws have all weight
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [1.0]))
    nowhere = fc.Inference.of(flow, LogTarget(lambda x: (np.full(len(x), -np.inf), 0 * x), 1), 100)
    assert nowhere.elbo == nowhere.log_evidence == (-np.inf, 0.0)
    assert "are worth 0; at this k-hat they must be worth 95" in nowhere.verdict
    assert not nowhere.weights.any() and "log p is -inf at 95 of 95 draws" in str(nowhere)


@pytest.mark.parametrize(("share", "good"), [(0.2, False), (1.0, True)])
def test_infinite_variance_needs_a_tenth_of_the_draws(share, good):
    """Weights with k = 0.6, of all draws, or of a fifth of them: the others have next to none."""
    found, rng = of_normals(0.0, 1.0, 20_000), np.random.default_rng(0)
    log_w = 0.6 * rng.exponential(size=20_000)
    log_w[int(share * 20_000) :] = -5.0
    found = replace(found, log_p=found.log_q + log_w)
    assert 0.5 < found.k_hat < 0.7 and found.effective_sample_size > 300
    assert (found.effective_sample_size > 2000) == good == found.trusted
    assert ("can be trusted" in found.verdict) != good
    assert ("they must be worth 2,000" in found.verdict) != good


def test_a_tail_of_little_weight_does_not_matter():
    """2% of the weights are 1.02 and a Pareto tail of k = 0.8, of a width; the others are 1."""

    def k_hat(width):
        rng = np.random.default_rng(1)
        weight = np.exp(0.01 * rng.standard_normal(20_000))
        weight[:400] = 1.02 + width * np.minimum(rng.pareto(1 / 0.8, 400), 150)
        assert weight.max() > 2 * weight.mean()
        return pareto_smoothed(np.log(weight)[None])[1][0]

    assert k_hat(0.01) == -np.inf  # 0.08% of all weight
    assert 0.7 < k_hat(0.2) < 1  # 1.6%


def test_few_rows_start_a_gaussian_with_smaller_correlations():
    """Of five rows on a line a fifth of the correlation stays: 1 - 2 d / n."""
    start = np.repeat(np.arange(5.0)[:, None], 2, axis=1)
    found = first_gaussian(LogTarget(lambda x: -anp.sum(x**2, axis=1), 2), start, None)
    np.testing.assert_allclose(found.mean, [2, 2])
    np.testing.assert_allclose(found.factor @ found.factor.T, [[2, 0.4], [0.4, 2]])


def of_log(log_p, support, rng=0):
    """`infer` with the best Gaussian of a free coordinate: affine layers in one dimension."""
    space, rng = Space(support, 1), np.random.default_rng(rng)
    mean, factor = first_gaussian(LogTarget(space.on_line(log_p), 1), None, rng)
    layers = fc.flows.iaf(1, 4, [32, 32], standardize=False, rng=0, activation="silu",
                          transformer=fc.transformers.Affine(5.0)).bijector.bijectors  # fmt: skip
    chain = fc.Chain([fc.ElementwiseAffine(mean, factor[0]), *layers])
    flow = fc.TransformedDistribution(fc.Normal(1), chain)
    return fc.infer(log_p, flow=flow, support=support, epochs=2, batches=10, rng=rng)


def test_a_tail_that_no_draw_reaches_is_noticed():
    """Gamma(0.07): log x has the slope 0.07. Draws of q lack a tenth of it, wide ones do not."""
    found = of_log(lambda x: -0.93 * anp.log(x[:, 0]) - x[:, 0], "positive")
    share, error = found.missing_tail
    assert found.k_hat < 0.7 and found.effective_sample_size > 2000
    value, of_value = found.log_evidence
    assert abs(value - gammaln(0.07)) < 0.02 < 2 * of_value < 0.5
    assert share > 0.1 > 5 * error and not found.trusted
    assert "of p are in a tail that no draw of the flow reaches" in found.verdict


@pytest.mark.parametrize(
    ("log_p", "support", "log_z"),
    [
        (lambda x: -0.4 * (anp.log(x[:, 0]) + anp.log1p(-x[:, 0])), (0.0, 1.0),
         betaln(0.6, 0.6)),
        (lambda x: -anp.log1p(x[:, 0] ** 2), "positive", np.log(np.pi / 2)),
    ],
    ids=["beta", "half-Cauchy"],
)  # fmt: skip
def test_tails_that_draws_reach_are_not_refused(log_p, support, log_z):
    """q has a Gaussian in place of exponential tails."""
    found = of_log(log_p, support, rng=2)
    assert found.effective_sample_size > 10_000
    assert found.trusted and found.log_evidence[0] == pytest.approx(log_z, abs=0.005)


def test_the_missing_tail_of_a_flow_that_is_known():
    """0 where q covers p. Draws of q = U(-1, 1) end where p = N(0, 1) does not: on either side
    they miss p(1) / P(-1 < y < 1)."""
    for scale in (1.0, 1.3, 3.0):
        share, error = of_normals(0.0, scale).missing_tail
        assert abs(share) < 5 * error < 0.2
    flow = fc.TransformedDistribution(fc.Uniform(1), fc.ElementwiseAffine([-1.0], [2.0]))
    found = Inference.of(flow, LogTarget(lambda x: -0.5 * anp.sum(x**2, 1), 1), 4000)
    share, error = found.missing_tail
    exact = stats.norm.pdf(1) / (2 * stats.norm.cdf(1) - 1)
    assert error < 0.02 and abs(share - exact) < 5 * error
    assert found.k_hat < 0.7 and not found.trusted


def test_nan_is_not_a_support():
    """p~ = exp(-x^2 / 2) for x < 0.5; beyond, it is -inf (a support), or NaN (an error)."""
    flow = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [1.0]))

    def cut(at, value):
        def log_p(x):
            beyond = x > at
            return np.where(beyond, value, -0.5 * x**2)[:, 0], np.where(beyond, 0.0, -x)

        return Inference.of(flow, LogTarget(log_p, 1), 4000)

    support, error, rare = cut(0.5, -np.inf), cut(0.5, np.nan), cut(3.0, np.nan)
    assert support.trusted and rare.trusted and not error.trusted
    assert "log p is -inf at" in str(support) and "NaN" not in str(support)
    assert "log p is NaN at" in str(error) and "the target is NaN at 3" in error.verdict
    few = cut(1.9, np.nan)  # more than a hundredth, and few enough for good weights
    assert not few.trusted and "the target is NaN at 3% of the draws" in few.verdict
    assert support.log_evidence == error.log_evidence and "log p is NaN at" in str(rare)
    with pytest.raises(ValueError, match=r"log_target is inf at \[[\d.]+\]"):
        cut(0.5, np.inf)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fc.infer(banana), "needs dim"),
        (lambda: fc.infer(banana, 3, flow=flow_of(2)), "dim is 3, but the flow has dim 2"),
        (lambda: fc.infer(banana, 2, anneal=-1), "anneal must be an integer >= 0"),
        (lambda: fc.infer(banana, 2, support="simplex"), "'simplex' belongs to whole vectors"),
        (lambda: fc.infer(banana, 2, support=["real"]), "1 entries for 2 coordinates"),
        (lambda: fc.infer(lambda x: x, 2, **QUICK), "returned shape"),
        (lambda: fc.infer(banana, 2, draws=0), "draws must be an integer >= 1, not 0"),
        (lambda: fc.infer(lambda x: banana(x) + 0j, 2), "result of log_target must hold real numb"),
        (lambda: fc.evidence(np.tile(np.random.default_rng(0).normal(size=(90, 2)), (9, 1)),
                             banana), "90 distinct rows: 100 are needed"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 2)), banana,
                             chains=[1, 2]), "chains has shape"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 1)),
                             lambda x: np.log(x[:, 0]), epochs=1), "nan at .* of the samples"),
        (lambda: fc.evidence(np.random.default_rng(0).normal(size=(200, 1)),
                             lambda x: np.log(x[:, 0] > 0), epochs=1), "-inf at .* of the samples"),
        (lambda: fc.evidence(60 + np.random.default_rng(0).normal(size=(400, 2)),
                             lambda x: gaussian(x + 60), flow=flow_of(2), epochs=2),
         "hardly overlap"),
        *((lambda chains=chains: fc.evidence(np.random.default_rng(0).normal(size=(400, 2)),
                                             gaussian, chains=chains),
           "every chain needs at least 4 rows: one has")
          for chains in (np.arange(400) // 2, np.arange(400))),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- evidence from draws


def test_evidence_and_its_error_by_many_seeds():
    misses = []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(size=(800, 2))
        x[:, 1] += 0.5 * x[:, 0] ** 2
        log_z, error = fc.evidence(x, lambda x: banana(x) + 7.0, flow=flow_of(2, "maf"), epochs=8)
        misses.append((log_z - 7) / error)
    assert np.abs(np.mean(misses)) < 0.9 and 0.3 < np.std(misses) < 2.0


def walks(rng, walkers, steps, dim=2, rho=0.95):
    """Independent autoregressive walkers on N(0, I), (steps, walkers, dim)."""
    x = rng.normal(size=(steps, walkers, dim))
    for i in range(1, steps):
        x[i] = rho * x[i - 1] + np.sqrt(1 - rho**2) * x[i]
    return x


def metropolis(rng, n, dim=2):
    """A chain that repeats the rows where it stays."""
    x, rows = rng.normal(size=dim), []
    for _ in range(n):
        y = x + rng.normal(size=dim)
        x = y if np.log(rng.random()) < 0.5 * (x @ x - y @ y) else x
        rows.append(x)
    return np.array(rows)


def resampled(rng, n, distinct, dim=2):
    return rng.normal(size=(distinct, dim))[rng.integers(distinct, size=n)]


SAMPLES = {
    "independent": lambda rng: rng.normal(size=(2000, 2)),
    "one chain": lambda rng: walks(rng, 1, 2000)[:, 0],
    "flat, 40 walkers": lambda rng: walks(rng, 40, 50).reshape(-1, 2),
    "flat, 10 walkers": lambda rng: walks(rng, 10, 200, rho=0.98).reshape(-1, 2),
    "Metropolis": lambda rng: metropolis(rng, 2000),
    "resampled from 300": lambda rng: resampled(rng, 2000, 300),
    "resampled from 100": lambda rng: resampled(rng, 2000, 100),
}


def gaussian(x):
    return -0.5 * np.sum(x**2, axis=1)


def quick_evidence(x, **options):
    """`evidence` less its exact value, and the error, by a small flow."""
    flow = fc.flows.maf(x.shape[1], layers=3, hidden=[24])
    log_z, error = fc.evidence(x, gaussian, flow=flow, epochs=20, **options)
    return log_z - x.shape[1] * np.log(2 * np.pi) / 2, error


def bridged(draws):
    """evidence of draws (n, D) of a Gaussian with the correlations .5."""

    def once(seed):
        rng = np.random.default_rng(seed)
        x, chains, dim = draws(rng)
        covariance = np.full((dim, dim), 0.5) + 0.5 * np.eye(dim)
        x = x @ np.linalg.cholesky(covariance).T
        precision = np.linalg.inv(covariance)
        log_z = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
        flow = flows.maf(dim, layers=1, hidden=[8], rng=0)
        found = fc.evidence(
            x, lambda x: -0.5 * np.sum(x @ precision * x, axis=1), flow=flow, chains=chains,
            epochs=8, rng=seed,
        )  # fmt: skip
        return *found, log_z

    return once


def in_chains(rng):
    x = walks(rng, 8, 500, rho=0.9).transpose(1, 0, 2).reshape(-1, 2)
    return x, np.repeat(np.arange(8), 500), 2


def of_angles(seed):
    """Draws in [0, 2 pi), and a target that vanishes elsewhere."""
    torus = targets.torus()

    def log_target(x):
        return np.where(((x >= 0) & (x < 2 * np.pi)).all(axis=1), torus.log_prob(x), -np.inf)

    x = torus.sample(1000, rng=seed) % (2 * np.pi)
    flow = flows.nsf(2, layers=2, hidden=[8], bins=4, circular=[0, 1], rng=0)
    return *fc.evidence(x, log_target, flow=flow, epochs=8, rng=seed), 0.0


BARS = {
    "evidence of chains": bridged(in_chains),
    "evidence of angles": of_angles,
    "evidence in eight dimensions": bridged(lambda rng: (rng.normal(size=(2000, 8)), None, 8)),
    "log_evidence": log_z_of_draws,
    "expectation": mean_of_draws,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAMPLES)
def test_bars_of_the_evidence_cover(kind):
    """40 runs: 95% bars cover at least 36, if they are right with a probability of 0.95."""
    found = [quick_evidence(SAMPLES[kind](np.random.default_rng(seed))) for seed in range(40)]
    z = np.array([miss / error for miss, error in found])
    assert np.mean(np.abs(z) < 1.96) >= 0.9 and np.std(z) < 1.5 and abs(z.mean()) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_bars_cover(name):
    bars_cover(BARS[name])


def asked_of(x, chains=None):
    """The evidence of draws of a Gaussian by a quick flow, and the arrays that log p~ was asked
    for: the rows that were kept back from the flow, and as many draws of it."""
    seen, flow = [], fc.flows.maf(2, layers=1, hidden=[8])

    def log_p(x):
        seen.append(x)
        return gaussian(x)

    return fc.evidence(x, log_p, flow=flow, epochs=1, chains=chains, rng=0), seen


@pytest.mark.parametrize("rho", [0.5, 0.95])
@pytest.mark.parametrize("walkers", [1, 2, 10, 40, 300])
def test_walkers_that_take_turns_are_counted(walkers, rho):
    """Without `chains`, rows have the evidence that they have with the chains they are from."""
    x = walks(np.random.default_rng(0), walkers, 2400 // walkers, rho=rho)
    flat, turns = x.reshape(-1, 2), np.arange(2400) % walkers
    one_after_another = x.transpose(1, 0, 2).reshape(-1, 2)
    for rows, chains in (
        (flat, turns),
        (flat[17:], turns[:-17]),  # from the middle of a step on
        (one_after_another, np.zeros(2400, int)),
    ):
        assert asked_of(rows)[0] == asked_of(rows, chains)[0]


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if "flat" not in kind])
def test_rows_that_are_not_walkers_are_one_chain(kind):
    x = SAMPLES[kind](np.random.default_rng(0))
    assert asked_of(x)[0] == asked_of(x, np.zeros(len(x), int))[0]


@pytest.mark.parametrize("n_chains", [1, 2, 10, 60])
def test_half_of_every_chain_or_of_many_chains_is_kept_back(n_chains):
    """The second half, or every other chain."""
    x, n = np.random.default_rng(0).normal(size=(1200, 2)), 1200 // n_chains
    chain, place = np.divmod(np.arange(1200), n)
    kept = chain % 2 == 1 if n_chains >= 10 else place >= n // 2
    _, (held, drawn, *_) = asked_of(x, chain)
    np.testing.assert_array_equal(held, x[kept])
    assert len(drawn) == 600


@pytest.mark.parametrize("n_chains", [1, 2, 10])
def test_copies_of_a_row_are_in_one_half(n_chains):
    """With two copies, a row is in either half as often as with one."""
    rng = np.random.default_rng(0)
    x = rng.permutation(np.repeat(rng.normal(size=(900, 2)), np.repeat([1, 2, 3], 300), axis=0))
    copies = Counter(x[:, 0])
    _, (held, drawn, *_) = asked_of(x, np.arange(len(x)) % n_chains)
    times = [copies[one] for one in held[:, 0]]
    assert len({*held[:, 0]}) == len(held) and sum(times) == len(drawn)
    assert (np.abs(np.bincount(times)[1:] - 150) < 4 * np.sqrt(75)).all()


def test_the_draws_of_a_chain_are_worth_fewer():
    """Of an autoregression n (1 - r) / (1 + r), of chains that disagree one each; of independent
    draws with c copies each, whatever c depends on, n^2 var(f) / sum of c^2 (f - mean)^2."""
    rng = np.random.default_rng(0)
    x, f = walks(rng, 4, 20_000, 1, rho=0.9).T[0], rng.normal(size=20_000)
    assert _effective(x, np.ones_like(x)) == pytest.approx(80_000 / 19, rel=0.2)
    assert _effective([x[0], 1e3 + x[1]], np.ones((2, 20_000))) < 4
    c = np.where(f > 1, 5, 1)
    far = f - np.average(f, weights=c)
    exact = c.sum() * (c @ far**2) / (c**2 @ far**2)
    assert _effective([f], [c]) == pytest.approx(exact, rel=0.2)
    chain, independent = (walks(rng, 1, 2400, rho=rho)[:, 0] for rho in (0.95, 0))
    assert asked_of(chain)[0][1] > 1.5 * asked_of(independent)[0][1]


def test_a_draw_in_another_turn_is_left_out_if_the_target_repeats():
    x = np.array([[0.0], [4.0], [-5.0]])
    for log_p, beyond in ((lambda x: np.cos(x[:, 0]), [0, 1, 1]), (gaussian, [0, 0, 0])):
        assert _repeated(log_p, x, log_p(x), 0, 0.0).tolist() == beyond


@pytest.mark.parametrize("width", [0.5, 3.0])
def test_the_error_of_an_evidence_is_that_of_both_samples(width):
    """Those of p decide beside a narrow q, those of q beside a wide one."""

    def once(seed):
        rng = np.random.default_rng(seed)
        both = rng.normal(size=1000), rng.normal(0, width, 200)
        log_w = (stats.norm.logpdf(x) - stats.norm.logpdf(x, 0, width) for x in both)
        return *_bridge(*log_w, n_p=1000), 0.0

    bars_cover(once)


def test_a_shuffled_chain_is_noticed():
    x = walks(np.random.default_rng(1), 1, 2000)[:, 0]
    quick_evidence(x)
    with pytest.warns(UserWarning, match="must keep the order of their chains"):
        quick_evidence(np.random.default_rng(0).permutation(x))


def test_draws_without_weight_do_not_matter():
    """f = log x is not defined where p~ is 0; one call of the target is enough for a verdict."""
    calls = []

    def half(x):
        calls.append(len(x))
        with np.errstate(all="ignore"):
            return anp.where(x[:, 0] > 0, -0.5 * x[:, 0] ** 2, -np.inf)

    found = Inference.of(fc.flows.maf(1, layers=1, hidden=[4], standardize=False),
                         LogTarget(half, 1), 2000, rng=0)  # fmt: skip
    before = len(calls)
    with np.errstate(all="ignore"):
        mean, error = found.expectation(np.log)
    assert mean[0] == pytest.approx(-0.635, abs=5 * error[0]) and 0 < error[0] < 0.1
    assert found.verdict and len(calls) == before
    nowhere = Inference.of(found.flow, LogTarget(lambda x: -np.inf + 0 * x[:, 0], 1), 50, rng=0)
    for ask in (nowhere.resample, nowhere.metropolis, nowhere.hmc):
        with pytest.raises(ValueError, match="finite at no draw: there is nothing to resample"):
            ask(5)


def test_draws_of_weight_0_are_absent():
    """In means, errors, deviations and quantiles, also around the circle; in resampled draws."""
    rng, space = np.random.default_rng(0), Space({"a": "angle", "x": "positive"}, None,
                                                 np.array([2.0, 0.0]))  # fmt: skip
    rows = np.vstack([5 + 3 * rng.normal(size=(100, 2)), rng.normal(size=(500, 2))])
    log_q, flow = fc.Normal(2).log_prob(rows), fc.flows.maf(2, standardize=False)
    log_p = np.where(np.arange(600) < 100, -np.inf, log_q + 0.1 * rows[:, 0])
    all_, own = (Inference(flow, None, None, rows[k:], log_q[k:], log_p[k:], 0 * rows[k:], space)
                 for k in (0, 100))  # fmt: skip
    for name, row in own.summary().items():
        np.testing.assert_allclose([*all_.summary()[name].values()], [*row.values()], err_msg=name)
    for one, other in zip(all_.expectation(), own.expectation(), strict=True):
        assert all(one[name] == pytest.approx(other[name]) for name in one)
    assert all_.resample(9, rng=0)["x"] == pytest.approx(own.resample(9, rng=0)["x"])
    assert all_.log_evidence[0] == pytest.approx(own.log_evidence[0] - np.log(1.2))
    assert all_.k_hat_of(lambda p: p["x"]) == pytest.approx(own.k_hat_of(lambda p: p["x"]))
