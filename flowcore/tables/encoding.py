"""Rows of a table as arrays, and back: codes of categories and atoms, coordinates of numbers.

A column is a `Category` (one code), a `Number` (one coordinate), or a `Day`; or it is `Ruled`, and
has neither codes nor coordinates. A number with atoms also has a code: 0 for any other number, then
the atoms, then a missing cell. In place of an atom or a missing cell, the coordinate is NaN.
`coordinates.py` maps the numbers to the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from ..core import warn
from .column import Column
from .dates import DAY, MONDAY, calendar, from_calendar, seconds_of, weekday, written
from .frame import Frame, is_missing
from .kind import Kind

if TYPE_CHECKING:
    from .schema import Schema

UNKNOWN = -1  # the code of a cell that is missing, and no value of its column
NAMED = 3  # odd cells in a message


@dataclass(frozen=True)
class OddCells:
    """How many cells of some rows cannot be, and the first places of them, in words."""

    n: int = 0
    n_rows: int = 0
    places: tuple[str, ...] = ()

    def __add__(self, other: OddCells) -> OddCells:
        places = (*self.places, *other.places)[:NAMED]
        return OddCells(self.n + other.n, self.n_rows + other.n_rows, places)

    def __str__(self):
        counted = f"{self.n:,} cell{'s' * (self.n > 1)} of {self.n_rows:,} rows cannot be"
        return f"{counted}: {'; '.join(self.places)}{'; ...' * (self.n > len(self.places))}"


@dataclass(frozen=True)
class Part:
    """A column in arrays: codes of these sizes, coordinates of these kinds."""

    column: Column
    kinds = sizes = ()
    may_be_gone = False

    @property
    def closed(self) -> tuple[bool, ...]:
        """For each code, whether all values that it may take were seen."""
        return (True,) * len(self.sizes)

    def is_there(self, codes: np.ndarray) -> np.ndarray:
        """(n,): whether the numbers are present, not replaced by an atom or a missing cell."""
        return codes[:, 0] == 0 if self.may_be_gone else np.ones(len(codes), bool)

    def odd(self, frame: Frame) -> np.ndarray:
        """(n,): the cells that have no place in the column, such as numbers beyond its ends."""
        return np.zeros(len(frame), bool)


class Category(Part):
    """A categorical column: the code is the index of its value.

    After the values come a missing cell, if it is a value, and then all unseen values together.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        return (len(self.column.values) + self.column.missing,)

    @property
    def closed(self) -> tuple[bool, ...]:
        return (not self.column.kind.has_unseen,)

    def odd(self, frame: Frame) -> np.ndarray:
        if self.column.kind.has_unseen:
            return np.zeros(len(frame), bool)
        return self.encode(frame)[0][:, 0] == self.sizes[0]

    def encode(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """(codes (n, 1), coordinates (n, 0))."""
        column, values = self.column, frame[self.column.name]
        known: dict = {v: i for i, v in enumerate(column.values)}
        items, boolean = values.tolist(), column.kind.name == "boolean"
        is_text = values.dtype == object and any(isinstance(v, str) for v in items)
        if is_text != (column.type == "text") and not (is_text and boolean):
            problem = f"but the column was of {column.type}s in fit: {column.values[0]!r:.40}"
            frame.check(column.name, [v is not None and v == v for v in items], problem)
        known |= column.kind.texts if boolean else {}
        (unseen,), missing = self.sizes, len(column.values) if column.missing else UNKNOWN
        if values.dtype == object:
            known[None] = missing
            found = [known.get(v, unseen) for v in items]
        else:
            distinct, inverse = np.unique(values, return_inverse=True)
            each = [missing if v != v else known.get(v, unseen) for v in distinct.tolist()]
            found = np.array(each, np.int64)[inverse.reshape(-1)]
        return np.array(found, np.int64).reshape(-1, 1), np.empty((len(frame), 0))

    def decode(self, codes: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The values: text, booleans, whole numbers or floats."""
        column = self.column
        dtype = {"text": object, "number": None, "boolean": bool}[column.type]
        dtype = bool if column.kind.name == "boolean" else dtype
        if not column.missing:
            values = np.array(column.values, dtype)
            return _as_integers(values, column.decimals == 0)[codes[:, 0]]
        nothing = np.nan if column.type == "number" else None
        values = np.array([*column.values, nothing], None if column.type == "number" else object)
        return values[codes[:, 0]]


class Number(Part):
    """A column of numbers, some of which may be atoms."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self.column.kind.rest,)

    @property
    def may_be_gone(self) -> bool:
        return bool(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        n = len(self.column.kind.atoms) + self.column.missing
        return (1 + n,) if n else ()

    def encode(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """(codes (n, 0 or 1), coordinates (n, 1)); a ValueError for values off the grid."""
        kind, x = self.column.kind, frame.as_floats(self.column.name)
        codes = kind.atom_of(x)
        if self.column.missing:
            codes[np.isnan(x)] = 1 + len(kind.atoms)
        x = np.where(codes > 0, np.nan, x)
        off = kind.off_grid(x)
        if self.column.rounded:
            x = np.where(off, kind.nearest(x), x)
        else:
            n = f"{np.count_nonzero(off):,} of {len(x):,} values are not"
            problem = f"which is not on the grid of {kind}: {n}; round it, or make it missing"
            frame.check(self.column.name, off, problem)
        return codes[:, None][:, : len(self.sizes)], kind.without_atoms(x)[:, None]

    def odd(self, frame: Frame) -> np.ndarray:
        kind, x = self.column.kind, frame.as_floats(self.column.name)
        off = kind.off_grid(x)
        if self.column.rounded:
            x, off = np.where(off, kind.nearest(x), x), np.zeros(len(x), bool)
        return (off | ~kind.contains(x)) & ~np.isnan(x) & (kind.atom_of(x) == 0)

    def decode(self, codes: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The numbers: integers, if they lie on a grid of integers and none is missing."""
        column, kind = self.column, self.column.kind
        x = kind.restored(kind.with_atoms(x[:, 0]))
        if column.decimals is not None and not 0 < kind.step < 10.0**-column.decimals:
            rounded = np.round(x, column.decimals)
            x = np.where(kind.contains(rounded), rounded, x)
        if self.sizes:
            values = np.append(kind.atoms, np.nan)
            x = np.where(codes[:, 0] > 0, values[codes[:, 0] - 1], x)
        whole = column.decimals == 0 or (kind.is_gridded and float(kind.step).is_integer())
        return _as_integers(x, whole)


class Day(Part):
    """A column of dates or times of day, in seconds.

    It has one coordinate. If the week or the year repeats, it has a code for the weekday or month,
    and coordinates for the week, or for the year and the day of the month; and one more for the
    time of day, if the unit is less than a day. The last code is a missing cell, if that is a
    value. The coordinates include days that a month lacks, such as 30 February, with a share of p.
    """

    @property
    def kinds(self) -> tuple[Kind, ...]:
        kind, one = self.column.kind, Kind("integer", 1.0)
        clock = (Kind("integer", 1.0, 0.0, DAY / kind.step - 1),) if kind.step < DAY else ()
        if kind.name == "time":
            return clock
        if kind.repeats == "year":
            of_month = (Kind("integer", 1.0, 0.0, 30.0),) * (kind.unit != "month")
            return (one, *of_month, *clock)
        return (one, *clock) if kind.repeats else (one,)

    @property
    def may_be_gone(self) -> bool:
        return self.column.missing

    @property
    def _levels(self) -> int:
        """Weekdays, months, or one that stands for all days."""
        return {"week": 7, "year": 12}.get(self.column.kind.repeats, 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        n = self._levels + self.column.missing
        return (n,) if n > 1 else ()

    def is_there(self, codes: np.ndarray) -> np.ndarray:
        return codes[:, 0] != self._levels if self.may_be_gone else np.ones(len(codes), bool)

    def encode(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """(codes, coordinates); a ValueError for anything but a date of this format and unit."""
        kind, values = self.column.kind, frame[self.column.name]
        gone, there = is_missing(values), self._seconds(frame)
        year, month, of_month = calendar(np.nan_to_num(there))
        is_month = kind.name == "date" and kind.unit == "month"
        problem = f"which is no {kind}: write it so, or make it missing"
        frame.check(self.column.name, self.odd(frame), problem)
        clock = there % DAY / kind.step
        code, x = np.zeros(len(there), np.int64), [there / kind.step]
        if kind.repeats == "week":
            code, x = weekday(there), [(there + MONDAY) // (7 * DAY), clock]
        elif kind.repeats == "year":
            code, x = month, [year, of_month, clock]
        elif is_month:
            x = [12 * (year - 1970) + month]
        x = np.array(x[: len(self.kinds)], float).T
        x[gone] = np.nan
        code = np.where(gone, self._levels if self.column.missing else UNKNOWN, code)
        return code[:, None][:, : len(self.sizes)], x

    def odd(self, frame: Frame) -> np.ndarray:
        kind, there = self.column.kind, self._seconds(frame)
        if kind.name == "date" and kind.unit == "month":
            return (calendar(np.nan_to_num(there))[2] > 0) | (there % DAY != 0)
        return there % kind.step != 0

    def _seconds(self, frame: Frame) -> np.ndarray:
        """(n,): NaN of a text that is no date of this format, and 0 of a missing cell."""
        values = frame[self.column.name]
        return np.where(is_missing(values), 0.0, seconds_of(values, self.column.kind.form))

    def decode(self, codes: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The dates, as the column has them."""
        kind, step = self.column.kind, self.column.kind.step
        if kind.repeats == "week":
            seconds = 7 * DAY * x[:, 0] - MONDAY + DAY * codes[:, 0]
        elif kind.repeats == "year":
            day = 0 * x[:, 0] if kind.unit == "month" else x[:, 1]
            seconds = from_calendar(x[:, 0], codes[:, 0], day)
        elif kind.unit == "month":
            seconds = from_calendar(0 * x[:, 0] + 1970, x[:, 0], 0 * x[:, 0])
        else:
            seconds = step * x[:, 0]
        if kind.repeats and step < DAY:
            seconds = seconds + step * x[:, -1]
        if self.column.missing:
            seconds = np.where(self.is_there(codes), seconds, np.nan)
        return written(seconds, kind.form, self.column.type == "number")


@dataclass(frozen=True)
class Ruled(Part):
    """A category that follows from another column x by its `Rule`, and is not in the arrays."""

    source: Part

    def implied(self, frame: Frame) -> np.ndarray:
        """(n,): the code that follows from x; -1 if x is missing or unseen."""
        if self.source.column.kind.is_category:
            x = self.source.encode(frame)[0][:, 0]
            known = (x != UNKNOWN) & (x < self.source.sizes[0])
        else:
            x = frame.as_floats(self.source.column.name)
            if self.source.column.rounded:
                x = self.source.column.kind.nearest(x)
            known = ~np.isnan(x)
        return np.where(known, self.column.rule.implied(x), UNKNOWN)

    def clues(self, frame: Frame) -> np.ndarray:
        """(n,): the codes of known cells where x is missing, of which they are clues; else -1."""
        own, gone = self._codes(frame), is_missing(frame[self.source.column.name])
        return np.where(gone & (own < len(self.column.values)), own, UNKNOWN)

    def breaks(self, frame: Frame) -> np.ndarray:
        """(n,): whether a known cell is another one than follows from x."""
        own, implied = self._codes(frame), self.implied(frame)
        return (own != UNKNOWN) & (implied != UNKNOWN) & (own != implied)

    def log_prob(self, frame: Frame) -> np.ndarray:
        """log p of the cells given x, (n,): 0 for a missing cell, and a clue follows from its x."""
        own, implied = self._codes(frame), self.implied(frame)
        gone = is_missing(frame[self.source.column.name])
        n_values, u = len(self.column.values), self.column.rule.u
        m = n_values + self.column.kind.has_unseen
        follows = np.where(gone, own < n_values, own == implied)
        log_p = np.where(follows, np.log1p(-u), np.log(u / (m - 1)))
        log_p[(implied == UNKNOWN) & ~gone] = -np.log(m)
        log_p[own >= m] = -np.inf
        return np.where(own == UNKNOWN, 0.0, log_p)

    def encode(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Arrays without columns."""
        return np.empty((len(frame), 0), np.int64), np.empty((len(frame), 0))

    def values(self, codes: np.ndarray) -> np.ndarray:
        """The values of codes (n,)."""
        return Category(self.column).decode(codes[:, None], np.empty((len(codes), 0)))

    def _codes(self, frame: Frame) -> np.ndarray:
        return Category(self.column).encode(frame)[0][:, 0]


def part(column: Column) -> Part:
    """The `Part` that encodes a modelled column without a rule."""
    if column.kind.is_category:
        return Category(column)
    return Day(column) if column.kind.is_date else Number(column)


class Encoding:
    """All modelled columns of a schema: rows of a frame as codes (n, K) and coordinates (n, D)."""

    def __init__(self, schema: Schema):
        modelled = [c for c in schema.columns if c.kind.is_category or c.kind.is_number]
        own = {column.name: part(column) for column in modelled}
        self.parts = [
            own[c.name] if c.rule is None else Ruled(c, own[c.rule.source]) for c in modelled
        ]
        self.ruled = [part for part in self.parts if isinstance(part, Ruled)]
        self.kinds = [kind for part in self.parts for kind in part.kinds]
        self.sizes = [size for part in self.parts for size in part.sizes]
        self.closed = [closed for part in self.parts for closed in part.closed]
        self.names = [name for part in self.parts for name in _names(part)]
        self.of_coordinates = [part.column for part in self.parts for _ in part.kinds]
        self.of_codes = [part.column for part in self.parts for _ in part.sizes]

    @property
    def places(self) -> Iterator[tuple[Part, slice, slice]]:
        """Each part, with the columns of its codes and of its coordinates."""
        k, d = 0, 0
        for part in self.parts:
            at_k, at_d = slice(k, k + len(part.sizes)), slice(d, d + len(part.kinds))
            yield part, at_k, at_d
            k, d = at_k.stop, at_d.stop

    def encode(self, frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(codes (n, K), coordinates (n, D), (n,) whether a cell is missing that must not be).

        Errors: ValueError, naming row, column and value, for text and for values off a grid.
        """
        codes, x = [np.empty((len(frame), 0), np.int64)], [np.empty((len(frame), 0))]
        unknown = np.zeros(len(frame), bool)
        for part in self.parts:
            own_codes, own_x = part.encode(frame)
            unknown |= (own_codes < 0).any(axis=1)
            unknown |= (np.isnan(own_x) & part.is_there(own_codes)[:, None]).any(axis=1)
            codes.append(own_codes)
            x.append(own_x)
        for ruled in self.ruled:
            unknown |= is_missing(frame[ruled.column.name])
        return np.concatenate(codes, axis=1), np.concatenate(x, axis=1), unknown

    def decode(self, codes: np.ndarray, x: np.ndarray) -> dict:
        """name -> values with the types of the data; any value in the place of an unseen one."""
        seen, found, new = np.minimum(codes, np.array(self.sizes, int) - 1), {}, {}
        for part, k, d in self.places:
            if not isinstance(part, Ruled):
                found[part.column.name] = part.decode(seen[:, k], x[:, d])
                new[part.column.name] = (codes[:, k] > seen[:, k]).any(axis=1)
        for own in self.ruled:
            implied, unseen = own.implied(Frame(found)), new[own.column.rule.source]
            rng = np.random.default_rng(crc32(codes.tobytes() + x.tobytes()))
            implied[unseen] = rng.integers(len(own.column.values), size=np.count_nonzero(unseen))
            found[own.column.name] = own.values(implied)
        return found

    def log_prob_of_ruled(self, frame: Frame) -> np.ndarray:
        """log p of the columns that follow from others, (n,), given these."""
        return sum((ruled.log_prob(frame) for ruled in self.ruled), np.zeros(len(frame)))

    def is_there(self, codes: np.ndarray) -> np.ndarray:
        """(n, D): whether a number is present, not replaced by an atom or a missing cell."""
        present = np.ones((len(codes), len(self.kinds)), bool)
        for part, k, d in self.places:
            present[:, d] = part.is_there(codes[:, k])[:, None]
        return present

    def without_odd(self, frame: Frame, strict: bool = False) -> tuple[Frame, dict, OddCells]:
        """(the frame with missing cells in place of odd ones; name -> (n,), where they are; how
        many there are, with the first three).

        An odd cell is one that the model cannot have: a number beyond the ends of its column, or
        off its grid, a text that is no date of its format. strict: ValueError for the first number
        beyond an end.
        """
        if strict:
            self.check_inside(frame, self.encode(frame)[1])
        odd = {part.column.name: part.odd(frame) for part in self.parts}
        odd = {name: own for name, own in odd.items() if own.any()}
        if not odd:
            return frame, odd, OddCells(0, len(frame))
        kinds = {part.column.name: part.column.kind for part in self.parts}
        places = [(row, name) for name, own in odd.items() for row in np.flatnonzero(own)[:NAMED]]
        each = [
            f"{frame.place(row, name)} is {frame[name][[row]].tolist()[0]!r:.40}, not inside of "
            f"{kinds[name]}"
            for row, name in sorted(places, key=lambda place: place[0])[:NAMED]
        ]
        n = sum(int(own.sum()) for own in odd.values())
        return frame.with_gaps(odd), odd, OddCells(n, len(frame), tuple(each))

    def check_inside(self, frame: Frame, x: np.ndarray) -> None:
        """A ValueError for the first of the numbers x (n, D) outside of its column's support."""
        for column, kind, own in zip(self.of_coordinates, self.kinds, x.T, strict=True):
            out = ~np.isnan(own) & ~kind.contains(own)
            n = f"{np.count_nonzero(out):,} of {len(x):,} rows"
            problem = (
                f"which is not inside of {column.kind}, as {n}: take another kind, or leave them "
                "out"
            )
            frame.check(column.name, out, problem)

    def warn_of_rounding(self, frame: Frame) -> None:
        """A warning for each column that has numbers off its grid, which are rounded."""
        for column in self.of_coordinates:
            x = frame.as_floats(column.name) if column.rounded else np.empty(0)
            off = np.flatnonzero(column.kind.off_grid(x) & (column.kind.atom_of(x) == 0))
            if len(off):
                warn(
                    f"{frame.place(off[0], column.name)} is {x[off[0]]:.6g}, which is not on the "
                    f"grid of {column.kind}: {len(off):,} of {len(x):,} values are not; they are "
                    "rounded"
                )

    def check_known(self, frame: Frame, codes: np.ndarray) -> None:
        """A ValueError for the first category that the schema does not have."""
        problem = "which the schema does not have: find the schema from these rows"
        for column, own, size in zip(self.of_codes, codes.T, self.sizes, strict=True):
            frame.check(column.name, own >= size, problem)


def _as_integers(x: np.ndarray, whole: bool) -> np.ndarray:
    """Floats as integers if that is wanted, and all are whole and exact."""
    whole = whole and x.dtype.kind == "f" and (x == np.rint(x)).all() and (np.abs(x) < 2**53).all()
    return x.astype(np.int64) if whole else x


def _names(part: Part) -> list[str]:
    """The names of a part's coordinates, for messages and pictures."""
    name, n = f"{part.column.name}", len(part.kinds)
    return [name] * n if n < 2 else [f"{name}, part {j + 1}" for j in range(n)]
