"""Fast ways to read a chunk of a text table: pyarrow's reader, or NumPy's.

An engine gives exactly what `exact_columns` gives, or None: then that is asked. So it may give up
whenever it sees something odd, and says nothing about errors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .csv_cells import Chunk, Layout
from .frame import Name

ENGINES = ("auto", "pyarrow", "numpy", "exact")
Engine = Callable[[Chunk, Layout], "dict[Name, np.ndarray] | None"]


def engine_named(name: str) -> Engine:
    """The engine called "auto" (pyarrow if it is installed, else numpy), "pyarrow", "numpy", or
    "exact"."""
    if name not in ENGINES:
        raise ValueError(f"engine is one of {', '.join(map(repr, ENGINES))}: got {name!r:.40}")
    if name in ("auto", "pyarrow"):
        try:
            import pyarrow.csv  # noqa: F401

            return by_pyarrow
        except ImportError:
            if name == "pyarrow":
                raise ModuleNotFoundError(
                    'engine="pyarrow" needs pyarrow: pip install pyarrow, or engine="numpy"'
                ) from None
    return by_numpy if name != "exact" else lambda chunk, layout: None


def by_numpy(chunk: Chunk, layout: Layout) -> dict[Name, np.ndarray] | None:
    """Chunks of nothing but digits and signs, by np.loadtxt."""
    if any(layout.is_text):
        return None
    dialect, data = layout.dialect, chunk.data
    allowed = b"0123456789+-.eE\r\n" + (dialect.separator + dialect.decimal).encode()
    if data.translate(None, allowed) or _is_odd(data, layout):
        return None
    if dialect.decimal != ".":
        if b"." in data:
            return None
        data = data.replace(dialect.decimal.encode(), b".")
    lines = data.decode().splitlines()
    if not any(lines):
        return None
    try:
        table = np.loadtxt(lines, delimiter=dialect.separator, comments=None, ndmin=2)
    except ValueError:
        return None
    if table.shape[1] != len(layout.names) or not np.isfinite(table).all():
        return None
    return {layout.names[j]: np.ascontiguousarray(table[:, j]) for j in layout.chosen}


def by_pyarrow(chunk: Chunk, layout: Layout) -> dict[Name, np.ndarray] | None:
    """pyarrow's reader, with all types told."""
    import pyarrow as pa
    from pyarrow import csv

    dialect, data = layout.dialect, chunk.data
    if not data or data.isspace() or b"\0" in data or _is_odd(data, layout):
        return None
    quotes = data.count(dialect.quote.encode())
    if quotes % 2:
        return None
    keys = [f"{j}" for j in range(len(layout.names))]
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(column_names=keys, block_size=max(2**16, len(data) // 4)),
            csv.ParseOptions(delimiter=dialect.separator, quote_char=dialect.quote,
                             newlines_in_values=quotes > 0),
            csv.ConvertOptions(
                column_types={
                    k: text if is_text else pa.float64()
                    for k, is_text in zip(keys, layout.is_text, strict=True)
                },
                include_columns=[keys[j] for j in dict.fromkeys(layout.chosen)],
                null_values=list(dialect.missing_values),
                strings_can_be_null=True,
                decimal_point=dialect.decimal,
            ),
        )  # fmt: skip
    except pa.ArrowCancelled:  # its way to tell of Ctrl-C
        raise KeyboardInterrupt from None
    except pa.ArrowException:
        return None
    found = {}
    for j in layout.chosen:
        values = _values(table.column(keys[j]), layout.is_text[j])
        if values is None:
            return None
        found[layout.names[j]] = values
    return found


def _values(column, is_text: bool) -> np.ndarray | None:
    if is_text:
        return _texts(column)
    values = column.to_numpy()
    odd = np.count_nonzero(~np.isfinite(values)) != column.null_count  # inf, 1e999, nan(1)
    return None if odd else values


def _texts(column) -> np.ndarray:
    """Text by its dictionary: each different one is made once."""
    parts = [np.empty(0, object)]
    for part in column.chunks:
        words = np.array([*part.dictionary.to_pylist(), None], object)
        codes = part.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        parts.append(words[codes])
    return np.concatenate(parts)


def _is_odd(data: bytes, layout: Layout) -> bool:
    """Old line ends; blank lines where they might be values; a byte order mark amid a file."""
    mark = data.startswith(b"\xef\xbb\xbf")  # pyarrow would leave it out of any chunk
    old_ends = b"\r" in data and data.count(b"\r") != data.count(b"\r\n")
    blank = len(layout.names) == 1 and (b"\n\n" in data or b"\n\r" in data or data[:1] in b"\r\n")
    return mark or old_ends or blank
