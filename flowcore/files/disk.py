"""Bytes <-> disk: a whole new file or the old one, and only ordinary files."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO


def path_text(name: str, path) -> str:
    """The path that the argument `name` gives, as text.

    Errors: TypeError for anything but a path; ValueError for a NUL, which no system allows there.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} must be a str or a PathLike, not {path!r:.60}")
    text = os.fsdecode(path)
    if "\0" in text:
        raise ValueError(f"{name} must not contain NUL characters: {text!r:.200}")
    return text


def write_atomically(path: str, content: bytes) -> None:
    """Put content at path, all of it or nothing: a crash leaves the old file. Links are followed.

    Errors: those of `replacing`.
    """
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A new file, open for writing, that takes the place of `path` if the block ends well.

    Errors: OSError, which names the file, e.g. IsADirectoryError for a folder, SpecialFileError for
    a FIFO or device.
    """
    place = replaceable(path)
    temporary = f"{_unfinished(place)}{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(place, temporary)
        os.replace(temporary, place)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(problem, OSError) and problem.filename in (None, temporary):
            problem.filename = path  # a full disk names no file
        raise
    with contextlib.suppress(OSError):  # a folder cannot be synced everywhere
        _sync_folder(os.path.dirname(place))


def replaceable(path: str) -> str:
    """The place of a file that may be written, or replaced, at path: links are followed.

    Errors: OSError for a folder, also a missing one, and for anything but an ordinary file.
    """
    if os.path.basename(path) in ("", ".", ".."):  # "new/": realpath would forget the slash
        raise IsADirectoryError(f"cannot save to {path!r}: it names a folder, not a file")
    with contextlib.suppress(FileNotFoundError):
        check_ordinary(path)
    place = os.path.realpath(path)
    folder = os.path.dirname(place)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {place}: there is no folder {folder}")
    return place


def check_ordinary(path: str) -> None:
    """An OSError unless path is an ordinary file, or a link to one: a FIFO would block, a device
    might never end."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise shutil.SpecialFileError(f"{path} is a device, FIFO or socket, not an ordinary file")


def _unfinished(path: str) -> str:
    """How the names of temporary files begin that will replace the file at path."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f".{name[:50]}-")


def remove_unfinished(path: str, seconds: float = 600.0) -> None:
    """Remove the unfinished file of a killed process, if it is too old to be still in use.

    If a process was suspended for that long while writing, its file is gone: it raises an OSError,
    and the file at path stays whole.
    """
    ours = glob.escape(_unfinished(path)) + "[0-9a-f]" * 16 + ".tmp"
    for left in glob.glob(ours):
        with contextlib.suppress(OSError):
            found = os.lstat(left)
            if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > seconds:
                os.unlink(left)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
