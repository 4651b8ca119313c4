"""Bijectors: the algebra, autoregressive and coupling layers, maps of single coordinates, linear
maps, planar and radial ones."""

from .algebra import Blockwise, Chain, Invert, Permute
from .autoregressive import MaskedAutoregressiveFlow
from .bijector import Bijector, increasing_image
from .clamped import Clamped
from .conditioning import EmbedContext, StandardizeContext, check_context_net
from .continuous import ContinuousFlow
from .coupling import NICE, Coupling, RealNVP
from .elementwise import Elementwise, ElementwiseAffine
from .fixed_maps import Exp, Logit, Sigmoid, SinhArcsinh, Softplus, Tanh
from .linear import ActNorm, Standardize, check_resolution
from .lu import LULinear
from .margins import Margins
from .planar import Planar, Radial
from .whiten import Whiten

__all__ = [
    "NICE",
    "ActNorm",
    "Bijector",
    "Blockwise",
    "Chain",
    "Clamped",
    "ContinuousFlow",
    "Coupling",
    "Elementwise",
    "ElementwiseAffine",
    "EmbedContext",
    "Exp",
    "Invert",
    "LULinear",
    "Logit",
    "Margins",
    "MaskedAutoregressiveFlow",
    "Permute",
    "Planar",
    "Radial",
    "RealNVP",
    "Sigmoid",
    "SinhArcsinh",
    "Softplus",
    "Standardize",
    "StandardizeContext",
    "Tanh",
    "Whiten",
    "check_context_net",
    "check_resolution",
    "increasing_image",
]
