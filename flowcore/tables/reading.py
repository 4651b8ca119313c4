"""CSV: pandas reads every cell as text, block by block; the rules here make numbers of them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, dropwhile
from typing import BinaryIO

import numpy as np

from ..core import warn, with_fix
from .cells import PLAIN, WORDS, Notation, notation_of_column, number, read_cell, readings
from .frame import Frame, Name, check_there, library, listed
from .schema import Schema

SEPARATORS = ",;\t|"
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")
FIRST = 2**18  # characters of the block that settles the types, whatever `block_bytes` is


@dataclass
class Csv:
    """A text table: its format, and, once its first block is read, its columns.

    names: of all columns; texts: name -> texts of missing values, for the columns of text;
    readers: name -> the function that reads a cell, for those as people write them; unread: name ->
    (the first cell that is no number, in words, how many there are)
    """

    source: str
    columns: Sequence[Name] | None
    schema: Schema | None
    text: Sequence[Name]
    header: bool
    separator: str | None
    decimal: str
    missing: set[str]
    encoding: str
    strict: bool

    def __post_init__(self):
        if self.decimal not in (".", ","):
            raise ValueError(f'decimal is "." or ",": got {self.decimal!r:.20}')
        taken, sign = {*'0123456789+-.eE\r\n"', self.decimal}, self.separator
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in taken):
            raise ValueError(
                "separator is one character, not part of numbers (the decimal sign is "
                f"{self.decimal!r}): got {sign!r:.20}"
            )
        self.other = "," if self.decimal == "." else "."
        self.readers: dict[Name, Callable[[str], str | float | None]] = {}
        self.unread: dict[Name, tuple[str, int]] = {}

    def blocks(self, stream: BinaryIO, block_bytes: int) -> Iterator[Frame]:
        """Frames of the records of a stream."""
        row, self.names = 0, ()
        for cells in self._cells(stream, block_bytes):
            is_first = not self.names
            if is_first:
                self.names, cells = self._named(cells)
            wanted, cells = set(self.columns or self.names), self._rectangle(cells, row)
            columns = dict(zip(self.names, cells.tolist(), strict=True))
            columns = {name: columns[name] for name in self.names if name in wanted}
            if is_first:
                self.texts = self._texts(columns)
            if is_first or cells.size:
                values = {name: self._values(name, column, row) for name, column in columns.items()}
                texts = {} if self.strict else {n: self._kept(n, own) for n, own in columns.items()}
                yield Frame(values, self.source, row, texts=texts)
            row += cells.shape[1]
        learned = "" if self.schema else "; the column is learned without them"
        for problem, n in self.unread.values():
            warn(
                f"{problem}: {n / row:.2g} of the column's cells count as unknown, and stay as "
                f"they are{learned}"
            )

    # ------------------------------------------------------------ cells

    def _cells(self, stream: BinaryIO, block_bytes: int) -> Iterator[np.ndarray]:
        """Blocks of cells (columns + 1, rows) as text; None where a row has no cell."""
        pandas = library("pandas", f"{self.source} is text, which")
        with self._decoded(stream) as text:
            most = FIRST if self.strict or self.schema else -1  # all cells decide what a column is
            head = [text.readline().removeprefix("\ufeff"), *text.readlines(most)]
            head = [*dropwhile(lambda line: not line.strip(), head)]
            width, lines = self._width("".join(head[:1000])), _Lines(head, text)
            try:
                tables = pandas.read_csv(
                    lines, sep=self.separator, header=None, names=range(width + 1), index_col=False,
                    dtype=object, na_filter=False, skip_blank_lines=False, engine="python",
                    chunksize=len(head),
                )  # fmt: skip
                for table in tables:
                    yield table.to_numpy(object).T
                    tables.chunksize = 1 + block_bytes * len(head) // sum(map(len, head))
            except (pandas.errors.ParserError, csv.Error) as problem:
                text = f"{problem}".replace(f"Expected {width + 1}", f"Expected {width}")
                raise ValueError(
                    f"{self.source}: line {lines.count} cannot be read ({text}): is a quote open, "
                    "here or above, or not doubled inside of quotes?"
                ) from None

    @contextmanager
    def _decoded(self, stream: BinaryIO) -> Iterator[io.TextIOWrapper]:
        """The stream as text; it stays open."""
        try:
            text = io.TextIOWrapper(stream, self.encoding, newline="")
        except LookupError:
            problem = f"{self.encoding!r:.40} is no encoding of text: name another"
            raise ValueError(f"{self.source}: {problem}") from None
        try:
            yield text
        except UnicodeError as problem:
            data, place = getattr(problem, "object", b""), getattr(problem, "start", 0)
            is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
            others = ("utf-16",) if is_utf16 else ("utf-8", "cp1252", "latin-1")
            raise with_fix(
                ValueError,
                f"{self.source} is no text of {self.encoding} from {data[place:][:8]!r} on, after "
                f"{data[:place][-20:]!r}: if it is Excel's, save the sheet as a CSV; else ",
                *({"encoding": other} for other in others if other != self.encoding),
            ) from None
        finally:
            text.detach()

    def _width(self, text: str) -> int:
        """The number of columns of the first record, whose separator is found in it."""
        signs = re.escape(self.separator or SEPARATORS)
        quoted = f'(?<![^{signs}\r\n])"(?:[^"]|"")*"'
        line = re.split("[\r\n]", re.sub(quoted, '"', text))[0]
        if not line:
            raise ValueError(f"{self.source} is empty: there is not even a header")
        present = [sign for sign in SEPARATORS if sign in line and sign != self.decimal]
        if self.separator is None and len(present) > 1:
            raise with_fix(
                ValueError,
                f"{self.source}: the first line has {' and '.join(map(repr, present))}, and one of "
                "them separates columns: ",
                *({"separator": sign} for sign in present),
            )
        default = ";" if self.decimal == "," else ","
        self.separator = self.separator or [*present, default][0]
        return line.count(self.separator) + 1

    def _rectangle(self, cells: np.ndarray, row: int) -> np.ndarray:
        """The cells (columns, rows) without blank lines; a ValueError for rows of other lengths."""
        width, widths = len(self.names), (cells != None).sum(axis=0)  # noqa: E711
        for i in np.flatnonzero(widths == 1 if width > 1 else []):
            widths[i] = bool(cells[0, i].strip())
        blank = widths == 0
        if width == 1 and (blank[:-1] > blank[1:]).any():
            raise ValueError(
                f"{self.source}: a blank line is followed by others, which in a table of one "
                "column may be a missing value or nothing: write NA, or delete it"
            )
        cells, widths = cells[:, ~blank], widths[~blank]
        for i in np.flatnonzero(widths != width)[:1]:
            raise ValueError(
                f"{self.source}: row {row + i} has {widths[i]} cells, not {width}: "
                f"{cells[: widths[i], i].tolist()!s:.100}; is it cut short, or a comment, or is a "
                "cell with the separator in it not quoted?"
            )
        return cells[:width]

    # ------------------------------------------------------------ columns

    def _named(self, cells: np.ndarray) -> tuple[tuple, np.ndarray]:
        """(the names of the columns, the rows below them) of the first block."""
        names: tuple = tuple(range(len(cells) - 1))
        if self.header:
            if None in cells[:-1, 0]:
                raise ValueError(
                    f"{self.source}: the first record does not end within its first {FIRST:,} "
                    "characters: is a quotation mark not closed?"
                )
            texts, cells = [name.strip() for name in cells[:-1, 0]], cells[:, 1:]
            names = tuple(text or f"Unnamed: {k}" for k, text in enumerate(texts))  # as in pandas
            self._check_names(names)
        check_there([*self.text, *(self.columns or ())], names, self.source)
        return names, cells

    def _check_names(self, names: tuple[str, ...]) -> None:
        if all(number(name, self.decimal) is not None for name in names):
            raise with_fix(
                ValueError,
                f"{self.source}: the first line has numbers, {list(names)!s:.80}, where names are "
                "expected: if there are none, ",
                {"header": False},
            )
        counts, wanted = Counter(names), self.columns or names
        for name in wanted:
            if counts[name] > 1:
                raise ValueError(
                    f"{self.source}: two columns are called {name!r:.40}: rename one of them"
                )

    def _texts(self, columns: dict[Name, list[str]]) -> dict[Name, set[str]]:
        """The texts of missing values in each column of text, by the schema or the first block."""
        known, texts = self._of_schema(), {}
        for name, cells in columns.items():
            column, is_text = known.get(name), name in self.text
            is_aside = column is not None and column.kind.name == "aside"
            if column is not None:
                is_text |= is_aside or column.type in ("text", "date")
            if column is None or column.type == "boolean":
                is_text = is_text or self._looks_like_text(name, cells)
            values = [v for v in (column and column.values) or () if isinstance(v, str)]
            if is_text:
                texts[name] = set() if is_aside else set(self.missing).difference(values)
                if not (self.strict or is_aside or name in self.text):
                    self.readers[name] = self._spelled(name, cells, values)
            elif column is not None and (column.mark or not self.strict):
                self.readers[name] = self._notation(cells, column.mark).number
        return texts

    def _spelled(self, name: Name, cells: list[str], values: list[str]) -> Callable[[str], str]:
        """The function from how a category is written, up to case and space, to its value: that of
        the schema, else the most frequent one."""
        known: dict[str, str] = {}
        cells = [text for cell in cells if (text := cell.strip()) not in self.missing]
        for text in values or [text for text, _ in Counter(cells).most_common()]:
            known.setdefault(_folded(text), text)
        others = {cell for cell in cells if known.get(_folded(cell), cell) != cell}
        if others and not values:
            warn(
                f"{self.source}, column {name!r:.40}: {listed(sorted(others), 3)} differ from "
                "others by case or space alone, and are read like them"
            )
        return lambda cell: cell if cell in values else known.get(_folded(cell), cell.strip())

    def _notation(self, cells: list[str], mark: str) -> Notation:
        """The notation of a column of numbers whose form the schema has."""
        example = read_cell(mark.format(1)) if mark else None
        counts, unit = Counter(cells), example.unit if example else PLAIN
        return Notation.of(counts, self.decimal, self._grouped, unit)

    @property
    def _grouped(self) -> bool:
        """Whether thousands may be separated: between semicolons hardly by commas."""
        return self.separator != ";" or self.decimal == ","

    def _of_schema(self) -> dict:
        """name -> column of the schema; by position, if it or the file has no names."""
        columns = () if self.schema is None else self.schema.columns
        if columns and self.schema.is_named and self.header:
            return {f"{column.name}": column for column in columns}
        if len(columns) != len(self.names):
            columns = [column for column in columns if column.kind.name != "aside"]
        return dict(zip(self.names, columns, strict=False))

    def _looks_like_text(self, name: Name, cells: list[str]) -> bool:
        """Whether at least half of the cells are no numbers, whatever the decimal sign is; if not
        strict, what `notation_of_column` finds."""
        cells = [text for cell in cells if (text := cell.strip()) not in self.missing]
        if not self.strict:
            counts = Counter(cell for cell in cells if cell not in WORDS)
            if counts and all(re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", cell) for cell in counts):
                place = f"{self.source}, column {name!r:.40}: all numbers have three decimals"
                warn(with_fix(UserWarning, f"{place}: if these are thousands, ", {"decimal": ","}))
            notation = notation_of_column(counts, self.decimal, self._grouped)
            if notation is not None:
                self.readers[name] = notation.number
            return notation is None
        wrong = [cell for cell in cells if number(cell, self.decimal) is None]
        commas = sum(number(cell, self.other) is not None for cell in wrong)
        if not wrong:
            self._warn_of_codes(name, cells)
        return bool(wrong) and 2 * len(wrong) >= len(cells) >= 2 * commas

    def _warn_of_codes(self, name: Name, cells: list[str]) -> None:
        """About numbers of one length with zeros in front, such as postal codes."""
        padded = next((cell for cell in cells if cell[0] == "0"), "")
        alike = len(set(map(len, cells))) == 1 and "".join(cells).isdecimal()
        if alike and len(padded) > 2:
            problem = (
                f"{self.source}, column {name!r:.40}: {padded!r:.40} is read as a number, without "
                "its zeros: if it is a code, "
            )
            warn(with_fix(UserWarning, problem, {"text": [name]}))

    def _values(self, name: Name, cells: list[str], row: int) -> np.ndarray:
        """Text; or integers if all cells are whole, else floats; a ValueError for anything else."""
        missing, decimal = self._missing(name), self.decimal
        read = self.readers.get(
            name, str if name in self.texts else partial(number, decimal=decimal)
        )
        if name in self.texts:
            strip = str.strip if name in self.readers else str
            known = {c: None if strip(c) in missing else read(c) for c in set(cells)}
            return np.fromiter(map(known.__getitem__, cells), object, len(cells))
        values = [math.nan if cell.strip() in missing else read(cell) for cell in cells]
        wrong = [i for i, value in enumerate(values) if value is None]
        if wrong:
            self._no_number(name, cells[wrong[0]], row + wrong[0], len(wrong), len(cells))
        array = np.array([math.nan if value is None else value for value in values])
        return array if array.dtype.kind == "i" else array.astype(float)

    def _missing(self, name: Name) -> set[str]:
        """The texts of missing cells in a column."""
        return self.texts.get(name, self.missing if self.strict else self.missing | WORDS)

    def _kept(self, name: Name, cells: list[str]) -> np.ndarray:
        """The cells as they are written; None for missing ones."""
        missing, n = self._missing(name), len(cells)
        return np.fromiter((None if c.strip() in missing else c for c in cells), object, n)

    def _no_number(self, name: Name, cell: str, row: int, n: int, n_cells: int) -> None:
        """The first of n cells that are no numbers, of a block: an error; or they are unknown."""
        place = f"{self.source}: row {row}, column {name!r:.40}: {cell!r:.40}"
        if not self.strict and 2 * n < n_cells:
            problem = "is no number"
            if may_be := " or ".join(readings(cell, self.decimal)):
                problem = f"may be {may_be}, and is not written as the column's other cells are"
            first, before = self.unread.get(name, (f"{place} {problem}", 0))
            self.unread[name] = first, before + n
            return
        fix = [] if re.search(r"\d", cell) else [{"missing_values": cell.strip()}]
        if number(cell, self.other) is None:
            problem = "is no number of type float64, but the column has numbers: mend it, or "
        else:
            problem = f"has the decimal sign {self.other!r}, or a separator of thousands: "
            if self.separator != self.other:  # else decimal= would refuse
                fix = [{"decimal": self.other}]
        raise with_fix(ValueError, f"{place} {problem}", *fix, {"text": [name]})


def _folded(text: str) -> str:
    """A category up to case and space."""
    return " ".join(text.split()).casefold()


class _Lines(io.TextIOBase):
    """Lines as a file for pandas; count: how many it has read."""

    def __init__(self, *parts: Iterable[str]):
        self.count, self._lines = 0, chain(*parts)

    def __iter__(self) -> Iterator[str]:
        for self.count, line in enumerate(self._lines, 1):  # noqa: B020
            yield line
