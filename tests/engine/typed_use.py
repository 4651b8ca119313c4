"""The public names as a user of a type checker writes them: `mypy` finds no fault here.

py.typed is a promise. An annotation of a result below is a check of it: a wrong type is an error.
This file also runs, as a test, so that it cannot drift away from what the library does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc
from flowcore.targets import Target

truth: Target = fc.targets.two_moons(noise=0.1)
x: np.ndarray = truth.sample(200, rng=0)
entropy: float = truth.entropy()

maf: fc.TransformedDistribution = fc.flows.maf(2, layers=2, hidden=[8], rng=1)
recipes: list[fc.TransformedDistribution] = [
    fc.flows.realnvp(2, layers=1, transformer=fc.Affine(3.0)),
    fc.flows.nsf(2, layers=1, affine=fc.Affine(5.0), dtype=np.float32),
    fc.flows.made(2, context_dim=1),
    fc.flows.maf_mog(2, layers=1, log_scale_bound=3.0),
]

flow, history = fc.fit(maf, x, epochs=2, learning_rate=fc.cosine_decay(1e-3, 10), patience=5)
losses: list[float] = history.train_nll
log_p: np.ndarray = flow.log_prob(x)
again: np.ndarray = flow.sample(5, rng=np.random.default_rng(0))
kl: float = fc.kl_to_truth(flow, truth, n=100).kl

backend: fc.adapters.Backend = fc.adapters.FlowBackend(maf, epochs=2)
mapped: np.ndarray = backend.to_latent(x)[0]
embedded: fc.TransformedDistribution = fc.flows.maf(2, context_net=fc.MLP(50, (3,), hidden=[8]))

report: fc.Diagnosis = fc.diagnose(flow, x, names=["a", "b"], history=history, draws=1000)
verdict: str = report.headline
trusted: bool = report.trusted
pairs: np.ndarray = fc.plots.pairs(x, again)


def lay(seed: int) -> fc.Bijector:
    """One layer of splines."""
    spline = fc.RationalQuadratic(bins=4)
    made = fc.MADE(2, hidden=[8], n_out=spline.n_out, rng=seed)
    return fc.MaskedAutoregressiveFlow(made, spline)


bijector: fc.Bijector = fc.Chain([fc.Standardize(2), lay(1), fc.Permute([1, 0]), lay(0)])
inverted: fc.Bijector = fc.Invert(bijector)
bases: list[fc.Distribution] = [fc.Normal(2), fc.StudentT(2, df=3.0, trainable=True)]
flows = [fc.TransformedDistribution(base, inverted) for base in bases]
fc.testing.check_bijector(fc.testing.randomize(lay(2), scale=0.5, rng=1), rng=0)

other: fc.TransformedDistribution = maf.with_params(maf.params)
schema: fc.tables.Schema = fc.tables.Schema.from_data(x).edit({0: "continuous"})
table: fc.tables.TableDensity = fc.tables.fit_table(x, schema, learn=lambda z, **given: maf)
table_log_p: np.ndarray = table.log_prob(x)
latent: np.ndarray = other.to_latent(x)
z, log_det = maf.bijector.inverse_and_log_det(x, maf.bijector.params)
made: fc.MADE = fc.MADE(2, hidden=[8])
phi: np.ndarray = made.with_weights(made.weights())(z)
moved, log_slope = fc.Affine().forward_and_log_det(z, phi)
full: fc.LULinear = fc.LULinear.from_lu([[2.0, 1.0], [3.0, -1.0]])
mixture: fc.GaussianMixture = fc.GaussianMixture.from_data(x, 2)
joint: fc.Conditionals = fc.Conditionals(mixture, names=["a", "b"])
filled: np.ndarray = joint.impute([[0.0, np.nan]], n=3).draws
median: np.ndarray = joint.given({"a": 0.0}).quantiles(0.5)
imputer: fc.FlowImputer = fc.FlowImputer(bootstraps=0)
conditional = fc.MultivariateNormalMixture.from_data(x).given({0: 1.5}).marginal([0])


class Double(fc.Bijector):
    """x = 2 z, by a user who annotates."""

    def forward_and_log_det(self, z: Any, params: Any = None, context: Any = None) -> Any:
        return 2 * z, np.full(z.shape[:-1], z.shape[-1] * np.log(2))

    def inverse_and_log_det(self, x: Any, params: Any = None, context: Any = None) -> Any:
        return x / 2, np.full(x.shape[:-1], -x.shape[-1] * np.log(2))


doubled: np.ndarray = Double(2).forward(x)
chain = fc.Chain([Double(2), fc.Elementwise(2, fc.Compose([fc.Shift(), fc.Scale()]))])
first: fc.Bijector = chain[0]


class Cauchy(fc.Distribution):
    """A base of heavy tails, by the same user."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def sample(self, n: int = 1, rng: Any = None) -> np.ndarray:
        return np.random.default_rng(rng).standard_cauchy((n, self.dim))

    def log_prob(
        self, x: Any, params: Any = None, context: Any = None, threads: Any = None
    ) -> np.ndarray:
        return np.asarray(-np.log(np.pi * (1 + np.square(x))).sum(axis=-1))


heavy: np.ndarray = fc.TransformedDistribution(Cauchy(2), chain).log_prob(x)

dequantize = fc.Dequantize(step=[1, 0])
bound: np.ndarray = dequantize.log_prob(fc.Normal(2), [[3, 0.5]])
pixels: fc.Sigmoid = fc.logit_preprocessing(4, levels=256)


def keep(model: fc.TransformedDistribution, folder: Path) -> None:
    """Save it, and load it again."""
    fc.save(model, folder / "flow.npz")
    fc.load(folder / "flow.npz", classes=[])


density: fc.FlowDensity = fc.FlowDensity(budget=1e-3, random_state=0)
