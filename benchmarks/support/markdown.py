"""Rows as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .timing import significant


def table(header: Sequence[str], rows: Sequence[Sequence]) -> str:
    """Numbers with three significant digits, None as a dash."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(cell, line))} |\n" for line in lines)


def cell(value) -> str:
    if value is None:
        return "-"
    return significant(value) if isinstance(value, float) else str(value)


def milliseconds(seconds: Mapping | None) -> float | None:
    """The median of a spread in seconds, in ms; None where nothing was measured."""
    return None if seconds is None or seconds["median"] is None else 1e3 * seconds["median"]
