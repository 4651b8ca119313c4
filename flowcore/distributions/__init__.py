"""Densities: the protocol, bases, the mixture base, and flows."""

from .bases import Laplace, MultivariateNormalDiag, StudentT, Uniform
from .distribution import Distribution, Foreign, Normal
from .gaussian_mixture import GaussianMixture
from .mixture import Mixture
from .transformed import TransformedDistribution

__all__ = [
    "Distribution",
    "Foreign",
    "GaussianMixture",
    "Laplace",
    "Mixture",
    "MultivariateNormalDiag",
    "Normal",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
]
