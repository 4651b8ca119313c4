"""Whose path it is: of two runs that write to one file, the work of one would be lost.

A run holds a lock of the operating system on a hidden file beside its checkpoint. Such a lock ends
with its process, however that ends: what a killed one left behind stops nobody.
"""

from __future__ import annotations

import contextlib
import io
import os
import weakref

from ...core import unforked

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # everywhere else
    msvcrt = None

_TRIES = 10  # some network file systems never say twice that a file is the same
_open: weakref.WeakSet[io.FileIO] = weakref.WeakSet()  # the lock files of this process


class Claim:
    """The path of a file, for one run alone: from `take` to `release`, or the end of the process.

    The lock belongs to the open file, so that another thread of the same process is refused, too.
    Links to one file meet in one claim.
    """

    def __init__(self, path: str):
        folder, name = os.path.split(os.path.realpath(path))
        self.path, self.lock = path, os.path.join(folder, f".{name}.lock")
        self._file, self._held, self._process = None, False, os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a forked child, whose copy of a claim is worth nothing."""
        return self._process == os.getpid()

    def take(self) -> None:
        """Claim the path.

        Errors: ValueError if another run has it; OSError if no file can be locked there.
        """
        self._file, made = _opened(self.lock)
        try:
            for _ in range(_TRIES):
                _lock(self._file)
                self._held = self._is_there()
                if self._held:
                    return
                _close(self._file)  # its last owner removed it before we had the lock
                self._file, _ = _opened(self.lock)
            raise OSError(f"{self.lock} is never the file that was opened under that name")
        except BlockingIOError:
            _close(self._file)
            raise ValueError(
                f"another fit is writing to checkpoint={self.path!r}: wait until it ends, stop "
                "it, or give another checkpoint path"
            ) from None
        except OSError:
            _close(self._file)
            if made:  # nobody needs it
                with contextlib.suppress(OSError):
                    os.unlink(self.lock)
            raise

    def release(self) -> None:
        """Give the path back, if it was taken, and by this process."""
        if self._file is None or self._file.closed or not self.is_ours:
            return
        if fcntl is None:  # Windows removes no open file, and none that another run has opened
            _close(self._file)
        if self._held and (fcntl is None or self._is_there()):
            # while it is locked: who gets the lock next looks whether the file is still there
            with contextlib.suppress(OSError):
                os.unlink(self.lock)
        _close(self._file)
        self._held = False

    def _is_there(self) -> bool:
        """Is the file that is open still the one of that name?"""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.lock))
        except FileNotFoundError:
            return False


def _opened(path: str) -> tuple[io.FileIO, bool]:
    """(the file, whether it was made); nothing is ever written to it."""
    with unforked():  # no file is open and not yet in the set
        try:
            file, made = io.FileIO(path, "xb+"), True
        except FileExistsError:
            file, made = io.FileIO(path, "ab+"), False  # made, too, if it was removed meanwhile
        _open.add(file)
    return file, made


def _close(file: io.FileIO) -> None:
    """Close it, and take it out of the set: left to a weak reference's callback, that would swallow
    an interrupt."""
    file.close()
    _open.discard(file)


def _lock(file: io.FileIO) -> None:
    """Lock it for good. Errors: BlockingIOError if somebody else has; OSError if it cannot be."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif msvcrt is not None:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as problem:
            raise BlockingIOError(*problem.args) from problem


def _close_in_child() -> None:
    """A child that lives longer than its parent must not keep the lock. To close the file there
    does not unlock it: that takes the last of the processes that have it open."""
    for file in list(_open):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
