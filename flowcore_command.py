"""The console script `flowcore`: a module outside of the package, whose import takes a moment, so
that Ctrl-C during that moment is no traceback."""

import sys


def main() -> int:
    """Entry point of the console script; returns the exit status."""
    try:
        from flowcore.cli import main
    except KeyboardInterrupt:
        if sys.stderr is not None:  # or print would take standard output instead
            print("interrupted", file=sys.stderr)
        return 130
    return main()
