"""One run at a time has the path of a checkpoint."""

import os
import signal
import subprocess
import sys

import pytest
from support.places import TESTS
from support.runs import assert_same, interrupt_at, run

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and signals of POSIX")


# A run that prints when it has begun to train, and trains on when it reads a line.
PROGRAM = """
import sys
from support.runs import run
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
        self.process = subprocess.Popen(command, cwd=TESTS, **pipes)

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


@posix
def test_what_a_killed_process_left_blocks_nobody(path):
    with Other(path, every=0.0) as other:
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
    assert sorted(os.listdir(path.parent)) == [".run.npz.lock", "run.npz"]
    assert_same(run(path), run())
    assert os.listdir(path.parent) == ["run.npz"]


def test_an_error_gives_the_path_back(path):
    run(path, rng=4, epochs=1)
    with pytest.raises(ValueError, match="differs in rng"):
        run(path)  # refused after it was claimed
    path.unlink()
    with pytest.raises(FloatingPointError):
        run(path, interrupt_at(1, FloatingPointError))
    assert_same(run(path), run())
    assert os.listdir(path.parent) == ["run.npz"]
