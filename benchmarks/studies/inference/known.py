"""Posteriors with exact draws and an exact evidence."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from scipy import stats
from scipy.special import gammaln

from .exact import LOG_2_PI, Truth, bent, gaussian, targets

SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def normal_gamma() -> Truth:
    """mu and log precision of 30 normal data, under the conjugate prior (Murphy 2007)."""
    y, k0, a0, b0 = np.random.default_rng(0).normal(2.0, 3.0, 30), 0.1, 2.0, 4.0
    n, mean = len(y), y.mean()
    k, a, m = k0 + n, a0 + n / 2, n * mean / (k0 + n)
    b = b0 + 0.5 * np.sum((y - mean) ** 2) + 0.5 * k0 * n * mean**2 / k

    def log_p(x):
        mu, log_tau = x[:, 0], x[:, 1]
        tau = anp.exp(log_tau)
        data = 0.5 * n * log_tau - 0.5 * tau * anp.sum((y - mu[:, None]) ** 2, axis=1)
        prior = 0.5 * (np.log(k0) + log_tau) - 0.5 * k0 * tau * mu**2 - 0.5 * LOG_2_PI
        gamma = a0 * np.log(b0) - gammaln(a0) + (a0 - 1) * log_tau - b0 * tau
        return data - 0.5 * n * LOG_2_PI + prior + gamma + log_tau  # the last: d tau / d log tau

    def sample(n, rng):
        tau = rng.gamma(a, 1 / b, n)
        return np.column_stack([rng.normal(m, 1 / np.sqrt(k * tau)), np.log(tau)])

    log_z = (gammaln(a) - gammaln(a0) + a0 * np.log(b0) - a * np.log(b)
             + 0.5 * np.log(k0 / k) - 0.5 * n * LOG_2_PI)  # fmt: skip
    return Truth(log_p, sample, float(log_z), 2)


def eight_schools() -> Truth:
    return hierarchy(*SCHOOLS)


def hierarchy(y: np.ndarray, sigma: np.ndarray) -> Truth:
    """mu, log tau and J z: the centred effects are mu + tau z. Exact by a grid of (mu, tau).

    y_j ~ N(mu + tau z_j, sigma_j^2), mu ~ N(0, 5^2), tau ~ HalfCauchy(5).
    """
    size = len(y)

    def on_two(mu, tau):
        """log p(y, mu, tau), the effects integrated out."""
        data = 0.0
        for value, error in zip(y, sigma, strict=True):  # one by one: the grid has a million cells
            wide = error**2 + tau**2
            data = data - 0.5 * ((value - mu) ** 2 / wide + np.log(wide) + LOG_2_PI)
        return data + stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5)

    mu, log_tau = np.linspace(-25, 35, 601), np.linspace(-12, 7, 1901)
    grid = on_two(mu[:, None], np.exp(log_tau)[None]) + log_tau
    cell, top = (mu[1] - mu[0]) * (log_tau[1] - log_tau[0]), grid.max()
    share = np.exp(grid - top).ravel()
    log_z = float(top + np.log(share.sum() * cell))

    constant = np.log(sigma).sum() + (size + 0.5) * LOG_2_PI + np.log(5) - np.log(2 / (5 * np.pi))

    def log_p(x):
        tau = anp.exp(x[:, 1])
        theta = x[:, :1] + tau[:, None] * x[:, 2:]
        squares = anp.sum(((y - theta) / sigma) ** 2 + x[:, 2:] ** 2, axis=1) + (x[:, 0] / 5) ** 2
        return -0.5 * squares - constant - anp.log1p((tau / 5) ** 2) + x[:, 1]

    def sample(n, rng):
        cells = rng.choice(share.size, n, p=share / share.sum())
        i, j = np.unravel_index(cells, grid.shape)
        m = mu[i] + (rng.random(n) - 0.5) * (mu[1] - mu[0])
        t = np.exp(log_tau[j] + (rng.random(n) - 0.5) * (log_tau[1] - log_tau[0]))
        width = 1 / (1 + (t[:, None] / sigma) ** 2)  # of z given the rest
        z = width * (y - m[:, None]) * t[:, None] / sigma**2
        z += np.sqrt(width) * rng.standard_normal((n, size))
        return np.column_stack([m, np.log(t), z])

    return Truth(log_p, sample, log_z, size + 2)


def problems() -> dict[str, Truth]:
    return {
        "Gaussian, D = 5": gaussian(5, 10.0),
        "Rosenbrock, D = 2": bent(2, 1.0, 0.0, 1.0),
        "normal-gamma, D = 2": normal_gamma(),
        "eight schools, D = 10": eight_schools(),
    }


def logistic(rows: int = 200, dim: int = 8) -> Callable:
    """A logistic regression of drawn data, with the prior N(0, 3^2): log p~ of rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, dim)) * np.geomspace(0.3, 3, dim)
    sign = np.where(rng.random(rows) < 1 / (1 + np.exp(-x.sum(axis=1) / 2)), 1.0, -1.0)
    features = (x * sign[:, None]).T

    def log_p(beta):
        data = anp.sum(anp.logaddexp(0.0, -anp.dot(beta, features)), axis=1)
        return -data - anp.sum(beta**2, axis=1) / 18

    return log_p


def shared() -> dict[str, tuple[Callable, int, float]]:
    """(log p~, D, log Z or 0) of the ten targets that other libraries get, too."""
    known = {"normal-gamma": normal_gamma(), "eight schools": eight_schools()}
    found = {name: (own.log_p, own.dim, own.log_z) for name, own in (targets(10) | known).items()}
    return found | {"logistic regression": (logistic(), 8, 0.0)}
