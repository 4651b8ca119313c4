"""Tables that are no text: .npy and .npz by NumPy, Parquet by pyarrow, in blocks of rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..core import fixable
from .frame import Frame, Name, as_frame, check_there

# numpy.load of a file that somebody has tampered with raises almost anything
ARRAYS = "{} is no array that can be read: {}"


def array_blocks(stream, source: str, path: str | None, block_bytes: int) -> Iterator[Frame]:
    """Frames of an array (n, D), or of records. path: its file, None if it has none that is mapped
    into memory: then the whole array is read."""

    def load() -> np.ndarray:
        if path is not None:
            return np.load(path, mmap_mode="r")
        return np.load(io.BytesIO(stream.read()))

    try:
        array = load()
    except Exception as problem:
        raise ValueError(ARRAYS.format(source, problem)) from None
    return _rows(array, source, block_bytes, load if path is not None else None)


def archive_blocks(stream, source: str, member: str | None, block_bytes: int) -> Iterator[Frame]:
    """Frames of the one table of an archive, or of its columns, arrays (n,) of one length."""
    try:
        with np.load(stream) as archive:
            names = archive.files
            arrays = {name: archive[name] for name in names if member in (None, name)}
    except Exception as problem:
        raise ValueError(ARRAYS.format(source, problem)) from None
    if member is not None and not arrays:
        raise ValueError(f"{source} has no array {member!r:.40}, but {', '.join(names)!s:.200}")
    shapes = {a.shape for a in arrays.values()}
    if len(arrays) == 1:
        return _rows(*arrays.values(), source, block_bytes)
    if len(shapes) != 1 or len(*shapes) != 1:
        found = ", ".join(f"{key} {a.shape}" for key, a in list(arrays.items())[:20]) or "nothing"
        raise fixable(
            ValueError,
            f"{source} holds {found}: neither one table nor columns of one length: ",
            *({"member": name} for name in names[:3]),
        )
    return _rows(arrays, source, block_bytes)


def _rows(
    table: np.ndarray | Mapping, source: str, block_bytes: int, again: Callable | None = None
) -> Iterator[Frame]:
    """Frames of rows. again: maps the array anew, so that the pages of a block leave memory."""
    columns = list(table.values()) if isinstance(table, Mapping) else [table]
    if not isinstance(table, Mapping) and table.ndim != (1 if table.dtype.names else 2):
        hint = "; save x[:, None]" if table.ndim == 1 else ""
        raise ValueError(f"{source} holds an array of shape {table.shape}, not (n, D){hint}")
    n, size = len(columns[0]), sum(column.nbytes for column in columns)
    step = max(1, n * block_bytes // max(1, size))
    for start in range(0, max(n, 1), step):
        rows = slice(start, start + step)
        if isinstance(table, Mapping):
            part = {name: column[rows] for name, column in table.items()}
        else:
            part = np.array(again()[rows] if again else table[rows])
        yield as_frame(part, source, start)


def parquet_blocks(
    stream, source: str, columns: Sequence[Name] | None, block_bytes: int
) -> Iterator[Frame]:
    """Frames of a Parquet file, batch by batch."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ModuleNotFoundError(
            f'{source} is a Parquet file, which needs pyarrow: pip install "flowcore[tables]"'
        ) from None
    try:
        file, row = parquet.ParquetFile(stream), 0
        names = file.schema_arrow.names
        n = max(1, block_bytes // (8 * max(1, len(names))))
        check_there(columns or (), names, source)
        for batch in file.iter_batches(n, columns=columns and list(columns)):
            yield as_frame(batch, source, row)
            row += batch.num_rows
        if row == 0:
            yield as_frame(file.schema_arrow.empty_table(), source)
    except pa.ArrowCancelled:  # its way to report Ctrl-C
        raise KeyboardInterrupt from None
    except (pa.ArrowException, OSError) as problem:
        raise ValueError(f"{source} is no Parquet file that can be read: {problem}") from None
