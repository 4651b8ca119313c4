"""A random generator for every row, seeded by it: so its answer does not depend on other rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .typing import Seed


def generators(rows: np.ndarray, rng: Seed, apart: bool = True) -> list[np.random.Generator]:
    """A generator for each row (n, D), seeded by its values and by one number of rng.

    So a row's random numbers depend neither on the order of the rows nor on the other rows. apart:
    the k-th of equal rows gets the k-th generator of these values, so that the draws of equal rows
    are independent; otherwise equal rows have equal draws. Cost: a new generator for each row.
    """
    seed = int(np.random.default_rng(rng).integers(2**63))
    values = row_hashes([np.where(np.isnan(rows), np.nan, rows)])  # NaN has many bit patterns
    found, copies = [], Counter[int]()
    for value in values.tolist():
        found.append(np.random.default_rng([seed, value, copies[value]]))
        copies[value] += apart
    return found


def row_hashes(parts: list[np.ndarray]) -> np.ndarray:
    """A number in 64 bits for every row: equal rows have equal ones.

    Every value is mixed in by the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", 2014). It is a bijection: in a table of one column, different
    values have different hashes.
    """
    found = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        for column in part.T:
            found ^= (column.astype(float) + 0.0).view(np.uint64)  # -0.0 equals 0.0
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
                found ^= found >> np.uint64(shift)
                found *= np.uint64(factor)
    return found
