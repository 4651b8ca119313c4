"""Toy densities that are known exactly, to compare a flow's loss with.

A `Target` has `sample`, an exact log-density and its entropy H, in nats. The expected held-out
negative log-likelihood of a density q is never below H, and the gap is the Kullback-Leibler
divergence from the truth, which `kl_to_truth` measures:

    mean over samples x ~ p of -log q(x)  ->  H(p) + KL(p || q).

A target is in the raw units of its formula. Standardised data y = (x - loc) / scale have

    log p_y(y) = log p(x) + sum(log scale),        H_y = H - sum(log scale).

A target is a small frozen dataclass: `dim`, `sample`, `log_prob`, `entropy`, and, if they are
known, `mean` and `std`. Each has a name as a function, too: `two_moons` is `TwoMoons`.

    two_moons, circles, two_spirals, ring     blurred curves
    pinwheel                                  twisted arms
    eight_gaussians, checkerboard             separate pieces
    von_mises_product, torus               angles, in radians
    correlated_gaussian, funnel, banana       Gaussians, plain and bent; the first two in any dim

`affine_floor` and `volume_preserving_floor` bound how close a family of
flows can come.
"""

from ..metrics import kl_to_truth
from .base import Target
from .circles import Circles, Ring, circles, ring
from .floors import affine_floor, volume_preserving_floor
from .gaussians import Banana, CorrelatedGaussian, Funnel, banana, correlated_gaussian, funnel
from .mixtures import Checkerboard, EightGaussians, checkerboard, eight_gaussians
from .pinwheel import Pinwheel, pinwheel
from .torus import Torus, VonMisesProduct, torus, von_mises_product
from .two_moons import TwoMoons, two_moons
from .two_spirals import TwoSpirals, two_spirals

__all__ = [
    "Banana",
    "Checkerboard",
    "Circles",
    "CorrelatedGaussian",
    "EightGaussians",
    "Funnel",
    "Pinwheel",
    "Ring",
    "Target",
    "Torus",
    "TwoMoons",
    "TwoSpirals",
    "VonMisesProduct",
    "affine_floor",
    "banana",
    "checkerboard",
    "circles",
    "correlated_gaussian",
    "eight_gaussians",
    "funnel",
    "kl_to_truth",
    "pinwheel",
    "ring",
    "torus",
    "two_moons",
    "two_spirals",
    "volume_preserving_floor",
    "von_mises_product",
]
