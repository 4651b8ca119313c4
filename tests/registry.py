"""Every bijector of the package under a name: one line here is one more case of all tests.

`BIJECTORS[name]()` makes it. Names that say "unbounded" may overflow far out, by design.
"""

from __future__ import annotations

from math import log

import autograd.numpy as anp
import numpy as np

from flowcore import (
    MADE,
    MLP,
    NICE,
    ActNorm,
    Affine,
    Blockwise,
    Chain,
    Compose,
    Coupling,
    Elementwise,
    ElementwiseAffine,
    Exp,
    Invert,
    Logit,
    LULinear,
    MaskedAutoregressiveFlow,
    MixtureOfGaussians,
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
    Tanh,
    Transformer,
    flows,
)

ORDERS = {
    "l2r": "left-to-right",
    "r2l": "right-to-left",
    "random": "random",
    "cyclic": None,  # 2, 3, ..., D, 1: from D = 3 on it is not its own inverse
}
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus")
BOUNDS = {"unbounded": None, "bound3": 3, "bound1": 1}


class OwnTransformer(Transformer):
    """A transformer of somebody's own, without hand-written gradients; its log-slope depends on z.

    x = sinh(u),  u = exp(b) arcsinh(z) + a,  dx/dz = exp(b) cosh(u) / sqrt(1 + z^2)
    """

    n_out = 2

    def _bounded(self, phi):
        a = phi / anp.sqrt(1 + phi**2)  # autograd's own tanh overflows far out
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


def maf(dim, hidden=(8, 9), transformer=None, method="by_degree", **made):
    """A MAF with a narrow MADE, n_out as the transformer wants it."""
    transformer = Affine() if transformer is None else transformer
    if made.get("order", 0) is None:
        made["order"] = [*range(2, dim + 1), 1]
    made = MADE(dim, hidden, n_out=transformer.n_out, **made)
    return MaskedAutoregressiveFlow(made, transformer, method)


def iaf(dim, **options):
    return Invert(maf(dim, **options))


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
    "maf-residual": lambda: maf(3, hidden=[8] * 3, residual=True, order=None),
    "maf-residual-two-blocks": lambda: maf(5, hidden=[9, 6, 9, 7, 9], residual=True),
    "maf-residual-random": lambda: maf(
        5, hidden=[40] * 3, degrees="random", order="random", residual=True
    ),
    "maf-residual-context": lambda: maf(3, hidden=[8] * 3, context_dim=2, residual=True),
    "iaf-residual": lambda: iaf(3, hidden=[8] * 3, residual=True),
    "coupling-residual": lambda: Coupling(3, hidden=[8] * 5, residual=True),
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
    **{
        f"elementwise-{t.__name__.lower()}-{dim}": lambda dim=dim, t=t: Elementwise(dim, t())
        for dim in (1, 3)
        for t in (Shift, Scale, Affine, OwnTransformer, RationalQuadratic)
    },
    **{f"lu-{dim}": lambda dim=dim: LULinear(dim) for dim in (1, 2, 3, 5)},
    "lu-identity": lambda: LULinear(3, permutation=None),
    "lu-unbounded": lambda: LULinear(3, [2, 0, 1], signs=[1, -1, -1], log_scale_bound=None),
    "actnorm-fresh": lambda: ActNorm(3),
    "actnorm": lambda: ActNorm(3).initialize(data(3)),
    "invert-actnorm": lambda: Invert(ActNorm(3)),
    "fixed-affine": lambda: ElementwiseAffine([1.0, 2.0, 3.0], [-2.0, 0.5, 1.0]),
    "fixed-sigmoid": lambda: Sigmoid(3, low=[-2.0, 0.0, 1.0], high=[5.0, 0.1, 9.0]),
    "fixed-logit": lambda: Logit(3, low=-2, high=5),
    "fixed-tanh": lambda: Tanh(3),
    "fixed-softplus": lambda: Softplus(3, hinge_softness=0.3, low=1),
    "fixed-exp": lambda: Exp(3),
    "fixed-sinh-arcsinh": lambda: SinhArcsinh(3, skewness=0.4, tailweight=1.3),
    "invert-sigmoid": lambda: Invert(Sigmoid(2)),
    "blockwise": lambda: Blockwise([Exp(1), LULinear(2), maf(2, context_dim=2)]),
    "blockwise-everywhere": lambda: Blockwise([RealNVP(2, hidden=[8]), ActNorm(1)]),
    # mixtures: near the identity at first, not equal to it
    "mixture-maf": lambda: maf(3, transformer=MixtureOfGaussians(3), order=None),
    "mixture-maf-context": lambda: maf(3, transformer=MixtureOfGaussians(3), context_dim=2),
    "mixture-coupling": lambda: Coupling(3, hidden=[8], transformer=MixtureOfGaussians(3)),
    **{f"mixture-elementwise-{dim}": lambda dim=dim: Elementwise(dim, MixtureOfGaussians(3))
       for dim in (1, 3)},
    **{
        f"{kind.__name__.lower()}-{dim}": lambda dim=dim, kind=kind: kind(dim)
        for dim in (1, 2, 3, 5)
        for kind in (Planar, Radial)
    },
    # compositions
    "chain-planar-radial": lambda: Chain([Planar(3), Invert(Planar(3, rng=1)), Radial(3)]),
    "invert-coupling": lambda: Invert(RealNVP(3, hidden=[8])),
    "invert-invert": lambda: Invert(Invert(maf(3))),
    "invert-standardize": lambda: Invert(Standardize.from_data(data(3))),
    "chain-of-one": lambda: Chain([maf(3)]),
    "chain-of-permutations": lambda: Chain([Permute([1, 2, 0]), Permute([0, 2, 1])]),
    "chain": lambda: Chain([maf(3), Permute([1, 2, 0]), RealNVP(3, hidden=[8]), iaf(3, rng=1)]),
    "chain-nested": nested,
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
}  # fmt: skip
