"""Everything that the package is made of, under names: one line here is one more case of all tests.

`BIJECTORS[name]()`, `DENSITIES[name]()`, `NETWORKS[name]()` and `TRANSFORMERS[name]` make it;
`CASES` lists the pairs of a name and of a way in which it is run, and `case(name, way)` draws
random parameters and rows for it. Names that say "unbounded" may overflow far out, by design.
"""

from __future__ import annotations

import warnings
from math import log
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import make_vjp

from flowcore import (
    MADE,
    MLP,
    NICE,
    ActNorm,
    Affine,
    Bijector,
    Blockwise,
    Chain,
    Compose,
    Coupling,
    Distribution,
    Elementwise,
    ElementwiseAffine,
    Exp,
    GaussianMixture,
    Invert,
    Laplace,
    Logit,
    LULinear,
    MaskedAutoregressiveFlow,
    Mixture,
    MixtureOfGaussians,
    MultivariateNormalDiag,
    MultivariateNormalMixture,
    Normal,
    Permute,
    Planar,
    Radial,
    RationalQuadratic,
    RealNVP,
    Scale,
    Shift,
    Sigmoid,
    SinhArcsinh,
    Softplus,
    Standardize,
    StandardizeContext,
    StudentT,
    Tanh,
    TransformedDistribution,
    Transformer,
    Uniform,
    flows,
)
from flowcore.core import Parametric
from flowcore.spec import twins
from flowcore.testing import randomize

ORDERS = {
    "l2r": "left-to-right",
    "r2l": "right-to-left",
    "random": "random",
    "cyclic": None,  # 2, 3, ..., D, 1: from D = 3 on it is not its own inverse
}
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus")
BOUNDS = {"unbounded": None, "bound3": 3, "bound1": 1}
LOW, HIGH = np.array([-2.0, 0.0, 1.0]), np.array([5.0, 0.1, 9.0])
MEANS = [[-2.0, 0.0], [1.0, 1.5], [0.5, -2.0]]
SCALES = [[0.5, 1.0], [0.3, 0.4], [1.2, 0.2]]
FACTORS = [[[0.5, 0], [-0.8, 0.6]], [[0.3, 0], [0.4, 0.1]], [[1.2, 0], [-0.3, 2.0]]]

# ---------------------------------------------------------------- somebody's own classes


class OwnTransformer(Transformer):
    """A transformer of somebody's own, without hand-written gradients; its log-slope depends on z.

    x = sinh(u),  u = exp(b) arcsinh(z) + a,  dx/dz = exp(b) cosh(u) / sqrt(1 + z^2)
    """

    n_out = 2

    def _bounded(self, phi):
        # autograd's own tanh overflows far out; phi**2 takes another ufunc when it is traced
        a = phi / anp.sqrt(1 + phi * phi)
        return a[..., 0], a[..., 1]

    def _log_slope(self, z, u, b):
        return b + anp.logaddexp(u, -u) - log(2) - 0.5 * anp.log(1 + z * z)

    def forward_and_log_det(self, z, phi):
        a, b = self._bounded(phi)
        u = anp.exp(b) * anp.arcsinh(z) + a
        return anp.sinh(u), self._log_slope(z, u, b)

    def inverse_and_log_det(self, x, phi):
        a, b = self._bounded(phi)
        u = anp.arcsinh(x)
        z = anp.sinh(anp.exp(-b) * (u - a))
        return z, -self._log_slope(z, u, b)


class OwnBijector(Bijector):
    """x = (z_1, z_2 + a z_1 + arctan(z_1) c), with a parameter a and a context c."""

    context_dim = 1

    def __init__(self):
        super().__init__(2, np.zeros(1))

    def _run(self, sign, x, params, context):
        a = self.params if params is None else params
        moved = x[..., 1] + sign * (a[0] * x[..., 0] + anp.arctan(x[..., 0]) * context[..., 0])
        return anp.stack([x[..., 0], moved], axis=-1), np.zeros(x.shape[:-1])

    def forward_and_log_det(self, z, params=None, context=None):
        return self._run(1, z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._run(-1, x, params, context)


class OwnBase(Distribution):
    """Normal with a trained scale."""

    dim = 2

    def __init__(self):
        self.params = np.zeros(1)

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).standard_normal((n, 2)) * np.exp(self.params)

    def log_prob(self, z, params=None):
        a = (self.params if params is None else params)[0]
        return -0.5 * anp.sum((z * anp.exp(-a)) ** 2, axis=-1) - 2 * a - np.log(2 * np.pi)


class ForeignBase:
    """An object that knows nothing of flowcore: logistic, up to a constant."""

    dim = 2

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).logistic(size=(n, 2))

    def log_prob(self, z):
        return anp.sum(-z - 2 * anp.log1p(anp.exp(-z)), axis=-1)


class OwnConditioner(Parametric):
    """phi = theta_1 x_1 + theta_2 x_2^2, for a coupling of 2 + 1 coordinates with a shift."""

    def __init__(self):
        self.params = np.zeros(2)

    def __repr__(self):
        return "OwnConditioner()"

    def __call__(self, x, params=None, context=None):
        a = self.params if params is None else params
        return (a[0] * x[..., 0] + a[1] * x[..., 1] ** 2)[..., None, None]


OWN = [OwnTransformer, OwnBijector, OwnBase, OwnConditioner, ForeignBase]

# ---------------------------------------------------------------- what is made of several parts


def maf(dim, hidden=(8, 9), transformer=None, method="by_degree", **made):
    """A MAF with a narrow MADE, n_out as the transformer wants it."""
    transformer = Affine() if transformer is None else transformer
    if made.get("order", 0) is None:
        made["order"] = [*range(2, dim + 1), 1]
    made = MADE(dim, hidden, n_out=transformer.n_out, **made)
    return MaskedAutoregressiveFlow(made, transformer, method)


def iaf(dim, **options):
    return Invert(maf(dim, **options))


def narrow_maf(dim, transformer=None, **made):
    """A MAF with layers that lose dependencies, or with units that nobody reads: MADE warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "MADE", UserWarning)
        return maf(dim, transformer=transformer, activation="tanh", **made)


def data(dim):
    """Rows with unequal means and scales."""
    return np.random.default_rng(dim).standard_normal((50, dim)) * range(1, dim + 1) + 10


def tied_twice():
    """One MAF at two places, with a permutation between them."""
    part = maf(3)
    return Chain([part, Permute([1, 2, 0]), part])


def tied_network():
    """One MADE in a MAF and in an IAF: the two maps differ, their parameters do not."""
    made = MADE(3, hidden=[8], order=[2, 3, 1])
    return Chain(
        [
            MaskedAutoregressiveFlow(made),
            Permute([2, 0, 1]),
            Invert(MaskedAutoregressiveFlow(made)),
        ]
    )


def nested():
    """Chains and Inverts four deep, with a tie across the levels."""
    shared = RealNVP(3, hidden=[8])
    inner = Chain([shared, Invert(Chain([Permute([1, 2, 0]), maf(3)]))])
    return Chain([Invert(inner), Elementwise(3, Scale()), Chain([inner, shared])])


def conditional_chain():
    """Only some of the parts read the context."""
    return Chain(
        [
            RealNVP(3, hidden=[8], context_dim=2),
            Permute([1, 2, 0]),
            maf(3),
            iaf(3, context_dim=2, order="right-to-left"),
        ]
    )


def mixed_columns():
    """Positive, in an interval, anywhere; parameters and a context in some of them."""
    conditional = flows.maf(2, layers=2, hidden=[8], context_dim=2, standardize=False).bijector
    return Blockwise([Exp(1), Chain([Sigmoid(2, -1, 3), LULinear(2)]), conditional])


def tied_blocks():
    shared = LULinear(2)
    return Blockwise([shared, Chain([Permute([1, 0]), shared]), Invert(ActNorm(1))])


def of_standardised_contexts():
    """One of its parts occurs outside as well, where the context is as it is given."""
    shared = maf(3, context_dim=2)
    inner = Chain([shared, Permute([1, 2, 0]), iaf(3, context_dim=2)])
    return Chain([shared, StandardizeContext(inner, Standardize.from_data(3 * data(2) + 2))])


def over(base, context_dim=0):
    """A flow over this base, in which a MAF and a tie occur."""
    tied = RealNVP(2, hidden=[5], activation="tanh")
    made = MADE(2, [5], context_dim=context_dim, activation="tanh")
    parts = [tied, Permute([1, 0]), MaskedAutoregressiveFlow(made), tied]
    return TransformedDistribution(base, Chain(parts))


# ---------------------------------------------------------------- the registry

INNER = [[1, 1, 2, 3, 4, 5, 0, 7, 2], [2, 1, 5, 5], [3, 3, 1, 2, 4, 1, 1]]  # degrees

BIJECTORS = {
    # the autoregressive ones: dimension x order, then one choice at a time
    **{
        f"maf-{dim}-{name}": lambda dim=dim, order=order: maf(dim, order=order)
        for dim in (1, 2, 3, 5)
        for name, order in ORDERS.items()
        if dim > 1 or name == "l2r"
    },
    **{
        f"maf-textbook-loop-{dim}": lambda dim=dim: maf(dim, order=None, method="sequential")
        for dim in (1, 2, 3, 5)
    },
    **{f"maf-{act}": lambda act=act: maf(3, activation=act, order=None) for act in ACTIVATIONS},
    **{f"maf-{n}-hidden": lambda n=n: maf(3, hidden=[8, 5, 7][:n]) for n in range(4)},
    **{f"maf-{name}": lambda b=b: maf(3, transformer=Affine(b)) for name, b in BOUNDS.items()},
    "maf-shift": lambda: maf(3, transformer=Shift()),
    "maf-own-transformer": lambda: maf(3, transformer=OwnTransformer(), order=None),
    "maf-own-transformer-context": lambda: maf(3, transformer=OwnTransformer(), context_dim=2),
    "maf-scale-unbounded": lambda: maf(3, transformer=Scale(), activation="tanh", rng=1),
    "maf-random-degrees": lambda: maf(5, hidden=[40, 40], degrees="random", order="random"),
    "maf-given-degrees": lambda: maf(3, degrees=[[2, 1, 0, 1, 2, 2, 1, 3], [1, 2] * 4 + [0]]),
    **{
        f"maf-context-{layers}-{dim}": lambda dim=dim, layers=layers: maf(
            dim, context_dim=2, context_layers=layers, order=None
        )
        for dim in (1, 2, 3, 5)
        for layers in ("all", "first")
    },
    **{
        f"maf-narrow-{name}": lambda t=t: narrow_maf(
            6, t, hidden=[4, 3], degrees=[[1, 1, 4, 5], [2, 4, 5]]
        )
        for name, t in {"affine": Affine(), "unbounded": Affine(None), "shift": Shift()}.items()
    },
    "maf-useless-units": lambda: narrow_maf(3, hidden=[5], degrees=[[0, 1, 2, 3, 7]]),
    "maf-wide": lambda: maf(7, hidden=[150, 130], activation="tanh"),
    "maf-context-bare": lambda: maf(3, hidden=[], context_dim=2),
    "maf-residual": lambda: maf(3, hidden=[8] * 3, residual=True, order=None),
    "maf-residual-two-blocks": lambda: maf(5, hidden=[9, 6, 9, 7, 9], residual=True),
    "maf-residual-random": lambda: maf(
        5, hidden=[40] * 3, degrees="random", order="random", residual=True
    ),
    "maf-residual-context": lambda: maf(3, hidden=[8] * 3, context_dim=2, residual=True),
    "maf-residual-one-input": lambda: maf(1, hidden=[5] * 3, context_dim=2, residual=True),
    "maf-residual-context-first": lambda: maf(
        3, hidden=[8] * 3, context_dim=2, context_layers="first", residual=True
    ),
    "maf-residual-degrees": lambda: narrow_maf(
        6,
        hidden=[9, 4, 9, 7, 9],
        degrees=[INNER[0], INNER[1], INNER[0], INNER[2], INNER[0]],
        residual=True,
    ),
    "iaf-residual": lambda: iaf(3, hidden=[8] * 3, residual=True),
    "coupling-residual": lambda: Coupling(3, hidden=[8] * 5, residual=True),
    "coupling-residual-context": lambda: RealNVP(
        3, -1, hidden=[8] * 5, context_dim=2, residual=True
    ),
    "nice-residual": lambda: NICE(3, hidden=[8] * 3, residual=True),
    "maf-spline-one-bin": lambda: maf(3, transformer=RationalQuadratic(1)),
    "coupling-spline-options": lambda: Coupling(
        3, transformer=RationalQuadratic(3, 1.0, min_slope=0.1), hidden=[8]
    ),
    "maf-spline": lambda: maf(3, transformer=RationalQuadratic(), order=None),
    "maf-spline-context": lambda: maf(3, transformer=RationalQuadratic(4), context_dim=2),
    "maf-composed": lambda: maf(3, transformer=Compose([Affine(), RationalQuadratic(5)])),
    "iaf-spline": lambda: iaf(3, transformer=RationalQuadratic(3, 2.0), order=None),
    "coupling-spline": lambda: Coupling(3, transformer=RationalQuadratic(), hidden=[8]),
    "coupling-composed": lambda: Coupling(
        3, transformer=Compose([RationalQuadratic(), OwnTransformer(), Shift()]), hidden=[8]
    ),
    "maf-context-textbook-loop": lambda: maf(3, context_dim=2, method="sequential", order=None),
    **{f"iaf-{dim}": lambda dim=dim: iaf(dim, order=None) for dim in (1, 2, 3, 5)},
    "iaf-context": lambda: iaf(3, context_dim=2),
    # couplings
    **{
        f"realnvp-{dim}-{m}": lambda dim=dim, m=m: RealNVP(dim, num_masked=m, hidden=[8, 9])
        for dim, masks in {2: (1, -1), 3: (1, -2), 5: (2, -1)}.items()
        for m in masks
    },
    **{f"coupling-{act}": lambda act=act: Coupling(3, hidden=[8], activation=act)
       for act in ACTIVATIONS},
    **{f"coupling-{n}-hidden": lambda n=n: Coupling(5, hidden=[8, 5, 7][:n]) for n in range(4)},
    **{f"coupling-{name}": lambda b=b: Coupling(3, hidden=[8], transformer=Affine(b))
       for name, b in BOUNDS.items()},
    "coupling-fraction": lambda: Coupling(5, fraction_masked=0.25, hidden=[8]),
    "coupling-own-transformer": lambda: Coupling(3, transformer=OwnTransformer(), hidden=[8]),
    "coupling-scale-unbounded": lambda: Coupling(3, transformer=Scale(), hidden=[8], rng=2),
    "coupling-context": lambda: Coupling(3, num_masked=-1, context_dim=2, hidden=[8, 8]),
    "coupling-own-conditioner": lambda: Coupling(3, 1, conditioner=MLP(1, (2, 2), [6], "elu")),
    **{f"nice-{dim}": lambda dim=dim: NICE(dim, hidden=[8]) for dim in (2, 3, 5)},
    # without networks
    **{f"permute-{dim}": lambda dim=dim: Permute([*range(1, dim), 0]) for dim in (1, 2, 3, 5)},
    **{f"standardize-{dim}": lambda dim=dim: Standardize.from_data(data(dim))
       for dim in (1, 2, 3, 5)},
    "standardize-fresh": lambda: Standardize(3),
    "context-standardised": of_standardised_contexts,
    "context-standardised-fresh": lambda: StandardizeContext(RealNVP(3, hidden=[8], context_dim=2)),
    "context-standardised-inverted": lambda: Invert(of_standardised_contexts()[1]),
    **{
        f"elementwise-{t.__name__.lower()}-{dim}": lambda dim=dim, t=t: Elementwise(dim, t())
        for dim in (1, 3)
        for t in (Shift, Scale, Affine, OwnTransformer, RationalQuadratic)
    },
    **{f"lu-{dim}": lambda dim=dim: LULinear(dim) for dim in (1, 2, 3, 5)},
    "lu-identity": lambda: LULinear(3, permutation=None),
    "lu-bound1": lambda: LULinear(3, log_scale_bound=1.0),
    "invert-lu": lambda: Invert(LULinear(3, [2, 0, 1])),
    "lu-unbounded": lambda: LULinear(3, [2, 0, 1], signs=[1, -1, -1], log_scale_bound=None),
    "actnorm-fresh": lambda: ActNorm(3),
    "actnorm": lambda: ActNorm(3).initialize(data(3)),
    "invert-actnorm": lambda: Invert(ActNorm(3)),
    "fixed-affine": lambda: ElementwiseAffine([1.0, 2.0, 3.0], [-2.0, 0.5, 1.0]),
    "fixed-affine-scalar": lambda: ElementwiseAffine(3.0, [1.0, -2.0]),
    "fixed-sigmoid": lambda: Sigmoid(3),
    "fixed-sigmoid-ends": lambda: Sigmoid(3, LOW, HIGH),
    "fixed-logit": lambda: Logit(3, low=-2, high=5),
    "fixed-logit-ends": lambda: Logit(3, LOW, HIGH),
    "fixed-tanh": lambda: Tanh(3),
    "fixed-softplus": lambda: Softplus(3, hinge_softness=0.3, low=1),
    "fixed-softplus-hinges": lambda: Softplus(3, [0.3, 1.0, 4.0], LOW),
    "fixed-exp": lambda: Exp(3),
    "fixed-sinh-arcsinh": lambda: SinhArcsinh(3, skewness=0.4, tailweight=1.3),
    "fixed-sinh-arcsinhs": lambda: SinhArcsinh(3, LOW, [0.5, 1.0, 2.0]),
    "invert-sigmoid": lambda: Invert(Sigmoid(2)),
    "invert-logit": lambda: Invert(Logit(2, high=[1.0, 3.0])),
    "invert-exp": lambda: Invert(Exp(1)),
    "chain-bounded": lambda: Chain([Sigmoid(3, LOW, HIGH), LULinear(3)]),
    "blockwise": lambda: Blockwise([Exp(1), LULinear(2), maf(2, context_dim=2)]),
    "blockwise-everywhere": lambda: Blockwise([RealNVP(2, hidden=[8]), ActNorm(1)]),
    "blockwise-fixed": lambda: Blockwise([Exp(2), Sigmoid(1)]),
    "blockwise-mixed": mixed_columns,
    "blockwise-tied": tied_blocks,
    "blockwise-inverted": lambda: Invert(mixed_columns()),
    "blockwise-nested": lambda: Blockwise(
        [Blockwise([Tanh(1), Softplus(1)]), Elementwise(2, Affine())]
    ),
    # mixtures: near the identity at first, not equal to it
    "mixture-maf": lambda: maf(3, transformer=MixtureOfGaussians(3), order=None),
    "mixture-maf-context": lambda: maf(3, transformer=MixtureOfGaussians(3), context_dim=2),
    "mixture-coupling": lambda: Coupling(3, hidden=[8], transformer=MixtureOfGaussians(3)),
    "mixture-maf-1": lambda: maf(1, transformer=MixtureOfGaussians(3), context_dim=2),
    "mixture-maf-textbook-loop": lambda: maf(
        2, transformer=MixtureOfGaussians(3), method="sequential"
    ),
    "mixture-iaf": lambda: iaf(2, transformer=MixtureOfGaussians(3), context_dim=2),
    "mixture-coupling-context": lambda: Coupling(
        3, hidden=[8], transformer=MixtureOfGaussians(3), context_dim=2
    ),
    **{f"mixture-elementwise-{dim}": lambda dim=dim: Elementwise(dim, MixtureOfGaussians(3))
       for dim in (1, 3)},
    **{f"mixture-elementwise-of-{k}": lambda k=k: Elementwise(2, MixtureOfGaussians(k))
       for k in (1, 10)},
    **{
        f"{kind.__name__.lower()}-{dim}": lambda dim=dim, kind=kind: kind(dim)
        for dim in (1, 2, 3, 5)
        for kind in (Planar, Radial)
    },
    # compositions
    "invert-planar": lambda: Invert(Planar(3)),
    "invert-radial": lambda: Invert(Radial(3)),
    "chain-planar-radial": lambda: Chain([Planar(3), Invert(Planar(3, rng=1)), Radial(3)]),
    "invert-coupling": lambda: Invert(RealNVP(3, hidden=[8])),
    "invert-invert": lambda: Invert(Invert(maf(3))),
    "invert-standardize": lambda: Invert(Standardize.from_data(data(3))),
    "chain-of-one": lambda: Chain([maf(3)]),
    "chain-of-permutations": lambda: Chain([Permute([1, 2, 0]), Permute([0, 2, 1])]),
    "chain": lambda: Chain([maf(3), Permute([1, 2, 0]), RealNVP(3, hidden=[8]), iaf(3, rng=1)]),
    "chain-nested": nested,
    # equal parts in a row: without a tape they share their arrays
    **{
        f"again-maf-{a}-{b}": lambda a=a, b=b: Chain(
            [maf(3, order=ORDERS[name], rng=k) for k, name in enumerate((a, b))]
        )
        for a in ORDERS
        for b in ORDERS
    },
    "again-iaf": lambda: Chain([iaf(3), iaf(3, order="right-to-left", rng=1), maf(3, rng=2)]),
    "again-maf-bare": lambda: Chain([maf(3, hidden=[]), maf(3, hidden=[], order=None, rng=1)]),
    "again-maf-spline": lambda: Chain(
        [maf(3, transformer=RationalQuadratic(3), rng=k) for k in range(2)]
    ),
    "again-coupling": lambda: Chain([RealNVP(4, m, hidden=[8], rng=k) for k, m in
                                     enumerate((2, 2, -2, -2))]),
    "again-coupling-permute": lambda: Chain(
        [NICE(2, hidden=[8]), Permute([1, 0]), NICE(2, hidden=[8], rng=1), Permute([1, 0])]
    ),
    "again-permute": lambda: Chain(
        [Permute([1, 2, 0]), Permute([1, 2, 0]), maf(3), Permute([2, 1, 0]), Permute([1, 2, 0])]
    ),
    "again-elementwise": lambda: Chain([Elementwise(3, Affine()), Elementwise(3, Affine())]),
    "again-lu": lambda: Chain([LULinear(3, rng=1), LULinear(3, rng=2), ActNorm(3), ActNorm(3)]),
    "again-fixed": lambda: Chain([Exp(2), Sigmoid(2, 0, 2), Sigmoid(2, -3, 3), Tanh(2), Tanh(2)]),
    "again-planar": lambda: Chain([Planar(3), Planar(3, rng=1), Radial(3), Radial(3)]),
    "again-blockwise": lambda: Blockwise([maf(2), maf(2, rng=1), maf(2, order="right-to-left")]),
    "again-blockwise-mixed": lambda: Blockwise(
        [RealNVP(2, hidden=[8]), Permute([1, 0]), RealNVP(2, hidden=[8], rng=1), Permute([1, 0])]
    ),
    "again-blockwise-of-permutations": lambda: Blockwise([Permute([1, 0]), Permute([1, 0])]),
    "chain-conditional": conditional_chain,
    "tied-twice": tied_twice,
    "tied-network": tied_network,
    # whole flows
    **{
        f"flows.{recipe.__name__}-{dim}": lambda recipe=recipe, dim=dim: recipe(
            dim, layers=3, hidden=[8, 9]
        ).bijector
        for recipe in (flows.maf, flows.iaf, flows.realnvp, flows.nice, flows.nsf, flows.glow)
        for dim in (1, 2, 3, 5)
        if dim > 1 or recipe in (flows.maf, flows.iaf, flows.nsf)
    },
    **{
        f"flows.{recipe.__name__}-context": lambda recipe=recipe: recipe(
            3, layers=3, hidden=[8], context_dim=2, activation="tanh"
        ).bijector.initialize(data(3), context=np.ones((50, 2)))
        for recipe in (flows.maf, flows.iaf, flows.realnvp, flows.nice, flows.nsf, flows.glow)
    },
    "flows.nsf-coupling": lambda: flows.nsf(3, layers=3, hidden=[8], kind="coupling").bijector,
    "recipe-made_mog": lambda: flows.made_mog(3, components=3, hidden=[8]).bijector,
    "recipe-maf_mog": lambda: flows.maf_mog(3, layers=2, components=2, hidden=[8]).bijector,
    # with somebody's own classes
    "own-bijector": OwnBijector,
    "own-bijector-chain": lambda: Chain([LULinear(2), OwnBijector(), maf(2), OwnBijector()]),
    "own-conditioner": lambda: Coupling(
        3, 2, transformer=Shift(), conditioner=OwnConditioner()
    ),
}  # fmt: skip

DENSITIES = {
    "normal": lambda: Normal(3),
    "diagonal": lambda: MultivariateNormalDiag([1, -2], [0.5, 3]),
    "uniform": lambda: Uniform(2, [-9, -8], [9, 9.5]),
    "laplace": lambda: Laplace(2, loc=[0, 1], scale=[2, 0.5]),
    "student": lambda: StudentT(2, df=[1.5, 300]),
    "student-trainable": lambda: StudentT(2, df=[1.5, 30], trainable=True),
    "mixture": lambda: GaussianMixture(MEANS, SCALES, [0.5, 0.2, 0.3]),
    "normal-mixture": lambda: MultivariateNormalMixture(MEANS, FACTORS, [0.5, 0.2, 0.3]),
    "mixture-of-one": lambda: GaussianMixture([[1.0, 2.0]]),
    "mixture-of-flows": lambda: Mixture([over(Normal(2)), StudentT(2), over(OwnBase())], [3, 2, 1]),
    "mixture-of-flows-context": lambda: Mixture([Normal(2), over(Normal(2), context_dim=3)]),
    "flow-over-a-mixture": lambda: over(Mixture([over(Normal(2)), GaussianMixture(MEANS)])),
    "flow": lambda: over(Normal(2)),
    "flow-context": lambda: over(Normal(2), context_dim=3),
    "flow-inverted": lambda: TransformedDistribution(Normal(5), iaf(5, activation="tanh")),
    "flow-diagonal": lambda: over(MultivariateNormalDiag([1, -1], [2, 0.5])),
    "flow-laplace": lambda: over(Laplace(2, [0, 1], 2)),
    "flow-student": lambda: over(StudentT(2, trainable=True)),
    "flow-mixture": lambda: over(GaussianMixture(MEANS)),
    "flow-normal-mixture": lambda: over(MultivariateNormalMixture(MEANS, FACTORS)),
    "flow-uniform": lambda: TransformedDistribution(Uniform(2, -9, 9), Logit(2, -9, 9)),
    "flow-of-permutations": lambda: TransformedDistribution(Normal(2), Permute([1, 0])),
    "flow-own-base": lambda: over(OwnBase()),
    "flow-foreign-base": lambda: over(ForeignBase()),
    "flow-over-a-flow": lambda: TransformedDistribution(over(Normal(2)), Planar(2)),
    "flow-over-a-flow-context": lambda: TransformedDistribution(
        over(Normal(2), context_dim=3), RealNVP(2, hidden=[4], context_dim=3)
    ),
    "flow-own-bijector": lambda: TransformedDistribution(
        Normal(2), Chain([LULinear(2), OwnBijector()])
    ),
    **{
        f"flows.{name}": lambda name=name: getattr(flows, name)(3, hidden=[8], standardize=False)
        for name in ("maf", "iaf", "realnvp", "nice", "nsf", "glow", "made", "made_mog", "maf_mog")
    },
}

RESIDUAL = {
    **{a: dict(hidden=[8] * 3, activation=a) for a in ACTIVATIONS},
    "two-blocks": dict(hidden=[9, 7, 9, 6, 9]),
    "three-blocks": dict(hidden=[6] * 7),
    "context": dict(hidden=[9] * 5, context_dim=2, activation="tanh"),
    "wide": dict(hidden=[150, 130, 150], activation="tanh"),
}
NETWORKS = {
    **{f"made-{a}": lambda a=a: MADE(3, [8, 9], activation=a) for a in ACTIVATIONS},
    **{f"mlp-{a}": lambda a=a: MLP(3, (2, 2), [8, 9], activation=a) for a in ACTIVATIONS},
    **{f"made-{n}-hidden": lambda n=n: MADE(4, [9, 6, 8][:n], n_out=3) for n in range(4)},
    **{f"mlp-{n}-hidden": lambda n=n: MLP(4, (5,), [9, 6, 8][:n]) for n in range(4)},
    "made-1": lambda: MADE(1, [4]),
    "made-1-context": lambda: MADE(1, [4], context_dim=1),
    "made-r2l": lambda: MADE(5, [8, 8], order="right-to-left"),
    "made-random": lambda: MADE(5, [40, 40], order="random", degrees="random", rng=3),
    "made-context": lambda: MADE(4, [9, 9], context_dim=2, order=[2, 4, 1, 3]),
    "made-context-first": lambda: MADE(4, [9, 9], context_dim=2, context_layers="first"),
    "mlp-context": lambda: MLP(2, (3, 2), [8, 8], context_dim=3),
    # 128 units and more: a few panels instead of one dense product
    "made-wide": lambda: MADE(7, [160, 200], activation="tanh"),
    "made-wide-context": lambda: MADE(7, [160, 200], context_dim=2, order=[3, 5, 1, 7, 2, 6, 4]),
    "made-wide-random": lambda: MADE(7, [130, 150], degrees="random", order="random"),
    "made-many-inputs": lambda: MADE(140, [150, 140], n_out=1),
    "mlp-wide": lambda: MLP(7, (3, 2), [160, 130]),
    **{f"made-residual-{n}": lambda a=a: MADE(4, **a, residual=True) for n, a in RESIDUAL.items()},
    **{f"mlp-residual-{n}": lambda a=a: MLP(4, (3, 2), **a, residual=True)
       for n, a in RESIDUAL.items()},
    "made-residual-1": lambda: MADE(1, [6] * 3, residual=True),
    "made-residual-order": lambda: MADE(5, [11, 9, 11], order=[3, 1, 5, 2, 4], residual=True),
    "made-residual-r2l": lambda: MADE(5, [10] * 3, order="right-to-left", residual=True),
    "made-residual-random": lambda: MADE(
        6, [40] * 5, order="random", degrees="random", rng=3, residual=True
    ),
    "made-residual-given": lambda: narrow_maf(
        6, hidden=[9, 4, 9, 7, 9], residual=True,
        degrees=[INNER[0], INNER[1], INNER[0], INNER[2], INNER[0]],
    ).made,
}  # fmt: skip
TRANSFORMERS = {
    "shift": Shift(),
    "scale-unbounded": Scale(),
    "affine": Affine(),
    "affine-unbounded": Affine(None),
    "spline": RationalQuadratic(5, tail=2.0),
    "spline-of-one-bin": RationalQuadratic(1),
    "mixture": MixtureOfGaussians(3),
    "mixture-of-one": MixtureOfGaussians(1),
    "compose": Compose([Affine(), RationalQuadratic(4), OwnTransformer()]),
    "own": OwnTransformer(),
}

# ---------------------------------------------------------------- what is run, and where

WAYS = ("forward", "inverse")
PARTS = {**BIJECTORS, **DENSITIES, **NETWORKS}  # what has parameters
CASES = {
    **{(name, way): make for name, make in BIJECTORS.items() for way in WAYS},
    **{(f"transformer-{name}", way): (lambda t=t: t) for name, t in TRANSFORMERS.items()
       for way in WAYS},
    **{(name, "log_prob"): make for name, make in DENSITIES.items()},
    **{(name, "phi"): make for name, make in NETWORKS.items()},
}  # fmt: skip


class Case(NamedTuple):
    """A part at random parameters, one of its ways, and [theta, x] or [theta, x, context].

    The theta of a transformer is phi.
    """

    part: object
    way: str
    args: list

    def __call__(self, theta, x, context=None):
        """The tuple of what the engine computes: one array, or value and log-det."""
        part, way = self.part, self.way
        if isinstance(part, Transformer):
            return tuple(getattr(part, f"{way}_and_log_det")(x, theta))
        if way == "phi":
            return (part(x, theta, context),)
        if way == "log_prob":
            return (part.log_prob(x, theta, *([context] if part.context_dim else [])),)
        return tuple(getattr(part, f"{way}_and_log_det")(x, theta, context))

    def twin(self, *args):
        """The same by the plain twin."""
        found = twins.evaluate(self.part, self.way, *args)
        return found if isinstance(found, tuple) else (found,)

    def vjp(self, args=None):
        """The way back, from a tuple of cotangents to the gradients by all arguments; values."""
        args = self.args if args is None else args
        return make_vjp(lambda args: atuple(self(*args)), tuple(args))

    def vjp_by(self, k):
        """The same by argument k alone: nothing of autograd's stands between caller and engine."""
        before, after = self.args[:k], self.args[k + 1 :]
        return make_vjp(lambda a: atuple(self(*before, a, *after)), self.args[k])[0]

    def rows(self, index):
        """The arguments with some of their rows only."""
        theta, *others = self.args
        theta = theta[index] if isinstance(self.part, Transformer) else theta
        return [theta, *(a[index] for a in others)]


def case(name, way, n=4) -> Case:
    """n random rows, where `way` is defined."""
    part, rng = CASES[name, way](), np.random.default_rng(5)
    if isinstance(part, Transformer):
        phi, x = rng.standard_normal((n, 9, part.n_out)), 1.3 * rng.standard_normal((n, 9))
        x = part.forward_and_log_det(x, phi)[0] if way == "inverse" else x
        return Case(part, way, [phi, x])
    part = randomize(part, rng=1)
    x = points(getattr(part, "domain", (-np.inf, np.inf)), (n, part.dim), rng)
    context = rng.standard_normal((n, part.context_dim)) if part.context_dim else None
    x = part.forward(x, context=context) if way == "inverse" else x
    return Case(part, way, [part.params, x] if context is None else [part.params, x, context])


def points(domain, shape, rng):
    """Rows in the middle of where they may be."""
    low, high = (np.broadcast_to(np.asarray(end, float), shape) for end in domain)
    normal, share = 1.3 * rng.standard_normal(shape), rng.uniform(0.1, 0.9, shape)
    with np.errstate(invalid="ignore"):
        inside = low + (high - low) * share
    ends = [np.isfinite(low) & np.isfinite(high), np.isfinite(low), np.isfinite(high)]
    return np.select(ends, [inside, low + np.exp(normal), high - np.exp(normal)], normal)


def cotangents(found, rng=7):
    """Random ones for a tuple of results; 0 where a density is."""
    draw = np.random.default_rng(rng)
    bars = tuple(draw.standard_normal(a.shape).astype(a.dtype) for a in found)
    return tuple(np.where(np.isfinite(a), bar, 0) for a, bar in zip(found, bars, strict=True))


def close(found, expected, tol):
    """Equal to tol, relative to the largest number."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    size = max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found / size, expected / size, rtol=tol, atol=tol)
