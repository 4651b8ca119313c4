"""Targets with several modes, whose evidence, shares and draws are exact.

Seeds from 1000 on: those below belong to whoever chooses settings. A target is a list of pieces of
the same family, with a share each. A distance is in sds along the line between two pieces, the mean
of both.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import logsumexp
from scipy.special import gammaln

from .exact import LOG_2_PI, Truth

FIRST_SEED = 1000
LEAST, MOST = 4.0, 12.0  # sds between two modes


def pieces(shares, centres, factors, bends=0.0, df: float = np.inf) -> Truth:
    """sum_k share_k p(x; centre_k, factor_k), with log Z = 0.

    x = centre + factor z, where z is a standard Gaussian, or a multivariate t of `df` degrees of
    freedom. With a bend b (one a piece), b (z_1^2 - 1) is added to z_2: a banana.
    """
    shares, centres, factors = (np.asarray(one, float) for one in (shares, centres, factors))
    k, dim = centres.shape
    bend = np.zeros((k, dim))
    bend[:, min(1, dim - 1)] = bends
    inverse = np.linalg.inv(factors)
    wide = inverse.reshape(k * dim, dim).T
    constant = np.log(shares) - np.linalg.slogdet(factors)[1] - 0.5 * dim * LOG_2_PI
    if np.isfinite(df):
        constant += gammaln((df + dim) / 2) - gammaln(df / 2) - 0.5 * dim * np.log(df / 2)

    def joint(x):
        """log of share and density of every piece, (n, K)."""
        z = anp.reshape(anp.dot(x, wide), (len(x), k, dim)) - np.einsum(
            "kij,kj->ki", inverse, centres
        )
        z = z - bend * (z[:, :, :1] ** 2 - 1)
        square = anp.sum(z**2, axis=2)
        if np.isfinite(df):
            return constant - 0.5 * (df + dim) * anp.log1p(square / df)
        return constant - 0.5 * square

    def sample(n, rng):
        z, own = rng.standard_normal((n, dim)), rng.choice(k, n, p=shares / shares.sum())
        if np.isfinite(df):
            z /= np.sqrt(rng.chisquare(df, (n, 1)) / df)
        z = z + bend[own] * (z[:, :1] ** 2 - 1)
        return centres[own] + np.einsum("nij,nj->ni", factors[own], z)

    return Truth(
        lambda x: logsumexp(joint(x), axis=1), sample, 0.0, dim, shares,
        lambda x: np.argmax(joint(x), axis=1),
    )  # fmt: skip


def factor(rng, dim: int, low: float = 0.3, high: float = 3.0) -> np.ndarray:
    """A rotation times sds that are even in the logarithm."""
    rotation, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    return rotation * np.exp(rng.uniform(np.log(low), np.log(high), dim))


def weights(rng, k: int, ratio: float = 9.0) -> np.ndarray:
    """Shares of k modes, the least and the largest at 1 : ratio, in a random order."""
    raw = np.exp(rng.uniform(0, np.log(ratio), k))
    raw[:2] = 1, ratio
    return rng.permutation(raw / raw.sum())


def placed(rng, factors, least: float = LEAST, most: float = MOST) -> np.ndarray:
    """Centres: each one `least` to `most` sds from one before, and none nearer to another."""
    k, dim = len(factors), len(factors[0])
    centres = [3 * rng.standard_normal(dim)]

    def sds(i, j, way):
        return 0.5 * sum(np.linalg.norm(factors[own].T @ way) for own in (i, j))

    def far(i, j, centre):
        way = centre - centres[i]
        return np.linalg.norm(way) >= least * sds(i, j, way / np.linalg.norm(way))

    while (j := len(centres)) < k:
        i, way = rng.integers(j), rng.standard_normal(dim)
        way /= np.linalg.norm(way)
        centre = centres[i] + way * rng.uniform(least, most) * sds(i, j, way)
        if all(far(i, j, centre) for i in range(j)):
            centres.append(centre)
    return np.array(centres)


def scattered(seed: int, kind: str = "Gaussian") -> Truth:
    """2 to 8 Gaussians, bananas or multivariate t densities (df 5) in D = 2 to 10."""
    rng = np.random.default_rng(seed)
    k, dim = int(rng.integers(2, 9)), int(rng.integers(2, 11))
    factors = [factor(rng, dim) for _ in range(k)]
    bent = kind == "banana"
    centres = placed(rng, factors, 6.0 if bent else LEAST)  # a banana's arms reach out
    bends = rng.uniform(0.3, 0.8, k) if bent else 0.0
    return pieces(weights(rng, k), centres, factors, bends, 5.0 if kind == "t" else np.inf)


def switching(seed: int, k: int, size: int) -> Truth:
    """k exchangeable components of `size` parameters: a Gaussian made symmetric, k! equal modes."""
    rng = np.random.default_rng(seed)
    dim = k * size
    first = factor(rng, dim, 0.3, 1.0)
    centre = placed(rng, [np.eye(size)] * k, 4.0, 8.0)
    orders = [*permutations(range(k))]
    index = [np.arange(dim).reshape(k, size)[[*order]].ravel() for order in orders]
    centres, factors = [centre.ravel()[i] for i in index], [first[i] for i in index]
    return pieces(np.full(len(orders), 1 / len(orders)), centres, factors)


def by_grid(log_p, low, high, n: int, who=None) -> Truth:
    """A smooth target of two numbers on a box, by its values on a grid: log_p of rows."""
    axes = [np.linspace(a, b, n + 1) for a, b in zip(low, high, strict=True)]
    middle = [0.5 * (axis[1:] + axis[:-1]) for axis in axes]
    cell = np.array([axis[1] - axis[0] for axis in axes])
    rows = np.stack(np.meshgrid(*middle, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.concatenate([log_p(part) for part in np.array_split(rows, 40)])
    share = np.exp(values - values.max())
    log_z = float(values.max() + np.log(share.sum() * cell.prod()))
    share /= share.sum()

    def sample(n, rng):
        return rows[rng.choice(len(rows), n, p=share)] + cell * (rng.random((n, 2)) - 0.5)

    shares = (1.0,) if who is None else np.bincount(who(rows), share)
    return Truth(log_p, sample, log_z, 2, shares, who)


def two_means(seed: int, apart: float) -> Truth:
    """The means of a mixture of two unit Gaussians, 40 data, prior N(0, 5^2): by a grid."""
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(40) + apart * (rng.random(40) < 0.5) - apart / 2

    def log_p(x):
        each = -0.5 * (y[:, None, None] - x) ** 2 - 0.5 * LOG_2_PI  # (40, n, 2)
        data = anp.sum(anp.logaddexp(each[:, :, 0], each[:, :, 1]) - np.log(2), axis=0)
        return data - anp.sum(x**2, axis=1) / 50 - LOG_2_PI - np.log(25)

    return by_grid(log_p, (-8, -8), (8, 8), 601, lambda x: (x[:, 0] > x[:, 1]).astype(int))


def several() -> dict[str, Callable[[], Truth]]:
    """The 20 targets of the table, by name; ten are bent, heavy-tailed or switching."""
    first = FIRST_SEED
    made: dict[str, Callable[[], Truth]] = {}
    for kind, n, base in (("Gaussian", 10, first), ("banana", 3, first + 20), ("t", 3, first + 30)):
        for i in range(n):
            made[f"{kind} {i}"] = lambda seed=base + i, kind=kind: scattered(seed, kind)
    made["switching 2 x 2"] = lambda: switching(first, 2, 2)
    made["switching 2 x 5"] = lambda: switching(first + 1, 2, 5)
    made["switching 3 x 2"] = lambda: switching(first + 2, 3, 2)
    made["two means of 40 data"] = lambda: two_means(first, 4.0)
    return made


def unequal(seed: int) -> Truth:
    """2 to 4 Gaussians whose volumes differ by e^4 to e^10, the first with the largest."""
    rng = np.random.default_rng(seed)
    k, dim = int(rng.integers(2, 5)), int(rng.integers(2, 9))
    logs = np.append(0.0, rng.uniform(4, 10, k - 1))
    factors = []
    for log in logs:
        raw = factor(rng, dim, 0.5, 2.0)
        factors.append(raw * np.exp(-(log + np.linalg.slogdet(raw)[1]) / dim))
    return pieces(weights(rng, k), placed(rng, factors), factors)


def volumes() -> dict[str, Callable[[], Truth]]:
    """The ten of unequal volumes."""
    return {f"volumes {i}": lambda seed=FIRST_SEED + 100 + i: unequal(seed) for i in range(10)}
