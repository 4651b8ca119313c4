"""Every script in examples/ runs, with warnings as errors."""

import runpy
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from support.places import ROOT

EXAMPLES = ROOT / "examples"
HOW_TO = sorted((EXAMPLES / "how_to").glob("*.py"))
LESSONS = sorted((EXAMPLES / "course").glob("*.py"))


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script as a command would; returns what it prints."""

    def run(script, *options):
        monkeypatch.setattr(sys, "argv", [str(script), *options])
        runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out.strip()

    yield run
    plt.close("all")


def cases(scripts, slow):
    """Those that take several seconds are slow; the build of the site runs them all."""
    marks = {path: [pytest.mark.slow] * (path.stem in slow) for path in scripts}
    return [pytest.param(path, marks=marks[path], id=path.stem) for path in scripts]


QUICK = {"table", "conditional", "training_loop"}  # one an entrance; the site's build runs all


@pytest.mark.usefixtures("few_folds_here", "few_epochs")
@pytest.mark.parametrize("script", cases(HOW_TO, slow={path.stem for path in HOW_TO} - QUICK))
def test_example_runs(script, run):
    assert run(script, "--quick")


@pytest.mark.slow
@pytest.mark.parametrize("script", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(script, run, builder):
    """Where the site is built, as in CI, its build does the same, warnings as errors."""
    printed = run(script)
    assert printed and not builder("copied").copied(script.read_text("utf-8"), printed)


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
