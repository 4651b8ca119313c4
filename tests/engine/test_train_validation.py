"""`fit`: validation, early stopping, schedules and averages."""

import math

import autograd.numpy as anp
import numpy as np
import pytest
from support.flows import (
    Banana,
    Conditional,
    Gaussian,
    GradientDescent,
    Spy,
    banana_data,
    nll,
)
from support.flows import textbook_fit as fit

import flowcore
from flowcore.training import Adam, constant, cosine_decay


@pytest.fixture
def X():
    return banana_data()


# ---------------------------------------------------------------- validation, early stopping


def test_the_best_validation_parameters_are_restored(X):
    seen = []
    options = {"epochs": 40, "batch_size": 20, "learning_rate": 0.3, "validation_data": X[200:]}
    look = [lambda report: seen.append(report.flow.params)]
    flow, history = fit(Banana(), X[:200], callbacks=look, **options)
    best = int(np.argmin(history.val_nll))
    assert 0 < best < 39  # otherwise this test shows nothing
    assert history.best_epoch == best
    np.testing.assert_array_equal(flow.params, seen[best])
    assert nll(flow, X[200:]) == pytest.approx(min(history.val_nll), rel=1e-13)
    assert len(history.train_nll) == len(history.val_nll) == 40


def test_without_validation_the_last_parameters_are_returned(X):
    seen = []
    look = [lambda report: seen.append(report.flow.params)]
    flow, history = fit(Banana(), X, validation_split=0, epochs=5, callbacks=look)
    np.testing.assert_array_equal(flow.params, seen[-1])
    assert history.best_epoch == 4 and history.val_nll == [] and len(history.train_nll) == 5


def test_validation_data_overrides_the_split(X):
    spy = Spy()
    fit(spy, X[:200], epochs=1, batch_size=None, validation_split=0.5, validation_data=X[200:])
    assert len(spy.seen("train")[0]) == 200
    np.testing.assert_array_equal(spy.seen("score")[0], X[200:])


@pytest.mark.parametrize(
    "epochs, patience, length", [(500, 1, 2), (500, 4, 5), ("auto", "auto", 61), (99, "auto", 99)]
)
def test_patience_counts_epochs_without_improvement(X, epochs, patience, length):
    """Validation rows on the way to the solution: better at first, then worse for good."""
    options = {"epochs": epochs, "batch_size": None, "learning_rate": 0.05, "patience": patience}
    _, history = fit(Gaussian(), X, validation_data=X * 0.2, **options)
    assert 1 < history.best_epoch < 50
    assert len(history.val_nll) == min(length + history.best_epoch, history.settings["epochs"])
    assert history.best_epoch == np.argmin(history.val_nll)


NO_BETTER = r"no epoch was better than the initial parameters.*smaller learning_rate.*more data"


@pytest.mark.parametrize("patience", [None, 2])
def test_the_initial_parameters_are_a_candidate_for_the_best(X, patience):
    flow = Banana(Banana.solution(X[200:]))
    start, options = nll(flow, X[200:]), {"validation_data": X[200:], "epochs": 8}
    with pytest.warns(UserWarning, match=NO_BETTER) as seen:
        found, history = fit(flow, X[:200], learning_rate=0.3, patience=patience, **options)
    assert seen[0].filename == __file__
    np.testing.assert_array_equal(found.params, flow.params)
    assert history.best_epoch is None and min(history.val_nll) > start
    assert f"{start:.6g} there, and {min(history.val_nll):.6g}" in str(seen[0].message)
    assert nll(found, X[200:]) == pytest.approx(start, rel=1e-13)
    # patience counts from the best epoch, and not from the start
    length = 8 if patience is None else int(np.argmin(history.val_nll)) + 1 + patience
    assert len(history.val_nll) == min(length, 8)


def test_an_epoch_that_is_worse_by_chance_alone_is_kept(X):
    """The start is the best there is for these 100 rows: no epoch can be better."""
    flow, options = Banana(Banana.solution(X[200:])), {"validation_data": X[200:], "epochs": 2}
    found, history = fit(flow, X[:200], learning_rate=1e-3, **options)
    assert min(history.val_nll) > nll(flow, X[200:]) and history.best_epoch is not None
    assert nll(found, X[200:]) == pytest.approx(min(history.val_nll), rel=1e-12)


def test_an_absurd_learning_rate_is_not_passed_over(X):
    flow = flowcore.flows.maf(2, layers=2, hidden=[8])
    initial = flow.initialize(X)
    for options in ({"validation_data": X}, {"validation_split": 0}):
        with pytest.warns(UserWarning, match="smaller learning_rate, clip_norm, or more data"):
            found, history = fit(flow, X, epochs=3, learning_rate=10.0, **options)
        assert np.isfinite(found.params).all()
        if "validation_data" in options:
            assert nll(found, X) == nll(initial, X) and history.best_epoch is None
        else:
            assert nll(found, X) > nll(initial, X) and history.best_epoch == 2


@pytest.mark.parametrize("batch_size", [None, 50])
@pytest.mark.parametrize("penalty", [None, lambda theta: anp.sum((theta - 3.0) ** 2)])
def test_without_validation_a_worse_end_is_said(X, batch_size, penalty):
    options = {"epochs": 4, "validation_split": 0, "batch_size": batch_size, "penalty": penalty}
    flow, _ = fit(Banana(), X, **options | {"epochs": 60, "learning_rate": 0.1})  # no warning
    with pytest.warns(
        UserWarning, match="training made the flow worse: the loss of the first batch"
    ) as w:
        found, history = fit(flow, X, learning_rate=1.0, **options)
    assert w[0].filename == __file__ and history.best_epoch == 3
    for said, after in (("was", flow), ("is", found)):
        loss = nll(after, X[:batch_size]) + (penalty(after.params) if penalty else 0.0)
        assert f"{said} {loss:.6g} at" in str(w[0].message)


def test_noise_is_no_worse_end():
    """A flow that has nothing to learn, on few rows: their loss may rise by what is in the rows."""
    flow = flowcore.flows.maf(2, layers=1, hidden=[16, 16], activation="relu", rng=1)
    x, options = np.random.default_rng(0).normal(size=(50, 2)), {"learning_rate": 5e-3}
    found, _ = fit(flow, x, epochs=1, batch_size=20, validation_split=0, **options)
    assert nll(found, x[:20]) > nll(flow.initialize(x), x[:20])


def test_a_validation_nll_that_is_never_finite_is_reported(X):
    class Bounded(Gaussian):
        def density(self, x, p, context):
            return anp.where(x[:, 0] > 0, 0.0, -np.inf) + super().density(x, p, context)

    inside = np.abs(X) + 0.1
    with pytest.warns(UserWarning, match="validation NLL was never finite"):
        flow, history = fit(Bounded(), inside, validation_data=-inside, epochs=4, patience=3)
    assert history.val_nll == [math.inf] * 3 and history.best_epoch == 2
    assert np.isfinite(flow.params).all() and (flow.params != 0).any()


def test_context_goes_where_its_rows_go():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(400, 1))
    x = 3.0 * c + 0.5 * rng.standard_normal((400, 1))
    options = {"epochs": 300, "learning_rate": lambda step: 0.05 * 0.995**step}
    for validation in ({}, {"validation_data": (x[:50], c[:50])}):
        flow, _ = fit(Conditional(), x, context=c, **options, **validation)
        np.testing.assert_allclose(flow.params, [3.0, math.log(0.5)], atol=0.1)
    own, none = {"context": c}, r"context is \(n, 1\), but .* none: pass .*context_val"
    for given, held, message in (
        ({}, None, "Conditional needs context="),
        (own, x[:50], none),
        ({}, (x[:50], c[:50]), r"context is none, but .* \(n, 1\)"),
        (own, (x[:50], c[:49]), r"context of validation_data has shape \(49, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(Conditional(), x, **given, validation_data=held)


# ---------------------------------------------------------------- schedules and averages


@pytest.mark.parametrize(("batch_size", "updates"), [(50, 6), (64, 5), (None, 1)])
@pytest.mark.parametrize("warm_up", [0, 3])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_schedule_takes_exactly_the_planned_updates(X, batch_size, updates, warm_up, schedule):
    """270 training rows: the user cannot know how many updates an epoch has."""
    options = {"epochs": 4, "batch_size": batch_size}
    asked, cosine = [], cosine_decay(0.1, 4 * updates, warm_up)

    def rate(step):
        asked.append(step)
        return (cosine if schedule == "cosine" else constant(0.1, warm_up))(step)

    a, _ = fit(Banana(), X, learning_rate=rate, **options)
    b, _ = fit(Banana(), X, learning_rate=0.1, schedule=schedule, warm_up=warm_up, **options)
    c, _ = fit(Banana(), X, optimizer=Adam(0.1), schedule=schedule, warm_up=warm_up, **options)
    assert asked == list(range(4 * updates))
    np.testing.assert_array_equal(a.params, b.params)
    np.testing.assert_array_equal(a.params, c.params)


@pytest.mark.parametrize("validated", [True, False])
def test_the_average_is_validated_reported_and_returned(X, validated):
    decay, thetas, averages = 0.8, [], []

    class Watched(GradientDescent):
        def step(self, theta, gradient):
            super().step(theta, gradient)
            thetas.append(theta.copy())
            kept = min(decay, (len(thetas) - 1) / (len(thetas) + 9))
            before = averages[-1] if averages else theta
            averages.append(kept * before + (1 - kept) * theta)

    options = {"epochs": 8, "batch_size": 50, "validation_split": 0}
    options |= {"validation_data": X * 0.9} if validated else {}
    reports = []
    flow, history = fit(
        Gaussian(), X, optimizer=Watched(0.3), average=decay, callbacks=[reports.append], **options
    )
    after = averages[5::6]
    for report, theta in zip(reports, after, strict=True):
        np.testing.assert_allclose(report.flow.params, theta, rtol=1e-13)
    np.testing.assert_allclose(flow.params, after[history.best_epoch], rtol=1e-13)
    assert np.abs(after[-1] - thetas[-1]).max() > 1e-4
    plain, raw = fit(Gaussian(), X, optimizer=GradientDescent(0.3), **options)
    assert history.train_nll == raw.train_nll  # training itself does not see the average
    if validated:
        expected = [nll(Gaussian(theta), X * 0.9) for theta in after]
        np.testing.assert_allclose(history.val_nll, expected, rtol=1e-12)
        assert history.best_epoch == np.argmin(expected)
    else:
        assert history.best_epoch == 7 and (plain.params != flow.params).any()
