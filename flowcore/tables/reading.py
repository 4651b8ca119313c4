"""`read_blocks`: files of tables, in blocks of rows of bounded memory. Text is read by pandas."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import NumpyVersion

from ..core import fixable, warn
from .binary import archive_blocks, array_blocks, parquet_blocks
from .frame import Frame, Name, check_there
from .schema import Schema

if TYPE_CHECKING:
    from os import PathLike

SEPARATORS = ",;\t|"
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")
FIRST = 2**18  # characters of the block that settles the types, whatever `block_bytes` is
LONGEST = 1000  # lines of a header
LEAST_BYTES = 1024
PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
EXACT = {"float_precision": "round_trip"}  # of pandas before 3.1, which reads exactly
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.A | re.I)


def read_blocks(
    source: str | PathLike[str] | BinaryIO,
    *,
    columns: Sequence[Name] | None = None,
    schema: Schema | None = None,
    others: bool = False,
    text: Sequence[Name] = (),
    header: bool = True,
    separator: str | None = None,
    decimal: str = ".",
    quote: str = '"',
    missing_values: Sequence[str] = MISSING_WORDS,
    encoding: str = "utf-8",
    member: str | None = None,
    block_bytes: int = 2**22,
) -> Iterator[Frame]:
    r"""The rows of a file, a `Frame` for every block. What kind of file it is, its bytes decide.

    CSV: a header, one record a line, quotes doubled inside of quotes. Blank lines are left out;
    comments are not read. A number is the nearest float64, a whole number an exact integer. The
    first block decides which columns are text; later, a word among numbers is an error. pandas
    reads blocks without quotes. Python's `csv` module, which refuses broken quotes, reads others.
    .npy: an array (n, D), or records; .npz: one such array, or columns (n,). Parquet: by pyarrow.
    Files that gzip, bzip2, xz or zip has compressed are unpacked. A URL is not fetched.

    Errors: ValueError, naming file, row, column and value, for whatever is not so; OSError as
    `open` raises it; ModuleNotFoundError if pandas or pyarrow is needed. Memory: a few blocks, but
    the whole of an array that is compressed or comes from a pipe. .npz, .zip and Parquet are not
    read from a pipe.

    Parameters
    ----------
    source : str, PathLike or binary file
        A path, or what `open(path, "rb")` or `sys.stdin.buffer` is.
    columns : sequence or None
        The columns to read, by name (without a header 0, 1, ...), in this order; None: all.
    schema : Schema or None
        Reads the columns of a schema (those aside left out), as the types that they had. A word for
        a missing value that is one of a column's categories is that category.
    others : bool
        With a schema: reads all columns. Those aside are text; they may hold anything, or be gone.
    text : sequence
        Columns that are text, though they look like numbers, such as postal codes.
    header : bool
        Whether the first line of a CSV has names.
    separator : str or None
        One character; None: the one of , ; tab | that the first line has.
    decimal : str
        "." or ","; never guessed.
    quote : str
        '"' or "'".
    missing_values : sequence of str
        Cells that are missing. Pass `[""]` for a text column in which "NA" is a value.
    encoding : str
        Of a CSV.
    member : str or None
        Which array of an .npz.
    block_bytes : int
        Size of a block, about.

    Yields
    ------
    Frame
        At least one, which may have no rows.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO(b"age;height\n31;1,75\n45;NA\n")
    >>> [np.asarray(frame) for frame in read_blocks(file, decimal=",")]
    [array([[31.  ,  1.75],
           [45.  ,   nan]])]
    """
    if not isinstance(block_bytes, int) or block_bytes < LEAST_BYTES:
        raise ValueError(f"block_bytes must be an integer >= {LEAST_BYTES}: got {block_bytes!r}")
    if schema is not None and columns is None and not others:
        columns = [c.name for c in schema.columns if c.kind.name != "aside"]
    words = [missing_values] if isinstance(missing_values, str) else list(missing_values)

    with _opened(source) as (stream, name, path):
        table = _Csv(
            name, columns, schema, text, header, separator, decimal, quote, words, encoding
        )
        try:
            for frame in _blocks(stream, path, table, member, block_bytes):
                if columns is not None:
                    check_there(columns, frame.names, name)
                    frame = frame.select(dict.fromkeys(columns))
                yield frame
        except (*DAMAGED, OSError) as problem:
            if getattr(problem, "errno", None) is not None:  # those of gzip and bzip2 have none
                raise
            raise ValueError(f"{name} cannot be unpacked: {problem}") from None


def read_table(source: str | PathLike[str] | BinaryIO, **options: Any) -> Frame:
    r"""All rows of a file as one `Frame`.

    Parameters
    ----------
    source : str, PathLike or binary file
        As for `read_blocks`.
    **options : Any
        The arguments of `read_blocks`.

    Returns
    -------
    Frame
        The table; memory for two of it.

    Examples
    --------
    >>> import io
    >>> read_table(io.BytesIO(b"a,b\n1,x\n2,y\n"))["b"]
    array(['x', 'y'], dtype=object)
    """
    frames = list(read_blocks(source, **options))
    whole = {name: np.concatenate([frame[name] for frame in frames]) for name in frames[0].names}
    return Frame(whole, frames[0].source, declared=frames[0].declared)


@contextmanager
def _opened(source) -> Iterator[tuple[Any, str, str | None]]:
    """(a stream of bytes that can be peeked at, what it is called, its path)."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file, os.fsdecode(source), os.fsdecode(source)
        return
    if not hasattr(source, "read"):
        raise TypeError(
            f"source is a path or a file that is open in binary mode, not {type(source).__name__}"
        )
    if isinstance(source, io.TextIOBase):
        raise ValueError('source is open as text: open it in binary mode, "rb"')
    name = getattr(source, "name", None)
    stream = source if hasattr(source, "peek") else io.BufferedReader(source)
    try:
        yield stream, name if isinstance(name, str) else "the stream", None
    finally:
        if stream is not source:
            stream.detach()


def _blocks(stream, path: str | None, table: _Csv, member, block_bytes: int) -> Iterator[Frame]:
    """The frames of a stream, by what its first bytes are."""
    start, source = stream.peek(8)[:8], table.source
    if start.startswith((*ZIP, b"PAR1")) and not stream.seekable():
        raise ValueError(f"{source} is not read from a pipe, as it is no text: save it")
    for sign, unpack in PACKED.items():
        if start.startswith(sign):
            return _blocks(unpack(stream), None, table, member, block_bytes)
    if start.startswith(b"\x93NUMPY"):
        return array_blocks(stream, source, path, block_bytes)
    if start.startswith(b"PAR1"):
        return parquet_blocks(stream, source, table.columns, block_bytes)
    if start.startswith(ZIP):
        archive = zipfile.ZipFile(stream)
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            raise ValueError(f"{source} is an Excel file: save the sheet as a CSV")
        if len(names) == 1 and not names[0].endswith(".npy"):
            return _blocks(archive.open(names[0]), None, table, member, block_bytes)
        stream.seek(0)
        return archive_blocks(stream, source, member, block_bytes)
    return table.blocks(stream, block_bytes)


# ---------------------------------------------------------------- text


@dataclass
class _Csv:
    """A text table: how it is written, and, once its first block is read, what its columns are.

    read: name -> place of the columns that are wanted; numbers, texts: place -> words for what is
    missing, of the columns of each type
    """

    source: str
    columns: Sequence[Name] | None
    schema: Schema | None
    text: Sequence[Name]
    header: bool
    separator: str | None
    decimal: str
    quote: str
    words: list[str]
    encoding: str

    def __post_init__(self):
        if self.decimal not in (".", ",") or self.quote not in ('"', "'"):
            raise ValueError(
                f'decimal is "." or ",", quote is " or \': got {self.decimal!r:.20} and '
                f"{self.quote!r:.20}"
            )
        taken, given = {*"0123456789+-.eE\r\n", self.decimal, self.quote}, self.separator
        if given is not None and (len(given) != 1 or not given.isascii() or given in taken):
            raise ValueError(
                "separator is one character, not part of numbers (the decimal sign is "
                f"{self.decimal!r}): got {given!r:.20}"
            )

    def blocks(self, stream: BinaryIO, block_bytes: int) -> Iterator[Frame]:
        """Frames of the records of a stream."""
        line, row, lines, self.pandas = 1, 0, None, _pandas(self.source)
        is_utf16 = stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        try:
            as_it_is = codecs.lookup(self.encoding).name == "utf-8"
            encoding = "utf-8-sig" if as_it_is else self.encoding  # leaves out a byte order mark
            lines = io.TextIOWrapper(stream, encoding, newline="")
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
        except LookupError as problem:
            raise ValueError(f"{self.source}: {problem}: name another encoding") from None
        except UnicodeError as problem:
            others = ("utf-16",) if is_utf16 else ("utf-8", "cp1252", "latin-1")
            raise fixable(
                ValueError,
                f"{self.source} is no text of {self.encoding} ({problem!s:.80}): if it is Excel's, "
                "save the sheet as a CSV; else ",
                *({"encoding": other} for other in others if other != self.encoding),
            ) from None
        finally:
            if lines is not None:
                lines.detach()

    def _head(self, lines) -> tuple[list[str], int]:
        """Settle separator and names; (lines that belong to the rows, the first one's number)."""
        own, count = [], 0
        for count, line in enumerate(lines, 1):  # noqa: B007
            own += [line] if own or line.strip() else []
            record = "".join(own)
            if own and (record.count(self.quote) % 2 == 0 or len(own) > LONGEST):
                break
        if not own:
            raise ValueError(f"{self.source} is empty: there is not even a header")
        self.separator = self.separator or self._found_in(record)
        reader = self._reader(own)
        try:
            names = next(reader)
        except csv.Error as problem:
            raise ValueError(f"{self.source}: the first line cannot be read: {problem}") from None
        self.names = tuple(range(len(names)))
        if self.header:
            own = own[reader.line_num :]
            self.names = tuple(name.strip() for name in names)
            self._check_names()
        return own, count + 1 - len(own)

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
        counts, problem = Counter(self.names), ""
        if all(self._number(name) is not None for name in self.names):
            raise fixable(
                ValueError,
                f"{self.source}: the first line has numbers, {list(self.names)!s:.80}, where names "
                "are expected: if there are none, ",
                {"header": False},
            )
        for name in self.columns or self.names:
            if name == "" and counts[name]:
                problem = (
                    f"column {self.names.index('')} has no name in the header (pandas' index? then "
                    "write with index=False; separators at the end of all lines? then delete "
                    "them): name it in the first line"
                )
            elif counts[name] > 1:
                problem = f"two columns are called {name!r:.40}: rename one of them"
        if problem:
            raise ValueError(f"{self.source}: {problem}")

    # ------------------------------------------------------------ records

    def _by_pandas(self, lines: list[str]) -> dict | None:
        """name -> values of lines without quotes, a record each. None where something is odd: then
        `_by_csv` has the values, or the error."""
        pandas, sign, n = self.pandas, self.separator, len(self.names)
        text = "".join(lines)
        odd = self.quote in text or "\0" in text or text.startswith("\ufeff")
        if (
            odd or lines[0].count(sign) != n - 1 or text.count(sign) != (n - 1) * len(lines)
        ):  # pandas fills up rows cut short
            return None
        exact = {} if NumpyVersion(pandas.__version__) >= "3.1.0" else EXACT
        try:
            table = pandas.read_csv(
                io.StringIO(text), sep=sign, header=None, names=range(n), index_col=False,
                dtype={j: object for j in range(n) if j not in self.numbers}, decimal=self.decimal,
                na_values=self.numbers, keep_default_na=False, quoting=csv.QUOTE_NONE,
                low_memory=False, **exact,
            )  # fmt: skip
        except (ValueError, OverflowError):
            return None
        found = {name: table[j].to_numpy() for name, j in self.read.items()}
        kinds = {found[name].dtype.kind for name, j in self.read.items() if j in self.numbers}
        if len(table) != len(lines) or not kinds <= {"i", "f"}:
            return None
        for name, j in self.read.items():
            if j in self.texts:
                found[name] = _texts(found[name].tolist(), self.texts[j])
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
                is_text |= column.type == "text" or column.kind.name == "aside"
            if column is None or column.type == "boolean":
                is_text = is_text or self._looks_like_text(j, cells[j], places)
            if is_text:
                self.texts[j] = set(self.words).difference((column and column.values) or ())
            else:
                self.numbers[j] = self.words

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
        given = [i for i, cell in enumerate(cells) if cell.strip() not in self.words]
        wrong = [i for i in given if self._number(cells[i]) is None]
        if not wrong:
            self._warn_of_codes(j, [cells[i].strip() for i in given])
            return False
        commas = sum(self._number(cells[i], self._other) is not None for i in wrong)
        if 2 * len(wrong) < len(given) or 2 * commas > len(given):
            raise self._surprise(j, cells, wrong, places)
        return True

    def _as_numbers(self, j: int, cells: Sequence[str], places: list) -> np.ndarray:
        """Integers if all are whole, else floats; a ValueError for anything else."""
        missing = set(self.words)
        found = [np.nan if c.strip() in missing else self._number(c) for c in cells]
        wrong = [i for i, value in enumerate(found) if value is None]
        if wrong:
            raise self._surprise(j, cells, wrong, places)
        values = np.array(found)
        return values if values.dtype.kind == "i" else values.astype(float)

    @property
    def _other(self) -> str:
        return "," if self.decimal == "." else "."

    def _number(self, cell: str, decimal: str | None = None) -> float | None:
        """The number that a cell is, None for anything else."""
        decimal, cell = decimal or self.decimal, cell.strip().replace("\u2212", "-")
        if decimal != ".":
            cell = cell.replace(".", "?").replace(decimal, ".", 1)
        if not _NUMBER.fullmatch(cell):
            return None
        return int(cell) if cell.lstrip("+-").isdigit() and len(cell) < 20 else float(cell)

    def _surprise(self, j: int, cells, wrong: list[int], places: list) -> ValueError:
        """Something else than a number, and other words in the column: one look finds them all."""
        first = cells[wrong[0]]
        others = [
            f"{word!r:.20}" for word in dict.fromkeys(cells[i] for i in wrong) if word != first
        ]
        more = f" (further down also {', '.join(others[:5])})" if others else ""
        problem = f"is no number, but the column has numbers{more}: mend it, or "
        fix = [] if re.search(r"\d", first) else [{"missing_values": first.strip()}]
        if self._number(first, self._other) is not None:
            possible = self.separator != self._other  # else decimal= would refuse
            problem = (
                f"is a number where the decimal sign is {self._other!r} (separators of thousands "
                f"are not read): {'' if possible else 'take it out, or '}"
            )
            fix = [{"decimal": self._other}] if possible else []
        place = self._at(places[wrong[0]], j)
        return fixable(
            ValueError, f"{place}: {first!r:.40} {problem}", *fix, {"text": [self.names[j]]}
        )

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
