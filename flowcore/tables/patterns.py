"""Texts that are numbers with a unit, or days that no format reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

FEW = 20  # different values are categories, whatever they are: 10%, 20%, 30%
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


def pattern_of(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """(a description of most of these texts, a fix), or None: neither numbers nor days.

    counts: the number of rows with each text.

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
    """The part that keeps a text from being a number: a sign or unit on one side of it, separators
    of thousands; '' for a number, None for another text.

    >>> unit_of("72.5 m²"), unit_of("1,234.50"), unit_of("72.5"), unit_of("from 3 to 4")
    ("' m²'", 'separators of thousands', '', None)
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if not found or (found[1] and found[3]):
        return None
    if found[1] or found[3]:
        return repr(found[1] or found[3])
    return THOUSANDS if _THOUSANDS.fullmatch(found[2]) else ""


def reads_as_number(value) -> bool:
    """Whether a cell is a number, or text that `float` reads."""
    if not isinstance(value, str):
        return not isinstance(value, (bool, np.bool_))
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value
