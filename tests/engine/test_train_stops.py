"""How `fit` ends: interrupts, divergence, callbacks; and what it reports on the way."""

import dataclasses
import pickle
import time
from itertools import count

import autograd.numpy as anp
import numpy as np
import pytest
from support.flows import EVERYTHING, Banana, Cliff, Gaussian, banana_data, nll
from support.flows import textbook_fit as fit
from support.runs import interrupt_at

import flowcore as fc
from flowcore.core import limit, moment_after, until
from flowcore.estimator.workers import run
from flowcore.training import EpochReport, History, TrainingDivergedError


@pytest.fixture
def X():
    return banana_data()


# ---------------------------------------------------------------- interrupts


def test_an_interrupt_returns_the_best_so_far(X):
    options = {"epochs": 50, "learning_rate": 0.3, "batch_size": 20, "validation_data": X[200:]}
    flow, history = fit(Banana(), X[:200], callbacks=[interrupt_at(3)], **options)
    assert history.interrupted and len(history.train_nll) == len(history.val_nll) == 4
    assert history.best_epoch == np.argmin(history.val_nll)
    assert nll(flow, X[200:]) == pytest.approx(min(history.val_nll), rel=1e-13)
    full, uninterrupted = fit(Banana(), X[:200], **options | {"epochs": 4})
    np.testing.assert_array_equal(flow.params, full.params)
    assert not uninterrupted.interrupted


# ---------------------------------------------------------------- divergence


def test_divergence_names_the_place_and_keeps_the_last_finite_flow(X):
    """Adam's steps on a constant gradient are the learning rate: 0, 0.3, 0.6, 0.9, 1.2 = nan."""
    with pytest.raises(TrainingDivergedError) as caught:
        fit(Cliff(), X, epochs=50, learning_rate=0.3, **EVERYTHING)
    error = caught.value
    assert (error.epoch, error.batch) == (4, 0)
    np.testing.assert_allclose(error.flow.params, [0.9])
    assert np.isfinite(error.flow.log_prob(X)).all()
    assert len(error.history.train_nll) == 4 and error.history.best_epoch == 2
    assert error.history.seconds > 0
    for word in ("epoch 4, batch 0", "learning_rate", "clip_norm", "log_scale_bound", "epoch 2"):
        assert word in str(error)
    assert "log_prob is nan for x = [" in str(error)
    again = pickle.loads(pickle.dumps(error))  # as a worker process returns it
    assert (str(again), again.epoch, again.batch) == (str(error), 4, 0)


def test_a_last_update_over_the_edge_is_taken_back(X):
    flow, history = fit(Cliff(), X, epochs=4, learning_rate=0.3, **EVERYTHING)
    np.testing.assert_allclose(flow.params, [0.9])
    assert history.best_epoch == 2 and len(history.train_nll) == 4


def test_a_gradient_that_is_not_finite_is_not_applied(X):
    class Steep(Gaussian):
        def density(self, x, p, context):  # d sqrt(a) / da is infinite at a = 0
            return super().density(x, p, context) + anp.sqrt(p[0] * p[0])

    with pytest.raises(TrainingDivergedError, match=r"epoch 0, batch 0: .* gradient is not") as e:
        fit(Steep(), X, epochs=2, clip_norm=1.0)
    np.testing.assert_array_equal(e.value.flow.params, np.zeros(4))
    assert e.value.history.train_nll == [] and e.value.history.best_epoch is None


def test_exploding_parameters_raise_instead_of_warning(X):
    """Overflow on the way is expected: it must surface as the error, not as RuntimeWarnings."""
    with pytest.raises(TrainingDivergedError) as caught:
        fit(Gaussian(), X, epochs=50, learning_rate=1e3, **EVERYTHING)
    assert np.isfinite(caught.value.flow.log_prob(X)).all()
    with pytest.warns(UserWarning, match="no longer finite: the initial parameters are returned"):
        flow, history = fit(Gaussian(), X, epochs=1, learning_rate=1e3, **EVERYTHING)
    np.testing.assert_array_equal(flow.params, np.zeros(4))  # the only update is taken back
    assert history.best_epoch is None


def test_rows_outside_the_support_are_shown(X):
    class HalfPlane(Gaussian):
        def density(self, x, p, context):
            return anp.where(x[:, 0] > 0, 0.0, -np.inf) + super().density(x, p, context)

    X = np.abs(X)
    X[17] = [-0.5, 0.25]
    with pytest.raises(
        TrainingDivergedError, match=r"log_prob is -inf for x = \[-0.5 +0.25\].*support"
    ):
        fit(HalfPlane(), X, epochs=2, **EVERYTHING)
    layers = [
        fc.Exp(2),
        *fc.flows.maf(2, layers=1, hidden=[4], standardize=False).bijector.bijectors,
    ]
    flow = fc.TransformedDistribution(fc.Normal(2), fc.Chain(layers))
    with pytest.raises(TrainingDivergedError, match="column 0 must be above 0 and below inf"):
        fit(flow, X, epochs=2, **EVERYTHING)


# ---------------------------------------------------------------- callbacks, history, progress


def test_a_callback_sees_every_epoch(X):
    reports = []
    _, history = fit(Banana(), X, epochs=3, callbacks=[reports.append])
    assert [r.epoch for r in reports] == [0, 1, 2]
    assert [r.train_nll for r in reports] == history.train_nll
    assert [r.val_nll for r in reports] == history.val_nll
    assert all(type(r) is EpochReport and r.history is history for r in reports)
    with pytest.raises(dataclasses.FrozenInstanceError):
        reports[0].epoch = 9
    # asked for only now, the flows are those of their epochs
    params = [r.flow.params for r in reports]
    assert (params[0] != params[1]).any() and (params[1] != params[2]).any()
    again, _ = fit(Banana(), X, epochs=1)
    np.testing.assert_array_equal(params[0], again.params)


@pytest.mark.parametrize(
    ("answer", "epochs"),
    [(True, 3), (np.True_, 3), (False, 6), (None, 6), (1, 6), ("stop", 6)],
)
def test_a_callback_stops_training_by_returning_true(X, answer, epochs):
    later = []
    callbacks = [lambda report: answer if report.epoch == 2 else None, later.append]
    _, history = fit(Banana(), X, epochs=6, callbacks=callbacks)
    assert len(history.train_nll) == len(later) == epochs
    assert not history.interrupted


def test_history_reads_well():
    history = History([2.5, 1.25], [2.0, 1.5], 1, 12.3456)
    assert repr(history) == (
        "History(best epoch 1, 2 epochs in 12.3 s, train NLL 2.5 -> 1.25, val NLL 2 -> 1.5)"
    )
    assert repr(History(interrupted=True)) == (
        "History(best epoch None, 0 epochs in 0 s, interrupted)"
    )


def test_the_progress_bar_counts_epochs_and_shows_both_losses(X, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fit(Banana(), X, epochs=3, progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown and "train=" in shown and "val=" in shown
    fit(Banana(), X, epochs=3)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- a limit of time


def test_max_seconds_ends_a_run_as_an_interrupt_does(X):
    """Far too short a time for a billion epochs, and far too long a time for three."""
    flow, history = fit(Banana(), X, epochs=10**9, max_seconds=0.2)
    assert history.interrupted and np.isfinite(flow.params).all()
    whole, history = fit(Banana(), X, epochs=3, max_seconds=1e6)
    assert not history.interrupted
    expected, _ = fit(Banana(), X, epochs=3)
    np.testing.assert_array_equal(whole.params, expected.params)
    with until(0.0):  # a limit inside another one
        assert fit(Banana(), X, epochs=3, max_seconds=1e6)[1].interrupted


def seconds_left():
    return limit() - time.monotonic()


def test_a_clock_that_is_set_forward_ends_nothing(X, monkeypatch):
    """`time.time` is an hour later at every look."""
    monkeypatch.setattr("time.time", count(time.time(), 3600).__next__)
    _, history = fit(Banana(), X, epochs=5, max_seconds=600)
    assert len(history.train_nll) == 5 and not history.interrupted
    with until(moment_after(600)):
        assert fc.MultivariateNormalMixture.from_data(X, 2).dim == 2
        np.testing.assert_allclose(run([seconds_left] * 2, [1, 3], 1), [150, 600], atol=20)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "1", True])
def test_max_seconds_that_are_none(X, seconds):
    with pytest.raises(ValueError, match="max_seconds is a number of seconds > 0"):
        fit(Banana(), X, max_seconds=seconds)
