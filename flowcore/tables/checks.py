"""Numbers of a table that have no density: constant columns, copies, sums of other columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import warn, with_fix
from ..core.inputs import named
from ..training.columns import dependent_columns
from .coordinates import Coordinates

NARROW = 1e-3  # of the columns' scales: what is left of one when the others are known


def check_numbers(x: np.ndarray, names: list, coordinates: Coordinates) -> None:
    """Raises, or warns of, what `dependence` finds."""
    problem = dependence(x, names, coordinates)
    if isinstance(problem, ValueError):
        raise problem
    if problem is not None:
        warn(problem)


def dependence(
    x: np.ndarray, names: list, coordinates: Coordinates
) -> ValueError | UserWarning | None:
    """A ValueError for numbers that are constant, repeat another column, or follow from others.

    A UserWarning for columns for which this nearly holds. Numbers are checked in their own units,
    and those without a grid also after their map to the line, where x y = const becomes a sum of
    logarithms.
    """
    there = ~np.isnan(x)
    constant = [j for j, own in enumerate(there.T) if own.any() and len(np.unique(x[own, j])) == 1]
    if constant:
        these = named("column", constant, names)
        problem = f"X is constant in {these}, and so has no density"
        return _leave_out(ValueError, problem, "them", [names[j] for j in constant])
    seen: dict[bytes, int] = {}
    for j, column in enumerate(np.ascontiguousarray(x.T)):
        first = seen.setdefault(column.tobytes(), j)
        if first != j:
            copies = f"column {names[j]!r:.40} repeats column {names[first]!r:.40}"
            problem = f"{copies}, so that rows have no density"
            return _leave_out(ValueError, problem, "one of them", [names[j]])
    x = x[there.all(axis=1)]
    if not x.size:
        return None
    rows = np.arange(len(x))
    z = x if coordinates.line is None else coordinates.line.inverse(x)
    for own in (x,) if coordinates.step.any() else (z, x):
        dependent, n = dependent_columns(own, rows)
        if dependent.size:
            problem = (
                f"X has dependent columns: of {named('column', dependent, names, shown=20)}, {n} "
                "follow from the others, as sums of multiples of them (or of their logarithms, "
                "where they are positive). Such rows have no density"
            )
            last = [names[dependent[-1]]]
            return _leave_out(ValueError, problem, f"{n} of these columns", last)
    narrow, n = dependent_columns(z, rows, NARROW)
    if narrow.size:
        these = named("column", narrow, names, shown=20)
        problem = (
            f"of {these}, {n} nearly follow from the others, up to {NARROW:g} of their scales: a "
            "flow hardly learns that. If it is no news"
        )
        return _leave_out(UserWarning, problem, f"{n}", [names[narrow[-1]]], ", ")
    return None


def _leave_out(kind: type, problem: str, these: str, names: list, sign: str = ": ") -> Any:
    """An error or a warning whose fix is to leave out columns."""
    aside = dict.fromkeys(names, "aside")
    words = f"leave {these} out, such as by schema.edit({aside!r:.200})"
    return with_fix(kind, f"{problem}{sign}", {"kind": aside}, words=words)
