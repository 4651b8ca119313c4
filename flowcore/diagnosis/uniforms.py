"""Numbers that are uniform if a flow is right: its base's CDFs at z = f^-1(x).

If the flow is the truth, then z = f^-1(x) is a draw of the base, and the base's own Rosenblatt
transform (for independent coordinates: the CDF of each) makes of it D independent uniform numbers.
So any departure from that is a fault of the flow, whatever f is. It is the Rosenblatt transform
of x itself only if f is triangular: then u_i = F(x_i | the columns before it), and a fault of u_i
is one of that conditional.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import (
    ActNorm,
    Bijector,
    Blockwise,
    Coupling,
    Elementwise,
    ElementwiseAffine,
    Exp,
    Logit,
    MaskedAutoregressiveFlow,
    Permute,
    Sigmoid,
    SinhArcsinh,
    Softplus,
    Standardize,
    StandardizeContext,
    Tanh,
)
from ..core import imported, log_sum_exp
from ..distributions import (
    GaussianMixture,
    Laplace,
    MultivariateNormalDiag,
    MultivariateNormalMixture,
    Normal,
    StudentT,
    TransformedDistribution,
    Uniform,
)
from ..networks import MADE

ONE_BY_ONE = (ActNorm, Elementwise, ElementwiseAffine, Exp, Logit, Sigmoid, SinhArcsinh, Softplus,
              Standardize, Tanh)  # fmt: skip


def uniforms(
    density, x: np.ndarray, rng: np.random.Generator, context: np.ndarray | None = None
) -> np.ndarray | None:
    """(n, D) numbers that are iid uniform if x are draws of the density; None: no way is known.

    Of a mixture of densities the component is drawn, given x, and the row goes through that one:
    given x and the component, a draw of the mixture is a draw of the component.
    """
    if isinstance(density, TransformedDistribution):
        own = context if density.bijector.context_dim else None
        z = np.asarray(density.to_latent(x, context=own), float)
        return uniforms(density.base, z, rng, context)
    if hasattr(density, "densities") and hasattr(density, "weights"):
        return _of_a_mixture(density, x, rng, context)
    cdf = _CDF.get(type(density))
    if cdf is None:
        return None
    return np.clip(np.nan_to_num(cdf(density, x), nan=0.0), 0.0, 1.0)  # NaN: out of the support


def _of_a_mixture(mixture, x, rng, context):
    parts = mixture.densities
    found = [uniforms(part, x, rng, context) for part in parts]
    if any(u is None for u in found):
        return None
    log_p = np.stack([
        part.log_prob(x, context=context) if getattr(part, "context_dim", 0) else part.log_prob(x)
        for part in parts
    ])  # fmt: skip
    with np.errstate(divide="ignore"):
        log_p = log_p + np.log(np.asarray(mixture.weights, float))[:, None]
    gumbel = rng.gumbel(size=log_p.shape)  # the largest of log p + gumbel is drawn in proportion
    return np.stack(found)[np.argmax(log_p + gumbel, axis=0), np.arange(len(x))]


def _gaussian_mixture(density, z):
    """t_ki = (z_i - mu_ki) / s_ki."""
    scales = density.scales.astype(float).T[..., None]
    t = (z.T[:, None] - density.means.astype(float).T[..., None]) / scales
    return _of_components(t, scales, density.weights.astype(float))


def _normal_mixture(density, z):
    """t_k = L_k^-1 (z - m_k), of which t_ki depends on z_1 .. z_i."""
    t = density.inverse_factors @ (z.T - density.means[..., None])  # (K, D, n)
    scales = np.diagonal(density.scale_tril, axis1=1, axis2=2)
    return _of_components(t.transpose(1, 0, 2), scales.T[..., None], density.weights)


def _of_components(t, scales, weights):
    """u_i = sum_k p(k | z_<i) Phi(t_ki), t (D, K, n): the coordinates are not independent."""
    ndtr, u = imported("scipy.special").ndtr, []
    log_p = np.broadcast_to(np.log(weights)[:, None], t.shape[1:])
    for own, scale in zip(t, scales, strict=True):
        u.append((log_sum_exp(log_p)[1] * ndtr(own)).sum(axis=0))
        log_p = log_p - 0.5 * own**2 - np.log(scale)
    return np.stack(u, axis=1)


def _of_scipy(name: str, *arguments: str):
    """The CDF of a distribution in scipy.stats, whose arguments are attributes of the base."""

    def cdf(density, z):
        args = [getattr(density, argument) for argument in arguments]
        return getattr(imported("scipy.stats"), name).cdf(z, *args)

    return cdf


_CDF = {
    Normal: _of_scipy("norm"),
    MultivariateNormalDiag: _of_scipy("norm", "loc", "scale_diag"),
    Laplace: _of_scipy("laplace", "loc", "scale"),
    StudentT: _of_scipy("t", "df"),
    Uniform: lambda density, z: (z - density.low) / (density.high - density.low),
    GaussianMixture: _gaussian_mixture,
    MultivariateNormalMixture: _normal_mixture,
}


# ---------------------------------------------------------------------------- triangular maps


def conditionals(density) -> list[tuple[int, list[int]]] | None:
    """For each u_i: (the column j whose conditional it is, the columns that are given).

    None unless the flow is triangular by construction, over a base whose own transform goes from
    the first coordinate to the last, or is of each alone.
    """
    depends = np.eye(density.dim, dtype=bool)  # rows: z_i, columns: x_j
    while isinstance(density, TransformedDistribution):
        depends = _through(density.bijector, "inverse") @ depends
        density = density.base
    if type(density) not in _CDF:
        return None
    if isinstance(density, (GaussianMixture, MultivariateNormalMixture)):  # u_i sees z_1 .. z_i
        depends = np.tril(np.ones(depends.shape, bool)) @ depends
    return _triangular(depends)


def _dependence(part: Bijector, way: str) -> np.ndarray:
    """(D, D): may output i depend on input j? (A subclass may do what it likes: of all.)"""
    identity, kind = np.eye(part.dim, dtype=bool), type(part)
    if kind in ONE_BY_ONE:
        return identity
    if kind is Permute:
        index = np.asarray(part.permutation)
        return identity[index if way == "forward" else np.argsort(index)]
    if kind is MaskedAutoregressiveFlow and type(part.made) is MADE:
        degree = np.asarray(part.made.degrees[0])
        return (degree[None, :] < degree[:, None]) | identity
    if kind is Coupling:
        identity[part.changed, part.kept] = True
        return identity
    if kind is StandardizeContext:
        return _dependence(part.bijector, way)
    if kind is Blockwise:
        for block, here in zip(part.parts, part.ranges, strict=True):
            identity[here, here] = _through(block, way)
        return identity
    return np.ones_like(identity)  # somebody's own: of all


def _through(bijector: Bijector, way: str) -> np.ndarray:
    """The same of all steps together."""
    depends = np.eye(bijector.dim, dtype=bool)
    for part, own_way in bijector.steps(way):
        depends = _dependence(part, own_way) @ depends
    return depends


def _triangular(depends: np.ndarray) -> list[tuple[int, list[int]]] | None:
    """Peel: a row that depends on one column more than those known is the conditional of it."""
    dim = len(depends)
    known, found = np.zeros(dim, bool), {}
    while len(found) < dim:
        for i in set(range(dim)) - set(found):
            new = depends[i] & ~known
            if new.sum() == 1:
                j = int(np.flatnonzero(new)[0])
                found[i] = j, np.flatnonzero(depends[i] & known).tolist()
                known[j] = True
                break
        else:
            return None
    return [found[i] for i in range(dim)]
