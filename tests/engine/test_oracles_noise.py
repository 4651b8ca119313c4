"""Oracles of noise, of whitened rows and of contexts far out: what a table with errors must give.

convolved   a fit with noise has the density of x + noise
fresh       every epoch has noise of its own; the same seed has the same
attenuated  noise in a context flattens a regression by var / (var + sd^2)
units       a whitened flow has one density in all units
far         contexts far out warn once, by name; NaN is an error with a way out
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from flowcore import flows
from flowcore.testing import randomize

N = 4000
FIT = {"epochs": 60, "batch_size": 256, "learning_rate": 0.01, "rng": 0}


def gaussian_flow(dim=1, **options):
    """Contains every Gaussian density, and with a context every linear regression of y."""
    return flows.maf(dim, layers=1, hidden=[8], base="normal", activation="tanh", **options)


def moments(flow, context=None):
    draws = flow.sample(20_000, 5, context=context)
    return draws.mean(axis=0), draws.std(axis=0)


def x_of(n=N, dim=1):
    return np.random.default_rng(0).normal(3.0, 1.0, size=(n, dim))


SDS = {
    "a number": 0.75,
    "a column": [0.75],
    "of each value": np.full((N, 1), 0.75),
    "a function": lambda x, rng: 0.75 * rng.normal(size=x.shape),
}


@pytest.mark.parametrize("name", [name for name in SDS if name != "a function"])
def test_the_density_is_that_of_rows_with_noise(name):
    x = x_of()
    flow, _ = fc.fit(gaussian_flow(), x, noise=SDS[name], **FIT)
    mean, sd = moments(flow)
    assert mean[0] == pytest.approx(3.0, abs=0.08) and sd[0] == pytest.approx(1.25, abs=0.06)
    np.testing.assert_array_equal(x, x_of())  # the caller's rows


def test_noise_of_each_row_stays_with_its_row():
    """The right half has none, so only the left one is wider, whatever the order of batches."""
    rng = np.random.default_rng(0)
    side = np.repeat([[0.0], [1.0]], 1000, axis=0)
    x = 4 * side - 2 + 0.5 * rng.normal(size=(2000, 1))
    sd = 1.5 * (1 - side)
    order = rng.permutation(len(x))
    flow, _ = fc.fit(
        gaussian_flow(context_dim=1), x[order], context=side[order], noise=sd[order], **FIT
    )
    assert moments(flow, np.zeros((1, 1)))[1].item() == pytest.approx(np.sqrt(2.5), abs=0.12)
    assert moments(flow, np.ones((1, 1)))[1].item() == pytest.approx(0.5, abs=0.06)


@pytest.mark.slow
def test_each_column_has_its_own_noise():
    flow, _ = fc.fit(gaussian_flow(2), x_of(dim=2), noise=[0.0, 2.0], **FIT)
    _, sd = moments(flow)
    np.testing.assert_allclose(sd, [1.0, np.sqrt(5)], rtol=0.06)


def test_noise_in_a_context_flattens_a_regression():
    """y = c exactly; E[y | c + noise] = c var / (var + sd^2), and the spread is what is left."""
    c = x_of() - 3
    flow, _ = fc.fit(gaussian_flow(context_dim=1), c, context=c, context_noise=1.0, **FIT)
    mean, sd = moments(flow, np.array([[-1.0], [1.0]]))
    slope = (mean[1, 0] - mean[0, 0]) / 2
    assert slope == pytest.approx(0.5, abs=0.07)
    np.testing.assert_allclose(sd[:, 0], np.sqrt(0.5), rtol=0.12)


def test_noise_is_fresh_and_has_a_seed():
    x, options = x_of(300), {**FIT, "epochs": 4}
    first, again = (fc.fit(gaussian_flow(), x, noise=0.5, **options)[0].params for _ in range(2))
    other = fc.fit(gaussian_flow(), x, noise=0.5, **{**options, "rng": 1})[0].params
    plain = fc.fit(gaussian_flow(), x, **options)[0].params
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (first != plain).any()


@pytest.mark.slow
def test_noise_of_zero_changes_little():
    """Fits with sd 0 and without noise end at the same density, up to the order of batches."""
    x = x_of()
    found, _ = fc.fit(gaussian_flow(), x, noise=0.0, **FIT)
    plain, _ = fc.fit(gaussian_flow(), x, **FIT)
    np.testing.assert_allclose(moments(found), moments(plain), atol=0.05)


@pytest.mark.parametrize("keyword", ["noise", "context_noise"])
@pytest.mark.parametrize("sd", [-1.0, np.nan, np.inf, [1.0, 2.0, 3.0], "much", np.ones((5, 1))])
def test_noise_that_is_none_is_refused_by_name(keyword, sd):
    x = x_of(50)
    with pytest.raises((ValueError, TypeError), match="noise"):
        fc.fit(gaussian_flow(context_dim=1), x, context=x, **{keyword: sd}, epochs=1)


def test_noise_of_a_context_needs_one():
    with pytest.raises(ValueError, match="context"):
        fc.fit(gaussian_flow(), x_of(50), context_noise=1.0, epochs=1)


@pytest.mark.slow
def test_repeated_rows_have_noise_of_their_own():
    """Fifty copies of eighty rows: the width is that of the noise, not of one draw a row."""
    x = np.repeat(np.zeros((80, 1)), 50, axis=0) + np.repeat(x_of(80) * 1e-3, 50, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flow, _ = fc.fit(gaussian_flow(), x, noise=1.0, **{**FIT, "epochs": 200})
    assert moments(flow)[1].item() == pytest.approx(1.0, abs=0.12)


# ------------------------------------------------------------------------ whitened


def correlated(n=500, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(20, 1, size=(n, 1)) + 0.02 * rng.normal(size=(n, 4)) * [1, 2, 3, 4]


@pytest.mark.parametrize("recipe", ["maf", "nsf", "realnvp"])
def test_a_whitened_flow_has_one_density_in_all_units(recipe):
    x, units, shift = correlated(), np.array([1e-3, 1.0, 50.0, 1e4]), np.array([0, 5, -1e3, 1e5])
    make = lambda: getattr(flows, recipe)(4, layers=2, hidden=[8], standardize="whiten")  # noqa: E731
    first = make().initialize(x)
    first = randomize(first, 0.3, rng=1)
    other = make().initialize(x * units + shift).with_params(first.params)
    np.testing.assert_allclose(
        other.log_prob(x * units + shift), first.log_prob(x) - np.log(units).sum(),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip


def test_whitened_rows_are_white():
    x = correlated(20_000)  # of few rows, correlations are shrunk
    flow = flows.maf(4, layers=1, hidden=[8], base="normal", standardize="whiten").initialize(x)
    z = flow.to_latent(x)  # every other part is the identity at first
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(4), atol=1e-3)
    _, log_det = np.linalg.slogdet(np.cov(x.T, bias=True))
    gaussian = -0.5 * ((z**2).sum(axis=1) + log_det + 4 * np.log(2 * np.pi))
    np.testing.assert_allclose(flow.log_prob(x), gaussian, atol=1e-3)


@pytest.mark.parametrize("harm", ["constant", "copy", "sum", "tiny", "huge", "integer"])
def test_a_whitened_context_survives_its_columns(harm):
    x, c = x_of(300), correlated(300)
    c[:, 3] = {
        "constant": np.full(300, 99.0), "copy": c[:, 0], "sum": c[:, 0] - c[:, 1],
        "tiny": 1e-12 * c[:, 1], "huge": 1e12 * c[:, 1], "integer": np.arange(300) % 3,
    }[harm]  # fmt: skip
    flow, history = fc.fit(
        gaussian_flow(context_dim=4, standardize_context="whiten"), x, context=c,
        **{**FIT, "epochs": 5},
    )  # fmt: skip
    assert np.isfinite(history.train_nll).all()
    log_p = flow.log_prob(x, context=c)
    assert np.isfinite(log_p).all()
    # a little beside the training rows, too: rounding in a tiny axis is no signal
    near = flow.log_prob(x, context=c * (1 + 1e-9))
    np.testing.assert_allclose(near, log_p, atol=1e-3)


def test_fit_names_a_condition_number_once():
    x = correlated()
    x[:, 3] = x[:, 0] + 1e-3 * np.random.default_rng(1).normal(size=len(x))
    with pytest.warns(UserWarning, match="whiten") as found:
        fc.fit(flows.maf(4, layers=1, hidden=[16]), x, epochs=2, rng=0)
    assert sum("whiten" in str(one.message) for one in found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fc.fit(flows.maf(4, layers=1, hidden=[16], standardize="whiten"), x, epochs=2, rng=0)


# ------------------------------------------------------------------------ contexts far out


def far_flow():
    c = correlated(300)[:, :2] + np.random.default_rng(1).normal(size=(300, 2))
    c = pd.DataFrame(c, columns=["u", "g"])
    return fc.fit(gaussian_flow(context_dim=2), x_of(300), context=c, **{**FIT, "epochs": 2})[0], c


def test_a_flag_of_99_warns_once_by_name():
    flow, c = far_flow()
    x, flagged = x_of(5), c[:5].assign(g=99.0)
    for call in (
        lambda: flow.log_prob(x, context=flagged),
        lambda: flow.pit(x, context=flagged),
        lambda: flow.sample(2, 0, context=flagged),
        lambda: flow.quantiles([0.1, 0.9], context=flagged),
        lambda: flow.posterior(context=flagged),
    ):
        with pytest.warns(UserWarning, match="'g'") as found:
            call()
        (message,) = {str(one.message) for one in found}  # a user sees equal ones once
        assert "'u'" not in message and "5 of 5 rows" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.log_prob(x, context=c[:5])
        flow.log_prob(x_of(300), context=c)  # no training row is far out


def test_nan_in_a_context_is_an_error_with_a_way_out():
    flow, c = far_flow()
    x, lacking = x_of(5), c[:5].assign(g=[1.0, np.nan, 1, 1, 1])
    with pytest.raises(ValueError, match=r"(?s)g.*joint|joint.*g"):
        fc.fit(gaussian_flow(context_dim=2), x, context=lacking, epochs=1)
    with pytest.raises(ValueError, match="joint"):
        fc.FlowDensity("small", budget=1e-3).fit(x, context=lacking)
    with pytest.raises(ValueError, match="joint"):
        flow.posterior(context=lacking)
    for found in (
        flow.log_prob(x, context=lacking),
        flow.pit(x, context=lacking),
        flow.quantiles([0.5], context=lacking)[0],
    ):  # NaN stays in its row
        assert np.isnan(found[1]) and np.isfinite(np.delete(found, 1)).all()
