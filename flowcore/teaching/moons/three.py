"""The three flows of the story: how they are built, trained and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import flowcore as fc

from ...training import fit
from .data import N_FRESH, Moons


@dataclass(frozen=True)
class Settings:
    """The options of the command line, and the epochs."""

    flow: str = "maf"
    epochs: int | None = None  # of every training run; None: what serves each of them
    quick: bool = False


def build(kind: str, layers: int, hidden, seed: int) -> fc.TransformedDistribution:
    """`layers` bijectors of one kind with swaps between them; float32, as the tutorial has it."""
    parts: list[fc.Bijector] = []
    seeds = np.random.default_rng(seed).integers(2**63, size=layers).tolist()
    for layer_seed in seeds:
        parts += [fc.Permute([1, 0]), layer(kind, 2, hidden, rng=layer_seed, dtype=np.float32)]
    if kind == "nice":  # its layers keep volumes: one diagonal scaling next to the base
        parts[0] = fc.Elementwise(2, fc.transformers.Scale(), dtype=np.float32)
    else:
        del parts[0]
    return fc.TransformedDistribution(fc.Normal(2), fc.Chain(parts[::-1]))


def layer(kind: str, dim: int, hidden, **options) -> fc.Bijector:
    """One bijector of a kind: "maf", "iaf", "realnvp" or "nice"."""
    if kind in ("maf", "iaf"):
        maf = fc.MaskedAutoregressiveFlow(fc.MADE(dim, hidden, **options))
        return fc.Invert(maf) if kind == "iaf" else maf
    coupling = {"realnvp": fc.RealNVP, "nice": fc.NICE}[kind]
    return coupling(dim, num_masked=dim // 2, hidden=hidden, **options)


# as the tutorial has it: full batch, Adam at 1e-3, the best validation kept
TUTORIAL = dict(batch_size=None, learning_rate=1e-3, schedule="constant", average=None)


class Contestant(NamedTuple):
    """An untrained flow, and how it is trained: options of `fit`."""

    title: str
    flow: fc.TransformedDistribution
    options: dict


def contestants(moons: Moons, settings: Settings) -> tuple[Contestant, Contestant, Contestant]:
    """The tutorial's flow of one layer, its flow of six, and flowcore's own recipe."""
    kind, seed, epochs = settings.flow, moons.seed, settings.epochs
    name = {"realnvp": "RealNVP"}.get(kind, kind.upper())
    one, six = build(kind, 1, [16, 16], seed), build(kind, 6, [256, 256], seed)
    for_one = {"epochs": epochs or 600, **TUTORIAL}
    for_six = {"epochs": epochs or (150 if settings.quick else 600), **TUTORIAL}
    for_own = {"epochs": epochs or (60 if settings.quick else "auto"), "rng": seed}
    return (
        Contestant(f"one {name} [16, 16]", one, for_one),
        Contestant(f"six {name} [256, 256]", six, for_six),
        Contestant("flowcore's own recipe", fc.flows.nsf(2, rng=seed), for_own),
    )


@dataclass(frozen=True)
class Result:
    """A flow, and how far it is from the truth."""

    title: str
    flow: fc.TransformedDistribution
    nll: float  # on fresh points
    kl: fc.metrics.KLEstimate
    history: fc.History | None = None  # None: untrained

    @classmethod
    def of(cls, title, flow, moons: Moons, history=None) -> Result:
        kl = fc.kl_to_truth(flow, moons.truth(), N_FRESH, np.random.default_rng([moons.seed, 1]))
        return cls(title, flow, nll(flow, moons.fresh()), kl, history)


def train(contestant: Contestant, moons: Moons, progress: bool = False) -> Result:
    """Train one of the three, and measure it."""
    try:
        flow, history = fit(
            contestant.flow,
            moons.train,
            validation_data=moons.validation,
            progress=progress,
            **contestant.options,
        )
    except fc.TrainingDivergedError as problem:
        print(f"{contestant.title}: {problem}; the last finite parameters are used")
        flow, history = problem.flow, problem.history
    if history.interrupted:  # `fit` itself swallows the interrupt
        raise KeyboardInterrupt
    return Result.of(contestant.title, flow, moons, history)


def nll(flow, x) -> float:
    """Mean negative log-likelihood of the rows of x, in nats."""
    return -float(np.mean(flow.log_prob(x), dtype=float))


def finite_share(flow) -> float:
    """Share of the grid [-5, 5]^2 with a finite log-density."""
    axis = np.linspace(-5, 5, 100)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    return float(np.isfinite(flow.log_prob(grid)).mean())
