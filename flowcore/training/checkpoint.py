"""The file from which a stopped run of `fit` goes on.

The file is a sealed .npz archive like those of `flowcore.save`: plain arrays and JSON, no pickle.
It holds the state of a `Run`, and belongs to that one run: `fingerprint` says which, in words and
hashes.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import warnings

import numpy as np

from .._version import __version__
from ..files import DESCRIPTION, check_seal, pack, remove_unfinished, unpack, write_atomically
from .fingerprint import differences, plain, unplain
from .loop import Kept, Run
from .optim import Average

FORMAT = 2  # 1 was that of flowcore 0.1.0
KIND = "checkpoint of fit"
_FACTS = ("epochs", "epoch", "batch", "total", "weight", "reported", "stopped")


class Checkpoint:
    """The file of one run, written at most every so many seconds.

    path    str or PathLike; every   seconds
    run     the `Run` whose state it holds; marks   its `fingerprint`

    `with checkpoint:` sets the run to what the file holds, writes whenever it is time, and once
    more at the end, whatever that is.
    """

    def __init__(self, path, every: float, run: Run, marks: dict[str, str]):
        self.path = os.path.abspath(os.fsdecode(path))  # whatever a callback does to the folder
        self.every, self.run, self.marks = every, run, marks
        self._written, self._ours = time.monotonic(), False

    def __enter__(self) -> Checkpoint:
        self.resume()
        self.run.after_step = self.write_if_due
        return self

    def __exit__(self, kind, problem, traceback) -> None:
        if kind is None:
            self.write_last()
        else:
            self.rescue()

    def resume(self) -> None:
        """Set the run to what the file holds, if there is a file.

        Errors: ValueError for a file that is damaged, not a checkpoint, or of another run;
        TypeError if the optimiser cannot export its state.
        """
        run = self.run
        if not hasattr(run.state, "arrays"):
            raise TypeError(
                f"the state of {run.optimizer!r} has no method arrays(), see OptimizerState: "
                "without it there is no checkpoint"
            )
        remove_unfinished(self.path)
        found = self._read()
        if found is None:
            return
        facts, arrays = found
        try:
            restore(run, facts["run"], arrays)
            run.seconds = float(facts["seconds"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
            raise self._refusal(f"is damaged: {type(problem).__name__}: {problem}") from problem
        begun = run.epoch + (run.batch > 0)
        if begun > run.epochs:
            raise ValueError(
                f"epochs={run.epochs}, but the run in {self.path} is in epoch {begun} already: ask "
                "for at least as many, give another checkpoint path, or delete the file"
            )

    def write(self) -> None:
        """Replace the file by the state of the run: as a whole, or not at all.

        Errors: OSError; ValueError if, since this run began, another one has put its file there.
        """
        if not self._ours:
            self._read()
        facts, arrays = export(self.run)
        seconds = self.run.seconds + time.perf_counter() - self.run.started
        described = {
            "format": FORMAT,
            "kind": KIND,
            "flowcore": __version__,
            "marks": self.marks,
            "seconds": seconds,
            "run": facts,
        }
        text = np.frombuffer(json.dumps(described).encode(), np.uint8)
        write_atomically(self.path, pack({DESCRIPTION: text, **arrays}))
        self._ours = True

    def write_if_due(self) -> None:
        """Write, if the last time is long enough ago."""
        if time.monotonic() - self._written >= self.every:
            self.write()
            self._written = time.monotonic()

    def write_last(self) -> None:
        """Write at the end. A run torn in the middle of an update leaves the file as it was, and a
        failure is a warning: what has been learned is about to be returned."""
        if self.run.torn:
            return
        try:
            self.write()
        except (OSError, ValueError) as problem:
            warnings.warn(
                f"the last checkpoint could not be written: {problem}", UserWarning, stacklevel=4
            )

    def rescue(self) -> None:
        """Write while an error is on its way: nothing may hide that one."""
        run = self.run
        if not run.torn and run.epoch + run.batch > 0:
            with contextlib.suppress(OSError, ValueError):
                self.write()

    def _read(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """What the file holds, if there is one; a ValueError unless it is a file of this run."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        try:
            check_seal(data)
        except ValueError as problem:
            raise self._refusal(str(problem).replace("flowcore.save", "fit")) from problem
        try:
            arrays = unpack(data)
            facts = json.loads(arrays.pop(DESCRIPTION).tobytes())
            kind, version = facts.get("kind"), facts["format"]
            known = kind == KIND and version == FORMAT
            differing = known and differences(facts["marks"], self.marks)
        except MemoryError:
            raise
        except Exception as problem:  # whatever a forged archive provokes in a parser
            raise self._refusal(f"is damaged: {type(problem).__name__}: {problem}") from problem
        if kind != KIND:
            raise self._refusal("is a flow written by flowcore.save, not a checkpoint of fit")
        if version != FORMAT:
            other = f"written by flowcore {facts.get('flowcore')}"
            raise self._refusal(
                f"has format {version}, {other}: this flowcore reads format {FORMAT}"
            )
        if differing:
            raise self._refusal(f"belongs to another run, which differs in {differing}")
        return facts, arrays

    def _refusal(self, why: str) -> ValueError:
        return ValueError(
            f"no checkpoint of this run: {self.path} {why}. Give another checkpoint path, or "
            "delete the file"
        )


# ---------------------------------------------------------------- the state of a run as data


def export(run: Run) -> tuple[dict, dict[str, np.ndarray]]:
    """(numbers for JSON, arrays): the whole state of a run."""
    kept = {name: getattr(run, name) for name in ("best", "latest", "earlier")}
    facts = {name: getattr(run, name) for name in _FACTS}
    facts["rng_state"] = plain(run.rng_state)
    facts["kept"] = {name: [k.epoch, k.nll] for name, k in kept.items()}
    facts["averaged"] = 0 if run.average is None else run.average.updates
    arrays = {"theta": run.theta, **{f"{name}.theta": k.theta for name, k in kept.items()}}
    arrays |= {f"optimizer.{name}": array for name, array in run.state.arrays().items()}
    if run.average is not None:
        arrays["average"] = run.average.values
    arrays["train_nll"] = np.array(run.history.train_nll, np.float64)
    arrays["val_nll"] = np.array(run.history.val_nll, np.float64)
    return facts, arrays


def restore(run: Run, facts: dict, arrays: dict[str, np.ndarray]) -> None:
    """Make `run` the one that `export` described; its generator becomes what it was, too."""
    epochs = run.epochs
    for name in _FACTS:
        setattr(run, name, facts[name])
    run.stopped = run.stopped and epochs <= run.epochs  # more epochs: go on all the same
    run.epochs = epochs
    run.rng_state = unplain(facts["rng_state"])
    run.rng.bit_generator.state = run.rng_state
    run.theta[:] = arrays["theta"]
    run.state = run.optimizer.start(run.theta, _own(arrays, "optimizer."))
    if run.average is not None:
        restored = arrays["average"], facts["averaged"]
        run.average = Average(run.average.decay, run.theta, *restored)
    for name, (epoch, nll) in facts["kept"].items():
        setattr(run, name, Kept(epoch, nll, arrays[f"{name}.theta"]))
    for name in ("train_nll", "val_nll"):
        setattr(run.history, name, arrays[name].tolist())


def _own(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
