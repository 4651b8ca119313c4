"""Numbers that are uniform if a flow is right: its base's CDFs at z = f^-1(x).

If the flow is the truth, then z = f^-1(x) is a draw of the base, and the base's own Rosenblatt
transform (for independent coordinates: the CDF of each) turns it into D independent uniform
numbers. So any departure from that is a fault of the flow. If f is triangular, this is also the
Rosenblatt transform of x itself: a fault of u_i = F(x_i | the columns before it) is one of that
conditional.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core import imported, log_sum_exp
from ..distributions import (
    ClampedBase,
    GaussianMixture,
    TransformedDistribution,
)
from ..distributions.columns import equal_rows
from ..mixtures import MultivariateNormalMixture
from .density import GivenRows

ROWS = 100  # that exchange their values


def uniforms(
    density, x: np.ndarray, rng: np.random.Generator, context: np.ndarray | None = None
) -> np.ndarray | None:
    """(n, D) numbers that are iid uniform if x are draws of the density; None: no way is known.

    For a mixture of densities, a component is drawn given x, and the row goes through this
    component. This is valid: given its component, a draw of the mixture is a draw of the component.
    """
    if isinstance(density, TransformedDistribution):
        own = context if density.bijector.context_dim else None
        z = np.asarray(density.to_latent(x, context=own), float)
        return uniforms(density.base, z, rng, context)
    if hasattr(density, "uniforms"):
        return density.uniforms(x, rng, context)
    if isinstance(density, ClampedBase):
        return _of_present(density.base, x, rng, context[:, -density.dim :])
    if hasattr(density, "densities") and hasattr(density, "weights"):
        return _of_a_mixture(density, x, rng, context)
    if isinstance(density, (GaussianMixture, MultivariateNormalMixture)):
        u = _of_a_normal_mixture(_as_normal_mixture(density), x)
    else:
        u = exact(density, "cdf", x)
    return None if u is None else np.clip(np.nan_to_num(u, nan=0.0), 0.0, 1.0)  # NaN: outside


def exact(density, method: str, *args, **options) -> np.ndarray | None:
    """The result of "cdf" or "pit"; None: the density has no such method, or no exact one."""
    try:
        return getattr(density, method)(*args, **options)
    except (AttributeError, ValueError):
        return None


def _of_a_mixture(mixture, x, rng, context):
    parts = mixture.densities
    found = [uniforms(part, x, rng, context) for part in parts]
    if any(u is None for u in found):
        return None
    log_p = np.stack([
        part.log_prob(x, context=context) if getattr(part, "context_dim", 0) else part.log_prob(x)
        for part in parts
    ])  # fmt: skip
    log_p = log_p + np.log(np.asarray(mixture.weights, float))[:, None]
    gumbel = rng.gumbel(size=log_p.shape)  # the largest of log p + gumbel is drawn in proportion
    return np.stack(found)[np.argmax(log_p + gumbel, axis=0), np.arange(len(x))]


def _of_present(base, z, rng, present):
    """Of the numbers that each row has; uniform ones in place of the others."""
    u = rng.random(z.shape)
    for rows in equal_rows(present != 0):
        columns = np.flatnonzero(present[rows[0]])
        here = np.ix_(rows, columns)
        if isinstance(base, (GaussianMixture, MultivariateNormalMixture)) and columns.size:
            u[here] = uniforms(_as_normal_mixture(base).marginal(columns), z[here], rng)
        elif columns.size:  # independent coordinates
            u[here] = uniforms(base, z, rng)[here]
    return u


def _as_normal_mixture(density):
    if isinstance(density, MultivariateNormalMixture):
        return density
    factors = density.scales.astype(float)[:, :, None] * np.eye(density.dim)
    return MultivariateNormalMixture(density.means, factors, density.weights)


def _of_a_normal_mixture(density, z):
    """u_i = sum_k p(k | z_<i) Phi(t_ki), t_k = L_k^-1 (z - m_k), of which t_ki has z_1 .. z_i."""
    ndtr = imported("scipy.special").ndtr
    t = density.inverse_factors @ (z.T - density.means[..., None])  # (K, D, n)
    scales = np.diagonal(density.scale_tril, axis1=1, axis2=2)
    log_p, u = np.broadcast_to(np.log(density.weights)[:, None], t[:, 0].shape), []
    for own, scale in zip(t.transpose(1, 0, 2), scales.T[..., None], strict=True):
        u.append((log_sum_exp(log_p)[1] * ndtr(own)).sum(axis=0))
        log_p = log_p - 0.5 * own**2 - np.log(scale)
    return np.stack(u, axis=1)


def conditionals(
    uniforms_of: Callable[[GivenRows], np.ndarray], rows: GivenRows
) -> list[tuple[int, list[int]]] | None:
    """For each u_i: (the column j whose conditional it is, the columns that are given).

    u_i depends on x_j if it changes when rows exchange their x_j. None unless the map is
    triangular, in some order of coordinates and columns.
    """
    rows, dim = rows.of(slice(ROWS)), rows.x.shape[1]
    u, depends = uniforms_of(rows), np.empty((dim, dim), bool)  # i, j
    for j in range(dim):
        exchanged = rows.x.copy()
        exchanged[:, j] = np.roll(rows.x[:, j], 1)
        other = uniforms_of(GivenRows(exchanged, rows.context))
        inside = (np.minimum(u, other) > 0).all(axis=1)  # of the support
        depends[:, j] = (other != u)[inside].any(axis=0)
    known, found = np.zeros(dim, bool), {}
    for i in np.argsort(depends.sum(axis=1), kind="stable").tolist():
        new = np.flatnonzero(depends[i] & ~known).tolist()
        if len(new) != 1:
            return None
        found[i] = new[0], np.flatnonzero(depends[i] & known).tolist()
        known[new] = True
    return [found[i] for i in range(dim)]
