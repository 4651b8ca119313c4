"""Training: `fit`, and what stands beside it.

fit.py          the loop over epochs and batches: start here
loss.py         what it minimises, and its gradient
optim.py        Adam, schedules, averages: how a gradient changes theta
loop.py         what a run remembers, and how it ends
history.py      what it records
table.py        the rows: a split, and batches; repeats.py   rows that are equal
checks.py       what is refused; columns.py   columns that have no density
resume/         the file from which a stopped run goes on
"""

from .fit import fit
from .history import EpochReport, History, TrainingDivergedError
from .loop import Run, clipped
from .loss import Loss
from .optim import Adam, Average, Optimizer, OptimizerState, constant, cosine_decay
from .table import Rows

__all__ = [
    "Adam",
    "Average",
    "EpochReport",
    "History",
    "Loss",
    "Optimizer",
    "OptimizerState",
    "Rows",
    "Run",
    "TrainingDivergedError",
    "clipped",
    "constant",
    "cosine_decay",
    "fit",
]
