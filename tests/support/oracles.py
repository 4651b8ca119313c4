"""What oracles share: points to sum over, and when two numbers or two distributions agree."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import gammaln

NODES = {1: 2000, 2: 200}  # of an axis; from three dimensions on, importance sampling
N_POINTS, N_DRAWS, KERNELS = 3000, 2000, 200


class Points(NamedTuple):
    """sum_i weight_i f(x_i) is the integral of f: a quadrature, or importance sampling.

    size: the number of points that count for an error; infinite for a quadrature.
    """

    x: np.ndarray
    weight: np.ndarray
    size: float

    def integral(self, values):
        """(the integral of the values at the points, its standard error)."""
        each = self.weight * values
        error = 0.0 if np.isinf(self.size) else np.sqrt(self.size) * each.std()
        return each.sum(), error


def axis(draws, n, kind):
    """Points (n,) of a coordinate and their weights: a turn, an interval, or the whole line."""
    if kind is not None:
        low, high = (-np.pi, np.pi) if kind == "turn" else kind
        return low + (high - low) * (np.arange(n) + 0.5) / n, np.full(n, (high - low) / n)
    low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9])
    scale = (high - low) / 4
    far = np.abs(draws - middle).max() / scale
    end = np.arcsinh(far * (1e5 if far > 50 else 2))  # few draws of a heavy tail are at its end
    t = np.linspace(-end, end, n)
    return middle + scale * np.sinh(t), scale * np.cosh(t) * (t[1] - t[0])


def quadrature(draws, kinds, n):
    """The product of one axis a coordinate."""
    axes = [axis(column, n, kind) for column, kind in zip(draws.T, kinds, strict=True)]
    x, weight = (np.meshgrid(*each, indexing="ij") for each in zip(*axes, strict=True))
    return Points(
        np.stack([a.ravel() for a in x], axis=1), np.prod([a.ravel() for a in weight], axis=0),
        np.inf,
    )  # fmt: skip


def importance(draws, kinds, n, rng=0):
    """Draws of t(3) kernels around some of the draws; uniform ones on a turn or an interval."""
    rng, free = np.random.default_rng(rng), np.array([kind is None for kind in kinds])
    x, log_q = np.empty((n, len(kinds))), np.zeros(n)
    for j in np.flatnonzero(~free):
        low, high = (-np.pi, np.pi) if kinds[j] == "turn" else kinds[j]
        x[:, j], log_q = rng.uniform(low, high, n), log_q - np.log(high - low)
    if d := np.count_nonzero(free):
        centres = draws[:KERNELS, free]
        low, high = np.quantile(centres, [0.1, 0.9], axis=0)
        near = np.clip(centres, 2 * low - high, 2 * high - low)
        root = np.linalg.cholesky(np.atleast_2d(np.cov(near.T)) * KERNELS ** (-2 / (d + 4)))
        t = rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(3, n) / 3)[:, None]
        x[:, free] = centres[rng.integers(KERNELS, size=n)] + t @ root.T
        u, c = (np.linalg.solve(root, a.T).T for a in (x[:, free], centres))
        apart = ((u[:, None] - c) ** 2).sum(axis=2)
        constant = gammaln((3 + d) / 2) - gammaln(1.5) - d / 2 * np.log(3 * np.pi)
        log_k = constant - (3 + d) / 2 * np.log1p(apart / 3) - np.log(np.diag(root)).sum()
        log_q += np.logaddexp.reduce(log_k, axis=1) - np.log(KERNELS)
    return Points(x, np.exp(-log_q) / n, n)


def agree(found, expected, error=0.0, tol=5e-3, sigmas=4.5):
    """Equal up to a tolerance and standard errors."""
    miss, slack = np.abs(np.asarray(found) - expected), tol + sigmas * np.asarray(error)
    assert (miss <= slack).all(), f"{found} for {expected}: off by {miss}, allowed {slack}"


def follow(draws, points, p, tol=0.015):
    """The draws have the distribution of the weighted points, seen from a few directions."""
    rng, weight = np.random.default_rng(1), points.weight * p / np.sum(points.weight * p)
    low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9], axis=0)
    scale = np.where(high > low, high - low, 1)
    a, b = (2 * np.arctan((x - middle) / scale) for x in (draws, points.x))
    ess = np.inf if np.isinf(points.size) else 1 / np.sum(weight**2)
    d = draws.shape[1]
    for direction in [*np.eye(d), *rng.normal(size=(3 * (d > 1), d))]:
        seen, at = np.sort((a @ direction).round(9)), (b @ direction).round(9)
        level = np.quantile(seen, np.linspace(0.02, 0.98, 49), method="lower")
        at, which = np.unique(at, return_inverse=True)
        mass = np.bincount(which, weight)
        cdf = np.interp(level, at, np.cumsum(mass) - mass / 2)  # ties count half
        ends = [np.searchsorted(seen, level, side) for side in ("left", "right")]
        gap = np.abs(np.mean(ends, axis=0) / len(seen) - cdf).max()
        allowed = 2.3 * np.sqrt(1 / len(seen) + 1 / ess) + tol
        assert gap < allowed, f"distributions differ by {gap}, allowed {allowed}"


def cases(names, slow=()):
    """Parameters of a test."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] * (name in slow), id=name) for name in names
    ]


REPEATS, LEAST = 40, 34  # 38 are expected; fewer than 34 have the probability .003


def bars_cover(once):
    """Of 40 small repeats, (value, error, truth) = once(seed), two standard errors cover most."""
    found, error, truth = np.array([once(seed) for seed in range(REPEATS)]).T
    covered = np.sum(np.abs(found - truth) < 1.96 * error)
    z = (found - truth) / error
    assert covered >= LEAST, f"{covered} of {REPEATS}: rms z {np.std(z):.2f}"
