"""The console script `flowcore`: what it understands, and how it ends.

A package outside of `flowcore`, so that help, versions and wrong arguments need no NumPy, and
Ctrl-C while that is imported is no traceback.

entry.py    streams, exit status                 arguments.py   the types of options
app.py      the commands and their options       problem.py     what the user can mend

What the commands do stands in `flowcore/cli/`.
"""

import sys


def main(argv=None) -> int:
    """Entry point of the console script; returns the exit status."""
    try:
        from .entry import run
    except KeyboardInterrupt:
        if sys.stderr is not None:  # or print would take standard output instead
            print("interrupted", file=sys.stderr)
        return 130
    return run(argv)
