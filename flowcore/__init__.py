"""flowcore: normalizing flows in pure NumPy, written to be read.

    forward = base -> data (sampling),  inverse = data -> base (density)

Start with `bijector.py`; the conventions stand at its top.
"""

from . import flows
from .autoregressive import MaskedAutoregressiveFlow
from .bijector import Bijector, Chain, Invert, Permute
from .coupling import NICE, Coupling, RealNVP
from .distributions import Distribution, MultivariateNormalDiag, Normal, TransformedDistribution
from .elementwise import Elementwise
from .linear import Standardize
from .made import MADE
from .nets import MLP
from .transformers import Affine, Scale, Shift, Transformer

__version__ = "0.1.0"
