"""One BLAS thread per test process: pytest-xdist already keeps every core busy."""

import gc
import importlib
import os
import signal

import numpy as np
import pytest
from hypothesis import settings
from support.budget import Budget
from support.places import ROOT
from support.rough import rough_plans

# What hypothesis draws: few examples; .ci/run runs these tests once more, with many.
settings.register_profile("few", max_examples=40, deadline=None)
settings.register_profile("many", max_examples=150, deadline=None)
settings.load_profile(os.environ.get("FLOWCORE_EXAMPLES", "few"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A module's generator starts anew before each test, so that their order does not matter."""
    module = getattr(item, "module", None)  # a doctest has none
    for name in ("rng", "RNG"):
        if isinstance(getattr(module, name, None), np.random.Generator):
            setattr(module, name, np.random.default_rng(0))


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@pytest.fixture(scope="module")
def few_folds():
    """Rough plans for a whole module, which does not ask how good they are: by its `pytestmark`."""
    with rough_plans():
        yield


@pytest.fixture
def few_folds_here():
    """Rough plans for one test."""
    with rough_plans():
        yield


@pytest.fixture
def few_epochs(monkeypatch):
    """Where nobody gives a number of them."""
    monkeypatch.setattr("flowcore.training.defaults.MOST_EPOCHS", 8)
    monkeypatch.setattr("flowcore.training.defaults.LEAST_EPOCHS", 8)


@pytest.fixture
def recorded(request):
    """`recorded({"log_prob": ...})` compares with the answers that were recorded."""
    from support import recorded as records  # it needs pandas, as some environments do not

    return records.recorder(request)


@pytest.fixture
def interrupts():
    """SIGINT raises KeyboardInterrupt, here and in processes that start here: it may be ignored, as
    under nohup."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def pytest_addoption(parser):
    parser.addoption("--budget", action="store_true", help="fail where tests take too long")


def pytest_configure(config):
    if config.getoption("--budget"):
        config.pluginmanager.register(Budget())


@pytest.fixture
def builder(monkeypatch):
    """`builder("pages")` is that module of docs/builder."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return lambda name: importlib.import_module(f"builder.{name}")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Thousands of tests stay to the end: the garbage collector need not go through them, nor
    through what is left as often as by default."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)


# scripts that are run by hand, and what a test runs
collect_ignore_glob = ["data/*", "tools/*", "engine/typed_use.py"]
