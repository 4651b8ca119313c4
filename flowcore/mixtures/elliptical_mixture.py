"""The common part of mixtures of Gaussians and of t densities: exact conditionals and marginals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, lgamma, log, pi
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Workspace, frozen, log_sum_exp
from ..core.inputs import as_numbers
from ..distributions.bases import StudentT
from ..distributions.columns import column_numbers, equal_rows, known_row
from ..distributions.distribution import BaseDistribution, Normal
from ..distributions.law import mixed, moved
from ..distributions.mixture import mixture_weights

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Seed


class EllipticalMixture(BaseDistribution):
    """A fixed mixture of Gaussians (df = inf) or of multivariate t densities.

        log p(x) = log sum_k w_k g(|L_k^-1 (x - m_k)|^2) / det L_k
        g(s) ~ exp(-s/2)   or   (1 + s/df)^(-(df + D)/2)

    The conditional of a t component has df + (number of known columns) degrees of freedom, and
    becomes wider if the known values are far from the centre (Ding 2016, "On the conditional
    distribution of the multivariate t distribution").
    """

    df, clampable = inf, True

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

    @property
    def inverse_factors(self) -> np.ndarray:
        """L_k^-1, (K, D, D): they whiten the components."""
        return _inverses(self.scale_tril)

    def mean(self) -> np.ndarray:
        return self.weights @ self.means if self.df > 1 else np.full(self.dim, np.nan)

    def std(self) -> np.ndarray:
        if self.df <= 2:
            return np.full(self.dim, inf if self.df > 1 else np.nan)
        widening = 1.0 if self.df == inf else self.df / (self.df - 2)
        squares = widening * (self.scale_tril**2).sum(axis=2) + (self.means - self.mean()) ** 2
        return np.sqrt(self.weights @ squares)

    def marginal(self, columns: Sequence[int]) -> EllipticalMixture:
        """p(x_a): the density of some of the columns, in the order in which they are given.

        The result is exact, and a mixture of the same kind.
        """
        columns = column_numbers(columns, self.dim)
        if not columns.size:
            raise ValueError("marginal: columns names none")
        factors = _factors(self.scale_tril[:, columns])
        return self._with(self.means[:, columns], factors, self.weights, self.df)

    def given(self, known: ArrayLike | Mapping[int, float], **options: Any) -> EllipticalMixture:
        """p(x_b | x_a): the density of the other columns, in their order, given some known ones.

        The result is exact, and a mixture of the same kind. Components whose share of the known
        values is too small for a float are left out.

        Parameters
        ----------
        known : array_like or mapping
            (D,), NaN for unknown columns; or {column: value}.
        **options
            None: an exact answer needs no draws.
        """
        if options:
            raise TypeError(f"conditionals of mixtures are exact, and take no {', '.join(options)}")
        row = known_row(known, self.dim)
        columns = np.flatnonzero(~np.isnan(row))
        if not columns.size:
            return self
        log_w, means, stretch, factors = self.components_given(columns, row[None, columns])
        weights = log_sum_exp(log_w)[1][:, 0]
        if not weights.any():
            raise ValueError(f"the known values {row[columns]} are too far from every component")
        keep = weights > 0
        factors = (factors * stretch[..., None])[keep]
        return self._with(means[keep, 0], factors, weights[keep], self.df + len(columns))

    def sample_given(
        self, rows: ArrayLike, n: int, rng: Seed | list[np.random.Generator] = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """n draws of each row's unknown values, and log p(x_b | x_a) at the draws.

        rows (m, D) have NaN in the same columns. rng: one for all rows, or a list with a generator
        for each. Returns whole rows (m, n, D), in which the known values stay, and (m, n) in nats.
        Cost: O(K D^2) a draw.
        """
        rows = as_numbers("rows", rows).astype(float)
        rngs = rng if isinstance(rng, list) else [np.random.default_rng(rng)]
        hole = np.isnan(rows).all(axis=0)
        if (np.isnan(rows) != hole).any() or not hole.any():
            raise ValueError("rows must have NaN in the same columns, one at least")
        known = np.flatnonzero(~hole)
        log_w, means, stretch, factors = self.components_given(known, rows[:, known])
        log_known, shares = log_sum_exp(log_w)
        each = len(rows) // len(rngs), n
        steps = np.concatenate([own.random((*each, 1)) for own in rngs])
        steps = steps * shares.sum(axis=0)[:, None, None]
        who = (steps > np.cumsum(shares, axis=0).T[:, None]).sum(axis=2)  # (m, n)
        who = np.minimum(who, self.n_components - 1)
        shape, df = (*each, hole.sum()), self.df + len(known)
        noise = np.concatenate([self._noise(own, shape, df) for own in rngs])
        x, row = np.repeat(rows[:, None], n, axis=1), np.arange(len(rows))[:, None]
        for k, factor in enumerate(factors):
            noise[who == k] = noise[who == k] @ factor.T
        x[..., hole] = means[who, row] + stretch[who, row][..., None] * noise
        log_known = np.where(np.isneginf(log_known), 0.0, log_known)  # too far out for floats
        return x, self.log_prob(x) - log_known[:, None]

    def log_prob_of_components(self, rows: np.ndarray) -> np.ndarray:
        """log w_k p_k(x_a), (K, n), of rows (n, D) that have NaN in the same columns."""
        known = np.flatnonzero(~np.isnan(rows[:1]).all(axis=0))
        if not known.size:
            return np.repeat(np.log(self.weights)[:, None], len(rows), axis=1)
        return self.components_given(known, rows[:, known])[0]

    def log_prob_without(
        self, rows: np.ndarray, blocks: Iterable[Sequence[int]]
    ) -> Iterator[np.ndarray]:
        """log w_k p_k of the known columns outside of a block, (K, n), for each block of columns.

        rows (n, D) have NaN in the same columns. With u = L_k^-1 (x - m_k) and an orthonormal basis
        Q of the block's columns of L_k^-1, the other columns have the squared length of
        u - Q Q^T u. Cost: about one `log_prob` for all blocks together.
        """
        known = np.flatnonzero(~np.isnan(rows[:1]).all(axis=0))
        whole, n = self.marginal(known) if known.size else self, known.size
        lower, inverse = whole.scale_tril[:, :n, :n], whole.inverse_factors[:, :n, :n]
        u = inverse @ (rows[:, known].T - whole.means[:, :n, None])  # (K, n known, rows)
        constant = np.log(self.weights) - _log_diagonal(lower)
        for block in blocks:
            own = np.isin(known, block)
            rest = n - np.count_nonzero(own)
            basis, r = np.linalg.qr(inverse[:, :, own])
            with np.errstate(over="ignore"):
                squares = ((u - basis @ (basis.transpose(0, 2, 1) @ u)) ** 2).sum(axis=1)
            height = constant - _log_diagonal(np.abs(r)) + self._log_norm(rest)
            yield height[:, None] + self._profile(squares, rest)[0]

    def likely(self, rows: np.ndarray, log_w: np.ndarray) -> np.ndarray:
        """Rows (n, D) with likely values in place of NaN, which are in the same columns.

        They are the centre of that component of the conditional whose density is highest at its own
        centre. log_w (K, n): the weights of the components given the known values, as logarithms.
        """
        hole, filled = np.isnan(rows[:1]).all(axis=0), rows.copy()
        known = np.flatnonzero(~hole)
        _, means, stretch, factors = self.components_given(known, rows[:, known])
        height = log_w - _log_diagonal(factors)[:, None] - hole.sum() * np.log(stretch)
        filled[:, hole] = means[height.argmax(axis=0), np.arange(len(rows))]
        return filled

    def sample_components(
        self, rows: np.ndarray, which: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Rows (n, D) in which the NaN, in the same columns, are replaced by draws from component
        which (n,), given the known values."""
        hole, x = np.isnan(rows[:1]).all(axis=0), rows.copy()
        known = np.flatnonzero(~hole)
        for k in np.unique(which):
            here, one = which == k, [k]
            own = self._with(self.means[one], self.scale_tril[one], np.ones(1), self.df)
            _, means, stretch, factors = own.components_given(known, rows[here][:, known])
            noise = self._noise(rng, means.shape[1:], self.df + len(known))
            x[np.ix_(here, hole)] = means[0] + stretch[0, :, None] * (noise @ factors[0].T)
        return x

    def components_given(self, columns, values):
        """Where these columns have the values (m, a): log w_k p_k(x_a) (K, m), means of the other
        columns (K, m, b), and the stretch (K, m) of their factors (K, b, b)."""
        others, a = np.setdiff1d(np.arange(self.dim), columns), len(columns)
        factors = _factors(self.scale_tril[:, [*columns, *others]])
        apart = values - self.means[:, None, columns]  # (K, m, a)
        z = np.einsum("kij,kmj->kmi", _inverses(factors[:, :a, :a]), apart)
        with np.errstate(over="ignore"):
            squares = (z**2).sum(axis=2)
        constant = np.log(self.weights) - _log_diagonal(factors[:, :a, :a])
        log_w = (constant + self._log_norm(a))[:, None] + self._profile(squares, a)[0]
        means = self.means[:, None, others] + np.einsum("kij,kmj->kmi", factors[:, a:, :a], z)
        with np.errstate(over="ignore"):
            nu = self.df
            stretch = np.ones_like(squares) if nu == inf else np.sqrt((nu + squares) / (nu + a))
        return log_w, means, stretch, factors[:, a:, a:]

    def _with(self, means, factors, weights, df) -> EllipticalMixture:
        """A mixture of the same kind."""
        return type(self)(means, factors, weights)

    def _log_norm(self, dim) -> float:
        """log g(0) of `dim` columns."""
        if self.df == inf:
            return -dim / 2 * log(2 * pi)
        half = self.df / 2
        return lgamma(half + dim / 2) - lgamma(half) - dim / 2 * log(self.df * pi)

    def _profile(self, squares, dim):
        """log(g(s) / g(0)), and -2 times its slope, of squared lengths s."""
        if self.df == inf:
            return -0.5 * squares, 1.0
        nu = self.df
        return -(nu + dim) / 2 * np.log1p(squares / nu), (nu + dim) / (nu + squares)

    @staticmethod
    def _noise(rng, shape, df):
        """Draws of g itself, (..., D)."""
        noise = rng.standard_normal(shape)
        if df < inf:
            noise *= np.sqrt(df / rng.chisquare(df, (*shape[:-1], 1)))
        return noise

    def _draw(self, n, rng):
        component = rng.choice(self.n_components, size=n, p=self.weights)
        x = self._noise(rng, (n, self.dim), self.df)
        for k, factor in enumerate(self.scale_tril):
            here = component == k
            x[here] = self.means[k] + x[here] @ factor.T
        return x

    def _law(self, context=None):
        one = (Normal(1) if self.df == inf else StudentT(1, self.df))._law()
        scales = np.sqrt((self.scale_tril**2).sum(axis=2))
        places = zip(self.means, scales, strict=True)
        return mixed(self.weights, [moved(one, *place) for place in places])

    def bind(self, at: Workspace) -> Bound:
        if at.present is not None:
            return self._bind_marginals(at)
        inverse, means = self.inverse_factors, self.means[..., None]  # float64: rows may be far out
        constant = np.log(self.weights) - _log_diagonal(self.scale_tril) + self._log_norm(self.dim)
        constant, kept = constant[:, None], None

        def run(z, l):
            nonlocal kept
            u = inverse @ (z - means)  # (K, D, N)
            fall, slope = self._profile((u * u).sum(axis=1), self.dim)
            terms = constant + fall
            log_prob, posterior = log_sum_exp(terms, out=terms)
            kept = u, slope, posterior
            np.add(l, log_prob, l)

        def back(l_bar):
            u, slope, posterior = kept
            u_bar = u * (slope * posterior * l_bar)[:, None]
            return -(inverse.transpose(0, 2, 1) @ u_bar).sum(axis=0).astype(at.dtype)

        return run, back

    def _bind_marginals(self, at):
        """The marginal density of the coordinates that each row has: one for each pattern."""
        bound = None

        def run(z, l):
            nonlocal bound
            bound = []
            for rows in equal_rows(at.present.T):
                columns = np.flatnonzero(at.present[:, rows[0]])
                if not columns.size:
                    continue
                marginal = self.marginal(columns)
                log_p, part = marginal.bind(Workspace(marginal, len(rows), at.dtype, at.tape))
                own = np.zeros(len(rows), at.dtype)
                log_p(z[np.ix_(columns, rows)], own)
                l[rows] += own
                bound.append((columns, rows, part))

        def back(l_bar):
            z_bar = np.zeros((self.dim, at.n_rows), at.dtype)
            for columns, rows, part in bound:
                z_bar[np.ix_(columns, rows)] = part(l_bar[rows])
            return z_bar

        return run, back

    def __repr__(self):
        return f"{type(self).__name__}(n_components={self.n_components}, dim={self.dim})"


def _factors(rows: np.ndarray) -> np.ndarray:
    """Lower triangular L (K, d, d) with L L^T = R R^T, of rows R (K, d, D) of other factors.

    By QR, R^T = Q U and L = U^T: no covariance matrix is formed, which would cost half the digits.
    """
    lower = np.linalg.qr(rows.transpose(0, 2, 1), mode="r").transpose(0, 2, 1)
    return np.tril(lower * np.sign(np.diagonal(lower, axis1=1, axis2=2))[:, None])


def _inverses(factors: np.ndarray) -> np.ndarray:
    """L_k^-1: with rows of length one first, since the units of columns may be far apart."""
    size = np.abs(factors).max(axis=2, initial=0)
    return np.linalg.inv(factors / size[..., None]) / size[:, None]


def _log_diagonal(factors: np.ndarray) -> np.ndarray:
    """log det L_k, (K,)."""
    return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
