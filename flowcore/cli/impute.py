"""`flowcore impute`: the missing cells of a table, drawn from a model, block after block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..tables.cells import as_texts
from ..tables.frame import as_frame, is_missing
from ..training.history import sparse_bar
from .inputs import arranged, blocks, own_names, read_model, types_of
from .outputs import check_table, is_written_as_text, table_writer

COUNT = "imputation"  # the column that numbers the completed tables


def run(
    model: str, data: str, out: str | None, n: int, keep: Sequence[str], ignore_extra: bool,
    strict: bool, seed: int, reading: dict,
) -> None:  # fmt: skip
    """Fill a file's rows, in order; n times each."""
    check_table(out, model, data)
    reading = {**reading, "strict": strict}
    density, keep = read_model(model), list(dict.fromkeys(keep))
    rng = np.random.default_rng(seed)  # one for all blocks: equal rows have draws of their own
    schema = density.schema_
    carried = [name for name in keep if name not in map(str, schema.names)]  # as they are: as text
    if n > 1 and COUNT in (*map(str, schema.names), *keep):
        raise ValueError(f"column {COUNT!r} would be written twice: rename it in the file")
    prefix = "" if schema.is_named else "x"
    column_of = {column.name: column for column in schema.columns}
    types = types_of(data, reading, schema, is_written_as_text(out))
    bar = sparse_bar(None, " rows", unit_scale=True)
    with table_writer(out) as write, bar:
        for frame in blocks(data, reading, schema, carried):
            own = arranged(frame, schema, keep, ignore_extra)
            completed = density.impute(own, n, rng=rng, strict=strict).tables
            tables = [as_frame(table) for table in completed]
            names = dict(zip(own.names, tables[0].names, strict=True))
            rows = {}
            for name in own.names:
                found = [table[names[name]] for table in tables]
                written = types.get(f"{name}")
                if name in own.texts and written is str:
                    texts, form = own.texts[name], (column_of[name].mark, reading["decimal"])
                    gap = is_missing(texts)
                    found = [np.where(gap, as_texts(column, *form), texts) for column in found]
                elif written is float:
                    found = [column.astype(float) for column in found]
                rows[f"{prefix}{name}"] = _alternating(found)
            others = {typed: frame[name] for typed, name in own_names(frame, keep).items()}
            if not frame.is_named and len(frame.names) == len(schema.names):
                frame = frame.renamed(schema.names)
            aside = [name for name in frame.names if name in schema.names and name not in names]
            others |= {f"{prefix}{name}": frame[name] for name in aside}
            rows |= {name: np.repeat(column, n) for name, column in others.items()}
            order = [*(f"{prefix}{name}" for name in frame.names), *rows]
            count = {COUNT: np.tile(np.arange(1, n + 1), len(frame))} if n > 1 else {}
            write(count | {name: rows[name] for name in order if name in rows})
            bar.update(len(frame))


def _alternating(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The first values of all columns, then the second ones, ..."""
    return np.stack(columns, axis=1).reshape(-1)
