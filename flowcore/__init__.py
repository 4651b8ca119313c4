"""flowcore: normalizing flows in pure NumPy, written to be read.

    forward = base -> data (sampling),  inverse = data -> base (density)

Read `reference.py` first, then `bijectors/bijector.py`, at whose top the conventions stand.
"""

from typing import TYPE_CHECKING

from . import flows, plots, reference, tables, targets, testing
from ._version import __version__ as __version__
from .bijectors import (
    NICE,
    ActNorm,
    Bijector,
    Blockwise,
    Chain,
    Coupling,
    Elementwise,
    ElementwiseAffine,
    Exp,
    Invert,
    Logit,
    LULinear,
    MaskedAutoregressiveFlow,
    Permute,
    Planar,
    Radial,
    RealNVP,
    Sigmoid,
    SinhArcsinh,
    Softplus,
    Standardize,
    StandardizeContext,
    Tanh,
)
from .core import twins_are_found_by
from .diagnosis import Diagnosis, diagnose
from .discrete import Dequantize, bits_per_dim, logit_preprocessing
from .distributions import (
    Distribution,
    GaussianMixture,
    Laplace,
    Mixture,
    MultivariateNormalDiag,
    MultivariateNormalMixture,
    Normal,
    StudentT,
    TransformedDistribution,
    Uniform,
)
from .files import load, save
from .metrics import kl_to_truth, stray_mass
from .networks import MADE, MLP
from .training import Adam, History, TrainingDivergedError, constant, cosine_decay, fit
from .transformers import (
    Affine,
    Compose,
    MixtureOfGaussians,
    RationalQuadratic,
    Scale,
    Shift,
    Transformer,
)

if TYPE_CHECKING:
    from .estimator import FlowDensity


def __getattr__(name: str) -> object:
    """The estimator, which needs scikit-learn, is loaded when it is first asked for."""
    if name == "FlowDensity":
        from .estimator import FlowDensity

        return FlowDensity
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@twins_are_found_by
def _twins():
    from .twins import evaluate

    return evaluate


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
    "Diagnosis",
    "Distribution",
    "Elementwise",
    "ElementwiseAffine",
    "Exp",
    "FlowDensity",
    "GaussianMixture",
    "History",
    "Invert",
    "LULinear",
    "Laplace",
    "Logit",
    "MaskedAutoregressiveFlow",
    "Mixture",
    "MixtureOfGaussians",
    "MultivariateNormalDiag",
    "MultivariateNormalMixture",
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
    "StandardizeContext",
    "StudentT",
    "Tanh",
    "TrainingDivergedError",
    "TransformedDistribution",
    "Transformer",
    "Uniform",
    "bits_per_dim",
    "constant",
    "cosine_decay",
    "diagnose",
    "fit",
    "flows",
    "kl_to_truth",
    "load",
    "logit_preprocessing",
    "plots",
    "reference",
    "save",
    "stray_mass",
    "tables",
    "targets",
    "testing",
]
