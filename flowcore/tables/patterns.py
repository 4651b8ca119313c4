"""Texts that are numbers with a unit, or days that no format reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .cells import FEW, PLAIN, notation_of_column, number

MOST_OF = 0.9  # of the rows are days
_M, _D = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"  # version 1.13.00 is no day
_DAY = re.compile(
    rf"(\d{{4}}([-/.]){_M}\2{_D}|({_D}([-/.]){_M}\4|{_M}([-/]){_D}\5)(\d{{4}}|\d\d))([T ]\d.*)?"
    r"|\d?\d:[0-5]\d(:[0-5]\d.*)?",
    re.ASCII,
)


def pattern_of(counts: Mapping[str, int]) -> tuple[str, str] | None:
    """(a description of most of these texts, a fix), or None: neither numbers nor days.

    counts: the number of rows with each text.

    >>> pattern_of({f"{k}%": 1 for k in range(30)})[0]
    "numbers with '%'"
    """
    if len(counts) <= FEW:
        return None
    days = sum(n for text, n in counts.items() if _DAY.fullmatch(text.strip()))
    if days >= MOST_OF * sum(counts.values()):
        return "days or times", "make it a number, such as days since a day"
    notation = notation_of_column(counts, ".")
    if notation is None:
        return None
    is_plain = notation.unit == PLAIN
    if is_plain and all(number(text, ".") is not None for text in counts):
        return None
    mark = "separators of thousands" if is_plain else repr("".join(notation.unit))
    return f"numbers with {mark}", "take that out of the file to have numbers"
