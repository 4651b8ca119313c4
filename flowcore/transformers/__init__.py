"""Transformers: maps of one coordinate, x = t(z; phi), with phi from a conditioner."""

from .affine import Affine, Compose, Scale, Shift
from .mixtures import MixtureOfGaussians
from .splines import RationalQuadratic
from .transformer import Pointwise, Transformer, bind_transformer, check_transformer

__all__ = [
    "Affine",
    "Compose",
    "MixtureOfGaussians",
    "Pointwise",
    "RationalQuadratic",
    "Scale",
    "Shift",
    "Transformer",
    "bind_transformer",
    "check_transformer",
]
