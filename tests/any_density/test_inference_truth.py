"""What `infer` promises, on targets with a known truth: log Z, all modes with their shares, means.

A target is one more line in TRUTHS. Whatever is trusted is right; what is not has doubts.
"""

from contextlib import nullcontext
from itertools import permutations
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import logsumexp
from scipy import stats
from scipy.special import betaln, gammaln
from support.oracles import cases

import flowcore as fc

LOG_2_PI = np.log(2 * np.pi)
QUICK = {"epochs": 2, "batches": 20}


class Truth(NamedTuple):
    """A target, its log Z, the shares of its modes, and perhaps which mode a row is of, or its
    mean. within: of log Z; worth: the least number of draws that the weighted ones are worth."""

    log_p: Any
    dim: int | None
    log_z: float = 0.0
    shares: Any = (1.0,)
    who: Any = None
    mean: Any = None
    options: Any = None
    seeds: Any = (1000,)
    within: float = 0.03
    worth: float = 100


def mixture(shares, centres, factors, **more):
    """Gaussian pieces x = centre + factor z."""
    shares, centres = np.asarray(shares, float), np.asarray(centres, float)
    inverses = [np.linalg.inv(factor) for factor in factors]
    constants = [np.log(s) + np.linalg.slogdet(inverse)[1] - 0.5 * len(inverse) * LOG_2_PI
                 for s, inverse in zip(shares, inverses, strict=True)]  # fmt: skip

    def joint(x):
        each = [anp.dot(x - c, i.T) for c, i in zip(centres, inverses, strict=True)]
        return anp.stack(
            [k - 0.5 * anp.sum(z**2, axis=1) for k, z in zip(constants, each, strict=True)]
        )

    def log_p(x):
        return logsumexp(joint(x), axis=0)

    kept = {
        "who": lambda x: np.argmax(joint(x), axis=0),
        "mean": shares @ centres,
        "shares": shares,
    }
    return Truth(log_p, centres.shape[1], **kept | more)


def normal(*z):
    return sum(-0.5 * each**2 - 0.5 * LOG_2_PI for each in z)


def two_betas(p):
    """On (0, 1): Beta(200, 800) and Beta(800, 200), in equal shares."""
    x = p["x"]
    a = 199 * anp.log(x) + 799 * anp.log1p(-x)
    return anp.logaddexp(a, 799 * anp.log(x) + 199 * anp.log1p(-x))


def beta(a):
    return lambda x: (a - 1) * (anp.log(x[:, 0]) + anp.log1p(-x[:, 0]))


def gamma(a):
    return lambda x: (a - 1) * anp.log(x[:, 0]) - x[:, 0]


def of_each_support(x):
    """A Gamma(3, 1), a Beta(2, 3) and a normal coordinate."""
    of_beta = anp.log(x[:, 1]) + 2 * anp.log(1 - x[:, 1])
    return gamma(3)(x) + of_beta - 0.5 * x[:, 2] ** 2


def bananas(x):
    return anp.logaddexp(*(
        np.log(share) + normal(x[:, 0] - 8 * sign, x[:, 1] - 0.5 * sign * (x[:, 0] - 8 * sign) ** 2)
        for share, sign in ((0.25, -1), (0.75, 1))
    ))  # fmt: skip


def four_widths():
    rng = np.random.default_rng(1000)
    factors = [np.linalg.qr(rng.standard_normal((8, 8)))[0] * w * np.geomspace(0.5, 2, 8)
               for w in (2.0, 1.0, 0.7, 0.5)]  # fmt: skip
    centres = 4 * rng.standard_normal((4, 8))
    return mixture([0.1, 0.2, 0.3, 0.4], centres, factors, seeds=[1000, 1001, 1002], mean=None)


def switched_labels(blocks, size):
    """A Gaussian made symmetric over its blocks: equal modes, as many as there are orders."""
    rng, dim = np.random.default_rng(1000), blocks * size
    centre = 5 * np.arange(blocks)[:, None] + rng.standard_normal((blocks, size))
    factor = 0.7 * np.linalg.cholesky(0.5 + 0.5 * np.eye(dim))
    orders = [np.arange(dim).reshape(blocks, size)[[*order]].ravel()
              for order in permutations(range(blocks))]  # fmt: skip
    pieces = [centre.ravel()[i] for i in orders], [factor[i] for i in orders]
    return mixture(np.full(len(orders), 1 / len(orders)), *pieces, mean=None)


def centred_hierarchy():
    """y_j ~ N(theta_j, 1), theta_j ~ N(mu, tau): log Z by a grid of mu and log tau."""
    y = np.array([2.0, 5.0, -1.0, 3.5, 8.0, 1.0])

    def log_p(x):
        mu, log_tau, theta = x[:, 0], x[:, 1], x[:, 2:]
        z = [*(y - theta).T, *((theta - x[:, :1]) * anp.exp(-x[:, 1:2])).T, mu / 5, log_tau - 0.5]
        return normal(*z) - 6 * log_tau - np.log(5)

    mu, t = np.linspace(-25, 30, 1101)[:, None], np.linspace(-6, 7, 1301)[None]
    grid = stats.norm.logpdf(mu, 0, 5) + stats.norm.logpdf(t, 0.5, 1)
    for one in y:
        grid = grid + stats.norm.logpdf(one, mu, np.sqrt(1 + np.exp(2 * t)))
    log_z = np.log(np.exp(grid - grid.max()).sum() * 0.05 * 0.01) + grid.max()
    return Truth(log_p, 8, log_z, seeds=range(1000, 1005))


PAIR = mixture([0.3, 0.7], [[2, -1], [10, 3]], [np.eye(2), 0.5 * np.eye(2)], options=QUICK)
EQUAL = mixture([0.5, 0.5], [[0, 0], [12, 0]], [np.eye(2)] * 2, seeds=[0])
TRUTHS = {
    "two Gaussians": PAIR,
    "far apart, by rows in both":  # which are no Gaussian: all are equal in x_2
        EQUAL._replace(options=QUICK | {"start": [[0.0, 0.0], [12.0, 0.0]], "draws": 5000}),
    "units that differ": Truth(
        lambda x: normal(*(x / [1.0, 1e4]).T), 2, np.log(1e4), mean=[0, 0]),
    "a spike without mass":  # e^9 times as high as the body
        mixture([1 - 1e-6, 1e-6], [[0, 0], [2, 0]], [np.eye(2), 1e-5 * np.eye(2)])
        ._replace(shares=(1.0,), who=None, within=0.01),
    "two bananas": Truth(bananas, 2, 0.0, [0.25, 0.75], lambda x: 1 * (x[:, 0] > 0),
                         options={"epochs": 12, "draws": 5000}, seeds=[0]),
    "two betas": Truth(two_betas, None, np.log(2) + betaln(200, 800), [0.5, 0.5],
                       lambda x: 1 * (x["x"] > 0.5), options={"support": {"x": (0.0, 1.0)}}),
    "gamma, beta and normal": Truth(
        of_each_support, 3, np.log(2 / 12) + LOG_2_PI / 2, mean=[3, 0.4, 0],
        options={"support": ["positive", (0.0, 1.0), "real"], "epochs": 5, "batches": 30}),
    "a beta": Truth(beta(0.6), 1, betaln(0.6, 0.6), options={"support": (0.0, 1.0)},
                    seeds=range(3), worth=19_000),  # one dimension has splines
    "log of a gamma(.002)": Truth(  # ascents that overshoot end at y = 700
        lambda y: 0.002 * y[:, 0] - anp.exp(y[:, 0]), 1, gammaln(0.002), options=QUICK, seeds=[0],
        within=0.1),
    "four widths in eight dimensions": four_widths(),
    "labels of two blocks": switched_labels(2, 3),
    "labels of three blocks": switched_labels(3, 2),
    "a small volume":  # e^8 less of it, 6 sds of the wide one away
        mixture([0.1, 0.9], [np.zeros(4), [6, 0, 0, 0]], [np.eye(4), np.exp(-2) * np.eye(4)]),
    "learned again": Truth(  # what cannot be trusted
        lambda x: bananas(2 * x) + np.log(4), 2, 0.0, [0.25, 0.75],
        options={"epochs": 1, "batches": 1}, seeds=[0]),
    "a hierarchy": centred_hierarchy(),
    "a gamma": Truth(gamma(3), 1, np.log(2), options={"support": "positive"}),
    "a gamma(.05)": Truth(gamma(0.05), 1, gammaln(0.05), options={"support": "positive"}),
    "beta(.5, .5)": Truth(beta(0.5), 1, np.log(np.pi), options={"support": (0, 1)}, seeds=[0]),
    "half-Cauchy": Truth(lambda x: -anp.log1p(x[:, 0] ** 2), 1, np.log(np.pi / 2),
                         options={"support": "positive"}, seeds=[0]),
    "t(3)": Truth(lambda x: -2 * anp.log1p(x[:, 0] ** 2 / 3), 1,
                  np.log(np.sqrt(3 * np.pi)) + gammaln(1.5) - gammaln(2)),
    "t(3) in three dimensions": Truth(
        lambda x: anp.sum(stats.t(3).logpdf(0) - 2 * anp.log1p(x**2 / 3), axis=1), 3,
        options={"epochs": 20}, seeds=range(3)),
    "a banana": Truth(lambda x: normal(x[:, 0], x[:, 1] - x[:, 0] ** 2), 2,
                      options={"epochs": 20}, seeds=range(3)),
    "a funnel": Truth(lambda x: normal(x[:, 0], x[:, 1] * anp.exp(-x[:, 0])) - x[:, 0], 2,
                      options={"epochs": 20}, seeds=range(3)),
}  # fmt: skip
SLOW = list(TRUTHS)[list(TRUTHS).index("four widths in eight dimensions") :]


@pytest.mark.filterwarnings("ignore:no epoch was better")
@pytest.mark.parametrize("name", cases(TRUTHS, SLOW))
def test_what_is_promised_is_true(name):
    truth = TRUTHS[name]
    k = len(truth.shares)
    for seed in truth.seeds:
        with pytest.warns(UserWarning, match="order of their labels") if k > 4 else nullcontext():
            found = fc.infer(truth.log_p, truth.dim, rng=seed, **truth.options or {})
        value, error = found.log_evidence
        assert found.trusted, found.verdict
        assert abs(value - truth.log_z) < min(truth.within, 3 * error + 1e-3)
        assert error < truth.within and found.elbo[0] <= value + 3 * found.elbo[1] + 1e-9
        assert found.effective_sample_size > truth.worth
        assert (f"{k} modes" if k > 1 else "One mode") in found.verdict
        assert f"{found.modes.ascents:,}" in found.verdict or k > 1
        np.testing.assert_allclose(sorted(found.modes.shares), sorted(truth.shares), atol=0.05)
        if truth.who:
            shares = np.bincount(truth.who(found.draws), found.weights, minlength=k)
            np.testing.assert_allclose(shares, truth.shares, rtol=0.15)
        if truth.mean is not None:
            mean, error = found.expectation()
            assert (np.abs(mean - truth.mean) < np.maximum(5 * error, 0.02)).all()


def test_the_same_seed_has_the_same_answer():
    one, again = (fc.infer(PAIR.log_p, 2, rng=1000, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(one.rows, again.rows)
    assert one.verdict == again.verdict


def test_a_flow_of_your_own_is_not_searched():
    flow = fc.flows.iaf(2, layers=1, hidden=[8])
    found = fc.infer(PAIR.log_p, flow=flow, start=[[2.0, -1.0]], epochs=1, batches=5)
    assert found.modes is None and "one mode:" not in found.verdict.lower()


@pytest.mark.xfail(strict=True, reason="a fifth of the mass has no draw, unnoticed")
@pytest.mark.slow
def test_the_longest_tail_of_a_chain_is_not_missed():
    """A Rosenbrock chain, where x_4 is about x_1^8."""

    def log_p(x):
        steps = anp.sum((x[:, 1:] - x[:, :-1] ** 2) ** 2, axis=1) / 0.2**2
        constant = 2 * LOG_2_PI + np.log(0.7) + 3 * np.log(0.2)
        return -0.5 * (((x[:, 0] - 1) / 0.7) ** 2 + steps) - constant

    found = fc.infer(log_p, 4, rng=1000)
    value, error = found.log_evidence
    assert found.trusted and abs(value) < min(0.05, 3 * error) and "modes" not in found.verdict
