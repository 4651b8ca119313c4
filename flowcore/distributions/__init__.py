"""Densities: the protocol, bases, mixtures, and flows."""

from .bases import Laplace, MultivariateNormalDiag, StudentT, Uniform
from .distribution import Distribution, Foreign, Normal
from .gaussian_mixture import GaussianMixture
from .mixture import Mixture
from .normal_mixture import MultivariateNormalMixture
from .transformed import TransformedDistribution

__all__ = [
    "Distribution",
    "Foreign",
    "GaussianMixture",
    "Laplace",
    "Mixture",
    "MultivariateNormalDiag",
    "MultivariateNormalMixture",
    "Normal",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
]
