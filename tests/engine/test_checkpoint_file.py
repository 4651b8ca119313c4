"""The file of a checkpoint: when it is written, and what is refused."""

import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from support.places import TESTS
from support.runs import assert_same, run

import flowcore
from flowcore.files import archive, disk
from flowcore.training import Adam
from flowcore.training.resume import checkpoint

# ---------------------------------------------------------------- when and how it is written


def count_writes(monkeypatch):
    states, write = [], checkpoint.Checkpoint._write

    def counting(self, state):
        states.append((state.numbers["epoch"], state.numbers["batch"]))
        write(self, state)

    monkeypatch.setattr(checkpoint.Checkpoint, "_write", counting)
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
    reasons = [r for w in seen for r in ("No such file", "No space") if r in str(w.message)]
    assert list(dict.fromkeys(reasons)) == ["No such file", "No space"]
    assert files == [[".run.npz.lock", "run.npz"], [], [], *3 * [[".run.npz.lock", "run.npz"]]]
    assert_same(run(folder / "run.npz"), straight)
    assert os.listdir(folder) == ["run.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="files of a limited size are POSIX")
def test_a_disk_that_is_full_underway(path):
    """Two epochs fit on it: the file stays as it was, and the result is that of a run without."""
    program = """
import resource, signal, sys, warnings
from support.runs import assert_same, run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(report):
    if report.epoch == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("default")
    found = run(sys.argv[1], fill)
assert ["File too large" in str(w.message) for w in seen] == [True], seen
assert_same(found, run())
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=TESTS)
    assert os.listdir(path.parent) == ["run.npz"]
    assert_same(run(path, epochs=8), run(epochs=8))


def test_bad_paths_are_refused_before_anything_else(tmp_path):
    nothing = "neither a table nor rows"
    with pytest.raises(OSError, match=r"no file can be written in .*missing"):
        run(tmp_path / "missing" / "run.npz", X=nothing)
    for every in (-1.0, np.nan, None):
        with pytest.raises(ValueError, match="checkpoint_every is a number of seconds >= 0"):
            run(tmp_path / "run.npz", X=nothing, checkpoint_every=every)
    with pytest.raises(IsADirectoryError):
        run(tmp_path, lambda report: pytest.fail("it trained"))


# ---------------------------------------------------------------- what is in it


def test_foreign_files_are_refused_and_left_alone(path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    flowcore.save(flowcore.flows.maf(2, layers=1, hidden=[8]), path)
    for content, message in [
        (path.read_bytes(), "is a flow in format 2, .*, not a checkpoint of fit"),
        (pickle.dumps(Evil()), "was not written by flowcore"),
        (b"x,y\n1,2\n", "was not written by flowcore"),
    ]:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"no checkpoint of this run: .*run\.npz {message}.*delete"
        ):
            run(path)
        assert path.read_bytes() == content


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_run_that_breaks_off_is_written_as_it_was_after_its_last_whole_epoch(path, error):
    """Whatever half of an update is done then."""
    straight, halves = run(), []

    class Breaks(Adam):
        def start(self, theta, arrays=None):
            steps = super().start(theta, arrays)
            update = steps.step

            def step(theta, gradient):
                halves.append(theta)
                if len(halves) == 6 * 3 + 2:  # the second one of the fourth epoch
                    theta[: len(theta) // 2] = np.nan
                    raise error
                update(theta, gradient)

            steps.step = step
            return steps

    options = {"optimizer": Breaks(0.1), "learning_rate": "auto", "checkpoint_key": "1"}
    with suppress(MemoryError):
        run(path, checkpoint_every=60.0, **options)
    description, arrays = archive.unsealed(path.read_bytes())
    assert (description["run"]["epoch"], description["run"]["batch"]) == (3, 0)
    np.testing.assert_array_equal(arrays["train_nll"], straight[1].train_nll[:3])
    assert_same(run(path, **options), straight)


def test_a_checkpoint_is_not_a_flow(path):
    run(path)
    with pytest.raises(ValueError, match=r"run\.npz is a checkpoint of fit, not a flow"):
        flowcore.load(path)


@pytest.mark.parametrize("other", [checkpoint.FORMAT - 1, checkpoint.FORMAT + 1])
def test_another_format_is_refused(path, monkeypatch, other):
    monkeypatch.setattr(checkpoint, "FORMAT", other)
    run(path)
    monkeypatch.undo()
    message = f"in format {other}, written by flowcore .*, not a .* in format {checkpoint.FORMAT}"
    with pytest.raises(ValueError, match=message):
        run(path)


def test_damage_is_noticed(path):
    run(path, epochs=1)
    good = path.read_bytes()
    damaged = [good[:-1], good[: len(good) // 2], good + b"\0"]
    damaged += [good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :] for i in (40, 1000, len(good) - 1)]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"no checkpoint of this run: .*run\.npz (is|was) "):
            run(path)
