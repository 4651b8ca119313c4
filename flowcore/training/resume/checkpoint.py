"""The file from which a stopped run of `fit` continues.

The file is a sealed .npz archive like those of `flowcore.save`: plain arrays and JSON, no pickle.
It holds the state of a `Run` (`state.py`) and its `fingerprint`. A lock on a hidden file beside it
keeps other runs from the path; the lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from shutil import SpecialFileError

import numpy as np

from ..._version import __version__
from ...core import warn
from ...files import (
    expect,
    printable,
    read_sealed,
    remove_unfinished,
    sealed,
    unsealed,
    write_atomically,
)
from ..run import Run
from .fingerprint import differences
from .state import can_go_on, check, check_optimizer, export, restore

FORMAT = 6  # 5 and before: fingerprints with the code of functions
KIND = "checkpoint of fit"


class Checkpoint:
    """The file of one run, written at most every `every` seconds.

    path          str or PathLike
    every         seconds
    run           the `Run` whose state it holds
    fingerprint   of that run

    `with checkpoint:` locks the path, sets the run to the state in the file, writes whenever a
    checkpoint is due, and once more at the end, also after an error. If the file cannot be written,
    there is only a warning: the result of the training is worth more than the file.
    """

    def __init__(self, path, every: float, run: Run, fingerprint: dict[str, str]):
        self.path = os.path.realpath(os.fsdecode(path))  # whatever a callback does to the folder
        self.every, self.run, self.fingerprint = every, run, fingerprint
        self._process = os.getpid()
        self._lock = None
        self._version = None  # of the file that this run has read or written
        self._written, self._problem = time.monotonic(), ""

    def __enter__(self) -> Checkpoint:
        with contextlib.ExitStack() as undo:
            undo.callback(self._unlock)
            self._lock_path()
            self.resume()
            self.run.after_step = self.write_if_due
            undo.pop_all()
        return self

    def __exit__(self, kind, problem, traceback) -> None:
        run = self.run
        try:
            if not run.is_updating and run.epoch + run.batch > 0:  # else the file stays as it was
                self._try_to_write("the last checkpoint could not be written", problem is None)
        except KeyboardInterrupt:  # it ends the writing only: the file is the old one or the new
            run.history.interrupted = True
        finally:
            run.after_step = None  # the two hold each other, and all that they hold
            self._unlock()

    def resume(self) -> None:
        """Set the run to the state in the file, if there is a file.

        Errors: ValueError for a file that is damaged, not a checkpoint, or of another run;
        TypeError if the optimiser cannot export its state.
        """
        run = self.run
        check_optimizer(run)
        remove_unfinished(self.path)
        found = self._read()
        if found is None:
            return
        description, arrays = found
        numbers = description.get("run")
        with self._refusal("is damaged: "):
            check(run, numbers, arrays)
        with self._refusal():
            begun = numbers["epoch"] + (numbers["batch"] > 0)
            expect(begun <= run.epochs, f"is in epoch {begun} already, but epochs={run.epochs}")
        with self._refusal("is damaged: "):
            restore(run, numbers, arrays)

    def write(self) -> None:
        """Replace the file by the state of the run: as a whole, or not at all.

        If the state cannot continue, because an update overflowed, it is not written: a run resumed
        from the earlier state ends in the same way. A forked child leaves the file to its parent.
        Errors: OSError; ValueError if there is a file of another run.
        """
        if os.getpid() != self._process or not can_go_on(self.run):
            return
        if _version_of(self.path) not in (None, self._version):
            self._read()
        numbers, arrays = export(self.run)
        description = {
            "format": FORMAT,
            "kind": KIND,
            "flowcore": __version__,
            "fingerprint": self.fingerprint,
            "run": numbers,
        }
        write_atomically(self.path, sealed(description, arrays))
        self._version = _version_of(self.path)

    def write_if_due(self) -> None:
        """Write, if the last write is long enough ago; after a failure, wait as long again."""
        if time.monotonic() - self._written >= self.every:
            self._try_to_write("a checkpoint could not be written, training goes on")
            self._written = time.monotonic()

    def _try_to_write(self, failure: str, loud: bool = True) -> None:
        """Warn if that fails, once for every problem: until it is another one, or solved."""
        try:
            self.write()
            self._problem = ""
        except (OSError, ValueError) as problem:
            if loud and str(problem) != self._problem:
                fix = "make room, or the folder writable; " * isinstance(problem, OSError)
                when = f"the next try is after checkpoint_every={self.every:g} seconds"
                warn(f"{failure}: {problem}; {fix}{when}")
            self._problem = str(problem)

    def _read(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """The content of the file, None without one; a ValueError unless it is of this run."""
        version = _version_of(self.path)
        if version is None:
            return None
        with self._refusal():
            found = unsealed(read_sealed(self.path))
            kind, number, writer, there = (
                found[0].get(name) for name in ("kind", "format", "flowcore", "fingerprint")
            )
            expect(kind == KIND, "is a flow written by flowcore.save, not a checkpoint of fit")
            known = f"this flowcore reads format {FORMAT}"
            message = f"has format {{}}, written by flowcore {{}}: {known}"
            expect(number == FORMAT, message, number, writer)
            expect(isinstance(there, dict), "is damaged: its fingerprint is {}", there)
            if there != self.fingerprint:
                differing = differences(there, self.fingerprint)
                raise ValueError(f"belongs to another run, which differs in {differing}")
        self._version = version
        return found

    @contextlib.contextmanager
    def _refusal(self, what: str = "") -> Iterator[None]:
        """Every error about the content names the file and the remedy."""
        try:
            yield
        except (ValueError, IsADirectoryError, SpecialFileError) as problem:
            reason = printable(" ".join(str(problem).removeprefix(self.path).split()), 15_000)
            raise ValueError(
                f"no checkpoint of this run: {self.path} {what}{reason}. Give another checkpoint "
                "path, or delete the file"
            ) from problem

    def _lock_path(self) -> None:
        """Lock the path for this run alone; links to one file meet in one lock.

        Errors: ValueError if another run has it. That nothing can be locked there is a warning.
        """
        # Not imported with the room, which a fork waits for, see `_imports.py`: filelock waits for
        # forks itself while it is imported, and the two would wait for each other.
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
        except OSError as problem:
            warn(
                f"no file can be locked beside checkpoint={self.path!r} ({problem}): make sure "
                "yourself that no other fit writes there at the same time"
            )

    def _unlock(self) -> None:
        """Give the path back, if this run has it: a forked child has not, filelock sees to that."""
        if self._lock is not None and self._lock.is_locked:
            with contextlib.suppress(OSError):  # Windows removes the file afterwards, by filelock
                os.unlink(self._lock.lock_file)
            self._lock.release()


def _version_of(path: str) -> tuple[int, ...] | None:
    """Numbers that differ between two versions of a file; None if there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
