"""Work arrays are shared and kept: no call sees what another one left, whenever it is made.

Without a tape, equal parts of a flow use the same arrays (the registry's "again-..." are flows of
such parts); plans are kept for later calls; a gradient that waits holds its plan.
"""

import gc
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from autograd import value_and_grad
from support.families import over
from support.registry import CASES, DENSITIES, PARTS, case, cotangents

from flowcore.testing import randomize


def equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def gradient_of(run, args, rng):
    """From a way back that nobody else uses."""
    back, found = run.vjp(args)
    return back(cotangents(found, rng))


def other_arguments(run):
    """As many rows and parameters, other numbers."""
    theta, *others = run.args
    return [1.1 * theta + 0.01, *(a[::-1].copy() for a in others)]


@over(CASES)
def test_no_call_sees_what_another_one_left(name, way):
    """Two gradients wait, interleaved, with calls with and without a tape in between; a way back is
    run again, with other cotangents, in any order."""
    run = case(name, way)
    other = other_arguments(run)
    for args in (run.args, other, run.args):
        equal(run(*args), run.vjp(args)[1])
    expected = {rng: gradient_of(run, run.args, rng) for rng in (1, 2)}
    expected_of_other = gradient_of(run, other, 1)
    back, found = run.vjp()
    other_back, other_found = run.vjp(other)
    for rng in (1, 2, 1):
        equal(back(cotangents(found, rng)), expected[rng])
        gradient_of(run, other, 4)
        run(*other)
    gradient_of(run, run.rows(slice(2)), 1)
    equal(other_back(cotangents(other_found, 1)), expected_of_other)
    equal(back(cotangents(found, 1)), expected[1])
    equal(other_back(cotangents(other_found, 1)), expected_of_other)


THREADS = ["flow", "flow-context", "flow-own-bijector", "flows.nsf", "flows.iaf", "flows.maf_mog"]


@pytest.mark.parametrize("name", THREADS)
def test_eight_threads_on_one_flow_give_the_serial_numbers(name):
    flow, rng = randomize(DENSITIES[name](), 0.5, rng=1), np.random.default_rng(0)
    theta = [flow.params + 0.01 * k for k in range(16)]
    x, context = rng.standard_normal((16, 9, flow.dim)), None
    if flow.context_dim:
        context = rng.standard_normal((9, flow.context_dim))

    def step(k):
        def loss(theta):
            return flow.log_prob(x[k], theta, context).mean()

        return flow.log_prob(x[k], context=context), *value_and_grad(loss)(theta[k])

    serial = [step(k) for k in range(16)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(step, [*range(16)] * 4))
    finally:
        sys.setswitchinterval(interval)
    for k, each in enumerate(found):
        equal(each, serial[k % 16])


@over([c for c in CASES if c[0] in PARTS])
def test_what_nobody_holds_is_freed_at_once(name, way):
    """Plans do not hold their part in a circle: with the collector off, it goes with its name."""
    run = case(name, way)
    gc.disable()
    try:
        run(*run.args)
        gradient_of(run, run.args, 1)
        seen = [weakref.ref(run.part), *map(weakref.ref, run.part.leaves)]
        del run
        assert [ref() for ref in seen] == [None] * len(seen)
    finally:
        gc.enable()
