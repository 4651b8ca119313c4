"""Are conditionals right? Cells of held-out rows are hidden, and drawn given the others.

If the density and its conditionals are right, the rank (PIT) of a hidden value among the draws of
its cell is uniform, and 90% intervals of the draws hold 90% of the values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..conditionals import Conditionals
from ..conditionals.angles import turned
from ..core import imported, without_warnings
from .density import AnyDensity, GivenRows
from .findings import Finding
from .tests import ranks, uniformity

MOST_ROWS, DRAWS = 1000, 99  # rows with hidden cells, and completed tables of them
LEVELS = 0.5, 0.9, 0.95  # of intervals
FEWEST = 20  # hidden cells of a column; columns that have fewer count together
UNTRUSTED = 0.1  # of the rows; more are a fault


class _Drawn:
    """A density of the caller's, as `Conditionals` wants one."""

    def __init__(self, adapter: AnyDensity):
        self.adapter, self.dim = adapter, adapter.dim

    def sample(self, n, rng=None, context=None):
        return self.adapter.sample(n, np.random.default_rng(rng))

    def log_prob(self, x):
        return self.adapter.log_prob("draws of hidden cells", GivenRows(x, None))


def hidden_numbers(
    adapter: AnyDensity, rows: GivenRows, names: Sequence[str], share: float,
    rng: np.random.Generator,
) -> list[Finding]:  # fmt: skip
    """Findings about rows of numbers, a share of whose cells is hidden, at random."""
    density = getattr(adapter.density, "density_", adapter.density)
    density = density if hasattr(density, "dim") and hasattr(density, "bind") else _Drawn(adapter)
    context = rows.context if getattr(density, "context_dim", 0) else None
    hole = _mask(rows.x.shape, share, rng)
    some = np.flatnonzero(hole.any(axis=1))[:MOST_ROWS]
    holes = np.where(hole, np.nan, rows.x)[some]
    context = None if context is None else context[some]
    with without_warnings():  # no warning: rows that cannot be trusted are counted below
        joint = Conditionals(density)
        found = joint.impute(holes, n=DRAWS, rng=rng, context=context)
        values = turned(rows.x[some], joint.turn(context).angle)
    cells = []
    for j, name in enumerate(names):
        own = hole[some, j]
        cells.append((name, own, values[own, j], found.draws[:, own, j], True))
    return _findings(cells, found.trusted, rng)


def hidden_cells(density: Any, frame: Any, share: float, rng: np.random.Generator) -> list[Finding]:
    """The same about a `TableDensity` and the complete rows of a frame of its columns."""
    frame = frame.take(frame.complete & ~density.encoding.encode(frame)[2])
    names = list(frame.names)
    hole = _mask((len(frame), len(names)), share, rng)
    some = np.flatnonzero(hole.any(axis=1))[:MOST_ROWS]
    truth, hole = frame.take(some), hole[some]
    holes = truth.without(hole)
    with without_warnings():
        found = density.impute(holes, n=DRAWS, rng=rng)
    completed, cells = [density.schema_.select(table) for table in found.tables], []
    for name, own in zip(names, hole.T, strict=True):
        values = truth[name][own].tolist()
        drawn = [table[name][own].tolist() for table in completed]
        is_number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        if not is_number:  # ranks of codes, whatever their order is
            seen = Counter(v for row in (values, *drawn) for v in row)
            in_order = sorted(seen, key=lambda v: (-seen[v], f"{v}"))  # the truth is not the first
            code = {v: i for i, v in enumerate(in_order)}
            values, drawn = [code[v] for v in values], [[code[v] for v in row] for row in drawn]
        cells.append((f"{name}", own, np.array(values), np.array(drawn), is_number))
    return _findings(cells, found.trusted, rng)


def _mask(shape: tuple[int, int], share: float, rng) -> np.ndarray:
    """Which cells are hidden: a share of them, but never a whole row, unless it has one column."""
    hole = rng.random(shape) < share
    whole = np.flatnonzero(hole.all(axis=1) & (shape[1] > 1))
    hole[whole, rng.integers(shape[1], size=len(whole))] = False
    return hole


def _findings(cells: Sequence[tuple], trusted: np.ndarray, rng) -> list[Finding]:
    """cells: (name, which rows (n,), values (m,), draws (k, m), whether it has intervals)."""
    found, inside, few = [], [], []
    for name, own, values, drawn, is_number in cells:
        if not len(values):
            continue
        rows, (u, test) = np.flatnonzero(own), ranks(values.astype(float), drawn.T, rng)
        if len(values) < FEWEST:
            few.append((rows, u))
        else:
            found.append(_uniformity(name, u, test))
        if is_number:
            inside.append((rows, np.abs(2 * u - 1)))
    if few:  # one cell of each row: those of a row depend on each other
        rows, u = (np.concatenate(own) for own in zip(*few, strict=True))
        u = u[np.unique(rows, return_index=True)[1]]
        if len(u) >= FEWEST:
            test = imported("scipy.stats").kstest(u, "uniform")
            found.append(_uniformity("other columns" if found else "all columns", u, test))
    if inside:
        rows, width = (np.concatenate(own) for own in zip(*inside, strict=True))
        found += [_coverage(level, rows, width) for level in LEVELS]
    bad, n = int(np.count_nonzero(~trusted)), len(trusted)
    text = (
        f"Conditionals of {bad:,} of {n:,} rows cannot be trusted: too few effective draws, or a "
        "k-hat above 0.7."
    )
    found.append(Finding("answers", "conditionals not to be trusted", bad, remedy="flexible",
                         sentence=text * (bad > 0), fault=bad > UNTRUSTED * n))  # fmt: skip
    return found


def _uniformity(name: str, u: np.ndarray, test: Any) -> Finding:
    label, what = f"KS of {name} given seen cells", f"`{name}` given seen cells"
    return uniformity("hidden", label, "The density", what, u, test)


def _coverage(level: float, rows: np.ndarray, width: np.ndarray) -> Finding:
    """How many hidden numbers lie in their interval.

    rows (n,): the row of each cell; width (n,): the level of the narrowest interval that contains
    its value. The error is that of independent cells, or larger if the cells of a row are alike.
    """
    off, n = (width < level) - level, len(rows)
    alike = np.sqrt((np.bincount(rows, off) ** 2).sum()) / n
    covered, error = level + off.mean(), float(max(alike, np.sqrt(level * (1 - level) / n)))
    norm = imported("scipy.stats").norm
    text = f"{level:.0%} intervals of hidden cells hold {covered:.1%} of their values."
    return Finding("coverage", f"{level:.0%} intervals are off by", abs(float(off.mean())), error,
                   p=float(2 * norm.sf(abs(off.mean()) / error)), sentence=text,
                   remedy="narrow" if covered < level else "thin")  # fmt: skip
