"""Targets with one mode (or one ridge, or ring), whose evidence and draws are exact."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from scipy import stats
from scipy.special import betaln, expit, gammaln

from . import exact
from .exact import LOG_2_PI, Truth
from .known import SCHOOLS, hierarchy, normal_gamma
from .several import FIRST_SEED, by_grid, pieces


def units(scales, correlation: float, seed: int = FIRST_SEED) -> Truth:
    """A Gaussian of equal correlations, far from 0, in raw units."""
    scales = np.array(scales)
    dim = len(scales)
    inner = np.linalg.cholesky(correlation + (1 - correlation) * np.eye(dim))
    middle = 3 * scales * np.random.default_rng(seed).standard_normal(dim)
    return pieces([1.0], [middle], [scales[:, None] * inner])


def rosenbrock(dim: int = 4, first: float = 0.7, rest: float = 0.2) -> Truth:
    """x_1 ~ N(1, first^2), x_{i+1} ~ N(x_i^2, rest^2): Pagani et al., "An n-dimensional Rosenbrock
    distribution for Markov chain Monte Carlo testing", 2022."""
    constant = 0.5 * dim * LOG_2_PI + np.log(first) + (dim - 1) * np.log(rest)

    def log_p(x):
        steps = anp.sum(((x[:, 1:] - x[:, :-1] ** 2) / rest) ** 2, axis=1)
        return -0.5 * (((x[:, 0] - 1) / first) ** 2 + steps) - constant

    def sample(n, rng):
        columns = [1 + first * rng.standard_normal(n)]
        for _ in range(dim - 1):
            columns.append(columns[-1] ** 2 + rest * rng.standard_normal(n))
        return np.column_stack(columns)

    return Truth(log_p, sample, 0.0, dim)


def centred(y, sigma) -> Truth:
    """mu, log tau and J effects theta."""
    z, size = hierarchy(y, sigma), len(y)

    def log_p(x):
        scaled = (x[:, 2:] - x[:, :1]) * anp.exp(-x[:, 1:2])
        return z.log_p(anp.concatenate([x[:, :2], scaled], axis=1)) - size * x[:, 1]

    def sample(n, rng):
        x = z.sample(n, rng)
        x[:, 2:] = x[:, :1] + np.exp(x[:, 1:2]) * x[:, 2:]
        return x

    return Truth(log_p, sample, z.log_z, size + 2)


def horseshoe(y=(0.3, -1.0, 6.0)) -> Truth:
    """y_i ~ N(lambda_i z_i, 1), lambda_i half-Cauchy: (log lambda, z) of each, by a grid."""
    y = np.array(y)
    size, grid = len(y), np.linspace(-14, 18, 16_001)
    on_grid = stats.norm.logpdf(y[:, None], 0, np.sqrt(1 + np.exp(2 * grid)))
    on_grid = on_grid + np.log(2 / np.pi) + grid - np.logaddexp(0, 2 * grid)
    share = np.exp(on_grid - on_grid.max(axis=1, keepdims=True))
    log_z = on_grid.max(axis=1) + np.log(share.sum(axis=1) * (grid[1] - grid[0]))
    share /= share.sum(axis=1, keepdims=True)

    def log_p(x):
        log_scale, z = x[:, :size], x[:, size:]
        data = -0.5 * (y - anp.exp(log_scale) * z) ** 2 - 0.5 * z**2 - LOG_2_PI
        prior = np.log(2 / np.pi) + log_scale - anp.logaddexp(0.0, 2 * log_scale)
        return anp.sum(data + prior, axis=1)

    def sample(n, rng):
        chosen = np.stack([rng.choice(len(grid), n, p=one) for one in share], axis=1)
        log_scale = grid[chosen] + (grid[1] - grid[0]) * (rng.random((n, size)) - 0.5)
        width = 1 / (1 + np.exp(2 * log_scale))
        z = width * np.exp(log_scale) * y + np.sqrt(width) * rng.standard_normal((n, size))
        return np.column_stack([log_scale, z])

    return Truth(log_p, sample, float(log_z.sum()), 2 * size)


def ring(radius: float = 3.0, width: float = 0.15) -> Truth:
    def log_p(x):
        r = anp.sqrt(anp.sum(x**2, axis=1) + 1e-30)
        return -0.5 * ((r - radius) / width) ** 2

    return by_grid(log_p, (-4.5, -4.5), (4.5, 4.5), 1201)


def student(dim: int, df: float) -> Truth:
    """A multivariate t; a Cauchy has neither a mean nor an sd."""
    truth = pieces([1.0], np.ones((1, dim)), [np.eye(dim)], df=df)
    sd = np.sqrt(df / (df - 2)) if df > 2 else np.nan
    return truth._replace(deviation=np.full(dim, sd))


def dirichlet(a=(0.3, 0.5, 1.0, 2.0, 5.0)) -> Truth:
    """Infinite at faces of the simplex."""
    a = np.array(a)
    log_z = float(gammaln(a).sum() - gammaln(a.sum()))

    def log_p(p):
        return anp.sum((a - 1) * anp.log(p["share"]), axis=1)

    return Truth(
        log_p, lambda n, rng: rng.dirichlet(a, n), log_z, len(a) - 1,
        support={"share": ("simplex", (len(a),))},
    )  # fmt: skip


def at_bounds() -> Truth:
    """Beta(.5, .5), Gamma(.5), and a normal that is cut to (.5, 3)."""

    def log_p(p):
        beta = -0.5 * anp.log(p["share"]) - 0.5 * anp.log(1 - p["share"])
        return beta - 0.5 * anp.log(p["rate"]) - p["rate"] - 0.5 * p["cut"] ** 2

    def sample(n, rng):
        cut = stats.truncnorm.rvs(0.5, 3, size=n, random_state=rng)
        return np.column_stack([rng.beta(0.5, 0.5, n), rng.gamma(0.5, size=n), cut])

    log_z = betaln(0.5, 0.5) + gammaln(0.5) + 0.5 * LOG_2_PI
    log_z += np.log(stats.norm.cdf(3) - stats.norm.cdf(0.5))
    support = {"share": (0.0, 1.0), "rate": "positive", "cut": (0.5, 3.0)}
    return Truth(log_p, sample, float(log_z), 3, support=support)


def logistic(rows: int = 100, dim: int = 6, n: int = 300_000) -> Truth:
    """Features of correlation .95, prior N(0, 2^2): by n draws of a t at the mode, one in ten of
    them kept; log Z to about .002."""
    rng = np.random.default_rng(FIRST_SEED)
    x = np.linalg.cholesky(0.95 ** np.abs(np.subtract.outer(range(dim), range(dim))))
    x = rng.standard_normal((rows, dim)) @ x.T
    sign = np.where(rng.random(rows) < expit(x @ np.linspace(-1, 1, dim)), 1.0, -1.0)
    features = (x * sign[:, None]).T

    def log_p(b):
        data = anp.sum(anp.logaddexp(0.0, -anp.dot(b, features)), axis=1)
        return -data - anp.sum(b**2, axis=1) / 8 - dim * (0.5 * LOG_2_PI + np.log(2))

    top = np.zeros(dim)
    for _ in range(50):
        p = expit(top @ features)
        precision = (features * p * (1 - p)) @ features.T + np.eye(dim) / 4
        top = top + np.linalg.solve(precision, features @ (1 - p) - top / 4)
    wide = stats.multivariate_t(top, np.linalg.inv(precision), df=8)
    draws = wide.rvs(n, random_state=rng)
    log_w = np.concatenate([log_p(part) for part in np.array_split(draws, 30)])
    log_w -= wide.logpdf(draws)
    share = np.exp(log_w - log_w.max())
    log_z = float(log_w.max() + np.log(share.mean()))
    share /= share.sum()
    return Truth(log_p, lambda n, rng: draws[rng.choice(len(draws), n, p=share)], log_z, dim)


def product() -> Truth:
    """a b = 1 +- .1, priors N(0, 2^2) cut to a, b > 0: a hyperbola, in log a and log b."""

    def log_p(x):
        a, b = anp.exp(x[:, 0]), anp.exp(x[:, 1])
        return -0.5 * ((a * b - 1) / 0.1) ** 2 - (a**2 + b**2) / 8 + x[:, 0] + x[:, 1]

    return by_grid(log_p, (-5.5, -5.5), (3.0, 3.0), 1601)


def gumbel(dim: int = 4) -> Truth:
    """log of Gamma variables of the shapes .5 to 5: skewed."""
    a = np.geomspace(0.5, 5, dim)
    log_z = float(gammaln(a).sum())

    def log_p(x):
        return anp.sum(a * x - anp.exp(x), axis=1)

    return Truth(log_p, lambda n, rng: np.log(rng.gamma(a, size=(n, dim))), log_z, dim)


def plateau(dim: int = 3, power: int = 8) -> Truth:
    """exp(-sum x^8): flat, with steep sides."""

    def sample(n, rng):
        size = rng.gamma(1 / power, size=(n, dim)) ** (1 / power)
        return size * rng.choice([-1, 1], (n, dim))

    log_z = dim * (np.log(2) + gammaln(1 + 1 / power))
    return Truth(lambda x: -anp.sum(x**power, axis=1), sample, float(log_z), dim)


def ten_groups():
    rng = np.random.default_rng(FIRST_SEED)
    return 3 + 4 * rng.standard_normal(10) + rng.standard_normal(10), np.full(10, 1.0)


def unimodal() -> dict[str, Callable[[], Truth]]:
    """The 20 of the table, by name."""
    return {
        "Gaussian, condition 1e6": lambda: exact.gaussian(100, 1e6),
        "raw units": lambda: units([1e9, 30, 1e-4, 1400, 2e-21], 0.9),
        "narrow ridge": lambda: units([1.0, 1e3, 1e-3], 0.999999),
        "Rosenbrock chain": rosenbrock,
        "banana": lambda: exact.bent(10, 2.0, 0.0, 0.5),
        "funnel": lambda: exact.bent(5, 1.5, 1.0, 0.0),
        "eight schools, centred": lambda: centred(*SCHOOLS),
        "ten groups, centred": lambda: centred(*ten_groups()),
        "ten groups, not centred": lambda: hierarchy(*ten_groups()),
        "horseshoe": horseshoe,
        "ring": ring,
        "t of 3 df": lambda: student(5, 3.0),
        "Cauchy": lambda: student(3, 1.0),
        "Dirichlet": dirichlet,
        "densities at bounds": at_bounds,
        "logistic regression": logistic,
        "normal-gamma": normal_gamma,
        "hyperbola": product,
        "log-gamma": gumbel,
        "plateau": plateau,
    }
