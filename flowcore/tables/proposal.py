"""The proposal for importance weights of a table: a mixture of codes c and points z of the line.

    g(c, z) = sum_k w_k t_k(z) prod_j p_kj(c_j)

t_k are multivariate t densities and p_kj probabilities, so every conditional and marginal is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Standardize
from ..core import log_sum_exp
from ..files import Record
from ..mixtures import MultivariateTMixture
from ..mixtures.expectation_maximization import (
    expectation_maximization,
    first_shares,
    moved,
    whitened,
)
from .frequencies import draw
from .latent_classes import one_hot

if TYPE_CHECKING:
    from .density import TableDensity

DF = 5.0  # degrees of freedom
DRAWS, COMPONENTS = (8_000, 20_000), (3, 20)  # at least and at most; of wide tables fewer:
FEATURES, PRODUCTS = 2**24, 2**26  # squares of all draws; and the same, times the components
IMAGINED = 2.0  # rows of every component, distributed as the whole column
BINS, EVEN = 512, 0.1  # of a histogram; the share of it that is spread evenly
NARROW = 1e-11  # of the mass: draws between such ends are even, since floats would show
TRIM, FOREST = 0.1, 2000  # of the weight; draws for the forest
NEAR, FAR = 5.0, 40.0  # widths of a component within which most of it is, and all of it


@dataclass(eq=False)
class MixedMixture(Record):
    """The mixture g of codes and points; see the top of this file.

    Codes -1 and numbers NaN are unknown, in the same columns of all rows of a call. A code L, for
    all unseen values, carries no information.
    """

    mixture: MultivariateTMixture
    probabilities: Sequence[np.ndarray]  # of each column (K, L)

    @classmethod
    def fitted(cls, density: TableDensity, rng: np.random.Generator) -> MixedMixture:
        """Fitted by EM to 20,000 draws of the density; for wide tables to fewer.

        A table without numbers has noise in their place, which no question reads.
        20 components, for wide tables fewer. (BIC would choose fewer, but it guards against few
        rows, and there can be any number of draws.)
        """
        categories, dim = density.categories_, max(density.coordinates_.dim, 1)
        features = (dim + 1) * (dim + 2) // 2
        n = int(np.clip(FEATURES // features, *DRAWS))
        k = int(np.clip(PRODUCTS // (n * features), *COMPONENTS))
        codes = np.zeros((n, 0), np.int64) if categories is None else categories.sample(n, rng)
        if density.density_ is None:
            z = rng.standard_normal((n, 1))
        else:
            z = np.asarray(density.sample_on_line(codes, rng), float)
        near = np.isfinite(z).all(axis=1)
        codes, z = codes[near], z[near]
        weight, scale = np.full(len(z), 1 / len(z)), Standardize.from_data(z)
        white, mean, factor = whitened(scale.inverse(z), weight)
        shares = None if categories is None else _Shares(codes, categories.sizes)
        seen = white if shares is None else np.hstack([white, shares.scaled])
        start = first_shares(seen, weight, k, rng), 1.0, DF
        components = expectation_maximization(white, weight, *start, shares and shares.fitted)[1]
        components = moved(moved(components, mean, factor), scale.mean, np.diag(scale.scale))
        return cls(MultivariateTMixture(*components, DF), shares.probabilities if shares else [])

    def without(self, forbidden: Sequence[tuple[int, int]]) -> MixedMixture:
        """The same without some values: pairs of a column and a code."""
        probabilities = [p.copy() for p in self.probabilities]
        for column, code in forbidden:
            p = probabilities[column]
            p[:, code] = 0
            total = p.sum(axis=1, keepdims=True)
            probabilities[column] = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
        return MixedMixture(self.mixture, probabilities)

    def log_prob(self, codes: np.ndarray, z: np.ndarray) -> np.ndarray:
        """log g of the known values of rows, (n,)."""
        return log_sum_exp(self._log_components(codes, z))[0]

    def log_prob_given_rest(
        self, codes: np.ndarray, z: np.ndarray, there: np.ndarray, places: Sequence
    ) -> np.ndarray:
        """log g(a column | the other columns) of rows, for each (part, codes, coordinates) of P
        places; and log g of the rows: (n, P + 1).

        there (n, D): whether a number is present; the other numbers do not count in their column.
        """
        own = [self._log_code(j, codes) for j in range(codes.shape[1])]
        every, found = sum(own), []
        blocks = [range(d.start, d.stop) for _, _, d in places]
        whole, *without = self.mixture.log_prob_without(z, [(), *blocks])
        whole = log_sum_exp(whole + every)[0]
        for (_, k, d), log_p in zip(places, without, strict=True):
            of_codes = log_sum_exp(log_p + every)[0]
            rest = log_sum_exp(log_p + every - sum(own[k]))[0]
            found.append(np.where(there[:, d].all(axis=1), whole, of_codes) - rest)
        return np.stack([*found, whole], axis=1)

    def likely(
        self, codes: np.ndarray, z: np.ndarray, k: slice, allowed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose unknown code, if there is one in k, and then numbers have likely values.

        allowed (n, L): which codes are possible. The code is the most probable one, given the known
        values; for the numbers see `EllipticalMixture.likely`.
        """
        codes, log_p = codes.copy(), self._log_components(codes, z)
        for j in range(k.start, k.stop):
            p = log_sum_exp(log_p)[1].T @ self.probabilities[j]
            codes[:, j] = np.where(allowed, p, -1).argmax(axis=1)
            log_p = log_p + self._log_code(j, codes)
        return codes, self.mixture.likely(z, log_p) if z.shape[1] else z

    def without_isolated(self, rng: np.random.Generator) -> MixedMixture:
        """The same without the most isolated components, together at most a tenth of the weight.

        Isolation: that of their centres, by a forest fitted to draws (Liu, Ting and Zhou 2008,
        "Isolation forest").
        """
        from sklearn.ensemble import IsolationForest

        own = self.mixture
        forest = IsolationForest(random_state=int(rng.integers(2**31)))
        forest.fit(own.sample(FOREST, rng) / own.std())
        order = forest.score_samples(own.means / own.std()).argsort()
        kept = np.sort(order[np.cumsum(own.weights[order]) > TRIM])
        weights = own.weights[kept] / own.weights[kept].sum()
        mixture = MultivariateTMixture(own.means[kept], own.scale_tril[kept], weights, own.df)
        return MixedMixture(mixture, [p[kept] for p in self.probabilities])

    def sample_codes(
        self, codes: np.ndarray, z: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Codes (n, K) in which the unknown ones are drawn, given all that is known."""
        components, drawn = self._drawn_components(codes, z, rng), codes.copy()
        for k in np.flatnonzero((codes[:1] < 0).any(axis=0)):
            drawn[:, k] = draw(self.probabilities[k], components, rng)
        return drawn

    def sample_numbers(
        self, codes: np.ndarray, z: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Points (n, D) in which the unknown numbers are drawn, given all codes and the others."""
        return self.mixture.sample_components(z, self._drawn_components(codes, z, rng), rng)

    def _drawn_components(self, codes, z, rng) -> np.ndarray:
        log_p, shares = log_sum_exp(self._log_components(codes, z))
        shares[:, np.isneginf(log_p)] = self.mixture.weights[:, None]  # values that were taken out
        return draw(shares.T, np.arange(len(codes)), rng)

    def _log_components(self, codes, z) -> np.ndarray:
        """log w_k t_k(z_a) prod_a p_kj(c_j), (K, n)."""
        log_p = self.mixture.log_prob_of_components(z)
        for j in range(codes.shape[1]):
            log_p = log_p + self._log_code(j, codes)
        return log_p

    def _log_code(self, j: int, codes) -> np.ndarray | float:
        """log p_kj(c_j), (K, n); 0 if it is unknown."""
        p, column = self.probabilities[j], codes[:, j]
        if not (column >= 0).all():
            return 0.0
        with np.errstate(divide="ignore"):  # a value that was taken out
            return np.log(np.column_stack([p, np.ones(len(p))]))[:, column]


class _Shares:
    """p_kj of codes (n, K), fitted to the shares of components in their rows."""

    def __init__(self, codes: np.ndarray, sizes: Sequence[int]):
        self.ones, self.ends = one_hot(codes, sizes), np.cumsum(sizes)[:-1]
        each = np.repeat(sizes, sizes)  # of every value, how many its column has
        self.overall = (self.ones.sum(axis=0) + 1 / each) / (len(codes) + 1)
        self.probabilities: list[np.ndarray] = []

    @property
    def scaled(self) -> np.ndarray:
        """(n, C): 1 in the place of each code, standardised."""
        ones = self.ones.toarray()
        return ones[:, ones.any(axis=0)] / np.maximum(ones.std(axis=0), 1e-9)[ones.any(axis=0)]

    def fitted(self, shares: np.ndarray) -> np.ndarray:
        """log prod_j p_kj(c_j) of every row, (K, n), by probabilities of these shares (K, n)."""
        p = shares @ self.ones + IMAGINED * self.overall
        p /= shares.sum(axis=1, keepdims=True) + IMAGINED
        self.probabilities = np.split(p, self.ends, axis=1)
        return (self.ones @ np.log(p).T).T


class Proposal:
    """Draws of the unknown values of rows, and their density, given the known ones.

        c_b ~ 1/2 g(c_b | c_a, z_a) + 1/2 p(c_b | c_a),      z_b ~ g(z_b | z_a, c)

    p(c_b | c_a) is exact. The first half uses what numbers imply about categories, the second half
    dependences between categories that the components of g lack. If an interval of a number is
    known, z_a has a point in it, drawn from a histogram.

    Parameters
    ----------
    categories : CategoricalMixture or None
        p(c).
    mixed : MixedMixture
        g.
    codes, z : ndarray
        (m, K), (m, D): the known values, and -1 and NaN for the others, in the same columns of
        every row.
    ends : ndarray
        (2, m, D): ends of intervals, NaN elsewhere.
    n : int
        Number of draws for each row.
    """

    def __init__(self, categories, mixed, codes, z, ends, n):
        self.categories, self.mixed, self.n, self.codes = categories, mixed, n, codes
        self.many, self.z = np.repeat(codes, n, axis=0), np.repeat(z, n, axis=0)
        self.intervals, self.ends = np.flatnonzero(~np.isnan(ends[0, 0])), ends
        self.free = np.isnan(z[0]) & np.isnan(ends[0, 0])

    @cached_property
    def histograms(self) -> list[Histogram]:
        """Of the numbers of which an interval is known."""
        return [Histogram(self.mixed, j, self.ends[..., j]) for j in self.intervals]

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(codes (m n, K), z (m n, D)), the draws of a row one after the other."""
        codes, z, m = self.many, self.z.copy(), len(self.codes)
        for j, histogram in zip(self.intervals, self.histograms, strict=True):
            order = rng.random((m, self.n)).argsort(axis=1)  # one draw in each n-th of the mass
            u = (order + rng.random(order.shape)) / self.n
            z[:, j] = histogram.between(*np.repeat(self.ends[..., j], self.n, axis=1), u.ravel())
        if (codes < 0).any():
            exact = self.categories.sample_given(self.codes, self.n, rng)[0].reshape(codes.shape)
            drawn = self.mixed.sample_codes(codes, z, rng)
            codes = np.where(rng.random((len(z), 1)) < 0.5, drawn, exact)
        return codes, self.mixed.sample_numbers(codes, z, rng) if self.free.any() else z

    def log_prob(self, codes: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The log-density (m n,) of draws that agree with the known values of their rows."""
        log_q = np.zeros(len(z))
        for j, histogram in zip(self.intervals, self.histograms, strict=True):
            log_q += histogram.log_prob(*np.repeat(self.ends[..., j], self.n, axis=1), z[:, j])
        known = np.where(self.free, np.nan, z)
        with_codes = self.mixed.log_prob(codes, known)
        with np.errstate(invalid="ignore"):  # of values that were taken out
            if (self.codes < 0).any():
                given = self.categories.log_prob(codes) - np.repeat(self._log_known, self.n)
                mixed = with_codes - self.mixed.log_prob(self.many, known)
                log_q += np.logaddexp(mixed, given) - np.log(2)
            if self.free.any():
                log_q += self.mixed.log_prob(codes, z) - with_codes
        return log_q

    @cached_property
    def _log_known(self) -> np.ndarray:
        """log p(c_a), (m,)."""
        return self.categories.sample_given(self.codes, 0, np.random.default_rng(0))[1]


class Histogram:
    """Draws of one number of the line between two ends, from the histogram of g's marginal.

    Each draw may have its own ends, perhaps infinite: the ends of a cell, or of a range.
    """

    def __init__(self, mixed: MixedMixture, j: int, ends: np.ndarray):
        marginal = mixed.mixture.marginal([j])
        middle, spread = marginal.means[:, 0], marginal.scale_tril[:, 0, 0]
        near, far = ((middle - k * spread, middle + k * spread) for k in (NEAR, FAR))
        ends, more = ends[np.isfinite(ends)], spread.max()
        low = min([far[0].min(), *(ends - more)])
        high = max([far[1].max(), *(ends + more)])
        grids = (low, high), (near[0].min(), near[1].max())
        self.knots = np.unique([np.linspace(*both, BINS + 1) for both in grids])
        width = np.diff(self.knots)
        mass = marginal.prob((self.knots[:-1] + width / 2)[:, None]) * width
        share = (1 - EVEN) * mass / mass.sum() + EVEN * width / width.sum()
        self.total, self.height = np.append(0.0, np.cumsum(share)), share / width

    def between(self, low: np.ndarray, high: np.ndarray, u: np.ndarray) -> np.ndarray:
        """z (n,) at the shares u (n,) of the mass between two ends."""
        low, high, first, mass = self._mass(low, high)
        z = np.interp(first + u * mass, self.total, self.knots)
        return np.where(mass > NARROW, np.clip(z, low, high), low + u * (high - low))

    def log_prob(self, low: np.ndarray, high: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The log-density of these z; -inf where they do not lie between the ends."""
        low, high, _, mass = self._mass(low, high)
        bin_ = np.clip(np.searchsorted(self.knots, z, "right") - 1, 0, len(self.height) - 1)
        even = mass <= NARROW
        top, total = np.where(even, 1.0, self.height[bin_]), np.where(even, high - low, mass)
        return np.where((z >= low) & (z <= high), np.log(top / total), -np.inf)

    def _mass(self, low, high):
        """(the ends inside of the knots, the mass below the lower one, and between them)."""
        low, high = (np.clip(end, self.knots[0], self.knots[-1]) for end in (low, high))
        first, last = (np.interp(end, self.knots, self.total) for end in (low, high))
        return low, high, first, last - first
