"""The verdict of `infer`: error bars on a known log Z, tails without moments, words, what to trust.

Flows and targets are known densities here, so that log Z, quantiles and what is right are exact.
"""

import sys
from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.inference.modes import Modes
from flowcore.inference.unnormalised import LogTarget
from flowcore.pareto import shape_of_tail
from flowcore.training import History

SCALES = (1.0, 3.0, 10.0, 30.0)


def normal(x):
    return anp.sum(-0.5 * x**2 - 0.5 * np.log(2 * np.pi), axis=1)


def student(df):
    constant = float(stats.t(df).logpdf(0))
    return lambda x: anp.sum(constant - 0.5 * (df + 1) * anp.log1p(x**2 / df), axis=1)


def logistic(x):
    return anp.sum(-x - 2 * anp.log1p(anp.exp(-x)), axis=1)


def weighted(base, scale, log_p, n=20_000, rng=0):
    """Draws of a scaled base density q, weighted by p."""
    map_ = fc.ElementwiseAffine(np.zeros(base.dim), np.full(base.dim, float(scale)))
    flow = fc.TransformedDistribution(base, map_)
    return fc.Inference.of(flow, LogTarget(log_p, base.dim), n, rng)


def test_a_tail_beyond_all_draws_of_the_flow_has_its_probability():
    found, truth = weighted(fc.Normal(1), 1.0, student(3.0)), stats.t(3).sf(10)
    assert found.rows[found.of_flow].max() < 10
    value, error = found.expectation(lambda x: x[:, 0] > 10)
    assert abs(value - truth) < 3 * error < truth
    value, error = found.log_evidence
    assert abs(value) < 3 * error < 0.01


def of_weights(log_w, n=20_000):
    """Weights as they are given, of draws that show nothing else."""
    found = weighted(fc.Normal(1), 1.0, normal, n)
    return replace(found, log_p=found.log_q + log_w)


# ---------------------------------------------------------------- the error of log Z


class Most:
    """A density but for its shares `below` and `above`: all weights of its draws are equal, and
    log Z by them is log(1 - below - above)."""

    dim = 1

    def __init__(self, p, below, above):
        self.p, self.ends = p, (below, 1 - above)

    def sample(self, n, rng=None):
        return self.p.ppf(np.random.default_rng(rng).uniform(*self.ends, (n, 1)))

    def log_prob(self, x):
        level = self.p.cdf(x[:, 0])
        inside = (level > self.ends[0]) & (level < self.ends[1])
        log_p = self.p.logpdf(x[:, 0]) - np.log(np.subtract(*self.ends[::-1]))
        return np.where(inside, log_p, -np.inf)


LACKING = {  # q, p, the widest useful error
    "t(3) by N(0, 1)": (fc.Normal(1), 1.0, student(3.0), 0.06),
    "t(3) by N(0, 1.5^2)": (fc.Normal(1), 1.5, student(3.0), 0.06),
    "t(5)^5 by N(0, I)": (fc.Normal(5), 1.0, student(5.0), 0.1),
    "Cauchy^2 by t(2)^2": (fc.StudentT(2, 2.0), 1.0, student(1.0), 0.06),
    "N by a narrow N": (fc.Normal(1), 0.5, normal, 0.2),
    "N by a wide N": (fc.Normal(3), 1.5, normal, 0.02),
    "N by N": (fc.Normal(2), 1.02, normal, 0.001),
    "N by N, D = 20": (fc.Normal(20), 1.005, normal, 0.002),
    "logistic by most of it": (Most(stats.logistic, 0, 0.02), 1.0, logistic, 0.03),
    "Cauchy by most of it": (Most(stats.cauchy, 0.04, 0.04), 1.0, student(1.0), 0.1),
}


@pytest.mark.parametrize("name", LACKING)
def test_the_error_of_log_evidence_covers_what_q_lacks(name):
    """Two errors cover at least 35 of 40, where q lacks tails; and no error is uselessly wide."""
    base, scale, log_p, widest = LACKING[name]
    log_z = np.array([
        weighted(base, scale, log_p, 4000, seed).log_evidence for seed in range(40)
    ])  # fmt: skip
    assert np.sum(np.abs(log_z[:, 0]) < 2 * log_z[:, 1]) >= 35
    assert np.median(log_z[:, 1]) < widest


@pytest.mark.parametrize("q, log_p, square", [(1.6, logistic, np.pi**2 / 3), (1.0, normal, 1.0)])
def test_the_error_of_an_expectation_covers_it_too(q, log_p, square):
    """Two errors cover at least 35 of 40, also where the few largest w f decide the mean."""
    each = [weighted(fc.Normal(1), q, log_p, 4000, seed) for seed in range(40)]
    mean, error = np.array([one.expectation(lambda x: x[:, 0] ** 2) for one in each]).T
    assert np.sum(np.abs(mean - square) < 2 * error) >= 35 and np.median(error) < 0.3 * square


# ---------------------------------------------------------------- moments that do not exist


@pytest.mark.parametrize("k", [0.3, 0.7, 1.0, 1.5])
def test_the_shape_of_a_known_tail(k):
    x = stats.genpareto(k).rvs((20, 20_000), random_state=0)
    found = shape_of_tail(x)
    assert abs(found.mean() - k) < 0.05 and found.std() < 0.15
    half = np.where(np.arange(20_000) % 2, 0.0, x)  # a factor, and other draws without a value
    assert abs(shape_of_tail(7 * half).mean() - k) < 0.05


def test_a_tail_that_is_none():
    assert shape_of_tail(np.ones((2, 1000))).tolist() == [-np.inf, -np.inf]
    endless, few = np.full((1, 1000), 1.0), np.ones((1, 40))
    endless[0, 0] = np.inf
    assert shape_of_tail(endless)[0] == shape_of_tail(few)[0] == np.inf


def test_a_cauchy_has_quantiles_but_no_mean():
    """q is Cauchy itself, or t(2), whose tails are thinner: like those of a flow."""
    for df in (1.0, 2.0):
        found = weighted(fc.StudentT(2, df), 1.0, student(1.0))
        for name, row in found.summary().items():
            assert np.isnan(row["mean"]) and np.isnan(row["sd"]) and row["error"] == np.inf
            assert row["50%"] == pytest.approx(0, abs=0.06)
            assert row["95%"] == pytest.approx(stats.cauchy.ppf(0.95), rel=0.1)
            (line,) = [line for line in str(found).split("\n") if line.split()[0] == name]
            assert line.split()[1:4] == ["-", "-", "-"]
        assert "it may not exist" in str(found) and (found.k_hat_of() > 0.7).all()
        assert np.isinf(found.expectation()[1]).all()
    found = weighted(fc.StudentT(1, 1.0), 1.0, student(1.0))
    assert found.k_hat_of(lambda x: np.sign(x) + 1e-6 * x) == -np.inf  # a tail of no matter


def test_moments_that_exist_are_shown():
    """t(1.5) has a mean and no sd; t(5), a normal and a share of its draws have all."""
    row = weighted(fc.StudentT(1, 1.5), 1.0, student(1.5)).summary()["x_1"]
    assert abs(row["mean"]) < 5 * row["error"] < 1 and np.isnan(row["sd"])
    for base, log_p, sd in ((fc.StudentT(1, 5.0), student(5.0), np.sqrt(5 / 3)),
                            (fc.Normal(1), normal, 1.0)):  # fmt: skip
        found = weighted(base, 1.05, log_p)
        row = found.summary()["x_1"]
        assert row["sd"] == pytest.approx(sd, rel=0.06) and abs(row["mean"]) < 5 * row["error"]
        mean, error = found.expectation(lambda x: x[:, 0] > 0.5)
        assert 0.2 < mean < 0.4 and error < 0.01 and found.k_hat_of(lambda x: 5.0 + 0 * x[:, 0]) < 0
        assert "may not exist" not in str(found)


def test_moments_by_name_and_far_from_zero():
    """A location of 1e6 does not hide a long tail, and names keep their form."""
    flow = fc.TransformedDistribution(fc.StudentT(2, 1.0), fc.ElementwiseAffine([1e6, 0], [1, 1]))
    target = LogTarget(lambda y: student(1.0)(y - np.array([1e6, 0.0])), 2)
    space = fc.inference.space.Space({"a": "real", "b": ("real", (1,))}, None)
    found = fc.Inference.of(flow, target, 4000, space=space)
    k = found.k_hat_of()
    assert k["a"].shape == () and k["a"] > 0.7 and k["b"].shape == (1,) and k["b"] > 0.7
    assert np.isinf(found.expectation()[1]["a"]) and list(found.summary()) == ["a", "b[0]"]


# ---------------------------------------------------------------- words


def modes_of(shares, counts, ascents=200):
    shares = np.array(shares, float)
    return Modes(np.zeros((len(shares), 1)), shares, np.array(counts), ascents, SCALES)


WORDS = {
    "one": (modes_of([1.0], [200]), "One mode: 200 of 200 ascents over four scales ended in it."),
    "elsewhere": (modes_of([1.0], [12]), "ended in it, the others where hardly any mass is"),
    "three": (modes_of([0.24, 0.41, 0.35], [3, 90, 107]),
              "3 modes found, with .41, .35 and .24 of the mass; there may be others."),
    "six": (modes_of([0.3, 0.3, 0.2, 0.1, 0.05, 0.05], [9] * 6),
            "6 modes found, with .3, .3, .2, .1, .05 and less each of the mass"),
    "no search": (None, "No search for modes was done: there may be others."),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("scale", [1.0, 0.2])  # trusted, and not
def test_the_verdict_names_the_search(name, scale):
    modes, words = WORDS[name]
    found = replace(weighted(fc.Normal(1), scale, normal, 4000), modes=modes)
    assert words in found.verdict and found.trusted == (scale == 1)
    assert ("modes" in found.verdict) == (name not in ("one", "elsewhere"))
    assert "the flow is close to the target" not in found.verdict and "anneal" not in found.verdict


def test_equal_modes_may_be_switched_labels():
    found = weighted(fc.Normal(1), 1.0, normal, 1000)
    switched = replace(found, modes=modes_of([1 / 6] * 6, [30] * 6))
    assert 'use the support "ordered"' in switched.verdict
    for shares in ([1 / 3] * 3, [0.6, 0.2, 0.1, 0.1]):
        assert "ordered" not in replace(found, modes=modes_of(shares, [50] * len(shares))).verdict


def test_free_labels_are_a_warning_before_any_flow_is_trained(monkeypatch):
    monkeypatch.setattr(sys.modules["flowcore.inference.infer"], "fit_modes", None)
    y = np.random.default_rng(0).normal(np.repeat([-6.0, 0.0, 6.0], 8), 1.0)

    def log_target(means):  # equal weights, so that each of the 3! orders is a mode
        each = -0.5 * (y[None, :, None] - means[:, None]) ** 2
        return anp.sum(anp.log(anp.sum(anp.exp(each), axis=2)), axis=1)

    with pytest.warns(UserWarning, match='6 modes found: .*"ordered"'), pytest.raises(TypeError):
        fc.infer(log_target, 3)


def test_the_verdict_names_what_happened_in_training():
    found = weighted(fc.Normal(1), 1.0, normal, 1000)
    assert found.verdict.startswith("k-hat")
    settings = {"epochs": 50, "skipped_updates": 4, "raised_rows": 1200}
    history = History([1.0], [1.0], 0, interrupted=True, settings=settings)
    verdict = replace(found, history=history).verdict
    assert "interrupted after 1 of 50 epochs; updates left out because of an" in verdict
    assert "p counts as 0: 1,200" in verdict and "the weights correct the flow" in verdict


def test_the_table_of_many_parameters_is_short():
    found = weighted(fc.Normal(60), 1.0, normal, 1000)
    lines = str(found).split("\n")
    assert len(lines) < 46 and max(map(len, lines[:-1])) < 80
    assert "and 20 more, see summary()" in lines and len(found.summary()) == 60


# ---------------------------------------------------------------- what is trusted

TRUSTED = {  # q, p, whether weighted draws are right
    "q = p": (fc.Normal(5), 1.0, normal, True),
    "q too wide": (fc.Normal(1), 3.0, normal, True),
    "t(5) by N(0, 1.5^2)": (fc.Normal(1), 1.5, student(5.0), True),
    "t(5) by t(3)": (fc.StudentT(5, 3.0), 1.0, student(5.0), True),
    "q too narrow": (fc.Normal(1), 0.5, normal, False),
    "q too narrow, D = 10": (fc.Normal(10), 0.8, normal, False),
    "Cauchy by N(0, 1)": (fc.Normal(1), 1.0, student(1.0), False),
    "Cauchy^3 by N(0, 1.5^2)": (fc.Normal(3), 1.5, student(1.0), False),
    "t(2)^3 by N(0, I)": (fc.Normal(3), 1.0, student(2.0), False),
    "half of a mode": (fc.Uniform(1), 3.0, normal, False),
    "most of a mode": (fc.Laplace(1), 0.1, student(3.0), False),
}


@pytest.mark.parametrize("name", TRUSTED)
def test_trusted_and_refused(name):
    base, scale, log_p, right = TRUSTED[name]
    for seed in range(3):
        found = weighted(base, scale, log_p, rng=seed)
        assert found.trusted == right, found.verdict
        if right:
            assert abs(found.log_evidence[0]) < max(2 * found.log_evidence[1], 0.002)


@pytest.mark.parametrize(("size", "good"), [(2e-4, True), (1e-3, False)])
def test_a_long_tail_of_few_draws_does_not_refuse_a_good_fit(size, good):
    """2,000 weights 1 + a Pareto tail of k = 1.2: of little weight, or of much."""
    u = (np.arange(2000) + 0.5) / 2000
    found = of_weights(np.log1p(size * (u**-1.2 - 1)), 2000)
    assert 1 < found.k_hat < 2 and (found.effective_sample_size > 1800) == good
    assert found.trusted == good and ("they must be worth 1,800" in found.verdict) != good
