"""One run at a time has the path of a checkpoint: other processes, threads, children, leftovers."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock, UnixFileLock
from stub_runs import assert_same, interrupt_at, run

from flowcore.files import disk

HERE = os.path.dirname(__file__)
posix = pytest.mark.skipif(sys.platform == "win32", reason="links, signals and forks of POSIX")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(disk.os, "fsync", lambda handle: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# A run that prints when it has begun to train, and trains on when it reads a line.
PROGRAM = """
import sys
from stub_runs import run
def callback(report):
    if report.epoch == 0:
        print("begun", flush=True)
        sys.stdin.readline()
flow, history = run(sys.argv[1], callback, checkpoint_every=float(sys.argv[2]))
print(flow.params.tobytes().hex())
"""


class Other:
    """Another process, which runs the same `fit` and holds still in its first epoch."""

    def __init__(self, path, every=60.0):
        command = [sys.executable, "-c", PROGRAM, str(path), str(every)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, cwd=HERE, **pipes)

    def __enter__(self):
        assert self.process.stdout.readline() == "begun\n"
        return self

    def go_on(self):
        return self.process.communicate("\n")[0].strip()

    def __exit__(self, *problem):
        self.process.kill()
        self.process.communicate()


REFUSED = r"another fit is writing to checkpoint='.*run\.npz': wait .* or give another checkpoint"


def refused(path, **options):
    """Before anything is trained."""
    with pytest.raises(ValueError, match=REFUSED):
        run(path, lambda report: pytest.fail("it trained"), **options)


def test_a_second_process_is_refused_at_its_start(path):
    with Other(path) as other:
        for options in ({}, {"rng": 4}, {"checkpoint_every": 60.0}):
            refused(path, **options)
        assert not path.exists()  # nobody has written yet
        assert other.go_on() == run()[0].params.tobytes().hex()
    assert os.listdir(path.parent) == ["run.npz"]
    assert_same(run(path), run())


def test_a_second_run_within_the_first_is_refused(path):
    def callback(report):
        refused(path)

    assert_same(run(path, callback), run())


@posix
def test_what_a_killed_process_left_blocks_nobody(path):
    with Other(path, every=0.0) as other:
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
    assert sorted(os.listdir(path.parent)) == [".run.npz.lock", "run.npz"]
    assert_same(run(path), run())
    assert os.listdir(path.parent) == ["run.npz"]


@posix
def test_links_meet(path, tmp_path):
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "run.npz", tmp_path / "run.npz"
    link.symlink_to(real)
    (tmp_path / "other").symlink_to(tmp_path / "folder")
    with FileLock(tmp_path / "folder" / ".run.npz.lock"):
        refused(link)
        refused(tmp_path / "other" / "run.npz")
    run(link)
    assert real.exists() and link.is_symlink()


def test_an_error_gives_the_path_back(path):
    run(path, rng=4, epochs=1)
    with pytest.raises(ValueError, match="differs in rng"):
        run(path)  # refused after it was claimed
    path.unlink()
    with pytest.raises(FloatingPointError):
        run(path, interrupt_at(1, FloatingPointError))
    assert_same(run(path), run())
    assert os.listdir(path.parent) == ["run.npz"]


@pytest.mark.parametrize("number", [37, 95])  # no locks available, not supported
def test_a_file_system_without_locks_is_a_warning(path, monkeypatch, number):
    def unsupported(self):
        raise OSError(number, os.strerror(number))

    other = path.with_name("other.npz")
    monkeypatch.setattr(UnixFileLock, "_acquire", unsupported)
    with pytest.warns(
        UserWarning, match=r"no file can be locked beside .*run\.npz.*make sure"
    ) as w:
        assert_same(run(path), run())
    assert w[0].filename == run.__code__.co_filename
    monkeypatch.undo()
    with FileLock(path.with_name(".other.npz.lock")) as lock:
        monkeypatch.setattr(UnixFileLock, "_acquire", unsupported)
        with pytest.warns(UserWarning, match="no file can be locked"):
            run(other)
        assert os.path.exists(lock.lock_file)  # whoever has no lock removes none
    monkeypatch.undo()
    assert_same(run(path), run())


# A parent that forks while it trains. The child outlives it, and then leaves `fit` on its own way.
FORKING = """
import os, sys
from stub_runs import run
def callback(report):
    if report.epoch != 1:
        return
    forked, ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready, b"!")
        os.close(1)
        sys.stdin.readline()  # until the test is done
        os.unlink(sys.argv[1])
        raise SystemExit  # out of fit, on its way: neither the file nor the lock are the child's
    os.read(forked, 1)  # now the child has closed its copy of the lock's file
    print("forked", flush=True)
    if sys.argv[2] == "child first":
        os.waitpid(child, 0)
        print("alone", flush=True)
    os.read(3, 1)
run(sys.argv[1], callback)
"""


@posix
@pytest.mark.parametrize("ends", ["parent first", "child first"])
def test_a_forked_child_neither_keeps_the_lock_nor_releases_it(path, ends):
    waiting, go = os.pipe()
    program = FORKING.replace("os.read(3, 1)", f"os.read({waiting}, 1)")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-W", "ignore", "-c", program, str(path), ends]
    with subprocess.Popen(command, cwd=HERE, pass_fds=[waiting], **pipes) as process:
        try:
            assert process.stdout.readline() == "forked\n"
            refused(path)
            if ends == "child first":
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "alone\n"
                assert os.listdir(path.parent) == [".run.npz.lock"]
                refused(path)
        finally:
            process.kill()
            process.wait()
        assert_same(run(path), run())  # although, "parent first", its child is still there
        assert os.listdir(path.parent) == ["run.npz"]
        os.close(waiting), os.close(go)


@pytest.mark.slow
def test_of_two_runs_that_start_together_one_is_refused(path):
    rng = np.random.default_rng(0)
    program = (
        "import sys, time; from stub_runs import run\n"
        "sys.stdin.readline(); time.sleep(float(sys.argv[2]))\n"
        "try: print(run(sys.argv[1], epochs=60, rng=int(sys.argv[3]))[0].params.tobytes().hex())\n"
        "except ValueError as problem: print(problem)"
    )
    straight = [run(epochs=60, rng=seed)[0].params.tobytes().hex() for seed in (3, 4)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    for attempt in range(10):
        file = path.with_name(f"{attempt}.npz")
        delays = rng.uniform(0, 0.02, 2)
        both = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(file), str(delay), str(seed)], cwd=HERE, **pipes
            )
            for delay, seed in zip(delays, (3, 4), strict=True)
        ]
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        found = [process.communicate()[0].strip() for process in both]
        right = [a == b for a, b in zip(found, straight, strict=True)]
        said = ["another fit is writing" in a for a in found]
        # one may have ended before the other began: then that one met its file
        said = [a or "differs in rng" in b for a, b in zip(said, found, strict=True)]
        assert sorted(right) == [False, True] and said == right[::-1], found
    assert not list(path.parent.glob(".*"))
