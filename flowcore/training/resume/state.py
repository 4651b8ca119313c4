"""The state of a run as data, numbers for JSON and arrays; and back."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np

from ..optim import Average
from ..run import Kept, Run

_NUMBERS = ("epochs", "epoch", "batch", "reported", "stopped", "skipped", "rng_state")


class State(NamedTuple):
    """The whole state of a run, apart from it: training goes on and changes nothing here.

    numbers   for JSON; arrays   by name. NaN is a number not yet known
    """

    numbers: dict
    arrays: dict[str, np.ndarray]


def export(run: Run) -> State:
    """The state of a run."""
    numbers = {name: getattr(run, name) for name in _NUMBERS}
    numbers["seconds"] = run.seconds + time.perf_counter() - run.started
    latest, earlier = run.latest.theta, run.earlier.theta
    if run.latest.epoch < run.epoch - 1:  # the next epoch has not begun: written as if it had
        latest, earlier = run.result, latest
    vectors = {"theta": run.theta, "best": run.best.theta, "latest": latest, "earlier": earlier}
    if run.average is not None:
        vectors["average"] = run.average.values
    floats = {
        "norms": run.norms,
        "total": run.total,
        "weight": run.weight,
        "first_nll": math.nan if run.first_nll is None else run.first_nll,
        "initial": (math.nan, math.nan) if run.initial is None else run.initial,
        "train_nll": run.history.train_nll,
        "val_nll": run.history.val_nll,
    }
    arrays = {name: vector.copy() for name, vector in vectors.items()}
    arrays |= {name: np.array(value, np.float64) for name, value in floats.items()}
    arrays |= {f"optimizer.{name}": np.array(a) for name, a in run.state.arrays().items()}
    return State(numbers, arrays)


def restore(run: Run, state: State) -> None:
    """Give a new `run` the state that `export` returned for an equal one."""
    numbers, arrays = state
    own = {n.removeprefix("optimizer."): a for n, a in arrays.items() if n.startswith("optimizer.")}
    run.state = run.optimizer.start(run.theta, own)
    run.theta[:] = arrays["theta"]
    for name in ("epoch", "batch", "reported", "seconds"):
        setattr(run, name, numbers[name])
    run.stopped = numbers["stopped"] and run.epochs <= numbers["epochs"]  # else go on
    run.skipped, run.norms = numbers["skipped"], arrays["norms"].tolist()
    if run.average is not None:
        updates = run.epoch * run.loss.n_batches + run.batch - run.skipped
        run.average = Average(run.average.decay, arrays["average"], updates)
    run.total, run.weight, first = (arrays[n].item() for n in ("total", "weight", "first_nll"))
    run.first_nll = None if math.isnan(first) else first
    run.initial = None if np.isnan(arrays["initial"]).any() else tuple(arrays["initial"].tolist())
    run.history.train_nll = arrays["train_nll"].tolist()
    run.history.val_nll = val_nll = arrays["val_nll"].tolist()
    finite = ((nll, epoch) for epoch, nll in enumerate(val_nll) if math.isfinite(nll))
    nll, epoch = min(finite, default=(math.inf, -1))
    run.best = Kept(epoch, nll, arrays["best"])
    run.latest = Kept(run.epoch - 1, math.inf, arrays["latest"])
    run.earlier = Kept(max(-1, run.epoch - 2), math.inf, arrays["earlier"])
    run.rng.bit_generator.state = numbers["rng_state"]
    run.rng_state = run.rng.bit_generator.state
