"""Bytes -> disk: a whole new file, or the old one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


def write_atomically(path: str, content: bytes) -> None:
    """Put content at path, all of it or nothing: a crash leaves the old file. Links are followed.

    Errors: those of `replacing`.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A new file, open for writing, that takes the place of `path` if the block ends well.

    Errors: OSError, which names the file; also for a folder, a device or a FIFO.
    """
    place = os.path.realpath(path)
    if not os.path.basename(path) or (os.path.exists(place) and not os.path.isfile(place)):
        raise shutil.SpecialFileError(f"cannot save to {path!r}: it is not an ordinary file")
    folder, name = os.path.split(place)
    temporary = os.path.join(folder, f".{name[:50]}-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(place, temporary)
        os.replace(temporary, place)
    except BaseException as problem:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(problem, OSError) and problem.filename in (None, temporary):
            problem.filename = path  # a full disk names no file
        raise
