"""Where things lie."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
DATA = TESTS / "data"
PARTS_OF_DOCS = ("start", "learn", "use", "measured", "inside")
PAGES = [page for part in PARTS_OF_DOCS for page in sorted((ROOT / "docs" / part).glob("*.md"))]
