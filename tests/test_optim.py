"""Adam against a plain transcription of Algorithm 1, and the contract of an optimiser's state."""

import pickle
import tracemalloc

import numpy as np
import pytest

from flowcore.training import optim
from flowcore.training.optim import (
    Adam,
    Average,
    constant,
    cosine_decay,
    scheduled,
)


def algorithm_1(theta, gradients, rates, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    """Kingma and Ba (2015), Algorithm 1, line by line; with a decay, Loshchilov and Hutter (2019),
    Algorithm 2, with lambda = alpha * decay."""
    m = v = np.zeros_like(theta)
    for t, (g, alpha) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - alpha * (m_hat / (np.sqrt(v_hat) + epsilon) + decay * theta)
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


@pytest.mark.parametrize("beta1", [0.0, 0.9])
@pytest.mark.parametrize("beta2", [0.0, 0.99, 0.999])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])  # 1e-2 dominates half of the denominators
def test_equals_algorithm_1(beta1, beta2, epsilon):
    theta, gradients = problem()
    got, state = run(Adam(1e-2, beta1, beta2, epsilon), theta, gradients)
    expected, m, v = algorithm_1(theta, gradients, [1e-2] * 50, beta1, beta2, epsilon)
    np.testing.assert_allclose(got - theta, expected - theta, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(state.arrays()["m"] * (1 - beta1), m, rtol=1e-11, atol=1e-20)
    np.testing.assert_allclose(state.arrays()["v"] * (1 - beta2), v, rtol=1e-12)


def test_a_schedule_is_asked_for_steps_counted_from_0():
    theta, gradients = problem(steps=20)
    asked = []

    def schedule(step):
        asked.append(step)
        return 1e-2 / (1 + step)

    got, _ = run(Adam(schedule), theta, gradients)
    rates = [1e-2 / (1 + step) for step in range(20)]
    assert asked == list(range(20))
    expected, _, _ = algorithm_1(theta, gradients, rates, 0.9, 0.999, 1e-8)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_theta_changes_in_place_and_the_gradient_does_not():
    theta, (g,) = problem(steps=1)
    before, kept = theta.copy(), g.copy()
    g.flags.writeable = False
    assert Adam().start(theta).step(theta, g) is None
    assert (theta != before).all()
    np.testing.assert_array_equal(g, kept)


@pytest.mark.parametrize("rate", [1e-3, np.float64(1e-3), lambda step: np.float64(1e-3)])
@pytest.mark.parametrize("gradient_dtype", [np.float32, np.float64])
def test_float32_stays_float32(rate, gradient_dtype):
    theta, gradients = problem(dtype=np.float32)
    got, state = run(Adam(rate, np.float64(0.9)), theta, gradients.astype(gradient_dtype))
    arrays = state.arrays()
    assert got.dtype == arrays["m"].dtype == arrays["v"].dtype == np.float32
    expected, _, _ = algorithm_1(*problem(), [1e-3] * 50, 0.9, 0.999, 1e-8)
    np.testing.assert_allclose(got, expected, atol=2e-6)
    plain, _ = run(Adam(1e-3), theta, gradients)
    np.testing.assert_array_equal(got, plain)  # NumPy's scalars would compute in float64


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_allocates_no_vector(dtype, weight_decay):
    theta, (g,) = problem(n=100_000, steps=1, dtype=dtype)
    state = Adam(weight_decay=np.float64(weight_decay)).start(theta)
    tracemalloc.start()
    try:
        state.step(theta, g)
        assert tracemalloc.get_traced_memory()[1] < theta.nbytes / 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_exported_state_continues_bit_for_bit(dtype):
    theta, gradients = problem(dtype=dtype)
    adam = Adam(lambda step: 1e-2 * 0.9**step)
    straight, _ = run(adam, theta, gradients)
    half, state = run(adam, theta, gradients[:23])
    arrays = state.arrays()
    assert set(arrays) == {"m", "v", "t"}
    assert all(type(array) is np.ndarray for array in arrays.values())
    state.step(half.copy(), gradients[0])  # the export is a copy: this does not reach it
    resumed, _ = run(adam, half, gradients[23:], arrays)
    np.testing.assert_array_equal(resumed, straight)


def test_a_state_of_another_flow_is_refused():
    theta, gradients = problem(n=5, steps=1)
    arrays = run(Adam(), theta, gradients)[1].arrays()
    with pytest.raises(ValueError, match=r"saved m has shape \(5,\).*theta has \(6,\)"):
        Adam().start(np.zeros(6), arrays)
    with pytest.raises(ValueError, match=r"float64, but theta has .* float32"):
        Adam().start(np.zeros(5, np.float32), arrays)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be a positive number .* got 0.0"),
        ({"learning_rate": -1e-3}, "learning_rate"),
        ({"learning_rate": np.nan}, "learning_rate"),
        ({"learning_rate": np.inf}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate .* got 'fast'"),
        ({"learning_rate": None}, "learning_rate"),
        ({"beta1": 1.0}, r"beta1 must lie in \[0, 1\): got 1.0"),
        ({"beta2": -0.1}, "beta2"),
        ({"beta2": None}, "beta2"),
        ({"epsilon": 0.0}, "epsilon must be a positive number"),
        ({"weight_decay": -0.1}, "weight_decay must be a number >= 0: got -0.1"),
        ({"weight_decay": "much"}, "weight_decay"),
    ],
)
def test_bad_hyperparameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        Adam(**arguments)


@pytest.mark.parametrize("rate", [np.nan, -1.0, np.inf, None, "x"])
def test_a_bad_schedule_stops_before_anything_changes(rate):
    theta, gradients = problem(steps=2)
    state = Adam(lambda step: rate if step == 1 else 1e-3).start(theta)
    state.step(theta, gradients[0])
    before, arrays = theta.copy(), state.arrays()
    with pytest.raises(ValueError, match=r"schedule returned .* for step 1"):
        state.step(theta, gradients[1])
    np.testing.assert_array_equal(theta, before)
    for name, array in state.arrays().items():
        np.testing.assert_array_equal(array, arrays[name])


# ---------------------------------------------------------------- weight decay


@pytest.mark.parametrize("decay", [0.01, 3.0])
def test_weight_decay_equals_algorithm_2(decay):
    theta, gradients = problem()
    rates = [0.05 / (1 + step) for step in range(50)]
    got, _ = run(Adam(lambda step: rates[step], weight_decay=decay), theta, gradients)
    expected, _, _ = algorithm_1(theta, gradients, rates, decay=decay)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    without, _ = run(Adam(lambda step: rates[step]), theta, gradients)
    assert np.abs(got - without).max() > 1e-3


def test_weight_decay_stays_float32():
    start, gradients = problem(dtype=np.float32)
    found = [run(Adam(0.1, weight_decay=kind(0.1)), start, gradients)[0]
             for kind in (float, np.float64)]  # fmt: skip
    assert found[1].dtype == np.float32
    np.testing.assert_array_equal(*found)


# ---------------------------------------------------------------- schedules


def test_cosine_decay_goes_from_the_peak_to_zero():
    rate = cosine_decay(3e-3, steps=200)
    got = [rate(step) for step in (0, 50, 100, 150, 200, 300)]
    np.testing.assert_allclose(
        got, 3e-3 * np.array([1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5, 0, 0]), atol=1e-18
    )


def test_warm_up_is_linear_and_then_the_decay_begins():
    rate = cosine_decay(1.0, steps=110, warm_up=10)
    np.testing.assert_allclose([rate(k) for k in range(11)], np.arange(1, 12) / 11, rtol=1e-15)
    later = cosine_decay(1.0, steps=100)
    assert [rate(10 + k) for k in range(120)] == [later(k) for k in range(120)]
    flat = constant(1.0, warm_up=10)
    assert [flat(k) for k in range(11)] == [rate(k) for k in range(11)]
    assert [flat(k) for k in (11, 1000)] == [1.0, 1.0]
    assert constant(0.3)(0) == 0.3


def test_schedules_can_be_printed_compared_and_pickled():
    for rate, text in [
        (cosine_decay(1e-3, 100), "CosineDecay(peak=0.001, steps=100, warm_up=0)"),
        (cosine_decay(1e-3, 100, 5), "CosineDecay(peak=0.001, steps=100, warm_up=5)"),
        (constant(1e-3, 5), "Constant(peak=0.001, warm_up=5)"),
    ]:
        assert repr(rate) == text
        assert pickle.loads(pickle.dumps(rate)) == rate
        assert hash(rate) == hash(pickle.loads(pickle.dumps(rate)))
    assert cosine_decay(1e-3, 100) != cosine_decay(1e-3, 101)
    with pytest.raises(AttributeError):
        constant(1e-3).peak = 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine_decay(0.0, 10), "peak and steps must be positive numbers: got 0.0 and 10"),
        (lambda: cosine_decay(1e-3, 0), "peak and steps"),
        (lambda: cosine_decay(1e-3, 10, 10), "warm_up must be an integer >= 0 and < 10.*: got 10"),
        (lambda: cosine_decay(1e-3, 10, -1), "warm_up"),
        (lambda: cosine_decay(1e-3, 10, 1.5), "warm_up must be an integer >= 0"),
        (lambda: constant(-1.0), "peak must be a positive number: got -1.0"),
        (lambda: constant(1.0, True), "warm_up must be an integer >= 0: got True"),
    ],
)
def test_bad_schedules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_scheduled_replaces_the_number_only():
    adam = Adam(0.5, beta2=0.9, weight_decay=0.1)
    assert scheduled(adam, "constant", 0, 100) is adam
    got = scheduled(adam, "cosine", 7, 100)
    assert got == Adam(cosine_decay(0.5, 100, 7), beta2=0.9, weight_decay=0.1)
    assert scheduled(adam, "constant", 7, 100).learning_rate == constant(0.5, 7)
    for optimizer in (Adam(lambda step: 0.1), object()):
        assert scheduled(optimizer, "constant", 0, 100) is optimizer
        with pytest.raises(ValueError, match=r"schedule='cosine' .* needs a number as learn"):
            scheduled(optimizer, "cosine", 0, 100)


# ---------------------------------------------------------------- averages


@pytest.mark.parametrize("decay", [0.5, 0.99, 0.9999])
def test_the_average_is_the_weighted_mean(decay):
    """theta_i has the weight (1 - decay_i) decay_{i+1} ... decay_t: what later ones left of it."""
    thetas = np.random.default_rng(0).normal(size=(300, 5)) + 10
    average = Average(decay, np.zeros(5))
    decays = [min(decay, (t - 1) / (t + 9)) for t in range(1, 301)]
    for t, theta in enumerate(thetas, start=1):
        assert average.update(theta) is None
        weights = [(1 - decays[i]) * np.prod(decays[i + 1 : t]) for i in range(t)]
        assert sum(weights) == pytest.approx(1)
        np.testing.assert_allclose(average.values, weights @ thetas[:t], rtol=1e-12)


def test_the_average_before_any_update_is_the_start():
    theta = np.array([1.0, 2.0])
    average = Average(0.9, theta)
    np.testing.assert_array_equal(average.values, theta)
    assert not np.shares_memory(average.values, theta)
    average.update(theta + 5)
    np.testing.assert_array_equal(average.values, theta + 5)


def test_the_average_stays_float32_and_allocates_nothing():
    theta = np.ones(100_000, np.float32)
    average = Average(np.float64(0.9), theta)
    tracemalloc.start()
    try:
        average.update(theta)
        average.update(theta)
        assert tracemalloc.get_traced_memory()[1] < theta.nbytes / 10
    finally:
        tracemalloc.stop()
    assert average.values.dtype == np.float32


def test_an_average_continues_bit_for_bit():
    thetas = np.random.default_rng(0).normal(size=(20, 5))
    straight, half = Average(0.9, thetas[0]), Average(0.9, thetas[0])
    for theta in thetas[:9]:
        half.update(theta)
    resumed = Average(0.9, thetas[0], half.values, half.updates)
    half.update(thetas[0])  # the resumed one is a copy
    for theta in thetas[9:]:
        resumed.update(theta)
    for theta in thetas:
        straight.update(theta)
    np.testing.assert_array_equal(resumed.values, straight.values)
    with pytest.raises(ValueError, match=r"saved average has shape \(5,\)"):
        Average(0.9, np.zeros(6), half.values, 3)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_step_in_pieces_is_the_same_step(weight_decay, monkeypatch):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=20), rng.normal(size=(5, 20))
    found = []
    for piece in (7, 20):
        monkeypatch.setattr(optim, "PIECE", piece)
        theta = start.copy()
        state = Adam(0.1, weight_decay=weight_decay).start(theta)
        for gradient in gradients:
            state.step(theta, gradient)
        found.append(theta)
    np.testing.assert_array_equal(*found)


def test_a_gradient_of_another_length_is_refused_before_anything_changes():
    theta = np.zeros(3)
    state = Adam(0.1).start(theta)
    for n in (2, 4):
        with pytest.raises(ValueError, match=rf"the gradient has shape \({n},\), theta \(3,\)"):
            state.step(theta, np.ones(n))
    assert not theta.any() and state.arrays()["t"] == 0
