"""Numbers and names as a sentence has them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .findings import Uniformity

NAMED = 3  # columns or rows in a sentence


def significant(found: Sequence[Uniformity], alpha: float) -> list[Uniformity]:
    """Those that are, the largest first."""
    return sorted((f for f in found if f.adjusted < alpha), key=lambda f: -f.ks)


def ks(found: Uniformity) -> str:
    """Effect and p-value, for brackets."""
    p = found.adjusted
    return f"KS {found.ks:.2f}, p {'< 1e-6' if p < 1e-6 else f'{p:.2g}'}"


def nats(value: float, error: float) -> str:
    """A number and its standard error, as many digits as that allows."""
    if not math.isfinite(value):
        return f"{value}"
    if not math.isfinite(error) or error == 0:
        return number(value)
    digits = min(max(1 - math.floor(math.log10(error)), 0), 4)
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def number(value: float) -> str:
    """Two decimals, or four digits."""
    return f"{value:.4g}" if abs(value) >= 100 or not math.isfinite(value) else f"{value:.2f}"


def names(names: Sequence[str]) -> str:
    """`a`, `b` and 3 more."""
    shown = [f"`{name}`" for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def rows(indices: Sequence[int], shown: int = 5) -> str:
    """rows 3, 5 and 7 more."""
    more = f" and {len(indices) - shown} more" if len(indices) > shown else ""
    numbers = ", ".join(f"{i}" for i in indices[:shown])
    return f"row{'s' if len(indices) > 1 else ''} {numbers}{more}"


def count(n: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def expected(n: float) -> str:
    """A number of rows that need not be whole."""
    return f"{n:.1f}" if n < 10 else f"{n:.0f}"


def capital(text: str) -> str:
    """For the start of a sentence."""
    return text[:1].upper() + text[1:]


def short(text: str, most: int) -> str:
    """Cut off, for a table."""
    return text if len(text) <= most else text[: most - 2] + ".."
