"""Targets that were made to break the search for modes: each with exact draws and log Z."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import logsumexp
from scipy import stats
from scipy.special import gammaln

from .exact import LOG_2_PI
from .several import FIRST_SEED, Truth, by_grid, factor, pieces, placed, scattered, switching


def pair(dim: int, apart: float, shares=(0.5, 0.5), scales=(1.0, 1.0)) -> Truth:
    """Two round Gaussians whose centres are `apart` from each other along the diagonal."""
    centres = np.outer([0, apart], np.ones(dim) / np.sqrt(dim))
    return pieces(shares, centres, [scale * np.eye(dim) for scale in scales])


def spike(share: float, log_volume: float, apart: float, dim: int = 4) -> Truth:
    """A unit Gaussian, and one of `share` and a volume that is e^log_volume less."""
    truth = pair(dim, apart, (1 - share, share), (1.0, np.exp(-log_volume / dim)))
    return truth if share > 1e-3 else truth._replace(shares=(1.0,), who=None)


def bridge(share: float = 0.02) -> Truth:
    """Two Gaussians 12 sds apart, and a thin one of all its length between them, D = 3."""
    thin = np.diag([3.0, 0.05, 0.05])
    centres = [[-6, 0, 0], [6, 0, 0], [0, 0, 0]]
    truth = pieces([0.49, 0.49, share], centres, [np.eye(3), np.eye(3), thin])
    return truth._replace(shares=(0.5, 0.5), who=lambda x: (x[:, 0] > 0).astype(int))


def egg_box(side: int = 5, apart: float = 6.0) -> Truth:
    """side^2 equal Gaussians on a square grid."""
    line = apart * (np.arange(side) - 0.3 * side)
    centres = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    return pieces(np.full(side**2, side**-2.0), centres, [np.eye(2)] * side**2)


def corner() -> Truth:
    """On (0, 1)^2: a mode inside, and one that is cut by the corner, its centre outside."""
    own = pieces([0.4, 0.6], [[0.25, 0.3], [1.02, 1.02]], [0.06 * np.eye(2), 0.05 * np.eye(2)])
    return by_grid(
        own.log_p, (0, 0), (1, 1), who=lambda x: (x.sum(axis=1) > 1.2).astype(int),
        support=[(0.0, 1.0)] * 2,
    )  # fmt: skip


def plateaus(dim: int = 2, power: int = 8) -> Truth:
    """Two flat-topped cubes: exp(-sum z^8), the shares .3 and .7, centres 8 half widths apart."""
    log_z = dim * (np.log(2) + gammaln(1 + 1 / power))
    centres, shares = np.outer([0.0, 8.0], np.ones(dim)), np.array([0.3, 0.7])

    def log_p(x):
        each = [np.log(s) - anp.sum((x - c) ** power, axis=1)
                for s, c in zip(shares, centres, strict=True)]  # fmt: skip
        return anp.logaddexp(*each) - log_z

    def sample(n, rng):
        z = rng.gamma(1 / power, size=(n, dim)) ** (1 / power) * rng.choice([-1, 1], (n, dim))
        return centres[rng.choice(2, n, p=shares)] + z

    def who(x):
        return (x.sum(axis=1) > 4 * dim).astype(int)

    return Truth(log_p, sample, 0.0, dim, shares, who)


def raw_units() -> Truth:
    """Two Gaussians of correlation .9 in units from 1e9 to 1e-12, 8 sds apart, D = 4."""
    units = np.array([1e9, 30.0, 1e-4, 1e-12])
    inner = np.linalg.cholesky(0.9 + 0.1 * np.eye(4)) * units[:, None]
    way = 8 * np.linalg.norm(np.linalg.cholesky(0.9 + 0.1 * np.eye(4)), axis=1) * units
    return pieces([0.3, 0.7], [3 * units, 3 * units + way * [1, -1, 1, -1] / 2], [inner, inner])


def ridges() -> Truth:
    """Two parallel ridges of condition 10^6, 8 of their narrow sds apart, D = 3."""
    long = np.diag([1000.0, 1.0, 1.0])
    turn, _ = np.linalg.qr(np.random.default_rng(FIRST_SEED).standard_normal((3, 3)))
    centres = [[0, 0, 0], [0, 8, 0]] @ turn.T
    return pieces([0.5, 0.5], centres, [turn @ long, turn @ long])


def shells(radius: float = 2.0, width: float = 0.1) -> Truth:
    """Two rings, their centres 3.5 radii apart."""
    centres = np.array([[-1.75 * radius, 0], [1.75 * radius, 0]])
    around = stats.truncnorm(-radius / width, np.inf, radius, width)
    r = np.linspace(0, radius + 12 * width, 20_001)[1:]
    per_area = np.exp(-0.5 * ((r - radius) / width) ** 2)
    z = 2 * np.pi * np.sum(r * per_area) * (r[1] - r[0])

    def log_p(x):
        each = [
            -0.5 * ((anp.sqrt(anp.sum((x - c) ** 2, axis=1) + 1e-30) - radius) / width) ** 2
            for c in centres
        ]
        return anp.logaddexp(*each) - np.log(2 * z)

    def sample(n, rng):
        far = around.rvs(4 * n + 100, random_state=rng)
        far = far[rng.random(len(far)) * (radius + 8 * width) < far][:n]  # the weight r
        turn = rng.uniform(0, 2 * np.pi, n)
        ring = far[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return centres[rng.integers(2, size=n)] + ring

    return Truth(log_p, sample, 0.0, 2, (0.5, 0.5), lambda x: (x[:, 0] > 0).astype(int))


def sinusoid() -> Truth:
    """a cos(2 pi f t) + b sin(2 pi f t) at 12 uneven times, f in (0.1, 5): aliases. (f, a, b).

    a and b have Gaussian posteriors given f, so that a grid of f has all of the answer.
    """
    rng = np.random.default_rng(FIRST_SEED)
    t = np.sort(rng.uniform(0, 6, 12))
    y = np.cos(2 * np.pi * 1.3 * t + 0.4) + 0.5 * rng.standard_normal(12)
    low, high, noise, prior = 0.1, 5.0, 0.5, 1.0

    def parts(f):
        """The curves (n, 12, 2), the precision of (a, b), its mean, log p(y, f)."""
        turn = 2 * np.pi * f[:, None] * t
        curves = np.stack([np.cos(turn), np.sin(turn)], axis=2)
        precision = np.einsum("nti,ntj->nij", curves, curves) / noise**2 + np.eye(2) / prior**2
        right = np.einsum("nti,t->ni", curves, y) / noise**2
        mean = np.linalg.solve(precision, right[:, :, None])[:, :, 0]
        log_y = -0.5 * np.sum(y**2) / noise**2 + 0.5 * np.sum(right * mean, axis=1)
        log_y -= 12 * np.log(noise) + 6 * LOG_2_PI + 2 * np.log(prior)
        log_y -= 0.5 * np.linalg.slogdet(precision)[1] + np.log(high - low)
        return precision, mean, log_y

    f = np.linspace(low, high, 40_001)
    f = 0.5 * (f[1:] + f[:-1])
    log_y = parts(f)[2]
    share = np.exp(log_y - log_y.max())
    log_z = float(log_y.max() + np.log(share.sum() * (f[1] - f[0])))
    share /= share.sum()
    lows = f[1:-1][(log_y[1:-1] < log_y[:-2]) & (log_y[1:-1] < log_y[2:])]  # between the aliases
    mode = np.searchsorted(lows, f)
    mass = np.bincount(mode, share)
    kept = np.flatnonzero(mass > 0.01)  # the others count as the nearest of these
    nearest = kept[np.argmin(np.abs(np.arange(len(mass))[:, None] - kept), axis=1)]
    place = np.searchsorted(kept, nearest)

    def log_p(x):
        turn = 2 * np.pi * x[:, :1] * t
        left = y - x[:, 1:2] * anp.cos(turn) - x[:, 2:3] * anp.sin(turn)
        data = -0.5 * anp.sum((left / noise) ** 2, axis=1) - 12 * np.log(noise) - 6 * LOG_2_PI
        of_prior = -0.5 * anp.sum((x[:, 1:] / prior) ** 2, axis=1) - LOG_2_PI - 2 * np.log(prior)
        return data + of_prior - np.log(high - low)

    def sample(n, rng):
        own = f[rng.choice(len(f), n, p=share)] + (f[1] - f[0]) * (rng.random(n) - 0.5)
        precision, mean, _ = parts(own)
        root = np.linalg.cholesky(np.linalg.inv(precision))
        return np.column_stack([own, mean + np.einsum("nij,nj->ni", root,
                                                      rng.standard_normal((n, 2)))])  # fmt: skip

    def who(x):
        return place[np.searchsorted(lows, x[:, 0])]

    return Truth(
        log_p, sample, log_z, 3, np.bincount(place, mass, len(kept)), who, None,
        [(low, high), None, None],
    )  # fmt: skip


def cross() -> Truth:
    """Two ridges that cross: one mode, D = 2."""
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    long = [turn @ np.diag([10.0, 0.3]), turn @ np.diag([0.3, 10.0])]
    return pieces([0.5, 0.5], np.zeros((2, 2)), long)._replace(shares=(1.0,), who=None)


def thirty(apart: float = 8.0) -> Truth:
    """Two Gaussians in D = 30, of sds .3 to 3."""
    rng = np.random.default_rng(FIRST_SEED)
    factors = [factor(rng, 30), factor(rng, 30)]
    return pieces([0.3, 0.7], placed(rng, factors, apart, apart), factors)


def student_pair() -> Truth:
    """Two t densities of 3 degrees of freedom, 10 apart, D = 3."""
    centres, eyes = np.outer([0.0, 1.0], [10.0, 0, 0]), [np.eye(3), np.eye(3)]
    truth = pieces([0.3, 0.7], centres, eyes, df=3.0)
    return truth._replace(deviation=np.sqrt([21 + 3.0, 3, 3]))


def funnels() -> Truth:
    """Two funnels of width 1, mirrored, 14 apart in the first coordinate, D = 4."""

    def one(x, way):
        first = way * (x[:, 0] - 7 * way)
        inner = -0.5 * x[:, 1:] ** 2 * anp.exp(-first)[:, None] - 0.5 * first[:, None]
        return -0.5 * first**2 + anp.sum(inner, axis=1) - 2 * LOG_2_PI - np.log(2)

    def log_p(x):
        return logsumexp(anp.stack([one(x, way) for way in (-1, 1)], axis=1), axis=1)

    def sample(n, rng):
        way, first = rng.choice([-1, 1], n), rng.standard_normal(n)
        others = np.exp(0.5 * first)[:, None] * rng.standard_normal((n, 3))
        return np.column_stack([way * first + 7 * way, others])

    return Truth(log_p, sample, 0.0, 4, (0.5, 0.5), lambda x: (x[:, 0] > 0).astype(int))


def attacks() -> dict[str, Callable[[], Truth]]:
    """By name."""
    return {
        "scales 1 : 1000": lambda: pair(3, 6000.0, (0.5, 0.5), (1.0, 1000.0)),
        "narrow one far": lambda: pair(3, 50.0, (0.9, 0.1), (10.0, 0.01)),
        "covered by one Gaussian": lambda: pair(3, 3.2),
        "4 sds": lambda: pair(6, 4.0, (0.3, 0.7)),
        "bridge": bridge,
        "egg-box of 25": egg_box,
        "corner of a box": corner,
        "switching 4 x 1": lambda: switching(FIRST_SEED + 3, 4, 1),
        "switching 3 x 3": lambda: switching(FIRST_SEED + 4, 3, 3),
        "share .002": lambda: pair(4, 8.0, (0.998, 0.002)),
        "share .01, 30 sds": lambda: pair(4, 30.0, (0.99, 0.01)),
        "D = 30": thirty,
        "spike of half, beside": lambda: spike(0.5, 14.0, 6.0),
        "spike of half, inside": lambda: spike(0.5, 14.0, 1.0),
        "spike of 1e-6, e^30 high": lambda: spike(1e-6, 30.0, 2.0),
        "plateaus": plateaus,
        "raw units": raw_units,
        "ridges": ridges,
        "cross (one mode)": cross,
        "rings": shells,
        "sinusoid": sinusoid,
        "t of 3 df": student_pair,
        "funnels": funnels,
        "bananas, D as drawn": lambda: scattered(FIRST_SEED + 50, "banana"),
    }
