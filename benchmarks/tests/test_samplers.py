"""The samplers benchmark: its evidences by other means, its table, its adapters."""

import importlib.util
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.studies.environment import REQUIREMENTS, SAMPLERS
from benchmarks.studies.samplers import programs, run
from benchmarks.studies.samplers.targets import TARGETS, funnel, gaussian
from benchmarks.support.process import ROOT


@pytest.mark.parametrize("name", ["rosenbrock", "eggbox", "shells"])
def test_evidences_in_two_dimensions(name):
    """By uniform draws from the box."""
    target = TARGETS[name]()
    x = np.random.default_rng(0).uniform(target.low, target.high, (1_000_000, 2))
    likelihood = np.exp(target.log_l(x) - target.log_z)
    assert abs(likelihood.mean() - 1) < 5 * likelihood.std() / 1000 < 0.2


@pytest.mark.parametrize("target", [gaussian(3), funnel(3)], ids=["gaussian", "funnel"])
def test_evidences_in_three(target):
    """By importance from a wide t density; the prior is uniform on the box."""
    wide = stats.multivariate_t(np.zeros(3), 4 * np.eye(3), df=2)
    x = wide.rvs(300_000, random_state=0)
    inside = ((x > target.low) & (x < target.high)).all(axis=1)
    with np.errstate(all="ignore"):
        w = np.exp(target.log_l(x) - wide.logpdf(x)) * inside
    log_z = math.log(w.mean()) - 3 * math.log(target.high - target.low)
    assert abs(log_z - target.log_z) < 5 * w.std() / w.mean() / math.sqrt(len(x)) < 0.1


def test_the_summary():
    same = {"program": "p", "target": "t", "seed": 0, "exact": 1.0}
    rows = [
        same
        | {
            "flow": "its own",
            "log Z": 1.2,
            "error": 0.5,
            "calls": 100,
            "seconds": 10.0,
            "training": 8.0,
        },
        same
        | {
            "flow": "flowcore",
            "log Z": 0.9,
            "error": 0.1,
            "calls": 50,
            "seconds": 2.0,
            "training": 1.0,
        },
    ]
    (line,) = run.summary(rows)
    assert line["its own: off"] == "+0.200" and line["flowcore: off"] == "-0.100"
    assert (line["its own: +-"], line["flowcore: +-"]) == ("0.500", "0.100")
    assert (line["seconds, ratio"], line["training, ratio"]) == ("0.20", "0.12")
    (half,) = run.summary(rows[1:])
    assert half["seconds, ratio"] == "-" and half["flowcore: s"] == "2.0"


def test_the_clock_counts_one_method():
    class Worker:
        def work(self):
            sum(i * i for i in range(300_000))

    worker, clock = Worker(), programs.Clock()
    worker.work()
    clock.on(worker, "work")
    assert clock.seconds == 0
    worker.work()
    assert clock.seconds > 0


def test_names_and_requirements():
    assert set(run.PROGRAMS) == set(programs.PROGRAMS) == set(programs.IMPORTS)
    assert list(run.TARGETS) == list(TARGETS)
    text = (ROOT / "benchmarks" / "studies" / REQUIREMENTS[SAMPLERS.name]).read_text("utf-8")
    assert all(name in text for name in ("nessai", "pocomc", "aspire-inference", "sbi", "torch"))


@pytest.mark.slow
@pytest.mark.parametrize("program", run.PROGRAMS)
def test_a_program_runs_with_the_flow(program):
    """Where it is installed: in the environment of the benchmark."""
    if importlib.util.find_spec(program) is None:
        pytest.skip(f"{program} is not installed")
    row = run.one(program, "rosenbrock", False, 0, True)
    assert abs(row["log Z"] - row["exact"]) < 3 and row["flow"] == "flowcore"
    assert 0 < row["training"] < row["seconds"]
