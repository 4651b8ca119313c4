"""How many threads are worth having: affinity, quota, environment, argument."""

import os
import subprocess
import sys

import pytest

from flowcore.core import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity")
def test_a_pinned_process_has_one_core():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from flowcore.core import n_threads; print(n_threads())"
    )
    env = {name: v for name, v in os.environ.items() if name != cores.ENVIRONMENT}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert found.stdout.strip() == "1", found.stderr


def test_the_quota_is_read_once(monkeypatch):
    """joblib reads it from files, which takes as long as a small call."""
    calls = []
    monkeypatch.setattr("joblib.cpu_count", lambda: calls.append(1) or 3)
    cores._n_cores.cache_clear()
    try:
        assert cores.n_cores() == cores.n_cores() == 3
        assert len(calls) == 1
    finally:
        cores._n_cores.cache_clear()
