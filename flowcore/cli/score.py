"""`flowcore score`: log-densities of a table's rows, block after block."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from ..tables import Frame, TableDensity
from .inputs import arranged, blocks, named
from .model import read_model
from .oddities import Oddities
from .outputs import check_table, opened
from .problem import Problem
from .telling import note, settled, told_in_one_line


class Settings(NamedTuple):
    """What is asked for, apart from files."""

    keep: tuple[str, ...] = ()
    ignore_extra: bool = False
    draws: int = 1
    seed: int = 0


def run(
    model: str, data: str, out: str | None, settings: Settings, reading: dict, as_json: bool,
    progress: bool,
) -> int:  # fmt: skip
    """Score a file's rows, in order."""
    with told_in_one_line():
        check_table(out, model, data)
        settings = settings._replace(keep=_names_kept(settings.keep))
        density, seen = read_model(model), Seen()
        settled([name for name in settings.keep if name not in density.schema.names])
        names = (*settings.keep, "log_prob")
        odd = Oddities(density.schema)
        rows = scores(density, data, settings, reading, odd)
        first = next(rows)  # its errors come before anything is written
        silent = as_json and out is None
        with nullcontext() if silent else opened(out, names) as sink, _bar(progress) as bar:
            for kept, log_p in chain([first], rows):
                seen.add(log_p)
                bar.update(len(log_p))
                if sink is not None:
                    sink.write({**kept, "log_prob": log_p})
        if as_json:
            print(json.dumps({"model": model, "data": data, "out": out, **seen.to_dict()}))
            return 0
        if seen.missing:
            note(f"{seen.missing:,} of {seen.rows:,} rows miss a value: their log_prob is nan")
        for told in odd.notes(seen.rows):
            note(told)
    return 0


def scores(
    density: TableDensity, data: str, settings: Settings, reading: dict, odd: Oddities
) -> Iterator[tuple[dict, np.ndarray]]:
    """(columns that are kept, log p) of every block, which `odd` has a look at."""
    rng = np.random.default_rng(settings.seed)
    for frame in blocks(data, reading, density.schema):
        kept = _kept(frame, settings.keep)
        own = arranged(frame, density.schema, settings.keep, settings.ignore_extra)
        log_p = density.log_prob(own, draws=settings.draws, rng=rng)
        odd.look(own, log_p)
        yield kept, log_p


def _names_kept(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each once; a `Problem` for the name of what is written beside them."""
    if "log_prob" in names:
        raise Problem("--keep log_prob: the scores are called so: rename that column in the file")
    return tuple(dict.fromkeys(names))


def _kept(frame: Frame, names: tuple[str, ...]) -> dict:
    there = {str(name): name for name in frame.names}
    missing = [name for name in names if name not in there]
    if missing:
        raise Problem(
            f"{frame.source} has no column {named(missing)} to keep, but {named(frame.names)}"
        )
    return {name: frame[there[name]] for name in names}


@dataclass
class Seen:
    """What a summary needs, in constant memory: sums are of differences from the first value."""

    rows: int = 0
    missing: int = 0
    impossible: int = 0
    least: float = math.inf
    most: float = -math.inf
    first: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, log_p: np.ndarray) -> None:
        """One more block."""
        self.rows += len(log_p)
        self.missing += int(np.isnan(log_p).sum())
        self.impossible += int(np.isneginf(log_p).sum())
        found = log_p[np.isfinite(log_p)]
        if not found.size:
            return
        if self.most == -math.inf:
            self.first = float(found[0])
        self.least, self.most = min(self.least, found.min()), max(self.most, found.max())
        self.total += float((found - self.first).sum())
        self.squares += float(((found - self.first) ** 2).sum())

    def to_dict(self) -> dict:
        """The summary; mean and error are of the rows whose log p is finite, None without them."""
        n = self.rows - self.missing - self.impossible
        mean = self.total / n if n else 0.0
        variance = (self.squares - n * mean**2) / (n - 1) if n > 1 else math.nan
        error = math.sqrt(max(variance, 0.0) / n) if n > 1 else None
        return {
            "rows": self.rows,
            "missing": self.missing,
            "density_zero": self.impossible,
            "mean_log_prob": self.first + mean if n else None,
            "standard_error": error,
            "least": float(self.least) if n else None,
            "most": float(self.most) if n else None,
        }


def _bar(shown: bool):
    from tqdm import tqdm

    return tqdm(unit=" rows", unit_scale=True, file=sys.stderr, disable=not shown)
