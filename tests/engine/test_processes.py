"""Pools of workers: the same numbers; errors come back."""

import os
import re
import subprocess
import sys

import pytest
from support.places import TESTS


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "loky", "threading"])
def test_workers_have_the_same_numbers_and_their_errors_come_back(kind, tmp_path):
    """In a process of its own, with as many BLAS threads as there are."""
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "support.processes", tmp_path, kind]
    done = subprocess.run(command, cwd=TESTS, env=env, capture_output=True, text=True, timeout=200)
    lokys = r".*resource_tracker.*\n(  warnings.warn.*\n)?"  # its own process
    printed = re.sub(lokys, "", done.stdout + done.stderr)
    assert done.returncode == 0 and not printed, printed
