"""Bytes -> disk: a whole new file, or what was there before."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import time


def write_atomically(path: str, content: bytes) -> None:
    """All of content at path, or what was there before; also through a link, also in a crash."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {folder}")
    temporary = f"{_unfinished(path)}{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # a folder cannot be synced everywhere
        _sync_folder(folder)


def _unfinished(path: str) -> str:
    """What the names of files begin with that will replace the one at path."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f".{name[:50]}-")


def remove_unfinished(path: str, seconds: float = 600.0) -> None:
    """Remove what a killed process left behind, if it is so old that nobody can be writing it."""
    ours = glob.escape(_unfinished(path)) + "[0-9a-f]" * 16 + ".tmp"
    for left in glob.glob(ours):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(left) > seconds:
                os.unlink(left)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
