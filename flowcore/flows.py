"""Recipes: whole flows with sane defaults, ready for `fit`.

Every recipe stacks `layers` bijectors over a standard normal base and ends, at the data end, in a
`Standardize` that `fit` initialises: `log_prob` is in the data's own units.

    z -> layer 1 -> layer 2 -> ... -> Standardize -> x
"""

from __future__ import annotations

import numpy as np

from .bijectors import (
    ActNorm,
    Bijector,
    Chain,
    Coupling,
    Elementwise,
    Invert,
    LULinear,
    MaskedAutoregressiveFlow,
    Permute,
    Standardize,
)
from .core.inputs import check_dim
from .distributions import Normal, TransformedDistribution
from .networks import MADE
from .transformers import (
    Affine,
    Compose,
    MixtureOfGaussians,
    RationalQuadratic,
    Scale,
    Shift,
    Transformer,
    check_transformer,
)


def maf(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
        activation="relu", residual=False, dtype=float):  # fmt: skip
    """Masked autoregressive flow: fast density. The order is reversed in every layer.

    dim, layers    D, and the number of MADEs
    hidden         hidden widths of each MADE; None: two layers of max(64, 2 D)
    context_dim    width of the context, 0 for none. Only x is standardised: give the context in
                   units in which it varies by about 1
    standardize    end in a Standardize that `fit` initialises
    rng            seed of the initial weights
    transformer    Affine() unless given; activation, residual, dtype: as for MADE

    Reference: Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    >>> maf(2, layers=2, hidden=[8]).n_params
    72
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, parts, standardize)


def iaf(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
        activation="relu", residual=False, dtype=float):  # fmt: skip
    """Inverse autoregressive flow: fast sampling; `maf` with every layer inverted, same options.

    Reference: Kingma et al., "Improving variational inference with inverse autoregressive flow",
    2016.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, [Invert(part) for part in parts], standardize)


def realnvp(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *,
            transformer=None, activation="relu", residual=False, dtype=float):  # fmt: skip
    """RealNVP: affine couplings, one pass in both directions; options as for `maf`.

    The half that stays alternates; from D = 3 on a random permutation follows every second layer.
    Reference: Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", 2017.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _couplings(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, parts, standardize)


def nice(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *,
         activation="relu", residual=False, dtype=float):  # fmt: skip
    """NICE: additive couplings and one trainable diagonal scaling next to the base.

    Reference: Dinh, Krueger, Bengio, "NICE: non-linear independent components estimation", 2015.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _couplings(dim, layers, rng, Shift(), **net)
    return _flow(dim, [Elementwise(dim, Scale(), dtype), *parts], standardize)


def nsf(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *,
        kind="autoregressive", bins=8, tail=5.0, affine=False, activation="relu",
        residual=False, dtype=float):  # fmt: skip
    """Neural spline flow: every layer bends its coordinates by rational-quadratic splines.

    kind           "autoregressive" (as `maf`: the density is one pass) or "coupling" (as `realnvp`:
                   both directions are; D >= 2)
    bins, tail     of `RationalQuadratic`: K bins on [-tail, tail], in standardised units
    affine         True, or an `Affine(...)`: a spline is followed by an affine map, from the same
                   network. Splines alone are the identity beyond `tail`: take it (or a `StudentT`
                   base) for heavy tails, and for widths that vary much with other coordinates.
                   Why it is not the default: through ten layers with random parameters,
                   inverse(forward(z)) is z to 1e-6 with splines alone, and is not with affine maps
    The other options: as for `maf`.

    Reference: Durkan, Bekasov, Murray, Papamakarios, "Neural spline flows", 2019.

    >>> nsf(2, layers=1, hidden=[8], affine=True).bijector[1].transformer
    Compose([Affine(log_scale_bound=2.0), RationalQuadratic(bins=8, tail=5.0)])
    """
    makers = {"autoregressive": _autoregressive, "coupling": _couplings}
    if kind not in makers:
        raise ValueError(f"kind must be one of {sorted(makers)}, not {kind!r}")
    net = _network(hidden, context_dim, activation, residual, dtype)
    transformer = RationalQuadratic(bins, tail)
    if isinstance(affine, Transformer):
        transformer = Compose([affine, transformer])
    elif affine in (True, False):
        transformer = Compose([Affine(), transformer]) if affine else transformer
    else:
        raise TypeError(f"affine must be True, False or an Affine(...), not {affine!r}")
    parts = makers[kind](dim, layers, rng, transformer, **net)
    return _flow(dim, parts, standardize)


def made(dim, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
         activation="relu", residual=False, dtype=float):  # fmt: skip
    """The density of a single MADE: p(x_i | x_<i) = N(mu_i, exp(alpha_i)^2), left to right.

    Options: as for `maf`, of which this is one layer. The transformer, unless given, is
    Affine(log_scale_bound=5): alone, a layer has to reach every conditional width by itself, and
    exp(-5) is that of a correlation of 0.99998.
    Reference: Germain, Gregor, Murray, Larochelle, "MADE", 2015 (the Gaussian one: Papamakarios,
    Pavlakou, Murray 2017, eqs. 2-3).
    """
    return maf(
        dim, 1, hidden, context_dim, standardize, rng, transformer=transformer or Affine(5.0),
        activation=activation, residual=residual, dtype=dtype,
    )  # fmt: skip


def made_mog(dim, hidden=None, context_dim=0, standardize=True, rng=0, *, components=10,
             log_scale_bound=5.0, activation="relu", residual=False, dtype=float):  # fmt: skip
    """MADE MoG: every p(x_i | x_<i) is a mixture of Gaussians, computed by one MADE.

    components, log_scale_bound   of `MixtureOfGaussians`. The other options: as for `maf`.
    Density: one pass. Sampling: sequential, with a root search per coordinate.
    Reference: Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    >>> made_mog(2, components=3, hidden=[8]).sample(4, rng=0).shape
    (4, 2)
    """
    transformer = MixtureOfGaussians(components, log_scale_bound)
    net = _network(hidden, context_dim, activation, residual, dtype)
    return _flow(dim, _autoregressive(dim, 1, rng, transformer, **net), standardize)


def maf_mog(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, components=10,
            transformer=None, log_scale_bound=5.0, activation="relu", residual=False,
            dtype=float):  # fmt: skip
    """MAF MoG: `maf` over a MADE MoG instead of a normal base.

    layers        of MAF, over one layer with a mixture of `components` Gaussians per coordinate
    The other options: as for `maf` (`transformer`) and `made_mog` (`log_scale_bound`).

    Reference: Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017 (MAF MoG).
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    base_seed, rng = _seeds(rng, 2)
    mixture = MixtureOfGaussians(components, log_scale_bound)
    base = _autoregressive(dim, 1, base_seed, mixture, **net)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, base + parts, standardize)


def glow(dim, layers=5, hidden=None, context_dim=0, standardize=True, rng=0, *, transformer=None,
         activation="relu", residual=False, dtype=float):  # fmt: skip
    """Glow for vectors: every step is a coupling, an LU-decomposed linear map and an ActNorm.

    One pass in both directions; D >= 2; `fit` initialises the ActNorms from the training rows. The
    options are those of `maf`.
    Reference: Kingma, Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", 2018,
    table 1.

    >>> [type(part).__name__ for part in glow(4, layers=1, standardize=False).bijector]
    ['ActNorm', 'LULinear', 'Coupling']
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = []
    for seed in _seeds(rng, layers):
        kept = max(1, dim // 2)
        coupling = Coupling(dim, kept, transformer=transformer or Affine(), rng=seed, **net)
        parts += [coupling, LULinear(dim, rng=seed, dtype=dtype), ActNorm(dim, dtype)]
    return _flow(dim, parts, standardize)


def _flow(dim, parts: list[Bijector], standardize: bool) -> TransformedDistribution:
    """parts in the order in which sampling applies them."""
    ends = [Standardize(dim)] if standardize else []
    return TransformedDistribution(Normal(dim), Chain([*ends, *reversed(parts)]))


def _network(hidden, context_dim, activation, residual, dtype) -> dict:
    """What MADE and Coupling both take for their networks."""
    return {
        "hidden": hidden,
        "context_dim": context_dim,
        "activation": activation,
        "residual": residual,
        "dtype": dtype,
    }


def _autoregressive(dim, layers, rng, transformer, **net) -> list[Bijector]:
    """MAF layers; the order of the coordinates is reversed from one to the next."""
    check_transformer(transformer)
    orders = ("left-to-right", "right-to-left")
    return [
        MaskedAutoregressiveFlow(
            MADE(dim, n_out=transformer.n_out, order=orders[i % 2], rng=seed, **net), transformer
        )
        for i, seed in enumerate(_seeds(rng, layers))
    ]


def _couplings(dim, layers, rng, transformer, **net) -> list[Bijector]:
    """Couplings whose halves alternate; from D = 3 on a permutation after every second one."""
    parts, kept = [], max(1, dim // 2)
    for i, seed in enumerate(_seeds(rng, layers)):
        num_masked = kept if i % 2 == 0 else kept - dim
        parts.append(Coupling(dim, num_masked, transformer=transformer, rng=seed, **net))
        if dim > 2 and i % 2 == 1 and i + 1 < layers:
            parts.append(Permute(np.random.default_rng(seed).permutation(dim)))
    return parts


def _seeds(rng, layers):
    return np.random.default_rng(rng).integers(2**63, size=check_dim("layers", layers)).tolist()
