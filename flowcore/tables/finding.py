"""What a column is, found from its values.

Conservative: numbers are continuous, text and booleans are categories. Anything else that numbers
look like changes what log p means, or where it is -inf, so it is a suggestion only.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..discrete import EPS
from ..training.checks import EXAMINED
from ..training.columns import few_valued_columns
from .column import MOST_VALUES, Column, Value
from .frame import DATES, DAYS, NUMBERS, Frame, Name
from .kind import Kind

GAIN = 0.1  # nats a row by which a logarithm or logit has to beat the numbers as they are
SPIKE, LEAST = 0.05, 10  # the share, and the number, of rows with one value that are a spike
FEW_ROWS = 50  # fewer show little of a shape
RANGES = ((0.0, 1.0), (0.0, 100.0))  # that numbers are often bounded by
ROUND = (1, 5, *(step * 10**k for k in range(1, 16) for step in (1, 2.5, 5)))
TOO_LARGE = "whole numbers beyond 2^53, which float64 does not distinguish: codes"
ROW_NUMBER = "whole numbers that identify rows, as row numbers do"
_NUMBERS_ROWS = re.compile(r"(^|[^a-zA-Z])(?i:id|nr|row|index|key)$|[a-z]I[Dd]$")
FEW = 20  # different texts are categories, whatever they are: 10%, 20%, 30%
MOST_OF = 0.9  # of the rows have the same unit
THOUSANDS = "separators of thousands"
_M, _D = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"  # version 1.13.00 is no day
_DAY = re.compile(
    rf"(\d{{4}}([-/.]){_M}\2{_D}|({_D}([-/.]){_M}\4|{_M}([-/]){_D}\5)(\d{{4}}|\d\d))([T ]\d.*)?"
    r"|\d?\d:[0-5]\d(:[0-5]\d.*)?",
    re.ASCII,
)
_WITH_UNIT = re.compile(
    r"([^\w\s+-]{0,2}) *([+-]?\d(?:[\d.,'\u2019\u00a0\u202f]| (?=\d))*)(\D{0,8})"
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,'\u2019\u00a0\u202f]\d{3}|( \d{3}){2})+([.,]\d+)?")
CONTINUOUS, CATEGORICAL = Kind("continuous"), Kind("categorical")


def find_columns(frame: Frame) -> tuple[Column, ...]:
    """A `Column` for each of a frame without missing values."""
    n = len(frame)
    sample = np.arange(0, n, max(1, math.ceil(n / EXAMINED)))
    numbers = [name for name in frame.names if frame[name].dtype.kind in NUMBERS]
    few: set[Name] = set()
    if numbers:
        x = np.column_stack([frame[name][sample] for name in numbers])
        found, _, _ = few_valued_columns(x, np.arange(len(x)))
        few = {numbers[j] for j in found}
    return tuple(_find(frame, name, sample, name in few) for name in frame.names)


def _find(frame: Frame, name: Name, sample: np.ndarray, few: bool) -> Column:
    values = frame[name]
    if values.dtype == bool:
        return _boolean(name, values)
    if values.dtype == object:
        return _text(frame, name)
    if values.dtype.kind in DATES:
        why = f"{values.dtype} from {values.min()!s:.10} to {values.max()!s:.10}"
        return Column(name, Kind("text"), "text", why=why, note=DAYS)
    low, high, distinct = float(values.min()), float(values.max()), np.unique(values)
    if len(distinct) == 1:
        return Column(name, Kind("constant"), "number", (_value(values[0].item()),), low, high,
                      f"always {_short(low)}", note="it has no density")  # fmt: skip
    kept = tuple(map(_value, distinct.tolist())) if len(distinct) <= MOST_VALUES else None
    why = f"{len(distinct):,} different numbers from {_short(low)} to {_short(high)}"
    column = Column(name, CONTINUOUS, "number", kept, low, high, why)
    if name in frame.declared and kept:
        return replace(column, kind=CATEGORICAL)
    if is_row_number(f"{name}", distinct, n=len(values)):
        suggestion, note = Kind("aside"), ROW_NUMBER
    elif values.dtype != float and max(-low, high) > 2**53:
        repeats = kept and 2 * len(kept) <= len(values)
        suggestion, note = CATEGORICAL if repeats else Kind("aside"), TOO_LARGE
    else:
        suggestion, note = _grid(distinct) if few else _shape(values[sample])
    return replace(column, suggestion=suggestion, note=note)


def is_row_number(name: str, distinct: np.ndarray, n: int) -> bool:
    """Whether whole numbers only identify n rows: they hardly repeat, and are called so, or start
    at 0 or 1 and leave hardly a gap. (Years leave none either, and have a meaning.)

    >>> x = np.arange(1000.0)
    >>> is_row_number("x", x, 1000), is_row_number("year", 1940 + x[:80], 80)
    (True, False)
    """
    if n < FEW_ROWS or len(distinct) < 0.9 * n or (distinct != np.rint(distinct)).any():
        return False
    counted = distinct[0] in (0, 1) and distinct[-1] < 1.1 * len(distinct)
    return bool(counted or _NUMBERS_ROWS.search(name))


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
    others = set() if declared else {v for v in counts if not _reads_as_number(v)}
    if 0 < sum(counts[v] for v in others) <= 0.5 * len(values):
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
    elif pattern := None if declared and kept else pattern_of(counts):
        kind, note = Kind("text"), pattern[1]
        why = f"{pattern[0]}, such as {distinct[0]!r:.40}"
    elif not (declared and kept):
        note = "" if others or declared else "it reads as numbers: make it one, unless it is a code"
        if kept is None or (2 * k > n and n >= LEAST):
            kind = Kind("text")
            note = note or "an identifier, or free text: nearly all of it is different"
    return Column(name, kind, "text", kept, why=why, note=note)


def _grid(distinct: np.ndarray) -> tuple[Kind | None, str]:
    """What few different numbers may be."""
    if len(distinct) == 2:
        return CATEGORICAL, "two values: values that repeat have no density"
    step = grid_step(distinct)
    spikes = "values that repeat have no density"
    if step == 1:
        counts = 0 <= distinct[0] <= distinct[-1] - distinct[0]  # draws of it are none below 0
        return Kind("integer", 1.0, 0.0 if counts else None), f"whole numbers: {spikes}"
    if step:
        first = float(distinct[0])
        off = abs(first - step * round(first / step))
        origin = None if off < 1e-6 * step + 4 * EPS * abs(first) else first
        return Kind("gridded", step, origin), f"multiples of {_short(step)}: {spikes}"
    if len(distinct) <= 20:
        return CATEGORICAL, f"few values: {spikes}"
    return None, f"on no grid: {spikes}. Add noise, or leave it aside"


def _shape(x: np.ndarray) -> tuple[Kind | None, str]:
    """What numbers that differ may be: of one sign, between two ends; or a spike among them."""
    values, counts = np.unique(x, return_counts=True)
    most = counts.max()
    if most >= max(LEAST, SPIKE * len(x)):
        value = _short(values[counts.argmax()])
        return None, (
            f"{most / len(x):.2g} of the rows have exactly {value}, a spike, which has no density: "
            "make it a category of its own beside the other numbers, or leave those rows out"
        )
    if len(x) < FEW_ROWS or values[0] <= 0:
        return None, ""
    score = _normal_score(x, 0.0)
    found = [(_normal_score(np.log(x), np.log(x)) - score, Kind("positive"), "a logarithm")]
    for low, high in RANGES:
        if x.max() < high and x.max() > 0.9 * high and x.min() < 0.1 * high:
            z = np.log(x - low) - np.log(high - x)
            slope = np.log(x - low) + np.log(high - x) - np.log(high - low)
            found.append(
                (_normal_score(z, slope) - score, Kind("bounded", 0.0, low, high), "a logit")
            )
    gain, kind, name = max(found, key=lambda item: item[0])
    if not GAIN < gain < math.inf:
        return None, ""
    return kind, f"all inside; {name} makes it more normal, by {gain:.2f} nats a row"


def _normal_score(z: np.ndarray, log_slope) -> float:
    """Mean log-likelihood of x as a normal z, up to a constant; log_slope = log dx/dz."""
    with np.errstate(all="ignore"):
        return float(-np.log(z.std()) - np.mean(log_slope))


def grid_step(distinct: np.ndarray) -> float:
    """The largest round step such that all values are whole steps apart, or 0: there is none.

    Looked for among 1, 5, 10, 25, 50, 100, ... times 1, 0.1, ..., 1e-6: that a few numbers are all
    even, say, is luck, and the next one may not be.

    >>> grid_step(np.array([0.5, 1.0, 2.0])), grid_step(np.array([0, 0.3, np.pi]))
    (0.5, 0.0)
    >>> grid_step(1.7e9 + np.array([0, 0.1, 0.2]))
    0.1
    """
    for decimals in range(7):
        scaled = distinct * 10.0**decimals
        whole, largest = np.rint(scaled), np.abs(scaled).max()
        if largest >= 2**53:
            return 0.0
        if np.abs(scaled - whole).max() <= 1e-8 + 4 * EPS * largest:  # what decimals are off
            common = int(np.gcd.reduce(np.diff(whole.astype(np.int64))))
            if common:
                return max(step for step in ROUND if common % step == 0) / 10**decimals
    return 0.0


# ---------------------------------------------------------------- texts


def pattern_of(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """(what most of these texts are, what to do), or None: neither numbers nor days.

    counts: how many rows have each text.

    >>> pattern_of({f"{k}%": 1 for k in range(30)})[0]
    "numbers with '%'"
    """
    least = MOST_OF * sum(counts.values())
    if len(counts) <= FEW:
        return None
    if sum(n for text, n in counts.items() if _DAY.fullmatch(text.strip())) >= least:
        return "days or times", "make it a number, such as days since a day"
    units: Counter[str | None] = Counter()
    for text, n in counts.items():
        units[unit_of(text)] += n
    unit = max(filter(None, units), key=units.__getitem__, default=None)
    if unit and units[unit] + (units[""] if unit == THOUSANDS else 0) >= least:
        return f"numbers with {unit}", "take that out of the file to have numbers"
    return None


def unit_of(text: str) -> str | None:
    """What makes a text no number: a sign or unit on one side of it, separators of thousands; ''
    for a number, None for another text.

    >>> unit_of("72.5 m²"), unit_of("1,234.50"), unit_of("72.5"), unit_of("from 3 to 4")
    ("' m²'", 'separators of thousands', '', None)
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if not found or (found[1] and found[3]):
        return None
    if found[1] or found[3]:
        return repr(found[1] or found[3])
    return THOUSANDS if _THOUSANDS.fullmatch(found[2]) else ""


def _value(number: float) -> Value:
    """A category's value as it is written: 3, not 3.0."""
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < 2**53)
    return int(number) if whole else number


def _short(number: float) -> str:
    return f"{float(number):.6g}"


def _reads_as_number(value) -> bool:
    if not isinstance(value, str):
        return not isinstance(value, (bool, np.bool_))
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value
