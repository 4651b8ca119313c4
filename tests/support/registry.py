"""Everything that the package is made of, under names: one line here is one more case of all tests.

`BIJECTORS[name]()`, `DENSITIES[name]()`, `NETWORKS[name]()` and `TRANSFORMERS[name]` make it;
`CASES` lists the pairs of a name and of a way in which it is run, and `case(name, way)` draws
random parameters and rows for it. What has "unbounded" in its name may overflow far out, by design.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from math import log
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import make_vjp

import flowcore as fc
from flowcore.core import Parametric
from flowcore.spec import twins
from flowcore.testing import randomize

ORDERS = {
    "l2r": "left-to-right",
    "r2l": "right-to-left",
    "random": "random",
    "cyclic": None,  # 2, 3, ..., D, 1: from D = 3 on it is not its own inverse
}
LOW, HIGH = np.array([-2.0, 0.0, 1.0]), np.array([5.0, 0.1, 9.0])
MEANS = [[-2.0, 0.0], [1.0, 1.5], [0.5, -2.0]]
SCALES = [[0.5, 1.0], [0.3, 0.4], [1.2, 0.2]]
FACTORS = [[[0.5, 0], [-0.8, 0.6]], [[0.3, 0], [0.4, 0.1]], [[1.2, 0], [0, 2.0]]]

# ---------------------------------------------------------------- somebody's own classes


class OwnTransformer(fc.Transformer):
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


class OwnBijector(fc.Bijector):
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


class OwnBase(fc.Distribution):
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
    transformer = fc.Affine() if transformer is None else transformer
    if made.get("order", 0) is None:
        made["order"] = [*range(2, dim + 1), 1]
    made = fc.MADE(dim, hidden, n_out=transformer.n_out, **made)
    return fc.MaskedAutoregressiveFlow(made, transformer, method)


def iaf(dim, **options):
    return fc.Invert(maf(dim, **options))


def narrow_maf(dim, **made):
    """A MAF with layers that lose dependencies, or with units that nobody reads: MADE warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "MADE", UserWarning)
        return maf(dim, activation="tanh", **made)


def data(dim):
    """Rows with unequal means and scales."""
    return np.random.default_rng(dim).standard_normal((50, dim)) * range(1, dim + 1) + 10


def tied_twice():
    """One MAF at two places, with a permutation between them."""
    part = maf(3)
    return fc.Chain([part, fc.Permute([1, 2, 0]), part])


def tied_network():
    """One MADE in a MAF and in an IAF: the two maps differ, their parameters do not."""
    made = fc.MADE(3, hidden=[8], order=[2, 3, 1])
    return fc.Chain(
        [
            fc.MaskedAutoregressiveFlow(made),
            fc.Permute([2, 0, 1]),
            fc.Invert(fc.MaskedAutoregressiveFlow(made)),
        ]
    )


def nested():
    """Chains and Inverts four deep, with a tie across the levels."""
    shared = fc.RealNVP(3, hidden=[8])
    inner = fc.Chain([shared, fc.Invert(fc.Chain([fc.Permute([1, 2, 0]), maf(3)]))])
    return fc.Chain([fc.Invert(inner), fc.Elementwise(3, fc.Scale()), fc.Chain([inner, shared])])


def conditional_chain():
    """Only some of the parts read the context."""
    return fc.Chain(
        [
            fc.RealNVP(3, hidden=[8], context_dim=2),
            fc.Permute([1, 2, 0]),
            maf(3),
            iaf(3, context_dim=2, order="right-to-left"),
        ]
    )


def mixed_columns():
    """Positive, in an interval, anywhere; parameters and a context in some of them."""
    conditional = fc.flows.maf(2, layers=2, hidden=[8], context_dim=2, standardize=False).bijector
    return fc.Blockwise([fc.Exp(1), fc.Chain([fc.Sigmoid(2, -1, 3), fc.LULinear(2)]), conditional])


def tied_blocks():
    shared = fc.LULinear(2)
    return fc.Blockwise([shared, fc.Chain([fc.Permute([1, 0]), shared]), fc.Invert(fc.ActNorm(1))])


def of_standardised_contexts():
    """One of its parts occurs outside as well, where the context is as it is given."""
    shared = maf(3, context_dim=2)
    inner = fc.Chain([shared, fc.Permute([1, 2, 0]), iaf(3, context_dim=2)])
    return fc.Chain(
        [shared, fc.StandardizeContext(inner, fc.Standardize.from_data(3 * data(2) + 2))]
    )


def correlated(dim):
    """Rows whose columns have different units and correlations near 0.9."""
    rows = data(dim)
    return 2.0 + (rows + 1.5 * rows[:, :1]) * 3.0 ** np.arange(dim)


def of_whitened_contexts():
    """A part of it reads the context as it is, another reads it whitened twice."""
    outer, inner = (fc.Whiten.from_data(rows) for rows in (correlated(2), data(2)))
    layers = fc.Chain([iaf(3, context_dim=2), fc.StandardizeContext(maf(3, context_dim=2), inner)])
    return fc.Chain([maf(3, context_dim=2), fc.StandardizeContext(layers, outer)])


def of_embedded_contexts():
    """As above: the network is one of the parts, and inside it stand the same parts."""
    shared = maf(3, context_dim=2)
    inner = fc.Chain([shared, fc.Permute([1, 2, 0]), iaf(3, context_dim=2)])
    net = fc.MLP(2, (2,), hidden=[5], activation="tanh", rng=3)
    return fc.Chain([shared, fc.EmbedContext(inner, net)])


def over(base, context_dim=0):
    """A flow over this base, in which a MAF and a tie occur."""
    tied = fc.RealNVP(2, hidden=[5], activation="tanh")
    made = fc.MADE(2, [5], context_dim=context_dim, activation="tanh")
    parts = [tied, fc.Permute([1, 0]), fc.MaskedAutoregressiveFlow(made), tied]
    return fc.TransformedDistribution(base, fc.Chain(parts))


# ---------------------------------------------------------------- the registry

INNER = [[1, 1, 2, 3, 4, 5, 0, 7, 2], [2, 1, 5, 5], [3, 3, 1, 2, 4, 1, 1]]  # degrees

EACH = fc.PerCoordinate([fc.Affine(), fc.RationalQuadratic(3), fc.Shift()])
ANGLE = fc.Compose([fc.CircularShift(), fc.CircularSpline(3)])

# Each option is in one case at least, D = 1, 2, 3, 5 are spread over them: no product of choices.
MAFS = {
    "1": dict(dim=1),
    "sigmoid": dict(dim=2, hidden=[8], activation="sigmoid", order="right-to-left"),
    "relu": dict(dim=5, order="random"),
    "tanh": dict(dim=5, activation="tanh", order=None),
    "elu": dict(dim=3, hidden=[8, 5, 7], activation="elu", order=None),
    "bare": dict(dim=5, hidden=[], order="right-to-left"),
    "textbook-loop": dict(dim=5, order=None, method="sequential"),
    "unbounded": dict(dim=2, transformer=fc.Affine(None)),
    "shift": dict(dim=3, transformer=fc.Shift()),
    "own-transformer": dict(dim=3, transformer=OwnTransformer(), order=None, context_dim=2),
    "random-degrees": dict(dim=5, hidden=[40, 40], degrees="random", order="random"),
    "given-degrees": dict(dim=3, degrees=[[2, 1, 0, 1, 2, 2, 1, 3], [1, 2] * 4 + [0]]),
    "wide": dict(dim=7, hidden=[150, 130], activation="tanh"),
    "context-all-1": dict(dim=1, context_dim=2),
    "context-first-2": dict(dim=2, context_dim=2, context_layers="first", order=None),
    "context-all-3": dict(dim=3, context_dim=2, order=None),
    "context-bare": dict(dim=3, hidden=[], context_dim=2),
    "context-textbook-loop": dict(dim=3, context_dim=2, method="sequential", order=None),
    "residual": dict(dim=3, hidden=[8] * 3, residual=True, order=None),
    "residual-one-input": dict(dim=1, hidden=[5] * 3, context_dim=2, residual=True),
    "residual-context-first": dict(
        dim=3, hidden=[8] * 3, context_dim=2, context_layers="first", residual=True
    ),
    "spline-context": dict(dim=3, transformer=fc.RationalQuadratic(4), context_dim=2, order=None),
    "composed": dict(dim=3, transformer=fc.Compose([fc.Affine(), fc.RationalQuadratic(5)])),
    "mixture-1": dict(dim=1, transformer=fc.MixtureOfGaussians(3), context_dim=2),
    "mixture": dict(dim=3, transformer=fc.MixtureOfGaussians(3), context_dim=2, order=None),
    "per-coordinate": dict(dim=3, transformer=EACH, context_dim=2, order=None),
    "per-coordinate-textbook-loop": dict(dim=3, transformer=EACH, method="sequential", order=None),
}
ANGLES = fc.PerCoordinate([fc.Affine(), ANGLE, ANGLE, fc.Affine()])
# far out, an angle comes back modulo 2 pi
MAFS |= {
    "circular-unbounded": dict(dim=4, transformer=ANGLES, circular=[1, 2], order=[3, 1, 4, 2]),
    "circular-context-unbounded": dict(dim=1, transformer=ANGLE, circular=[0], context_dim=2),
    "circular-bare-unbounded": dict(dim=4, hidden=[], transformer=ANGLES, circular=[2, 1]),
    "circular-textbook-loop-unbounded": dict(
        dim=4, transformer=ANGLES, circular=[1, 2], context_dim=2, method="sequential"
    ),
}
COUPLINGS = {
    "2": dict(dim=2, hidden=[8, 9]),
    "tanh": dict(dim=3, num_masked=-2, hidden=[], activation="tanh"),
    "unbounded": dict(dim=3, hidden=[8], transformer=fc.Affine(None)),
    "fraction": dict(dim=5, fraction_masked=0.25, hidden=[8]),
    "context": dict(dim=3, num_masked=-1, context_dim=2, hidden=[8, 8]),
    "residual": dict(dim=3, num_masked=-1, hidden=[8] * 5, context_dim=2, residual=True),
    "spline": dict(dim=3, transformer=fc.RationalQuadratic(3, 1.0, min_slope=0.1), hidden=[8]),
    "composed": dict(
        dim=3,
        transformer=fc.Compose([fc.RationalQuadratic(), OwnTransformer(), fc.Shift()]),
        hidden=[8],
    ),
    "mixture": dict(dim=3, hidden=[8], transformer=fc.MixtureOfGaussians(3), context_dim=2),
    "own-conditioner": dict(dim=3, num_masked=1, conditioner=fc.MLP(1, (2, 2), [6], "elu")),
    "per-coordinate": dict(dim=3, num_masked=-1, hidden=[8], transformer=EACH, context_dim=2),
    # far out, an angle comes back modulo 2 pi
    "circular-unbounded": dict(
        dim=4,
        num_masked=2,
        transformer=ANGLES,
        circular=[1, 2],
        hidden=[8],
        context_dim=2,
    ),
}
# Functions of the number of steps. With few steps the inverse is rough.
CONTINUOUS = {
    "continuous-1": lambda n: fc.ContinuousFlow.of(1, [5], n_steps=n),
    "continuous": lambda n: fc.ContinuousFlow.of(
        3, [6, 5], "softplus", n_steps=n, frequencies=2, order=5
    ),
    # its velocity grows with x: far out, a fixed grid is too coarse
    "continuous-residual-unbounded": lambda n: fc.Invert(
        fc.ContinuousFlow.of(2, [6] * 3, "silu", 2, residual=True, n_steps=n)
    ),
    "again-continuous-unbounded": lambda n: fc.Chain(
        [fc.ContinuousFlow.of(2, [5], "tanh", c, rng=c, n_steps=n, order=5) for c in (0, 2)]
    ),
}
RECIPES = {"maf": 5, "iaf": 1, "realnvp": 3, "nice": 2, "nsf": 5, "glow": 2}

BIJECTORS = {
    **{f"maf-{name}": lambda o=options: maf(**o) for name, options in MAFS.items()},
    "maf-narrow": lambda: narrow_maf(6, hidden=[4, 3], degrees=[[1, 1, 4, 5], [2, 4, 5]]),
    "maf-useless-units": lambda: narrow_maf(3, hidden=[5], degrees=[[0, 1, 2, 3, 7]]),
    "maf-residual-degrees": lambda: narrow_maf(
        6,
        hidden=[9, 4, 9, 7, 9],
        degrees=[INNER[0], INNER[1], INNER[0], INNER[2], INNER[0]],
        residual=True,
    ),
    "iaf-5": lambda: iaf(5, order=None),
    "iaf-context": lambda: iaf(3, context_dim=2),
    "iaf-circular-unbounded": lambda: iaf(
        4, hidden=[8] * 3, residual=True, transformer=ANGLES, circular=[1, 2], context_dim=2
    ),
    "iaf-residual": lambda: iaf(3, hidden=[8] * 3, residual=True),
    "iaf-spline": lambda: iaf(3, transformer=fc.RationalQuadratic(3, 2.0), order=None),
    "iaf-mixture": lambda: iaf(2, transformer=fc.MixtureOfGaussians(3), context_dim=2),
    **{f"coupling-{name}": lambda o=options: fc.Coupling(**o)
       for name, options in COUPLINGS.items()},
    "nice-2": lambda: fc.NICE(2, hidden=[8]),
    # without networks
    "permute-1": lambda: fc.Permute([0]),
    "permute-5": lambda: fc.Permute([*range(1, 5), 0]),
    "standardize-fresh": lambda: fc.Standardize(3),
    "whiten": lambda: fc.Whiten.from_data(correlated(3)),
    "whiten-fresh": lambda: fc.Whiten(2),
    "whiten-inverted": lambda: fc.Invert(fc.Whiten(3).initialize_inverted(correlated(3))),
    "context-whitened": of_whitened_contexts,
    "context-standardised": of_standardised_contexts,
    "context-standardised-fresh": lambda: fc.StandardizeContext(
        fc.RealNVP(3, hidden=[8], context_dim=2)
    ),
    "context-embedded": of_embedded_contexts,
    "context-embedded-inverted": lambda: fc.Invert(of_embedded_contexts()[1]),
    "context-standardised-inverted": lambda: fc.Invert(of_standardised_contexts()[1]),
    "elementwise-shift": lambda: fc.Elementwise(1, fc.Shift()),
    "elementwise-affine": lambda: fc.Elementwise(5, fc.Affine()),
    "elementwise-own": lambda: fc.Elementwise(3, OwnTransformer()),
    "elementwise-spline": lambda: fc.Elementwise(2, fc.RationalQuadratic()),
    "elementwise-mixture": lambda: fc.Elementwise(3, fc.MixtureOfGaussians(3)),
    "elementwise-mixture-of-10": lambda: fc.Elementwise(1, fc.MixtureOfGaussians(10)),
    **{f"lu-{dim}": lambda dim=dim: fc.LULinear(dim) for dim in (1, 3)},
    "lu-identity": lambda: fc.LULinear(2, permutation=None, log_scale_bound=1.0),
    "invert-lu": lambda: fc.Invert(fc.LULinear(3, [2, 0, 1])),
    "lu-unbounded": lambda: fc.LULinear(3, [2, 0, 1], signs=[1, -1, -1], log_scale_bound=None),
    "actnorm-fresh": lambda: fc.ActNorm(3),
    "actnorm": lambda: fc.ActNorm(3).initialize(data(3)),
    "invert-actnorm": lambda: fc.Invert(fc.ActNorm(3)),
    "fixed-affine": lambda: fc.ElementwiseAffine([1.0, 2.0, 3.0], [-2.0, 0.5, 1.0]),
    "fixed-sigmoid-ends": lambda: fc.Sigmoid(3, LOW, HIGH),
    "fixed-logit-ends": lambda: fc.Logit(3, LOW, HIGH),
    "fixed-tanh": lambda: fc.Tanh(5),
    "fixed-softplus-hinges": lambda: fc.Softplus(3, [0.3, 1.0, 4.0], LOW),
    "fixed-exp": lambda: fc.Exp(3),
    "fixed-sinh-arcsinh": lambda: fc.SinhArcsinh(2, skewness=0.4, tailweight=1.3),
    "fixed-sinh-arcsinhs": lambda: fc.SinhArcsinh(3, LOW, [0.5, 1.0, 2.0]),
    "margins-fresh": lambda: fc.Margins(2),
    "margins": lambda: fc.Margins.from_data(np.exp(data(3) / 10)),
    "invert-exp": lambda: fc.Invert(fc.Exp(1)),
    "chain-bounded": lambda: fc.Chain([fc.Sigmoid(3, LOW, HIGH), fc.LULinear(3)]),
    "blockwise": lambda: fc.Blockwise([fc.Exp(1), fc.LULinear(2), maf(2, context_dim=2)]),
    "blockwise-mixed": mixed_columns,
    "blockwise-tied": tied_blocks,
    "blockwise-inverted": lambda: fc.Invert(mixed_columns()),
    **{f"planar-{dim}": lambda dim=dim: fc.Planar(dim) for dim in (1, 3)},
    **{f"radial-{dim}": lambda dim=dim: fc.Radial(dim) for dim in (1, 3)},
    # compositions
    "chain-planar-radial": lambda: fc.Chain([fc.Planar(3), fc.Invert(fc.Planar(3, rng=1)),
                                             fc.Invert(fc.Radial(3))]),
    "invert-coupling": lambda: fc.Invert(fc.RealNVP(3, hidden=[8])),
    "invert-invert": lambda: fc.Invert(fc.Invert(maf(3))),
    "invert-standardize": lambda: fc.Invert(fc.Standardize.from_data(data(3))),
    "chain-of-permutations": lambda: fc.Chain([fc.Permute([1, 2, 0]), fc.Permute([0, 2, 1])]),
    "chain": lambda: fc.Chain([maf(3), fc.Permute([1, 2, 0]),
                               fc.RealNVP(3, hidden=[8]), iaf(3, rng=1)]),
    "chain-nested": nested,
    # equal parts in a row: without a tape they share their arrays
    **{
        f"again-maf-{a}-{b}": lambda a=a, b=b: fc.Chain(
            [maf(3, order=ORDERS[name], rng=k) for k, name in enumerate((a, b))]
        )
        for a, b in pairwise(["l2r", "l2r", "r2l", "cyclic", "cyclic", "random", "l2r"])
    },
    "again-iaf": lambda: fc.Chain([iaf(3), iaf(3, order="right-to-left", rng=1), maf(3, rng=2)]),
    "again-maf-bare": lambda: fc.Chain([maf(3, hidden=[]), maf(3, hidden=[], order=None, rng=1)]),
    "again-maf-spline": lambda: fc.Chain(
        [maf(3, transformer=fc.RationalQuadratic(3), rng=k) for k in range(2)]
    ),
    "again-coupling": lambda: fc.Chain([fc.RealNVP(4, m, hidden=[8], rng=k)
                                        for k, m in enumerate((2, 2, -2, -2))]),
    "again-coupling-permute": lambda: fc.Chain(
        [fc.NICE(2, hidden=[8]), fc.Permute([1, 0]), fc.NICE(2, hidden=[8], rng=1),
         fc.Permute([1, 0])]
    ),
    "again-permute": lambda: fc.Chain(
        [fc.Permute([1, 2, 0]), fc.Permute([1, 2, 0]), maf(3), fc.Permute([2, 1, 0]),
         fc.Permute([1, 2, 0])]
    ),
    "again-elementwise": lambda: fc.Chain([fc.Elementwise(3, fc.Affine()) for _ in range(2)]),
    "again-lu": lambda: fc.Chain([fc.LULinear(3, rng=1), fc.LULinear(3, rng=2), fc.ActNorm(3),
                                  fc.ActNorm(3)]),
    "again-fixed": lambda: fc.Chain([fc.Exp(2), fc.Sigmoid(2, 0, 2), fc.Sigmoid(2, -3, 3),
                                     fc.Tanh(2), fc.Tanh(2)]),
    "again-planar": lambda: fc.Chain([fc.Planar(3), fc.Planar(3, rng=1), fc.Radial(3),
                                      fc.Radial(3)]),
    "again-blockwise": lambda: fc.Blockwise([maf(2), maf(2, rng=1), maf(2, order="right-to-left")]),
    "again-blockwise-mixed": lambda: fc.Blockwise(
        [fc.RealNVP(2, hidden=[8]), fc.Permute([1, 0]), fc.RealNVP(2, hidden=[8], rng=1),
         fc.Permute([1, 0])]
    ),
    "again-blockwise-of-permutations": lambda: fc.Blockwise([fc.Permute([1, 0]),
                                                             fc.Permute([1, 0])]),
    "chain-conditional": conditional_chain,
    "tied-twice": tied_twice,
    "tied-network": tied_network,
    # whole flows
    **{
        f"flows.{name}-{dim}": lambda name=name, dim=dim: getattr(fc.flows, name)(
            dim, layers=3, hidden=[8, 9]
        ).bijector
        for name, dim in RECIPES.items()
    },
    "flows.nsf-coupling": lambda: fc.flows.nsf(3, layers=3, hidden=[8], kind="coupling").bijector,
    "recipe-maf_mog": lambda: fc.flows.maf_mog(3, layers=2, components=2, hidden=[8]).bijector,
    **{name: lambda make=make: make(3) for name, make in CONTINUOUS.items()},
    # with somebody's own classes
    "own-bijector": OwnBijector,
    "own-bijector-chain": lambda: fc.Chain([fc.LULinear(2), OwnBijector(), maf(2), OwnBijector()]),
    "own-conditioner": lambda: fc.Coupling(
        3, 2, transformer=fc.Shift(), conditioner=OwnConditioner()
    ),
}  # fmt: skip

DENSITIES = {
    "normal": lambda: fc.Normal(3),
    "diagonal": lambda: fc.MultivariateNormalDiag([1, -2], [0.5, 3]),
    "uniform": lambda: fc.Uniform(2, [-9, -8], [9, 9.5]),
    "uniform-circle": lambda: fc.UniformCircle(2),
    "von-mises": lambda: fc.VonMises([1.0, -3.0], [0.3, 40.0]),
    "product": lambda: fc.Product(
        [fc.StudentT(1, 3.0, True), fc.VonMises([1.0]), over(fc.Normal(2))]
    ),
    "flow-of-angles": lambda: fc.flows.nsf(
        4, layers=3, hidden=[8], circular=[0, 2], context_dim=2, standardize_context=False
    ),
    "laplace": lambda: fc.Laplace(2, loc=[0, 1], scale=[2, 0.5]),
    "student": lambda: fc.StudentT(2, df=[1.5, 300]),
    "student-trainable": lambda: fc.StudentT(2, df=[1.5, 30], trainable=True),
    "mixture": lambda: fc.GaussianMixture(MEANS, SCALES, [0.5, 0.2, 0.3]),
    "normal-mixture": lambda: fc.MultivariateNormalMixture(MEANS, FACTORS, [0.5, 0.2, 0.3]),
    "t-mixture": lambda: fc.MultivariateTMixture(MEANS, FACTORS, [0.5, 0.2, 0.3], df=3.5),
    "mixture-of-one": lambda: fc.GaussianMixture([[1.0, 2.0]]),
    "mixture-of-flows": lambda: fc.Mixture(
        [over(fc.Normal(2)), fc.StudentT(2), over(OwnBase())],
        [0.5, 0.3333333, 0.1666666],  # hardly less than 1
    ),
    "mixture-of-flows-context": lambda: fc.Mixture(
        [fc.Normal(2), over(fc.Normal(2), context_dim=3)]
    ),
    "flow-over-a-mixture": lambda: over(
        fc.Mixture([over(fc.Normal(2)), fc.GaussianMixture(MEANS)])
    ),
    "flow": lambda: over(fc.Normal(2)),
    "flow-context": lambda: over(fc.Normal(2), context_dim=3),
    "flow-inverted": lambda: fc.TransformedDistribution(fc.Normal(5), iaf(5, activation="tanh")),
    "flow-student": lambda: over(fc.StudentT(2, trainable=True)),
    "flow-mixture": lambda: over(fc.GaussianMixture(MEANS)),
    "flow-normal-mixture": lambda: over(fc.MultivariateNormalMixture(MEANS, FACTORS)),
    "flow-uniform": lambda: fc.TransformedDistribution(fc.Uniform(2, -9, 9), fc.Logit(2, -9, 9)),
    "flow-of-permutations": lambda: fc.TransformedDistribution(fc.Normal(2), fc.Permute([1, 0])),
    "flow-own-base": lambda: over(OwnBase()),
    "flow-foreign-base": lambda: over(ForeignBase()),
    "flow-over-a-flow": lambda: fc.TransformedDistribution(over(fc.Normal(2)), fc.Planar(2)),
    "flow-over-a-flow-context": lambda: fc.TransformedDistribution(
        over(fc.Normal(2), context_dim=3), fc.RealNVP(2, hidden=[4], context_dim=3)
    ),
    "flow-context-inside": lambda: over(over(over(fc.Normal(2), context_dim=3))),
    "flow-tied-to-its-base": lambda: (
        lambda tied: fc.TransformedDistribution(
            fc.TransformedDistribution(fc.Normal(2), tied), tied
        )
    )(fc.Chain([maf(2, activation="tanh"), fc.Permute([1, 0])])),
    "flow-own-bijector": lambda: fc.TransformedDistribution(
        fc.Normal(2), fc.Chain([fc.LULinear(2), OwnBijector()])
    ),
    **{
        f"flows.{name}": lambda name=name: getattr(fc.flows, name)(3, hidden=[8], standardize=False)
        for name in ("maf", "iaf", "realnvp", "nice", "nsf", "glow", "made", "made_mog", "maf_mog")
    },
}

RESIDUAL = {
    "relu": dict(hidden=[8] * 3),
    "elu": dict(hidden=[9, 7, 9, 6, 9], activation="elu"),
    "sigmoid": dict(hidden=[6] * 7, activation="sigmoid"),
    "context": dict(hidden=[9] * 5, context_dim=2, activation="softplus"),
    "wide": dict(hidden=[150, 130, 150], activation="tanh"),
}
HIDDEN = {
    "relu": [8, 9],
    "tanh": [9],
    "sigmoid": [9, 6, 8],
    "elu": [8, 9],
    "softplus": [9],
    "silu": [8, 9],
}
NETWORKS = {
    **{f"made-{a}": lambda a=a, h=h: fc.MADE(3, h, activation=a) for a, h in HIDDEN.items()},
    **{f"mlp-{a}": lambda a=a, h=h: fc.MLP(3, (2, 2), h, activation=a) for a, h in HIDDEN.items()},
    "made-bare": lambda: fc.MADE(4, [], n_out=3),
    "mlp-bare": lambda: fc.MLP(4, (5,), []),
    "made-1": lambda: fc.MADE(1, [4]),
    "made-1-context": lambda: fc.MADE(1, [4], context_dim=1),
    "made-random": lambda: fc.MADE(5, [40, 40], order="random", degrees="random", rng=3),
    "made-context": lambda: fc.MADE(4, [9, 9], context_dim=2, order=[2, 4, 1, 3]),
    "made-context-first": lambda: fc.MADE(
        4, [9, 9], context_dim=2, context_layers="first", order="right-to-left"
    ),
    "mlp-context": lambda: fc.MLP(2, (3, 2), [8, 8], context_dim=3),
    # 128 units and more: a few panels instead of one dense product
    "made-wide": lambda: fc.MADE(7, [160, 200], activation="tanh"),
    "made-wide-context": lambda: fc.MADE(7, [160, 200], context_dim=2, order=[3, 5, 1, 7, 2, 6, 4]),
    "made-wide-random": lambda: fc.MADE(7, [130, 150], degrees="random", order="random"),
    "made-many-inputs": lambda: fc.MADE(140, [150, 140], n_out=1),
    "mlp-wide": lambda: fc.MLP(7, (3, 2), [160, 130]),
    **{f"made-residual-{n}": lambda a=a: fc.MADE(4, **a, residual=True)
       for n, a in RESIDUAL.items()},
    **{f"mlp-residual-{n}": lambda a=a: fc.MLP(4, (3, 2), **a, residual=True)
       for n, a in RESIDUAL.items()},
    "made-residual-1": lambda: fc.MADE(1, [6] * 3, residual=True),
    "made-residual-random": lambda: fc.MADE(
        6, [40] * 5, order="random", degrees="random", rng=3, residual=True
    ),
    "made-residual-given": lambda: BIJECTORS["maf-residual-degrees"]().made,
}  # fmt: skip
TRANSFORMERS = {
    "shift": fc.Shift(),
    "scale-unbounded": fc.Scale(),
    "affine": fc.Affine(),
    "affine-unbounded": fc.Affine(None),
    "spline": fc.RationalQuadratic(5, tail=2.0),
    "spline-of-one-bin": fc.RationalQuadratic(1),
    "circular-unbounded": ANGLE,
    "mixture": fc.MixtureOfGaussians(3),
    "mixture-of-one": fc.MixtureOfGaussians(1),
    "compose": fc.Compose([fc.Affine(), fc.RationalQuadratic(4), OwnTransformer()]),
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
        if isinstance(part, fc.Transformer):
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
        theta = theta[index] if isinstance(self.part, fc.Transformer) else theta
        return [theta, *(a[index] for a in others)]


def case(name, way, n=4) -> Case:
    """n random rows, where `way` is defined."""
    part, rng = CASES[name, way](), np.random.default_rng(5)
    if isinstance(part, fc.Transformer):
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
