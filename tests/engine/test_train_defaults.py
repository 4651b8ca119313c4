"""What `fit` chooses by itself: "auto", by the number of rows, and how the history records it."""

import numpy as np
import pytest
from support.flows import Banana, Gaussian, banana_data

import flowcore as fc
from flowcore.training import Adam, cosine_decay, fit
from flowcore.training.defaults import (
    LEARNING_RATE,
    batch_size_for,
    epochs_for,
    patience_of,
    resolved,
)


def test_epochs_and_batches_follow_the_number_of_rows():
    sizes = [2, 150, 3_999, 4_000, 10_000, 40_000, 100_000, 10**7]
    batches = [batch_size_for(n) for n in sizes]
    assert batches == [64, 64, 64, 128, 128, 256, 512, 512]
    epochs = [epochs_for(n) for n in sizes]
    assert epochs == [120, 120, 120, 120, 120, 60, 38, 20]
    assert [patience_of("auto", n) for n in epochs] == [60] * 5 + [30, 19, 10]


def test_a_number_is_that_number():
    assert resolved(10**6, 7, 11, 0.5, "adam") == (7, 11, Adam(0.5))
    assert resolved(10**6, np.int64(7), None, "auto", "adam") == (7, None, Adam(LEARNING_RATE))
    assert resolved(300, "auto", "auto", "auto", Adam(0.1)) == (120, 64, Adam(0.1))


def test_numpys_numbers_are_numbers(tmp_path):
    options = {"epochs": 3, "batch_size": 16, "patience": 2, "warm_up": 2, "threads": 1}
    options |= {"learning_rate": 0.25, "clip_norm": 1.5, "average": 0.5, "validation_split": 0.25}
    options |= {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 0.0, "rng": 3}
    expected, history = fit(Banana(), banana_data(60), **options)
    kinds = {int: np.int32, float: np.float32}
    options = {name: kinds.get(type(v), lambda v: v)(v) for name, v in options.items()}
    for _ in range(2):  # resumed, and from the start
        flow, again = fit(Banana(), banana_data(60), **options)
        np.testing.assert_array_equal(flow.params, expected.params)
        assert again.val_nll == history.val_nll
        options["checkpoint"] = None


@pytest.mark.parametrize("n", [3, 20, 130])
def test_the_history_records_what_was_chosen(n):
    x = np.random.default_rng(0).normal(size=(n, 2))
    _, history = fit(Gaussian(), x)
    rows = n - max(1, round(0.1 * n))
    size = min(64, rows)
    steps = 120 * -(-rows // size)
    assert history.settings == {
        "epochs": 120,
        "batch_size": size,
        "optimizer": Adam(cosine_decay(LEARNING_RATE, steps, steps // 20)),
        "average": 0.999,
        "clip_norm": None,
    }
    assert f"batch_size={size}, optimizer=Adam(learning_rate=CosineDecay(" in repr(history)
    done = min(120, history.best_epoch + 61)  # half of them without a better one, and it stops
    assert repr(history).startswith(f"History(best epoch {history.best_epoch}, {done} epochs in ")


def test_the_default_learns_a_small_table():
    """Without a word: a hundred rows of a narrow band, against the Gaussian that it starts as."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) * [1.0, 0.1] + [0.0, 3.0]
    x[:, 1] += x[:, 0] ** 2
    flow = fc.flows.nsf(2, layers=2, hidden=[16])
    fitted, history = fit(flow, x[:200], epochs=60)
    gained = fitted.log_prob(x[200:]).mean() - flow.initialize(x[:200]).log_prob(x[200:]).mean()
    assert gained > 0.8 and 0 < history.best_epoch < 60
