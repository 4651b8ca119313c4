"""Mixtures of Gaussians and of multivariate t densities with full matrices, fitted by EM."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Standardize
from ..core.inputs import as_numbers, check_dim, column_labels, positive
from .elliptical_mixture import EllipticalMixture
from .expectation_maximization import Components, best_of_starts, by_bic, moved, scarcity, whitened
from .incomplete_rows import MISSING, check_seen, components, moments_of_seen

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Seed

SIZES = (1, 2, 3, 4, 5, 6, 8, 10)  # numbers of components that the BIC compares


class MultivariateNormalMixture(EllipticalMixture):
    """A fixed mixture of K Gaussians with full covariance matrices.

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
        positive diagonal. From covariance matrices: `numpy.linalg.cholesky(covariances)`.
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

    @classmethod
    def from_data(
        cls,
        X: ArrayLike,
        n_components: int | str = "bic",
        sample_weight: ArrayLike | None = None,
        rng: Seed = 0,
        missing: str = "error",
    ) -> MultivariateNormalMixture:
        """Fit a mixture to the rows of X (n, D) by EM, in any units.

        A single Gaussian is nearly that of maximum likelihood if n is many times D. With fewer rows
        a prior noticeably shrinks the covariance matrix S of the standardised columns:

            (1 - r) S + r I        r = min(1, D/n)^2 times the OAS rule (Chen et al. 2010)

        If there are holes, r = m / (n + m) with m = D min(1, D/n')^2. Here n' is the least number
        of rows that have both values of a pair of columns. If there are several components, each
        gets D pseudo-rows, with the covariance of all rows times K^(-2/D), so that no component
        collapses onto a single row.

        n_components: a number, or "bic": the number with the best Bayesian information criterion,
        at most 10. sample_weight: (n,) >= 0, of which only the ratios matter: n is then the
        effective number of rows, (sum w)^2 / sum w^2. missing: "error", or "learn": NaN is unknown,
        and rows contribute the log-density of their known values; rows without a value are left
        out. Whether a value is missing may depend on known values, but not on the value itself.
        Cost: O(n K D^2) per step of EM; there are at most 200 steps. Errors: ValueError for rows
        that are not finite, columns that are constant or without a value, fewer rows than
        components.

        >>> x = MultivariateNormalMixture([[0], [9]], [[[1]], [[2]]]).sample(500, rng=0)
        >>> MultivariateNormalMixture.from_data(x).means.round(1).tolist()
        [[-0.1], [8.9]]
        """
        x, weight, standardize = _weighted_rows(X, n_components, sample_weight, missing)
        return fitted(x, weight, n_components, rng, standardize)

    @property
    def covariances(self) -> np.ndarray:
        """The covariance matrices of the components, (K, D, D)."""
        return self.scale_tril @ self.scale_tril.transpose(0, 2, 1)


class MultivariateTMixture(EllipticalMixture):
    """A fixed mixture of K multivariate t densities with full matrices.

        log p(x) = log sum_k w_k t(x; m_k, L_k L_k^T, df)
        t(x; m, S, df) ~ (1 + (x - m)^T S^-1 (x - m) / df)^(-(df + D)/2) / det(S)^(1/2)

    Because its tails are heavier than Gaussian tails, it is a good proposal for importance weights.
    `marginal` and `given` are exact; the result of `given` has df + (number of known columns)
    degrees of freedom. Cost: O(K D^2) per row. Errors: ValueError for values of a wrong shape, or
    out of range.

    Parameters
    ----------
    means : array_like
        (K, D).
    scale_tril : array_like
        (K, D, D), lower triangular factors L_k with a positive diagonal. The covariance matrices
        are df / (df - 2) L_k L_k^T.
    weights : array_like
        (K,), > 0, scaled to sum to 1; None: all equal.
    df : float
        The degrees of freedom of all components, > 0.

    References
    ----------
    Peel and McLachlan 2000, "Robust mixture modelling using the t distribution" (the EM); Ding 2016
    (conditionals).

    Examples
    --------
    >>> p = MultivariateTMixture([[0.0, 0.0]], [[[1, 0], [0.8, 0.6]]])
    >>> p
    MultivariateTMixture(n_components=1, dim=2, df=5)
    >>> p.given({0: 1.0})
    MultivariateTMixture(n_components=1, dim=1, df=6)
    >>> p.log_prob([[1.0, 0.8]]).round(4), p.marginal([0]).log_prob([[1.0]]).round(4)
    (array([-1.9652]), array([-1.5156]))
    """

    def __init__(
        self,
        means: ArrayLike,
        scale_tril: ArrayLike,
        weights: ArrayLike | None = None,
        df: float = 5.0,
    ):
        super().__init__(means, scale_tril, weights)
        self.df = positive("df", df)

    @classmethod
    def from_data(
        cls,
        X: ArrayLike,
        n_components: int | str = "bic",
        sample_weight: ArrayLike | None = None,
        rng: Seed = 0,
        df: float = 5.0,
        missing: str = "error",
    ) -> MultivariateTMixture:
        """Fit a mixture to the rows X (n, D) by EM, df fixed; see `MultivariateNormalMixture`."""
        x, weight, standardize = _weighted_rows(X, n_components, sample_weight, missing)
        df = positive("df", df)
        return cls(*_components(x, weight, n_components, rng, standardize, df), df)

    def _with(self, means, factors, weights, df):
        return MultivariateTMixture(means, factors, weights, df)

    def __repr__(self):
        return f"{super().__repr__()[:-1]}, df={self.df:g})"


def fitted(
    x: np.ndarray, weight: np.ndarray, n_components: int | str, rng: Seed, standardize: Standardize
) -> MultivariateNormalMixture:
    """The mixture of the rows x (n, D), fitted where they are standardised and white; weight (n,)
    sums to 1."""
    return MultivariateNormalMixture(*_components(x, weight, n_components, rng, standardize, inf))


def _components(x, weight, n_components, rng, standardize, df) -> Components:
    rng, (n, dim) = np.random.default_rng(rng), x.shape
    sizes = [k for k in SIZES if k == 1 or k * 5 * (dim + 1) <= n]
    sizes = sizes if n_components == "bic" else [n_components]
    rows = standardize.inverse(x)
    if np.isnan(rows).any():
        found = components(rows, weight, sizes, rng, df)
    else:
        n_rows = 1 / np.sum(weight**2)  # the effective number
        white, mean, factor = whitened(rows, weight, scarcity(n_rows, dim))
        fit = lambda k: best_of_starts(white, weight, [white], k, rng, df=df)  # noqa: E731
        found = moved(by_bic(fit, n_rows, dim, sizes), mean, factor)
    return moved(found, standardize.mean, np.diag(standardize.scale))


def _weighted_rows(X, n_components, sample_weight, missing):
    """The rows of X that have weight and know something, their weights, which sum to 1, and
    x = mean + scale z of what they know; or a ValueError."""
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(map(repr, MISSING))}: got {missing!r}")
    x, labels = as_numbers("X", X).astype(float), column_labels(X)
    if x.ndim != 2:
        raise ValueError(f"X must be rows (n, D), not of shape {x.shape}")
    weight = np.ones(len(x)) if sample_weight is None else sample_weight
    weight = np.array(as_numbers("sample_weight", weight), float)
    if weight.shape != x.shape[:1] or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError(
            f"sample_weight must be {len(x)} finite numbers >= 0, not all of them zero"
        )
    learn = missing == "learn" and np.isnan(x).any()
    kept = weight > 0
    if learn:
        check_seen(x[kept], labels)
        kept = kept & ~np.isnan(x).all(axis=1)
    x, weight = x[kept], weight[kept]
    if n_components != "bic" and len(x) < check_dim("n_components", n_components):
        raise ValueError(f"{n_components} components need as many rows: X has {len(x)}")
    standardize = Standardize(x.shape[1]) if learn else Standardize.from_data(x)  # which checks x
    weight = weight / weight.sum()
    return x, weight, standardize.with_moments(*moments_of_seen(x, weight))
