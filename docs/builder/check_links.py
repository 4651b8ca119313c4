"""Does every local link of the built site lead somewhere, and does no page load from elsewhere?

    python docs/builder/check_links.py docs/_build/html

Links to other sites are counted, and not followed. Scripts of the site's own live pages are read,
too: what they import, and the Workers they start. `page.html#name=value` is a state of a live page,
not a place in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LOADED = {"script", "img", "source", "iframe", "video", "audio", "embed", "object"}
ONLY_NAMED = {"canonical", "next", "prev", "search", "index", "author", "copyright"}  # <link rel>
IN_CSS = re.compile(r"""@import\s+["']([^"']+)|url\(\s*["']?([^"')]+)""")
IN_MODULES = re.compile(  # import "a"; import b from "a"; export {b} from "a"; import("a")
    r"""^\s*(?:import|export)\b[^"'();]*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']"""
    r"""|\b(?:new\s+(?:URL|Worker)|fetch)\(\s*["']([^"']+)["']""",
    flags=re.M,
)
OF_OTHERS = re.compile(r"_static|_downloads|pyodide.*")  # folders whose scripts are not the site's


class Link(NamedTuple):
    """What a page names: where to, and whether a browser loads it without being asked."""

    to: str
    loaded: bool


class Page(HTMLParser):
    """The links of a page, and the places in it that a link may lead to."""

    def __init__(self, html: str):
        super().__init__()
        self.links: list[Link] = []
        self.places: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        """Of every tag: its id, href and src."""
        found = {name: value for name, value in attributes if value is not None}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        loaded = tag in LOADED or (tag == "link" and found.get("rel") not in ONLY_NAMED)
        for name in ("href", "src", "data", "poster"):
            if name in found and not (name == "data" and tag != "object"):
                self.links.append(Link(found[name], loaded))
        for one in found.get("srcset", "").split(","):
            if one.strip():
                self.links.append(Link(one.split()[0], True))
        self.links += [Link(to, True) for to in named_in_css(found.get("style", ""))]

    def handle_data(self, data):
        """Of a style sheet inside of the page: what it loads."""
        if self.lasttag == "style":
            self.links += [Link(to, True) for to in named_in_css(data)]


def named_in_css(text: str) -> list[str]:
    """What a style sheet loads."""
    return [a or b for a, b in IN_CSS.findall(text)]


def named_in_module(text: str) -> list[str]:
    """What a script imports, starts or fetches, where that is written as text.

    >>> named_in_module("import { a } from './a.js';\\nnew Worker('b.js')")
    ['./a.js', 'b.js']
    """
    return [a or b or c for a, b, c in IN_MODULES.findall(text)]


def faults(site: Path) -> tuple[list[str], int, int]:
    """What is wrong, the number of local links, and that of links to other sites."""
    site = site.resolve()
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    wrong, local, elsewhere = [], 0, 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link.to)
            if parts.scheme or parts.netloc:
                elsewhere += 1
                if link.loaded and parts.scheme != "data":
                    wrong.append(f"{path.relative_to(site)}: is loaded from elsewhere: {link.to}")
                continue
            local += 1
            file = _file_of(path, parts.path)
            anchor = "" if "=" in parts.fragment else unquote(parts.fragment)
            if not (file.is_relative_to(site) and file.is_file()):
                wrong.append(f"{path.relative_to(site)}: there is no {link.to}")
            elif anchor and file in pages and anchor not in pages[file].places:
                wrong.append(f"{path.relative_to(site)}: there is no place {link.to}")
    for path, to in _loaded_by_files(site):
        if re.match(r"(https?:)?//", to):
            wrong.append(f"{path.relative_to(site)}: is loaded from elsewhere: {to}")
        elif not to.startswith(("data:", "#")):
            local += 1
            if not _file_of(path, urlsplit(to).path).is_file():
                wrong.append(f"{path.relative_to(site)}: there is no {to}")
    return wrong, local, elsewhere


def _loaded_by_files(site: Path) -> Iterator[tuple[Path, str]]:
    """What style sheets and the site's own scripts load."""
    for path in sorted(site.rglob("*.css")):
        for to in named_in_css(path.read_text(encoding="utf-8")):
            yield path, to
    for path in sorted(site.rglob("*.js")):
        if not any(map(OF_OTHERS.fullmatch, path.relative_to(site).parts)):
            for to in named_in_module(path.read_text(encoding="utf-8")):
                yield path, to


def _file_of(page: Path, to: str) -> Path:
    """The file that a local link of a page leads to."""
    file = (page.parent / unquote(to)).resolve() if to else page
    return file / "index.html" if file.is_dir() else file


def main(folder: str) -> int:
    """Print what is wrong; 1 if there is anything, or no page at all."""
    wrong, local, elsewhere = faults(Path(folder))
    print("\n".join(wrong))
    print(
        f"{local} local links, {len(wrong)} faults; {elsewhere} links to other sites, not followed"
    )
    return int(bool(wrong) or local == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
