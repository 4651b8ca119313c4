"""The state of a run as data, numbers for JSON and arrays; and back, trusting nothing.

A file may be undamaged and still not come from `export`. So `check` compares every number and
array with the run that is to continue, before `restore` changes anything.
"""

from __future__ import annotations

import math
import time

import numpy as np

from ...files import expect
from ..optim import Average
from ..run import Kept, Run

_NUMBERS = ("epochs", "epoch", "batch", "reported", "stopped", "rng_state")
_VECTORS = ("theta", "best", "latest", "earlier", "average")
# NumPy checks no state that it gets. These are indices into buffers: it reads beyond them.
_LARGEST = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def export(run: Run) -> tuple[dict, dict[str, np.ndarray]]:
    """(numbers for JSON, arrays): the whole state of a run. NaN is a number not yet known."""
    numbers = {name: getattr(run, name) for name in _NUMBERS}
    numbers["seconds"] = run.seconds + time.perf_counter() - run.started
    latest, earlier = run.latest.theta, run.earlier.theta
    if run.latest.epoch < run.epoch - 1:  # the next epoch has not begun: written as if it had
        latest, earlier = run.result, latest
    arrays = {"theta": run.theta, "best": run.best.theta, "latest": latest, "earlier": earlier}
    if run.average is not None:
        arrays["average"] = run.average.values
    floats = {
        "total": run.total,
        "weight": run.weight,
        "first_nll": math.nan if run.first_nll is None else run.first_nll,
        "initial": (math.nan, math.nan) if run.initial is None else run.initial,
        "train_nll": run.history.train_nll,
        "val_nll": run.history.val_nll,
    }
    arrays |= {name: np.array(value, np.float64) for name, value in floats.items()}
    arrays |= {f"optimizer.{name}": np.asarray(a) for name, a in run.state.arrays().items()}
    return numbers, arrays


def can_go_on(run: Run) -> bool:
    """False after an update that overflowed: the next loss ends the run."""
    kept = [run.best.theta, run.latest.theta, run.earlier.theta]
    return all(np.isfinite(vector).all() for vector in (run.theta, run.result, *kept))


def check(run: Run, numbers, arrays: dict[str, np.ndarray]) -> None:
    """A ValueError for data that cannot be a state of `run`, which is new.

    (The optimiser checks its own arrays.)
    """
    fresh, like = export(run)
    numbers = _checked(numbers, fresh, "run")
    epochs, epoch, batch = (numbers[name] for name in ("epochs", "epoch", "batch"))
    expect(0 < epochs < 2**63, "epochs is {}", epochs)
    expect(epoch <= epochs, f"epoch is {{}}, not in 0..{epochs}", epoch)
    most = run.loss.n_batches if epoch < epochs else 0
    expect(batch <= most, f"batch is {{}}, not in 0..{most}", batch)
    at_an_end = epoch > 0 and batch == 0
    expect(numbers["reported"] or at_an_end, "reported is false before the end of an epoch")

    like["train_nll"] = np.empty(epoch)
    like["val_nll"] = np.empty(epoch if run.loss.validated else 0)
    for name, array in like.items():
        if name.startswith("optimizer."):
            continue
        expect(name in arrays, f"there is no array {name}")
        found = arrays[name]
        same = (found.shape, found.dtype) == (array.shape, array.dtype)
        expect(same, f"{name} is {{}}, not of {array.shape} and {array.dtype}", found)
        expect(name not in _VECTORS or np.isfinite(found).all(), f"{name} is not finite")
    first, weight = arrays["first_nll"].item(), arrays["weight"].item()
    expect(math.isfinite(first) or epoch == batch == 0, "first_nll is {}", first)
    possible = 0 < weight < math.inf if batch else weight == 0
    expect(possible, f"weight is {{}} after {batch} batches", weight)


def restore(run: Run, numbers: dict, arrays: dict[str, np.ndarray]) -> None:
    """Give a new `run` the state that `export` described and `check` accepted.

    Errors: ValueError if the optimiser cannot start from its arrays; then nothing has changed.
    """
    own = {n.removeprefix("optimizer."): a for n, a in arrays.items() if n.startswith("optimizer.")}
    run.state = run.optimizer.start(run.theta, own)
    run.theta[:] = arrays["theta"]
    for name in ("epoch", "batch", "reported", "seconds"):
        setattr(run, name, numbers[name])
    run.stopped = numbers["stopped"] and run.epochs <= numbers["epochs"]  # else go on
    if run.average is not None:
        updates = run.epoch * run.loss.n_batches + run.batch
        run.average = Average(run.average.decay, run.theta, arrays["average"], updates)
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
    run.rng_state = _checked(numbers["rng_state"], run.rng_state, "rng_state")
    run.rng.bit_generator.state = run.rng_state


def check_optimizer(run: Run) -> None:
    """A TypeError if the state of the optimiser cannot be written: now, not after an hour."""
    arrays = run.state.arrays() if hasattr(run.state, "arrays") else None
    if arrays is None or any(np.asarray(a).dtype.kind not in "biufc" for a in arrays.values()):
        raise TypeError(
            f"checkpoint= needs an optimizer whose state has a method arrays() that returns a dict "
            f"of arrays of numbers, see OptimizerState: that of {run.optimizer!r} returns "
            f"{arrays!r:.200}"
        )


def _checked(value, like, name: str):
    """A value from JSON, as of the same kind as `like`: also the state of a bit generator.

    Errors: ValueError for any other kind, and for numbers that are negative or too large.
    """
    if isinstance(like, dict):
        same = isinstance(value, dict) and value.keys() == like.keys()
        expect(same, f"{name} is {{}}, not an object with {', '.join(like)}", value)
        return {key: _checked(value[key], item, f"{name}.{key}") for key, item in like.items()}
    if isinstance(like, np.ndarray):
        same = isinstance(value, list) and like.shape == (len(value),)
        expect(same, f"{name} is {{}}, not {like.size} integers", value)
        return np.array([_checked(n, like[0], name) for n in value], like.dtype)
    if isinstance(like, (bool, float)):
        good = type(value) is type(like) and 0 <= value < math.inf
        expect(good, f"{name} is {{}}, not a {type(like).__name__}", value)
    elif isinstance(like, (int, np.integer)):
        most = 2**128 - 1 if isinstance(like, int) else np.iinfo(like.dtype).max
        most = min(most, _LARGEST.get(name.rpartition(".")[2], most))
        good = type(value) is int and 0 <= value <= most
        expect(good, f"{name} is {{}}, not an integer in 0..{most}", value)
    else:
        expect(value == like, f"{name} is {{}}, not {like!r}", value)  # the generator's name
    return value
