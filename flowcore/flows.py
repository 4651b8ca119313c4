"""Recipes: whole flows with sane defaults, ready for `fit`.

Every recipe stacks `layers` bijectors over a base density and ends, at the data end, in a
`Standardize` that `fit` initialises, so `log_prob` is in the data's own units. With `bounded=`, a
map to an interval or a half-line follows.

    z -> layer 1 -> layer 2 -> ... -> Standardize (-> bounds) -> x

The argument `order` is the order of the last layer, next to the Standardize, whatever the number of
layers. Each layer before it has the reverse order of its successor. With few layers the order at
the data end matters much: it should go from simple coordinates to those that depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from .bijectors import (
    ActNorm,
    Bijector,
    Blockwise,
    Chain,
    ContinuousFlow,
    Coupling,
    Elementwise,
    EmbedContext,
    Invert,
    LULinear,
    Margins,
    MaskedAutoregressiveFlow,
    Permute,
    Standardize,
    StandardizeContext,
    Whiten,
    check_context_net,
)
from .core.inputs import check_dim
from .distributions import Normal, Product, StudentT, TransformedDistribution, UniformCircle
from .networks import MADE, circular_indices, input_degrees
from .transformers import (
    Affine,
    CircularShift,
    CircularSpline,
    Compose,
    MixtureOfGaussians,
    PerCoordinate,
    RationalQuadratic,
    Scale,
    Shift,
    Transformer,
    check_transformer,
    for_coordinates,
)

if TYPE_CHECKING:
    from .core.typing import ArrayLike, Base, DTypeLike, Hidden, Seed
    from .networks import MLP

    Bounds = tuple[ArrayLike, ArrayLike] | None


def maf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """Masked autoregressive flow: fast density. The order is reversed in every layer.

    Parameters
    ----------
    dim, layers : int
        D, and the number of MADEs.
    hidden : sequence of int
        Hidden widths of each MADE; None: two layers of max(64, 2 D).
    context_dim : int
        Width of the context, 0 for none.
    standardize : bool or str
        End in a Standardize that `fit` initialises. "whiten": in a `Whiten`, for columns that are
        nearly functions of each other; it does not suit columns on a grid or with bounds.
        "margins": in a Standardize and `Margins`, for few rows of skewed columns.
    rng : int or numpy Generator
        Seed of the initial weights.
    transformer : Transformer
        Affine() unless given.
    order : str or array_like
        Order of the layer at the data end, as for MADE; it is reversed from layer to layer.
    base : str or Distribution
        "normal", "student_t" (a `StudentT` whose degrees of freedom are trained, for heavy tails),
        or any density of dimension D, also a flow.
    activation : str
        As for MADE. None: "tanh" without a context, "elu" with one, because "elu" reaches a lower
        loss on most conditional densities. For a one-hot category as context, pass "tanh".
    residual, dtype :
        As for MADE.
    standardize_context : bool or str
        Standardise the context for the layers, by a `StandardizeContext` that `fit` initialises.
        "whiten": with a `Whiten`, where small differences of columns matter; it amplifies noise.
    bounded : pair or None
        (low, high): the support, an open interval. The ends are numbers or (D,) arrays, and may be
        infinite. A fixed map confines the density: a sigmoid to an interval, exp to a half-line.
    context_net : MLP or None
        An `MLP(C, (E,))` that reduces the (standardised) context and is trained with the flow. The
        layers read its E outputs. Pass it instead of context_dim. If the context has angles,
        `MLP(circular=)`, pass standardize_context=False.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    Examples
    --------
    >>> maf(2, layers=2, hidden=[8]).n_params
    72
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), order, **net)
    return _flow(dim, parts, standardize, base, dtype, standardize_context, bounded, context_net)


def iaf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """Inverse autoregressive flow: fast sampling; `maf` with every layer inverted.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer :
        As for `maf`.
    order, base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016.
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), order, **net)
    inverted = [Invert(part) for part in parts]
    return _flow(dim, inverted, standardize, base, dtype, standardize_context, bounded, context_net)


def realnvp(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """RealNVP: affine couplings, one pass in both directions.

    Successive layers keep opposite halves of the coordinates. For D >= 3 there is a random
    permutation between pairs of layers.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer :
        As for `maf`; D >= 2.
    order : str
        With "left-to-right" the coupling at the data end transforms the second half of the
        coordinates, given the first; with "right-to-left" the first half, given the second.
    base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", 2017.
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    parts = _couplings(dim, layers, rng, transformer or Affine(), order, **net)
    return _flow(dim, parts, standardize, base, dtype, standardize_context, bounded, context_net)


def nice(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, order: str | ArrayLike = "left-to-right",
    base: Base | str = "normal", activation: str | None = None, residual: bool = False,
    dtype: DTypeLike = float, standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """NICE: additive couplings and one trainable diagonal scaling next to the base.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, order, base :
        As for `realnvp`.
    activation, residual, dtype, standardize_context, bounded, context_net :
        As for `realnvp`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Dinh, Krueger, Bengio, "NICE: non-linear independent components estimation", 2015.
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    parts = _couplings(dim, layers, rng, Shift(), order, **net)
    parts = [Elementwise(dim, Scale(), dtype), *parts]
    return _flow(dim, parts, standardize, base, dtype, standardize_context, bounded, context_net)


def nsf(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, kind: str = "autoregressive", bins: int = 8,
    tail: float = 5.0, affine: bool | Transformer = True, order: str | ArrayLike = "left-to-right",
    base: Base | str = "student_t", activation: str | None = None, residual: bool = False,
    dtype: DTypeLike = float, standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
    circular: Sequence[int] = (),
) -> TransformedDistribution:  # fmt: skip
    """Neural spline flow: every layer bends its coordinates by rational-quadratic splines.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng :
        As for `maf`.
    kind : str
        "autoregressive" (as in `maf`: the density takes one pass) or "coupling" (as in `realnvp`:
        both directions take one pass; D >= 2).
    bins, tail :
        As for `RationalQuadratic`: K bins on [-tail, tail], in standardised units. Many rows
        determine more bins: `FlowDensity` takes 16 from 50,000 rows on, 32 from 300,000.
    affine : bool or Affine
        True, or an `Affine(...)`: an affine map, computed by the same network, follows each spline.
        The affine map helps if scales vary much with other coordinates. False: splines alone, which
        are the identity beyond `tail`.
    order : str or array_like
        As for `maf`; for couplings, as for `realnvp`.
    base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`. The default base is "student_t" here, so that one distant row does not cost
        hundreds of nats.
    circular : sequence of int
        The coordinates that are angles, in radians. The density is periodic in them, draws lie in
        [-pi, pi], and networks read their cosines and sines. Angles have circular splines and
        shifts, and a uniform base; `base` is for the other coordinates. A flow of a single angle
        without a context has one layer, whatever `layers` is.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Durkan, Bekasov, Murray, Papamakarios, "Neural spline flows", 2019.

    Examples
    --------
    >>> nsf(2, layers=1, hidden=[8]).bijector[1].transformer
    Compose([Affine(log_scale_bound=2.0), RationalQuadratic(bins=8, tail=5.0)])
    """
    makers = {"autoregressive": _autoregressive, "coupling": _couplings}
    if not isinstance(kind, str) or kind not in makers:
        raise ValueError(f"kind must be one of {sorted(makers)}, not {kind!r}")
    circular = circular_indices(circular, check_dim("dim", dim))
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    net["circular"] = circular
    transformer = RationalQuadratic(bins, tail)
    if not isinstance(affine, (bool, np.bool_, Transformer)):
        raise TypeError(f"affine must be True, False or an Affine(...), not {affine!r}")
    if affine:
        after = affine if isinstance(affine, Transformer) else Affine()
        transformer = Compose([after, transformer])
    if circular:
        if bounded is not None:
            raise ValueError("angles are bounded by themselves: leave out bounded=, or circular=")
        if dim == 1 and not net["context_dim"]:
            layers = 1  # splines of a spline learn nothing
        angle = Compose([CircularShift(), CircularSpline(bins)])
        transformer = PerCoordinate([angle if i in circular else transformer for i in range(dim)])
    parts = makers[kind](dim, layers, rng, transformer, order, **net)
    return _flow(
        dim, parts, standardize, base, dtype, standardize_context, bounded, context_net, circular
    )


def continuous(
    dim: int, hidden: Hidden = None, context_dim: int = 0, standardize: bool | str = True,
    rng: Seed = 0, *, frequencies: int = 0, n_steps: int = 8, order: int = 5,
    base: Base | str = "normal", activation: str = "silu", residual: bool = True,
    dtype: DTypeLike = float, standardize_context: bool | str = True,
) -> TransformedDistribution:  # fmt: skip
    """Continuous flow: points move with a learned velocity for one unit of time.

    Train it with `fit_matching`. `fit` can train it by maximum likelihood, but each update takes
    hundreds of times as long, because it solves the differential equation.

    Parameters
    ----------
    dim : int
        D.
    hidden : sequence of int
        Hidden widths of the velocity's network; None: seven layers of max(64, 2 D), or three if
        they are not residual.
    context_dim, standardize, rng :
        As for `maf`.
    frequencies, n_steps, order :
        As for `ContinuousFlow`; `fit_matching` replaces `n_steps` and `order`.
    base : str or Distribution
        "normal", or a density of dimension D; `fit_matching` needs a base without parameters.
    activation : str
        A smooth one: "silu", "tanh", "sigmoid" or "softplus".
    residual : bool
        Residual blocks, as in `MLP`: an odd number of hidden layers, at least 3.
    dtype, standardize_context :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential equations", 2018; Lipman et
    al., "Flow matching for generative modeling", 2023.

    Examples
    --------
    >>> continuous(2, hidden=[8] * 3).bijector[1]
    ContinuousFlow(MLP(3, (2,), hidden=[8, 8, 8], 'silu', residual=True), n_steps=8, order=5)
    """
    dim = check_dim("dim", dim)
    hidden = [max(64, 2 * dim)] * (7 if residual else 3) if hidden is None else hidden
    layer = ContinuousFlow.of(
        dim, hidden, activation, context_dim, rng, dtype, residual, n_steps=n_steps,
        frequencies=frequencies, order=order,
    )  # fmt: skip
    return _flow(dim, [layer], standardize, base, dtype, standardize_context, None)


def made(
    dim: int, hidden: Hidden = None, context_dim: int = 0, standardize: bool | str = True,
    rng: Seed = 0, *, transformer: Transformer | None = None,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """The density of a single MADE: p(x_i | x_<i) = N(mu_i, exp(alpha_i)^2).

    Parameters
    ----------
    dim, hidden, context_dim, standardize, rng :
        As for `maf`; a `made` is one layer of a `maf`.
    transformer : Transformer
        Default: Affine(log_scale_bound=5). A single layer has to produce every conditional width
        alone, and a correlation of 0.99998 needs the width exp(-5).
    order, base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Germain, Gregor, Murray, Larochelle, "MADE", 2015 (the Gaussian one: Papamakarios, Pavlakou,
    Murray 2017, eqs. 2-3).
    """
    return maf(
        dim, 1, hidden, context_dim, standardize, rng, transformer=transformer or Affine(5.0),
        order=order, base=base, activation=activation, residual=residual, dtype=dtype,
        standardize_context=standardize_context, bounded=bounded, context_net=context_net,
    )  # fmt: skip


def made_mog(
    dim: int, hidden: Hidden = None, context_dim: int = 0, standardize: bool | str = True,
    rng: Seed = 0, *, components: int = 10, log_scale_bound: float = 5.0,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """MADE MoG: every p(x_i | x_<i) is a mixture of Gaussians, computed by one MADE.

    Density: one pass. Sampling: sequential, with a root search per coordinate.

    Parameters
    ----------
    dim, hidden, context_dim, standardize, rng :
        As for `maf`.
    components, log_scale_bound :
        As for `MixtureOfGaussians`.
    order, base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017.

    Examples
    --------
    >>> made_mog(2, components=3, hidden=[8], standardize=False).sample(4, rng=0).shape
    (4, 2)
    """
    transformer = MixtureOfGaussians(components, log_scale_bound)
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    parts = _autoregressive(dim, 1, rng, transformer, order, **net)
    return _flow(dim, parts, standardize, base, dtype, standardize_context, bounded, context_net)


def maf_mog(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, components: int = 10,
    transformer: Transformer | None = None, log_scale_bound: float = 5.0,
    order: str | ArrayLike = "left-to-right", base: Base | str = "normal",
    activation: str | None = None, residual: bool = False, dtype: DTypeLike = float,
    standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """MAF MoG: the layers of `maf`, over one layer of mixtures (`made_mog`) next to the base.

    Parameters
    ----------
    dim : int
        D.
    layers : int
        Number of MAF layers. The layer of mixtures, of `components` Gaussians each, is not counted.
    hidden, context_dim, standardize, rng :
        As for `maf`.
    components :
        As for `made_mog`.
    transformer :
        As for `maf`.
    log_scale_bound :
        As for `made_mog`.
    order, base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Papamakarios, Pavlakou, Murray, "Masked Autoregressive Flow", 2017 (MAF MoG).
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    base_seed, rng = _seeds(rng, 2)
    mixture = MixtureOfGaussians(components, log_scale_bound)
    parts = _autoregressive(dim, layers, rng, transformer or Affine(), order, **net)
    lowest = _autoregressive(dim, 1, base_seed, mixture, order, above=layers, **net)
    return _flow(
        dim, lowest + parts, standardize, base, dtype, standardize_context, bounded, context_net
    )


def glow(
    dim: int, layers: int = 5, hidden: Hidden = None, context_dim: int = 0,
    standardize: bool | str = True, rng: Seed = 0, *, transformer: Transformer | None = None,
    base: Base | str = "normal", activation: str | None = None, residual: bool = False,
    dtype: DTypeLike = float, standardize_context: bool | str = True, bounded: Bounds = None,
    context_net: MLP | None = None,
) -> TransformedDistribution:  # fmt: skip
    """Glow for vectors: every step is a coupling, an LU-decomposed linear map and an ActNorm.

    One pass in both directions; `fit` initialises the ActNorms from the training rows.

    Parameters
    ----------
    dim, layers, hidden, context_dim, standardize, rng, transformer :
        As for `maf`; D >= 2.
    base, activation, residual, dtype, standardize_context, bounded, context_net :
        As for `maf`.

    Returns
    -------
    TransformedDistribution
        The flow over its base.

    References
    ----------
    Kingma, Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", 2018, table 1.

    Examples
    --------
    >>> [type(part).__name__ for part in glow(4, layers=1, standardize=False).bijector]
    ['ActNorm', 'LULinear', 'Coupling']
    """
    net = _network(hidden, context_dim, activation, residual, dtype, context_net)
    dim, parts = check_dim("dim", dim), []
    for seed in _seeds(rng, layers):
        kept = max(1, dim // 2)
        coupling = Coupling(dim, kept, transformer=transformer or Affine(), rng=seed, **net)
        parts += [coupling, LULinear(dim, rng=seed, dtype=dtype), ActNorm(dim, dtype)]
    return _flow(dim, parts, standardize, base, dtype, standardize_context, bounded, context_net)


def _flow(
    dim, parts: list[Bijector], standardize, base, dtype, standardize_context, bounded,
    context_net=None, circular=(),
) -> TransformedDistribution:  # fmt: skip
    """parts in the order in which sampling applies them."""
    dim = check_dim("dim", dim)
    of_data = _constants("standardize", standardize)
    of_context = _constants("standardize_context", standardize_context)
    if len(circular) == dim:
        of_data = None
    if circular and not isinstance(base, str):
        raise ValueError(f"with circular=, base must be one of {sorted(BASES)}, not {base!r}")
    if isinstance(base, str):
        if base not in BASES:
            raise ValueError(f"base must be one of {sorted(BASES)} or a Distribution, not {base!r}")
        other = BASES[base]
        base = _by_runs(dim, circular, UniformCircle, lambda n: other(n, dtype), Product)
    layers = Chain([*reversed(parts)])
    inner = _conditional(layers, of_context, context_net)
    ends = [] if bounded is None else [_bounds(bounded, dim)]
    if of_data:
        ends.append(_by_runs(dim, circular, lambda n: Permute(range(n)), of_data, Blockwise))
    flow = TransformedDistribution(base, Chain([*ends, *inner]))
    return flow.untrained() if of_data else flow


def _constants(name: str, kind) -> Callable[[int], Bijector] | None:
    """From D to the bijector that keeps the constants."""
    if kind == "margins" and name == "standardize":
        return lambda dim: Chain([Standardize(dim), Margins(dim)])
    if kind not in [*KINDS]:
        more = ', "margins"' * (name == "standardize")
        raise ValueError(f'{name} must be True, False, "whiten"{more}, not {kind!r:.40}')
    return KINDS[kind]


def _conditional(layers: Chain, constants, context_net) -> Sequence[Bijector]:
    """The layers, with the transformations of their context."""
    if not layers.context_dim:
        return layers.bijectors
    if constants and context_net is not None and context_net.circular:
        raise ValueError(
            "context_net reads angles, whose period a standardised context would not have: pass "
            "standardize_context=False"
        )
    if context_net is not None:
        layers = EmbedContext(layers, context_net)
    if constants:
        return [StandardizeContext(layers, constants(layers.context_dim))]
    return layers.bijectors if context_net is None else [layers]


def _by_runs(dim, circular, of_angles, of_others, join):
    """Parts for neighbouring angles, and neighbouring other coordinates, joined; a single part."""
    runs = [(angles, len([*run])) for angles, run in groupby(range(dim), circular.__contains__)]
    parts = [of_angles(n) if angles else of_others(n) for angles, n in runs]
    return join(parts) if len(parts) > 1 else parts[0]


def _bounds(bounded, dim) -> Bijector:
    if not (isinstance(bounded, (tuple, list)) and len(bounded) == 2):
        raise ValueError(f"bounded is a pair (low, high), or None: got {bounded!r:.60}")
    from .bijectors.box import box

    return box(*bounded, dim)


KINDS = {True: Standardize, False: None, "whiten": Whiten}
BASES = {
    "normal": lambda dim, dtype: Normal(dim),
    "student_t": lambda dim, dtype: StudentT(dim, df=10.0, trainable=True, dtype=dtype),
}


def _network(hidden, context_dim, activation, residual, dtype, context_net) -> dict:
    """The arguments for the networks of both MADE and Coupling."""
    if context_net is not None:
        width = check_context_net(context_net)
        if context_dim not in (0, context_net.in_dim):
            raise ValueError(
                f"context_dim={context_dim}, but context_net reads {context_net.in_dim} numbers: "
                "leave out context_dim"
            )
        context_dim = width
    if activation is None:
        activation = "elu" if context_dim else "tanh"
    return {
        "hidden": hidden,
        "context_dim": context_dim,
        "activation": activation,
        "residual": residual,
        "dtype": dtype,
    }


def _autoregressive(dim, layers, rng, transformer, order, above=0, **net) -> list[Bijector]:
    """MAF layers from the base to the data, below `above` others: the one next to the data has
    `order`, and it is reversed from each to the next."""
    check_transformer(transformer)
    rng, dim = np.random.default_rng(rng), check_dim("dim", dim)
    seeds, last = _seeds(rng, layers), input_degrees(dim, order, rng)
    orders = [dim + 1 - last if (above + i) % 2 else last for i in reversed(range(len(seeds)))]
    return [
        MaskedAutoregressiveFlow(
            MADE(dim, n_out=transformer.n_out, order=order, rng=seed, **net), transformer
        )
        for order, seed in zip(orders, seeds, strict=True)
    ]


def _couplings(dim, layers, rng, transformer, order, circular=(), **net) -> list[Bijector]:
    """Couplings from the base to the data, whose halves alternate; the last one transforms the
    second half, or the first if the order is "right-to-left". From D = 3 on a permutation stands
    between pairs of them, counted from the data."""
    if not isinstance(order, str) or order not in ("left-to-right", "right-to-left"):
        raise ValueError(
            'the order of couplings must be "left-to-right" (the last one transforms the second '
            f'half, given the first) or "right-to-left", not {order!r}'
        )
    dim, seeds, parts = check_dim("dim", dim), _seeds(rng, layers), []
    kept, names = max(1, dim // 2), np.arange(dim)  # which coordinate of the data stands where
    for i, seed in enumerate(reversed(seeds)):
        if dim > 2 and i % 2 == 0 and i > 0:
            parts.append(Permute(np.random.default_rng(seed).permutation(dim)))
            names = names[np.argsort(parts[-1].permutation)]
        num_masked = kept if (i % 2 == 0) == (order == "left-to-right") else kept - dim
        own = for_coordinates(transformer, names)
        angles = np.flatnonzero(np.isin(names, circular))
        parts.append(Coupling(dim, num_masked, transformer=own, circular=angles, rng=seed, **net))
    if circular and (names != np.arange(dim)).any():  # the base has the order of the data
        parts.append(Permute(names))
    return parts[::-1]


def _seeds(rng, layers):
    return np.random.default_rng(rng).integers(2**63, size=check_dim("layers", layers)).tolist()
