"""How a text table is written: separator, decimal sign, quotes, what stands for a missing value."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from ..core import fixable

SEPARATORS = (",", ";", "\t", "|")
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", flags=re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """What has to be known to read cells; separator None: found in the first line."""

    separator: str | None = None
    decimal: str = "."
    quote: str = '"'
    missing_values: tuple[str, ...] = MISSING_WORDS

    def __post_init__(self):
        words = (self.missing_values,) if isinstance(self.missing_values, str) else None
        object.__setattr__(self, "missing_values", words or tuple(self.missing_values))
        if not all(isinstance(word, str) for word in self.missing_values):
            raise ValueError(f"missing_values are texts: got {self.missing_values!r:.80}")
        if self.decimal not in (".", ","):
            raise ValueError(f'decimal is "." or ",": got {self.decimal!r:.20}')
        if self.quote not in ('"', "'"):
            raise ValueError(f"quote is \" or ': got {self.quote!r:.20}")
        taken = set("0123456789+-.eE\r\n") | {self.decimal, self.quote}
        given = self.separator
        if given is not None and not (
            isinstance(given, str) and len(given) == 1 and given.isascii() and given not in taken
        ):
            raise ValueError(
                "separator is one character, not part of numbers (the decimal sign is "
                f"{self.decimal!r}): got {given!r:.20}"
            )

    def found_in(self, line: str) -> str:
        """The separator of a first line; a ValueError if several may be it."""
        bare = self.without_quoted(line)
        found = [s for s in SEPARATORS if s in bare and s != self.decimal]
        if len(found) > 1:
            raise fixable(
                ValueError,
                f"the first line has {' and '.join(map(repr, found))}, and one of them separates "
                "columns: ",
                *({"separator": sign} for sign in found),
            )
        return found[0] if found else ";" if self.decimal == "," else ","

    def without_quoted(self, text: str) -> str:
        """The text with nothing between its quotes but ends of lines."""

        def emptied(found: re.Match) -> str:
            return self.quote + "\n" * found[0].count("\n") + self.quote

        return re.sub(f"{self.quote}[^{self.quote}]*{self.quote}", emptied, text)

    def rows(self, text: str):
        """A csv.reader of the records of a text: the exact way, one record at a time."""
        return csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.separator,
            quotechar=self.quote,
            strict=True,
        )

    def number(self, cell: str) -> float:
        """A cell as a number, NaN if it is missing; a ValueError for anything else, an
        OverflowError for a number beyond all floats.

        >>> Dialect(decimal=",").number(" -1,5e3 ")
        -1500.0
        """
        cell = cell.strip(" \t")
        if cell in self.missing_values:
            return float("nan")
        text = cell
        if self.decimal != ".":
            if "." in cell:
                raise ValueError(f"is no number where the decimal sign is {self.decimal!r}")
            text = cell.replace(self.decimal, ".", 1)
        if _NUMBER.fullmatch(text):
            value = float(text)
            if abs(value) == float("inf"):
                raise OverflowError("is beyond what a float64 holds")
            return value
        if _INFINITE.fullmatch(text):
            return float(text)
        raise ValueError("is no number")

    def is_missing(self, cell: str) -> bool:
        """Whether a cell of text is missing; spaces count."""
        return cell in self.missing_values

    def reads_as_number(self, cell: str) -> bool:
        """Whether a cell is written like a number, perhaps one too large; a missing one is not."""
        try:
            value = self.number(cell)
        except OverflowError:
            return True
        except ValueError:
            return False
        return value == value
