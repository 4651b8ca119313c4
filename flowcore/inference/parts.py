"""Flows for a target with several modes: one a mode, or one over a mixture of Gaussians."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bijectors import Chain, ElementwiseAffine
from ..distributions import Mixture, MultivariateNormalMixture, TransformedDistribution
from ..training import History, fit_reverse_kl
from ..training.reverse_kl import TOLERANCE
from ..training.unnormalised import LogTarget
from .modes import DRAWS, Gaussian, Modes, shares_of
from .start import flow_around, layers_of

SHORT, CLOSE = 10, 10.0  # epochs of one mode's flow; its KL, in tolerances, that will do
WHOLE = {"checkpoint", "max_seconds"}  # options that are for one training


def fit_modes(
    target: LogTarget, found: list[Gaussian], modes: Modes, rng: np.random.Generator, options: dict
) -> tuple[Any, History]:
    """A flow for the modes of a target, and the history of its training.

    One mode: an IAF that starts at its Gaussian. Several: a `Mixture` of such flows, with the
    history of that with the largest share. If ten epochs are not enough for one of them, it is one
    IAF instead, over the mixture of the Gaussians.
    """
    log_target = target.log_target
    if len(found) == 1:
        return fit_reverse_kl(flow_around(*found[0]), log_target, rng=rng, **options)
    if WHOLE & options.keys():
        return _over_gaussians(target, found, modes, rng, options)
    trained, epochs = [], options.get("epochs", SHORT)
    short = options | {"epochs": min(epochs, SHORT) if isinstance(epochs, int) else SHORT}
    for gaussian in found:
        part, history = fit_reverse_kl(flow_around(*gaussian), log_target, rng=rng, **short)
        if _kl(part, target, rng) > CLOSE * options.get("tolerance", TOLERANCE):
            return _over_gaussians(target, found, modes, rng, options)
        trained.append((part, history))
    flows, histories = zip(*trained, strict=True)
    shares = shares_of(target, flows, rng)
    return Mixture(flows, shares), histories[np.argmax(shares)]


def _kl(flow, target: LogTarget, rng) -> float:
    """KL(q || p) in nats, where q is near a mode of p: half of the variance of log p~ - log q."""
    rows, log_q = flow.sample_and_log_prob(DRAWS, rng)
    return 0.5 * float(np.var(target(rows)[0] - log_q))


def _over_gaussians(target, found, modes, rng, options) -> tuple[TransformedDistribution, History]:
    """An IAF whose base is the mixture of Gaussians, standardised; its weights are set at the end.
    """
    means, factors = (np.array(part) for part in zip(*found, strict=True))
    rough = MultivariateNormalMixture(means, factors, modes.shares)
    mean, scale = rough.mean(), rough.std()
    means, factors = (means - mean) / scale, factors / scale[:, None]
    layers = Chain([ElementwiseAffine(mean, scale), *layers_of(len(mean))])
    flow = TransformedDistribution(MultivariateNormalMixture(means, factors, modes.shares), layers)
    options = options | {"quasi_random": False}  # they need one Gaussian
    flow, history = fit_reverse_kl(flow, target.log_target, rng=rng, **options)
    parts = [
        TransformedDistribution(MultivariateNormalMixture(m[None], f[None]), flow.bijector)
        for m, f in zip(means, factors, strict=True)
    ]
    base = MultivariateNormalMixture(means, factors, shares_of(target, parts, rng))
    return TransformedDistribution(base, flow.bijector), history
