"""Questions to a density, as arrays: known and unknown values of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Question:
    """Rows as arrays: codes (m, K), -1 unknown; x (m, D), NaN unknown or absent; hole (m, D),
    whether a number is unknown. A density of numbers alone has no codes, K = 0.

    The same for all rows: ranges, column -> its ends on the line; forbidden, pairs of a column of
    codes and a value that its unknown cells cannot have; is_in(codes, x), whether draws lie in
    those ranges that are several intervals of the line.

    clues (m, R): known values of columns that follow from unknown ones by a rule; -1 elsewhere.
    """

    codes: np.ndarray
    x: np.ndarray
    hole: np.ndarray
    ranges: dict[int, np.ndarray] = field(default_factory=dict)
    forbidden: tuple[tuple[int, int], ...] = ()
    is_in: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    clues: np.ndarray | None = None

    @classmethod
    def of_numbers(cls, rows: np.ndarray) -> Question:
        """The question for the NaN of rows (m, D)."""
        return cls(np.zeros((len(rows), 0), np.int64), rows, np.isnan(rows))

    def of(self, rows: np.ndarray) -> Question:
        """The same question about some of the rows."""
        parts = self.codes[rows], self.x[rows], self.hole[rows]
        clues = None if self.clues is None else self.clues[rows]
        return Question(*parts, self.ranges, self.forbidden, self.is_in, clues)

    def split(self, n: int) -> list[Question]:
        """The same question about n parts of the rows, one after the other."""
        return [self.of(rows) for rows in np.array_split(np.arange(len(self.codes)), n)]

    def kept(self, codes: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Which draws satisfy the question."""
        kept = np.ones(len(codes), bool) if self.is_in is None else self.is_in(codes, x)
        for k, code in self.forbidden:
            if (self.codes[:, k] < 0).all():
                kept = kept & (codes[:, k] != code)
        return kept
