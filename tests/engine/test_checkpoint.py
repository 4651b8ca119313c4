"""A run of `fit` that is stopped and started again ends as the uninterrupted one, bit for bit."""

import time

import numpy as np
import pytest
from support.flows import Banana, Conditional, GradientDescent, Spy
from support.runs import C, W, X, assert_same, interrupt_at, run

import flowcore
from flowcore.training import cosine_decay

CASES = {
    "adam": {},
    "patience": {"validation_data": X * 0.5, "patience": 2, "epochs": 60},
    "no validation": {"validation_split": 0},
    "weights": {"sample_weight": W},
    "context": {"flow": Conditional(), "X": X[:, :1], "context": C},
    "float32": {"flow": Banana(dtype=np.float32), "X": X.astype(np.float32)},
    "plain descent": {
        "optimizer": GradientDescent(0.1),
        "learning_rate": "auto",
        "checkpoint_key": "1",
    },
    "lambda": {"learning_rate": lambda step: 0.1 * 0.9**step, "checkpoint_key": "1"},
    "cosine": {"schedule": "cosine", "warm_up": 7},
    "average": {"average": 0.9},
    "in order": {"shuffle": False},
    "full batch": {"batch_size": None},
    "maf": {
        "flow": flowcore.flows.maf(2, layers=2, hidden=[8]),
        "epochs": 4,
        "learning_rate": 0.01,
    },
}


# ---------------------------------------------------------------- stopped, and started again


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("generator", [np.random.PCG64, np.random.MT19937])
def test_a_resumed_run_ends_as_the_uninterrupted_one(case, generator, path):
    def rng():
        return np.random.Generator(generator(3))

    straight_rng = rng()
    straight = run(rng=straight_rng, **CASES[case])
    assert len(straight[1].train_nll) > 3
    for epoch in (0, 2, 3):
        _, history = run(path, interrupt_at(epoch), rng(), **CASES[case])
        assert history.interrupted and len(history.train_nll) == epoch + 1
    resumed_rng = rng()
    assert_same(run(path, rng=resumed_rng, **CASES[case]), straight)
    np.testing.assert_equal(resumed_rng.bit_generator.state, straight_rng.bit_generator.state)
    again_rng = rng()
    assert_same(run(path, rng=again_rng, **CASES[case]), straight)  # a finished one
    np.testing.assert_equal(again_rng.bit_generator.state, straight_rng.bit_generator.state)


def test_an_error_in_a_callback_saves_the_run(path):
    straight = run()
    with pytest.raises(FloatingPointError, match="stop"):
        run(path, interrupt_at(2, FloatingPointError), checkpoint_every=60.0)
    reports = []
    assert_same(run(path, reports.append), straight)
    assert [r.epoch for r in reports] == [2, 3, 4, 5]  # 2 had not been reported to the end


# ---------------------------------------------------------------- finished runs, and longer ones


def test_a_finished_run_computes_nothing(path):
    spy, reports = Spy(), []
    first = run(path, flow=spy)
    spy.calls.clear()
    again = run(path, reports.append, flow=spy)
    assert_same(again, first)
    assert reports == [] and not spy.seen("train") and not spy.seen("score")
    assert first[1].seconds > 0 and abs(again[1].seconds - first[1].seconds) < 1


@pytest.mark.parametrize("case", ["average", "no validation", "full batch"])
def test_more_epochs_continue_a_finished_run(path, case):
    run(path, **CASES[case] | {"epochs": 3})
    assert_same(run(path, **CASES[case]), run(**CASES[case]))


def test_fewer_epochs_are_refused(path):
    run(path, interrupt_at(3))
    with pytest.raises(ValueError, match=r"run.npz is in epoch 4 already, but epochs=3. Give"):
        run(path, epochs=3)
    assert len(run(path, epochs=4)[1].train_nll) == 4


def test_a_resumed_run_that_diverges_has_the_flow_of_the_uninterrupted_one(path):
    options = {"validation_split": 0, "checkpoint_key": "1",
               "learning_rate": lambda step: 0.1 if step < 25 else 1e200}  # fmt: skip
    run(path, interrupt_at(3), **options)
    flows = []
    for where in (None, path):
        with pytest.raises(flowcore.TrainingDivergedError) as error:
            run(where, **options)
        flows.append(error.value.flow)
    np.testing.assert_array_equal(*(flow.params for flow in flows))


def test_the_length_of_a_cosine_is_part_of_the_run(path):
    run(path, epochs=3, schedule="cosine")
    with pytest.raises(ValueError, match=r"differs in optimizer .*steps=18.* there, .*steps=36"):
        run(path, epochs=6, schedule="cosine")
    rate, other = cosine_decay(0.1, steps=20), path.with_name("other.npz")
    run(other, epochs=3, learning_rate=rate)  # a schedule of one's own may be longer than the run
    assert_same(run(other, learning_rate=rate), run(learning_rate=rate))


def test_a_run_that_a_callback_stopped_stays_so(path):
    calls = []

    def stop(report):
        calls.append(report.epoch)
        return report.epoch == 2

    first = run(path, stop)
    assert_same(run(path, stop), first)
    assert calls == [0, 1, 2]
    assert_same(run(path, epochs=8), run(epochs=8))  # more epochs than planned: go on


def test_seconds_add_up(path, monkeypatch):
    """Those of epochs that are kept: the callback that is interrupted is called again."""
    now, stop = [0.0], interrupt_at(1)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def a_second(report):
        now[0] += 1.0

    _, first = run(path, lambda report: (a_second(report), stop(report))[1])
    _, second = run(path, a_second)
    assert (first.seconds, second.seconds) == (2.0, 6.0)
