"""One small object of every public class that `save` can hold."""

import numpy as np

import flowcore as fc
from flowcore import targets
from flowcore.estimator import Scored, Summary
from flowcore.inference import Modes, Prior
from flowcore.tables import Schema
from flowcore.tables.categorical import CategoricalMixture
from flowcore.tables.chow_liu_tree import ChowLiuTree
from flowcore.tables.frequencies import Frequencies
from flowcore.tables.latent_classes import LatentClasses
from flowcore.tables.normal_scores import NormalScores
from flowcore.tables.proposal import MixedMixture
from flowcore.tables.soft_log import SoftLog
from flowcore.tables.tail import Tail
from support.saved import DATA, maf, over

SCHEMA = Schema.from_data(np.array([[1.0, 3, 0.2], [2.0, 3, 0.3], [1.0, 7, 0.7]])).edit(
    {0: "categorical", 1: "integer"}
)

SCORED = Scored("Gaussian", -1.5, np.nan, 1.0, False)
COUNTS = Frequencies.fit([[0, 1], [1, 0]], (2, 2), (True, False))
CLASSES = LatentClasses([0.3, 0.7], [np.eye(2), np.eye(2)], [0.0, 0.1])
TREE = ChowLiuTree(
    [[0.4, 0.6], [0.3, 0.7]], [-1, 0], [[], [[0, 1, 2.0], [1, 0, 3.0]]], [0.0, np.inf], [0.0, 0.1]
)

PUBLIC = {
    "Margins": lambda: fc.Margins.from_data(np.exp(DATA)),
    "MADE": lambda: fc.MADE(3, [5], circular=[1]),
    "MLP": lambda: fc.MLP(2, (3, 2), [4], circular=[1, 0]),
    "ActNorm": lambda: fc.ActNorm(3).initialize(DATA),
    "Blockwise": lambda: fc.Blockwise([fc.Exp(1), fc.Permute([1, 0])], [1, 2]),
    "Clamped": lambda: fc.Clamped(fc.Elementwise(2, fc.Affine())),
    "ClampedBase": lambda: fc.ClampedBase(fc.Normal(2)),
    "Chain": lambda: fc.Chain([fc.Permute([1, 0])]),
    "ContinuousFlow": lambda: fc.ContinuousFlow.of(3, [4], "silu", 1, frequencies=2),
    "Coupling": lambda: fc.Coupling(3, hidden=[4]),
    "Elementwise": lambda: fc.Elementwise(2, fc.Scale()),
    "ElementwiseAffine": lambda: fc.ElementwiseAffine([1.0, 2.0], -3.0),
    "Exp": lambda: fc.Exp(2),
    "Invert": lambda: fc.Invert(fc.Exp(2)),
    "LULinear": lambda: fc.LULinear(3, signs=[1, -1, 1]),
    "Logit": lambda: fc.Logit(2, high=[4.0, 5.0]),
    "MaskedAutoregressiveFlow": lambda: maf(2),
    "Permute": lambda: fc.Permute([2, 0, 1]),
    "Planar": lambda: fc.Planar(2),
    "Radial": lambda: fc.Radial(2),
    "Sigmoid": lambda: fc.logit_preprocessing(2, 256),
    "SinhArcsinh": lambda: fc.SinhArcsinh(2, [0.1, -0.3], 1.5),
    "Softplus": lambda: fc.Softplus(2, 0.3, [1.0, 2.0]),
    "Standardize": lambda: fc.Standardize.from_data(DATA),
    "StandardizeContext": lambda: fc.StandardizeContext(
        fc.Coupling(3, hidden=[4], context_dim=1), fc.Standardize.from_data(DATA[:, :1])
    ),
    "EmbedContext": lambda: fc.EmbedContext(
        fc.Coupling(3, hidden=[4], context_dim=2), fc.MLP(5, (2,), hidden=[3])
    ),
    "Tanh": lambda: fc.Tanh(2),
    "Whiten": lambda: fc.Whiten.from_data(DATA),
    "GaussianMixture": lambda: fc.GaussianMixture([[0.0, 1.0], [2.0, 3.0]], 0.5, [1, 3]),
    "Laplace": lambda: fc.Laplace(2, 1.0, [0.5, 2.0]),
    "Mixture": lambda: fc.Mixture([fc.Normal(2), over(fc.Laplace(2), maf(2))], [0.3, 0.7]),
    "MultivariateNormalDiag": lambda: fc.MultivariateNormalDiag([1.0, 2.0], 0.1),
    "MultivariateNormalMixture": lambda: fc.MultivariateNormalMixture(
        [[1.0, 2.0]] * 2, [[[1, 0], [0.5, 0.1]]] * 2, [1, 3]
    ),
    "MultivariateTMixture": lambda: fc.MultivariateTMixture(
        [[1.0, 2.0]] * 2, [[[1, 0], [0.5, 0.1]]] * 2, [1, 3], 3.5
    ),
    "Normal": lambda: fc.Normal(2),
    "Product": lambda: fc.Product([fc.Normal(1), fc.UniformCircle(2)]),
    "UniformCircle": lambda: fc.UniformCircle(2),
    "VonMises": lambda: fc.VonMises([1.0, 2.0], [0.5, 3.0]),
    "StudentT": lambda: fc.StudentT(2, [1.5, 3.0]),
    "TransformedDistribution": lambda: over(fc.Normal(2), maf(2)),
    "Prior": lambda: Prior("gamma", a=[1.0, 2.0], scale=3.0),
    "Uniform": lambda: fc.Uniform(2, -1.0, [1.0, 2.0]),
    "Affine": lambda: fc.Affine(1 / 3),
    "CircularShift": fc.CircularShift,
    "CircularSpline": lambda: fc.CircularSpline(5, 0.01, 0.02, 0.03),
    "PerCoordinate": lambda: fc.PerCoordinate([fc.Affine(), fc.Shift()], 3),
    "Compose": lambda: fc.Compose([fc.Affine(), fc.Shift()]),
    "MixtureOfGaussians": lambda: fc.MixtureOfGaussians(3, 2.5),
    "RationalQuadratic": lambda: fc.RationalQuadratic(5, 2.5, 0.01, 0.02, 0.03),
    "Scale": fc.Scale,
    "Shift": fc.Shift,
    "CategoricalMixture": lambda: CategoricalMixture([0.1, 0.2, 0.7], COUNTS, TREE, [CLASSES]),
    "ChowLiuTree": lambda: TREE,
    "Frequencies": lambda: COUNTS,
    "LatentClasses": lambda: CLASSES,
    "History": lambda: fc.History([2.0, np.nan], [1.5], 0, 0.25, settings={"batch_size": 64}),
    "Modes": lambda: Modes(np.eye(2), np.array([0.3, 0.7]), np.array([1, 2]), 3, (1.0, 3.0)),
    "MixedMixture": lambda: MixedMixture(
        fc.MultivariateTMixture([[1.0, 2.0]], [[[1, 0], [0.5, 0.1]]], [1], 3.5), [np.ones((1, 2))]
    ),
    "NormalScores": lambda: NormalScores([[0.0, 1.0, 3.0], [0.0, 0.2, 0.8]]),
    "SoftLog": lambda: SoftLog(1 / 3),
    "Tail": lambda: Tail(0.4, 0.1, 3, 0.5, 0.2),
    "Scored": lambda: SCORED,
    "Summary": lambda: Summary((SCORED,), SCORED, 10, 8, 5, ("vine: too long",)),
    "Dequantize": lambda: fc.Dequantize([1.0, 0.1, 0.0], low=0.05),
    "Banana": lambda: targets.banana(0.3),
    "Checkerboard": targets.checkerboard,
    "Circles": lambda: targets.circles(0.1, 0.3),
    "CorrelatedGaussian": lambda: targets.correlated_gaussian(0.5),
    "EightGaussians": targets.eight_gaussians,
    "Funnel": lambda: targets.funnel(3),
    "Pinwheel": lambda: targets.pinwheel(7),
    "Ring": lambda: targets.ring(2.0),
    "Torus": lambda: targets.torus(0.5, 2.0),
    "VonMisesProduct": lambda: targets.von_mises_product([1.0], [2.0]),
    "TwoMoons": lambda: targets.two_moons(0.1),
    "TwoSpirals": lambda: targets.two_spirals(0.2),
}
