"""How many threads are worth having: affinity, quota, environment, argument."""

import os
import subprocess
import sys

import pytest

from flowcore.core import cores


def n_threads_after(code: str, **environment: str) -> str:
    """What a fresh process prints as its default number of threads."""
    code += "\nfrom flowcore.core import n_threads; print(n_threads())"
    env = {name: v for name, v in os.environ.items() if name != cores.ENVIRONMENT} | environment
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    return found.stdout.strip() or found.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity")
def test_a_pinned_process_has_one_core():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert n_threads_after(code) == "1"


def test_cores_are_those_that_joblib_counts():
    assert n_threads_after("", LOKY_MAX_CPU_COUNT="1") == "1"
    assert n_threads_after("import joblib; joblib.cpu_count = lambda: 5") == "5"  # as by a quota


def test_a_browser_has_no_threads(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    cores.n_cores.cache_clear()
    try:
        assert cores.n_cores() == 1
    finally:
        cores.n_cores.cache_clear()
