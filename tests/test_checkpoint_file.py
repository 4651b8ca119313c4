"""The file of a checkpoint: when it is written, whose it is, and what is refused."""

import json
import os
import pickle
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from stub_runs import assert_same, run, run_of

import flowcore
from flowcore.files import archive, disk
from flowcore.training.resume import checkpoint, state

HERE = os.path.dirname(__file__)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(disk.os, "fsync", lambda handle: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


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


def full(*arguments):
    raise OSError(28, "No space left on device")


def test_a_failed_write_is_tried_again(path, monkeypatch):
    """A folder that is gone for two epochs, and a disk that is full in another one."""
    folder, straight, files = path.parent / "inner", run(), []

    def callback(report):
        files.append(sorted(file.name for file in folder.glob("*")))
        if report.epoch == 0:
            folder.rename(folder.with_name("away"))
        if report.epoch == 2:
            folder.with_name("away").rename(folder)
        if report.epoch == 3:
            monkeypatch.setattr(disk.os, "replace", full)
        if report.epoch == 4:
            monkeypatch.undo()

    folder.mkdir()
    with pytest.warns(UserWarning, match="could not be written") as seen:
        assert_same(run(folder / "run.npz", callback), straight)
    assert [r for w in seen for r in ("there is no folder", "No space") if r in str(w.message)] == [
        "there is no folder",
        "No space",
    ]
    assert files == [[".run.npz.lock", "run.npz"], [], [], *3 * [[".run.npz.lock", "run.npz"]]]
    assert_same(run(folder / "run.npz"), straight)
    assert os.listdir(folder) == ["run.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="files of a limited size are POSIX")
def test_a_disk_that_is_full_underway(path):
    """Two epochs fit on it: the file stays as it was, and the result is that of a run without."""
    program = """
import resource, signal, sys, warnings
from stub_runs import assert_same, run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(report):
    if report.epoch == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    found = run(sys.argv[1], fill)
assert ["File too large" in str(w.message) for w in seen] == [True], seen
assert_same(found, run())
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=HERE)
    assert os.listdir(path.parent) == ["run.npz"]
    assert_same(run(path, epochs=8), run(epochs=8))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_bad_paths_are_refused_before_anything_else(tmp_path):
    nothing = "neither a table nor rows"
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing"):
        run(tmp_path / "missing" / "run.npz", X=nothing)
    with pytest.raises(IsADirectoryError, match="is a folder, not a file"):
        run(tmp_path, X=nothing)
    with pytest.raises(IsADirectoryError, match=r"new/': it names a folder, not a file"):
        run(f"{tmp_path}/new/", X=nothing)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a device, FIFO or socket"):
        run(tmp_path / "pipe", X=nothing)
    for every in (-1.0, np.nan, None):
        with pytest.raises(ValueError, match="checkpoint_every is a number of seconds >= 0"):
            run(tmp_path / "run.npz", X=nothing, checkpoint_every=every)


def test_an_optimizer_that_cannot_export_its_state_is_refused_at_once(path):
    class Plain:
        def start(self, theta, arrays=None):
            return self

        def step(self, theta, gradient):
            raise AssertionError("too late")

    own = {"optimizer": Plain(), "learning_rate": "auto", "checkpoint_key": "1"}
    with pytest.raises(TypeError, match=r"method arrays\(\) that returns a dict"):
        run(path, **own)
    for value in ([None], np.array([None]), "text"):
        Plain.arrays = lambda self, value=value: {"m": value}
        with pytest.raises(TypeError, match=r"arrays of numbers.* returns .'m': "):
            run(path, **own)
    assert os.listdir(path.parent) == []


# ---------------------------------------------------------------- what is in it


def test_foreign_files_are_refused_and_left_alone(path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    flowcore.save(flowcore.flows.maf(2, layers=1, hidden=[8]), path)
    for content, message in [
        (path.read_bytes(), "is a flow written by flowcore.save, not a checkpoint"),
        (pickle.dumps(Evil()), "was not written by flowcore: it begins with"),
        (b"", "is empty"),
        (b"x,y\n1,2\n", "was not written by flowcore"),
    ]:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"no checkpoint of this run: .*run\.npz {message}.*delete"
        ):
            run(path)
        assert path.read_bytes() == content


def state_of_a_run():
    """A Run in the middle of its second epoch."""
    run = run_of(average=0.9)
    run.initial, run.first_nll = (1.75, 0.25), 1.75
    run.begin_epoch()
    run.step(np.ones(4), 2.0, 10.0)
    run.step(np.ones(4), 2.0, 10.0)
    run.end_epoch((1.5, 0.1))
    run.report([])
    run.begin_epoch()
    run.step(np.ones(4), 1.0, 10.0)
    return run


def test_the_whole_state_is_exported():
    run = state_of_a_run()
    other = run_of(average=0.9, rng=np.random.default_rng(1))
    content = json.loads(json.dumps(state.export(run)[0])), state.export(run)[1]
    state.check(other, *content)
    state.restore(other, *content)
    numbers, arrays = state.export(other)
    expected, expected_arrays = state.export(run)
    assert other.rng.bit_generator.state == run.rng.bit_generator.state
    assert 0 <= numbers.pop("seconds") - expected.pop("seconds") < 60
    assert numbers == expected
    assert arrays.keys() == expected_arrays.keys() >= {"earlier", "latest", "average"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected_arrays[name], err_msg=name)
    assert not np.array_equal(arrays["earlier"], arrays["latest"])


def test_a_torn_run_is_not_written(path):
    run = state_of_a_run()
    for run.is_updating in (True, False):
        with checkpoint.Checkpoint(path, 60.0, run, {}):
            pass
        assert path.exists() != run.is_updating


def test_a_checkpoint_is_not_a_flow(path):
    run(path)
    with pytest.raises(ValueError, match=r"run\.npz is a checkpoint of fit, not a flow"):
        flowcore.load(path)


@pytest.mark.parametrize("other", [5, 7])
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
    damaged = [good[:-1], good[: len(good) // 2], good + b"\0"]
    damaged += [good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :] for i in (40, 1000, len(good) - 1)]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"no checkpoint of this run: .*run\.npz is "):
            run(path)


def test_out_of_memory_is_not_damage(path, monkeypatch):
    run(path)

    def full(raw):
        raise MemoryError

    monkeypatch.setattr(archive, "_array", full)
    with pytest.raises(MemoryError):
        run(path)
