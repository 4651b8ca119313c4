"""flowcore: normalizing flows in pure NumPy, written to be read.

    forward = base -> data (sampling),  inverse = data -> base (density)

Read `reference.py` first, then `bijector.py`, at whose top the conventions stand.
"""

from . import flows, plots, reference, targets, testing
from .autoregressive import MaskedAutoregressiveFlow
from .bases import Distribution, Laplace, MultivariateNormalDiag, Normal, StudentT, Uniform
from .bijector import Bijector, Chain, Invert, Permute
from .blockwise import Blockwise
from .coupling import NICE, Coupling, RealNVP
from .discrete import Dequantize, bits_per_dim, logit_preprocessing
from .distributions import TransformedDistribution
from .elementwise import Elementwise, ElementwiseAffine
from .files import load, save
from .gaussian_mixture import GaussianMixture
from .linear import ActNorm, Standardize
from .lu import LULinear
from .made import MADE
from .maps import Exp, Logit, Sigmoid, SinhArcsinh, Softplus, Tanh
from .metrics import kl_to_truth
from .mixtures import MixtureOfGaussians
from .nets import MLP
from .planar import Planar, Radial
from .splines import RationalQuadratic
from .training import Adam, History, TrainingDivergedError, constant, cosine_decay, fit
from .transformers import Affine, Compose, Scale, Shift, Transformer

__version__ = "0.1.0"

__all__ = [
    "MADE",
    "MLP",
    "NICE",
    "ActNorm",
    "Adam",
    "Affine",
    "Bijector",
    "Blockwise",
    "Chain",
    "Compose",
    "Coupling",
    "Dequantize",
    "Distribution",
    "Elementwise",
    "ElementwiseAffine",
    "Exp",
    "GaussianMixture",
    "History",
    "Invert",
    "LULinear",
    "Laplace",
    "Logit",
    "MaskedAutoregressiveFlow",
    "MixtureOfGaussians",
    "MultivariateNormalDiag",
    "Normal",
    "Permute",
    "Planar",
    "Radial",
    "RationalQuadratic",
    "RealNVP",
    "Scale",
    "Shift",
    "Sigmoid",
    "SinhArcsinh",
    "Softplus",
    "Standardize",
    "StudentT",
    "Tanh",
    "TrainingDivergedError",
    "TransformedDistribution",
    "Transformer",
    "Uniform",
    "bits_per_dim",
    "constant",
    "cosine_decay",
    "fit",
    "flows",
    "kl_to_truth",
    "load",
    "logit_preprocessing",
    "plots",
    "reference",
    "save",
    "targets",
    "testing",
]
