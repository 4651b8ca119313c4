"""A run of `fit` that is stopped and started again ends as the uninterrupted one, bit for bit."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import autograd.numpy as anp
import numpy as np
import pytest
from stub_flows import Banana, Cliff, Conditional, Gaussian, GradientDescent, Spy, banana_data
from test_train_stops import interrupt_line

import flowcore
from flowcore import (
    MADE,
    Affine,
    Chain,
    MaskedAutoregressiveFlow,
    Standardize,
    TransformedDistribution,
)
from flowcore.files import DESCRIPTION, archive, disk, pack, unpack
from flowcore.training import (
    Adam,
    Run,
    TrainingDivergedError,
    checkpoint,
    cosine_decay,
    fingerprint,
    fit,
    table,
)

X = banana_data()
W = np.random.default_rng(0).exponential(size=300)
C = np.random.default_rng(1).normal(size=(300, 1))
BASE = {"epochs": 6, "batch_size": 50, "learning_rate": 0.1}

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
    "plain descent": {"optimizer": GradientDescent(0.1), "learning_rate": 1e-3},
    "decay": {"optimizer": Adam(0.1, weight_decay=0.1), "learning_rate": 1e-3},
    "lambda": {"learning_rate": lambda step: 0.1 * 0.9**step},
    "cosine": {"schedule": "cosine", "warm_up": 7},
    "average": {"average": 0.9},
    "average, no validation": {"average": 0.9, "validation_split": 0},
    "in order": {"shuffle": False},
    "full batch": {"batch_size": None},
    "maf": {"flow": flowcore.flows.maf(2, layers=2, hidden=[8]), "epochs": 4},
}


def run(path=None, callback=None, rng=3, flow=None, X=X, **options):
    """fit on the banana; the callback is left out if it is None."""
    callbacks = [] if callback is None else [callback]
    flow = Banana() if flow is None else flow
    if path is not None:
        options = {"checkpoint": path, "checkpoint_every": 0.0, **options}
    return fit(flow, X, callbacks=callbacks, rng=rng, **{**BASE, **options})


def interrupt_at(epoch, error=KeyboardInterrupt):
    def callback(report):
        if report.epoch == epoch:
            raise error("stop")

    return callback


def assert_same(a, b):
    (flow, history), (expected, straight) = a, b
    assert flow.params.dtype == expected.params.dtype
    np.testing.assert_array_equal(flow.params, expected.params)
    for name in ("train_nll", "val_nll", "best_epoch", "interrupted"):
        assert getattr(history, name) == getattr(straight, name), name


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


class Countdown(Spy):
    """Is interrupted in the k-th density of a batch."""

    left = 10**9

    def density(self, x, p, context):
        type(self).left -= 1
        if type(self).left == 0:
            raise KeyboardInterrupt
        return super().density(x, p, context)


@pytest.mark.parametrize("every", [0.0, 60.0])
@pytest.mark.parametrize("average", [None, 0.8])
@pytest.mark.parametrize(("batch_size", "needed"), [(50, 14), (None, 4)])
def test_interrupts_in_the_middle_of_an_epoch(
    path, every, average, batch_size, needed, monkeypatch
):
    options = {"flow": Countdown(), "average": average, "batch_size": batch_size}
    straight = run(**options)
    for starts in range(1, 20):  # noqa: B007
        monkeypatch.setattr(Countdown, "left", 4)  # an epoch has 6 batches, or 1; one validation
        result = run(path, checkpoint_every=every, **options)
        if not result[1].interrupted:
            break
    assert starts == needed  # 6 * 7 (or 2) densities, three at a time: nothing is done twice
    assert_same(result, straight)


def test_interrupts_at_any_line_of_the_loop(tmp_path, monkeypatch):
    """Also between two lines that change the state, or while a file is prepared."""

    def write(path, content):  # a tracer would leave open what a signal does not
        with open(f"{path}.tmp", "wb") as file:
            file.write(content)
        os.replace(f"{path}.tmp", path)

    monkeypatch.setattr(checkpoint, "write_atomically", write)
    options = {"epochs": 2, "batch_size": 100, "average": 0.5}
    straight, k, came = run(**options), 1, True
    while came:
        path = tmp_path / f"{k}.npz"
        try:
            _, came = interrupt_line(k, lambda: run(path, **options))  # noqa: B023
        except KeyboardInterrupt:  # it came where the file of an interrupted run is written
            came = True
        assert_same(run(path, **options), straight)
        k += 11
    assert k > 1000


PROGRAM = """
import sys, numpy as np, flowcore
from flowcore.training import fit
X = np.random.default_rng(0).normal(size=(500, 3)) @ [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
flow = flowcore.flows.maf(3, layers=2, hidden=[8])
options = dict(epochs=20, batch_size=10, average=0.9, learning_rate=0.01)
path = sys.argv[1] if len(sys.argv) > 1 else None
flow, history = fit(flow, X, checkpoint=path, checkpoint_every=0.01, **options)
print(flow.params.tobytes().hex(), history.train_nll, history.val_nll, history.best_epoch)
"""


def test_a_killed_run_goes_on(path):
    def start(*arguments):
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    rng, killed = np.random.default_rng(0), 0
    for _ in range(3):
        process, before = start(str(path)), _changed(path)
        while process.poll() is None and _changed(path) == before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed >= 2
    straight, resumed = (start(*a).communicate()[0] for a in ((), (str(path),)))
    assert resumed == straight != ""


def _changed(path):
    return path.stat().st_mtime_ns if path.exists() else None


def test_an_error_in_a_callback_saves_the_run(path):
    straight = run()
    with pytest.raises(FloatingPointError, match="stop"):
        run(path, interrupt_at(2, FloatingPointError), checkpoint_every=60.0)
    reports = []
    assert_same(run(path, reports.append), straight)
    assert [r.epoch for r in reports] == [2, 3, 4, 5]  # 2 had not been told to the end


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


def test_a_file_that_came_meanwhile_is_not_overwritten(path):
    def another(report):
        if report.epoch == 1:
            run(path, rng=4)

    with pytest.warns(UserWarning, match="last checkpoint.*belongs to another run.*rng"):
        run(path, another, checkpoint_every=60.0)
    assert_same(run(path, rng=4), run(rng=4))


def test_an_interrupt_while_the_file_is_packed(path, monkeypatch):
    """ZipFile raises a ValueError of its own when it is left in the middle of a member."""
    close, calls = zipfile._ZipWriteFile.close, []

    def interrupted(self):
        calls.append(1)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return close(self)

    monkeypatch.setattr(zipfile._ZipWriteFile, "close", interrupted)
    _, history = run(path)
    assert history.interrupted
    assert_same(run(path), run())


def test_what_a_killed_process_left_is_removed(path):
    run(path, epochs=1)
    names = [f"run.npz-{'0' * 16}", f"run.npz-{'1' * 16}", f"x.npz-{'0' * 16}", "run.npz-notes"]
    old, new, *others = (path.parent / f".{name}.tmp" for name in names)
    for left in (old, new, *others):
        left.write_bytes(b"half of it")
    for left in (old, *others):
        os.utime(left, (0, 0))
    run(path, epochs=2)
    assert not old.exists() and all(left.exists() for left in (new, *others))


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
    with pytest.raises(ValueError, match=r"epochs=3, but the run in .*run.npz is in epoch 4 alr"):
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
    slow = interrupt_at(1)
    _, first = run(path, lambda report: (time.sleep(0.2), slow(report))[1])
    _, second = run(path)
    assert first.seconds > 0.4 and first.seconds < second.seconds < first.seconds + 5


def test_the_progress_bar_starts_where_the_run_does(path, capsys):
    run(path, interrupt_at(3))
    capsys.readouterr()
    run(path, progress=True)
    shown = capsys.readouterr().err
    assert "3/6" in shown and "6/6" in shown and "0/6" not in shown


# ---------------------------------------------------------------- when and how it is written


def count_writes(monkeypatch):
    states, write = [], checkpoint.Checkpoint.write

    def counting(self):
        states.append((self.run.epoch, self.run.batch))
        write(self)

    monkeypatch.setattr(checkpoint.Checkpoint, "write", counting)
    return states


def test_it_is_written_at_most_every_so_many_seconds(path, monkeypatch):
    states = count_writes(monkeypatch)
    run(path, epochs=2, checkpoint_every=60.0)
    assert states == [(2, 0)]
    states.clear()
    path.unlink()
    run(path, epochs=2, checkpoint_every=0.0)
    assert states == [(e, b) for e in (0, 1) for b in range(1, 7)] + [(2, 0)]
    states.clear()
    path.unlink()
    now = [0.0]  # a second an epoch
    clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
    monkeypatch.setattr(checkpoint, "time", clock)
    run(path, lambda report: now.append(now.pop() + 1.0), epochs=5, checkpoint_every=2.0)
    assert states == [(2, 1), (4, 1), (5, 0)]


def test_a_crash_while_writing_leaves_the_old_file(path, monkeypatch):
    straight = run()
    run(path, interrupt_at(1))
    before = path.read_bytes()

    def broken(*arguments):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        monkeypatch.setattr(disk.os, name, broken)
        with pytest.raises(OSError, match="No space left"):
            run(path)
        assert path.read_bytes() == before and os.listdir(path.parent) == ["run.npz"]
        monkeypatch.undo()
    assert_same(run(path), straight)


def test_a_last_file_that_cannot_be_written_does_not_cost_the_result(path, monkeypatch):
    def broken(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "replace", broken)
    with pytest.warns(UserWarning, match="last checkpoint could not be written.*No space") as seen:
        result = run(path, checkpoint_every=60.0)
    assert seen[0].filename == __file__
    assert_same(result, run())


def test_bad_paths_are_refused_before_anything_else(tmp_path):
    nothing = "neither a table nor rows"
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing, make it first"):
        run(tmp_path / "missing" / "run.npz", X=nothing)
    with pytest.raises(IsADirectoryError, match="is a folder: give a file in it a name"):
        run(tmp_path, X=nothing)
    for every in (-1.0, np.nan, None):
        with pytest.raises(ValueError, match="checkpoint_every is a number of seconds >= 0"):
            run(tmp_path / "run.npz", X=nothing, checkpoint_every=every)


def test_an_optimizer_that_cannot_export_its_state_is_refused_at_once(path):
    class Plain:
        def start(self, theta, arrays=None):
            return self

        def step(self, theta, gradient):
            raise AssertionError("too late")

    with pytest.raises(TypeError, match="has no method arrays"):
        run(path, optimizer=Plain(), learning_rate=1e-3)


# ---------------------------------------------------------------- whose file it is


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"flow": Banana(np.full(6, 0.1))}, "flow"),
        ({"flow": Gaussian()}, "flow"),
        ({"flow": Banana(dtype=np.float32)}, "flow"),
        ({"X": X[::-1].copy()}, "X"),
        ({"X": np.where(np.arange(300)[:, None] == 299, X + 1e-12, X)}, "X"),
        ({"X": X.astype(np.float32)}, "X"),
        ({"sample_weight": W}, "sample_weight"),
        ({"batch_size": 51}, r"batch_size \(50 there, 51 here\)"),
        ({"learning_rate": 0.2}, r"optimizer \(Adam\(learning_rate=0.1.*Adam\(learning_rate=0.2"),
        ({"optimizer": Adam(0.1, beta2=0.9), "learning_rate": 1e-3}, "optimizer"),
        ({"schedule": "cosine"}, "optimizer"),
        ({"warm_up": 3}, "optimizer"),
        ({"average": 0.5}, r"average \(None there, 0.5 here\)"),
        ({"validation_split": 0.2}, "validation_split"),
        ({"validation_data": X[:5]}, "validation_data"),
        ({"shuffle": False}, "shuffle"),
        ({"clip_norm": 1.0}, "clip_norm"),
        ({"rng": 4}, "rng"),
    ],
)
def test_a_file_of_another_run_is_refused(path, change, named):
    run(path, epochs=1)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=rf"run\.npz belongs to .* differs in .*\b{named}.*delete the file"
    ):
        run(path, **change)
    assert path.read_bytes() == before


def test_contexts_are_part_of_it_too(path):
    options = dict(flow=Conditional(), X=X[:, :1], context=C, validation_data=(X[:50, :1], C[:50]))
    run(path, **options)
    for change in ({"context": C[::-1]}, {"validation_data": (X[:50, :1], C[1:51])}):
        with pytest.raises(ValueError, match=r"differs in context"):
            run(path, **options | change)


def test_structure_is_part_of_a_flow(path):
    def flow(hidden, seed=0):
        return flowcore.flows.maf(2, layers=1, hidden=[hidden], activation="tanh", rng=seed)

    run(path, flow=flow(8), epochs=1)
    run(path, flow=flow(8), epochs=1)
    relu = flowcore.flows.maf(2, layers=1, hidden=[8], activation="relu", rng=0)
    np.testing.assert_array_equal(relu.params, flow(8).params)
    for other in (relu, flow(9), flow(8, seed=1)):
        with pytest.raises(ValueError, match="differs in flow"):
            run(path, flow=other, epochs=1)


def test_a_generator_that_has_moved_on_is_refused(path):
    rng = np.random.default_rng(3)
    run(path, interrupt_at(1), rng)
    with pytest.raises(ValueError, match=r"differs in rng \(PCG64 "):
        run(path, rng=rng)


def test_foreign_files_are_refused_and_left_alone(path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    flowcore.save(flowcore.flows.maf(2, layers=1, hidden=[8]), path)
    for content, message in [
        (path.read_bytes(), "is a flow written by flowcore.save, not a checkpoint"),
        (pickle.dumps(Evil()), "was not written by fit: it is a pickle"),
        (b"", "is empty"),
        (b"x,y\n1,2\n", "was not written by fit"),
    ]:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"no checkpoint of this run: .*run\.npz {message}.*delete"
        ):
            run(path)
        assert path.read_bytes() == content


def state_of_a_run():
    """A Run in the middle of its second epoch."""
    rng = np.random.default_rng(0)
    run = Run(Gaussian(np.arange(4.0)), Adam(1e-3), 0.9, epochs=5, rng=rng)
    run.begin_epoch()
    run.step(np.ones(4), 2.0, 10.0)
    run.end_epoch(1.5)
    run.begin_epoch()
    run.step(np.ones(4), 1.0, 10.0)
    return run


def test_the_whole_state_is_exported():
    run = state_of_a_run()
    other = Run(Gaussian(), Adam(1e-3), 0.9, epochs=5, rng=np.random.default_rng(1))
    checkpoint.restore(other, *checkpoint.export(run))
    facts, arrays = checkpoint.export(other)
    expected, expected_arrays = checkpoint.export(run)
    assert other.rng.bit_generator.state == run.rng.bit_generator.state
    assert facts == expected
    assert arrays.keys() == expected_arrays.keys() >= {"earlier.theta", "latest.theta"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected_arrays[name], err_msg=name)
    assert not np.array_equal(arrays["earlier.theta"], arrays["latest.theta"])


def test_a_torn_run_is_not_written(path):
    run = state_of_a_run()
    file = checkpoint.Checkpoint(path, 0.0, run, {})
    run.changing.torn = True
    file.rescue()
    file.write_last()
    assert not path.exists()
    run.changing.torn = False
    file.rescue()
    assert path.exists()


def test_a_checkpoint_is_not_a_flow(path):
    run(path)
    with pytest.raises(ValueError, match=r"run\.npz is a checkpoint of fit, not a flow"):
        flowcore.load(path)


@pytest.mark.parametrize("other", [1, 3])
def test_another_format_is_refused(path, monkeypatch, other):
    known = checkpoint.FORMAT
    monkeypatch.setattr(checkpoint, "FORMAT", other)
    run(path)
    monkeypatch.undo()
    message = f"has format {other}, written by flowcore .*: this flowcore reads format {known}"
    with pytest.raises(ValueError, match=message):
        run(path)


def test_damage_is_noticed(path):
    run(path, epochs=1)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    flips = rng.choice(len(good), 150, replace=False)
    damaged = [good[:n] for n in range(0, len(good), 7)]
    damaged += [good[:i] + bytes([good[i] ^ 1 << rng.integers(8)]) + good[i + 1 :] for i in flips]
    damaged += [good[:-1], good + b"\0"]
    file = checkpoint.Checkpoint(path, 0.0, state_of_a_run(), {})
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"no checkpoint of this run: .*run\.npz "):
            file._read()
    with pytest.raises(ValueError, match=r"no checkpoint of this run: .*run\.npz "):
        run(path)


def test_a_sealed_file_with_missing_parts_is_damaged(path):
    run(path, epochs=1)
    arrays = unpack(path.read_bytes())
    for name in arrays:
        if name != DESCRIPTION and not name.startswith("optimizer.t"):
            rest = {k: v for k, v in arrays.items() if k != name}
            path.write_bytes(pack(rest))
            with pytest.raises(ValueError, match=r"run\.npz is damaged: KeyError"):
                run(path)


class Wide:
    """Somebody's base that cannot be described: its argument is no attribute."""

    dim = 2

    def __init__(self, width):
        self._width = width

    def sample(self, n, rng=None):
        return self._width * np.random.default_rng(rng).normal(size=(n, 2))

    def log_prob(self, z):
        u = z / self._width
        return anp.sum(-0.5 * u * u - np.log(self._width * np.sqrt(2 * np.pi)), axis=-1)


def wide(width=1.0, activation="relu", bound=3.0):
    made = MADE(2, hidden=[6], activation=activation, rng=1)
    bijector = Chain([Standardize(2), MaskedAutoregressiveFlow(made, Affine(bound))])
    return TransformedDistribution(Wide(width), bijector)


def test_what_an_undescribable_part_may_hold(path):
    """Modules, classes, sets, and what contains itself; its state is the same in every process."""
    base = Wide(1.0)
    base.module, base.kind, base.names, base.itself = np, Adam, {"b", "a", "c"}, [base]
    flow = TransformedDistribution(base, wide().bijector)
    run(path, flow=flow, epochs=2)
    run(path, flow=flow, epochs=3)
    marks = fingerprint._state_of(base, {})
    assert marks[1]["names"] == ["'a'", "'b'", "'c'"] and marks[1]["itself"] == [0]


def test_what_callbacks_draw_counts(path):
    """The generator of the run, drawn from in a callback, too."""

    def go(path, epochs):
        rng = np.random.default_rng(3)
        found = run(path, lambda report: rng.random(5), rng=rng, epochs=epochs)
        return found, rng.bit_generator.state

    go(path, 2)
    (resumed, state), (straight, expected) = go(path, 4), go(None, 4)
    assert_same(resumed, straight)
    assert state == expected == go(path, 4)[1]


@pytest.mark.parametrize("other", [{"width": 5.0}, {"activation": "tanh"}, {"bound": 1.0}])
def test_another_flow_is_refused_also_if_it_cannot_be_described(path, other):
    run(path, flow=wide(), epochs=2)
    run(path, flow=wide(), epochs=3)
    with pytest.raises(ValueError, match="belongs to another run, which differs in flow"):
        run(path, flow=wide(**other), epochs=4)


def test_a_memmap_of_which_a_part_is_looked_at_is_another_run(path, monkeypatch):
    monkeypatch.setattr(table, "FIRST_LOOK", 50)
    np.save(path.with_name("X.npy"), X)
    run(path, X=np.load(path.with_name("X.npy"), mmap_mode="r"))
    with pytest.raises(ValueError, match="differs in rows for initialize"):
        run(path)


def test_equal_numbers_of_other_types_are_the_same_run(path):
    run(path, clip_norm=1, average=0.9, schedule="cosine", learning_rate=1e-3)
    same = {"clip_norm": np.float64(1), "average": np.float64(0.9)}
    run(path, **same, schedule="cosine", learning_rate=np.float64(1e-3))


def test_out_of_memory_is_not_damage(path, monkeypatch):
    run(path)

    def full(raw):
        raise MemoryError

    monkeypatch.setattr(archive, "_array", full)
    with pytest.raises(MemoryError):
        run(path)
