"""Processes that are killed at random moments: nothing is lost, nothing is torn.

A few in every run of the suite, and very many in the slow tests.
"""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.places import TESTS
from support.runs import run

import flowcore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def few_and(many):
    slow = pytest.param(many, marks=pytest.mark.slow, id="many")
    return pytest.mark.parametrize("kills", [pytest.param(1, id="few"), slow])


def options(seed=0):
    """A run of some tenths of a second."""
    flow = flowcore.flows.maf(2, layers=2, hidden=[8], rng=seed)
    return {"flow": flow, "epochs": 20, "batch_size": 10, "average": 0.9, "learning_rate": 0.003}


RUN = """
import os, sys
os.fsync = lambda handle: None  # what a process has written outlives it, if not the computer
from support.runs import run
from engine.test_kills import options
print("ready", flush=True)
flow, history = run(sys.argv[1], **options(), checkpoint_every=float(sys.argv[2]))
print(flow.params.tobytes().hex(), history.train_nll, history.val_nll)
"""


def started(program, *arguments):
    """A process that has printed that its imports are done."""
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def killed(process, seconds):
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@few_and(8)
def test_killed_runs_go_on_bit_for_bit(tmp_path, kills):
    rng, (flow, history) = np.random.default_rng(kills), run(**options())
    straight = f"{flow.params.tobytes().hex()} {history.train_nll} {history.val_nll}\n"
    for k in range(kills):
        path, every = tmp_path / f"{k}.npz", rng.choice([0.0, 0.01, 0.1])
        for _ in range(rng.integers(1, 4) if kills > 1 else 1):
            killed(started(RUN, path, every), rng.uniform(0.0, 1.5 * history.seconds))
        assert started(RUN, path, every).communicate()[0] == straight
        left = {file.name for file in tmp_path.glob(f".{k}.npz*")}
        assert not [name for name in left if not name.endswith(".tmp")]  # those of the last hour


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


@few_and(10)
def test_a_killed_save_leaves_the_old_file_or_the_new_one(tmp_path, kills):
    path, rng = tmp_path / "flow.npz", np.random.default_rng(kills)
    flowcore.save(saved(0), path)
    known = [saved(seed).params.tobytes() for seed in (0, 1)]
    for _ in range(kills):
        killed(started(SAVE, path), rng.uniform(0.0, 0.1))
        assert flowcore.load(path).params.tobytes() in known
