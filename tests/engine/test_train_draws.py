"""`fit` on fresh draws: a function in place of rows, which draws every batch anew."""

import functools

import numpy as np
import pytest
from support.runs import assert_same

import flowcore as fc


def plain(n, rng):
    x = rng.normal(size=(n, 1))
    return np.c_[x, 0.5 * x**2 + 0.3 * rng.normal(size=(n, 1))]


def given(n, rng):
    c = rng.normal(3.0, 5.0, size=(n, 1))
    return c + 0.3 * rng.normal(size=(n, 2)), c


def small(context_dim=0, **options):
    return fc.flows.maf(2, layers=2, hidden=[8], context_dim=context_dim, rng=0, **options)


CASES = {
    "plain": (small(), plain, {"average": None, "schedule": "constant"}),
    "context": (small(1), given, {"steps": 200}),
    "float32": (small(dtype=np.float32), plain, {}),
}


def run(case, path=None, draw=None, rng=3, **more):
    flow, its_draw, options = CASES[case]
    options = {"steps": 230, "batch_size": 32, "checkpoint_every": 0.0} | options | more
    key = None if path is None else "1"
    draw = draw or its_draw
    return fc.fit(flow, draw, rng=rng, checkpoint=path, checkpoint_key=key, **options)


def interrupted_at(draw, call):
    """The same draws, until their call of this number is a Ctrl-C."""
    calls = []

    @functools.wraps(draw)  # a checkpoint knows a function by its name
    def stopped(n, rng):
        calls.append(n)
        if len(calls) == call:
            raise KeyboardInterrupt
        return draw(n, rng)

    return stopped


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_ends_as_the_uninterrupted_one(case, tmp_path):
    path, straight_rng, resumed_rng = tmp_path / "run.ck", *np.random.default_rng(3).spawn(2)
    resumed_rng.bit_generator.state = state = straight_rng.bit_generator.state
    straight = run(case, rng=straight_rng)
    draw, before = CASES[case][1], 10_000 // 32 + 10  # the draws that a new flow is initialised by
    for call in (before + 30, before + 120):
        resumed_rng.bit_generator.state = state
        _, history = run(case, path, interrupted_at(draw, call), rng=resumed_rng)
        assert history.interrupted
    resumed_rng.bit_generator.state = state
    assert_same(run(case, path, rng=resumed_rng), straight)
    np.testing.assert_equal(resumed_rng.bit_generator.state, straight_rng.bit_generator.state)
    resumed_rng.bit_generator.state = state
    assert_same(run(case, path, rng=resumed_rng), straight)  # a finished one


def test_another_run_or_no_key_is_refused(tmp_path):
    run("plain", tmp_path / "run.ck", steps=20)
    with pytest.raises(ValueError, match="steps"):
        run("plain", tmp_path / "run.ck", steps=40)
    with pytest.raises(ValueError, match="batch_size"):
        run("plain", tmp_path / "run.ck", steps=20, batch_size=16)
    with pytest.raises(ValueError, match=r"draw .*checkpoint_key"):
        fc.fit(small(), plain, steps=20, checkpoint=tmp_path / "other.ck")


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_the_loss_is_that_of_rows_in_expectation(dtype):
    """One step at a time, without an average: the reported loss is the mean over the fresh rows of
    the NLL before each update, and the flow that is learned has the entropy of the source."""
    flow, history = fc.fit(small(1, dtype=dtype), given, steps=1_500, batch_size=128, rng=0)
    x, c = given(20_000, np.random.default_rng(99))
    values = -flow.log_prob(x, context=c).astype(float)
    entropy = 2 * (0.5 * np.log(2 * np.pi * np.e) + np.log(0.3))
    error = values.std() / np.sqrt(len(values))
    assert flow.params.dtype == dtype
    assert -4 * error < values.mean() - entropy < 0.02 + 4 * error
    # the last hundred batches are fresh rows for nearly the same flow: nothing to overfit
    assert history.train_nll[-1] == pytest.approx(values.mean(), abs=5 * values.std() / 113 + 0.01)
    assert len(history.train_nll) == 15 and history.val_nll == []


def test_every_batch_is_new_and_the_same_for_a_seed():
    seen = []

    def watched(n, rng):
        seen.append(plain(n, rng))
        return seen[-1]

    first, _ = fc.fit(small(), watched, steps=150, batch_size=16, rng=5)
    training = np.concatenate(seen[-151:-1])  # the last one is for `first_batch`
    assert {len(batch) for batch in seen} == {16} and len(np.unique(training[:, 0])) == 150 * 16
    assert not np.isin(training, np.concatenate(seen[:-151])).any()
    fc.fit(small(), watched, steps=1, batch_size=16, rng=6)
    assert not np.isin(seen[-2], training).any()  # for another seed another one
    again, _ = fc.fit(small(), plain, steps=150, batch_size=16, rng=5)
    np.testing.assert_array_equal(first.params, again.params)


def test_draws_of_targets_and_flows_are_taken_as_they_are():
    moons = fc.targets.two_moons()
    flow, history = fc.fit(small(), moons.sample, steps=250, rng=0)
    assert history.settings["batch_size"] == 512 and history.settings["steps"] == 250
    x = moons.sample(4_000, rng=1)
    assert flow.log_prob(x).mean() > small().initialize(x).log_prob(x).mean() + 0.1
    copy, _ = fc.fit(small(), flow.sample, steps=50, rng=0)
    assert np.isfinite(copy.log_prob(x)).all()


def test_callbacks_progress_and_the_schedule_see_the_steps():
    reports, rates = [], []

    def rate(step):
        rates.append(step)
        return 1e-3

    _, history = fc.fit(
        small(), plain, steps=230, batch_size=16, learning_rate=rate, progress=True,
        callbacks=[lambda report: reports.append(report.epoch)],
    )  # fmt: skip
    assert reports == [0, 1, 2] and rates == list(range(230)) and not history.interrupted
    _, history = fc.fit(small(), plain, steps=230, batch_size=16, callbacks=[lambda report: True])
    assert len(history.train_nll) == 1
    cosine = fc.fit(small(), plain, steps=230, batch_size=16)[1].settings["optimizer"]
    assert cosine.learning_rate.steps == 231  # three epochs of 77, the last one is shorter


def test_batches_may_be_larger_than_the_first_rows():
    flow, history = fc.fit(small(), plain, steps=2, batch_size=20_000)
    assert len(history.train_nll) == 1 and np.isfinite(flow.params).all()


def test_frames_give_the_flow_their_names():
    pd = pytest.importorskip("pandas")

    def frames(n, rng):
        x, c = given(n, rng)
        return pd.DataFrame(x[:, ::-1], columns=["b", "a"]), pd.DataFrame({"d": 9, "c": c[:, 0]})

    flow, _ = fc.fit(small(1).with_names(["a", "b"], ["c"]), frames, steps=5, rng=1)
    plainly, _ = fc.fit(small(1), given, steps=5, rng=1)
    assert flow.names == ["a", "b"]
    np.testing.assert_allclose(flow.params, plainly.params, rtol=1e-9)  # another order of sums


WRONG = {
    "one column": (lambda n, rng: rng.normal(size=n), "shape"),
    "another width": (lambda n, rng: rng.normal(size=(n, 3)), "dim 2"),
    "another number": (lambda n, rng: rng.normal(size=(n + 1, 2)), "512, rng. returned 513 rows"),
    "three parts": (lambda n, rng: (plain(n, rng),) * 3, "draw has shape"),
    "a short context": (lambda n, rng: (plain(n, rng), plain(3, rng)), "context of draw"),
    "a context": (given, "context"),
    "NaN": (lambda n, rng: plain(n, rng) * [1, np.nan], "draw has NaN"),
    "nothing": (lambda n, rng: None, "draw"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_draw_is_named(case):
    draw, words = WRONG[case]
    with pytest.raises((ValueError, TypeError), match=words):
        fc.fit(small(), draw, steps=10)


def test_a_context_that_the_flow_needs_is_named():
    with pytest.raises(ValueError, match="context"):
        fc.fit(small(1), plain, steps=10)


def test_nan_in_a_later_batch_is_an_error():
    def later(n, rng):
        x = plain(n, rng)
        return np.where(rng.random() < 0.01, np.nan, x)

    with pytest.raises(ValueError, match="draw has NaN"):
        fc.fit(small(), later, steps=2_000, batch_size=16)


def test_random_numbers_have_to_come_from_rng():
    own, fixed = np.random.default_rng(0), plain(512, np.random.default_rng(0))
    for draw, words in ((lambda n, rng: plain(n, own), "equal rows for equal rng"),
                        (lambda n, rng: fixed, "others for another")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            fc.fit(small(), draw, steps=10)


def test_options_of_rows_are_refused():
    of_rows = {"context": np.ones((3, 1)), "sample_weight": np.ones(3), "noise": 0.1,
               "context_noise": 0.1, "validation_data": np.ones((3, 2)), "epochs": 3}  # fmt: skip
    for name, value in of_rows.items():
        with pytest.raises(TypeError, match=name):
            fc.fit(small(), plain, steps=10, **{name: value})
    with pytest.raises(ValueError, match="patience"):
        fc.fit(small(), plain, steps=10, patience=3)
    with pytest.raises(TypeError, match="steps"):
        fc.fit(small(), plain(300, np.random.default_rng(0)), steps=10)
    with pytest.raises(TypeError, match="steps"):
        fc.fit(small(), plain)
    for wrong in (0, 1.5, "many"):
        with pytest.raises(ValueError, match="steps"):
            fc.fit(small(), plain, steps=wrong)
