"""Cells as people write them: numbers with a mark, ranges, words for a missing cell."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

_LISTED = ("?", "-", "--", "#n/a", "n.a.", "unknown", "missing", "not available", "none", "nil")
WORDS = {case(word) for word in _LISTED for case in (str, str.upper, str.title, str.capitalize)}
NEARLY = 0.98  # of the cells have to be numbers with the same unit
REPEATED = 0.01  # of the cells: a text among numbers is a class
MOST_DAYS = 31  # more different numbers with zeros in front are codes, and no days
SCALES = {"k": "e3", "K": "e3", "M": "e6"}
FEW = 20  # different values are categories, whatever they are: 10%, 20%, 30%
_OTHER = {".": ",", ",": "."}  # sign
PLAIN = ("", "")  # no currency, no unit
_SPACES = "'\u2019\u00a0\u202f "
_SIGNS = "$€£¥₹₽₩"
_OPEN = "<=|>=|<|>|≤|≥|over|under|above|below|more than|less than|up to|at least|at most"
_BODIES = [f"{{:{comma}{end}}}" for comma in ("", ",") for end in (".0f", ".1f", ".2f", ".15g")]


@cache
def _expressions(decimal: str) -> tuple[re.Pattern, re.Pattern]:
    """(a number with a mark, a range), for this decimal sign."""
    group, point = f"[{_OTHER[decimal]}{_SPACES}]", re.escape(decimal)
    grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+(?:{point}[0-9]+)?"
    x = rf"(?:{grouped}|[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)"
    money = rf"(?:[A-Z]{{0,2}}[{_SIGNS}]|USD|EUR|GBP|CHF|Rs\.?)?"
    letters = r"[^\W\d_]"
    unit = rf"[%‰°{_SIGNS}'\"\u2032\u2033]?{letters}{{0,8}}(?:/{letters}{{1,4}})?\.?"
    marked = (
        rf"(?P<open>\()?(?P<sign>[+\-\u2212]?)(?P<money>{money})\s?(?P<minus>[\-\u2212]?)"
        rf"(?P<x>{x})(?P<space>\s?)(?P<unit>{unit})(?(open)\))"
    )
    a_range = (
        rf"{money}\s?(?:(?P<open>{_OPEN})\s*{money}{x}|{x}\s?(?:-|\u2013|to|\.\.)\s?{money}{x}|"
        rf"{x}\s?{unit}(?P<more>\+))\s?{unit}"
    )
    return re.compile(marked), re.compile(a_range, re.IGNORECASE)


def number(cell: str, decimal: str) -> float | None:
    """The number that a cell is, None for anything else, or for one that no float64 holds.

    >>> number(" -1,5e3", ","), number("7", "."), number("7.5", ","), number("1e999", ".")
    (-1500.0, 7, None, None)
    """
    cell = cell.strip().replace("\u2212", "-")
    if decimal != ".":
        cell = cell.replace(".", "?").replace(decimal, ".", 1)
    try:
        value = float(cell)
    except ValueError:
        return None
    too_large = math.isinf(value) and "n" not in cell.lower()
    if too_large or "_" in cell or not cell.isascii():
        return None
    return int(cell) if cell.lstrip("+-").isdigit() else value


def marked_number(
    cell: str, decimal: str = ".", grouped: bool = True
) -> tuple[float, tuple[str, str]] | None:
    """(the number that a cell is, (its currency, its unit)); None for anything else.

    grouped: whether 1,234 are thousands, and no other decimal sign.

    >>> marked_number("$1,234.50"), marked_number("(12 %)"), marked_number("3A")
    ((1234.5, ('$', '')), (-12, ('', '%')), None)
    """
    if (plain := number(cell, decimal)) is not None:
        return (plain, PLAIN) if math.isfinite(plain) else None
    if not grouped and number(cell, _OTHER[decimal]) is not None:
        return None
    found = _expressions(decimal)[0].fullmatch(cell.strip())
    if not found:
        return None
    money, unit = found["money"], found["unit"]
    if len(unit) == 1 and unit.isalpha() and not (money or found["space"] or unit in SCALES):
        return None  # 3A is a flat
    digits = re.sub(f"[^0-9{decimal}]", "", found["x"]).replace(decimal, ".")
    value = number(digits + SCALES.get(unit, ""), ".")
    is_negative = found["open"] or found["sign"] in ("-", "\u2212") or found["minus"]
    return -value if is_negative else value, (money, "" if unit in SCALES else unit)


def unit_of_column(
    counts: Mapping[str, int], decimal: str, grouped: bool = True
) -> tuple[str, str] | None:
    """The unit of a column with these cells, stripped, none missing, if it is one of numbers; None
    for a column of text: categories, codes.

    Numbers are nearly all of the cells; without a unit, at least half of them.
    """
    read = {cell: marked_number(cell, decimal, grouped) for cell in counts}
    units = Counter([PLAIN])
    for cell, own in read.items():
        units[own[1] if own else PLAIN] += counts[cell] if own and own[1] != PLAIN else 0
    unit, total = units.most_common(1)[0][0], max(1, sum(counts.values()))
    x = {cell for cell, own in read.items() if own and own[1] in (PLAIN, unit)}
    others = {cell: _expressions(decimal)[1].fullmatch(cell) for cell in counts if cell not in x}

    def share(cells: Iterable[str]) -> float:
        return sum(counts[cell] for cell in cells) / total

    ranges = share(cell for cell, own in others.items() if own)
    if share(cell for cell in others if _is_plain(cell, _OTHER[decimal])) > 0.5:
        return PLAIN  # which is an error that names the decimal sign
    is_marked = x and share(x) + ranges >= NEARLY
    are_plain = not counts or share(cell for cell in x if _is_plain(cell, decimal)) > 0.5
    if not (is_marked or are_plain) or ranges >= 0.5 or _are_codes(x):
        return None
    often = max(2, REPEATED * total)
    repeat = any(counts[c] >= often or (r and (r["open"] or r["more"])) for c, r in others.items())
    if repeat and len(counts) <= FEW:  # categories
        return None
    return unit if is_marked else PLAIN


def _is_plain(cell: str, decimal: str) -> bool:
    return (x := number(cell, decimal)) is not None and math.isfinite(x)


def _are_codes(cells: Iterable[str]) -> bool:
    """Whether numbers are codes: 12E5, 007 and many more, 614 555 123."""
    cells = [*cells]
    scientific = all(re.fullmatch(r"\d+[eE]\d+", cell) for cell in cells)
    padded = any(re.fullmatch(r"0\d+", cell) for cell in cells) and len(cells) > MOST_DAYS
    spaced = [len(re.findall(r"\d \d", cell)) for cell in cells]
    return bool(cells) and (
        scientific or (padded and all(map(str.isdecimal, cells))) or 0 < min(spaced) == max(spaced)
    )


def form_of(cells: Mapping[str, float]) -> str:
    """The form in which numbers are written, such as "${:,.2f}", from cells and their numbers.

    If none fits all, its body is {}: draws are written without a mark. "" for plain numbers.
    """
    marked = [cell for cell, x in cells.items() if x not in (number(cell, "."), number(cell, ","))]
    if not marked:
        return ""
    longest = max(marked, key=lambda cell: len(re.sub(r"[\d\s.,()kKM+'\u2019-]", "", cell)))
    before, after = re.fullmatch(r"[(+-]?(\D*?)-?\d(?:.*\d)?(.*?)\)?", longest.strip()).groups()
    for body in _BODIES:
        for decimal in ".,":
            if all(written(x, before + body + after, decimal) == cell for cell, x in cells.items()):
                return before + body + after
    return f"{before}{{}}{after}"


def written(x: float, form: str, decimal: str = ".") -> str:
    """A number as a cell.

    >>> written(-1234.5, "${:,.2f}"), written(0.5, ""), written(12.5, "{:.15g} %", ",")
    ('-$1,234.50', '0.5', '12,5 %')
    """
    if not form or "{}" in form:
        return f"{x}".replace(".", decimal)
    before, body, after = re.fullmatch(r"(.*)({.*})(.*)", form, re.DOTALL).groups()
    text = body.format(abs(x))
    text = text if decimal == "." else text.translate(str.maketrans(_OTHER))
    return f"{'-' * bool(x < 0)}{before}{text}{after}"


def as_texts(x: np.ndarray, form: str, decimal: str = ".") -> np.ndarray:
    """Numbers as cells, None for missing ones; text as it is."""
    texts = [None if v != v else v if isinstance(v, str) else written(v, form, decimal) for v in x]
    return np.fromiter(texts, object, len(x))
