"""The modes of a target, found before training: ascents from many starts, and what they are worth.

Ascents cannot prove that no mode is left. So `Modes` has their number, and how many agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..core import log_sum_exp
from ..distributions import Mixture, MultivariateNormalMixture
from ..training.nearest_gaussian import best_gaussian
from ..training.unnormalised import LogTarget

SCALES = (1.0, 3.0, 10.0, 30.0)  # of starts, in deviations of the Gaussian closest to the target
AROUND = (0.5, 1.0, 2.0, 4.0)  # of later starts, in deviations of the modes found so far
STARTS, MOST_ASCENTS, MOST_ROWS = 200, 1000, 20_000  # of a round, and of all
MOST_EXTRA = 200  # starts of the caller
STEPS, PAIRS, SHORTEST = 200, 8, 12  # of an ascent: steps, pairs of L-BFGS, halvings of a step
FLAT, STILL = 1e-3, 1e-5  # a slope, and a gain in nats, that end an ascent
SAME, DIP = 0.01, 0.5  # between ends that are equal; nats of a dip between two modes
NEIGHBOURS, POINTS = 6, 7  # to which an end may be joined; points on the line to one of them
MOST_MODES = 150  # that are weighed
STEP, WIDEST = 1e-4, 10.0  # of a difference of slopes; the largest deviation of a mode
ROUNDS, DRAWS, SAFE = 4, 2000, 0.1  # of population Monte Carlo; the share that all modes share
LEAST_SHARE, LEAST_GUESS = 1e-3, 1e-4  # of a mode; before its Gaussian is found
ALIKE = 0.5  # nats between two Gaussians that are one


class Modes(NamedTuple):
    """The modes that were found, and by how many ascents.

    centres   (K, d): where log p~(y) is largest in each, in free coordinates y
    shares    (K,): of the mass of p, of sum 1
    counts    (K,): how many ascents ended in each
    ascents   the number of all ascents
    scales    the distances of their starts, in deviations of the Gaussian closest to the target
    """

    centres: np.ndarray
    shares: np.ndarray
    counts: np.ndarray
    ascents: int
    scales: tuple[float, ...]


class Gaussian(NamedTuple):
    """N(mean, factor factor^T), with a lower triangular factor."""

    mean: np.ndarray
    factor: np.ndarray

    def of(self, u: np.ndarray) -> np.ndarray:
        """The rows y = mean + factor u."""
        return self.mean + u @ self.factor.T

    def before(self, inner: Gaussian) -> Gaussian:
        """The Gaussian of y, if u is from `inner`."""
        return Gaussian(self.of(inner.mean), self.factor @ inner.factor)

    def target(self, target: LogTarget) -> LogTarget:
        """log p~ of u, without the log-determinant, which is a constant."""

        def log_p(u):
            value, slope = target.anywhere(self.of(u))
            return value, slope @ self.factor

        return LogTarget(log_p, len(self.mean))

    @property
    def density(self) -> MultivariateNormalMixture:
        return MultivariateNormalMixture(self.mean[None], self.factor[None])


def find_modes(
    target: LogTarget, near: Gaussian, extra: np.ndarray, rng: np.random.Generator
) -> tuple[list[Gaussian], Modes]:
    """A Gaussian for each mode of the target, and what the search has looked at.

    Ascents start around `near`, the Gaussian closest to the target, at 1, 3, 10 and 30 of its
    deviations, and at rows `extra`. While they find new modes, more start around and between these.
    Ends are one mode if they are joined by straight lines on which log p~ dips by at most 0.5 nats:
    so a ring is one mode. A mode counts by its importance weight, not by its height or its
    curvature: a hierarchy has ends of no mass. `near` stands for the mode where the ascent from its
    mean ends.
    """
    dim, of_u = target.dim, near.target(target)
    extra = np.linalg.solve(near.factor, (extra - near.mean).T).T[:MOST_EXTRA]
    starts = np.concatenate([_around(np.zeros((1, dim)), SCALES, rng), extra])
    starts[0], ends, values, rows = 0.0, np.empty((0, dim)), np.empty(0), 0
    while True:
        new, height, cost = ascend(of_u.anywhere, starts)
        ends, values = np.concatenate([ends, new]), np.concatenate([values, height])
        rows += cost
        mode_of = joined(of_u.anywhere, ends, values)
        home = mode_of[0]
        guesses = _guesses(of_u, ends, values, mode_of, home, rng)
        if len(ends) + STARTS > MOST_ASCENTS or rows > MOST_ROWS:
            break
        starts = _around(ends[[home, *guesses]], AROUND, rng)
    ends_of, found = _best(of_u, guesses, home, dim, rng)
    shares = shares_of(of_u, [one.density for one in found], rng)
    kept = np.flatnonzero(shares > LEAST_SHARE)
    centres = [ends[i] if i >= 0 else found[0].mean for i in ends_of]
    modes = Modes(
        near.of(np.array(centres)[kept]), shares[kept] / shares[kept].sum(),
        np.array([np.count_nonzero(mode_of == ends_of[k]) for k in kept]), len(ends), SCALES,
    )  # fmt: skip
    return [near.before(found[k]) for k in kept], modes


def _around(centres: np.ndarray, scales: tuple[float, ...], rng) -> np.ndarray:
    """Starts around and between modes, at some scales of their spread."""
    spread = centres.std(axis=0) + 1
    middle = centres[rng.integers(len(centres), size=(2, STARTS))].mean(axis=0)
    scale = np.resize(scales, STARTS)[:, None]
    return middle + scale * spread * rng.standard_normal((STARTS, len(spread)))


def ascend(log_p: Callable, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """(ends (n, d), log p there (n,), rows of log p) of ascents from rows u, by L-BFGS, all at once.

    log_p   u (m, d) -> values (m,) and slopes (m, d)

    An ascent ends where the slope, or the gain of a step, is almost 0; then it costs nothing. From
    a row where log p is not finite there is no ascent, and its value is -inf.
    """
    ends, (value, slope) = u.copy(), log_p(u)
    values = np.where(np.isfinite(value), value, -np.inf)
    rows, cost = np.flatnonzero(np.isfinite(value)), len(u)
    u, value, slope, past = u[rows], value[rows], slope[rows], []
    for _ in range(STEPS):
        if not len(rows):
            break
        way = _direction(slope, past)
        new, new_value, new_slope, n = _line_search(log_p, u, value, slope, way)
        cost += n
        past = [*past[1 - PAIRS :], (new - u, slope - new_slope)]
        more = (new_value - value > STILL) & (np.sum(new_slope**2, axis=1) > FLAT**2)
        ends[rows], values[rows] = new, new_value
        rows, u, value, slope = rows[more], new[more], new_value[more], new_slope[more]
        past = [(step[more], bend[more]) for step, bend in past]
    return ends, values, cost


def _direction(slope, past) -> np.ndarray:
    """The direction of L-BFGS, or up the slope: for every row (n, d), by its own past steps."""
    way, factors = slope.copy(), []
    for step, bend in reversed(past):
        product = np.sum(step * bend, axis=1)
        curved = product > 1e-12 * np.sum(bend**2, axis=1)
        rho = np.where(curved, 1 / np.where(curved, product, 1), 0)
        factors.append((rho, rho * np.sum(step * way, axis=1)))
        way -= factors[-1][1][:, None] * bend
    length = np.maximum(np.linalg.norm(slope, axis=1), 1)
    size = 1 / length
    if past:  # in a tail that log p leaves upwards bent, steps become longer
        step, bend = past[-1]
        rho, squares = factors[0][0], np.sum(bend**2, axis=1)
        longer = 2 * np.linalg.norm(step, axis=1) / np.linalg.norm(slope, axis=1)
        size = np.where(rho > 0, 1 / np.where(rho > 0, rho * squares, 1), longer)
    way *= size[:, None]
    for (step, bend), (rho, first) in zip(past, reversed(factors), strict=True):
        way += (first - rho * np.sum(bend * way, axis=1))[:, None] * step
    rises = np.sum(way * slope, axis=1) > 0
    return np.where(rises[:, None], way, slope / length[:, None])


def _line_search(log_p, u, value, slope, way):
    """The rows after a step that gains enough (Armijo), or unchanged, with values and slopes, and the cost."""
    cost, new, new_value, new_slope = 0, u.copy(), value.copy(), slope.copy()
    gain, left, size = np.sum(way * slope, axis=1), np.arange(len(u)), 1.0
    for _ in range(SHORTEST):
        tried = u[left] + size * way[left]
        at, slope_there = log_p(tried)
        cost += len(tried)
        good = np.isfinite(at) & (at >= value[left] + 1e-4 * size * gain[left])
        done = left[good]
        new[done], new_value[done], new_slope[done] = tried[good], at[good], slope_there[good]
        left, size = left[~good], size * 0.3
        if not len(left):
            break
    return new, new_value, new_slope, cost


def joined(log_p: Callable, ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mode (n,) of every end: the number of its highest end; -1 where there was no ascent.

    Ends are joined if log p dips by less than DIP on the line to one of the nearest other ends: so
    neighbours on a ring or a ridge are joined, one after the other.
    """
    same_as, left = np.full(len(ends), -1), np.argsort(-values, kind="stable")
    left = left[values[left] > -np.inf]
    while len(left):
        top = left[0]
        far = np.sum((ends[left] - ends[top]) ** 2, axis=1) > SAME**2
        far |= values[left] < values[top] - SAME
        same_as[left[~far]], left = top, left[far]
    index = np.unique(same_as[same_as >= 0])
    index = index[np.argsort(-values[index], kind="stable")]
    first, second = _neighbours(ends[index])
    t = np.linspace(0, 1, POINTS + 2)[1:-1, None, None]
    line = (1 - t) * ends[index[first]] + t * ends[index[second]]
    least = np.minimum(values[index[first]], values[index[second]]) - DIP
    height = log_p(line.reshape(-1, ends.shape[1]))[0].reshape(POINTS, -1)
    no_dip = (height > least).all(axis=0)
    first, second, mode = first[no_dip], second[no_dip], np.arange(len(index))
    while (mode[first] != mode[second]).any():
        least = np.minimum(mode[first], mode[second])
        np.minimum.at(mode, first, least)
        np.minimum.at(mode, second, least)
    of_end = np.full(len(ends), -1)
    of_end[index] = index[mode]
    return np.where(same_as >= 0, of_end[same_as], -1)


def _neighbours(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows: each with its nearest ones."""
    squares = np.sum(rows**2, axis=1)
    apart = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(apart, np.inf)
    n = min(NEIGHBOURS, len(rows) - 1)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :n]
    return np.repeat(np.arange(len(rows)), n), nearest.ravel()


def _guesses(target, ends, values, mode_of, home, rng) -> dict[int, Gaussian]:
    """{end: its Laplace approximation} of the modes that have mass, apart from that of `home`."""
    others = np.setdiff1d(mode_of, [-1, home])
    others = others[np.argsort(-values[others], kind="stable")][:MOST_MODES]
    found = {int(i): _laplace(target, ends[i]) for i in others}
    if not found:
        return found
    unit = Gaussian(np.zeros(target.dim), np.eye(target.dim))
    shares = shares_of(target, [one.density for one in (unit, *found.values())], rng)[1:]
    return {
        i: one for (i, one), share in zip(found.items(), shares, strict=True)
        if share > LEAST_GUESS
    }  # fmt: skip


def _laplace(target: LogTarget, end: np.ndarray) -> Gaussian:
    """The Gaussian of the curvature at an end; no deviation is above WIDEST, as on a ridge."""
    h = STEP * np.eye(len(end))
    slope = target.anywhere(np.concatenate([end - h, end + h]))[1]
    below, above = np.split(slope, 2)
    curvature, axes = np.linalg.eigh((below - above + (below - above).T) / (4 * STEP))
    root = axes / np.sqrt(np.maximum(curvature, WIDEST**-2))
    factor = np.linalg.qr(root.T, mode="r").T
    return Gaussian(end, factor * np.sign(np.diag(factor)))


def _best(target, guesses, home, dim, rng) -> tuple[list[int], list[Gaussian]]:
    """(ends, Gaussians): the unit one of `home`, and the closest to the target from each guess."""
    ends_of, found = [home], [Gaussian(np.zeros(dim), np.eye(dim))]
    for end, guess in guesses.items():
        try:
            inner = best_gaussian(guess.target(target), np.zeros(dim), np.ones(dim), rng)
            one = guess.before(Gaussian(*inner))
        except ValueError:  # it widens without end: what its curvature says is all there is
            one = guess
        if all(_divergence(one, other) > ALIKE for other in found):
            ends_of.append(end)
            found.append(one)
    return ends_of, found


def _divergence(p: Gaussian, q: Gaussian) -> float:
    """KL(p || q) of two Gaussians, in nats."""
    factor = np.linalg.solve(q.factor, p.factor)
    far = np.linalg.solve(q.factor, p.mean - q.mean)
    return 0.5 * (np.sum(factor**2) + far @ far - len(far)) - np.log(np.diag(factor)).sum()


def shares_of(target: LogTarget, densities: list, rng: np.random.Generator) -> np.ndarray:
    """The weights (K,) of the mixture of some densities that is closest to p.

    Population Monte Carlo (Cappe et al., "Adaptive importance sampling in general mixture classes",
    2008): in each round, 2,000 draws of the mixture, with a tenth of them in equal shares, are
    weighted by p~ over the density of the mixture. The new weights maximise the weighted
    log-likelihood.
    """
    k = len(densities)
    shares = np.full(k, 1 / k)
    for _ in range(ROUNDS if k > 1 else 0):
        mixture = Mixture(densities, (1 - SAFE) * shares + SAFE / k)
        rows = mixture.sample(DRAWS, rng)
        log_parts = np.stack([one.log_prob(rows) for one in densities])
        log_p = target.anywhere(rows)[0]
        log_w = np.where(np.isfinite(log_p), log_p, -np.inf)
        log_w -= log_sum_exp(np.log(mixture.weights)[:, None] + log_parts)[0]
        if not np.isfinite(log_w.max()):
            continue
        weights = log_sum_exp(log_w[:, None])[1][:, 0]
        for _ in range(50):
            of_part = log_sum_exp(np.log(shares)[:, None] + log_parts)[1]
            shares = np.maximum(of_part @ weights, 1e-9)
    return shares / shares.sum()
