"""Adam against a plain transcription of the papers; schedules; averages."""

import pickle
import tracemalloc

import numpy as np
import pytest

from flowcore.training.optim import Adam, Average
from flowcore.training.schedules import constant, cosine_decay


def adamw(theta, gradients, rates, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
    """Kingma and Ba (2015), Algorithm 1, line by line, and with a weight decay Loshchilov and
    Hutter (2019), Algorithm 2, with lambda = alpha * decay."""
    m = v = np.zeros_like(theta)
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - (alpha * m_hat / (np.sqrt(v_hat) + epsilon) + alpha * weight_decay * theta)
    return theta, m, v


def problem(n=700, steps=50, dtype=np.float64, seed=0):
    """A start and gradients whose scales differ by twelve orders of magnitude."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-9, 3, n)
    theta = rng.normal(size=n)
    return theta.astype(dtype), (scale * rng.normal(size=(steps, n))).astype(dtype)


def run(adam, theta, gradients, arrays=None):
    theta = theta.copy()
    state = adam.start(theta, arrays)
    for g in gradients:
        state.step(theta, g)
    return theta, state


@pytest.mark.parametrize("beta1, beta2", [(0.0, 0.999), (0.9, 0.0), (0.9, 0.999)])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])  # 1e-2 dominates half of the denominators
@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_equals_the_papers_algorithms(beta1, beta2, epsilon, decay):
    """With a schedule, which is asked for steps counted from 0."""
    theta, gradients = problem()
    rates, asked = [1e-2 / (1 + step) for step in range(50)], []
    adam = Adam(lambda step: asked.append(step) or rates[step], beta1, beta2, epsilon, decay)
    got, state = run(adam, theta, gradients)
    assert asked == list(range(50))
    expected, m, v = adamw(theta, gradients, rates, beta1, beta2, epsilon, decay)
    np.testing.assert_allclose(got - theta, expected - theta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(state.arrays()["m"] * (1 - beta1), m, rtol=1e-11, atol=1e-20)
    np.testing.assert_allclose(state.arrays()["v"] * (1 - beta2), v, rtol=1e-12)


def test_theta_changes_in_place_and_the_gradient_neither_changes_nor_is_kept():
    theta, (g, h) = problem(steps=2)
    expected, _ = run(Adam(), theta, [g, h])
    before, buffer, state = theta.copy(), g.copy(), Adam().start(theta)
    buffer.flags.writeable = False
    assert state.step(theta, buffer) is None
    assert (theta != before).all()
    np.testing.assert_array_equal(buffer, g)
    buffer.flags.writeable = True
    buffer[:] = h  # a caller may reuse the array
    state.step(theta, buffer)
    np.testing.assert_array_equal(theta, expected)
    theta, state = run(Adam(lambda step: 0.0), before, [g, h])
    np.testing.assert_array_equal(theta, before)
    assert state.arrays()["t"] == 2


@pytest.mark.parametrize("rate", [1e-3, np.float64(1e-3), lambda step: np.float64(1e-3)])
@pytest.mark.parametrize("gradient_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_float32_stays_float32(rate, gradient_dtype, decay):
    theta, gradients = problem(dtype=np.float32)
    options = {"beta1": np.float64(0.9), "weight_decay": np.float64(decay)}
    got, state = run(Adam(rate, **options), theta, gradients.astype(gradient_dtype))
    arrays = state.arrays()
    assert got.dtype == arrays["m"].dtype == arrays["v"].dtype == np.float32
    expected, _, _ = adamw(*problem(), [1e-3] * 50, weight_decay=decay)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    plain, _ = run(Adam(1e-3, weight_decay=decay), theta, gradients)
    np.testing.assert_array_equal(got, plain)  # NumPy's scalars would compute in float64


def allocated(call):
    """The bytes that a call takes at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_allocates_no_vector(dtype, decay):
    theta, (g,) = problem(n=100_000, steps=1, dtype=dtype)
    state, average = Adam(weight_decay=np.float64(decay)).start(theta), Average(0.9, theta)
    assert allocated(lambda: state.step(theta, g)) < theta.nbytes / 10
    assert allocated(lambda: [average.update(theta) for _ in range(2)]) < theta.nbytes / 10
    assert average.values.dtype == dtype


# ---------------------------------------------------------------- schedules, names


def test_cosine_decay_goes_from_the_peak_to_zero():
    rate = cosine_decay(3e-3, steps=200)
    got = [rate(step) for step in (0, 50, 100, 150, 200, 300)]
    expected = 3e-3 * np.array([1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5, 0, 0])
    np.testing.assert_allclose(got, expected, atol=1e-18)


def test_warm_up_is_linear_and_then_the_decay_begins():
    rate = cosine_decay(1.0, steps=110, warm_up=10)
    np.testing.assert_allclose([rate(k) for k in range(11)], np.arange(1, 12) / 11, rtol=1e-15)
    later = cosine_decay(1.0, steps=100)
    assert [rate(10 + k) for k in range(120)] == [later(k) for k in range(120)]
    flat = constant(1.0, warm_up=10)
    assert [flat(k) for k in range(11)] == [rate(k) for k in range(11)]
    assert [flat(k) for k in (11, 1000)] == [1.0, 1.0]
    assert constant(0.3)(0) == 0.3


def test_optimisers_and_schedules_can_be_printed_compared_and_pickled():
    numbers = "beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.0"
    for value, text in [
        (Adam(), f"Adam(learning_rate=0.001, {numbers})"),
        (cosine_decay(1e-3, 100, 5), "CosineDecay(peak=0.001, steps=100, warm_up=5)"),
        (constant(1e-3, 5), "Constant(peak=0.001, warm_up=5)"),
    ]:
        again = pickle.loads(pickle.dumps(value))
        assert repr(value) == text and again == value and hash(again) == hash(value)
    assert cosine_decay(1e-3, 100) != cosine_decay(1e-3, 101) and Adam() != Adam(1e-4)


# ---------------------------------------------------------------- averages


@pytest.mark.parametrize("decay", [0.5, 0.9999])
def test_the_average_is_the_weighted_mean_and_continues_bit_for_bit(decay):
    """theta_i has the weight (1 - decay_i) decay_{i+1} ... decay_t: what later ones left of it."""
    thetas = np.random.default_rng(0).normal(size=(100, 5)) + 10
    average = Average(decay, np.zeros(5))
    np.testing.assert_array_equal(average.values, np.zeros(5))  # before any update
    decays = [min(decay, (t - 1) / (t + 9)) for t in range(1, 101)]
    for t, theta in enumerate(thetas, start=1):
        assert average.update(theta) is None
        weights = [(1 - decays[i]) * np.prod(decays[i + 1 : t]) for i in range(t)]
        np.testing.assert_allclose(average.values, weights @ thetas[:t], rtol=1e-12)
        if t == 50:
            resumed = Average(decay, average.values, average.updates)
    assert not np.shares_memory(resumed.values, average.values)
    for theta in thetas[50:]:
        resumed.update(theta)
    np.testing.assert_array_equal(resumed.values, average.values)
