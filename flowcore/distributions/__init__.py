"""Densities: the protocol, bases, the mixture base, and flows."""

from .bases import Laplace, MultivariateNormalDiag, StudentT, Uniform
from .distribution import Distribution, Foreign, Normal
from .gaussian_mixture import GaussianMixture
from .transformed import TransformedDistribution

__all__ = [
    "Distribution",
    "Foreign",
    "GaussianMixture",
    "Laplace",
    "MultivariateNormalDiag",
    "Normal",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
]
