"""Rows whose score wants a word: outside of a support, or with a category never seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..tables import Column, Frame, Schema
from ..tables.encoding import outside


@dataclass
class Oddities:
    """What was met in the blocks of a table, in constant memory: a count, and the first of each."""

    schema: Schema
    impossible: int = 0
    first: str = ""
    unseen: dict = field(default_factory=dict)  # name of a column -> a value

    def look(self, frame: Frame, log_p: np.ndarray) -> None:
        """One more block; frame: the columns of the schema."""
        for column in self.schema.categories:
            if column.kind.name == "categorical" and column.name not in self.unseen:
                self._look_for_unseen(column, frame[column.name])
        rows = np.flatnonzero(np.isneginf(log_p))
        if rows.size and not self.impossible:
            self.first = self._why(frame, int(rows[0]))
        self.impossible += rows.size

    def _look_for_unseen(self, column: Column, values: np.ndarray) -> None:
        new = set(values.tolist()) - set(column.values) - {None}
        new = sorted(str(value) for value in new if value == value)  # without nan
        if new:
            self.unseen[column.name] = new[0]

    def _why(self, frame: Frame, row: int) -> str:
        """The first such row, and what in it has no density, if a single column tells."""
        for column in self.schema.numbers:
            if column.name not in frame.names:
                continue
            values = frame[column.name]
            one = np.array([[np.nan if values[row] is None else values[row]]], float)
            if outside(one, [column]).any():
                value, kind = float(one[0, 0]), column.kind
                return f"{frame.place(row, column.name)} is {value:g}, not inside of {kind}"
        return f"the first is row {frame.row_numbers(row)}"

    def notes(self, rows: int) -> list[str]:
        """What is to be told."""
        told = []
        if self.impossible:
            told.append(
                f"{self.impossible:,} of {rows:,} rows have the density 0, a log_prob of -inf: "
                f"{self.first}"
            )
        for name, value in self.unseen.items():
            told.append(
                f"column {name!r:.40} has values that fit has not seen, such as {value!r:.40}: "
                "they share the probability of all that was not seen"
            )
        return told
