"""Texts that are numbers with a mark, or days: '12%', '€ 3.50', '1,234.50', '2024-05-17'.

As categories they would be modelled without a warning, each of them a value of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

FEW = 20  # different texts are categories, whatever they are: 10%, 20%, 30%
MOST_OF = 0.9  # of the rows have the same mark
THOUSANDS = "separators of thousands"
_M, _D = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"  # version 1.13.00 is no day
_DAY = re.compile(
    rf"(\d{{4}}([-/.]){_M}\2{_D}|({_D}([-/.]){_M}\4|{_M}([-/]){_D}\5)(\d{{4}}|\d\d))([T ]\d.*)?"
    r"|\d?\d:[0-5]\d(:[0-5]\d.*)?",
    re.ASCII,
)
_MARKED = re.compile(r"([^\w\s+-]{0,2}) *([+-]?\d(?:[\d.,'\u2019\u00a0\u202f]| (?=\d))*)(\D{0,8})")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,'\u2019\u00a0\u202f]\d{3}|( \d{3}){2})+([.,]\d+)?")


def said_by(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """(what most of these texts are, what to do), or None: neither numbers nor days.

    counts: how many rows have each text.

    >>> said_by({f"{k}%": 1 for k in range(30)})[0]
    "numbers with '%'"
    """
    least = MOST_OF * sum(counts.values())
    if len(counts) <= FEW or not all(isinstance(text, str) for text in counts):
        return None
    if sum(n for text, n in counts.items() if _DAY.fullmatch(text.strip())) >= least:
        return "days or times", "make it a number, such as days since a day"
    marks: Counter[str | None] = Counter()
    for text, n in counts.items():
        marks[mark_of(text)] += n
    mark = max(filter(None, marks), key=marks.__getitem__, default=None)
    if mark and marks[mark] + (marks[""] if mark == THOUSANDS else 0) >= least:
        return f"numbers with {mark}", "take that out of the file to have numbers"
    return None


def mark_of(text: str) -> str | None:
    """What makes a text no number: a sign or unit on one side of it, separators of thousands; ''
    for a number, None for another text.

    >>> mark_of("72.5 m²"), mark_of("1,234.50"), mark_of("72.5"), mark_of("from 3 to 4")
    ("' m²'", 'separators of thousands', '', None)
    """
    found = _MARKED.fullmatch(text.strip())
    if not found or (found[1] and found[3]):
        return None
    if found[1] or found[3]:
        return repr(found[1] or found[3])
    return THOUSANDS if _THOUSANDS.fullmatch(found[2]) else ""
