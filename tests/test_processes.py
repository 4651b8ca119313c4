"""Forks, pools, the end of the interpreter: the same numbers, and nobody waits for ever."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stub_processes import make_flows

STUB = Path(__file__).parent / "stub_processes.py"
FORKS = pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="elsewhere there is no fork, or the system's own libraries do not survive one",
)


def run(scenario, folder, *arguments, timeout=200):
    """A scenario of stub_processes.py, with as many BLAS threads as there are."""
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, STUB, scenario, folder, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
    printed = done.stdout + done.stderr
    printed = re.sub(
        r".*resource_tracker.*\n(  warnings.warn.*\n)?", "", printed
    )  # loky's own process
    assert done.returncode == 0 and not printed, printed


@pytest.fixture
def with_flows(tmp_path):
    """A folder with pickled flows: a process that reads them has not made any."""
    (tmp_path / "flows").write_bytes(pickle.dumps(make_flows()))
    return tmp_path


@FORKS
def test_children_forked_beside_threads_have_the_same_numbers(with_flows):
    run("fork", with_flows, 2, 4, "few")


@FORKS
@pytest.mark.slow
@pytest.mark.parametrize("n_fresh, n_forks", [(60, 5), (1, 300)])
def test_many_children_forked_beside_threads(with_flows, n_fresh, n_forks):
    run("fork", with_flows, n_fresh, n_forks, "many", timeout=600)


@FORKS
def test_a_child_forked_inside_of_a_block_goes_on(tmp_path):
    run("fork_inside", tmp_path)


@FORKS
def test_children_forked_while_threads_use_names_for_the_first_time(tmp_path):
    run("first_use", tmp_path, 3)


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "loky", "threading"])
def test_workers_have_the_same_numbers_and_their_errors_come_back(kind, tmp_path):
    run("workers", tmp_path, kind)


@pytest.mark.parametrize("scenario", ["at_exit", "first_call_at_exit"])
def test_at_exit_the_numbers_are_the_same(scenario, tmp_path):
    run(scenario, tmp_path)


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_a_process_ends_while_daemon_threads_compute(seconds, tmp_path):
    run("daemons", tmp_path, seconds)
