"""A stopped run of `fit` continues from its file: nothing else in training depends on this room.

checkpoint.py    the file, written from time to time, and the lock of its path
fingerprint.py   the run that a file belongs to
state.py         the content of the file
"""

from .checkpoint import Checkpoint

__all__ = ["Checkpoint"]
