"""What `infer` promises, on targets with a known truth: all modes, log Z, an answer in the end."""

from contextlib import nullcontext
from itertools import cycle, permutations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import logsumexp
from scipy import stats
from scipy.special import betaln

import flowcore as fc

LOG_2_PI = np.log(2 * np.pi)
QUICK = {"epochs": 2, "batches": 20}


def mixture(shares, centres, factors):
    """(log p of Gaussian pieces x = centre + factor z, the piece of each row): log Z is 0."""
    shares, centres = np.asarray(shares, float), np.asarray(centres, float)
    inverses = [np.linalg.inv(factor) for factor in factors]
    constants = [np.log(s) + np.linalg.slogdet(inverse)[1] - 0.5 * len(inverse) * LOG_2_PI
                 for s, inverse in zip(shares, inverses, strict=True)]  # fmt: skip

    def joint(x):
        each = [anp.dot(x - c, i.T) for c, i in zip(centres, inverses, strict=True)]
        return anp.stack(
            [k - 0.5 * anp.sum(z**2, axis=1) for k, z in zip(constants, each, strict=True)]
        )

    return lambda x: logsumexp(joint(x), axis=0), lambda x: np.argmax(joint(x), axis=0)


def shares_of(found, who, k):
    """Weighted shares of the pieces."""
    return np.bincount(who(found.draws), found.weights, minlength=k)


def right(found, who, shares, log_z=0.0):
    value, error = found.log_evidence
    assert found.trusted and abs(value - log_z) < 0.03 and error < 0.03
    assert np.abs(shares_of(found, who, len(shares)) / shares - 1).max() < 0.15


PAIR = mixture([0.3, 0.7], [[2, -1], [10, 3]], [np.eye(2), 0.5 * np.eye(2)])


@pytest.fixture(scope="module")
def two():
    return fc.infer(PAIR[0], 2, rng=1000, **QUICK)


def test_both_modes_are_found_and_named(two):
    right(two, PAIR[1], np.array([0.3, 0.7]))
    assert "2 modes" in two.verdict and "2 modes" in str(two)
    order = np.argsort(two.modes.shares)
    np.testing.assert_allclose(two.modes.shares[order], [0.3, 0.7], atol=0.02)
    np.testing.assert_allclose(two.modes.centres[order], [[2, -1], [10, 3]], atol=0.3)
    assert (two.modes.counts > 0).all() and two.modes.counts.sum() <= two.modes.ascents


def test_an_answer_with_modes_has_all_that_one_without_has(two):
    mean, error = two.expectation()
    np.testing.assert_allclose(mean, [7.6, 1.8], atol=0.1)
    assert (np.abs(mean - [7.6, 1.8]) < 5 * error).all()
    chain, taken = two.metropolis(2000, rng=0)
    assert np.mean(PAIR[1](chain)) == pytest.approx(0.7, abs=0.06) and taken > 0.5
    x = two.resample(1000, rng=0)
    np.testing.assert_allclose(two.log_prob(x), PAIR[0](x), atol=0.5)
    assert two.elbo[0] <= two.log_evidence[0] + 3 * two.elbo[1]
    again = two.refit(n=2000, epochs=1)
    assert abs(again.log_evidence[0]) < 0.1 and again.modes == two.modes


@pytest.mark.slow
def test_two_modes_in_hmc(two):
    draws, taken = two.hmc(50, chains=40, warm_up=50, rng=0)
    assert draws.shape == (40, 50, 2) and taken > 0.5
    assert np.mean(PAIR[1](draws.reshape(-1, 2))) == pytest.approx(0.7, abs=0.25)


def test_the_same_seed_has_the_same_answer(two):
    again = fc.infer(PAIR[0], 2, rng=1000, **QUICK)
    np.testing.assert_array_equal(two.rows, again.rows)
    assert two.verdict == again.verdict


def test_the_verdict_on_one_mode_has_the_number_of_ascents():
    found = fc.infer(lambda x: -0.5 * anp.sum((x / [1.0, 1e4]) ** 2, axis=1), 2, rng=1000)
    assert "modes" not in found.verdict and "one mode" in found.verdict.lower()
    assert str(found.modes.ascents) in found.verdict.replace(",", "")
    assert len(found.modes.centres) == 1 and found.modes.shares == pytest.approx([1.0])
    assert "close to the target" not in found.verdict


def test_a_flow_of_your_own_is_not_searched():
    flow = fc.flows.iaf(2, layers=1, hidden=[8])
    found = fc.infer(PAIR[0], flow=flow, start=[[2.0, -1.0]], epochs=1, batches=5)
    assert found.modes is None and "one mode:" not in found.verdict.lower()


def test_a_spike_without_mass_is_no_mode():
    """e^9 times as high as the body, with 1e-6 of the mass."""
    log_p, _ = mixture([1 - 1e-6, 1e-6], [[0, 0], [2, 0]], [np.eye(2), 1e-5 * np.eye(2)])
    found = fc.infer(log_p, 2, rng=1000)
    assert found.trusted and abs(found.log_evidence[0]) < 0.01 and len(found.modes.shares) == 1


def test_modes_inside_of_a_support_are_found():
    """On (0, 1): Beta(200, 800) and Beta(800, 200), in equal shares."""

    def log_p(p):
        x = p["x"]
        a = 199 * anp.log(x) + 799 * anp.log1p(-x)
        b = 799 * anp.log(x) + 199 * anp.log1p(-x)
        return anp.logaddexp(a, b)

    found = fc.infer(log_p, support={"x": (0.0, 1.0)}, rng=1000)
    assert found.trusted and "2 modes" in found.verdict
    assert found.log_evidence[0] == pytest.approx(np.log(2) + betaln(200, 800), abs=0.03)
    high = found.draws["x"] > 0.5
    assert found.weights[high].sum() == pytest.approx(0.5, abs=0.05)


def test_rows_that_raise_are_left_out_and_counted():
    errors = cycle([np.linalg.LinAlgError, ZeroDivisionError, RuntimeError])

    def log_p(x):
        if (x[:, 0] > 3.8).any():
            raise next(errors)("no answer here")
        return -0.5 * np.sum(x**2, axis=1) - LOG_2_PI, -x

    found = fc.infer(log_p, 2, rng=1000, **QUICK)
    assert found.trusted and abs(found.log_evidence[0]) < 0.01
    assert found.history.settings["raised_rows"] > 0


def test_updates_left_out_are_counted():
    found = fc.infer(lambda x: -0.5 * anp.sum(x**2, axis=1), 2, epochs=1, batches=5, rng=0)
    assert found.history.settings["skipped_updates"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1000, 1001, 1002])
def test_four_modes_of_unequal_widths_in_eight_dimensions(seed):
    rng = np.random.default_rng(1000)
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    factors = [np.linalg.qr(rng.standard_normal((8, 8)))[0] * w * np.geomspace(0.5, 2, 8)
               for w in (2.0, 1.0, 0.7, 0.5)]  # fmt: skip
    log_p, who = mixture(shares, 4 * rng.standard_normal((4, 8)), factors)
    right(fc.infer(log_p, 8, rng=seed), who, shares)


@pytest.mark.slow
@pytest.mark.parametrize("blocks, size", [(2, 3), (3, 2)])
def test_label_switching(blocks, size):
    """A Gaussian made symmetric over its blocks: equal modes, as many as there are orders."""
    rng = np.random.default_rng(1000)
    dim = blocks * size
    centre = 5 * np.arange(blocks)[:, None] + rng.standard_normal((blocks, size))
    factor = 0.7 * np.linalg.cholesky(0.5 + 0.5 * np.eye(dim))
    index = [np.arange(dim).reshape(blocks, size)[[*order]].ravel()
             for order in permutations(range(blocks))]  # fmt: skip
    k = len(index)
    log_p, who = mixture([1 / k] * k, [centre.ravel()[i] for i in index],
                         [factor[i] for i in index])  # fmt: skip
    warned = pytest.warns(UserWarning, match="order of their labels") if k > 4 else nullcontext()
    with warned:
        found = fc.infer(log_p, dim, rng=1000)
    right(found, who, np.full(k, 1 / k))
    assert f"{k} modes" in found.verdict


@pytest.mark.slow
def test_a_mode_of_a_small_volume_is_found():
    """e^8 less volume, 6 sds of the wide one away, nine tenths of the mass."""
    log_p, who = mixture(
        [0.1, 0.9], [np.zeros(4), [6, 0, 0, 0]], [np.eye(4), np.exp(-2) * np.eye(4)]
    )
    right(fc.infer(log_p, 4, rng=1000), who, np.array([0.1, 0.9]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1005))
def test_a_centred_hierarchy_ends_with_an_answer(seed):
    """y_j ~ N(theta_j, 1), theta_j ~ N(mu, tau): log Z by a grid of mu and log tau."""
    y = np.array([2.0, 5.0, -1.0, 3.5, 8.0, 1.0])

    def log_p(x):
        mu, log_tau, theta = x[:, 0], x[:, 1], x[:, 2:]
        data = -0.5 * anp.sum((y - theta) ** 2, axis=1) - 0.5 * (mu / 5) ** 2
        groups = -0.5 * anp.sum(((theta - x[:, :1]) * anp.exp(-x[:, 1:2])) ** 2, axis=1)
        return (
            data + groups - 6 * log_tau - 0.5 * (log_tau - 0.5) ** 2 - 14 * LOG_2_PI / 2 - np.log(5)
        )

    mu, t = np.linspace(-25, 30, 1101)[:, None], np.linspace(-6, 7, 1301)[None]
    grid = stats.norm.logpdf(mu, 0, 5) + stats.norm.logpdf(t, 0.5, 1)
    for one in y:
        grid = grid + stats.norm.logpdf(one, mu, np.sqrt(1 + np.exp(2 * t)))
    log_z = np.log(np.exp(grid - grid.max()).sum() * 0.05 * 0.01) + grid.max()
    found = fc.infer(log_p, 8, rng=seed)
    value, error = found.log_evidence
    assert found.trusted and abs(value - log_z) < 0.03 and abs(value - log_z) < 3 * error
    assert "modes" not in found.verdict


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
