"""The state of a run of `fit`, and the file from which a stopped run goes on.

A `Run` holds all that changes while `fit` trains. Everything else (the split, `initialize`) follows
from the arguments, and is simply done again. What one epoch draws from the random generator follows
from the generator's state at its start: so a state in the middle of an epoch is that state, the
number of batches done, and their running totals.

The file is a sealed .npz archive like those of `flowcore.save`: plain arrays and JSON, no pickle.
It belongs to one run: `fingerprint` says which, in words and hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import math
import os
import re
import sys
import time
import warnings
from dataclasses import fields, is_dataclass
from typing import NamedTuple

import numpy as np

from ._checks import BLOCK
from ._describe import Writer
from ._rows import Rows
from .history import History
from .io import (
    DESCRIPTION,
    _check_seal,
    _pack,
    _remove_unfinished,
    _unpack,
    _write_atomically,
)
from .optim import Average, Optimizer

FORMAT = 1
KIND = "checkpoint of fit"


class Kept(NamedTuple):
    """Parameters worth keeping: those after `epoch` (-1: before the first), and their val NLL."""

    epoch: int
    nll: float
    theta: np.ndarray


class Changing:
    """`with changing:` around steps that belong together; `torn` if one of them did not end."""

    torn = False

    def __enter__(self):
        self.torn = True

    def __exit__(self, kind, *problem):
        self.torn = kind is not None


class Run:
    """All that changes while `fit` trains. theta changes in place: nobody else sees it."""

    def __init__(
        self,
        theta: np.ndarray,
        optimizer: Optimizer,
        average: float | None,
        epochs: int,
        rng: np.random.Generator,
    ):
        self.theta, self.optimizer, self.epochs = theta, optimizer, epochs
        self.state = optimizer.start(theta)
        self.average = None if average is None else Average(average, theta)
        self.history = History()
        self.best = self.latest = self.earlier = Kept(-1, math.inf, theta.copy())
        self.epoch = self.batch = 0  # how many of them are done
        self.total = self.weight = 0.0  # of the losses in this epoch
        self.rng_state = rng.bit_generator.state  # at the start of this epoch
        self.reported = True  # the last epoch, to the callbacks
        self.stopped = False  # by a callback
        self.seconds = 0.0  # of earlier runs
        self.changing = Changing()

    @property
    def result(self) -> np.ndarray:
        """What is validated, kept and returned: theta, or its average."""
        return self.theta if self.average is None else self.average.values

    def goes_on(self, patience: int | None) -> bool:
        """Is there another epoch to do, or the rest of one?"""
        waited = self.epoch - 1 - self.best.epoch
        bored = patience is not None and waited >= patience
        return self.epoch < self.epochs and not self.stopped and not bored

    def after_report(self, stop: bool, rng: np.random.Generator) -> None:
        """The callbacks have seen the last epoch; they may have drawn numbers, or said stop."""
        with self.changing:
            self.stopped, self.reported = stop, True
            self.rng_state = rng.bit_generator.state

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Remember where the epoch starts, unless an earlier run did."""
        with self.changing:
            if self.latest.epoch != self.epoch - 1:
                now = Kept(self.epoch - 1, math.inf, self.result.copy())
                self.earlier, self.latest = self.latest, now
            self.rng_state = rng.bit_generator.state

    def step(self, gradient: np.ndarray, loss: float, weight: float) -> None:
        """One update of theta."""
        with self.changing:
            self.state.step(self.theta, gradient)
            if self.average is not None:
                self.average.update(self.theta)
            self.total += weight * loss
            self.weight += weight
            self.batch += 1

    def end_epoch(self, val_nll: float | None, rng: np.random.Generator) -> None:
        """Write the epoch into the history, and keep its parameters if they are the best."""
        with self.changing:
            best = self.best
            if val_nll is not None and math.isfinite(val_nll) and val_nll < best.nll:
                best = Kept(self.epoch, val_nll, self.result.copy())
            self.history._record(self.total / self.weight, val_nll)
            self.best, self.reported = best, False
            self.epoch, self.batch, self.total, self.weight = self.epoch + 1, 0, 0.0, 0.0
            self.rng_state = rng.bit_generator.state

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """(numbers for JSON, arrays): the whole state."""
        kept = {name: getattr(self, name) for name in ("best", "latest", "earlier")}
        facts = {name: getattr(self, name) for name in _FACTS}
        facts["rng_state"] = _plain(self.rng_state)
        facts["kept"] = {name: [k.epoch, k.nll] for name, k in kept.items()}
        facts["averaged"] = 0 if self.average is None else self.average.updates
        arrays = {"theta": self.theta, **{f"{name}.theta": k.theta for name, k in kept.items()}}
        arrays |= {f"optimizer.{name}": array for name, array in self.state.arrays().items()}
        if self.average is not None:
            arrays["average"] = self.average.values
        arrays["train_nll"] = np.array(self.history.train_nll, np.float64)
        arrays["val_nll"] = np.array(self.history.val_nll, np.float64)
        return facts, arrays

    def restore(self, facts: dict, arrays: dict[str, np.ndarray], rng) -> None:
        """Become the state that `export` described; rng becomes what it was."""
        epochs = self.epochs
        for name in _FACTS:
            setattr(self, name, facts[name])
        self.stopped = self.stopped and epochs <= self.epochs  # more epochs: go on all the same
        self.epochs = epochs
        self.rng_state = _unplain(facts["rng_state"])
        rng.bit_generator.state = self.rng_state
        self.theta[:] = arrays["theta"]
        self.state = self.optimizer.start(self.theta, _own(arrays, "optimizer."))
        if self.average is not None:
            restored = arrays["average"], facts["averaged"]
            self.average = Average(self.average.decay, self.theta, *restored)
        for name, (epoch, nll) in facts["kept"].items():
            setattr(self, name, Kept(epoch, nll, arrays[f"{name}.theta"]))
        for name in ("train_nll", "val_nll"):
            setattr(self.history, name, arrays[name].tolist())


def _own(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


_FACTS = ("epochs", "epoch", "batch", "total", "weight", "reported", "stopped")


class Checkpoint:
    """The file of one run, written at most every so many seconds.

    path      str or PathLike; every   seconds; started   `time.perf_counter()` of this run
    marks     the `fingerprint` of the run
    """

    def __init__(self, path, every: float, started: float, marks: dict[str, str]):
        self.path = os.path.abspath(os.fsdecode(path))  # whatever a callback does to the folder
        self.every, self.started, self.marks = every, started, marks
        self._written, self._ours = time.monotonic(), False

    def resume(self, run: Run, rng: np.random.Generator) -> None:
        """Set run and rng to what the file holds, if there is a file.

        Errors: ValueError for a file that is damaged, not a checkpoint, or of another run;
        TypeError if the optimiser cannot export its state.
        """
        if not hasattr(run.state, "arrays"):
            raise TypeError(
                f"the state of {run.optimizer!r} has no method arrays(), see OptimizerState: "
                "without it there is no checkpoint"
            )
        _remove_unfinished(self.path)
        found = self._read()
        if found is None:
            return
        facts, arrays = found
        try:
            run.restore(facts["run"], arrays, rng)
            run.seconds = float(facts["seconds"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
            raise self._refusal(f"is damaged: {type(problem).__name__}: {problem}") from problem
        begun = run.epoch + (run.batch > 0)
        if begun > run.epochs:
            raise ValueError(
                f"epochs={run.epochs}, but the run in {self.path} is in epoch {begun} already: ask "
                "for at least as many, give another checkpoint path, or delete the file"
            )

    def write(self, run: Run) -> None:
        """Replace the file by the state of `run`: as a whole, or not at all.

        Errors: OSError; ValueError if, since this run began, another one has put its file there.
        """
        if not self._ours:
            self._read()
        facts, arrays = run.export()
        seconds = run.seconds + time.perf_counter() - self.started
        described = {
            "format": FORMAT,
            "kind": KIND,
            "flowcore": sys.modules[__package__].__version__,
            "marks": self.marks,
            "seconds": seconds,
            "run": facts,
        }
        text = np.frombuffer(json.dumps(described).encode(), np.uint8)
        _write_atomically(self.path, _pack({DESCRIPTION: text, **arrays}))
        self._ours = True

    def write_if_due(self, run: Run) -> None:
        """Write, if the last time is long enough ago."""
        if time.monotonic() - self._written >= self.every:
            self.write(run)
            self._written = time.monotonic()

    def write_last(self, run: Run) -> None:
        """Write at the end. A run torn in the middle of an update leaves the file as it was, and a
        failure is a warning: what has been learned is about to be returned."""
        if run.changing.torn:
            return
        try:
            self.write(run)
        except (OSError, ValueError) as problem:
            warnings.warn(
                f"the last checkpoint could not be written: {problem}", UserWarning, stacklevel=3
            )

    def rescue(self, run: Run) -> None:
        """Write while an error is on its way: nothing may hide that one."""
        if not run.changing.torn and run.epoch + run.batch > 0:
            with contextlib.suppress(OSError, ValueError):
                self.write(run)

    def _read(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """What the file holds, if there is one; a ValueError unless it is a file of this run."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        try:
            _check_seal(data)
        except ValueError as problem:
            raise self._refusal(str(problem).replace("flowcore.save", "fit")) from problem
        try:
            arrays = _unpack(data)
            facts = json.loads(arrays.pop(DESCRIPTION).tobytes())
            kind, version = facts.get("kind"), facts["format"]
            known = kind == KIND and version == FORMAT
            differing = known and _differences(facts["marks"], self.marks)
        except MemoryError:
            raise
        except Exception as problem:  # whatever a forged archive provokes in a parser
            raise self._refusal(f"is damaged: {type(problem).__name__}: {problem}") from problem
        if kind != KIND:
            raise self._refusal("is a flow written by flowcore.save, not a checkpoint of fit")
        if version != FORMAT:
            raise self._refusal(f"has format {version}: this flowcore reads format {FORMAT}")
        if differing:
            raise self._refusal(f"belongs to another run, which differs in {differing}")
        return facts, arrays

    def _refusal(self, why: str) -> ValueError:
        return ValueError(
            f"no checkpoint of this run: {self.path} {why}. Give another checkpoint path, or "
            "delete the file"
        )


# ---------------------------------------------------------------- which run it is


def fingerprint(flow, data: Rows, validation: Rows | None, rng_state: dict, options: dict):
    """{what: how it is told apart}, as text: of the flow, the data, and the options that matter."""
    given = validation or Rows(None)
    tables = {"X": data.x, "sample_weight": data.weight, "context": data.context}
    tables |= {"validation_data": given.x, "context of validation_data": given.context}
    return {
        "flow": _mark_of_flow(flow),
        **{name: _mark_of_table(table) for name, table in tables.items()},
        "rng": f"{rng_state['bit_generator']} {_digest(json.dumps(_plain(rng_state)).encode())}",
        **{name: _mark_of_option(value) for name, value in options.items()},
    }


def _mark_of_option(value) -> str:
    """Its repr, where numbers of all types are alike and addresses in memory left out."""
    if is_dataclass(value) and not isinstance(value, type):
        marks = {f.name: _mark_of_option(getattr(value, f.name)) for f in fields(value)}
        return f"{type(value).__name__}({', '.join(f'{n}={mark}' for n, mark in marks.items())})"
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return f"{value:.17g}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _differences(there: dict[str, str], here: dict[str, str]) -> str:
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return ", ".join(f"{n} ({there.get(n)} there, {here.get(n)} here)" for n in names)


def _mark_of_flow(flow) -> str:
    """The class, the number of parameters, and a hash of the description and all arrays."""
    writer = Writer()
    try:
        writer.add(flow)
        hashes = [_mark_of_table(array) for array in [flow.params, *writer.arrays.values()]]
        text = json.dumps([writer.nodes, hashes])
    except (AttributeError, TypeError, ValueError):  # somebody's own part need not be describable
        text = json.dumps(_state_of(flow, {}))
    return f"{type(flow).__name__} with {flow.n_params} parameters {_digest(text.encode())}"


def _state_of(value, seen: dict):
    """All that an object holds as JSON, arrays as hashes; what is met again as its number."""
    if isinstance(value, np.ndarray):
        return _mark_of_table(value) if value.dtype != object else _state_of(value.tolist(), seen)
    if isinstance(value, (set, frozenset)):
        return sorted(map(_mark_of_option, value))
    inside = isinstance(value, (list, tuple, dict)) or hasattr(value, "__dict__")
    if not inside or isinstance(value, type) or inspect.ismodule(value) or inspect.isroutine(value):
        return _mark_of_option(value)
    if id(value) in seen:
        return seen[id(value)][0]
    seen[id(value)] = len(seen), value  # kept alive, so that no other object gets its id
    if isinstance(value, (list, tuple)):
        return [_state_of(item, seen) for item in value]
    if isinstance(value, dict):
        return {str(key): _state_of(item, seen) for key, item in value.items()}
    state = {k: _state_of(v, seen) for k, v in vars(value).items() if not k.startswith("_memo")}
    return [type(value).__qualname__, state]


def _mark_of_table(table: np.ndarray | None) -> str:
    """Shape, dtype and a hash of the bytes, read in blocks of rows: a memmap is not copied."""
    if table is None:
        return "None"
    rows = np.atleast_1d(table)
    step = max(1, BLOCK // max(1, math.prod(rows.shape[1:])))
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    return f"{table.shape} {table.dtype} {_digest(*blocks)}"


def _digest(*blocks) -> str:
    found = hashlib.blake2b(digest_size=16)
    for block in blocks:
        if isinstance(block, np.ndarray):
            block = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
        found.update(block)
    return found.hexdigest()


def _plain(value):
    """The state of a bit generator as JSON: some hold arrays, or integers of 128 bits."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    value = value.item() if isinstance(value, np.generic) else value
    return {"int": hex(value)} if isinstance(value, int) else value


def _unplain(value):
    if not isinstance(value, dict):
        return value
    if set(value) == {"array", "dtype"}:
        return np.array(value["array"], value["dtype"])
    if set(value) == {"int"}:
        return int(value["int"], 16)
    return {name: _unplain(item) for name, item in value.items()}
