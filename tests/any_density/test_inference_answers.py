"""`infer` ends with an answer: outlying updates, divergence, bounds, targets that raise."""

import re
from dataclasses import replace
from itertools import cycle

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import getval
from scipy import stats

import flowcore as fc

QUICK = {"epochs": 2, "batches": 20}


def normal(x):
    return -0.5 * anp.sum(x**2, axis=1)


def cut(inside, log_p=normal, outside=-np.inf):
    return lambda x: anp.where(inside(x), log_p(x), outside)


def in_box(low, high):
    return lambda x: anp.all((x > np.array(low)) & (x < np.array(high)), axis=1)


# ---------------------------------------------------------------- training that fails


def test_a_training_that_diverges_ends_with_its_best_flow():
    """From the 26th batch on, the target is finite at no draw."""
    calls = []

    def ends(x):
        calls.append(len(x))
        return normal(x) + (np.nan if len(x) == 256 and calls.count(256) > 25 else 0.0)

    flow = fc.flows.iaf(2, layers=1, hidden=[8])
    found = fc.infer(ends, flow=flow, epochs=4, batches=20, tolerance=0)
    assert found.history.settings["skipped_updates"] == 24 and len(found.history.val_nll) == 2
    best = int(np.argmin(found.history.val_nll))
    assert found.trusted and found.elbo[0] == pytest.approx(-min(found.history.val_nll), abs=0.02)
    for part in (
        "training diverged at epoch 2, batch 9: log_target is finite at no draw",
        f"the flow has the parameters of epoch {best}",
    ):
        assert part in found.verdict
    assert "updates left out because of an outlying gradient" in str(found)


def test_a_diverged_training_is_trusted_if_its_best_flow_passes_the_checks():
    def stop(report):
        report.history.settings["diverged"] = "epoch 1, batch 0: a test"

    found = fc.infer(normal, 2, callbacks=[stop], **QUICK)
    assert found.trusted and "training diverged at epoch 1, batch 0: a test" in found.verdict
    first = replace(found, history=replace(found.history, train_nll=[]))
    assert "diverged in its first epoch" in first.verdict and not first.trusted
    target = cut(lambda x: anp.sum(x**2, axis=1) < 4)
    half = fc.infer(target, 2, callbacks=[stop], flow=found.flow, **QUICK)
    assert any("tails cannot be checked" in doubt for doubt in half.doubts) and not half.trusted


def test_a_training_without_time_is_named():
    found = fc.infer(normal, 2, max_seconds=1e-9)
    assert found.history.interrupted and found.trusted
    assert found.verdict.startswith("training was interrupted after 0 of 50 epochs; k-hat is")


# ---------------------------------------------------------------- bounds without support=


@pytest.mark.parametrize(
    ("low", "high", "start"), [([-0.5, -9], [3, 9], None), ([1, 1], [2, 2], [1.5, 1.5])]
)
def test_a_box_is_integrated_or_its_support_is_asked_for(low, high, start):
    found = fc.infer(cut(in_box(low, high)), 2, start=start, **QUICK)
    sides = np.diff(stats.norm.cdf(np.transpose([low, high])))
    truth = np.log(2 * np.pi) + np.log(sides).sum()
    log_z, error = found.log_evidence
    assert abs(log_z - truth) < 4 * error and np.isneginf(found.log_p).any()
    asked = re.search(r"log p is -inf at [\d,]+ draws: pass support=", found.verdict)
    assert found.trusted != bool(asked)


@pytest.mark.parametrize(
    ("inside", "start"),
    [
        (lambda x: anp.sum(x**2, axis=1) < 1, None),  # a disc
        (lambda x: x[:, 0] < x[:, 1], [0.0, 1.0]),
        (lambda x: anp.sum((x - 1.5) ** 2, axis=1) > 0.05, None),  # a hole
        (in_box([-4.5, -9], [9, 9]), None),  # a bound that hardly matters
    ],
)
def test_other_places_where_a_target_is_not_finite_are_left_out(inside, start):
    found = fc.infer(cut(inside), 2, start=start, **QUICK)
    assert np.isfinite(found.log_p).any() and found.history.settings["raised_rows"] == 0


# ---------------------------------------------------------------- targets that raise


def test_a_row_is_left_out_if_one_number_of_its_gradient_is_not_finite():
    target = fc.inference.unnormalised.LogTarget(lambda x: (x[:, 0], np.where(x > 5, np.inf, x)), 2)
    found = np.c_[target.anywhere(np.array([[1.0, 2.0], [6.0, 2.0]]))]
    np.testing.assert_array_equal(found, [[1, 1, 2], [np.nan, 0, 0]])


def test_rows_at_which_the_target_raises_count_as_minus_infinity():
    """At 6 of 20,000 rows, whatever the error is; traced or not."""
    errors = cycle([np.linalg.LinAlgError, ZeroDivisionError, RuntimeError])

    def log_p(x):
        if (np.abs(getval(x)[:, 0]) >= 3.6).any():
            raise next(errors)("no answer here")
        return normal(x)

    def of_draws(x):
        log_p(x)
        return {"x": x**2}

    found = fc.infer(log_p, flow=fc.flows.iaf(2, layers=1, hidden=[8]), **QUICK)
    assert np.array_equal(found.expectation(of_draws)[0]["x"], found.expectation(np.square)[0])
    raised = found.history.settings["raised_rows"]
    assert raised > 0 and f"where p counts as 0: {raised:,}" in found.verdict
    assert (np.isneginf(found.log_p) == (np.abs(found.rows[:, 0]) >= 3.6)).all()
    assert found.log_evidence[0] == pytest.approx(np.log(2 * np.pi), abs=0.02)


@pytest.mark.parametrize(
    ("error", "log_target"),
    [
        (ZeroDivisionError, lambda x: normal(x) / 0),
        (np.linalg.LinAlgError, lambda x: np.linalg.inv(np.zeros((2, 2)))),
        (KeyError, lambda x: {}["tau"]),
    ],
)
def test_what_a_target_always_raises_comes_out(error, log_target):
    def raising(x):
        if error is ZeroDivisionError:
            raise error("mine")
        return log_target(x)

    with pytest.raises(error):
        fc.infer(raising, 2)
