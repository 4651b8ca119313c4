"""Categories as a context: one-hot slots, where rare values share one."""

from __future__ import annotations

import numpy as np

from .frequencies import Frequencies

RARE = 10  # rows: values seen less often share a slot, so that no flow learns one row's spike
MOST = 256  # combinations that an unseen value is averaged over


class Slots:
    """Codes (n, K) as contexts (n, C), and as the contexts that a row with unseen values may have.

    Each value of a column has a slot, and all that were seen in fewer than 10 rows share one. The
    context says 1 in the slot of the row's value and 0 in the others of that column; two slots
    are one number, one slot is none.

    Parameters
    ----------
    frequencies : Frequencies
        Of the categories.
    """

    def __init__(self, frequencies: Frequencies):
        self.slot_of, self.sizes = [], []
        for k, size in enumerate(frequencies.sizes):
            total = np.bincount(frequencies.combinations[:, k], frequencies.counts, minlength=size)
            often = total >= RARE
            slot = np.where(often, np.cumsum(often) - 1, often.sum())
            self.slot_of.append(slot)
            self.sizes.append(int(slot.max()) + 1)
        self._own = np.column_stack(
            [slot[own] for slot, own in zip(self.slot_of, frequencies.combinations.T, strict=True)]
        )
        self._weight = frequencies.counts
        self.dim = sum(map(_width, self.sizes))

    def of(self, codes: np.ndarray) -> np.ndarray:
        """(n, K): the slots of codes; -1 for a value that was never seen."""
        known = [np.append(slot, -1) for slot in self.slot_of]
        return np.column_stack([a[own] for a, own in zip(known, codes.T, strict=True)])

    def context(self, slots: np.ndarray) -> np.ndarray:
        """(n, C) of slots (n, K) without -1."""
        parts = [np.zeros((len(slots), 0))]
        for own, size in zip(slots.T, self.sizes, strict=True):
            hot = (own[:, None] == np.arange(size)).astype(float)
            parts.append(hot[:, size - _width(size) :] if size > 1 else hot[:, :0])
        return np.concatenate(parts, axis=1)

    def alternatives(self, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(slots (m, U), weights (m,)) of the columns marked in `unseen` (K,), as they occurred.

        The most frequent 256, with weights that sum to 1.
        """
        distinct, inverse = np.unique(self._own[:, unseen], axis=0, return_inverse=True)
        weight = np.bincount(inverse.reshape(-1), self._weight)
        most = np.argsort(-weight, kind="stable")[:MOST]
        return distinct[most], weight[most] / weight[most].sum()


def _width(size: int) -> int:
    """Numbers that tell so many slots apart."""
    return size if size > 2 else size - 1
