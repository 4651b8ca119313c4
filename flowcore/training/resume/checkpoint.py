"""The file from which a stopped run of `fit` continues.

The file is a sealed .npz archive like those of `flowcore.save`: plain arrays and JSON, no pickle.
It holds the state of a `Run` (`state.py`) and its `fingerprint`. A lock on a hidden file beside it
keeps other runs from the path; the lock ends with its process, however that ends.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress

from ..._version import __version__
from ...core import warn
from ...files import read_sealed, sealed, unsealed, write_atomically
from ..run import Run
from .fingerprint import differences
from .state import State, export, restore

FORMAT = 7  # 6: that of 0.3.0
KIND = "checkpoint of fit"


class Checkpoint:
    """The file of one run, written at most every `every` seconds, and once more at the end.

    path          str or PathLike
    every         seconds
    run           the `Run` whose state it holds
    fingerprint   of that run

    `with checkpoint:` locks the path and sets the run to the state in the file, if there is one. A
    run that is interrupted, or ends with an error, is written as it was after its last whole epoch.
    If the file cannot be written, there is only a warning: the result of the training is worth more
    than the file.
    """

    def __init__(self, path, every: float, run: Run, fingerprint: dict[str, str]):
        self.path = os.path.realpath(os.fsdecode(path))  # whatever a callback does to the folder
        self.every, self.run, self.fingerprint = every, run, fingerprint
        self._written = time.monotonic()
        self._whole_epoch: State | None = None  # the last one, if the file holds no later state

    def __enter__(self) -> Checkpoint:
        with ExitStack() as undo:
            self._lock_path()
            undo.callback(self._unlock_path)
            self.run.state.arrays()  # an AttributeError now, not after an hour
            self._resume()
            undo.pop_all()
        self.run.after_change = self._write_if_due
        return self

    def __exit__(self, kind, problem, traceback) -> None:
        run = self.run
        run.after_change = None  # the two hold each other, and all that they hold
        try:
            state = self._whole_epoch
            if problem is None and not run.history.interrupted:
                state = export(run)
            if state is not None:
                self._write(state)
        finally:
            self._unlock_path()

    def _write_if_due(self) -> None:
        if self.run.batch == 0:
            self._whole_epoch = export(self.run)
        elif time.monotonic() - self._written >= self.every:
            self._write(export(self.run))
            self._written = time.monotonic()  # after a failure, too: wait as long again

    def _write(self, state: State) -> None:
        """Replace the file by a state: as a whole, or not at all."""
        description = {
            "format": FORMAT,
            "kind": KIND,
            "flowcore": __version__,
            "fingerprint": self.fingerprint,
            "run": state.numbers,
        }
        try:
            write_atomically(self.path, sealed(description, state.arrays))
            self._whole_epoch = None
        except OSError as problem:
            warn(
                f"a checkpoint could not be written, training goes on: {problem}; make room, or "
                f"the folder writable; the next try follows in checkpoint_every={self.every:g} s"
            )

    def _resume(self) -> None:
        """Set the run to the state in the file, if there is a file.

        Errors: ValueError for a file that is damaged, not a checkpoint, or of another run.
        """
        if not os.path.exists(self.path):
            return
        try:
            description, arrays = unsealed(read_sealed(self.path))
            self._check(description)
        except ValueError as problem:
            raise ValueError(
                f"no checkpoint of this run: {self.path} {problem}. Give another checkpoint path, "
                "or delete the file"
            ) from problem
        restore(self.run, State(description["run"], arrays))

    def _check(self, description: dict) -> None:
        """A ValueError, which continues '<path> ...', unless the run can continue from there."""
        kind, number = description.get("kind", "flow"), description["format"]
        if (kind, number) != (KIND, FORMAT):
            raise ValueError(
                f"is a {kind} in format {number}, written by flowcore {description['flowcore']}, "
                f"not a {KIND} in format {FORMAT}"
            )
        run = description["run"]
        differing = differences(description["fingerprint"], self.fingerprint)
        if differing:
            raise ValueError(f"belongs to another run, which differs in {differing}")
        begun = run["epoch"] + (run["batch"] > 0)
        if begun > self.run.epochs:
            raise ValueError(f"is in epoch {begun} already, but epochs={self.run.epochs}")

    def _lock_path(self) -> None:
        """Lock the path for this run alone; links to one file meet in one lock."""
        from filelock import FileLock, Timeout

        folder, name = os.path.split(self.path)
        self._lock = FileLock(os.path.join(folder, f".{name}.lock"), blocking=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(
                f"another fit is writing to checkpoint={self.path!r}: wait until it ends, stop "
                "it, or give another checkpoint path"
            ) from None

    def _unlock_path(self) -> None:
        with suppress(OSError):  # Windows removes the file afterwards, by filelock
            os.unlink(self._lock.lock_file)
        self._lock.release()
