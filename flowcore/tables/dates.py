"""Dates and times of day: read from texts and numbers, as seconds, and written again.

Dates are seconds since 1970-01-01, times of day seconds since midnight. Formats are those of
Python's `strptime`; %-d, %-m, ... write a number without a leading zero. A column has one format,
which nearly all of its cells have: cells are never guessed one by one, since 1/2/2024 may be a day
of two months.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product

import numpy as np

from .cells import NEARLY, WORDS

DAY = 86400
MONTH = 2629746  # its mean, which stands for the unit
UNITS = {"month": MONTH, "day": DAY, "hour": 3600, "minute": 60, "second": 1}
EPOCH, MONDAY = datetime(1970, 1, 1), 3 * DAY  # 1970-01-01 was a Thursday
DAYS = (  # numbers may have a zero in front or not
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%d-%m-%Y", "%d-%b-%Y", "%d-%b-%y", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%B %d, %Y",
    "%d %B %Y", "%Y-%m", "%m/%Y", "%b %Y", "%b-%y", "%Y%m%d",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M", "T%H:%M:%SZ", "T%H:%M:%S.000Z",
    " %H:%M:%S+00:00", "T%H:%M:%S+00:00", " %I:%M %p", " %I:%M:%S %p",
)  # fmt: skip
TIMES = ("%H:%M", "%H:%M:%S")
LEAST, FEW, SOME = 10, 5, 200  # different values that show a format; those that are tried first
GUESSED, ODD = 50, 0.3  # values that pandas guesses a format of; at most odd among the first
FIRST, LAST = 17000101, 21991231  # of numbers that may be days
SOON = 5 * 365 * DAY  # years of two digits that are later are of another century: 1/7/45
HOURS, CHANCE = 8, 1e-3  # different hours of clock times; how rarely other numbers look like them


def has_year(form: str) -> bool:
    """Whether a format is that of days; else it is of times of day."""
    return "%y" in form.lower()


def seconds_of(values: np.ndarray, form: str) -> np.ndarray:
    """Seconds (n,) of dates, or of texts and numbers in a format; NaN if missing or not a date."""
    if values.dtype.kind == "M":
        whole = values.astype("datetime64[s]").astype(np.int64).astype(float)
        return np.where(np.isnat(values), np.nan, whole)
    texts = _texts(values, form)
    known = {text: _parsed(text, form) for text in set(texts)}
    return np.array([known[text] for text in texts], float)


def written(seconds: np.ndarray, form: str, number: bool) -> np.ndarray:
    """Seconds (n,) as dates: datetime64 without a format, else texts or numbers."""
    if not form:
        whole = np.where(np.isnan(seconds), 0, seconds).astype(np.int64).astype("datetime64[s]")
        whole = whole.astype("datetime64[ms]")  # polars has no seconds
        return np.where(np.isnan(seconds), np.datetime64("NaT", "ms"), whole)
    known = {s: _formatted(s, form) for s in set(seconds[~np.isnan(seconds)].tolist())}
    texts = [known.get(s) for s in seconds.tolist()]
    if number:
        whole = [np.nan if text is None else int(text) for text in texts]
        return np.array(whole, float if None in texts else np.int64)
    return np.fromiter(texts, object, len(texts))


def formats_of(counts: Mapping, number: bool = False) -> list[str]:
    """The date or time formats that nearly all cells have, of numbers all; empty if none fits.

    counts: the number of rows with each value. If formats of different meaning fit equally well
    (day and month in either order), the larger unit is first.
    """
    counts = {value: n for value, n in counts.items() if value not in WORDS}
    if len(counts) < LEAST:
        return []
    values, n = np.array([*counts]), np.array([*counts.values()])
    if number:
        days = min(counts) >= FIRST and max(counts) <= LAST
        forms = ["%Y%m%d"] if days else ["%H%M"] * is_clock(values)
    else:
        forms = [*map("".join, product(DAYS, CLOCKS)), *TIMES, *_guessed(values.tolist())]
    found: dict[bytes, tuple[float, int, str]] = {}
    for form in dict.fromkeys(forms):
        own, seconds = _read(values, form, number)
        good = ~np.isnan(seconds)
        if own and n[good].sum() >= (1.0 if number else NEARLY) * n.sum():
            key = -n[good].sum(), -UNITS[resolution_of(seconds[good])], own
            found.setdefault(seconds.tobytes(), key)
    fits = sorted(found.values(), key=lambda one: one[:2])
    return [form for n_good, _, form in fits if n_good == fits[0][0]]


def _guessed(texts: list[str]) -> Iterator[str]:
    """The formats that pandas, if it is there, guesses for some texts."""
    with suppress(ImportError):
        from pandas.tseries.api import guess_datetime_format

        for text, order in product(texts[:: -(-len(texts) // GUESSED)], (True, False)):
            first, second = [*map(int, re.findall(r"\d+", text)), 0, 0][:2]
            if (first > 31 or 12 < second <= 31) if order else 12 < first <= 31:
                continue  # it is the other order, and pandas would warn
            form = guess_datetime_format(text, dayfirst=order)
            if form and has_year(form) and re.search("%[mbB]", form):
                offset = re.search(r"(Z|[+-]\d\d:?\d\d)?$", text)[0]
                yield form.replace("%z", offset)


def _read(values: np.ndarray, form: str, number: bool) -> tuple[str, np.ndarray]:
    """(the format, with zeros in front of numbers as the values have them, or "" if it is none of
    theirs; (n,), seconds, NaN of odd values)."""
    nothing = "", np.full(len(values), np.nan)
    if np.isnan(seconds_of(values[:FEW], form)).mean() > ODD:  # most formats fail at the first
        return nothing
    seconds = seconds_of(values, form)
    some = np.flatnonzero(~np.isnan(seconds))[:SOME]
    if "%y" in form and np.nanmax(seconds) > time.time() + SOON:  # of another century
        return nothing
    parts = enumerate(re.split("(%[dmHI])" if not number else "$^", form))
    for own in map("".join, product(*([p, p.replace("%", "%-")][: 1 + i % 2] for i, p in parts))):
        again = written(seconds[some], own, number).tolist()
        if "%f" in own or again == values[some].tolist():
            return own, seconds
    return nothing


def is_clock(x: np.ndarray) -> bool:
    """Whether different whole numbers are times of day, such as 1345.

    They have minutes from 0 to at least 45, none above 59, in several hours. For the same number of
    random multiples of the step, this would happen by chance only once in a thousand times.

    >>> is_clock(np.array([100 * h + m for h in range(24) for m in (0, 15, 30, 45)]))
    True
    >>> is_clock(np.arange(1, 30)), is_clock(np.arange(100, 2000, 50))
    (False, False)
    """
    minutes, step = x % 100, np.gcd.reduce(np.append(x, 100).astype(np.int64))
    if minutes.min() > 0 or not 45 <= minutes.max() < 60 or x.max() >= 2400:
        return False
    chance = np.mean(np.arange(0, 100, step) < 60)
    return len(np.unique(x // 100)) >= HOURS and bool(chance ** np.sum(x >= 100) < CHANCE)


def resolution_of(seconds: np.ndarray) -> str:
    """The largest unit that divides all of them."""
    units = {unit: step for unit, step in UNITS.items() if unit != "month"}
    unit = next(unit for unit, step in units.items() if not (seconds % step).any())
    return "month" if unit == "day" and not calendar(seconds)[2].any() else unit


def repeats_of(seconds: np.ndarray, unit: str) -> str:
    """The period that repeats: "week", "year", or "" for none.

    It repeats if each day is more probable given the weekdays (or months) of all other days than
    with equal frequencies, by two standard errors.

    gain = mean log(L p(l)), where l is one of L weekdays or months, and p from the other days
    """
    days, n = np.unique(seconds // DAY * DAY, return_counts=True)
    gains = {"": 0.0}
    for name, codes, size, least in (
        ("week", weekday(days), 7, 28), ("year", calendar(days)[1], 12, 730),
    ):  # fmt: skip
        if days[-1] - days[0] < least * DAY or (unit, name) == ("month", "week"):
            continue
        others = np.bincount(codes, n)[codes] - n
        gain = n * np.log(size * (others + 0.5) / (n.sum() - n + size / 2))
        if gain.sum() > 2 * np.sqrt(len(days)) * gain.std():
            gains[name] = gain.sum() / n.sum()
    return max(gains, key=gains.__getitem__)


def weekday(seconds: np.ndarray) -> np.ndarray:
    """0 is Monday."""
    return ((seconds + MONDAY) // DAY % 7).astype(np.int64)


def calendar(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(year, month 0..11, day of the month 0..30)."""
    days = (seconds // DAY).astype(np.int64).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    number = months.astype(np.int64)
    day = (days - months.astype("datetime64[D]")).astype(np.int64)
    return 1970 + number // 12, number % 12, day


def from_calendar(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Seconds since 1970; a day that a month does not have counts as its last day."""
    months = (12 * (year - 1970) + month).astype(np.int64).astype("datetime64[M]")
    first, after = (m.astype("datetime64[D]") for m in (months, months + np.timedelta64(1, "M")))
    found = np.minimum(first + day.astype(np.int64), after - np.timedelta64(1, "D"))
    return found.astype(np.int64) * float(DAY)


def _texts(values: np.ndarray, form: str) -> list:
    if values.dtype.kind in "iuf":
        width = 4 if form == "%H%M" else 0
        return [f"{v:.0f}".zfill(width) if v == v else None for v in values.tolist()]
    return values.tolist()


def _parsed(text, form: str) -> float:
    start = EPOCH if not form or has_year(form) else datetime(1900, 1, 1)
    try:
        if not form:  # a date that was one, and is in a file of text
            return (datetime.fromisoformat(text) - start).total_seconds()
        whole = datetime.strptime(text, form.replace("%-", "%")).replace(microsecond=0)
        return (whole - start).total_seconds()
    except (TypeError, ValueError):
        return np.nan


def _formatted(seconds: float, form: str) -> str:
    date = (EPOCH if has_year(form) else datetime(1900, 1, 1)) + timedelta(seconds=seconds)
    own = re.sub("%-(.)", lambda part: f"{int(date.strftime('%' + part[1]))}", form)
    return date.strftime(own)
