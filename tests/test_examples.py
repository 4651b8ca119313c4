"""Every script in examples/ runs, in a process of its own, with warnings as errors."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(script):
    run = [sys.executable, "-W", "error", str(script), "--quick"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_examples():
    assert len(EXAMPLES) >= 11


def test_the_training_loop_has_the_numbers_of_fit():
    """The example's own loop and `fit`: every loss, and theta, to rounding."""
    path = next(path for path in EXAMPLES if path.stem == "training_loop")
    found = runpy.run_path(str(path))
    np.testing.assert_allclose(found["losses"], found["history"].train_nll, rtol=1e-9)
    np.testing.assert_allclose(found["theta"], found["fitted"].params, atol=1e-8)
    np.testing.assert_allclose(found["shrunk"], found["fitted_shrunk"].params, atol=1e-8)
    assert found["losses"][-1] < found["losses"][0] - 0.3
