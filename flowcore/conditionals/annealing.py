"""Where plain weights fail: draws that move in small steps from the proposal to the density.

The densities q^(1 - t) p^t lead from q to p. Every step of t is the longest that keeps half of the
effective draws and a k-hat of at most 1/2. Then the draws are resampled, and moved in turn to new
draws of q, and by a longer and a shorter step of a random walk with their covariance (Metropolis),
at least twice each, and until 95% of the draws differ. The product of the mean weights of all steps
is p(x_a).

Del Moral, Doucet and Jasra, "Sequential Monte Carlo samplers", 2006; Neal, "Annealed importance
sampling", 2001.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pareto import pareto_smoothed
from .weights import Weighted, error_of, normalized, systematic

STEPS = 20  # of t, at most; the last one goes to the end
LEAST_MOVES, MOST_MOVES = 6, 24  # after each step
GOOD_K, MOST_K = 0.5, 5.0  # of a step, and of what is left: k-hat is in proportion to the step
MOVES = None, 2.38, 1.7  # draws of q; walks, times the spread / sqrt(d)
DIFFERENT = 0.95  # of the draws of an answer
TINY = 1e-9  # of a variance: what keeps a Cholesky factor apart from zero


def annealed(target: Any, rng: np.random.Generator) -> Weighted:
    """Draws of q(x_b | x_a), moved to p(x_b | x_a), for one row; for target see `answering`.

    The k-hat of the result belongs to the last step of t. The effective sample size is S^2 / sum
    d^2, with d the number of descendants of a first draw among the last ones; the error of log
    p(x_a) follows from it. Cost: 6 to 24 evaluations of both densities for each draw and step.
    """
    x, log_q = target.sample([rng])
    log_p, hole, n = target.log_prob(x), target.moving, log_q.shape[1]
    log_known = (target.log_proposal(x) - log_q)[:, :1]
    moves = MOVES if hole.any() else MOVES[:1]  # codes have no walks
    first = np.arange(n)[None]  # which of the first draws each comes from
    t, log_z, k_hat = np.zeros(1), np.zeros(1), np.full(1, -np.inf)
    for step in range(STEPS):
        left, log_ratio = 1 - t, log_p - log_q
        k = np.clip(pareto_smoothed(powered(log_ratio, left))[1], GOOD_K, MOST_K)
        rise = left if step == STEPS - 1 else longest(log_ratio, left * GOOD_K / k)
        log_weight = powered(log_ratio, rise)
        (mean, share, _), k_hat = normalized(log_weight), pareto_smoothed(log_weight)[1]
        log_z, t = log_z + mean, np.where(rise >= left, 1.0, t + rise)
        if np.isneginf(log_z):  # no draw has any mass
            break
        index = systematic(share, n, rng)[0]
        x, log_p, log_q, first = (a[:, index] for a in (x, log_p, log_q, first))
        for move in range(MOST_MOVES):
            size = moves[move % len(moves)]
            if move >= LEAST_MOVES and len(np.unique(log_p)) >= DIFFERENT * n:
                break
            if size is None:
                new, new_q = target.sample([rng])
            else:
                new = walked(x, hole, size, rng)
                new_q = target.log_proposal(new) - log_known
            new_p = target.log_prob(new)
            with np.errstate(invalid="ignore"):  # a row without any mass
                odds = t * (new_p - log_p) + (1 - t) * (new_q - log_q)
                odds = odds - (new_q - log_q if size is None else 0)
            yes = -rng.exponential(size=(1, n)) < odds
            x = np.where(yes[..., None], new, x)
            log_p, log_q = np.where(yes, new_p, log_p), np.where(yes, new_q, log_q)
        if t == 1:
            break
    ess = np.where(np.isneginf(log_z), 0.0, n**2 / (np.bincount(first[0]) ** 2).sum())
    k_hat = np.where(np.isneginf(log_z), np.inf, k_hat)
    return Weighted(
        x, np.full((1, n), 1 / n), log_z, error_of(ess, n), ess, k_hat, np.ones(1, bool)
    )


def longest(log_ratio: np.ndarray, most: np.ndarray) -> np.ndarray:
    """The longest step, at most `most`, that keeps half of the draws with a weight."""
    goal, power, width = max(np.isfinite(log_ratio).sum(), 1) / 2, most, most
    for _ in range(30):  # bisection, from the longest
        enough = normalized(powered(log_ratio, power))[2] >= goal
        width = width / 2
        power = np.minimum(power + width, most) if enough else power - width
    return power


def powered(log_ratio: np.ndarray, power: np.ndarray) -> np.ndarray:
    """power times log_ratio; 0 times -inf is 0."""
    return np.where(power > 0, power * log_ratio, 0)


def walked(x, hole, size, rng) -> np.ndarray:
    """x (1, S, D) with a random step in the columns x_b, of the covariance of the draws."""
    b, new = x[0][:, hole], x.copy()
    covariance = np.atleast_2d(np.cov(b.T, bias=True))
    floor = np.diag(TINY * np.diag(covariance) + 1e-300)
    steps = rng.standard_normal(b.shape) @ np.linalg.cholesky(covariance + floor).T
    new[0][:, hole] = b + size / np.sqrt(b.shape[1]) * steps
    return new
