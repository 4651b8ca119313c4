"""Densities: the protocol, bases, mixtures, and flows."""

from .bases import Laplace, MultivariateNormalDiag, StudentT, Uniform
from .circular import Product, UniformCircle, VonMises
from .clamped import ClampedBase
from .distribution import Distribution, Foreign, Normal
from .gaussian_mixture import GaussianMixture
from .mixture import Mixture
from .transformed import TransformedDistribution

__all__ = [
    "ClampedBase",
    "Distribution",
    "Foreign",
    "GaussianMixture",
    "Laplace",
    "Mixture",
    "MultivariateNormalDiag",
    "Normal",
    "Product",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "UniformCircle",
    "VonMises",
]
