"""A run of `fit` that is stopped and started again ends as the uninterrupted one, bit for bit."""

import contextlib
import gc
import os
import time
import weakref

import numpy as np
import pytest
from support.flows import Banana, Cliff, Conditional, GradientDescent, Spy
from support.runs import C, W, X, assert_same, interrupt_at, run

import flowcore
from flowcore.files import disk
from flowcore.training import Adam, TrainingDivergedError, cosine_decay

CASES = {
    "adam": {},
    "patience": {"validation_data": X * 0.5, "patience": 2, "epochs": 60},
    "no validation": {"validation_split": 0},
    "weights": {"sample_weight": W},
    "context": {"flow": Conditional(), "X": X[:, :1], "context": C},
    "context of validation": {
        "flow": Conditional(),
        "X": X[:, :1],
        "context": C,
        "validation_data": (X[:50, :1], C[:50]),
    },
    "float32": {"flow": Banana(dtype=np.float32), "X": X.astype(np.float32)},
    "plain descent": {
        "optimizer": GradientDescent(0.1),
        "learning_rate": "auto",
        "checkpoint_key": "1",
    },
    "decay": {"optimizer": Adam(0.1, weight_decay=0.1), "learning_rate": "auto"},
    "lambda": {"learning_rate": lambda step: 0.1 * 0.9**step, "checkpoint_key": "1"},
    "cosine": {"schedule": "cosine", "warm_up": 7},
    "average": {"average": 0.9},
    "average, no validation": {"average": 0.9, "validation_split": 0},
    "in order": {"shuffle": False},
    "full batch": {"batch_size": None},
    "maf": {
        "flow": flowcore.flows.maf(2, layers=2, hidden=[8]),
        "epochs": 4,
        "learning_rate": 0.01,
    },
}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(disk.os, "fsync", lambda handle: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


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


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_a_callback_that_was_stopped_is_asked_again(path, error):
    """Its `return True`, and what it draws from the generator of the run, are not lost."""
    rng, first = np.random.default_rng(3), [error]

    def stop_at_three(report, rng):
        if report.epoch == 3 and first:
            raise first.pop()
        rng.random()
        return report.epoch == 3

    def go(path, rng):
        return run(path, lambda report: stop_at_three(report, rng), rng=rng)

    with contextlib.suppress(FloatingPointError):
        go(path, rng)
    resumed = np.random.default_rng(3)
    found = go(path, resumed)
    straight = np.random.default_rng(3)
    assert_same(found, go(None, straight))
    assert len(found[1].train_nll) == 4
    assert resumed.bit_generator.state == straight.bit_generator.state


def test_the_path_is_that_of_the_call(tmp_path, monkeypatch):
    """A callback may change the working directory."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    monkeypatch.chdir(here)
    run("run.npz", lambda report: os.chdir(there))
    assert (here / "run.npz").exists() and not any(there.iterdir())


@pytest.mark.parametrize("stop", [None, interrupt_at(2), interrupt_at(2, FloatingPointError)])
def test_nothing_of_a_run_stays_in_memory(path, stop):
    """Its table may be as large as the memory: it is given back at once, not by a collection."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            table = X.copy()
            ref = weakref.ref(table)
            with contextlib.suppress(FloatingPointError):
                run(path, stop, X=table)
            del table
            assert ref() is None
    finally:
        gc.enable()


def test_an_interrupt_where_the_last_update_went_over_the_edge(path):
    """The next epoch has begun, and nobody has seen yet that its loss is not finite."""

    class Countdown(Cliff):
        left = 0

        def density(self, x, p, context):
            type(self).left -= 1
            if type(self).left == 0:
                raise KeyboardInterrupt
            return super().density(x, p, context)

    options = {"flow": Countdown(), "learning_rate": 0.3, "validation_split": 0, "batch_size": None}
    for left, theta in enumerate((0.0, 0.3, 0.6, 0.9, 0.9), start=1):
        Countdown.left = left
        flow, history = run(**options)
        assert history.interrupted
        np.testing.assert_allclose(flow.params, [theta])


def test_divergence_is_met_again(path):
    options = {"flow": Cliff(), "learning_rate": 0.06, "validation_split": 0}
    errors = []
    for where in (None, path, path):
        with pytest.raises(TrainingDivergedError) as caught:
            run(where, **options)
        errors.append(caught.value)
    straight, first, second = errors
    for error in (first, second):
        assert str(error) == str(straight)
        assert_same((error.flow, error.history), (straight.flow, straight.history))
    assert straight.epoch > 0


def test_before_the_first_update_there_is_nothing_to_save(path):
    with pytest.raises(TrainingDivergedError):
        run(path, flow=Cliff([2.0]))
    assert not path.exists()


# ---------------------------------------------------------------- finished runs, and longer ones


def test_a_finished_run_computes_nothing(path):
    spy, reports = Spy(), []
    first = run(path, flow=spy)
    spy.calls.clear()
    again = run(path, reports.append, flow=spy)
    assert_same(again, first)
    assert reports == [] and not spy.seen("train") and not spy.seen("score")
    assert first[1].seconds > 0 and abs(again[1].seconds - first[1].seconds) < 1


@pytest.mark.parametrize("case", ["adam", "average", "no validation", "full batch"])
def test_more_epochs_continue_a_finished_run(path, case):
    run(path, **CASES[case] | {"epochs": 3})
    assert_same(run(path, **CASES[case]), run(**CASES[case]))


def test_more_patience_continues_too(path):
    options = {"validation_data": X * 0.5, "epochs": 60}
    short = run(path, patience=1, **options)
    long = run(path, patience=9, **options)
    assert len(short[1].val_nll) < len(long[1].val_nll)
    assert_same(long, run(patience=9, **options))


def test_fewer_epochs_are_refused(path):
    run(path, interrupt_at(3))
    with pytest.raises(ValueError, match=r"run.npz is in epoch 4 already, but epochs=3. Give"):
        run(path, epochs=3)
    assert len(run(path, epochs=4)[1].train_nll) == 4


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


def test_seconds_add_up(path):
    """Those of epochs that are kept: the callback that is interrupted is called again."""
    slow = interrupt_at(1)
    _, first = run(path, lambda report: (time.sleep(0.2), slow(report))[1])
    _, second = run(path)
    assert first.seconds > 0.4 and 0.2 < second.seconds < first.seconds + 5


def test_the_progress_bar_starts_where_the_run_does(path, capsys):
    run(path, interrupt_at(3))
    capsys.readouterr()
    run(path, progress=True)
    shown = capsys.readouterr().err
    assert "3/6" in shown and "6/6" in shown and "0/6" not in shown
