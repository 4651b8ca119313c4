"""Recipes: whole flows with sane defaults, ready for `fit`.

Every recipe stacks `layers` bijectors over a standard normal base and ends, at the data end, in a
`Standardize` that `fit` initialises: `log_prob` is in the data's own units.

    z -> layer 1 -> layer 2 -> ... -> Standardize -> x
"""

from __future__ import annotations

import numpy as np

from .autoregressive import MaskedAutoregressiveFlow
from .bijector import Bijector, Chain, Invert, Permute
from .coupling import Coupling
from .distributions import Normal, TransformedDistribution
from .elementwise import Elementwise
from .linear import Standardize
from .made import MADE
from .transformers import Affine, Scale, Shift


def maf(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
        activation="relu", dtype=float):  # fmt: skip
    """Masked autoregressive flow: fast density. The order is reversed in every layer.

    dim, layers    D, and the number of MADEs
    hidden         hidden widths of each MADE; None: two layers of max(64, 2 D)
    context_dim    width of the context, 0 for none
    standardize    end in a Standardize that `fit` initialises
    rng            seed of the initial weights
    transformer    Affine() unless given; activation, dtype: as for MADE

    Reference: Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    >>> maf(2, layers=2, hidden=[8]).n_params
    72
    """
    parts = _autoregressive(dim, layers, hidden, context_dim, rng, transformer, activation, dtype)
    return _flow(dim, parts, standardize)


def iaf(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
        activation="relu", dtype=float):  # fmt: skip
    """Inverse autoregressive flow: fast sampling; `maf` with every layer inverted, same options.

    Reference: Kingma et al., "Improving variational inference with inverse autoregressive flow",
    2016.
    """
    parts = _autoregressive(dim, layers, hidden, context_dim, rng, transformer, activation, dtype)
    return _flow(dim, [Invert(part) for part in parts], standardize)


def realnvp(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *,
            transformer=None, activation="relu", dtype=float):  # fmt: skip
    """RealNVP: affine couplings, one pass in both directions; options as for `maf`.

    The half that stays alternates; from D = 3 on a random permutation follows every second layer.
    Reference: Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", 2017.
    """
    parts = _couplings(
        dim, layers, hidden, context_dim, rng, transformer or Affine(), activation, dtype
    )
    return _flow(dim, parts, standardize)


def nice(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *,
         activation="relu", dtype=float):  # fmt: skip
    """NICE: additive couplings and one trainable diagonal scaling next to the base.

    Reference: Dinh, Krueger, Bengio, "NICE: non-linear independent components estimation", 2015.
    """
    parts = _couplings(dim, layers, hidden, context_dim, rng, Shift(), activation, dtype)
    return _flow(dim, [Elementwise(dim, Scale(), dtype), *parts], standardize)


def _flow(dim, parts: list[Bijector], standardize: bool) -> TransformedDistribution:
    """parts in the order in which sampling applies them."""
    ends = [Standardize(dim)] if standardize else []
    return TransformedDistribution(Normal(dim), Chain([*ends, *reversed(parts)]))


def _autoregressive(dim, layers, hidden, context_dim, rng, transformer, activation, dtype):
    transformer = Affine() if transformer is None else transformer
    orders = ("left-to-right", "right-to-left")
    parts = []
    for i, seed in enumerate(_seeds(rng, layers)):
        made = MADE(
            dim, hidden, transformer.n_out, activation, orders[i % 2],
            context_dim=context_dim, rng=seed, dtype=dtype,
        )  # fmt: skip
        parts.append(MaskedAutoregressiveFlow(made, transformer))
    return parts


def _couplings(dim, layers, hidden, context_dim, rng, transformer, activation, dtype):
    parts, kept = [], max(1, dim // 2)
    for i, seed in enumerate(_seeds(rng, layers)):
        num_masked = kept if i % 2 == 0 else kept - dim
        parts.append(
            Coupling(
                dim, num_masked, transformer=transformer, hidden=hidden, activation=activation,
                context_dim=context_dim, rng=seed, dtype=dtype,
            )
        )  # fmt: skip
        if dim > 2 and i % 2 == 1 and i + 1 < layers:
            parts.append(Permute(np.random.default_rng(seed).permutation(dim)))
    return parts


def _seeds(rng, layers):
    if layers != int(layers) or layers < 1:
        raise ValueError(f"layers must be an integer >= 1, not {layers!r}")
    return np.random.default_rng(rng).integers(2**63, size=int(layers)).tolist()
