"""Text tables in blocks: bytes, cut at ends of records; what the head of a file settles."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from ..core import fixable, warn
from .csv_cells import Chunk, Layout, decoded, exact_columns, exact_rows, unread
from .csv_engines import engine_named
from .csv_header import HEAD_ROWS, check_title, first_record, read_header
from .dialect import Dialect
from .frame import Frame, Name

HEAD_BYTES = 2**22  # at most
LONGEST = 2**26  # bytes of one record
SIGNS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\x1f\x8b": "gzip", b"BZh": "bzip2",
         b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd", b"\xd0\xcf\x11\xe0": "Excel"}  # fmt: skip
FIXES = {"Excel": "save the sheet as a CSV",
         "gzip": "unpack it first, for example into a pipe by gunzip -c"}  # fmt: skip


def csv_blocks(
    stream: BinaryIO,
    source: str,
    dialect: Dialect,
    *,
    header: bool,
    columns: Sequence[Name] | None,
    text: Collection[Name],
    aside: Collection[Name],
    numbers: Collection[Name],
    encoding: str,
    engine: str,
    block_bytes: int,
) -> Iterator[Frame]:
    """Frames of the records of a text table. See `read_blocks`."""
    columns_of = engine_named(engine)
    chunks = _chunks(stream, source, dialect, encoding, block_bytes)
    first = next(chunks, Chunk(b"", 1, 0, True))
    layout, first = _settled(first, source, dialect, header, columns, text, aside, numbers)
    rest, row, some = deque([first]), 0, False
    while rest:
        chunk = replace(rest.popleft(), row=row)
        found = columns_of(chunk, layout)
        frame = Frame(exact_columns(chunk, layout) if found is None else found, source, row)
        row += len(frame)
        if len(frame) or (chunk.is_last and not some):
            some = True
            yield frame
        rest.extend([following] if (following := next(chunks, None)) else [])


def _chunks(
    stream: BinaryIO, source: str, dialect: Dialect, encoding: str, block_bytes: int
) -> Iterator[Chunk]:
    """The bytes of a stream, in utf-8, cut at ends of records."""
    buffer, line, quote = b"", 1, dialect.quote.encode()
    lines_of_head = 0
    for data in _utf8(stream, source, encoding, block_bytes):
        buffer += data
        if line == 1 and lines_of_head < 2 * HEAD_ROWS and len(buffer) < HEAD_BYTES:
            lines_of_head += data.count(b"\n")  # what settles the types does not depend on blocks
            if lines_of_head < 2 * HEAD_ROWS:
                continue
        cut = _last_end(buffer, quote)
        if cut == 0:
            if len(buffer) > LONGEST:
                raise ValueError(
                    f"{source}: the record of line {line} does not end within {LONGEST:,} bytes: "
                    "is there a quote that is not closed, or are its line ends \\r only?"
                )
            continue
        yield Chunk(buffer[:cut], line, 0)
        line += buffer.count(b"\n", 0, cut)
        buffer = buffer[cut:]
    yield Chunk(buffer, line, 0, True)


def _utf8(stream: BinaryIO, source: str, encoding: str, block_bytes: int) -> Iterator[bytes]:
    """What a stream holds, as utf-8 without a byte order mark."""
    try:
        "".encode(encoding)  # a LookupError for a codec of something else than text, such as rot13
        decoder = codecs.getincrementaldecoder(encoding)()
    except (LookupError, TypeError, ValueError):
        raise ValueError(f"there is no encoding {encoding!r:.40}") from None
    is_first, as_it_is = True, codecs.lookup(encoding).name == "utf-8"
    while data := stream.read(block_bytes):
        if not isinstance(data, bytes):
            raise ValueError(f'{source} gives {type(data).__name__}: open it in binary mode, "rb"')
        if not as_it_is:
            try:
                data = decoder.decode(data).encode()
            except UnicodeError as problem:
                raise ValueError(f"{source} is not {encoding}: {problem}") from None
        elif is_first:
            _check_start(data, source)
        yield data.removeprefix(b"\xef\xbb\xbf") if is_first else data
        is_first = False


def _check_start(data: bytes, source: str) -> None:
    for sign, what in SIGNS.items():
        if data.startswith(sign):
            problem = f"{source} is {what}, not text of utf-8: "
            if what == "utf-16":
                raise fixable(ValueError, problem, {"encoding": what})
            raise ValueError(problem + FIXES.get(what, "unpack it first"))


def _last_end(buffer: bytes, quote: bytes) -> int:
    """The place after the last line end that is not inside of quotes; 0: there is none.

    Blank lines after it belong to what follows: at the end of a file they mean nothing.
    """
    end = buffer.rfind(b"\n")
    inside = buffer.count(quote, 0, end) % 2 if end >= 0 else 0
    while end >= 0 and inside:
        before = buffer.rfind(b"\n", 0, end)
        inside = (inside - buffer.count(quote, max(before, 0), end)) % 2
        end = before
    text = len(buffer[: end + 1].rstrip(b"\r\n"))
    return buffer.find(b"\n", text) + 1 if text else 0


def _settled(
    chunk: Chunk, source: str, dialect: Dialect, header: bool, columns, text, aside, numbers
) -> tuple[Layout, Chunk]:
    """(what the first lines settle, the chunk without the header)."""
    start = decoded(_lines(chunk, 2 * HEAD_ROWS, dialect), source)
    stripped = start.lstrip("\r\n \t")
    if not stripped:
        raise ValueError(f"{source} is empty: there is not even a header")
    if stripped.startswith("#"):
        raise ValueError(
            f"{source}: the first line starts with '#': comments are not read. Delete them, or "
            "rename that column"
        )
    if re.match("sep=.\r?$", stripped, re.MULTILINE):
        raise ValueError(f"{source}: the first line is Excel's {stripped[:5]!r}: delete that line")
    if dialect.separator is None:
        try:
            dialect = replace(dialect, separator=dialect.found_in(first_record(stripped, dialect)))
        except ValueError as problem:
            raise fixable(ValueError, f"{source}: {problem.problem}", *problem.fix) from None
    names: tuple[Name, ...] | None = None
    if header:
        names, chunk = read_header(chunk, source, dialect, columns)
        check_title(names, start, source, dialect)
    head = _lines(chunk, HEAD_ROWS, dialect)
    width = None if names is None else len(names)
    rows, lines = exact_rows(head, source, dialect, width)
    if names is None:
        names = tuple(range(len(rows[0]))) if rows else ()
    chosen = _chosen(names, columns, source)
    for name in (*text, *numbers):
        if name not in names:
            raise ValueError(f"{source} has no column {name!r:.40}, but {list(names)!s:.200}")
    layout = Layout(source, dialect, names, (False,) * len(names), chosen)
    is_text = tuple(
        names[j] in (*text, *aside) or (names[j] not in numbers and j in chosen
        and _is_text([row[j] for row in rows], lines, layout, j))
        for j in range(len(names))
    )  # fmt: skip
    # what nobody asked for may be anything
    is_text = tuple(t or j not in chosen for j, t in enumerate(is_text))
    return replace(layout, is_text=is_text), chunk


def _lines(chunk: Chunk, most: int, dialect: Dialect) -> Chunk:
    """The first lines of a chunk, unless that would cut a record."""
    end = -1
    for _ in range(most):
        end = chunk.data.find(b"\n", end + 1)
        if end < 0:
            return chunk
    if chunk.data.count(dialect.quote.encode(), 0, end) % 2:
        return chunk
    return replace(chunk, data=chunk.data[: end + 1], is_last=False)


def _chosen(names: tuple[Name, ...], columns: Sequence[Name] | None, source: str):
    if columns is None:
        return tuple(range(len(names)))
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(f"{source} has no column {missing[0]!r:.40}, but {list(names)!s:.200}")
    return tuple(names.index(name) for name in dict.fromkeys(columns))


def _more(cells: list[str], wrong: list[int]) -> str:
    """Other words in the same column, so that one look finds them all."""
    others = [word for word in dict.fromkeys(cells[i] for i in wrong) if word != cells[wrong[0]]]
    if not others:
        return ""
    told = ", ".join(f"{word!r:.20}" for word in others[:5]) + ", ..." * (len(others) > 5)
    return f" (further down also {told})"


def _is_text(cells: list[str], lines: list[int], layout: Layout, j: int) -> bool:
    """Whether a column is text; a ValueError if it is mostly numbers, with something else."""
    dialect = layout.dialect
    given = [i for i, c in enumerate(cells) if not dialect.is_missing(c.strip(" \t"))]
    wrong = [i for i in given if not dialect.reads_as_number(cells[i])]
    if wrong and 2 * len(wrong) < len(given):
        raise unread(
            f"{layout.source}: line {lines[wrong[0]]} (row {wrong[0]}), column "
            f"{layout.names[j]!r:.40}: {cells[wrong[0]]!r:.40} is no number, but most of the "
            f"column is{_more(cells, wrong)}",
            cells[wrong[0]],
            layout.names[j],
        )
    other = Dialect(None, "," if dialect.decimal == "." else ".")
    if wrong and 2 * sum(other.reads_as_number(cells[i]) for i in wrong) > len(given):
        possible = dialect.separator != other.decimal  # else decimal= would refuse
        raise fixable(
            ValueError,
            f"{layout.source}: line {lines[wrong[0]]} (row {wrong[0]}), column "
            f"{layout.names[j]!r:.40}: {cells[wrong[0]]!r:.40} is a number where the decimal sign "
            f"is {other.decimal!r} (separators of thousands are not read): "
            + ("" if possible else "take it out, or "),
            *[{"decimal": other.decimal}] * possible,
            {"text": [layout.names[j]]},
        )
    if not wrong:
        _tell_codes([cells[i].strip(" \t") for i in given], layout, j)
    return bool(wrong)


def _tell_codes(cells: list[str], layout: Layout, j: int) -> None:
    """A warning about numbers of one length with zeros in front, such as postal codes."""
    padded = [cell for cell in cells if cell[0] == "0"]
    alike = len(set(map(len, cells))) == 1 and "".join(cells).isdecimal()
    if padded and alike and len(padded[0]) > 2:
        name = layout.names[j]
        problem = (
            f"{layout.source}, column {name!r:.40}: {padded[0]!r:.40} is read as a number, without "
            "its zeros: if it is a code, "
        )
        warn(fixable(UserWarning, problem, {"text": [name]}))
