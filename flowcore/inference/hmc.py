"""Hamiltonian Monte Carlo, of many chains at once: exact where a flow is only close.

Neal, "MCMC using Hamiltonian dynamics", 2011. On z = f^-1(x) of a flow this is NeuTra (Hoffman et
al., "NeuTra-lizing bad geometry in Hamiltonian Monte Carlo using neural transport", 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..distributions import Mixture
from .space import pulled_back
from .unnormalised import LogTarget

ACCEPTED, GAIN = 0.8, 2.0  # the share that warm-up aims at, and how fast the step follows it


def neutra(
    log_p: Callable, flow: Any, start: np.ndarray, n: int, rng: np.random.Generator, **options: Any
) -> tuple[np.ndarray, float]:
    """(draws (chains, n, D) of log_p, the share of accepted proposals), by `hmc` on a flow's z.

    Each chain moves in the z of the part of a `Mixture` that its start (chains, D) most likely came
    from, and the chains of a part share their step size.
    """
    parts, part_of = [flow], np.zeros(len(start), int)
    if isinstance(flow, Mixture):
        parts = flow.densities
        log_parts = np.stack([part.log_prob(start) for part in parts])
        part_of = np.argmax(np.log(flow.weights)[:, None] + log_parts, axis=0)
    y, accepted = np.empty((len(start), n, flow.dim)), 0.0
    for k in np.unique(part_of):
        own, part = part_of == k, parts[k]
        target = latent_target(log_p, part)
        z, share, _ = hmc(target.anywhere, part.to_latent(start[own]), n, rng=rng, **options)
        y[own] = part.from_latent(z.reshape(-1, part.dim)).reshape(z.shape)
        accepted += share * own.mean()
    return y, float(accepted)


def latent_target(log_p: Callable, flow: Any) -> LogTarget:
    """log p~(f(z)) + log |det df/dz| of rows z, with its gradient."""
    return LogTarget(pulled_back(log_p, flow.bijector.forward_and_log_det), flow.dim)


def hmc(
    log_p: Callable, z: np.ndarray, n: int, *, warm_up: int, leapfrogs: int, step: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float, float]:  # fmt: skip
    """(draws (chains, n, D), the share of accepted proposals, the step size) of log_p.

    log_p(z) returns values (chains,) and gradients (chains, D). All chains share one step size. In
    warm-up it is adapted to their mean acceptance; then it is fixed, so that the chains are exact.
    Each trajectory varies this step by up to a fifth, to avoid periodic orbits.

        p <- p + step/2 grad log p(z)    z <- z + step p    p <- p + step/2 grad log p(z)
    """
    value, slope = log_p(z)
    log_step, smooth, kept, accepted = np.log(step), 0.0, np.empty((len(z), n, z.shape[1])), 0.0
    for i in range(warm_up + n):
        if i == warm_up and warm_up:
            log_step = smooth
        size = np.exp(log_step) * rng.uniform(0.8, 1.2)
        p = rng.standard_normal(z.shape)
        before = value - 0.5 * np.sum(p**2, axis=1)
        new, new_slope = z, slope
        with np.errstate(all="ignore"):  # a trajectory that diverges is refused below
            for _ in range(leapfrogs):
                p = p + 0.5 * size * new_slope
                new = new + size * p
                new_value, new_slope = log_p(new)
                p = p + 0.5 * size * new_slope
            log_ratio = new_value - 0.5 * np.sum(p**2, axis=1) - before
        ratio = np.exp(np.minimum(np.where(np.isfinite(log_ratio), log_ratio, -np.inf), 0))
        take = rng.random(len(z)) < ratio
        z = np.where(take[:, None], new, z)
        value = np.where(take, new_value, value)
        slope = np.where(take[:, None], new_slope, slope)
        if i < warm_up:  # Robbins-Monro, and an average that forgets the start
            log_step += GAIN * (ratio.mean() - ACCEPTED) / (i + 1) ** 0.6
            smooth += (log_step - smooth) / (i + 1) ** 0.75
        else:
            kept[:, i - warm_up] = z
            accepted += ratio.mean() / n
    return kept, float(accepted), float(np.exp(log_step))
