"""A stopped run of `fit` goes on from its file: nothing else in training depends on this room.

checkpoint.py    the file, written now and then, and the lock of its path
fingerprint.py   which run a file belongs to
state.py         what is in the file, and what is accepted from it
"""

from .checkpoint import Checkpoint
from .fingerprint import fingerprint_of

__all__ = ["Checkpoint", "fingerprint_of"]
