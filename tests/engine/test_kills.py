"""Processes that are killed, or interrupted, at random moments: nothing is lost, nothing is torn.

A few in every run of the suite, and very many in the slow tests.
"""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.places import TESTS
from support.runs import assert_same, run

import flowcore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

FEW = pytest.param(1, id="few")


def many(n):
    return pytest.param(n, marks=pytest.mark.slow, id="many")


def options(seed=0):
    """A run of about half a second."""
    flow = flowcore.flows.maf(2, layers=2, hidden=[8], rng=seed)
    return {"flow": flow, "epochs": 20, "batch_size": 10, "average": 0.9, "learning_rate": 0.003}


RUN = """
import os, signal, sys
import filelock  # an interrupt within an import is Python's: it may come out as a RuntimeError
os.fsync = lambda handle: None  # what a process has written outlives it, if not the computer
from support.runs import run
from engine.test_kills import options
print("ready", flush=True)
try:
    flow, history = run(sys.argv[1], **options(), checkpoint_every=float(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from here on, the result is only printed
except KeyboardInterrupt:
    print("interrupted outside of training")
else:
    print(flow.params.tobytes().hex(), history.train_nll, history.val_nll, history.interrupted)
"""


def described(flow, history):
    return f"{flow.params.tobytes().hex()} {history.train_nll} {history.val_nll} False\n"


# Python drops an interrupt that falls into a finalizer, filelock's or a plan's, and prints that.
IN_A_FINALIZER = (
    r"Exception ignored in: <function (BaseFileLock|Lease)\.__del__ .*\n"
    r"Traceback .*\n(  .*\n)+\n?KeyboardInterrupt: ?\n"
)


class Process:
    """A program of another process, which prints when its imports are done."""

    def __init__(self, program, *arguments):
        # a signal may come between a file and the block that closes it
        complain = ["-W", "error", "-W", "ignore::ResourceWarning"]
        command = [sys.executable, *complain, "-c", program, *map(str, arguments)]
        environment = {**os.environ, "PYTHONHASHSEED": str(time.monotonic_ns() % 1000)}
        self.process = subprocess.Popen(
            command,
            cwd=TESTS,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()[1]

    def send(self, kind, seconds):
        time.sleep(seconds)
        self.process.send_signal(kind)

    def ended(self):
        """What it printed."""
        with self.process as process:  # `communicate` would lose what came with the first line
            printed, complaints = process.stdout.read(), process.stderr.read()
        complaints = re.sub(IN_A_FINALIZER, "", complaints)
        assert not complaints, complaints
        return printed


@pytest.fixture(scope="module")
def straight():
    return run(**options())


@pytest.mark.parametrize("kills", [FEW, many(60)])
def test_killed_runs_go_on_bit_for_bit(tmp_path, kills, straight):
    rng = np.random.default_rng(kills)
    for k in range(kills):
        path, every = tmp_path / f"{k}.npz", rng.choice([0.0, 0.01, 0.1])
        for _ in range(rng.integers(1, 4) if kills > 1 else 1):
            process = Process(RUN, path, every)
            process.send(signal.SIGKILL, rng.uniform(0.0, 1.5 * straight[1].seconds))
            process.ended()
        assert Process(RUN, path, every).ended() == described(*straight)
        left = {file.name for file in tmp_path.glob(f".{k}.npz*")}
        assert not [name for name in left if not name.endswith(".tmp")]  # those of the last hour


@pytest.mark.parametrize("interrupts", [FEW, many(100)])
def test_interrupted_runs_lose_nothing(tmp_path, interrupts, straight):
    rng, outcomes = np.random.default_rng(interrupts), []
    for k in range(interrupts):
        path, every = tmp_path / f"{k}.npz", rng.choice([0.0, 0.01, 60.0])
        process = Process(RUN, path, every)
        process.send(signal.SIGINT, rng.uniform(0.0, 1.5 * straight[1].seconds))
        printed = process.ended()
        within = printed.endswith("True\n")
        outcomes.append(within)
        if not within and not printed.startswith("interrupted"):
            assert printed == described(*straight)  # it was too late
        several = within and "," in printed.split(" [")[1]  # epochs: the first one is written
        if several and every == 0.0:  # on a fast machine, some epochs take no 10 ms
            assert path.exists()  # within an update nothing is written, what was there stays
        # where the path was being claimed, or given back, a lock file stays that blocks nobody
        assert set(os.listdir(tmp_path)) <= {f"{k}.npz", f".{k}.npz.lock"}
        assert_same(run(path, **options()), straight)
        assert os.listdir(tmp_path) == [f"{k}.npz"]
        path.unlink()
    assert sum(outcomes) > 0.1 * interrupts or interrupts < 10  # it has been tested


SAVE = """
import os, sys
os.fsync = lambda handle: None
import flowcore
from engine.test_kills import saved
flows = [saved(seed) for seed in (0, 1)]
print("ready", flush=True)
while True:
    for flow in flows:
        flowcore.save(flow, sys.argv[1])
"""


def saved(seed):
    return flowcore.flows.maf(4, layers=3, hidden=[64], rng=seed)


@pytest.mark.parametrize("kills", [FEW, many(100)])
def test_a_killed_save_leaves_the_old_file_or_the_new_one(tmp_path, kills):
    path, rng = tmp_path / "flow.npz", np.random.default_rng(kills)
    flowcore.save(saved(0), path)
    known = [saved(seed).params.tobytes() for seed in (0, 1)]
    for _ in range(kills):
        process = Process(SAVE, path)
        process.send(signal.SIGKILL, rng.uniform(0.0, 0.1))
        process.ended()
        assert flowcore.load(path).params.tobytes() in known
