"""Rows that repeat, as in a Metropolis chain or a bootstrap.

Equal rows count as one row, with the sum of their weights. If copies of a training row were held
out, the epoch that has memorised the training rows would look best.
"""

from __future__ import annotations

import numpy as np

from ..core import row_hashes
from ..core.rows import blocks


def first_equal(x: np.ndarray, *others: np.ndarray | None) -> np.ndarray | None:
    """(n,): for every row the index of the first row that equals it; None if all rows differ.

    others: more columns of the same rows, such as their context.
    Rows are compared by sorted hashes: O(n log n), 8 bytes per row, and the table is read in
    blocks. If hashes are equal, the rows themselves are compared.
    """
    if not len(x):
        return None
    parts = [x, *(part for part in others if part is not None)]
    here = blocks(len(x), sum(part.shape[1] for part in parts))
    hashes = np.concatenate([row_hashes([part[rows] for part in parts]) for rows in here])
    hashes.sort()
    if (hashes[1:] != hashes[:-1]).all():
        return None
    hashes = np.concatenate([row_hashes([part[rows] for part in parts]) for rows in here])
    _, index, number = np.unique(hashes, return_index=True, return_inverse=True)
    first = index[number]
    for rows in here:
        copies = np.flatnonzero(first[rows] != np.arange(len(x))[rows]) + rows.start
        same = [(part[copies] == part[first[copies]]).all(axis=1) for part in parts]
        strangers = copies[~np.logical_and.reduce(same)]
        first[strangers] = strangers
    return first
