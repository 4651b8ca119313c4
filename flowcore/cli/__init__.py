"""What the commands of `flowcore` do. `flowcore_command/` has their options.

fit.py      a table -> a model, one file       score.py   log-densities of rows, in blocks
sample.py   rows from a model                  plot.py    pairs of columns
diagnose.py can it be trusted?                 info.py    what is in a model

model.py    files of models                    inputs.py  files of rows, their columns checked
outputs.py  CSV, .npy, pictures; safe places   parquet.py Parquet, in groups
telling.py  errors and notes in one line       learning.py by `FlowDensity`
report.py   a model as text and as data        interrupts.py signals
oddities.py rows with a score to explain       digest.py  recognises the training table
"""

from flowcore_command import main

__all__ = ["main"]
