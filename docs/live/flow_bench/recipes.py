"""Which flow learns it: flowcore's recipes, or the same layers without their permutations."""

from __future__ import annotations

import numpy as np

import flowcore as fc

from .settings import ONE_PASS, Settings

ACTIVATION = "tanh"
BINS = 8  # of splines
TIMES = 8  # steps of a continuous flow's solver, and pictures of it


def build(settings: Settings) -> fc.TransformedDistribution:
    """The flow of these settings, not yet initialised."""
    hidden = settings.hidden
    if settings.flow == "continuous":
        return fc.flows.continuous(
            2, [*hidden, *hidden[:1]], n_steps=TIMES, residual=bool(hidden), rng=settings.seed
        )
    if settings.one_order and settings.n_layers > 1:
        return _in_one_order(settings, hidden)
    options = {"hidden": hidden, "activation": ACTIVATION, "rng": settings.seed}
    if settings.flow == "made":
        return _walked(fc.flows.maf(2, 1, **options), settings)
    return _walked(getattr(fc.flows, settings.flow)(2, settings.layers, **options), settings)


def _in_one_order(settings: Settings, hidden: list[int]) -> fc.TransformedDistribution:
    """All layers in the order (1, 2), from the base to the data; then a Standardize, as ever."""
    seeds = np.random.default_rng(settings.seed).integers(2**63, size=settings.layers).tolist()
    layers = [_layer(settings, hidden, seed) for seed in seeds]
    if settings.flow == "nice":
        layers = [fc.Elementwise(2, fc.Scale()), *layers]
    base = fc.StudentT(2, df=10.0, trainable=True) if settings.flow == "nsf" else fc.Normal(2)
    flow = fc.TransformedDistribution(base, fc.Chain([fc.Standardize(2), *reversed(layers)]))
    return _walked(flow, settings)


def _layer(settings: Settings, hidden: list[int], seed: int) -> fc.Bijector:
    net = {"hidden": hidden, "activation": ACTIVATION, "rng": seed}
    if settings.flow in ONE_PASS:
        transformer = fc.Shift() if settings.flow == "nice" else fc.Affine()
        return fc.Coupling(2, 1, transformer=transformer, **net)
    transformer = fc.Affine()
    if settings.flow == "nsf":
        transformer = fc.Compose([transformer, fc.RationalQuadratic(BINS)])
    layer = fc.MaskedAutoregressiveFlow(fc.MADE(2, n_out=transformer.n_out, **net), transformer)
    return fc.Invert(layer) if settings.flow == "iaf" else layer


def _walked(flow, settings: Settings):
    """The same flow, whose sequential direction is the textbook's loop if that is asked for."""
    if settings.method != "loop":
        return flow
    parts = [_with_loop(part) for part in flow.bijector.parts]
    return fc.TransformedDistribution(flow.base, fc.Chain(parts))


def _with_loop(part: fc.Bijector) -> fc.Bijector:
    if isinstance(part, fc.Invert):
        return fc.Invert(_with_loop(part.bijector))
    if isinstance(part, fc.MaskedAutoregressiveFlow):
        return fc.MaskedAutoregressiveFlow(part.made, part.transformer, method="sequential")
    return part


CHEAP = ("two_moons", "correlated_gaussian", "eight_gaussians", "checkerboard", "stretched_normal")
GRID = 100  # points a side, for floors


def floor(settings: Settings, truth) -> dict | None:
    """The KL that no training of this architecture can go below, and why; None if none is known."""
    if truth is None or settings.data not in CHEAP:
        return None
    if settings.flow == "nice":
        return {
            "kl": max(0.0, fc.targets.volume_preserving_floor(truth, n=3 * GRID)),
            "why": "NICE moves areas around and keeps them, up to one constant factor",
        }
    if settings.one_order and settings.flow not in ("nsf", "continuous"):
        return {
            "kl": max(0.0, fc.targets.affine_floor(truth, (1, 2), n=GRID)),
            "why": "layers of one order are together one affine layer: given x1, x2 stays Gaussian",
        }
    return None
