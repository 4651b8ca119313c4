"""Where plain weights fail: draws that move in small steps from the proposal to the density.

The densities q^(1 - t) p^t lead from q to p. Every step of t is the longest that keeps half of the
effective draws and a k-hat of at most 1/2. Then the draws are resampled, and moved twice for every
four columns (random walk Metropolis, with steps that have the covariance of the draws). The product
of the mean weights of all steps is p(x_a).

Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers", 2006; Neal, "Annealed importance
sampling", 2001.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pareto import pareto_smoothed
from .weights import Weighted, error_of, normalized, systematic

STEPS = 20  # of t, at most; the last one goes to the end
GOOD_K, MOST_K = 0.5, 5.0  # of a step, and of what is left: k-hat is in proportion to the step
MOVES = 2.38, 0.6  # times the spread / sqrt(d), one after the other
TINY = 1e-9  # of a variance: what keeps a Cholesky factor apart from zero


def annealed(
    target: Any, x: np.ndarray, log_p: np.ndarray, log_q: np.ndarray, rng: np.random.Generator
) -> Weighted:
    """Draws x (m, S, D) of q(x_b | x_a), moved to p(x_b | x_a); for target see `answering`.

    log_p = log p(x) and log_q = log q(x_b | x_a), both (m, S).
    The k-hat of the result belongs to the last step. The effective sample size is that of the first
    draws, each weighted by its number d of descendants among the last ones: S^2 / sum d^2. The
    error of log p(x_a) follows from it, as if there were no moves. Cost: two evaluations of both
    densities per draw and step for every four columns of x_b.
    """
    hole, log_known = target.moving, (target.log_proposal(x) - log_q)[:, :1]
    floor = TINY * x[..., hole].var(axis=1) + 1e-300
    m, n = log_q.shape
    first = np.repeat(np.arange(n)[None], m, axis=0)  # which of the first draws each comes from
    t, log_z, k_hat = np.zeros(m), np.zeros(m), np.full(m, -np.inf)
    for step in range(STEPS):
        left, log_ratio = 1 - t, log_p - log_q
        k = np.clip(pareto_smoothed(powered(log_ratio, left))[1], GOOD_K, MOST_K)
        rise = left if step == STEPS - 1 else longest(log_ratio, left * GOOD_K / k)
        log_weight = powered(log_ratio, rise)
        mean, share, _ = normalized(log_weight)
        log_z, k_hat = log_z + mean, np.where(rise > 0, pareto_smoothed(log_weight)[1], k_hat)
        t = np.where(rise >= left, 1.0, t + rise)
        index = systematic(share, n, rng)
        x = np.take_along_axis(x, index[..., None], axis=1)
        log_p, log_q, first = (np.take_along_axis(a, index, axis=1) for a in (log_p, log_q, first))
        for size in MOVES * -(-hole.sum() // 4):
            new = walked(x, hole, size, floor, rng)
            new_p, new_q = target.log_prob(new), target.log_proposal(new)
            with np.errstate(invalid="ignore"):  # rows without any mass
                new_q = new_q - log_known
                odds = (1 - t)[:, None] * (new_q - log_q) + t[:, None] * (new_p - log_p)
            yes = -rng.exponential(size=(m, n)) < odds
            x = np.where(yes[..., None], new, x)
            log_p, log_q = np.where(yes, new_p, log_p), np.where(yes, new_q, log_q)
        if (t == 1).all():
            break
    nowhere = np.isneginf(log_z)
    descend = np.stack([np.bincount(ancestors, minlength=n) for ancestors in first])
    ess = np.where(nowhere, 0.0, n**2 / (descend**2).sum(axis=1))
    k_hat = np.where(nowhere, np.inf, k_hat)
    share = np.full((m, n), 1 / n)
    return Weighted(x, share, log_z, error_of(ess, n), ess, k_hat, np.ones(m, bool))


def longest(log_ratio: np.ndarray, most: np.ndarray) -> np.ndarray:
    """The longest steps (m,), at most `most`, that keep half of the draws with a weight."""
    goal = np.maximum(np.isfinite(log_ratio).sum(axis=1), 1) / 2
    power, width = most, most
    for _ in range(30):  # bisection, from the longest
        enough = normalized(powered(log_ratio, power))[2] >= goal
        width = width / 2
        power = np.where(enough, np.minimum(power + width, most), power - width)
    return power


def powered(log_ratio: np.ndarray, power: np.ndarray) -> np.ndarray:
    """power (m,) times log_ratio (m, S); 0 times -inf is 0."""
    return np.where(power[:, None] > 0, power[:, None] * log_ratio, 0)


def walked(x, hole, size, floor, rng) -> np.ndarray:
    """x (m, S, D) with a random step in the columns x_b, of the covariance of the draws."""
    b = x[..., hole]
    apart = b - b.mean(axis=1, keepdims=True)
    covariance = apart.transpose(0, 2, 1) @ apart / b.shape[1]
    d = b.shape[2]
    factor = np.linalg.cholesky(covariance + floor[:, :, None] * np.eye(d))
    new = x.copy()
    new[..., hole] = b + size / np.sqrt(d) * rng.standard_normal(b.shape) @ factor.transpose(
        0, 2, 1
    )
    return new
