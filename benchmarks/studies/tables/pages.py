"""Markdown between markers: found, replaced, compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("start", "learn", "use", "measured", "inside")  # of docs/
PAGES = (
    ROOT / "README.md",
    *(page for part in PARTS for page in sorted((ROOT / "docs" / part).glob("*.md"))),
)
BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
MARKER = re.compile(r"<!-- (?:table: .*|end) -->")


def blocks(text: str) -> dict[str, str]:
    """{name: what stands between its markers}, in their order.

    Errors: ValueError for a name that comes twice, and for a marker without its other half.
    """
    found = [(match[2], match[3]) for match in BLOCK.finditer(text)]
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise ValueError(f"a table comes twice on one page: {', '.join(names)}")
    if len(MARKER.findall(text)) != 2 * len(found):
        raise ValueError(f"a marker lacks its other half; whole ones: {', '.join(names)}")
    return dict(found)


def replaced(text: str, tables: Mapping[str, str]) -> str:
    """The text with these tables; what is not among them stays."""
    blocks(text)  # complains of broken markers
    return BLOCK.sub(lambda m: m[1] + tables.get(m[2], m[3]) + m[4], text)
