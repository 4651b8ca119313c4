"""The modes of a target, found before training: ascents from many starts, and what they are worth.

Ascents cannot prove that no mode is left. So `Modes` has their number, and how many agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..core import log_sum_exp
from ..distributions import Mixture
from ..files import Record
from ..mixtures import MultivariateNormalMixture
from .nearest_gaussian import best_gaussian
from .unnormalised import LogTarget

SCALES = (1.0, 3.0, 10.0, 30.0)  # of starts, in deviations of the Gaussian closest to the target
AROUND = (0.5, 1.0, 2.0, 4.0)  # of later starts, in deviations of the modes found so far
FIRST, ROUND, ABOVE = 200, 400, 200  # ascents of a round; of the next ones, and where p is high
QUIET, MOST_ASCENTS = 2, 2200  # rounds without a new mode that end the search; of all ascents
MOST_ROWS = 20_000  # a mode, after which there is no other round
# draws of Gaussians, and how far they are stretched
LOOKED, STRETCHES = 40_000, (1.0, 1.5, 2.0, 3.0, 4.0)
MOST_EXTRA = 200  # starts of the caller
STEPS, PAIRS, SHORTEST = 200, 8, 12  # of an ascent: steps, pairs of L-BFGS, halvings of a step
FLAT, STILL = 1e-3, 1e-5  # a slope, and a gain in nats, that end an ascent
SAME, DIP = 0.01, 0.5  # between ends that are equal; nats of a dip between two modes
POINTS = 7  # on the line between two ends
MOST_MODES, MOST_FLOWS = 60, 24  # that are weighed; that have flows of their own
STEP = 1e-4  # of a difference of slopes
STEEPEST = 1e100  # slope of an end
RIDGE, WIDEST = 10.0, 1e4  # the deviation where there is no curvature; the largest of a mode
ROUNDS, DRAWS, SAFE = 4, 2000, 0.1  # of population Monte Carlo; the share that all modes share
LEAST_SHARE, LEAST_GUESS = 1e-3, 1e-4  # of a mode; before its Gaussian is found
ALIKE = 0.5  # nats between two Gaussians that are one
# draws of a Gaussian at the top of a peak, and as many of q; nats of the top above all draws
PEAK, TOWERS = 2000, 3.0


@dataclass(frozen=True, eq=False)
class Modes(Record):
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
    deviations, and at rows `extra`; then around and between the modes that were found. Ends are one
    mode if they are joined by lines on which log p~ dips by at most 0.5 nats, perhaps through other
    ends: so a ring is one mode. A mode counts by its importance weight. If there is one mode, or if
    there are more than 24, `near` alone stands for all.

    Cost: 1,000 ascents, and up to 2,200 while they find new modes, within a limit of rows.
    """
    of_u, log_p = near.target(target), lambda u: target.values(near.of(u))
    extra = np.linalg.solve(near.factor, (extra - near.mean).T).T[:MOST_EXTRA]
    ends, values, mode_of, guesses = _searched(of_u, log_p, extra, rng)
    home, many = int(mode_of[0]), len(guesses) > MOST_FLOWS
    if guesses and home >= 0:  # `near` may cover several modes
        guesses = {home: _laplace(of_u, ends[home])} | guesses
    best = [*guesses.items()] if many else _best(of_u, guesses, rng)
    found = best or [(home, _unit(target.dim))]
    shares = shares_of(log_p, [one.density for _, one in found], rng)
    kept = np.flatnonzero(shares > LEAST_SHARE)
    found, shares = [found[k] for k in kept], shares[kept] / shares[kept].sum()
    if {end for end, _ in found} <= {home}:
        found, shares = [(home, _unit(target.dim))], np.ones(1)
    modes = Modes(
        near.of(np.array([ends[end] if end >= 0 else one.mean for end, one in found])), shares,
        np.array([np.count_nonzero(mode_of[values > -np.inf] == end) for end, _ in found]),
        len(ends), SCALES,
    )  # fmt: skip
    return [near] if many else [near.before(one) for _, one in found], modes


def _searched(of_u: LogTarget, log_p: Callable, extra: np.ndarray, rng):
    """(ends (n, d), values (n,), the mode of each end, {end: Gaussian} of all modes but the first).

    of_u    the target, with its gradient; log_p   its values alone, which cost less
    """
    middle = np.zeros((1, of_u.dim))
    starts = np.concatenate([middle, extra, _around(middle, SCALES, FIRST - 1, rng)])
    ends, values, rows, guesses, quiet = middle[:0], middle[:0, 0], 0, {}, 0
    while True:
        new, height, cost = ascend(of_u.anywhere, starts)
        ends, values = np.concatenate([ends, new]), np.concatenate([values, height])
        n_modes, rows = len(guesses), rows + cost
        mode_of = joined(log_p, ends, values)
        guesses = _guesses(of_u, log_p, ends, values, mode_of, rng)
        quiet = 0 if len(guesses) > n_modes else quiet + 1
        much = rows > MOST_ROWS * (1 + len(guesses)) or len(ends) + ROUND > MOST_ASCENTS
        if much or quiet > QUIET or len(guesses) > MOST_FLOWS:
            return ends, values, mode_of, guesses
        gaussians = [_unit(of_u.dim), *guesses.values()]
        centres = np.array([one.mean for one in gaussians])
        above = _above(log_p, gaussians, rng)
        starts = np.concatenate([above, _around(centres, AROUND, ROUND - ABOVE, rng)])


def _around(centres: np.ndarray, scales: tuple[float, ...], n: int, rng) -> np.ndarray:
    """n starts around and between modes, at some scales of their spread."""
    spread = centres.std(axis=0) + 1
    middle = centres[rng.integers(len(centres), size=(2, n))].mean(axis=0)
    return middle + np.resize(scales, n)[:, None] * spread * rng.standard_normal(middle.shape)


def _above(log_p: Callable, gaussians: list[Gaussian], rng) -> np.ndarray:
    """The starts (ABOVE, d) where p is farthest above the mixture of the Gaussians found so far.

    A narrow mode beside a wide one shows where draws of the wide one have a density that it cannot
    explain.
    """
    n = LOOKED // len(gaussians) // len(STRETCHES) + 1
    draws = [one.of(s * rng.standard_normal((n, len(one.mean))))
             for one in gaussians for s in STRETCHES]  # fmt: skip
    rows = np.concatenate(draws)
    above = log_p(rows) - Mixture([one.density for one in gaussians]).log_prob(rows)
    return rows[np.argsort(-above, kind="stable")[:ABOVE]]


@np.errstate(all="ignore")  # slopes may be huge, and their squares infinite
def ascend(log_p: Callable, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """(ends (n, d), log p there (n,), rows of log p) of ascents from rows u, all at once.

    log_p   u (m, d) -> values (m,) and slopes (m, d)

    L-BFGS (Nocedal and Wright, "Numerical optimization", 2006, algorithm 7.4), with steps that are
    shortened until they gain enough.

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
    """(rows after a step that gains enough, or unchanged; values; slopes; rows of log p)."""
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

    Two groups of ends are joined if a line between them dips by less than DIP below the lower of
    their highest ends: so neighbours on a ring or a ridge are joined, one after the other.
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
    mode = _connected(log_p, ends[index], values[index])
    of_end = np.full(len(ends), -1)
    of_end[index] = index[mode]
    return np.where(same_as >= 0, of_end[same_as], -1)


def _connected(log_p: Callable, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,): the number of the first row to which each row is joined, perhaps through others.

    Rows are sorted by their values, so the number of a group is that of its highest row. Every row
    is tried with its nearest row of another group, until no line joins two groups.
    """
    squares, mode = np.sum(rows**2, axis=1), np.arange(len(rows))
    apart = squares[:, None] + squares - 2 * rows @ rows.T
    t = np.linspace(0, 1, POINTS + 2)[1:-1, None, None]
    while mode.any():  # there is more than one group
        nearest = np.argmin(np.where(mode[:, None] == mode, np.inf, apart), axis=1)
        lines = (1 - t) * rows + t * rows[nearest]
        height = log_p(lines.reshape(-1, rows.shape[1])).reshape(POINTS, -1)
        least = np.minimum(height.min(axis=0), np.minimum(values, values[nearest]))
        before = mode.copy()
        for i in np.flatnonzero(np.isfinite(least)):
            top, other = sorted((mode[i], mode[nearest[i]]))
            if least[i] > values[other] - DIP:  # not of an end that has stopped on a saddle
                mode[mode == other] = top
        if (mode == before).all():
            break
    return mode


def _guesses(target, log_p, ends, values, mode_of, rng) -> dict[int, Gaussian]:
    """{end: its Laplace approximation} of the modes that have mass, apart from the first end's."""
    others = np.setdiff1d(mode_of, [-1, mode_of[0]])
    others = others[np.argsort(-values[others], kind="stable")][:MOST_MODES]
    if not len(others):
        return {}
    slopes = target.anywhere(ends[others])[1]
    flat = (np.abs(slopes) < STEEPEST).all(axis=1)  # steeper ones overflow, and are no modes
    found = {int(end): _laplace(target, ends[end]) for end in others[flat]}
    slopes = zip(found.items(), slopes[flat], strict=True)
    # a Newton step from an end that has stopped on its way, as on a bent ridge, gains much
    found = {end: one for (end, one), slope in slopes if np.sum((slope @ one.factor) ** 2) < DIP}
    gaussians = [_unit(target.dim), *found.values()]
    shares = shares_of(log_p, [one.density for one in gaussians], rng)[1:]
    pairs = zip(found.items(), shares, strict=True)
    return {end: one for (end, one), share in pairs if share > LEAST_GUESS}


def _unit(dim: int) -> Gaussian:
    return Gaussian(np.zeros(dim), np.eye(dim))


def _laplace(target: LogTarget, end: np.ndarray) -> Gaussian:
    """The Gaussian of the curvature at an end; where there is none, as on a ridge, it is wide."""
    h = STEP * np.eye(len(end))
    slope = target.anywhere(np.concatenate([end - h, end + h]))[1]
    below, above = np.split(slope, 2)
    curvature, axes = np.linalg.eigh((below - above + (below - above).T) / (4 * STEP))
    root = axes / np.sqrt(np.where(curvature > WIDEST**-2, curvature, RIDGE**-2))
    factor = np.linalg.qr(root.T, mode="r").T
    return Gaussian(end, factor * np.sign(np.diag(factor)))


def _best(target, guesses: dict[int, Gaussian], rng) -> list[tuple[int, Gaussian]]:
    """(end, Gaussian): the closest to the target from each guess, apart from those that are one."""
    found, start = [], _unit(target.dim)
    for end, guess in guesses.items():
        try:
            inner = best_gaussian(guess.target(target), start.mean, np.diag(start.factor), rng)
            ways = [guess.before(Gaussian(*inner)), guess]  # the closest may have left its mode
        except ValueError:  # it widens without end, unlike its curvature
            ways = [guess]
        new = [one for one in ways if all(_divergence(one, other) > ALIKE for _, other in found)]
        found += [(end, one) for one in new[:1]]
    return found


def _divergence(p: Gaussian, q: Gaussian) -> float:
    """KL(p || q) of two Gaussians, in nats."""
    factor = np.linalg.solve(q.factor, p.factor)
    far = np.linalg.solve(q.factor, p.mean - q.mean)
    return 0.5 * (np.sum(factor**2) + far @ far - len(far)) - np.log(np.diag(factor)).sum()


def shares_of(log_p: Callable, densities: list, rng: np.random.Generator) -> np.ndarray:
    """The weights (K,) of the mixture of some densities that is closest to p.

    Population Monte Carlo (Cappe et al., "Adaptive importance sampling in general mixture classes",
    2008): in each round, 2,000 draws of the mixture, with a tenth of them in equal shares, are
    weighted by p~ over the density of the mixture. The new weights maximise the weighted
    log-likelihood. Each density has a fixed number of the draws (Owen and Zhou, "Safe and effective
    importance sampling", 2000).
    """
    k = len(densities)
    shares = np.full(k, 1 / k)
    for _ in range(ROUNDS if k > 1 else 0):
        counts = np.ceil(DRAWS * ((1 - SAFE) * shares + SAFE / k)).astype(int)
        rows = np.concatenate([p.sample(n, rng) for p, n in zip(densities, counts, strict=True)])
        log_parts = np.stack([one.log_prob(rows) for one in densities])
        log_w = log_p(rows) - log_sum_exp(np.log(counts)[:, None] + log_parts)[0]
        if not np.isfinite(log_w.max()):
            continue
        weights = log_sum_exp(log_w[:, None])[1][:, 0]
        for _ in range(50):
            of_part = log_sum_exp(np.log(shares)[:, None] + log_parts)[1]
            shares = np.maximum(of_part @ weights, 1e-9)
    return shares / shares.sum()


def peak_at(target: LogTarget, near: Gaussian, centre: np.ndarray) -> Gaussian:
    """The Gaussian of the curvature at a centre (d,), by differences in coordinates of `near`."""
    place = np.linalg.solve(near.factor, centre - near.mean)
    return near.before(_laplace(near.target(target), place))


def missed_share(log_p: Callable, flow, peak: Gaussian, rng: np.random.Generator) -> float:
    """The share of p that a flow q misses, as draws of q and of a Gaussian at a peak show it.

        1 - E_p[min(1, Z q / p~)]        by y ~ m = (q + N) / 2 with the weights p~ / m

    It is 0 where q = p, however well N describes p, and 1/2 if half of p is in a peak where q has
    no draws. `missing_mass` asks the same of moved draws.
    """
    rows = np.concatenate([flow.sample(PEAK, rng), peak.density.sample(PEAK, rng)])
    log_q = flow.log_prob(rows)
    log_m = np.logaddexp(log_q, peak.density.log_prob(rows)) - np.log(2)
    log_target = log_p(rows)
    log_z, weight = log_sum_exp((log_target - log_m)[:, None])
    share_of_q = np.exp(np.minimum(0, log_z[0] - np.log(len(rows)) + log_q - log_target))
    return float(np.sum(weight[:, 0] * (1 - share_of_q), where=weight[:, 0] > 0))
