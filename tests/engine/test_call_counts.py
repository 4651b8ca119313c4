"""How much of flowcore a reader, and Python, pass on the way of one call: guards, not timings.

The calls of functions in flowcore's files are counted, as `sys.setprofile` reports them, in a
second call: the first one binds.
"""

import gc
import sys
from collections import Counter
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad

import flowcore as fc
from flowcore.testing import randomize

HOME = Path(fc.__file__).parent


def calls_of(run) -> Counter:
    """{(file, function): how often it was called} of flowcore while run() runs."""
    calls = Counter()

    def profile(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(HOME):
                calls[str(path.relative_to(HOME)), frame.f_code.co_name] += 1

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # what others left behind is not counted
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(before)
        gc.enable()
    return calls


@pytest.fixture(params=["bare", "with a Standardize"])
def maf(request, x):
    bare = request.param == "bare"
    flow = fc.flows.maf(2, layers=2, hidden=[16, 16], standardize=not bare)
    return randomize(flow.initialize(x), 0.3)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(50, 2))


def test_log_prob_passes_few_files_and_calls(maf, x):
    maf.log_prob(x)
    calls = calls_of(lambda: maf.log_prob(x))
    assert 10 < calls.total() <= 45, calls
    assert len({file for file, _ in calls}) <= 9


def test_a_gradient_passes_few_calls(maf, x):
    gradient = value_and_grad(lambda theta: -anp.mean(maf.log_prob(x, params=theta)))
    gradient(maf.params)
    calls = calls_of(lambda: gradient(maf.params))
    assert 20 < calls.total() <= 65, calls


@pytest.mark.parametrize("standardize, most", [(False, 40), (True, 42)])
def test_a_step_of_fit_passes_few_calls(x, standardize, most):
    flow = fc.flows.maf(2, layers=1, hidden=[16, 16], standardize=standardize)

    def fit(epochs):
        textbook = {"batch_size": None, "schedule": "constant", "average": None}
        fc.fit(flow, x, epochs=epochs, validation_split=0, rng=0, **textbook)

    fit(2)
    two, three = calls_of(lambda: fit(2)), calls_of(lambda: fit(3))
    step = three - two  # all rows at once: an epoch is one step, what it writes down included
    assert 20 < step.total() <= most, step


def test_what_is_bound_is_bound_once(maf, x):
    """What depends on the number of rows alone is not done again."""
    maf.log_prob(x)
    calls = calls_of(lambda: [maf.log_prob(x) for _ in range(3)])
    assert not [name for _, name in calls if "bind" in name]
    assert any(name == "bind" for _, name in calls_of(lambda: maf.log_prob(x[:49])))


def test_fit_binds_once_for_every_size_of_batch(x):
    flow = fc.flows.maf(2, layers=1, hidden=[16, 16])

    def bound(epochs):
        calls = calls_of(
            lambda: fc.fit(flow, x, epochs=epochs, batch_size=20, validation_split=0, rng=0)
        )
        return sum(n for (_, name), n in calls.items() if name == "bind")

    assert bound(1) == bound(5) > 0
