"""`fit` on small flows whose maximum-likelihood solution is known in closed form."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from support.flows import (
    EVERYTHING,
    STILL,
    Banana,
    Gaussian,
    GradientDescent,
    Spy,
    banana_data,
    find_rows,
    nll,
)
from support.flows import textbook_fit as fit

from flowcore.training import Adam
from flowcore.training.loop import clipped


@pytest.fixture
def X():
    return banana_data()


# ---------------------------------------------------------------- what is learned


def test_learns_the_maximum_likelihood_solution(X):
    options = {"epochs": 1500, "learning_rate": lambda step: 0.05 * 0.995**step, **EVERYTHING}
    flow, history = fit(Banana(), X, **options)
    np.testing.assert_allclose(flow.params, Banana.solution(X), atol=1e-10)
    assert history.train_nll[-1] == pytest.approx(nll(Banana(Banana.solution(X)), X), abs=1e-10)


def test_the_first_steps_are_those_of_the_mean_loss(X):
    """The vector-Jacobian product with -w / sum(w) is the gradient of the mean loss."""
    flow = Banana(np.full(6, 0.1))
    objective = value_and_grad(lambda th: -anp.mean(flow.log_prob(X, params=th)))
    theta = np.array(flow.params)
    losses = []
    state = Adam(0.03).start(theta)
    for _ in range(20):
        loss, gradient = objective(theta.copy())
        losses.append(loss)
        state.step(theta, gradient)
    fitted, history = fit(flow, X, epochs=20, learning_rate=0.03, **EVERYTHING)
    np.testing.assert_allclose(fitted.params, theta, rtol=1e-11)
    np.testing.assert_allclose(history.train_nll, losses, rtol=1e-12)


# ---------------------------------------------------------------- seeds, and what stays as it was


@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_are_shuffled_anew_or_not_at_all(X, shuffle):
    orders = []
    for seed in (0, 1):
        spy = Spy()
        fit(spy, X, epochs=2, batch_size=100, validation_split=0, shuffle=shuffle, rng=seed)
        orders += np.split(find_rows(np.concatenate(spy.seen("train")), X), 2)
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(300))
        assert np.array_equal(order, np.arange(300)) is not shuffle
    distinct = {tuple(order) for order in orders}
    assert len(distinct) == (4 if shuffle else 1)


def test_initialize_gets_the_training_rows_once(X):
    spy = Spy()
    fit(spy, X, epochs=2, validation_split=0.25)
    (initial,) = spy.seen("initialize")
    validation = spy.seen("score")[0]
    assert (len(initial), len(validation)) == (225, 75)
    rows = np.concatenate([find_rows(initial, X), find_rows(validation, X)])
    np.testing.assert_array_equal(np.sort(rows), np.arange(300))
    assert find_rows(validation, X).max() > 250 and find_rows(validation, X).min() < 50
    np.testing.assert_array_equal(
        np.sort(np.concatenate(spy.seen("train")[:1]), axis=0), np.sort(initial, axis=0)
    )


# ---------------------------------------------------------------- losses, batches, weights


@pytest.mark.parametrize("batch_size", [7, 299, 1000, None])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_ragged_last_batch_counts_by_its_weight(X, batch_size, weighted):
    """Without any movement the epoch's mean is the mean over all rows, however they are cut."""
    w = np.random.default_rng(0).exponential(size=300) if weighted else None
    flow = Banana(np.full(6, 0.1))
    options = {"epochs": 2, "batch_size": batch_size, "validation_split": 0, "sample_weight": w}
    _, history = fit(flow, X, learning_rate=STILL, **options)
    np.testing.assert_allclose(history.train_nll, nll(flow, X, w), rtol=1e-12)


def test_weights_apply_to_the_validation_rows_of_a_split(X):
    w = np.random.default_rng(0).exponential(size=300)
    spy = Spy(np.full(4, 0.1))
    _, history = fit(spy, X, epochs=1, sample_weight=w, learning_rate=STILL)
    validation = spy.seen("score")[0]
    expected = nll(Gaussian(np.full(4, 0.1)), validation, w[find_rows(validation, X)])
    assert history.val_nll[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("data_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip_norm", [None, np.float64(0.1)])
def test_float32_stays_float32(X, data_dtype, clip_norm):
    w = np.random.default_rng(0).exponential(size=300)
    options = {"epochs": 30, "learning_rate": 0.05, "clip_norm": clip_norm, "sample_weight": w}
    spy = Spy(dtype=np.dtype(np.float32))
    flow, history = fit(spy, X.astype(data_dtype), **options)
    thetas = [params.dtype for name, _, params in spy.calls if name in ("train", "score")]
    assert {flow.params.dtype, *thetas} == {np.dtype(np.float32)} and len(thetas) == 60 + 31
    assert {x.dtype for x in spy.seen("train")} == {np.dtype(data_dtype)}  # X is handed on as it is
    wide, _ = fit(Gaussian(), X, **options)
    np.testing.assert_allclose(flow.params, wide.params, atol=2e-5)
    assert all(type(value) is float for value in history.train_nll + history.val_nll)


def test_clip_norm_shortens_only_long_gradients(X):
    flow = Gaussian()
    gradient = value_and_grad(lambda th: -anp.mean(flow.log_prob(X, params=th)))(flow.params)[1]
    norm = np.linalg.norm(gradient)
    for limit, expected in [(norm / 4, gradient / 4), (norm * 1.01, gradient), (None, gradient)]:
        moved, _ = fit(
            flow, X, epochs=1, clip_norm=limit, optimizer=GradientDescent(0.5), **EVERYTHING
        )
        np.testing.assert_allclose(moved.params, -0.5 * expected, rtol=1e-12)
    large = np.array([3e30, -4e30], np.float32)  # whose square overflows
    np.testing.assert_allclose(clipped(large, 5.0), [3, -4], rtol=1e-6)
