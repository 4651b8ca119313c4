"""Write a small model file of every recipe and every class that `save` holds, and what it computes.

    python tests/data/models/write.py

The files here were written by flowcore 0.1.0 as it was before its engine was rebuilt. Later
versions have to load them and to compute the same numbers: `test_old_models.py`. That is why this
script only adds what is missing and never writes over a file. A new class is one more line below;
a file that cannot be read any more is a broken promise, not a reason to write it again.

`expected.npz` holds, for every model, the arrays "<model>/<what>" that `test_old_models.numbers`
computes, and "<model>/x", "<model>/context": where.
"""

import sys
from pathlib import Path

import numpy as np

import flowcore as fc
from flowcore import flows
from flowcore.testing import randomize

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from any_density.test_old_models import numbers  # noqa: E402
from support.saved import Block, Box, Centred, Renamed, Shear, Shifted, Stretch  # noqa: E402

DATA = np.random.default_rng(7).normal([5.0, -3.0, 20.0], [1.0, 3.0, 0.5], (40, 3))
CONTEXT = np.random.default_rng(8).normal(size=(40, 2))
SMALL = {"layers": 2, "hidden": [6]}


def recipe(make, dim=3, **options):
    """A recipe with its data-dependent parts set, as after a `fit`."""
    flow = make(dim, **options)
    return flow.initialize(DATA[:, :dim], context=CONTEXT if flow.context_dim else None)


def over(base, *bijectors):
    return fc.TransformedDistribution(base, fc.Chain(bijectors))


def maf(dim=3, transformer=None, method="by_degree", **made):
    transformer = transformer or fc.Affine()
    made = fc.MADE(dim, made.pop("hidden", [6]), transformer.n_out, **made)
    return fc.MaskedAutoregressiveFlow(made, transformer, method)


def alone(*bijectors, dim=3):
    return over(fc.Normal(dim), *bijectors)


def tied():
    part = maf()
    return alone(part, fc.Permute([1, 2, 0]), fc.Invert(part), part)


def mixture():
    return fc.GaussianMixture(
        [[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]], [[0.5] * 3, [1.5] * 3], [0.3, 0.7]
    )


MODELS = {
    # every recipe, and its options
    "maf": lambda: recipe(flows.maf, **SMALL),
    "iaf": lambda: recipe(flows.iaf, **SMALL),
    "realnvp": lambda: recipe(flows.realnvp, layers=3, hidden=[6]),
    "nice": lambda: recipe(flows.nice, layers=3, hidden=[6]),
    "nsf": lambda: recipe(flows.nsf, **SMALL, bins=4),
    "made": lambda: recipe(flows.made, hidden=[6]),
    "made_mog": lambda: recipe(flows.made_mog, hidden=[6], components=3),
    "maf_mog": lambda: recipe(flows.maf_mog, **SMALL, components=2),
    "glow": lambda: recipe(flows.glow, **SMALL),
    "maf-context-net": lambda: recipe(
        flows.maf, **SMALL, context_net=fc.MLP(2, (3,), hidden=[4], activation="tanh")
    ),
    "maf-float32-context": lambda: recipe(flows.maf, **SMALL, dtype=np.float32, context_dim=2),
    "maf-residual": lambda: recipe(flows.maf, layers=2, hidden=[6] * 3, residual=True),
    "maf-unbounded": lambda: recipe(flows.maf, **SMALL, transformer=fc.Affine(None)),
    # networks and their options
    **{
        f"maf-{name}": lambda name=name: alone(maf(activation=name, hidden=[6, 5]))
        for name in ("sigmoid", "softplus")
    },
    "maf-context-first": lambda: alone(maf(context_dim=2, context_layers="first", hidden=[6, 5])),
    "maf-textbook-loop": lambda: alone(maf(method="sequential")),
    "coupling-own-network": lambda: alone(
        fc.Coupling(3, 1, conditioner=fc.MLP(1, (2, 2), [6], "elu"))
    ),
    "continuous": lambda: recipe(flows.continuous, hidden=[6] * 3, context_dim=2, n_steps=4),
    "continuous-order-5": lambda: alone(fc.ContinuousFlow.of(3, [6], "silu", n_steps=2, order=5)),
    "nsf-circular": lambda: recipe(flows.nsf, layers=3, hidden=[6], bins=4, circular=[1]),
    "nsf-circular-made": lambda: recipe(flows.nsf, **SMALL, bins=4, circular=[2, 0]),
    "base-von-mises": lambda: over(fc.VonMises([1.0, 2.0, 3.0], 2.0), maf()),
    "MLP": lambda: fc.MLP(2, (3, 2), hidden=[5], activation="softplus", context_dim=2),
    # bases
    "base-student-t": lambda: over(fc.StudentT(3, df=3.5), maf()),
    "base-laplace": lambda: over(fc.Laplace(3, [0, 1, 2], 0.5), maf()),
    "base-diagonal": lambda: over(fc.MultivariateNormalDiag([1, 2, 3], [0.1, 3, 1]), maf()),
    "base-target": lambda: over(fc.targets.two_moons(0.1), maf(2)),
    "GaussianMixture": mixture,
    # maps without networks
    "planar": lambda: alone(fc.Invert(fc.Planar(3)), fc.Invert(fc.Planar(3, rng=1))),
    "radial": lambda: alone(fc.Invert(fc.Radial(3)), fc.Invert(fc.Radial(3, rng=1))),
    "lu-options": lambda: alone(fc.LULinear(3, [2, 0, 1], [1, -1, -1], log_scale_bound=None)),
    "elementwise": lambda: alone(
        fc.Elementwise(3, fc.Scale()),
        fc.Elementwise(3, fc.Affine(0.1)),
        fc.Elementwise(3, fc.RationalQuadratic(4, 2.0, 0.01, 0.02, 0.03)),
        fc.Elementwise(3, fc.MixtureOfGaussians(2, 3.0)),
    ),
    "columns": lambda: alone(
        fc.Blockwise([fc.Sigmoid(1, -2, 5), fc.Exp(1), fc.Tanh(1)]),
        fc.ElementwiseAffine([1.0, 2.0, 3.0], [-2.0, 0.5, 1.0]),
        fc.SinhArcsinh(3, skewness=0.4, tailweight=1.3),
    ),
    "softplus": lambda: alone(fc.Softplus(3, hinge_softness=0.3, low=1)),
    "logit": lambda: over(fc.Uniform(3), fc.Logit(3), maf()),
    # trees
    "tied": tied,
    # classes of a user's own
    "own-bijectors": lambda: alone(Shear(), Renamed(2), Block(2, rng=5), dim=2),
    "own-constant": lambda: alone(Centred(3).initialize(DATA)),
    "own-transformer": lambda: alone(fc.Elementwise(2, Stretch(np.float32(0.3))), dim=2),
    "own-base": lambda: over(Box(2, width=3.0), fc.Elementwise(2, Stretch(2.0))),
    "own-trainable-base": lambda: over(Shifted(2, np.float32), Shear()),
}


def points(model):
    """Rows near where the model has its mass, and contexts for them."""
    rng = np.random.default_rng(5)
    context = rng.normal(size=(6, model.context_dim)) if getattr(model, "context_dim", 0) else None
    noise = rng.normal(size=(6, getattr(model, "in_dim", None) or model.dim))
    if not hasattr(model, "sample"):
        return noise, context
    options = {} if context is None else {"context": context}
    x = np.stack([model.sample(1, rng=i, **options) for i in range(6)])
    x = x[range(6), 0, range(6)] if context is not None else x[:, 0]  # row i has context i
    return x.astype(float) + 0.1 * x.std(axis=0) * noise, context


def main():
    path = HERE / "expected.npz"
    expected = dict(np.load(path)) if path.exists() else {}
    for name, make in MODELS.items():
        if (HERE / f"{name}.npz").exists():
            continue
        model = make()
        model = randomize(model, 0.5, rng=1) if hasattr(model, "with_params") else model
        fc.save(model, HERE / f"{name}.npz")
        x, context = points(model)
        where = {"x": x} if context is None else {"x": x, "context": context}
        for what, value in (where | numbers(model, x, context)).items():
            expected[f"{name}/{what}"] = value
        print(f"{name}.npz", (HERE / f"{name}.npz").stat().st_size, "bytes")
    np.savez_compressed(path, **expected)


if __name__ == "__main__":
    main()
