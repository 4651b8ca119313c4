"""Recipes: whole flows with sane defaults, ready for `fit`.

Every recipe stacks `layers` bijectors over a standard normal base and ends, at the data end, in a
`Standardize` that `fit` initialises: `log_prob` is in the data's own units.

    z -> layer 1 -> layer 2 -> ... -> Standardize -> x
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ._typing import Hidden, Seed


def maf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """Masked autoregressive flow: fast density. The order is reversed in every layer.

    Parameters
    ----------
    dim, layers : int
        D, and the number of MADEs.
    hidden : sequence of int
        Hidden widths of each MADE; None: two layers of max(64, 2 D).
    context_dim : int
        Width of the context, 0 for none. Only x is standardised: give the context in units in
        which it varies by about 1.
    standardize : bool
        End in a Standardize that `fit` initialises.
    rng : int or numpy Generator
        Seed of the initial weights.
    transformer : Transformer
        Affine() unless given.
    activation, residual, dtype :
        As for MADE.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    Examples
    --------
    >>> maf(2, layers=2, hidden=[8]).n_params
    72
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, parts, standardize)


def iaf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """Inverse autoregressive flow: fast sampling; `maf` with every layer inverted.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer, activation, residual, dtype :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, [Invert(part) for part in parts], standardize)


def realnvp(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """RealNVP: affine couplings, one pass in both directions.

    The half that stays alternates; from D = 3 on a random permutation follows every second layer.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer, activation, residual, dtype :
        As for `maf`; D >= 2.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", 2017.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _couplings(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, parts, standardize)


def nice(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, activation: str = "relu",
    residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """NICE: additive couplings and one trainable diagonal scaling next to the base.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, activation, residual, dtype :
        As for `maf`; D >= 2.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Dinh, Krueger, Bengio, "NICE: non-linear independent components estimation", 2015.
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    parts = _couplings(dim, layers, rng, Shift(), **net)
    return _flow(dim, [Elementwise(dim, Scale(), dtype), *parts], standardize)


def nsf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, kind: str = "autoregressive", bins: int = 8,
    tail: float = 5.0, affine: bool | Transformer = False, activation: str = "relu",
    residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """Neural spline flow: every layer bends its coordinates by rational-quadratic splines.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng :
        As for `maf`.
    kind : str
        "autoregressive" (as `maf`: the density is one pass) or "coupling" (as `realnvp`: both
        directions are; D >= 2).
    bins, tail :
        Of `RationalQuadratic`: K bins on [-tail, tail], in standardised units.
    affine : bool or Affine
        True, or an `Affine(...)`: a spline is followed by an affine map, from the same network.
        Splines alone are the identity beyond `tail`: take it (or a `StudentT` base) for heavy
        tails, and for widths that vary much with other coordinates. Why it is not the default:
        through ten layers with random parameters, inverse(forward(z)) is z to 1e-6 with splines
        alone, and is not with affine maps.
    activation, residual, dtype :
        As for MADE.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Durkan, Bekasov, Murray, Papamakarios, "Neural spline flows", 2019.

    Examples
    --------
    >>> nsf(2, layers=1, hidden=[8], affine=True).bijector[1].transformer
    Compose([Affine(log_scale_bound=2.0), RationalQuadratic(bins=8, tail=5.0)])
    """
    makers = {"autoregressive": _autoregressive, "coupling": _couplings}
    if not isinstance(kind, str) or kind not in makers:
        raise ValueError(f"kind must be one of {sorted(makers)}, not {kind!r}")
    net = _network(hidden, context_dim, activation, residual, dtype)
    transformer = RationalQuadratic(bins, tail)
    if isinstance(affine, Transformer):
        transformer = Compose([affine, transformer])
    elif isinstance(affine, (bool, np.bool_)):
        transformer = Compose([Affine(), transformer]) if affine else transformer
    else:
        raise TypeError(f"affine must be True, False or an Affine(...), not {affine!r}")
    parts = makers[kind](dim, layers, rng, transformer, **net)
    return _flow(dim, parts, standardize)


def made(
    dim: int, hidden: Hidden = None, context_dim: int = 0, standardize: bool = True,
    rng: Seed = 0, *, transformer: Transformer | None = None, activation: str = "relu",
    residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """The density of a single MADE: p(x_i | x_<i) = N(mu_i, exp(alpha_i)^2), left to right.

    Parameters
    ----------
    dim, hidden, context_dim, standardize, rng :
        As for `maf`, of which this is one layer.
    transformer : Transformer
        Unless given, Affine(log_scale_bound=5): alone, a layer has to reach every conditional
        width by itself, and exp(-5) is that of a correlation of 0.99998.
    activation, residual, dtype :
        As for MADE.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Germain, Gregor, Murray, Larochelle, "MADE", 2015 (the Gaussian one: Papamakarios, Pavlakou,
    Murray 2017, eqs. 2-3).
    """
    return maf(
        dim, 1, hidden, context_dim, standardize, rng, transformer=transformer or Affine(5.0),
        activation=activation, residual=residual, dtype=dtype,
    )  # fmt: skip


def made_mog(
    dim: int, hidden: Hidden = None, context_dim: int = 0, standardize: bool = True,
    rng: Seed = 0, *, components: int = 10, log_scale_bound: float = 5.0,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """MADE MoG: every p(x_i | x_<i) is a mixture of Gaussians, computed by one MADE.

    Density: one pass. Sampling: sequential, with a root search per coordinate.

    Parameters
    ----------
    dim, hidden, context_dim, standardize, rng :
        As for `maf`.
    components, log_scale_bound :
        Of `MixtureOfGaussians`.
    activation, residual, dtype :
        As for MADE.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    Examples
    --------
    >>> made_mog(2, components=3, hidden=[8], standardize=False).sample(4, rng=0).shape
    (4, 2)
    """
    transformer = MixtureOfGaussians(components, log_scale_bound)
    net = _network(hidden, context_dim, activation, residual, dtype)
    return _flow(dim, _autoregressive(dim, 1, rng, transformer, **net), standardize)


def maf_mog(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, components: int = 10,
    transformer: Transformer | None = None, log_scale_bound: float = 5.0,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """MAF MoG: `maf` over a MADE MoG instead of a normal base.

    Parameters
    ----------
    dim : int
        D.
    layers : int
        Layers of MAF, over one layer with a mixture of `components` Gaussians per coordinate.
    hidden, context_dim, standardize, rng :
        As for `maf`.
    components :
        As for `made_mog`.
    transformer :
        As for `maf`.
    log_scale_bound :
        As for `made_mog`.
    activation, residual, dtype :
        As for MADE.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017 (MAF MoG).
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    base_seed, rng = _seeds(rng, 2)
    mixture = MixtureOfGaussians(components, log_scale_bound)
    base = _autoregressive(dim, 1, base_seed, mixture, **net)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), **net)
    return _flow(dim, base + parts, standardize)


def glow(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    activation: str = "relu", residual: bool = False, dtype: DTypeLike = float,
) -> TransformedDistribution:  # fmt: skip
    """Glow for vectors: every step is a coupling, an LU-decomposed linear map and an ActNorm.

    One pass in both directions; `fit` initialises the ActNorms from the training rows.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer, activation, residual, dtype :
        As for `maf`; D >= 2.

    Returns
    -------
    TransformedDistribution
        The flow over a standard normal base.

    References
    ----------
    Kingma, Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", 2018, table 1.

    Examples
    --------
    >>> [type(part).__name__ for part in glow(4, layers=1, standardize=False).bijector]
    ['ActNorm', 'LULinear', 'Coupling']
    """
    net = _network(hidden, context_dim, activation, residual, dtype)
    dim, parts = check_dim("dim", dim), []
    for seed in _seeds(rng, layers):
        kept = max(1, dim // 2)
        coupling = Coupling(dim, kept, transformer=transformer or Affine(), rng=seed, **net)
        parts += [coupling, LULinear(dim, rng=seed, dtype=dtype), ActNorm(dim, dtype)]
    return _flow(dim, parts, standardize)


def _flow(dim, parts: list[Bijector], standardize: bool) -> TransformedDistribution:
    """parts in the order in which sampling applies them."""
    ends = [Standardize(dim)] if standardize else []
    flow = TransformedDistribution(Normal(dim), Chain([*ends, *reversed(parts)]))
    return flow.unseen() if standardize else flow


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
    dim, parts = check_dim("dim", dim), []
    kept = max(1, dim // 2)
    for i, seed in enumerate(_seeds(rng, layers)):
        num_masked = kept if i % 2 == 0 else kept - dim
        parts.append(Coupling(dim, num_masked, transformer=transformer, rng=seed, **net))
        if dim > 2 and i % 2 == 1 and i + 1 < layers:
            parts.append(Permute(np.random.default_rng(seed).permutation(dim)))
    return parts


def _seeds(rng, layers):
    return np.random.default_rng(rng).integers(2**63, size=check_dim("layers", layers)).tolist()
