"""Every script in examples/ runs, in a process of its own, with warnings as errors."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
HOW_TO = sorted((EXAMPLES / "how_to").glob("*.py"))
LESSONS = sorted((EXAMPLES / "course").glob("*.py"))


def run(script, *options):
    command = [sys.executable, "-W", "error", str(script), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("script", HOW_TO, ids=lambda path: path.stem)
def test_example_runs(script):
    run(script, "--quick")


@pytest.mark.slow
@pytest.mark.parametrize("script", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(script):
    """Where the site is built, as in CI, its build runs them, warnings as errors."""
    run(script)


def test_there_are_examples():
    assert len(HOW_TO) >= 7 and len(LESSONS) >= 1


def test_the_training_loop_has_the_numbers_of_fit():
    """The example's own loop and `fit`: every loss, and theta, to rounding."""
    path = next(path for path in HOW_TO if path.stem == "training_loop")
    found = runpy.run_path(str(path))
    np.testing.assert_allclose(found["losses"], found["history"].train_nll, rtol=1e-9)
    np.testing.assert_allclose(found["theta"], found["fitted"].params, atol=1e-8)
    np.testing.assert_allclose(found["shrunk"], found["fitted_shrunk"].params, atol=1e-8)
    assert found["losses"][-1] < found["losses"][0] - 0.3
