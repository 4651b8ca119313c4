"""Training: `fit`, its loop and its parts.

fit.py          maximum likelihood: start here
reverse_kl.py   `fit_reverse_kl`: to a density that can be evaluated (variational inference)
matching.py     `fit_matching`: a continuous flow, by regression
loop.py         `train`, the loop over epochs and batches, of any loss
loss.py         the class of losses; likelihood.py   the loss of `fit`, and its gradient
optim.py        Adam and averages: steps along gradients; schedules.py   learning rates
run.py          the state of a run, and its end; history.py   the record of a run
table.py        the rows: a split, and batches; repeats.py   rows that are equal
checks.py       arguments that are refused; columns.py   columns that have no density
defaults.py     the values of "auto"; shards.py   a batch in threads
resume/         the file from which a stopped run continues
"""

from .fit import fit
from .history import EpochReport, History, TrainingDivergedError
from .likelihood import Likelihood
from .loop import train
from .loss import Loss, Objective
from .matching import fit_matching
from .optim import Adam, Average, Optimizer, OptimizerState
from .reverse_kl import fit_reverse_kl
from .run import Run
from .schedules import constant, cosine_decay
from .table import Rows

__all__ = [
    "Adam",
    "Average",
    "EpochReport",
    "History",
    "Likelihood",
    "Loss",
    "Objective",
    "Optimizer",
    "OptimizerState",
    "Rows",
    "Run",
    "TrainingDivergedError",
    "constant",
    "cosine_decay",
    "fit",
    "fit_matching",
    "fit_reverse_kl",
    "train",
]
