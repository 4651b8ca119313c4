"""The state of a run as data: numbers for JSON and arrays; and the way back, which trusts nothing.

A file may be whole and still not be what `export` writes: so `check` looks at every fact, against
the run that is to go on and against the others, before `restore` changes anything.
"""

from __future__ import annotations

import math

import numpy as np

from ..loop import Kept, Run
from ..optim import Average
from ..table import Table
from .plain import plain, unplain

_FACTS = ("epochs", "epoch", "batch", "total", "weight", "reported", "stopped")
_KEPT = ("best", "latest", "earlier")


def export(run: Run) -> tuple[dict, dict[str, np.ndarray]]:
    """(numbers for JSON, arrays): the whole state of a run."""
    kept = {name: getattr(run, name) for name in _KEPT}
    facts = {name: getattr(run, name) for name in _FACTS}
    facts["rng_state"] = plain(run.rng_state)
    facts["kept"] = {name: k.epoch for name, k in kept.items()}
    facts["averaged"] = 0 if run.average is None else run.average.updates
    arrays = {"theta": run.theta, **{f"{name}.theta": k.theta for name, k in kept.items()}}
    arrays |= {f"optimizer.{name}": array for name, array in run.state.arrays().items()}
    if run.average is not None:
        arrays["average"] = run.average.values
    arrays["initial"] = np.array(() if run.initial is None else run.initial, np.float64)
    arrays["first_nll"] = np.array([] if run.first_nll is None else [run.first_nll])
    arrays["train_nll"] = np.array(run.history.train_nll, np.float64)
    arrays["val_nll"] = np.array(run.history.val_nll, np.float64)
    return facts, arrays


def can_go_on(run: Run) -> bool:
    """False after an update that overflowed: the next loss ends the run, there is no way on."""
    vectors = run.theta, run.result, *(getattr(run, name).theta for name in _KEPT)
    return all(np.isfinite(vector).all() for vector in vectors)


def restore(run: Run, facts: dict, arrays: dict[str, np.ndarray]) -> None:
    """Make `run` the one that `export` described; its generator becomes what it was, too.

    Errors: ValueError if the optimiser cannot start from its arrays; then nothing has changed.
    """
    run.state = run.optimizer.start(run.theta, _own(arrays, "optimizer."))
    epochs = run.epochs
    for name in _FACTS:
        setattr(run, name, facts[name])
    run.stopped = run.stopped and epochs <= run.epochs  # more epochs: go on all the same
    run.epochs = epochs
    run.theta[:] = arrays["theta"]
    if run.average is not None:
        restored = arrays["average"], facts["averaged"]
        run.average = Average(run.average.decay, run.theta, *restored)
    run.initial = tuple(arrays["initial"].tolist()) or None
    run.first_nll = next(iter(arrays["first_nll"].tolist()), None)
    for name in ("train_nll", "val_nll"):
        setattr(run.history, name, arrays[name].tolist())
    for name, epoch in facts["kept"].items():
        nll = run.history.val_nll[epoch] if name == "best" and epoch >= 0 else math.inf
        setattr(run, name, Kept(epoch, nll, arrays[f"{name}.theta"]))
    run.rng_state = unplain(facts["rng_state"], run.rng.bit_generator.state)
    run.rng.bit_generator.state = run.rng_state


def _own(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


# ---------------------------------------------------------------- what can be a state


def check(run: Run, table: Table, facts, arrays: dict[str, np.ndarray]) -> None:
    """A ValueError that names what cannot be: in a state of `run`, which trains on `table`.

    (What the arrays of the optimiser may be is the optimiser's to say.)
    """
    _expect(isinstance(facts, dict), "run", facts, "an object")
    epochs = _integer(facts, "epochs", 1, 2**63)
    epoch = _integer(facts, "epoch", 0, epochs)
    batch = _integer(facts, "batch", 0, table.batches_per_epoch if epoch < epochs else 0)
    _check_totals(facts, batch)
    for name in ("reported", "stopped"):
        _expect(type(facts.get(name)) is bool, name, facts.get(name), "true or false")
    told = facts["reported"] or (epoch > 0 and batch == 0)
    _expect(told, "reported", False, "true before the first epoch and within every other")

    validated = table.validation is not None
    train_nll = _losses(arrays, "train_nll", epoch)
    val_nll = _losses(arrays, "val_nll", epoch * validated)
    _expect(not np.isnan(train_nll).any(), "train_nll", train_nll, "numbers")
    unknown = epoch + batch == 0 and not arrays.get("initial", np.empty(2)).size
    initial = _losses(arrays, "initial", 2 * (validated and not unknown))
    _expect(not (initial[1:] < 0).any(), "initial", initial, "an NLL and its error")
    first_nll = _losses(arrays, "first_nll", int(epoch + batch > 0))
    _expect(np.isfinite(first_nll).all(), "first_nll", first_nll, "finite")
    _check_kept(facts, epoch, batch, val_nll)

    updates = 0 if run.average is None else epoch * table.batches_per_epoch + batch
    _integer(facts, "averaged", updates, updates)
    averages = () if run.average is None else ("average",)
    for name in ("theta", *(f"{name}.theta" for name in _KEPT), *averages):
        finite = np.isfinite(_array(arrays, name, run.theta)).all()
        _expect(finite, name, arrays[name], "finite")
    unplain(facts.get("rng_state"), run.rng.bit_generator.state)


def _check_totals(facts: dict, batch: int) -> None:
    total, weight = _number(facts, "total"), _number(facts, "weight")
    if batch == 0:
        _expect(total == 0 == weight, "total", total, "0 with weight 0, before an epoch's start")
    else:
        _expect(not math.isnan(total), "total", total, "a sum of losses")
        _expect(0 < weight < math.inf, "weight", weight, "a sum of positive weights")


def _check_kept(facts: dict, epoch: int, batch: int, val_nll: np.ndarray) -> None:
    """The epochs whose parameters are kept, -1 for the initial ones."""
    kept = facts.get("kept")
    ours = isinstance(kept, dict) and kept.keys() == set(_KEPT)
    _expect(ours, "kept", kept, f"an object with {', '.join(_KEPT)}")
    best = _integer(kept, "best", -1, len(val_nll) - 1)
    _expect(best < 0 or math.isfinite(val_nll[best]), "best", best, "of a finite validation NLL")
    earliest = epoch - 1 if batch else epoch - 2  # the next epoch may have begun, or not
    latest = _integer(kept, "latest", max(-1, earliest), max(-1, epoch - 1))
    _integer(kept, "earlier", max(-1, latest - 1), max(-1, latest - 1))


def _integer(facts: dict, name: str, low: int, high: int) -> int:
    value = facts.get(name)
    _expect(type(value) is int and low <= value <= high, name, value, f"in {low}..{high}")
    return value


def _number(facts: dict, name: str) -> float:
    value = facts.get(name)
    _expect(type(value) is float, name, value, "a number")
    return value


def _losses(arrays: dict[str, np.ndarray], name: str, length: int) -> np.ndarray:
    return _array(arrays, name, np.empty(length))


def _array(arrays: dict[str, np.ndarray], name: str, like: np.ndarray) -> np.ndarray:
    """The array of this name, of that shape and dtype."""
    if name not in arrays:
        raise ValueError(f"there is no array {name}")
    array = arrays[name]
    if (array.shape, array.dtype) != (like.shape, like.dtype):
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, not {like.shape} and "
            f"{like.dtype}"
        )
    return array


def _expect(true: bool, name: str, value, expected: str) -> None:
    if not true:
        raise ValueError(f"{name} is {value!r:.60}, not {expected}")
