"""The command `flowcore`: its arguments, one call of the library, its output.

Help, versions and wrong arguments need no NumPy, and Ctrl-C while that is imported is no
traceback: so nothing is imported here.

entry.py     streams, exit status              app.py      the commands and their options
messages.py  errors, notes and their fixes

fit.py       a table -> a model, one file      score.py    log-densities of rows, in blocks
sample.py    rows from a model                 plot.py     pairs of columns
diagnose.py  can it be trusted?                info.py     a model as text or JSON
moons.py     the tutorial

model.py     files of models                   inputs.py   files of rows, their columns checked
outputs.py   CSV, .npy, Parquet, pictures
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
