"""Training: `fit`, its loop and its parts.

fit.py          `fit`, by maximum likelihood: start here
matching.py     `fit_matching`: fits a continuous flow by regression
loop.py         `train`: the loop over epochs and batches, for any loss
loss.py         `Loss`, the base class of losses
likelihood.py   the loss of `fit`, and its gradient
draws.py        the same for a function that draws fresh rows
optim.py        Adam, and averages of the parameters
schedules.py    learning rates
run.py          the state of a run, and its end
history.py      the record of a run
table.py        the rows: their split into training and validation, and batches
repeats.py      merges equal rows
checks.py       checks the arguments
columns.py      finds columns that have no density
defaults.py     the values of "auto"
shards.py       computes a batch in threads
resume/         the file from which a stopped run continues
"""

from typing import TYPE_CHECKING

from .._imports import lazy_names
from ..core.rows import Rows
from .fit import fit
from .history import EpochReport, History, TrainingDivergedError
from .likelihood import Likelihood
from .loop import train
from .loss import Loss
from .optim import Adam, Average, Optimizer, OptimizerState
from .run import Run
from .schedules import constant, cosine_decay

if TYPE_CHECKING:
    from .matching import fit_matching

__all__ = [
    "Adam",
    "Average",
    "EpochReport",
    "History",
    "Likelihood",
    "Loss",
    "Optimizer",
    "OptimizerState",
    "Rows",
    "Run",
    "TrainingDivergedError",
    "constant",
    "cosine_decay",
    "fit",
    "fit_matching",
    "train",
]
__getattr__, __dir__ = lazy_names(__name__, {".matching": ("fit_matching",)})
