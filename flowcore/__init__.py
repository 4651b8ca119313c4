"""flowcore: normalizing flows in pure NumPy, written to be read.

    forward = base -> data (sampling),  inverse = data -> base (density)

Read `reference.py` first, then `bijector.py`, at whose top the conventions stand.
"""

from . import flows, plots, reference, targets, testing
from .autoregressive import MaskedAutoregressiveFlow
from .bijector import Bijector, Chain, Invert, Permute
from .coupling import NICE, Coupling, RealNVP
from .distributions import Distribution, MultivariateNormalDiag, Normal, TransformedDistribution
from .elementwise import Elementwise
from .io import load, save
from .linear import Standardize
from .made import MADE
from .nets import MLP
from .optim import Adam
from .train import History, TrainingDivergedError, fit
from .transformers import Affine, Scale, Shift, Transformer

__version__ = "0.1.0"

__all__ = [
    "MADE",
    "MLP",
    "NICE",
    "Adam",
    "Affine",
    "Bijector",
    "Chain",
    "Coupling",
    "Distribution",
    "Elementwise",
    "History",
    "Invert",
    "MaskedAutoregressiveFlow",
    "MultivariateNormalDiag",
    "Normal",
    "Permute",
    "RealNVP",
    "Scale",
    "Shift",
    "Standardize",
    "TrainingDivergedError",
    "TransformedDistribution",
    "Transformer",
    "fit",
    "flows",
    "load",
    "plots",
    "reference",
    "save",
    "targets",
    "testing",
]
