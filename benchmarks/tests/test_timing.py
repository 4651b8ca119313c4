"""How seconds are measured and compared: turns, rounds, steps of `fit`, products."""

import numpy as np
import pytest

import flowcore as fc
from benchmarks.support.cases import CASES, count_multiply_adds, with_method
from benchmarks.support.fit_step import FitStep
from benchmarks.support.timing import Spread, interleave


def test_methods_agree_on_the_flows_that_are_timed():
    flow = CASES["C"].flow("iaf")
    x = CASES["C"].data(20)
    assert not np.allclose(flow.log_prob(x), fc.Normal(6).log_prob(x))  # not the identity
    textbook = with_method(flow, "sequential")
    np.testing.assert_allclose(textbook.log_prob(x), flow.log_prob(x), rtol=1e-12)
    slow, fast = (count_multiply_adds(lambda f: f.log_prob(x), f) for f in (textbook, flow))
    assert slow > 6 * fast > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_step_is_a_step_of_fit(dtype):
    flow, x = CASES["A"].flow(dtype=dtype), CASES["A"].data(dtype=dtype)
    step = FitStep(flow, x)
    losses = step.fit(100)[1].train_nll
    assert losses[0] == pytest.approx(-flow.log_prob(x).mean(), rel=1e-5)
    assert losses[-1] == pytest.approx(losses[0], abs=1e-3)  # it stays where it began
    if dtype == np.float64:  # but it does move: 1e-7 is below the precision of float32
        assert losses[-1] < losses[0]


def test_steps_are_timed_as_the_difference_of_two_runs(monkeypatch):
    step, asked, clock, once = FitStep(None, np.zeros((5, 2))), [], [0.0], 7

    def fit(self, epochs, callbacks=()):
        asked.append(epochs)
        clock[0] += once  # what a run does once
        for _ in range(epochs):
            clock[0] += 2
            for callback in callbacks:
                callback(None)
        return None, None

    monkeypatch.setattr(FitStep, "fit", fit)
    monkeypatch.setattr("benchmarks.support.fit_step.time.perf_counter", lambda: clock[0])
    assert step.time(20) == 40 and asked == [3, 23]
    monkeypatch.setattr("benchmarks.support.fit_step.SHORT", 20)
    assert step.time(1) == 2 and asked[2:] == [3, 33]  # some more, so that it can be measured


def test_products_are_counted_however_often_a_flow_was_called_before():
    flow, x, plain = CASES["A"].flow(), CASES["A"].data(50), np.dot
    dense = 50 * (3 * 16 + 17 * 16 + 17 * 4)  # with the zeros, which D = 2 has few of
    flow.log_prob(x)  # binds np.dot as it is
    for _ in range(2):
        assert 0.5 * dense < count_multiply_adds(lambda f: f.log_prob(x), flow) <= dense
    other = flow.with_params(flow.params)
    count_multiply_adds(lambda f: f.log_prob(x), other)
    assert np.dot is plain  # nothing that counts was left behind


class Scripted:
    """A contestant that takes these seconds in turn, and writes down when it was called."""

    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, iter(seconds), log

    def time(self, repeats):
        self.log.append(self.name)
        return repeats * next(self.seconds)


def test_contestants_take_turns_and_ratios_are_taken_within_rounds():
    log = []
    a = Scripted("a", [30.0, 2.0, 10.0, 100.0, 10.0], log)  # the first one compiles
    b = Scripted("b", [2.0, 2.0, 5.0, 20.0, 2.0], log)
    timings = interleave({"a": a, "b": b}, rounds=3, seconds=0.1)
    assert log == list("aabb") + list("ababab")
    assert timings.spread("a").median == 10
    assert timings.ratio("a", "b") == Spread(5.0, 3.5, 5.0)


def test_a_first_call_that_compiles_leaves_many_calls_a_round():
    repeats = []

    class Compiled:
        def time(self, n):
            repeats.append(n)
            return 30.0 if len(repeats) == 1 else 0.001 * n

    assert interleave({"it": Compiled()}, rounds=3, seconds=0.1).spread("it").median == 0.001
    assert repeats[-3:] == [100] * 3


def test_a_contestant_over_budget_sits_out():
    log = []
    slow, quick = Scripted("slow", [2.0] * 2 + [4.0] * 9, log), Scripted("quick", [1.5] * 9, log)
    timings = interleave({"slow": slow, "quick": quick}, rounds=5, seconds=0.1, budget=9.0)
    assert np.isnan(timings.seconds["slow"]).tolist() == [False, False, True, True, True]
    assert np.isfinite(timings.seconds["quick"]).all()
    assert timings.spread("slow").median == 4
