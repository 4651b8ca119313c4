"""The Gaussian, with independent or correlated coordinates, closest to an unnormalised density."""

from __future__ import annotations

import math

import numpy as np

from ..core.inputs import named
from .unnormalised import LogTarget

FIXED = 400  # draws of a search
FIRST_LOG_SCALES = (0.0, -2.0, -4.0, -6.0)  # where the search for an independent one starts
ENDLESS = 50.0  # log of a deviation that no proper target has
STEPS, ROUNDS, CLOSE = 500, 10, 0.01  # of the search for a correlated one; nats that end it


def gaussian_rows(
    target: LogTarget, start: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """n rows (n, D) of the Gaussian with independent coordinates that is closest to the target.

    Its means and deviations maximise the ELBO of the same 400 draws, by L-BFGS from `start` (D,)
    and the best of a few deviations, 1 the largest (Giordano, Ingram and Broderick, "Black box
    variational inference with a deterministic objective", 2024). Unlike a Laplace approximation, it
    is not misled by a sharp mode. Errors: ValueError if the target is not finite at the start, or
    so wide that it must be improper.
    """
    beside = start + np.array([[0.0], [1.0], [-1.0]])  # does it raise at the start alone?
    if not np.isfinite(target.anywhere(beside)[0][0]):
        raise ValueError(
            f"log_target, or its gradient, is not finite at {np.array2string(start, threshold=8)}, "
            "where the search for its mass starts: pass start=, rows (n, D) where it is, or "
            "support= if it has bounds"
        )
    dim = len(start)
    half = rng.standard_normal((FIXED // 2, dim))
    search = Search(target, np.concatenate([half, -half]), start * 0, np.eye(dim), False)
    firsts = [np.append(start, np.full_like(start, width)) for width in FIRST_LOG_SCALES]
    first = min(firsts, key=lambda theta: search.minus_elbo(theta)[0])
    theta, _ = search.best_from(first)
    mean, log_scale = np.split(theta if np.isfinite(theta).all() else first, 2)
    check_proper(mean, log_scale)
    return mean + np.exp(log_scale) * rng.standard_normal((n, dim))


def best_gaussian(
    target: LogTarget, mean: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(mean (D,), Cholesky factor (D, D)) of the Gaussian with the largest ELBO, by L-BFGS.

        ELBO = mean of log p~(m + L z) + sum_i log L_ii          of the same draws z

    from a first mean and standard deviations. z has exactly the mean 0 and the covariance I, so
    that the answer for a Gaussian target is exact. L-BFGS is restarted in the coordinates of the
    Gaussian that it has found, until that does not help. Errors: ValueError if the ELBO climbs
    without end.
    """
    dim = len(mean)
    half = rng.standard_normal((max(FIXED // 2, 2 * dim), dim))
    z = np.concatenate([half, -half])
    z = np.linalg.solve(np.linalg.cholesky(z.T @ z / len(z)), z.T).T
    factor, best = np.diag(scale), math.inf
    for _ in range(ROUNDS):
        search = Search(target, z, mean, factor, True)
        theta, value = search.best_from(np.zeros(search.n_params), maxiter=STEPS, ftol=1e-12)
        m, inner = search.unpacked(theta)
        new_mean, new = mean + factor @ m, factor @ inner
        if not (np.isfinite(new).all() and np.isfinite(new_mean).all() and np.diag(new).all()):
            break  # the search has left what floats can hold: what was found before stays
        mean, factor = new_mean, new
        check_proper(mean, np.log(np.sqrt(np.sum(factor**2, axis=1))))
        value -= np.log(np.diag(factor)).sum() - np.log(np.diag(inner)).sum()
        if not value < best - CLOSE:
            break
        best = value
    return mean, factor


class Search:
    """The search for the Gaussian x = mean + outer (m + L z) with the largest ELBO.

        theta = (m, log diag L, L below the diagonal)

    correlated   whether L has numbers below its diagonal; z (n, D), the same draws all the time
    """

    def __init__(self, target: LogTarget, z, mean, outer, correlated: bool):
        self.target, self.z, self.mean, self.outer = target, z, mean, outer
        self.dim = len(mean)
        self.below = np.tril_indices(self.dim, -1 if correlated else -self.dim)
        self.n_params = 2 * self.dim + len(self.below[0])

    def unpacked(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, L)."""
        log_scale = theta[self.dim : 2 * self.dim]
        factor = np.diag(np.exp(np.clip(log_scale, -ENDLESS, 2 * ENDLESS)))
        factor[self.below] = theta[2 * self.dim :]
        return theta[: self.dim], factor

    def minus_elbo(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """(-ELBO, its gradient by theta); a huge number where it is not finite."""
        m, factor = self.unpacked(theta)
        value, slope = self.target.avoiding(self.mean + (m + self.z @ factor.T) @ self.outer.T)
        slope = slope @ self.outer
        by_factor = slope.T @ self.z / len(self.z)
        by_diagonal = np.diag(by_factor) * np.diag(factor) + 1
        gradient = np.concatenate([slope.mean(axis=0), by_diagonal, by_factor[self.below]])
        loss = -value.mean() - np.log(np.diag(factor)).sum()
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(theta)
        return loss, -gradient

    def best_from(self, first: np.ndarray, **options) -> tuple[np.ndarray, float]:
        """(theta, -ELBO), by L-BFGS from `first`."""
        from scipy.optimize import minimize

        with np.errstate(all="ignore"):
            result = minimize(self.minus_elbo, first, jac=True, method="L-BFGS-B", options=options)
        return result.x, float(result.fun)


def check_proper(mean: np.ndarray, log_scale: np.ndarray) -> None:
    """A ValueError if a search's Gaussian is so wide that the target must be improper."""
    endless = np.flatnonzero((log_scale > ENDLESS) | (np.abs(mean) > math.exp(ENDLESS)))
    if endless.size:
        raise ValueError(
            f"the ELBO climbs without end as q widens along {named('column', endless)}: the target "
            "is improper (its integral is infinite). Give every parameter a proper prior, or a "
            "support"
        )
