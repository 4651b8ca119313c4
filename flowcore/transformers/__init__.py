"""Transformers: maps of one coordinate, x = t(z; phi), with phi from a conditioner."""

from .affine import Affine, Compose, Scale, Shift
from .circular import CircularShift, CircularSpline
from .mixtures import MixtureOfGaussians
from .per_coordinate import PerCoordinate, for_coordinates, transformer_of
from .splines import RationalQuadratic
from .transformer import Pointwise, Transformer, bind_transformer, check_transformer

__all__ = [
    "Affine",
    "CircularShift",
    "CircularSpline",
    "Compose",
    "MixtureOfGaussians",
    "PerCoordinate",
    "Pointwise",
    "RationalQuadratic",
    "Scale",
    "Shift",
    "Transformer",
    "bind_transformer",
    "check_transformer",
    "for_coordinates",
    "transformer_of",
]
