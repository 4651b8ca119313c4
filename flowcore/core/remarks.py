"""What a constructor remarks to whoever makes an object, and not to whoever reads it back.

`warnings.catch_warnings` is no way to keep it quiet: it replaces the filters of the whole process,
and two threads that do so at once leave the wrong ones behind.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

_quiet = ContextVar("flowcore_remakes_what_somebody_made", default=False)


@contextmanager
def remaking():
    """A context, of this thread alone, in which `remark` says nothing: who made it was told."""
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


def remark(message: str, stacklevel: int) -> None:
    """A UserWarning about the arguments of a constructor."""
    if not _quiet.get():
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
