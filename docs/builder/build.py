"""The whole site in one folder, for any static host: pages, lessons, API and the Flow Bench.

    python docs/builder/build.py                     # into docs/_build/html
    python docs/builder/build.py FOLDER --serve      # and look at it; --serve 8080 for a port

Lessons and how-tos are run, and a warning is an error. Slides for teachers are put beside the
pages, and the Flow Bench with all that it loads. Then every local link is followed. It takes about
five minutes; a second build runs only the scripts that have changed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from builder import check_links, live, slides

DOCS = live.DOCS
DEFAULT = DOCS / "_build" / "html"


def build(folder: Path) -> None:
    """Write the site. Errors: `live.Problem` if a step fails, with its name."""
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    doctrees = DOCS / "_build" / "doctrees"  # not in the folder that a host gets
    if subprocess.run([*sphinx, "-d", str(doctrees), str(DOCS), str(folder)]).returncode:
        raise live.Problem("Sphinx has warnings or errors: see above")
    slides.write(folder)
    live.assemble(folder / "live")
    (folder / ".nojekyll").touch()  # hosts with Jekyll leave out folders such as _static otherwise
    if check_links.main(str(folder)):
        raise live.Problem("links are dead: see above")


def main(arguments: list[str]) -> str | None:
    """Build, and serve if asked; what is wrong, or None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--serve", metavar="PORT", nargs="?", const=8000, type=int)
    options = parser.parse_args(arguments)
    try:
        build(options.folder)
        if options.serve is not None:
            live.serve(options.folder, options.serve)
    except (live.Problem, OSError) as problem:
        return f"build.py: {problem}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
