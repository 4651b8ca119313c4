"""CSV by pandas, block by block; by Python's `csv` module where pandas is not exact."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.lib import NumpyVersion

from ..core import fixable, warn
from .frame import Frame, Name, check_there
from .patterns import unit_of
from .schema import Schema

SEPARATORS = ",;\t|"
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")
FIRST = 2**18  # characters of the block that settles the types, whatever `block_bytes` is
LONGEST = 1000  # lines of a header
EXACT = {"float_precision": "round_trip"}  # of pandas before 3.1, which reads exactly
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.A | re.I)
_NO_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no text, by `surrogateescape`


@dataclass
class Csv:
    """A text table: its format, and, once its first block is read, the types of its columns.

    read: name -> place of each column to read; numbers, texts: place -> texts of missing values,
    for the columns of each type
    """

    source: str
    columns: Sequence[Name] | None
    schema: Schema | None
    text: Sequence[Name]
    header: bool
    separator: str | None
    decimal: str
    quote: str
    missing: list[str]
    encoding: str

    def __post_init__(self):
        if self.decimal not in (".", ",") or self.quote not in ('"', "'"):
            raise ValueError(
                f'decimal is "." or ",", quote is " or \': got {self.decimal!r:.20} and '
                f"{self.quote!r:.20}"
            )
        taken, sign = {*"0123456789+-.eE\r\n", self.decimal, self.quote}, self.separator
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in taken):
            raise ValueError(
                "separator is one character, not part of numbers (the decimal sign is "
                f"{self.decimal!r}): got {sign!r:.20}"
            )

    def blocks(self, stream: BinaryIO, block_bytes: int) -> Iterator[Frame]:
        """Frames of the records of a stream."""
        line, row, lines, self.pandas = 1, 0, None, _pandas(self.source)
        is_utf16 = stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        self.encodings = ("utf-16",) if is_utf16 else ("utf-8", "cp1252", "latin-1")
        try:
            as_it_is = codecs.lookup(self.encoding).name == "utf-8"
            encoding = "utf-8-sig" if as_it_is else self.encoding  # leaves out a byte order mark
            lines = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")
            part, line = self._head(lines)
            part += lines.readlines(FIRST)
            while True:
                found, count = self._by_pandas(part) if row else None, len(part)
                if found is None:
                    found, count = self._by_csv(chain(part, lines), count, line, row)
                frame = Frame(found, self.source, row)
                if len(frame) or row == 0:
                    yield frame
                line, row = line + count, row + len(frame)
                if not (part := lines.readlines(block_bytes)):
                    return
        except LookupError:
            problem = f"{self.encoding!r:.40} is no encoding of text: name another"
            raise ValueError(f"{self.source}: {problem}") from None
        except UnicodeError as problem:
            raise self._not_text(self.source, f" ({problem!s:.100})") from None
        finally:
            if lines is not None:
                lines.detach()

    def _head(self, lines) -> tuple[list[str], int]:
        """Settle separator and names; (lines that belong to the rows, the first one's number)."""
        head, count = [], 0
        for count, line in enumerate(lines, 1):
            if not _is_text(line):
                raise self._not_text(f"{self.source}: line {count}", line)
            head += [line] if head or line.strip() else []
            record = "".join(head)
            if head and (record.count(self.quote) % 2 == 0 or len(head) > LONGEST):
                break
        if not head:
            raise ValueError(f"{self.source} is empty: there is not even a header")
        self.separator = self.separator or self._found_in(record)
        reader = self._reader(head)
        try:
            names = next(reader)
        except csv.Error as problem:
            raise ValueError(f"{self.source}: the first line cannot be read: {problem}") from None
        self.names = tuple(range(len(names)))
        if self.header:
            head = head[reader.line_num :]
            self.names = tuple(name.strip() for name in names)
            self._check_names()
        return head, count + 1 - len(head)

    def _reader(self, lines):
        return csv.reader(lines, delimiter=self.separator, quotechar=self.quote, strict=True)

    def _found_in(self, record: str) -> str:
        """The separator of a first record; a ValueError if several may be it."""
        bare = re.sub(f"{self.quote}[^{self.quote}]*{self.quote}", "", record)
        found = [sign for sign in SEPARATORS if sign in bare and sign != self.decimal]
        if len(found) > 1:
            raise fixable(
                ValueError,
                f"{self.source}: the first line has {' and '.join(map(repr, found))}, and one of "
                "them separates columns: ",
                *({"separator": sign} for sign in found),
            )
        return found[0] if found else ";" if self.decimal == "," else ","

    def _check_names(self) -> None:
        if all(self._number(name) is not None for name in self.names):
            raise fixable(
                ValueError,
                f"{self.source}: the first line has numbers, {list(self.names)!s:.80}, where names "
                "are expected: if there are none, ",
                {"header": False},
            )
        counts = Counter(self.names)
        for name in self.columns or self.names:
            if name == "" and counts[name]:
                raise ValueError(
                    f"{self.source}: column {self.names.index('')} has no name in the header "
                    "(pandas' index? then write with index=False; separators at the end of all "
                    "lines? then delete them): name it in the first line"
                )
            if counts[name] > 1:
                raise ValueError(
                    f"{self.source}: two columns are called {name!r:.40}: rename one of them"
                )

    # ------------------------------------------------------------ records

    def _by_pandas(self, lines: list[str]) -> dict | None:
        """name -> values of lines without quotes, a record each. None for others: then `_by_csv`
        has the values, or the error."""
        pandas, sign, n = self.pandas, self.separator, len(self.names)
        text = "".join(lines)
        exact = {} if NumpyVersion(pandas.__version__) >= "3.1.0" else EXACT
        if (
            self.quote in text or "\0" in text or text.startswith("\ufeff")
            or not _is_text(text) or lines[0].count(sign) != n - 1
            or text.count(sign) != (n - 1) * len(lines)  # pandas fills up rows cut short
        ):  # fmt: skip
            return None
        try:
            table = pandas.read_csv(
                io.StringIO(text), sep=sign, header=None, names=range(n), index_col=False,
                dtype={j: object for j in range(n) if j not in self.numbers}, decimal=self.decimal,
                na_values=self.numbers, keep_default_na=False, quoting=csv.QUOTE_NONE,
                low_memory=False, **exact,
            )  # fmt: skip
        except (ValueError, OverflowError):
            return None
        if len(table) != len(lines):
            return None
        found = {}
        for name, j in self.read.items():
            values = table[j].to_numpy()
            if j in self.texts:
                values = _texts(values.tolist(), self.texts[j])
            elif values.dtype.kind not in "if" or np.isinf(values).any():
                return None
            found[name] = values
        return found

    def _by_csv(self, lines, most: int, line: int, row: int) -> tuple[dict, int]:
        """(name -> values of the records that begin in `most` lines, how many lines they take)."""
        rows, places, n = [], [], len(self.names)  # places: (line, row) of each record
        reader, place, blank = self._reader(lines), (line, row), None
        try:
            for cells in reader:
                if not cells or (len(cells) == 1 < n and not cells[0].strip()):
                    blank = place[0]
                elif len(cells) != n or (n == 1 and blank):
                    raise ValueError(self._ragged(cells, place, blank))
                else:
                    rows.append(cells)
                    places.append(place)
                place = line + reader.line_num, row + len(rows)
                if reader.line_num >= most:
                    break
        except csv.Error as problem:
            raise ValueError(
                f"{self._at(place)}: {problem}; quotes inside of quotes are doubled"
            ) from None
        cells = list(zip(*rows, strict=True)) or [()] * n
        for j, column in enumerate(cells):
            if not _is_text("".join(column)):
                i = next(i for i, cell in enumerate(column) if not _is_text(cell))
                raise self._not_text(self._at(places[i], j), column[i])
        if not hasattr(self, "read"):
            self._settle(cells, places)
        found = {}
        for name, j in self.read.items():
            if j in self.texts:
                found[name] = _texts(cells[j], self.texts[j])
            else:
                found[name] = self._as_numbers(j, cells[j], places)
        return found, reader.line_num

    def _ragged(self, cells: list[str], place: tuple, blank: int | None) -> str:
        if len(cells) == len(self.names):
            return (
                f"{self.source}: line {blank} is blank, which in a table of one column may be a "
                "missing value or nothing: write NA, or delete it"
            )
        text = f"{cells}" if len(f"{cells}") <= 120 else f"{cells!s:.60} ... {f'{cells}'[-50:]}"
        fix = "is it cut short, or a comment?"
        if len(cells) > len(self.names):
            fix = "put quotes round a cell that has the separator in it, or delete what is too much"
        return f"{self._at(place)} has {len(cells)} cells, not {len(self.names)}: {text}; {fix}"

    def _not_text(self, place: str, text: str) -> ValueError:
        """About bytes that are no text of the encoding, or why they are none."""
        if found := _NO_TEXT.search(text):
            value = text[found.start() :].encode("utf-8", "surrogateescape")
            text = f" from {value!r:.40} on"
        return fixable(
            ValueError,
            f"{place} is no text of {self.encoding}{text}: if it is Excel's, save the sheet as a "
            "CSV; else ",
            *({"encoding": other} for other in self.encodings if other != self.encoding),
        )

    # ------------------------------------------------------------ columns

    def _settle(self, cells: list, places: list) -> None:
        """Which columns are text, by the schema or the cells of the first block."""
        check_there([*self.text, *(self.columns or ())], self.names, self.source)
        known, wanted = self._of_schema(), set(self.columns or self.names)
        self.read = {name: j for j, name in enumerate(self.names) if name in wanted}
        self.numbers, self.texts = {}, {}
        for name, j in self.read.items():
            column, is_text = known.get(name), name in self.text
            if column is not None:
                is_text |= column.type in ("text", "date") or column.kind.name == "aside"
            if column is None or column.type == "boolean":
                is_text = is_text or self._looks_like_text(j, cells[j], places)
            if is_text:
                self.texts[j] = set(self.missing).difference((column and column.values) or ())
            else:
                self.numbers[j] = self.missing

    def _of_schema(self) -> dict:
        """name -> column of the schema; by position, if it or the file has no names."""
        columns = () if self.schema is None else self.schema.columns
        if columns and self.schema.is_named and self.header:
            return {column.name: column for column in columns}
        if len(columns) != len(self.names):
            columns = [column for column in columns if column.kind.name != "aside"]
        return dict(zip(self.names, columns, strict=False))

    def _looks_like_text(self, j: int, cells: Sequence[str], places: list) -> bool:
        """A ValueError if a column is mostly numbers, with something else."""
        there = [i for i, cell in enumerate(cells) if cell.strip() not in self.missing]
        wrong = [i for i in there if self._number(cells[i]) is None]
        if not wrong:
            self._warn_of_codes(j, [cells[i].strip() for i in there])
            return False
        commas = sum(self._number(cells[i], self._other) is not None for i in wrong)
        if 2 * len(wrong) < len(there) or 2 * commas > len(there):
            raise self._no_number(j, cells, wrong, places)
        return True

    def _as_numbers(self, j: int, cells: Sequence[str], places: list) -> np.ndarray:
        """Integers if all are whole, else floats; a ValueError for anything else."""
        missing = set(self.missing)
        found = [np.nan if c.strip() in missing else self._number(c) for c in cells]
        wrong = [i for i, value in enumerate(found) if value is None]
        if wrong:
            raise self._no_number(j, cells, wrong, places)
        values = np.array(found)
        return values if values.dtype.kind == "i" else values.astype(float)

    @property
    def _other(self) -> str:
        return "," if self.decimal == "." else "."

    def _number(self, cell: str, decimal: str | None = None) -> float | None:
        """The number that a cell is, None for anything else, or for one that no float64 holds."""
        decimal, cell = decimal or self.decimal, cell.strip().replace("\u2212", "-")
        if decimal != ".":
            cell = cell.replace(".", "?").replace(decimal, ".", 1)
        if not _NUMBER.fullmatch(cell):
            return None
        if cell.lstrip("+-").isdigit() and len(cell) < 20:
            return int(cell)
        value = float(cell)
        return None if math.isinf(value) and "n" not in cell.lower() else value

    def _no_number(self, j: int, cells, wrong: list[int], places: list) -> ValueError:
        """About a cell of a column of numbers that is none, and others in it: once for all."""
        first = cells[wrong[0]]
        others = [f"{cell!r:.20}" for cell in dict.fromkeys(cells[i] for i in wrong)][1:6]
        more = f" (further down also {', '.join(others)})" if others else ""
        fix = [] if re.search(r"\d", first) else [{"missing_values": first.strip()}]
        unit = unit_of(first)
        if self._number(first, self._other) is not None:
            problem = (
                f"is a number where the decimal sign is {self._other!r} (separators of thousands "
                "are not read): "
            )
            fix = [{"decimal": self._other}]
            if self.separator == self._other:  # else decimal= would refuse
                problem, fix = f"{problem}take it out, or ", []
        elif _NUMBER.fullmatch(first.strip()):
            problem = f"is too large for a float64{more}: rescale the column, or "
        else:
            mend = f"take {unit} out" if unit else "mend it"
            problem = f"is no number, but the column has numbers{more}: {mend}, or "
        place = f"{self._at(places[wrong[0]], j)}: {first!r:.40} "
        return fixable(ValueError, place + problem, *fix, {"text": [self.names[j]]})

    def _at(self, place: tuple[int, int], j: int | None = None) -> str:
        column = "" if j is None else f", column {self.names[j]!r:.40}"
        return f"{self.source}: line {place[0]} (row {place[1]}){column}"

    def _warn_of_codes(self, j: int, cells: list[str]) -> None:
        """About numbers of one length with zeros in front, such as postal codes."""
        padded = next((cell for cell in cells if cell[0] == "0"), "")
        alike = len(set(map(len, cells))) == 1 and "".join(cells).isdecimal()
        if alike and len(padded) > 2:
            problem = (
                f"{self.source}, column {self.names[j]!r:.40}: {padded!r:.40} is read as a "
                "number, without its zeros: if it is a code, "
            )
            warn(fixable(UserWarning, problem, {"text": [self.names[j]]}))


def _is_text(text: str) -> bool:
    """Whether all of its bytes could be decoded; much faster than a regular expression."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(cells: Sequence[str], missing: set[str]) -> np.ndarray:
    return np.fromiter((None if cell in missing else cell for cell in cells), object, len(cells))


def _pandas(source: str):
    try:
        import pandas
    except ImportError:
        raise ModuleNotFoundError(
            f'{source} is text, which needs pandas: pip install "flowcore[tables]"'
        ) from None
    return pandas
