"""Binary tables: .npy and .npz by NumPy, Parquet by pyarrow, in blocks of rows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np

from .frame import Frame, Name, as_frame, check_there, library


def array_blocks(stream, source: str, path: str | None, block_bytes: int) -> Iterator[Frame]:
    """Frames of an array (n, D), of records, or of the columns (n,) of an archive.

    path: the stream's file; None if it has none that can be mapped into memory: then the whole
    array is read.
    """

    def load():
        return np.load(path or io.BytesIO(stream.read()), mmap_mode="r" if path else None)

    try:
        table = load()
        archive = None if isinstance(table, np.ndarray) else table
        if archive is not None:
            table = dict(archive)
            archive.close()
    except Exception as problem:  # a file that somebody has tampered with raises almost anything
        fix = "it may be cut short, or still being written: save it again"
        if "object" in f"{problem}".lower():
            fix = "it holds Python objects: save numbers, or a table with text as CSV or Parquet"
        raise ValueError(f"{source} is no array that can be read ({problem}): {fix}") from None
    if archive is not None:
        table = _of_archive(table, source)
    if isinstance(table, np.ndarray) and table.ndim != (1 if table.dtype.names else 2):
        hint = "; save x[:, None]" if table.ndim == 1 else ""
        raise ValueError(f"{source} holds an array of shape {table.shape}, not (n, D){hint}")
    columns = list(table.values()) if isinstance(table, dict) else [table]
    n, size = len(columns[0]), sum(column.nbytes for column in columns)
    step = max(1, n * block_bytes // max(1, size))
    for start in range(0, max(n, 1), step):
        rows = slice(start, start + step)
        if isinstance(table, dict):
            part = {name: column[rows] for name, column in table.items()}
        else:  # mapped anew, so that the pages of a block leave memory
            part = np.array((table if archive or not path else load())[rows])
        yield as_frame(part, source, start)


def _of_archive(arrays: dict, source: str):
    """The one array of an archive, or all of its columns."""
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(*shapes) != 1:
        found = ", ".join(f"{name} {a.shape}" for name, a in list(arrays.items())[:20])
        raise ValueError(
            f"{source} holds {found or 'nothing'}: neither one table nor columns of one length: "
            "save one of them as an .npy"
        )
    return arrays


def parquet_blocks(
    stream, source: str, columns: Sequence[Name] | None, block_bytes: int
) -> Iterator[Frame]:
    """Frames of a Parquet file, batch by batch."""
    pa = library("pyarrow", f"{source} is a Parquet file, which")
    parquet = library("pyarrow.parquet", source)
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
