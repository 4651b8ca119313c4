"""`flowcore score`: log-densities of a table's rows, block after block."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain

import numpy as np
from tqdm import tqdm

from ..tables import Frame, Schema
from ..tables.coordinates import Coordinates
from ..tables.encoding import Encoding
from .inputs import arranged, blocks, named
from .messages import note
from .model import read_model
from .outputs import check_table, opened
from .problem import Problem


def run(
    model: str, data: str, out: str | None, reading: dict, keep: Sequence[str],
    ignore_extra: bool, as_json: bool, progress: bool,
) -> None:  # fmt: skip
    """Score a file's rows, in order."""
    check_table(out, model, data)
    if "log_prob" in keep:
        raise Problem("--keep log_prob: the scores are called so: rename that column in the file")
    density, keep = read_model(model), list(dict.fromkeys(keep))
    schema, scores = density.schema, Scores(density.schema)
    carried = [name for name in keep if name not in schema.names]  # as they are: as text
    reading = {**reading, "text": [*reading["text"], *carried]}

    def scored() -> Iterator[dict]:
        for frame in blocks(data, reading, schema):
            kept, own = _kept(frame, keep), arranged(frame, schema, keep, ignore_extra)
            log_p = density.log_prob(own)
            scores.add(own, log_p)
            yield {**kept, "log_prob": log_p}

    rows = scored()
    first = next(rows)  # its errors come before anything is written
    sink = nullcontext() if as_json and out is None else opened(out, [*keep, "log_prob"])
    bar = tqdm(unit=" rows", unit_scale=True, file=sys.stderr, disable=not progress)
    with sink as file, bar:
        for block in chain([first], rows):
            bar.update(len(block["log_prob"]))
            if file is not None:
                file.write(block)
    if as_json:
        print(json.dumps({"model": model, "data": data, "out": out, **scores.summary()}))
        return
    for text in scores.notes():
        note(text)


def _kept(frame: Frame, names: Sequence[str]) -> dict:
    there = {str(name): name for name in frame.names}
    missing = [name for name in names if name not in there]
    if missing:
        raise Problem(
            f"{frame.source} has no column {named(missing)} to keep, but {named(frame.names)}"
        )
    return {name: frame[there[name]] for name in names}


class Scores:
    """What is printed about the scores of all blocks: a few numbers of each, and a reason."""

    def __init__(self, schema: Schema):
        self.schema, self.blocks = schema, []
        self.reason = ""  # of the first row of density 0
        self.unseen: dict = {}  # name of a column -> a value that fit has not seen

    def add(self, frame: Frame, log_p: np.ndarray) -> None:
        """One more block; frame: the columns of the schema."""
        finite, zero = log_p[np.isfinite(log_p)], np.flatnonzero(np.isneginf(log_p))
        n, missing = len(log_p), np.count_nonzero(np.isnan(log_p))
        moments = (
            (finite.mean(), finite.var(), finite.min(), finite.max()) if finite.size else [0] * 4
        )
        self.blocks.append((n, missing, len(zero), finite.size, *moments))
        if len(zero) and not self.reason:
            self.reason = self._reason(frame, zero[0])
        for column in self.schema.categories:
            if column.kind.name == "categorical" and column.name not in self.unseen:
                new = set(frame[column.name].tolist()) - {*column.values, None}
                new = sorted(str(value) for value in new if value == value)  # without nan
                self.unseen |= {column.name: new[0]} if new else {}

    def _reason(self, frame: Frame, row: int) -> str:
        """Which value of a row has no density, if it is a single one."""
        one, encoding = frame.take(np.array([row])), Encoding(self.schema)
        x = encoding.encode(one)[1]
        out = Coordinates(encoding.kinds, encoding.optional).outside(x)[0]
        for j in np.flatnonzero(out)[:1]:
            column = self.schema.numbers[j]
            place = one.place(0, column.name)
            return f"{place} is {one[column.name][0]:g}, not inside of {column.kind}"
        return f"the first is row {one.row_numbers(0)}"

    def summary(self) -> dict:
        """Counts; moments of the finite log p, None without any."""
        rows, missing, zero, n, mean, variance, least, most = np.array(self.blocks, float).T
        found = dict.fromkeys(("mean_log_prob", "standard_error", "least", "most"))
        if n.any():
            total, overall = n.sum(), np.average(mean, weights=n)
            squares = n @ (variance + (mean - overall) ** 2)
            error = np.sqrt(squares / (total - 1) / total) if total > 1 else None
            least, most = least[n > 0].min(), most[n > 0].max()
            found = dict(zip(found, (overall, error, least, most), strict=True))
        counts = {"rows": rows, "missing": missing, "density_zero": zero}
        return {name: int(count.sum()) for name, count in counts.items()} | found

    def notes(self) -> Iterator[str]:
        """One about each thing that is odd."""
        rows, missing, zero = np.sum(self.blocks, axis=0)[:3].astype(int)
        if missing:
            yield f"{missing:,} of {rows:,} rows miss a value: their log_prob is nan"
        if zero:
            yield f"{zero:,} of {rows:,} rows have the density 0, a log_prob of -inf: {self.reason}"
        for name, value in self.unseen.items():
            yield (
                f"column {name!r:.40} has values that fit has not seen, such as {value!r:.40}: "
                "they share the probability of all that was not seen"
            )
