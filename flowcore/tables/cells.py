"""Cells as people write them: numbers with a mark, ranges, words for a missing cell."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

_LISTED = ("?", "-", "--", "#n/a", "n.a.", "unknown", "missing", "not available", "none", "nil")
WORDS = {case(word) for word in _LISTED for case in (str, str.upper, str.title, str.capitalize)}
NEARLY = 0.98  # of the cells have the same format of dates
SAME = 0.9  # of the cells have to be numbers with the same unit
REPEATED = 0.01  # of the cells: a text among numbers is a class
MOST_DAYS = 31  # more different numbers with zeros in front are codes, and no days
PLAIN = ("", "")  # no currency, no unit
SCALES = {"k": "e3", "m": "e6", "b": "e9"}  # behind an amount of money
FEW = 20  # different values are categories, whatever they are: 10%, 20%, 30%
_OTHER = {".": ",", ",": "."}  # sign
_ALIKE = str.maketrans("\u2212\u2019\u00a0\u202f\u2009", "-'   ")  # signs, and spaces
_CODE = re.compile("[0-9]+[eE][0-9]+")  # 12E5, though floats are written so, too
_SIGNS = "$€£¥₹₽₩"
_OPEN = "<=|>=|<|>|≤|≥|over|under|above|below|more than|less than|up to|at least|at most"
_BODIES = [f"{{:{comma}{end}}}" for comma in ("", ",") for end in (".0f", ".1f", ".2f", ".15g")]


@cache
def _expressions(decimal: str) -> tuple[re.Pattern, re.Pattern]:
    """(a number with a mark, a range), for this decimal sign."""
    point = re.escape(decimal)
    grouped = (
        rf"[1-9][0-9]{{0,2}}(?P<group>[{_OTHER[decimal]}' ])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
    )
    x = rf"(?:{grouped}(?:{point}[0-9]+)?|[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)"
    money = rf"(?:[A-Z]{{0,2}}[{_SIGNS}]|(?i:USD|EUR|GBP|CHF)|Rs\.?)?"
    letters = r"[^\W\d_]"
    unit = rf"[%‰°{_SIGNS}'\"\u2032\u2033]?(?:{letters}{{1,8}}\.?)?(?:/{letters}{{1,4}}\.?)?"
    marked = (
        rf"(?P<open>\()?(?P<sign>[+-]?)(?P<money>{money})\s?(?P<minus>-?)"
        rf"(?P<x>{x})\s?(?P<unit>{unit})(?(open)\))"
    )
    any_x = rf"[0-9]+(?:[{_OTHER[decimal]}' {point}][0-9]+)*"
    a_range = (
        rf"{money}\s?(?:(?P<open>{_OPEN})\s*{money}{any_x}|"
        rf"{any_x}\s?(?:-|\u2013|to|\.\.)\s?{money}{any_x}|{any_x}\s?{unit}(?P<more>\+))\s?{unit}"
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


class Cell(NamedTuple):
    """A number as it is written.

    unit    (its currency, its unit), the unit in one spelling
    group   its mark of thousands, "" if it shows none
    thirds  "decimal" for 2.050, which others write for 2050; "group" for 2,050, which others write
            for 2.05; "clear" for 1,234.500, which has both marks; "" for all else
    """

    value: float
    unit: tuple[str, str] = PLAIN
    group: str = ""
    thirds: str = ""


def read_cell(cell: str, decimal: str = ".", grouped: bool = True) -> Cell | None:
    """The number that a cell is, with how it is written; None for anything else.

    grouped: whether 1,234 are thousands, and no other decimal sign.

    >>> read_cell("$1,234.50").value, read_cell("(12 %)")[:2], read_cell("--5"), read_cell("12E5")
    (1234.5, (-12, ('', '%')), None, None)
    """
    cell = cell.strip().translate(_ALIKE)
    if _CODE.fullmatch(cell):
        return None
    if (plain := number(cell, decimal)) is not None:
        return Cell(plain, thirds=_thirds(cell, "", decimal)) if math.isfinite(plain) else None
    found = _expressions(decimal)[0].fullmatch(cell)
    if not found or len(found["sign"] + found["minus"] + (found["open"] or "")) > 1:
        return None
    x, group, unit = found["x"], found["group"] or "", _one_spelling(found["unit"])
    if not grouped and group == _OTHER[decimal]:
        return None
    money = found["money"].upper()
    is_tight = re.search(r"[0-9][A-Z]$", cell) and unit not in ("K", "M", "B")
    if is_tight and not money:  # 3A is a flat
        return None
    scale = SCALES.get(unit.lower(), "") if money else ""
    value = number(re.sub(f"[^0-9{decimal}]", "", x).replace(decimal, ".") + scale, ".")
    if value is None:  # too large
        return None
    is_negative = found["open"] or "-" in found["sign"] + found["minus"]
    unit = money, "" if scale else unit
    return Cell(-value if is_negative else value, unit, group, _thirds(x, group, decimal))


def _thirds(x: str, group: str, decimal: str) -> str:
    """See `Cell`."""
    head, *thirds = re.split("[.,]", x.lstrip("+-"))
    if len(thirds) == 2 and group and decimal in x and len(thirds[1]) == 3:
        return "clear"
    is_one = len(thirds) == 1 and len(thirds[0]) == 3 and re.fullmatch("[1-9][0-9]{0,2}", head)
    return ("decimal" if decimal in x else "group") if is_one else ""


def _one_spelling(unit: str) -> str:
    """Month, MONTHS and months are one unit, and so are KG and kg, but MW and mW, K and k differ.

    >>> [_one_spelling(unit) for unit in ("Months", "yrs.", "KG", "mW", "K", "ms")]
    ['month', 'yr', 'kg', 'mW', 'K', 'ms']
    """
    unit = unit.rstrip(".")
    if not unit.isalpha():
        return unit
    if (len(unit) > 1 and unit.isupper()) or (len(unit) > 2 and unit.istitle()):
        unit = unit.lower()
    return unit[:-1] if len(unit) > 2 and unit[-1] == "s" else unit


@dataclass(frozen=True)
class Notation:
    """How the numbers of a column are written. A number that is written otherwise is not read,
    because its scale is in doubt: months among years, % among shares, 2,050 beside 2.050.

    unit     the currency and the unit of all of them
    group    the mark of thousands of those that have one
    thirds   "decimal" or "group": which of 2.050 and 2,050 is read, if the column has both
    grouped  whether 1,234 are thousands
    """

    decimal: str = "."
    unit: tuple[str, str] = PLAIN
    group: str = ""
    thirds: str = ""
    grouped: bool = True

    @classmethod
    def of(
        cls, counts: Mapping[str, int], decimal: str, grouped: bool = True,
        unit: tuple[str, str] | None = None,
    ) -> Notation:  # fmt: skip
        """That of most cells. counts: the number of rows with each; unit: where it is known."""
        read = [(read_cell(cell, decimal, grouped), n) for cell, n in counts.items()]
        read = [(cell, n) for cell, n in read if cell]
        if unit is None:
            unit = _most([(cell.unit, n) for cell, n in read], PLAIN)
        own = [(cell, n) for cell, n in read if cell.unit == unit]
        group = _most([(cell.group, n) for cell, n in own if cell.group], "")
        decimals = sum(n for cell, n in own if cell.thirds == "decimal")
        thousands = sum(n for cell, n in own if cell.group == _OTHER[decimal])
        thirds = "decimal" if decimals > thousands else "group"
        if not decimals or not thousands or any(cell.thirds == "clear" for cell, _ in own):
            thirds = ""
        return cls(decimal, unit, group, thirds, grouped)

    def number(self, cell: str) -> float | None:
        """The number that a cell is; None for other texts, and for numbers written otherwise."""
        read = read_cell(cell, self.decimal, self.grouped)
        if read is None:
            return None
        is_free = self.unit[0] and read.unit == PLAIN and read.value == 0  # in any currency
        own_unit = read.unit == self.unit or is_free
        own_group = read.group in ("", self.group)
        own_thirds = not self.thirds or read.thirds in ("", self.thirds)
        return read.value if own_unit and own_group and own_thirds else None


def _most(pairs: Iterable[tuple[Any, int]], default: Any) -> Any:
    """The key with the largest sum of numbers."""
    total = Counter()
    for key, n in pairs:
        total[key] += n
    return total.most_common(1)[0][0] if total else default


def readings(cell: str, decimal: str) -> list[str]:
    """What a number might be that is not written as its column is, for a message.

    >>> readings("9 months", "."), readings("268.8 K", "."), readings("2,050", ".")
    (['9', '9 months'], ['268.8', '268800'], ['2050', '2.05'])
    """
    read = read_cell(cell, decimal)
    if read is None:
        return []
    letter = SCALES.get(read.unit[1].lower()) if not read.unit[0] else None
    if letter:
        return [f"{read.value:.15g}", f"{float(f'{read.value}{letter}'):.15g}"]
    if read.unit != PLAIN:
        return [f"{read.value:.15g}", cell.strip()]
    other = read_cell(cell, _OTHER[decimal])
    return [f"{one.value:.15g}" for one in (read, other) if one]


def notation_of_column(
    counts: Mapping[str, int], decimal: str, grouped: bool = True
) -> Notation | None:
    """The notation of a column with these cells, stripped, none missing, if it is one of numbers;
    None for a column of text: categories, codes.

    Numbers are at least nine tenths of the cells; without a unit, at least half of them.
    """
    total = max(1, sum(counts.values()))
    notation = Notation.of(counts, decimal, grouped)
    x = {cell for cell in counts if notation.number(cell) is not None}
    others = {cell: _expressions(decimal)[1].fullmatch(cell) for cell in counts if cell not in x}

    def share(cells: Iterable[str]) -> float:
        return sum(counts[cell] for cell in cells) / total

    ranges = share(cell for cell, own in others.items() if own)
    if share(cell for cell in others if _is_plain(cell, _OTHER[decimal])) > 0.5:
        return Notation(decimal, grouped=grouped)  # an error that names the decimal sign
    is_marked = x and share(x) + ranges >= SAME
    are_plain = not counts or share(cell for cell in x if _is_plain(cell, decimal)) > 0.5
    if not (is_marked or are_plain) or ranges >= 0.5 or _are_codes(x):
        return None
    often = max(2, REPEATED * total)
    repeat = any(counts[c] >= often or (r and (r["open"] or r["more"])) for c, r in others.items())
    if repeat and len(counts) <= FEW:  # categories
        return None
    return notation


def _is_plain(cell: str, decimal: str) -> bool:
    x = None if _CODE.fullmatch(cell) else number(cell, decimal)
    return x is not None and math.isfinite(x)


def _are_codes(cells: Iterable[str]) -> bool:
    """Whether numbers are codes: 007 and many more, 614 555 123."""
    cells = [*cells]
    padded = any(re.fullmatch(r"0\d+", cell) for cell in cells) and len(cells) > MOST_DAYS
    spaced = [len(re.findall(r"\d \d", cell)) for cell in cells]
    return bool(cells) and (
        (padded and all(map(str.isdecimal, cells))) or 0 < min(spaced) == max(spaced)
    )


def form_of(cells: Mapping[str, float]) -> str:
    """The form in which numbers are written, such as "${:,.2f}", from cells and their numbers.

    If none fits all, its body is {}: draws have the digits that they need. "" for plain numbers.
    """
    marked = [cell for cell, x in cells.items() if x not in (number(cell, "."), number(cell, ","))]
    if not marked:
        return ""
    longest = max(marked, key=lambda cell: len(re.sub(r"[\d\s.,()+'\u2019-]", "", cell)))
    before, after = re.fullmatch(r"[(+-]?(\D*?)-?\d(?:.*\d)?(.*?)\)?", longest.strip()).groups()
    if read_cell(f"{before}1{after}").unit[1] == "" and after.strip():  # it scales the number
        after = ""
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
    if not form:
        return f"{x}".replace(".", decimal)
    before, body, after = re.fullmatch(r"(.*)({.*})(.*)", form, re.DOTALL).groups()
    text = body.format(abs(x))
    text = text if decimal == "." else text.translate(str.maketrans(_OTHER))
    return f"{'-' * bool(x < 0)}{before}{text}{after}"


def as_texts(x: np.ndarray, form: str, decimal: str = ".") -> np.ndarray:
    """Numbers as cells, None for missing ones; text as it is."""
    texts = [None if v != v else v if isinstance(v, str) else written(v, form, decimal) for v in x]
    return np.fromiter(texts, object, len(x))
