"""The kind of a column, found from its values.

Conservative: numbers are continuous, text and booleans are categories, dates are dates, even if
they are text. If numbers look like anything else, it is only a suggestion, because it changes what
log p means, or where it is -inf.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np

from ..discrete import EPS
from ..training.checks import EXAMINED
from .cells import FEW, form_of, number
from .column import MOST_VALUES, Column, Value
from .dates import formats_of, has_year, repeats_of, resolution_of, seconds_of, written
from .frame import DATES, NUMBERS, Frame, Name, is_missing
from .kind import Date, Kind, Time
from .patterns import pattern_of

GAIN = 0.1  # nats a row by which a logarithm has to beat the numbers as they are
LEAST = 10  # rows that have an atom
ATOM, CAP = 0.05, 0.002  # of the rows have a value that is an atom; the same of the last value
TIMES, MOST_ATOMS = 5, 10  # an atom is so many times as frequent as values around it
ABOVE_NEXT = 3  # times as frequent as the values next to it
CELLS = 10_000  # of a grid: fewer are one, whether values repeat or not
FINEST = 1e-5  # a finer step with more cells is a coordinate, or the rest of a computation
ODD, ODD_VALUES = 0.02, 0.05  # of the rows and of the values may be off a grid: they are rounded
FEW_ROWS = 50  # fewer show little of a shape
FEW_VALUES = 10  # of a column: none of them is an atom
MOST_DECIMALS = 12
SPARSE = 10  # cells of a grid for each value that occurs: if these are few, they are categories
COLLISIONS = 10  # that would be expected among whole numbers drawn at random
LEFT_SKEWED = -0.5  # the skewness of log x: below it, x comes as near to 0 as it likes
ROUND = (1, 5, *(step * 10**k for k in range(1, 16) for step in (1, 2.5, 5)))
DURATIONS = "make it a number first, such as seconds"
TOO_LARGE = "whole numbers beyond 2^53, which float64 does not distinguish: codes"
ROW_NUMBER = "whole numbers that identify rows, as row numbers do"
CODE = "codes, whose differences mean nothing"
_CODES = re.compile(
    r"(?i)(^|[^a-z])(zip|post(al)?|plz|fips)[ _]?(code)?$|(?i:zip|post|postal)code$"
)
_NUMBERS_ROWS = re.compile(
    r"(^|[^a-zA-Z])(?i:id|nr|row|key)$|[a-z]I[Dd]$|^[A-Z]{0,2}ID$|^Unnamed: 0$"
)
CONTINUOUS, CATEGORICAL = Kind("continuous"), Kind("categorical")


def find_columns(frame: Frame, unknown: bool = False) -> tuple[Column, ...]:
    """A `Column` for each of a frame; missing cells, if there are some, count as a value, unless
    they are unknown values."""
    numbers = [name for name in frame.names if frame[name].dtype.kind in NUMBERS]
    repeated = 1.0  # how often a row comes: what is resampled is on no grid
    if len(numbers) > 1:
        sample = np.arange(0, len(frame), math.ceil(len(frame) / EXAMINED))
        x = np.column_stack([frame[name][sample].astype(float) for name in numbers])
        repeated = len(x) / len({row.tobytes() for row in x})
    return tuple(_find(frame, name, repeated, unknown) for name in frame.names)


def _find(frame: Frame, name: Name, repeated: float, unknown: bool) -> Column:
    gone = is_missing(frame[name])
    values, missing = frame[name][~gone], bool(gone.any())
    if values.dtype == bool:
        found = _boolean(name, values)
    elif values.dtype == object:
        found = _text(frame.take(~gone) if missing else frame, name)
    elif values.dtype.kind in DATES:
        found = _dates(name, values)
    else:
        found = _number(name, values, name in frame.declared, repeated)
    if name in frame.texts and values.dtype.kind in NUMBERS:
        texts = map(str.strip, frame.texts[name][~gone])
        found = replace(found, mark=form_of(dict(zip(texts, values.tolist(), strict=True))))
    if not missing:
        return found
    if unknown:
        return replace(found, why=f"{found.why}, {gone.sum():,} unknown")
    why = f"{found.why}, {gone.sum():,} missing: a value of its own"
    kind = CATEGORICAL if found.kind.name == "constant" else found.kind  # it is there, or not
    return replace(found, kind=kind, why=why, missing=True)


def _number(name: Name, values: np.ndarray, declared: bool, repeated: float) -> Column:
    distinct, counts = np.unique(values + values.dtype.type(0), return_counts=True)  # no -0
    low, high = float(distinct[0]), float(distinct[-1])
    if len(distinct) == 1:
        return Column(name, Kind("constant"), "number", (_value(values[0].item()),), low, high,
                      f"always {_short(low)}", note="it has no density")  # fmt: skip
    kept = tuple(map(_value, distinct.tolist())) if len(distinct) <= MOST_VALUES else None
    kept = kept if values.dtype == float or high < 2**63 else None  # which no file holds
    why = f"{len(distinct):,} different numbers from {_short(low)} to {_short(high)}"
    decimals = decimals_of(distinct)
    column = Column(name, CONTINUOUS, "number", kept, low, high, why, decimals=decimals)
    if declared and kept:
        return replace(column, kind=CATEGORICAL)
    if is_row_number(f"{name}", distinct, n=len(values)):
        return replace(column, suggestion=Kind("aside"), note=ROW_NUMBER)
    if _CODES.search(f"{name}") and decimals == 0:
        few = kept and 2 * len(kept) <= len(values)
        return replace(column, suggestion=CATEGORICAL if few else Kind("aside"), note=CODE)
    if (
        decimals == 0
        and low >= 0
        and (forms := formats_of(Counter(distinct.tolist()), number=True))
    ):
        kind = _dates(name, values, forms[0], "number").kind
        return replace(column, suggestion=kind, note=f"all of them are {kind.name}s as {forms[0]}")
    if values.dtype != float and max(-low, high) > 2**53:
        repeats = kept and 2 * len(kept) <= len(values)
        return replace(column, suggestion=CATEGORICAL if repeats else Kind("aside"), note=TOO_LARGE)
    distinct, rounded = distinct.astype(float), False
    atoms, notes = find_atoms(counts), []
    if atoms.any():
        shares = zip(distinct[atoms], counts[atoms] / len(values), strict=True)
        notes = [", ".join(f"{_short(a)} in {share:.2g} of the rows" for a, share in shares)]
    rest, often = distinct[~atoms], counts[~atoms]
    repeat = 2 * len(rest) * repeated < often.sum()
    written = decimals is not None and len(values) >= FEW_ROWS
    if repeat or (written and (rest[-1] - rest[0]) * 10.0**decimals < CELLS):
        kind, note, rounded = _grid(rest, often, repeat)
    elif decimals is not None:  # 0 may be written, too
        kind, note = None, ""
    else:
        kind, note = _shape(np.repeat(rest, often)[:: math.ceil(often.sum() / EXAMINED)])
    notes += [note] if note else []
    if kind is None and atoms.any():
        kind = CONTINUOUS
    if kind is not None and kind.is_number:
        kind = replace(kind, atoms=tuple(distinct[atoms].tolist()))
    return replace(column, suggestion=kind, note="; ".join(notes), rounded=rounded)


def decimals_of(x: np.ndarray) -> int | None:
    """The decimal places that all numbers have, None for more than 12.

    >>> decimals_of(np.array([0.25, 3.5])), decimals_of(np.array([np.pi]))
    (2, None)
    """
    for decimals in range(MOST_DECIMALS + 1):
        with np.errstate(all="ignore"):
            scaled = x * 10.0**decimals
            # numbers that differ by less, such as nanometres in metres, are not all equal
            rounding = 1e-8 * min(1.0, np.ptp(scaled)) + 4 * EPS * np.abs(scaled)
        if not (np.abs(scaled) < 2**53).all():
            break
        if (np.abs(scaled - np.rint(scaled)) <= rounding).all():
            return decimals
    return None


def find_atoms(counts: np.ndarray) -> np.ndarray:
    """Which of the values, in order, with these counts are atoms: (m,).

    On a grid every value repeats, so an atom has to hold many rows, and to be much more frequent
    than the values around it. The first and the last value, a cap, need fewer rows.

    >>> find_atoms(np.append(900, np.full(29, 30))).nonzero()[0]
    array([0])
    """
    n, m = counts.sum(), len(counts)
    found = np.zeros(m, bool)
    if m < FEW_VALUES:
        return found
    padded = np.pad(counts.astype(float), 5, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 11)
    others = np.delete(around, 5, axis=1)
    usual = np.nanmedian(others, axis=1)
    next_to = np.nanmax(others[:, 4:6], axis=1)
    share = np.full(m, ATOM)
    share[[0, -1]] = CAP
    found = (counts >= np.maximum(share * n, LEAST)) & (counts >= TIMES * usual)
    found &= counts >= ABOVE_NEXT * next_to
    most = np.argsort(-counts * found, kind="stable")[:MOST_ATOMS]
    return found & np.isin(np.arange(m), most)


def is_row_number(name: str, distinct: np.ndarray, n: int) -> bool:
    """Whether whole numbers only identify n rows.

    Half of them differ, and the column is named like an identifier; or they start at 0 or 1 with
    hardly a gap; or they start low and none repeats, although ten repeats would be expected by
    chance (the rows are then a part of a larger table).

    >>> x = np.arange(1000.0)
    >>> is_row_number("x", x, 1000), is_row_number("year", 1940 + x[:80], 80)
    (True, False)
    """
    if n < FEW_ROWS or 2 * len(distinct) < n or (distinct != np.rint(distinct)).any():
        return False
    if _NUMBERS_ROWS.search(name):
        return True
    if len(distinct) < 0.9 * n:
        return False
    first, last = float(distinct[0]), float(distinct[-1])
    counted = first in (0, 1) and last < 1.1 * len(distinct)
    drawn = len(distinct) == n and n * n / 2 > COLLISIONS * (last - first + 1)
    part = drawn and 0 <= first < 0.05 * last
    return bool(counted or part)


def _dates(name: Name, values: np.ndarray, form: str = "", type: str = "date") -> Column:
    """A column of dates, or of texts and numbers in the format of dates or times."""
    if values.dtype.kind == "m":
        return Column(name, Kind("text"), "text", why=f"{values.dtype}", note=DURATIONS)
    seconds = seconds_of(values, form)
    seconds = seconds[~np.isnan(seconds)]
    if form and not has_year(form):
        kind = Time.of(resolution_of(np.append(seconds, 3600.0)), form)
    else:
        unit = resolution_of(seconds)
        kind = Date.of(unit, form, repeats_of(seconds, unit))
    first, last = (written(np.array([s]), "", False)[0] for s in (seconds.min(), seconds.max()))
    why = f"{len(np.unique(seconds)):,} different {kind.name}s"
    why += f" from {first!s:.10} to {last!s:.10}" if kind.name == "date" else ""
    return Column(name, kind, type, why=why)


def _boolean(name: Name, values: np.ndarray) -> Column:
    why = f"True in {values.mean():.3g} of the rows"
    return Column(name, Kind("boolean"), "boolean", (False, True), why=why)


def _text(frame: Frame, name: Name) -> Column:
    """A category; a ValueError for a column of numbers with something else among them."""
    values = frame[name].tolist()
    counts = Counter(values)
    if all(isinstance(v, bool) for v in counts):
        return _boolean(name, np.array(values, bool))
    declared = name in frame.declared
    is_decided = declared or name in frame.texts  # by all cells of a file
    others = set() if declared else {v for v in counts if number(f"{v}", ".") is None}
    if not is_decided and 0 < sum(counts[v] for v in others) <= 0.5 * len(values):
        problem = "but most of the column reads as numbers: make it a number, or missing"
        frame.check(name, [v in others for v in values], problem)
    problem = "but the column has text: write it as text, or make all of it numbers"
    frame.check(name, [not isinstance(v, str) for v in values], problem)
    distinct = sorted(counts)
    n, k = len(values), len(distinct)
    kept = tuple(distinct) if k <= MOST_VALUES else None
    why = f"{k:,} different texts in {n:,} rows"
    kind, note = CATEGORICAL, ""
    if k == 1:
        kind, note = Kind("constant"), "it is always the same"
        why = f"always {distinct[0]!r:.40}"
    elif not declared and (forms := formats_of({v: counts[v] for v in distinct})):
        note = f"or {forms[1]}, which fits all of them, too" if len(forms) > 1 else ""
        found = _dates(name, np.array(values, object), forms[0], "text")
        return replace(found, values=kept, note=note)
    elif pattern := None if declared and kept else pattern_of(counts):
        kind, note = Kind("text"), pattern[1]
        why = f"{pattern[0]}, such as {distinct[0]!r:.40}"
    elif not (declared and kept):
        note = "" if others or declared else "it reads as numbers: make it one, unless it is a code"
        if kept is None or (2 * k > n and n >= LEAST):
            kind = Kind("text")
            note = note or f"an identifier, or free text: {k / n:.0%} of the texts are different"
    return Column(name, kind, "text", kept, why=why, note=note)


def _grid(distinct: np.ndarray, counts: np.ndarray, repeat: bool) -> tuple:
    """(what numbers with few decimals or values may be, or None; why; whether it is a grid).

    A grid has an end only at 0, or next to it: a new row may lie beyond those that are there.
    """
    spikes = "values that repeat have no density"
    if len(distinct) == 2 and repeat:
        return CATEGORICAL, f"two values: {spikes}", False
    step, origin, odd = grid_of(distinct, counts)
    if step < FINEST and distinct[-1] - distinct[0] > CELLS * step:
        step = 0.0
    sparse = SPARSE * len(distinct) * step < distinct[-1] - distinct[0]
    if repeat and len(distinct) <= FEW and (not step or sparse):
        return CATEGORICAL, f"few values: {spikes}", False
    if not step:
        note = f"on no grid: {spikes}. Add noise, or leave it aside"
        return None, note, False
    note = "whole numbers" if step == 1 else f"multiples of {_short(step)}"
    if odd.any():
        these = ", ".join(map(_short, distinct[odd][:3])) + ", ..." * int(odd.sum() > 3)
        note += f"; {counts[odd].sum():,} cells are off this grid, and rounded: {these}"
    least, spread = float(distinct[0]), float(distinct[-1] - distinct[0])
    is_count = bool(origin) or 0 <= least <= spread
    low = origin if is_count and least > origin - step / 2 else None
    return Kind("integer" if step == 1 else "gridded", step, low), note, True


def _shape(x: np.ndarray) -> tuple[Kind | None, str]:
    """The support that sorted, distinct numbers suggest: positive, if 0 cannot come.

    A logarithm makes them more normal, and leaves no long tail towards 0, as it does of amounts
    that may be as small as they like (uniform, exponential: a new row may have 0).
    """
    if len(x) < FEW_ROWS or x[0] <= 0:
        return None, ""
    log = np.log(x)
    log -= log[-1]
    gain = _normal_score(log, log) - _normal_score(x / x[-1], 0.0)  # the square of 1e-200 is 0
    z = log - log.mean()
    if not GAIN < gain < math.inf or np.mean(z**3) < LEFT_SKEWED * np.mean(z**2) ** 1.5:
        return None, ""
    return Kind(
        "positive"
    ), f"all inside; a logarithm makes it more normal, by {gain:.2f} nats a row"


def _normal_score(z: np.ndarray, log_slope) -> float:
    """Mean log-likelihood of x as a normal z, up to a constant; log_slope = log dx/dz."""
    with np.errstate(all="ignore"):
        return float(-np.log(z.std()) - np.mean(log_slope))


def grid_of(distinct: np.ndarray, counts: np.ndarray) -> tuple[float, float, np.ndarray]:
    """(the largest round step by which values are apart, an origin, which values are off); 0, if
    there is none.

    Candidates are 1, 5, 10, 25, 50, 100, ... times 1, 0.1, ..., 1e-6. (Others are risky: a few
    numbers may all be even by luck, and the next one odd.) At most a twentieth of the values, and a
    fiftieth of the rows without the commonest value, may be off the grid. Only numbers >= 0 have an
    origin.

    >>> grid_of(np.array([0.5, 1.0, 2.0]), np.ones(3))[:2]
    (0.5, 0.0)
    >>> grid_of(np.array([0, 0.3, np.pi]), np.ones(3))[0]
    0.0
    >>> grid_of(np.array([1.99, 4.99, 5.99, 16.99]), np.ones(4))[:2]
    (1.0, 0.99)
    """
    most = ODD * (counts.sum() - counts.max()) if counts.sum() >= FEW_ROWS else 0.0

    def few(off):
        return counts[off].sum() <= most and off.sum() <= ODD_VALUES * len(off)

    for decimals in range(7):
        scaled = distinct * 10.0**decimals
        whole, largest = np.rint(scaled), np.abs(scaled).max()
        if largest >= 2**53:
            break
        off = np.abs(scaled - whole) > 1e-8 + 4 * EPS * largest
        if not few(off):
            continue
        for step in reversed(ROUND):
            if step > whole[-1] - whole[0]:
                continue
            residue = whole % step
            usual = residue[~off][np.argmax(counts[~off])] if distinct[0] >= 0 else 0.0
            odd = off | (residue != usual)
            if few(odd):
                return step / 10.0**decimals, float(usual / 10.0**decimals), odd
    return 0.0, 0.0, np.zeros(len(distinct), bool)


def _value(number: float) -> Value:
    """The text of a category's value: 3, not 3.0."""
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < 2**53)
    return int(number) if whole else number


def _short(number: float) -> str:
    return f"{float(number):.6g}"
