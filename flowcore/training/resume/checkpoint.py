"""The file from which a stopped run of `fit` goes on.

The file is a sealed .npz archive like those of `flowcore.save`: plain arrays and JSON, no pickle.
It holds the state of a `Run` (`state.py`), and belongs to that one run: `fingerprint` says which,
in words and hashes, and a `Claim` keeps others from the path meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from shutil import SpecialFileError
from typing import TypeVar

import numpy as np

from ..._version import __version__
from ...core import warn
from ...files import (
    DESCRIPTION,
    DIGITS,
    open_ordinary,
    pack,
    printable,
    read_sealed,
    remove_unfinished,
    unpack,
    write_atomically,
)
from ..loop import Run
from ..table import Table
from .claim import Claim
from .marks import differences
from .state import can_go_on, check, export, restore

FORMAT = 5  # 1: flowcore 0.1.0; 2: without the initial NLL; 3: averages without a warm start; 4:
# `initialize` without weights
KIND = "checkpoint of fit"

_Found = TypeVar("_Found")


class Checkpoint:
    """The file of one run, written at most every so many seconds.

    path    str or PathLike; every   seconds
    run     the `Run` whose state it holds; marks   its `fingerprint`
    table   the `Table` it trains on, which is not kept

    `with checkpoint:` claims the path, sets the run to what the file holds, writes whenever it is
    time, and once more at the end, whatever that is. That a file cannot be written is a warning:
    what has been learned is worth more than the file.
    """

    def __init__(self, path, every: float, run: Run, marks: dict[str, str], table: Table):
        self.path = os.path.realpath(os.fsdecode(path))  # whatever a callback does to the folder
        self.every, self.run, self.marks, self.table = every, run, marks, table
        self._claim = Claim(self.path)
        self._seal = None  # the last bytes of the file that this run has read or written
        self._written, self._problem = time.monotonic(), ""

    def __enter__(self) -> Checkpoint:
        with contextlib.ExitStack() as undo:
            undo.callback(self._claim.release)
            try:
                self._claim.take()
            except OSError as problem:
                warn(
                    f"no file can be locked beside checkpoint={self.path!r} ({problem}): see to it "
                    "yourself that no other fit writes there at the same time"
                )
            self.resume()
            del self.table  # as large as memory, perhaps: it is fit's alone
            self.run.after_step = self.write_if_due
            undo.pop_all()
        return self

    def __exit__(self, kind, problem, traceback) -> None:
        try:
            if kind is None:
                self.write_last()
            else:
                self.rescue()
        finally:
            self.run.after_step = None  # the two hold each other, and all that they hold
            self._claim.release()

    def resume(self) -> None:
        """Set the run to what the file holds, if there is a file.

        Errors: ValueError for a file that is damaged, not a checkpoint, or of another run;
        TypeError if the optimiser cannot export its state.
        """
        run = self.run
        _check_state(run)
        remove_unfinished(self.path)
        found = self._read()
        if found is None:
            return
        described, arrays = found
        facts = described.get("run")
        with self._damage_refused():
            seconds = _seconds(described)
            check(run, self.table, facts, arrays)
        begun = facts["epoch"] + (facts["batch"] > 0)
        if begun > run.epochs:
            raise ValueError(
                f"epochs={run.epochs}, but the run in {self.path} is in epoch {begun} already: ask "
                "for at least as many, give another checkpoint path, or delete the file"
            )
        with self._damage_refused():
            restore(run, facts, arrays)
        run.seconds = seconds

    def write(self) -> None:
        """Replace the file by the state of the run: as a whole, or not at all.

        A state that cannot go on is not written: from an earlier one the run ends in the same way.
        A forked child leaves the file to its parent. Errors: OSError; ValueError if there is a file
        that is not of this run.
        """
        if not (self._claim.is_ours and can_go_on(self.run)):
            return
        if self._found(_last_bytes) not in (None, self._seal):
            self._read()
        facts, arrays = export(self.run)
        described = {
            "format": FORMAT,
            "kind": KIND,
            "flowcore": __version__,
            "marks": self.marks,
            "seconds": self.run.seconds + time.perf_counter() - self.run.started,
            "run": facts,
        }
        text = np.frombuffer(json.dumps(described, allow_nan=False).encode(), np.uint8)
        content = pack({DESCRIPTION: text, **arrays})
        write_atomically(self.path, content)
        self._seal = content[-DIGITS:]

    def write_if_due(self) -> None:
        """Write, if the last time is long enough ago; if that fails, the next time is as far."""
        if time.monotonic() - self._written < self.every:
            return
        try:
            self.write()
            self._problem = ""
        except (OSError, ValueError) as problem:
            self._warn("a checkpoint could not be written, training goes on", problem)
        self._written = time.monotonic()

    def write_last(self) -> None:
        """Write at the end; a run torn in the middle of an update leaves the file as it was.

        An interrupt ends only the writing: the file is the old one or the new one.
        """
        if self.run.torn:
            return
        try:
            self.write()
        except KeyboardInterrupt:
            self.run.history.interrupted = True
        except (OSError, ValueError) as problem:
            self._warn("the last checkpoint could not be written", problem)

    def rescue(self) -> None:
        """Write while an error is on its way: nothing may hide that one."""
        run = self.run
        if not run.torn and run.epoch + run.batch > 0:
            with contextlib.suppress(OSError, ValueError):
                self.write()

    def _warn(self, what: str, problem: Exception) -> None:
        """Once for every problem, not at every step: until it is another one, or solved."""
        reason = getattr(problem, "strerror", None) or str(problem)
        if reason == self._problem:
            return
        self._problem = reason
        advice = ""
        if isinstance(problem, OSError):
            advice = (
                ". Make room, or the folder writable again: the next try is after "
                f"checkpoint_every={self.every:g} seconds"
            )
        warn(f"{what}: checkpoint={self.path!r}: {reason}{advice}")

    def _found(self, read: Callable[[str], _Found]) -> _Found | None:
        """What `read` finds at the path; None if nothing is there.

        A ValueError for what is no ordinary file, which might never end, or not `read`'s kind.
        """
        try:
            return read(self.path)
        except FileNotFoundError:
            return None
        except (IsADirectoryError, SpecialFileError) as problem:
            raise self._refusal("is no ordinary file") from problem
        except ValueError as problem:
            raise self._refusal(str(problem).replace("flowcore.save", "fit")) from problem

    def _read(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """What the file holds, if there is one; a ValueError unless it is a file of this run."""
        data = self._found(read_sealed)
        if data is None:
            return None
        with self._damage_refused():
            arrays = unpack(data)
            described = _described(arrays)
        if described.get("kind") != KIND:
            raise self._refusal("is a flow written by flowcore.save, not a checkpoint of fit")
        version = described.get("format")
        if version != FORMAT:
            writer = printable(str(described.get("flowcore")), 200)
            raise self._refusal(
                f"has format {version!r:.60}, written by flowcore {writer}: this flowcore reads "
                f"format {FORMAT}"
            )
        marks = described.get("marks")
        if not isinstance(marks, dict):
            raise self._refusal(f"is damaged: its marks are {marks!r:.60}")
        if marks != self.marks:
            differing = differences(marks, self.marks)
            raise self._refusal(f"belongs to another run, which differs in {differing}")
        self._seal = data[-DIGITS:]
        return described, arrays

    @contextlib.contextmanager
    def _damage_refused(self) -> Iterator[None]:
        """What is wrong with the content, said of the file, whatever is quoted from there."""
        try:
            yield
        except (ValueError, RecursionError) as problem:
            reason = printable(" ".join(str(problem).split()))
            raise self._refusal(f"is damaged: {reason}") from problem

    def _refusal(self, why: str) -> ValueError:
        return ValueError(
            f"no checkpoint of this run: {self.path} {why}. Give another checkpoint path, or "
            "delete the file"
        )


def _check_state(run: Run) -> None:
    """Can the state of the optimiser be written? Better asked now than after an hour."""
    if not hasattr(run.state, "arrays"):
        raise TypeError(
            f"the state of {run.optimizer!r} has no method arrays(), see OptimizerState: "
            "without it there is no checkpoint"
        )
    for name, array in run.state.arrays().items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc":
            raise TypeError(
                f"arrays() of the state of {run.optimizer!r} must give arrays of numbers: "
                f"{name!r} is {array!r:.60}"
            )


def _last_bytes(path: str) -> bytes:
    with open_ordinary(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - DIGITS))
        return file.read()


def _described(arrays: dict[str, np.ndarray]) -> dict:
    """The description among the arrays of a file, which it is taken out of."""
    if DESCRIPTION not in arrays:
        raise ValueError(f"there is no {DESCRIPTION}")
    described = json.loads(arrays.pop(DESCRIPTION).tobytes())
    if not isinstance(described, dict):
        raise ValueError(f"its description is {described!r:.60}")
    return described


def _seconds(described: dict) -> float:
    seconds = described.get("seconds")
    if type(seconds) is not float or not 0 <= seconds < math.inf:
        raise ValueError(f"seconds is {seconds!r:.60}, not a number >= 0")
    return seconds
