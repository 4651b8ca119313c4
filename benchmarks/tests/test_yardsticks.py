"""The steps written by hand are those of a flow; a busy machine, on made-up numbers."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.studies import busy, cores
from benchmarks.studies.contestants import CONTESTANTS, YARDSTICKS
from benchmarks.studies.contestants.straight_line import StraightLine
from benchmarks.studies.worker import n_weights
from benchmarks.support.cases import CASES, Case

SMALL = Case("small", 5, 3, (12, 9, 15), 20)


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("panels", [1, 2, 4])
def test_the_straight_line_has_the_gradient_of_its_nll(dim, panels):
    line = StraightLine(Case("", dim, 3, (12, 9, 15), 20), "float64", 1e-3, panels)
    x = SMALL.data()[:, :dim].T.copy()
    line.value_and_gradient(x)
    gradient, theta = line.theta_bar.copy(), line.theta.copy()
    along, step, values = np.random.default_rng(0).standard_normal(theta.size), 1e-6, []
    for sign in (1, -1):
        line.theta[:] = theta + sign * step * along
        values.append(line.value_and_gradient(x))
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(along @ gradient, rel=1e-6)
    assert np.abs(gradient).max() > 1e-3


ONE = Case("one layer", 4, 1, (6,), 30)


def weights_and_nll():
    """[(w, b) of each layer, mu before s], and the mean NLL less the normal density's constant."""
    flow = ONE.flow(noise=0.3)
    (made,) = (leaf for leaf in flow.leaves if hasattr(leaf, "weights"))
    (first, last) = ((w, b) for w, b, _ in made.weights())
    apart = np.r_[0:8:2, 1:8:2]  # flowcore has mu and s of a coordinate side by side
    last = last[0][:, apart], last[1][apart]
    nll = -flow.log_prob(ONE.data()).mean() - 0.5 * ONE.dim * np.log(2 * np.pi)
    return [first, last], nll


def test_the_straight_line_is_the_density_of_a_flow():
    line, (weights, nll) = StraightLine(ONE, "float64", 1e-3), weights_and_nll()
    for place, (w, b) in zip(line.layers[0].weights, weights, strict=True):
        place[...] = np.column_stack([b, w.T])
    assert line.value_and_gradient(ONE.data().T.copy()) == pytest.approx(nll, rel=1e-10)


def test_the_hand_jitted_step_is_the_density_of_a_flow():
    pytest.importorskip("jax")
    made, (weights, nll) = CONTESTANTS["hand-jitted"](ONE, dtype="float64"), weights_and_nll()
    # what its masks forbid is filled with ones
    filled = [(np.where(np.asarray(mask), w, 1.0), b)
              for mask, (w, b) in zip(made.masks, weights, strict=True)]  # fmt: skip
    assert any((w == 1).any() for w, _ in filled)
    assert float(made.nll([filled], made.rows)) == pytest.approx(nll, rel=1e-10)


def test_training_the_straight_line_lowers_its_nll():
    line = StraightLine(SMALL, "float32", 1e-2, 2)
    x = np.ascontiguousarray(SMALL.data(dtype=np.float32).T) * 2
    values = [line.step(x) for _ in range(100)]
    assert values[-1] < values[0] - 0.1


@pytest.mark.parametrize("name", YARDSTICKS)
def test_a_yardstick_is_a_step_with_as_many_weights_as_all(name):
    if name == "hand-jitted" and find_spec("jax") is None:
        pytest.skip("jax is not installed")
    made = CONTESTANTS[name](SMALL)
    assert made.works == ("step",) and made.n_weights == n_weights(SMALL)
    seconds, value = made.timed("step", 3)
    assert seconds > 0 and value.shape == () and np.isfinite(value)
    assert len(made.each_step(4, at_once=2)) == 4
    assert not CONTESTANTS[name].can_build(CASES["F"], "nsf")


def test_steps_of_flowcore_are_those_of_fit():
    made = CONTESTANTS["flowcore"](SMALL, rate=1e-2, seed=0)
    seconds, value = made.timed("step", 20)
    assert seconds > 0 and value < -made.log_prob(made.rows).mean()  # twenty steps further
    assert len(made.each_step(5, at_once=3)) == 5


# ---- cores


def test_a_child_stays_on_the_cores_that_it_was_given():
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinities")
    before = os.sched_getaffinity(0)
    ask = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    one = cores.last(1)
    with cores.pinned(one):
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True,
                              env=cores.environment_for(one))  # fmt: skip
    assert done.stdout.strip() == f"{one} 1"
    assert os.sched_getaffinity(0) == before
    assert cores.environment_for(None) == dict(os.environ)
    with cores.pinned(None):
        assert os.sched_getaffinity(0) == before


# ---- a busy machine


def test_neighbours_spin_and_are_gone_afterwards():
    with busy.neighbours(2) as running:
        assert [process.poll() for process in running] == [None, None]
    assert all(process.poll() is not None for process in running)


def test_steps_are_compared_with_those_on_one_core():
    steps = np.r_[np.full(90, 2.0), np.full(10, 8.0)]
    (ours,) = busy.summary({"flowcore": steps}, {"flowcore": 1.0})
    assert (ours["median"], ours["p99"], ours["per_one_core"]) == (2, 8, 2)
