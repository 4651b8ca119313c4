"""The Gaussian with independent coordinates that is closest to an unnormalised density."""

from __future__ import annotations

import math

import numpy as np

from ..core.inputs import named
from .unnormalised import Target

FIXED = 400  # draws of the search
FIRST_LOG_SCALES = (0.0, -2.0, -4.0, -6.0)  # where it starts
ENDLESS = 50.0  # log of a deviation that no proper target has


def gaussian_rows(
    target: Target, start: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """n rows (n, D) of the Gaussian with independent coordinates that is closest to the target.

    Its means and deviations maximise the ELBO of the same 400 draws, by L-BFGS from `start` (D,)
    and the best of a few deviations, 1 the largest (Giordano, Ingram and Broderick, "Black box
    variational inference with a deterministic objective", 2024). Unlike a Laplace approximation, it
    is not misled by a sharp mode. Errors: ValueError if the target is not finite at the start, or
    so wide that it must be improper.
    """
    from scipy.optimize import minimize

    if not np.isfinite(target.avoiding(start[None])[0][0]):
        raise ValueError(
            f"log_target is not finite at {np.array2string(start, threshold=8)}, where the search "
            "for its mass starts: pass start=, rows (n, D) where it is"
        )
    half = rng.standard_normal((FIXED // 2, len(start)))
    z = np.concatenate([half, -half])

    def minus_elbo(theta):
        mean, log_scale = np.split(theta, 2)
        scale = np.exp(np.minimum(log_scale, 2 * ENDLESS))
        value, slope = target.avoiding(mean + scale * z)
        by_scale = (slope * z * scale).mean(axis=0) + 1
        gradient = -np.append(slope.mean(axis=0), by_scale)
        loss = -value.mean() - log_scale.sum()
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(theta)
        return loss, gradient

    with np.errstate(all="ignore"):
        firsts = [np.append(start, np.full_like(start, width)) for width in FIRST_LOG_SCALES]
        first = min(firsts, key=lambda theta: minus_elbo(theta)[0])
        found = minimize(minus_elbo, first, jac=True, method="L-BFGS-B").x
    mean, log_scale = np.split(found if np.isfinite(found).all() else first, 2)
    check_proper(mean, log_scale)
    return mean + np.exp(log_scale) * rng.standard_normal((n, len(start)))


def check_proper(mean: np.ndarray, log_scale: np.ndarray) -> None:
    """A ValueError if the Gaussian that a search has found is wider than any that is meant."""
    endless = np.flatnonzero((log_scale > ENDLESS) | (np.abs(mean) > math.exp(ENDLESS)))
    if endless.size:
        raise ValueError(
            f"the ELBO climbs without end as q widens along {named('column', endless)}: the target "
            "is improper (its integral is infinite). Give every parameter a proper prior, or a "
            "support"
        )
