"""A base with modes: a mixture of Gaussians, trained together with the flow."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Standardize
from ..core import imported, log_sum_exp
from ..core.inputs import as_numbers, check_dim
from .distribution import BaseDistribution, Normal
from .law import mixed, moved
from .mixture import mixture_weights

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, DTypeLike, Seed, Workspace


class GaussianMixture(BaseDistribution):
    """A trained mixture of K Gaussians with diagonal covariances.

        log p(z) = log sum_k w_k prod_i N(z_i; mu_ki, s_ki^2)

    `params` = [logits (K), means (K D), log scales (K D)] with w = softmax(logits), so that every
    value is valid. Because a flow is continuous, it cannot map one mode onto two without a bridge
    between them. A base of two modes needs no bridge. `from_data` starts at the modes of data,
    `spread` at random places. The likelihood of a mixture has no upper bound, because a component
    can shrink onto one row. There are then too many components, and the validation NLL shows it.

    Cost: O(K D) per row. Errors: ValueError for values of a wrong shape, or out of range.

    Parameters
    ----------
    means : array_like
        (K, D), the initial means.
    scales : array_like
        Initial standard deviations: a number, or (K, D); > 0.
    weights : array_like
        (K,), > 0, scaled to sum to 1; None: all equal.
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> mixture = GaussianMixture([[-2.0, 0.0], [2.0, 0.0]], scales=0.5, weights=[3, 1])
    >>> mixture
    GaussianMixture(n_components=2, dim=2)
    >>> mixture.weights, mixture.log_prob([[-2.0, 0.0], [2.0, 0.0]]).round(4)
    (array([0.75, 0.25]), array([-0.7393, -1.8379]))
    """

    clampable = True

    def __init__(
        self,
        means: ArrayLike,
        scales: ArrayLike = 1.0,
        weights: ArrayLike | None = None,
        dtype: DTypeLike = float,
    ):
        means = as_numbers("means", means).astype(float)
        scales = as_numbers("scales", scales).astype(float)
        if means.ndim != 2 or means.size == 0 or not np.isfinite(means).all():
            raise ValueError(f"means must be finite, of shape (K, D), not {means} of {means.shape}")
        self.n_components, self.dim = means.shape
        good = (scales > 0) & np.isfinite(scales)
        if scales.shape not in ((), means.shape) or not good.all():
            raise ValueError(f"scales must be positive, a number or of {means.shape}: {scales}")
        log_scales = np.broadcast_to(np.log(scales), means.shape)
        logits = np.log(mixture_weights(weights, len(means)))
        self.params = np.concatenate([logits, means.ravel(), log_scales.ravel()]).astype(dtype)

    @classmethod
    def from_data(
        cls, X: ArrayLike, n_components: int, rng: Seed = 0, dtype: DTypeLike = float
    ) -> GaussianMixture:
        """Fit a mixture to the rows of X (n, D), in their own units, by scikit-learn's EM."""
        mixture = imported("sklearn.mixture")
        n_components = check_dim("n_components", n_components)
        X = as_numbers("X", X).astype(float)
        standardize = Standardize.from_data(X)  # EM's tolerances are absolute numbers
        rows = standardize.inverse(X)
        if len(rows) < n_components:
            raise ValueError(f"{n_components} components need as many rows: X has {len(rows)}")
        seed = int(np.random.default_rng(rng).integers(2**31))
        em = mixture.GaussianMixture(n_components, covariance_type="diag", random_state=seed)
        em.fit(rows)
        scales = standardize.scale * np.sqrt(em.covariances_)
        return cls(standardize.forward(em.means_), scales, em.weights_, dtype)

    @classmethod
    def spread(
        cls, n_components: int, dim: int, rng: Seed = 0, dtype: DTypeLike = float
    ) -> GaussianMixture:
        """Components of scale 1/2 at random places; the mixture has about mean 0 and variance 1.

        >>> GaussianMixture.spread(3, dim=2).n_params
        15
        """
        shape = check_dim("n_components", n_components), check_dim("dim", dim)
        means = np.sqrt(0.75) * np.random.default_rng(rng).standard_normal(shape)
        return cls(means, 0.5, dtype=dtype)

    @property
    def means(self) -> np.ndarray:
        """The means of the components, (K, D)."""
        return self._split(self.params)[1]

    @property
    def scales(self) -> np.ndarray:
        """The standard deviations of the components, (K, D)."""
        return np.exp(self._split(self.params)[2])

    @property
    def weights(self) -> np.ndarray:
        """The weights of the components, (K,), which sum to one."""
        return log_sum_exp(self._split(self.params)[0])[1]

    def _split(self, theta):
        """logits (K,), means (K, D), log scales (K, D)."""
        k, shape = self.n_components, (self.n_components, self.dim)
        means, log_scales = theta[k:].reshape((2, *shape))
        return theta[:k], means, log_scales

    def mean(self) -> np.ndarray:
        return self.weights @ self.means

    def std(self) -> np.ndarray:
        # within components and between them; not E z^2 - (E z)^2, which cancels
        squares = self.scales**2 + (self.means - self.mean()) ** 2
        return np.sqrt(self.weights @ squares)

    def _draw(self, n, rng):
        weights = self.weights.astype(float)
        component = rng.choice(self.n_components, size=n, p=weights / weights.sum())
        noise = rng.standard_normal((n, self.dim))
        return self.means[component] + self.scales[component] * noise

    def _law(self, context=None):
        places = zip(self.means.astype(float), self.scales.astype(float), strict=True)
        laws = [moved(Normal(1)._law(), *place) for place in places]
        return mixed(self.weights, laws)

    def bind(self, at: Workspace) -> Bound:
        theta, theta_bar = at.params(self)
        logits, means, log_scales = self._split(theta)
        logits_bar, means_bar, log_scales_bar = self._split(theta_bar)
        normalizer, kept = 0.5 * self.dim * log(2 * pi), None

        def run(z, l):
            nonlocal kept
            total, weights = log_sum_exp(logits)
            precision = np.exp(-log_scales)[..., None]
            u = (np.asarray(z, at.dtype) - means[..., None]) * precision  # (K, D, N)
            if at.present is None:
                norms = (log_scales.sum(axis=1) + normalizer)[:, None]  # -log N(0), u = 0
            else:
                u *= at.present
                norms = log_scales @ at.present + 0.5 * log(2 * pi) * at.present.sum(axis=0)
            terms = (logits - total)[:, None] - norms - 0.5 * (u * u).sum(axis=1)
            log_prob, posterior = log_sum_exp(terms, out=terms)
            kept = u, precision, weights, posterior
            np.add(l, log_prob, l)

        def back(l_bar):
            u, precision, weights, posterior = kept
            terms_bar = posterior * l_bar  # d/d log(w_k N_k), (K, N)
            u_bar = terms_bar[:, None] * u
            logits_bar[...] = terms_bar.sum(axis=1) - weights * l_bar.sum()
            means_bar[...] = u_bar.sum(axis=2) * precision[..., 0]
            if at.present is None:
                norms_bar = terms_bar.sum(axis=1)[:, None]
            else:
                norms_bar = terms_bar @ at.present.T
            log_scales_bar[...] = (u_bar * u).sum(axis=2) - norms_bar
            return -(u_bar * precision).sum(axis=0)

        return run, back

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        # only the shape counts: all values are in `params`, where exp(log scale) may overflow
        return {"means": np.zeros((self.n_components, self.dim))}

    def __repr__(self):
        return f"GaussianMixture(n_components={self.n_components}, dim={self.dim})"
