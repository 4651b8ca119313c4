"""That a stopped run of `fit` goes on: nothing else in training knows of it.

checkpoint.py   the file, written now and then
claim.py        one run at a time on a path
state.py        what is in the file, and what can be; plain.py   the state of a random generator
marks.py        whose file it is; inside.py   what makes two objects different
"""

from .checkpoint import Checkpoint
from .marks import fingerprint

__all__ = ["Checkpoint", "fingerprint"]
