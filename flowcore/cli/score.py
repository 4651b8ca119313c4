"""`flowcore score`: log-densities of a table's rows, block after block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from json import dumps

import numpy as np

from ..conditionals import Explanation
from ..tables import Schema
from ..tables.encoding import Encoding, OddCells
from ..tables.frame import Frame
from ..training.history import sparse_bar
from .inputs import arranged, blocks, own_names, read_model, types_of
from .messages import note
from .outputs import check_table, is_written_as_text, table_writer

EXPLAINED = "outlier_score", "cell", "gain", "likely"  # columns
MOMENTS = ("mean_log_prob", "standard_error", "least", "most")


def run(
    model: str, data: str, out: str | None, keep: Sequence[str], ignore_extra: bool, explain: bool,
    strict: bool, missing: str | None, json: bool, reading: dict,
) -> None:  # fmt: skip
    """Score a file's rows, in order."""
    check_table(out, model, data)
    reading = {**reading, "strict": strict}
    for name in ("log_prob", *EXPLAINED * explain):
        if name in keep:
            raise ValueError(
                f"--keep {name}: score writes a column of this name: rename yours in the file"
            )
    density, keep = read_model(model), list(dict.fromkeys(keep))
    schema, scores = density.schema_, Scores(density.schema_)
    learned = (density.notes or {}).get("missing") == "learn"
    missing = missing or ("marginal" if learned else "nan")
    carried = [name for name in keep if name not in map(str, schema.names)]  # as they are: as text
    types = types_of(data, reading, schema, is_written_as_text(out)) if keep else {}
    writer = nullcontext() if json and out is None else table_writer(out)
    bar = sparse_bar(None, " rows", unit_scale=True)
    with writer as write, bar:
        for frame in blocks(data, reading, schema, carried):
            kept = {}
            for typed, name in own_names(frame, keep).items():
                is_text = types.get(typed) is str and frame.texts
                kept[typed] = (frame.texts if is_text else frame)[name]
                if types.get(typed) is float:
                    kept[typed] = kept[typed].astype(float)
            own = arranged(frame, schema, keep, ignore_extra)
            possible, odd, said = density.encoding.without_odd(own, strict)
            log_p = density.log_prob(own if strict else possible, missing)
            for cells in odd.values():
                log_p[cells] = -np.inf
            scores.add(own if strict else possible, log_p, said)
            bar.update(len(log_p))
            if write is not None:
                more = cells_of(density.explain(own), density.outlier_score(own)) if explain else {}
                write({**kept, "log_prob": log_p, **more})
    if json:
        print(dumps({"model": model, "data": data, "out": out, **scores.summary()}))
        return
    for text in scores.notes():
        note(text)


def cells_of(found: Explanation, outlier_score: np.ndarray) -> dict[str, np.ndarray]:
    """The most surprising cell of each row, its gain and value, and the score of the row."""
    place = [None if name is None else found.names.index(name) for name in found.worst]
    gain = [np.nan if j is None else found.gains[i, j] for i, j in enumerate(place)]
    likely = [None if j is None else found.values[j][i] for i, j in enumerate(place)]
    likely = [value.item() if isinstance(value, np.generic) else value for value in likely]
    cells = np.array([[*found.worst, None], [*likely, None]], object)[:, :-1]  # never a 3rd axis
    return dict(zip(EXPLAINED, (outlier_score, cells[0], np.array(gain), cells[1]), strict=True))


class Scores:
    """The summary of the scores of all blocks: a few numbers of each, and what is odd."""

    def __init__(self, schema: Schema):
        self.encoding, self.counts = Encoding(schema), np.zeros(3, int)  # rows, missing, of p 0
        self.moments: list = []  # of the finite scores of each block
        self.odd = OddCells()
        self.first_zero: int | None = None  # the number of the first row of density 0
        self.unseen: dict = {}  # name of a column -> a value that fit has not seen

    def add(self, frame: Frame, log_p: np.ndarray, odd: OddCells) -> None:
        """One more block; frame: the columns of the schema; odd: which cells cannot be."""
        finite, zero = log_p[np.isfinite(log_p)], np.flatnonzero(np.isneginf(log_p))
        self.counts += (len(log_p), np.count_nonzero(np.isnan(log_p)), len(zero))
        if len(finite):
            moments = (finite.mean(), finite.var(), finite.min(), finite.max())
            self.moments.append((len(finite), *moments))
        self.odd += odd
        if len(zero) and self.first_zero is None:
            self.first_zero = frame.row_numbers(zero[0])
        codes, own = self.encoding.encode(frame)[0], self.encoding
        for column, code, size in zip(own.of_codes, codes.T, own.sizes, strict=True):
            new = np.flatnonzero(code == size)
            if len(new) and column.kind.name == "categorical":
                self.unseen.setdefault(column.name, str(frame[column.name][new[0]]))

    def summary(self) -> dict:
        """Counts; moments of the finite log p, None without any."""
        rows, missing, zero = self.counts.tolist()
        found = {"rows": rows, "missing": missing, "density_zero": zero}
        found |= dict.fromkeys(MOMENTS)
        if self.moments:
            n, mean, variance, least, most = np.array(self.moments).T
            total, overall = n.sum(), np.average(mean, weights=n)
            squares = n @ (variance + (mean - overall) ** 2)
            error = np.sqrt(squares / (total - 1) / total) if total > 1 else None
            found |= zip(MOMENTS, (overall, error, least.min(), most.max()), strict=True)
        return found

    def notes(self) -> Iterator[str]:
        """A note about each unusual result."""
        rows, missing, zero = self.counts
        if missing:
            nan = "their log_prob is nan (or pass --missing marginal)"
            yield f"{missing:,} of {rows:,} rows miss a value: {nan}"
        if zero:
            reason = self.odd if self.odd.n else f"the first is row {self.first_zero}"
            yield f"{zero:,} of {rows:,} rows have the density 0, a log_prob of -inf: {reason}"
        if (missing or zero) and self.moments:
            found = self.summary()
            yield f"the mean log_prob of the other rows is {found['mean_log_prob']:.4f}"
        for name, value in self.unseen.items():
            yield (
                f"column {name!r:.40} has values that fit has not seen, such as {value!r:.40}: "
                "they share the probability of all that was not seen"
            )
