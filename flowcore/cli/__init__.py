"""The command `flowcore`: its arguments, one call of the library, its output.

Help, versions and wrong arguments need no NumPy: so nothing is imported here.

entry.py     streams, exit status              app.py      the commands and their options
messages.py  errors, notes and their fixes

fit.py       a table -> a model, one file      score.py    log-densities of rows, in blocks
sample.py    rows from a model                 plot.py     pairs of columns
diagnose.py  can it be trusted?                info.py     a model as text or JSON
moons.py     the tutorial                      impute.py   missing cells filled, several times

inputs.py    files of models and of rows       outputs.py  CSV, .npy, Parquet, pictures
"""


def main(argv=None) -> int:
    """Entry point of the console script; returns the exit status."""
    from .entry import run

    return run(argv)
