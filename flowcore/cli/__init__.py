"""What the commands of `flowcore` do. What they are called is said in `flowcore_command/`.

fit.py      a table -> a model, one file       score.py   log-densities of rows, in blocks
sample.py   rows from a model                  plot.py    pairs of columns
diagnose.py can it be trusted?                 info.py    what is in a model
moons.py    the tutorial

model.py    files of models                    inputs.py  files of rows, their columns checked
outputs.py  CSV and .npy, in blocks            parquet.py Parquet, in groups
telling.py  errors and notes in one line       learning.py by `FlowDensity`
report.py   what is told of a model            interrupts.py Ctrl-C
oddities.py rows that want a word              digest.py  a table that is known again
"""

from flowcore_command import main

__all__ = ["main"]
