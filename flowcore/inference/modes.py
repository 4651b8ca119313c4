"""What the search for modes, before training, has looked at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Modes(NamedTuple):
    """The modes that were found, and by how many ascents.

    centres   (K, d): where log p~(y) is largest in each, in free coordinates y
    shares    (K,): of the mass of p, of sum 1
    counts    (K,): how many ascents ended in each
    ascents   the number of all ascents
    scales    the distances of their starts, in deviations of the Gaussian closest to the target
    """

    centres: np.ndarray
    shares: np.ndarray
    counts: np.ndarray
    ascents: int
    scales: tuple[float, ...]
