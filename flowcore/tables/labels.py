"""Texts that say a number or a day: '12%', '€ 3.50', '1,234.50', '2024-05-17'.

As categories they would be modelled without a word, each of them a value of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FEW = 20  # different texts are categories, whatever they say: 10%, 20%, 30%
MOST_OF = 0.9  # of the rows say the same sort of thing
_M, _D = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"  # version 1.13.00 is no day
_DAY = re.compile(
    rf"(\d{{4}}([-/.]){_M}\2{_D}|({_D}([-/.]){_M}\4|{_M}([-/]){_D}\5)(\d{{4}}|\d\d))([T ]\d.*)?"
    r"|\d?\d:[0-5]\d(:[0-5]\d.*)?",
    re.ASCII,
)
_WORDS = (  # units that are known: 12 Main, 12th, 12A are none
    "nm|µm|um|mm|cm|dm|km|ha|sqm|sqft|inch|inches|in|ft|feet|yd|mi|miles?|"
    "µg|ug|mg|kg|lbs?|oz|tons?|tonnes?|ml|cl|dl|ltr|lit(?:re|er)s?|gal|"
    "ns|us|ms|sec|seconds?|min|minutes?|hrs?|hours?|days?|weeks?|months?|yrs?|years?|"
    "k?Hz|[MG]Hz|rpm|mph|km?ph|kmh|kt|kn|mV|kV|mA|[kMG]W|[kM]?Wh|hp|PS|[kM]J|k?cal|m?mol|"
    "[hkM]?Pa|m?bar|psi|kN|Nm|dB|px|bytes?|[kMGT]B|pct|percent|ppm|ppb|"
    "USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN"
)
_UNIT = rf"(?:[mgtlLshVWJKNk]|(?i:{_WORDS}))[²³23]?"
_THOUSANDS = r"\d{1,3}(?:[.,'\u2019 \u00a0\u202f]\d{3})+(?:[.,]\d+)?"
_MARKED = re.compile(
    rf"(?P<before>[$€£¥]?) *[+-]?(?:(?P<thousands>{_THOUSANDS})|\d+(?:[.,]\d+)?)"
    rf"(?P<after>[ \u00a0]?(?:[%‰]|°[CF]?|(?:[$€£¥]|{_UNIT})(?:/{_UNIT})?)?)"
)
_TWO_CODES = re.compile(r"\d{1,3} \d{3}", re.ASCII)  # 112 212


def said_by(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """(what most of these texts say, what to do), or None: they say no number and no day.

    counts: how many rows have each text.

    >>> said_by({f"{k}%": 1 for k in range(30)})[0]
    "numbers with '%'"
    """
    least = MOST_OF * sum(counts.values())
    if len(counts) <= FEW or not all(isinstance(text, str) for text in counts):
        return None
    days = sum(n for text, n in counts.items() if _DAY.fullmatch(text.strip()))
    if days >= least:
        return "days or times", "make it a number, such as days since a day"
    marks: dict[str, int] = {}
    for text, n in counts.items():
        mark = mark_of(text)
        if mark and not (mark == SEPARATORS and _TWO_CODES.fullmatch(text.strip())):
            marks[mark] = marks.get(mark, 0) + n
    unmarked = sum(n for text, n in counts.items() if _is_plain(text))
    mark = max(marks, key=marks.__getitem__, default="")
    if mark and marks[mark] + (unmarked if mark == SEPARATORS else 0) >= least:
        return f"numbers with {mark}", "take that out of the file to have numbers"
    return None


SEPARATORS = "separators of thousands"


def mark_of(text: str) -> str:
    """What makes a text no number: a sign, a unit that is known, separators of thousands; '' if
    it is another.

    >>> mark_of("72.5 m²"), mark_of("1,234.50"), mark_of("72.5"), mark_of("12 Main")
    ("' m²'", 'separators of thousands', '', '')
    """
    found = _MARKED.fullmatch(text.strip())
    if not found:
        return ""
    sign = found["before"] or found["after"]
    return repr(sign) if sign else SEPARATORS if found["thousands"] else ""


def _is_plain(text: str) -> bool:
    found = _MARKED.fullmatch(text.strip())
    return bool(found) and not (found["before"] or found["after"])
