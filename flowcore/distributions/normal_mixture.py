"""A mixture of Gaussians with full covariance matrices, with exact conditionals and marginals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Standardize
from ..core import frozen, log_sum_exp
from ..core.inputs import as_integers, as_numbers, check_dim, named
from .distribution import BaseDistribution
from .expectation_maximization import by_bic, moved, whitened
from .mixture import mixture_weights

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Seed, Workspace

SIZES = (1, 2, 3, 4, 5, 6, 8, 10)  # numbers of components that the BIC compares


class MultivariateNormalMixture(BaseDistribution):
    """A mixture of K Gaussians with full covariance matrices, all of it fixed.

        log p(x) = log sum_k w_k N(x; m_k, L_k L_k^T)

    `from_data` fits one by EM. Its conditionals and marginals are exact, and mixtures again:

        p(x_a)       = sum_k w_k N(x_a; m_ka, S_kaa)                                 `marginal`
        p(x_b | x_a) = sum_k w_k N(x_a; m_ka, S_kaa) / p(x_a) N(x_b; m_kb + S_kba S_kaa^-1 (x_a -
                       m_ka), S_kbb - S_kba S_kaa^-1 S_kab)                          `given`

    Cost: O(K D^2) per row. Errors: ValueError for values of a wrong shape, or out of range.

    Parameters
    ----------
    means : array_like
        (K, D).
    scale_tril : array_like
        (K, D, D), the Cholesky factors L_k of the covariance matrices: lower triangular, with a
        positive diagonal. Of covariance matrices: `numpy.linalg.cholesky(covariances)`.
    weights : array_like
        (K,), > 0, scaled to sum to 1; None: all equal.

    Examples
    --------
    >>> p = MultivariateNormalMixture([[0.0, 0.0], [4.0, 4.0]], [[[1, 0], [0.8, 0.6]]] * 2, [3, 1])
    >>> p
    MultivariateNormalMixture(n_components=2, dim=2)
    >>> given = p.given({0: 1.0})
    >>> given.means.round(4).tolist(), given.log_prob([[0.8]]).round(4)
    ([[0.8], [1.6]], array([-0.4117]))
    """

    def __init__(self, means: ArrayLike, scale_tril: ArrayLike, weights: ArrayLike | None = None):
        means = np.array(as_numbers("means", means), float)
        factors = np.array(as_numbers("scale_tril", scale_tril), float)
        if means.ndim != 2 or means.size == 0 or not np.isfinite(means).all():
            raise ValueError(f"means must be finite, of shape (K, D), not {means} of {means.shape}")
        self.n_components, self.dim = means.shape
        if factors.shape != (*means.shape, self.dim):
            raise ValueError(
                f"scale_tril has shape {factors.shape}, not {(*means.shape, self.dim)}"
            )
        diagonal = np.diagonal(factors, axis1=1, axis2=2)
        if not (np.isfinite(factors).all() and (diagonal > 0).all()) or np.triu(factors, 1).any():
            raise ValueError(
                "scale_tril must be finite and lower triangular, with a positive diagonal: the "
                "Cholesky factors of covariance matrices"
            )
        self.means, self.scale_tril = frozen(means), frozen(factors)
        self.weights = mixture_weights(weights, len(means))

    @classmethod
    def from_data(
        cls,
        X: ArrayLike,
        n_components: int | str = "bic",
        sample_weight: ArrayLike | None = None,
        rng: Seed = 0,
    ) -> MultivariateNormalMixture:
        """Fitted to the rows of X (n, D) by EM, in any units.

        A prior of D imagined rows for each component keeps it from collapsing onto a single row.
        n_components: a number, or "bic": the one of the best Bayesian information criterion, at
        most 10. sample_weight: (n,) >= 0. Cost: O(n K D^2) a step of EM, of which there are at most
        200. Errors: ValueError for rows that are not finite, constant columns, fewer rows than
        components.

        >>> x = MultivariateNormalMixture([[0], [9]], [[[1]], [[2]]]).sample(500, rng=0)
        >>> MultivariateNormalMixture.from_data(x).means.round(1).tolist()
        [[-0.1], [8.9]]
        """
        x = as_numbers("X", X)
        if x.ndim != 2:
            raise ValueError(f"X must be rows (n, D), not of shape {x.shape}")
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        weight = np.array(as_numbers("sample_weight", weight), float)
        if weight.shape != x.shape[:1] or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
            raise ValueError(
                f"sample_weight must be {len(x)} finite numbers >= 0, not all of them zero"
            )
        x, weight = x[weight > 0], weight[weight > 0]
        if n_components != "bic" and len(x) < check_dim("n_components", n_components):
            raise ValueError(f"{n_components} components need as many rows: X has {len(x)}")
        return fitted(x, weight / weight.sum(), n_components, rng, Standardize.from_data(x))

    @property
    def covariances(self) -> np.ndarray:
        """The covariance matrices of the components, (K, D, D)."""
        return self.scale_tril @ self.scale_tril.transpose(0, 2, 1)

    @property
    def inverse_factors(self) -> np.ndarray:
        """L_k^-1, (K, D, D): they whiten the components."""
        return _inverses(self.scale_tril)

    def marginal(self, columns: Sequence[int]) -> MultivariateNormalMixture:
        """p(x_a): the density of some of the columns, in the order in which they are given.

        >>> p = MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
        >>> p.marginal([1]).log_prob([[5.0]]).round(4)
        array([-0.9189])
        """
        columns = self._columns(columns)
        if not columns.size:
            raise ValueError("marginal: columns names none")
        return MultivariateNormalMixture(
            self.means[:, columns], _factors(self.scale_tril[:, columns]), self.weights
        )

    def given(self, known: ArrayLike | Mapping[int, float]) -> MultivariateNormalMixture:
        """p(x_b | x_a): the density of the other columns, in their order, where some are known.

        Components whose share of the known values is too small for a float are left out.

        Parameters
        ----------
        known : array_like or mapping
            (D,), NaN where a column is not known; or {column: value}.

        Examples
        --------
        >>> p = MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
        >>> p.given([2.0, np.nan]).means, p.given({1: 5.0}).covariances.round(2).tolist()
        (array([[6.6]]), [[[0.36]]])
        """
        if isinstance(known, Mapping):
            columns = self._columns(list(known))
            values = np.array(as_numbers("known", list(known.values())), float)
        else:
            row = as_numbers("known", known)
            if row.shape != (self.dim,):
                raise ValueError(f"known has shape ({self.dim},), NaN for unknown, not {row.shape}")
            columns = np.flatnonzero(~np.isnan(row))
            values = row[columns].astype(float)
        if not np.isfinite(values).all():
            raise ValueError(f"known values must be finite: {values}")
        if len(columns) == self.dim:
            raise ValueError("all columns are known, so none is left: log_prob scores a whole row")
        if not columns.size:
            return self
        others, a = np.setdiff1d(np.arange(self.dim), columns), len(columns)
        factors = _factors(self.scale_tril[:, [*columns, *others]])
        apart = values - self.means[:, columns]
        z = np.einsum("kij,kj->ki", _inverses(factors[:, :a, :a]), apart)
        with np.errstate(over="ignore"):
            log_p = -0.5 * (z**2).sum(axis=1)
        log_p += np.log(self.weights) - _log_diagonal(factors[:, :a, :a])
        weights = log_sum_exp(log_p)[1]
        if not weights.any():
            raise ValueError(f"the known values {values} are too far from every component")
        keep = weights > 0
        means = self.means[:, others] + np.einsum("kij,kj->ki", factors[:, a:, :a], z)
        return MultivariateNormalMixture(means[keep], factors[keep, a:, a:], weights[keep])

    def _columns(self, columns) -> np.ndarray:
        """Different numbers of columns, or a ValueError."""
        index = as_integers("columns", columns)
        if index.ndim != 1:
            raise ValueError(f"columns must be a list of numbers, not of shape {index.shape}")
        wrong = np.flatnonzero((index < 0) | (index >= self.dim))
        if wrong.size or len(set(index.tolist())) < len(index):
            raise ValueError(
                f"{named('column', index)}: each must be one of 0..{self.dim - 1}, and there once"
            )
        return index

    def _draw(self, n, rng):
        component = rng.choice(self.n_components, size=n, p=self.weights)
        x = rng.standard_normal((n, self.dim))
        for k, factor in enumerate(self.scale_tril):
            here = component == k
            x[here] = self.means[k] + x[here] @ factor.T
        return x

    def bind(self, at: Workspace) -> Bound:
        inverse, means = (a.astype(at.dtype) for a in (self.inverse_factors, self.means[..., None]))
        constant = (
            np.log(self.weights) - _log_diagonal(self.scale_tril) - self.dim / 2 * log(2 * pi)
        )
        constant, kept = constant.astype(at.dtype)[:, None], None

        def run(z, l):
            nonlocal kept
            u = inverse @ (np.asarray(z, at.dtype) - means)  # (K, D, N)
            terms = constant - 0.5 * (u * u).sum(axis=1)
            log_prob, posterior = log_sum_exp(terms, out=terms)
            kept = u, posterior
            np.add(l, log_prob, l)

        def back(l_bar):
            u, posterior = kept
            return -(inverse.transpose(0, 2, 1) @ (u * (posterior * l_bar)[:, None])).sum(axis=0)

        return run, back

    def __repr__(self):
        return f"MultivariateNormalMixture(n_components={self.n_components}, dim={self.dim})"


def fitted(
    x: np.ndarray, weight: np.ndarray, n_components: int | str, rng: Seed, standardize: Standardize
) -> MultivariateNormalMixture:
    """The mixture of the rows x (n, D), fitted where they are standardised and white; weight (n,)
    sums to 1."""
    rows, mean, factor = whitened(standardize.inverse(x), weight)
    sizes = [k for k in SIZES if k == 1 or k * 5 * (x.shape[1] + 1) <= len(x)]
    sizes = sizes if n_components == "bic" else [n_components]
    found = by_bic(rows, weight, sizes, np.random.default_rng(rng))
    found = moved(moved(found, mean, factor), standardize.mean, np.diag(standardize.scale))
    return MultivariateNormalMixture(*found)


def _factors(rows: np.ndarray) -> np.ndarray:
    """Lower triangular L (K, d, d) with L L^T = R R^T, of rows R (K, d, D) of other factors.

    By QR, R^T = Q U and L = U^T: no covariance matrix is formed, which would cost half the digits.
    """
    lower = np.linalg.qr(rows.transpose(0, 2, 1), mode="r").transpose(0, 2, 1)
    return np.tril(lower * np.sign(np.diagonal(lower, axis1=1, axis2=2))[:, None])


def _inverses(factors: np.ndarray) -> np.ndarray:
    """L_k^-1: with rows of length one first, since the units of columns may be far apart."""
    size = np.abs(factors).max(axis=2)
    return np.linalg.inv(factors / size[..., None]) / size[:, None]


def _log_diagonal(factors: np.ndarray) -> np.ndarray:
    """log det L_k, (K,)."""
    return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
