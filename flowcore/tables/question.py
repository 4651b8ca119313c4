"""Questions to a table's density: the cells of a frame, or known values and ranges, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core import warn
from .dates import seconds_of
from .encoding import UNKNOWN, Encoding, Part
from .frame import Frame, as_frame, is_missing, listed

if TYPE_CHECKING:
    from ..conditionals.question import Question
    from .density import TableDensity


def with_holes(
    density: TableDensity, frame: Frame, values: bool = False, strict: bool = True
) -> tuple[Question, dict]:
    """(the question for the missing cells of a frame, name -> (n,) where they are).

    A missing cell is unknown here, and draws fill it, even in a column in which "missing" is a
    value. With `values`, it is known there, as that value. strict: ValueError for a number outside
    of its column's support, naming its place; else such a cell is unknown, and a warning names it.
    """
    from ..conditionals.question import Question

    encoding, odd = density.encoding, {}
    if not strict:
        frame, odd, said = encoding.without_odd(frame)
        if odd:
            warn(f"{said}. They count as unknown, and stay as they are")
    codes, x, hole, gaps = encoded_with_holes(encoding, frame, values, odd)
    places = [(part, k.start) for part, k, _ in encoding.places]
    forbidden = [(k, part.sizes[0] - 1) for part, k in places if part.column.missing and not values]
    encoding.check_inside(frame, x)
    columns = zip(encoding.of_codes, codes.T, encoding.sizes, encoding.closed, strict=True)
    for column, codes_k, size, closed in columns:
        if not closed and (unseen := codes_k == size).any():
            value = frame[column.name][unseen].tolist()[0]
            warn(
                f"column {column.name!r:.40} never was {value!r:.40} in fit: that carries no "
                "information about the other columns"
            )
    clues = np.array([ruled.clues(frame) for ruled in encoding.ruled], int)
    clues = clues.reshape(-1, len(frame)).T
    return Question(codes, x, hole, forbidden=tuple(forbidden), clues=clues), gaps


def encoded_with_holes(encoding: Encoding, frame: Frame, values: bool, odd: Mapping = {}) -> tuple:
    """(codes (n, K), -1 unknown; x (n, D), NaN unknown or not there; hole (n, D), whether a number
    is unknown; name -> (n,) where cells are missing). values: see `with_holes`; odd: name -> (n,),
    the cells of the frame that are unknown, but not missing."""
    codes, x, _ = encoding.encode(frame)
    hole, gaps = np.zeros(x.shape, bool), {}
    for part, k, d in encoding.places:
        name, is_value = part.column.name, values and part.column.missing
        is_odd = odd.get(name, np.zeros(len(frame), bool))
        gap = (is_missing(frame[name]) & (not is_value)) | is_odd
        codes[gap, k], x[gap, d], hole[gap, d] = UNKNOWN, np.nan, True
        gaps[name] = gap & ~is_odd
    return codes, x, hole, gaps


def question_of(density: TableDensity, known: Mapping) -> tuple[Question, float]:
    """(the question for a row whose values `known` are known, log p of those with a rule).

    Errors: ValueError for unknown columns, for values that a column cannot have, and for ranges
    without any number of the column.
    """
    encoding, names = density.encoding, [part.column.name for part in density.encoding.parts]
    for name in known:
        if name not in names:
            raise ValueError(f"no column is named {name!r:.40}: the columns are {listed(names)}")
    fixed = {name: value for name, value in known.items() if not isinstance(value, tuple)}
    frame = as_frame({name: [fixed.get(name)] for name in names})
    for part in encoding.parts:
        if part.column.rounded and part.column.name in fixed:  # off the grid, it is an error here
            replace(part, column=replace(part.column, rounded=False)).encode(frame)
    question, gaps = with_holes(density, frame, values=True)
    codes, x, hole, loose = question.codes, question.x, question.hole, {}
    for part, k, d in encoding.places:
        name = part.column.name
        if name in fixed:
            _check_value(part, fixed[name], codes[0, k], gaps[name][0])
            continue
        codes[:, k], x[:, d], hole[:, d] = UNKNOWN, np.nan, True
        if name in known:
            ends = _interval(density, part, d.start, *_ends(part, known[name]))
            if ends is None:
                loose[name] = known[name]
            else:
                question.ranges[d.start], codes[:, k], hole[:, d] = ends, 0, False

    def is_in(codes, x):
        values, kept = decode(density, np.hstack([codes, x])), np.ones(len(codes), bool)
        for name, ends in loose.items():
            kept &= is_between(density, name, values[name], ends)
        return kept

    question.is_in = is_in if loose else None
    return question, float(encoding.log_prob_of_ruled(frame)[0])


def with_clues(density: TableDensity, question: Question) -> Question:
    """The question with what its clues, the same in all rows, imply: a range of a number, values
    that a category cannot have, draws that are rejected."""
    if question.clues is None or (question.clues[0] == UNKNOWN).all():
        return question
    ranges, forbidden, kept_in = {**question.ranges}, [*question.forbidden], question.is_in
    places = {part.column.name: (part, k, d) for part, k, d in density.encoding.places}
    pairs = zip(density.encoding.ruled, question.clues[0].tolist(), strict=True)
    clues = [(ruled, code, *places[ruled.source.column.name]) for ruled, code in pairs if code >= 0]
    for ruled, code, part, k, d in clues:
        rule = ruled.column.rule
        if part.column.kind.is_category:
            other = rule.implied(np.arange(part.sizes[0])) != code
            forbidden += [(k.start, j) for j in np.flatnonzero(other).tolist()]
        elif not part.sizes:
            low, high = density.coordinates_.interval(d.start, *rule.interval(code))
            old = ranges.get(d.start, (low, high))
            low, high = max(low, old[0]), min(high, old[1])
            if low < high:  # else all draws are rejected
                ranges[d.start] = np.array([low, high])

    def is_in(codes, x):
        kept = np.ones(len(codes), bool) if kept_in is None else kept_in(codes, x)
        for ruled, code, part, k, d in clues:
            values = Frame({part.column.name: part.decode(codes[:, k], x[:, d])})
            kept = kept & (ruled.implied(values) == code)
        return kept

    return replace(question, ranges=ranges, forbidden=tuple(forbidden), is_in=is_in, clues=None)


def _check_value(part: Part, value, codes: np.ndarray, is_gap: bool) -> None:
    """A ValueError for a known value that a column cannot have."""
    column = part.column
    if is_gap:
        raise ValueError(
            f"column {column.name!r:.40}: a missing cell is no value of it. Leave the column out "
            "of what is known"
        )
    if all(part.closed) and (codes == part.sizes).any():
        raise ValueError(f"column {column.name!r:.40} is {column.kind}: it cannot be {value!r}")


def _ends(part, ends: tuple) -> tuple:
    """The ends of a range, as numbers or days; a ValueError for anything but a range."""
    column = part.column
    if len(ends) != 2 or column.kind.is_category:
        what = "a range is (low, high)" if len(ends) != 2 else f"{column.kind} has no ranges"
        raise ValueError(f"column {column.name!r:.40} is asked for {ends!r:.60}: {what}")
    low, high = _values(column, ends)
    if np.isnan([low, high]).any():
        raise ValueError(
            f"column {column.name!r:.40} is asked for {ends!r:.60}: an end is missing: write -inf "
            "or inf"
        )
    if not low <= high:
        raise ValueError(f"column {column.name!r:.40} is asked for {ends!r:.60}: low is above high")
    return low, high


def _values(column, values) -> np.ndarray:
    """Values of a column as floats, dates as seconds."""
    frame = as_frame({column.name: values})
    if column.kind.is_date:
        return seconds_of(frame[column.name], column.kind.form)
    return frame.as_floats(column.name)


def _interval(density, part, d, low, high) -> np.ndarray | None:
    """The ends of a range on the line; None if values in it are no interval there."""
    column = part.column
    if column.kind.is_date:
        return None
    if any(low <= atom <= high for atom in column.kind.atoms):
        return None
    kind = part.kinds[0]
    moved = kind if not column.kind.atoms else column.kind
    low, high = (moved.without_atoms(np.array([end]))[0] for end in (low, high))
    ends = density.coordinates_.interval(d, low, high)
    if not ends[0] < ends[1]:
        raise ValueError(
            f"column {column.name!r:.40} is {column.kind}: no value of it lies from {low:g} to "
            f"{high:g}"
        )
    return ends


def is_between(density: TableDensity, name, values: np.ndarray, ends: tuple) -> np.ndarray:
    """Which values of a column are in a range."""
    (column,) = (c for c in density.schema_.columns if c.name == name)
    low, high = _values(column, ends)
    numbers = _values(column, values)
    slack = 1e-9 * column.kind.step
    with np.errstate(invalid="ignore"):
        return (numbers >= low - slack) & (numbers <= high + slack)


def decode(density: TableDensity, rows: np.ndarray) -> dict:
    """name -> values of draws (n, K + D)."""
    codes, x = np.split(rows, [len(density.encoding.sizes)], axis=1)
    return density.encoding.decode(codes.astype(np.int64), x)
