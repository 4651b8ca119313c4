"""`Inference`: a flow and its target, with weighted draws, corrections and a verdict.

    w_i = p~(x_i) / q(x_i),   x_i ~ q        E_p[f] = E_q[w f] / E_q[w],        Z = E_q[w]

The weights correct the flow, if it is `trusted`: k-hat describes the tail of the weights, and
`missing_tail` detects a tail of p that no draw reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..conditionals.weights import LEAST_ESS, MOST_K, normalized, quantiles
from ..core.inputs import check_count
from ..distributions import Mixture
from ..pareto import SHARE, pareto_smoothed, shape_of_tail
from ..training import History, fit
from . import verdict
from .hmc import hmc, latent_target, neutra
from .modes import TOWERS, Gaussian, Modes, missed_share, peak_at
from .reverse_kl import elbo_and_error
from .space import Space, mapped
from .start import factor_of
from .unnormalised import LogTarget

if TYPE_CHECKING:
    from ..core.typing import Seed
    from ..distributions import TransformedDistribution

DRAWS = 20_000  # k-hat of fewer draws is too uncertain
LEVELS = (0.05, 0.5, 0.95)  # of the quantiles of a summary
TAILS = (0.5, 0.05)  # shares of the draws beyond the thresholds of `missing_tail`
MOST_K_OF_SQUARES = 0.85  # with an sd; the sd is shown without an error
LONGEST = 0.9  # k of a tail whose missing part is estimated
CHAINS, PER_CHAIN = 500, 20  # of moves; rows of each for `refit`
LEAPFROGS, FAR = 8, 32  # of a move; for `refit`, which has to cross gaps
EXACT = 0.99  # of the draws: with such an effective size hardly any mass is missing
# of `missing_tail`, the least and most that log Z lacks; draws for each one that is far out
OF_TAIL, LONGEST_TAIL, FARTHEST = 0.3, 1.0, 1000
PLAIN = (bool, int, float, str, np.generic, type(None))  # settings that a file holds as they are


@dataclass(frozen=True, eq=False)
class Inference:
    """The result of `infer`: weighted draws of p. Print it for their means and the verdict.

    It holds a flow q, its target p~, and n draws of q with their weights. With a support, both are
    densities of free coordinates y on the whole line, and `space` maps them to the parameters x.
    Without a support, y is x.

    Parameters
    ----------
    flow : TransformedDistribution
        q, a density of y.
    history : History or None
        The history of its training: -ELBO.
    target : LogTarget
        log p~ of y, with its gradient; not in a file, see `with_target`.
    rows : ndarray
        y (n, d), from q.
    log_q, log_p : ndarray
        log q(y) and log p~(y), (n,).
    slope : ndarray
        grad log p~(y), (n, d).
    space : Space
        y -> x.
    modes : Modes or None
        What the search for modes has found; None if there was none.
    moved : ndarray or None
        log p~ - log q (m,) of draws that were moved: see `missing_mass`. None: there were no moves.
    moved_rows : ndarray or None
        The moved draws y (m, d).
    missed : ndarray or None
        The share of p in a peak at the centre of each mode that q misses, (K,): see `doubts`.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> from flowcore import infer
    >>> found = infer(lambda x: -0.5 * anp.sum(x**2, axis=1), 2, epochs=3, batches=20)
    >>> value, error = found.log_evidence
    >>> bool(abs(value - np.log(2 * np.pi)) < 0.02), found.k_hat < 0.7
    (True, True)
    """

    flow: TransformedDistribution
    history: History | None
    target: LogTarget | None
    rows: np.ndarray
    log_q: np.ndarray
    log_p: np.ndarray
    slope: np.ndarray
    space: Space
    modes: Modes | None = None
    moved: np.ndarray | None = None
    moved_rows: np.ndarray | None = None
    missed: np.ndarray | None = None

    def __post_init__(self):
        if self.target is None:
            object.__setattr__(self, "target", LogTarget(_missing, self.flow.dim))

    @classmethod
    def of(
        cls, flow: TransformedDistribution, target: LogTarget, n: int, rng: Seed = 0, history=None,
        space: Space | None = None, modes: Modes | None = None,
    ) -> Inference:  # fmt: skip
        """n draws of a flow, weighted by a target."""
        rows, log_q = flow.sample_and_log_prob(n, rng)
        space = Space(None, flow.dim) if space is None else space
        return cls(flow, history, target, rows, log_q, *target(rows), space, modes)

    def checked(self, rng: Seed = 0) -> Inference:
        """The same with what draws of q cannot show: `moved` draws, and `missed` peaks.

        Cost: 64,000 rows of the target for the moves, which are left out if q is close to p; a row
        for the centre of each mode, and 2,000 for each of those that q may miss.
        """
        rng = np.random.default_rng(rng)
        least = max(LEAST_ESS, 2 * self.flow.dim)
        moved = rows = None
        if least < self.effective_sample_size < EXACT * len(self.rows):
            rows = self._moves(1, LEAPFROGS, rng)
            moved = self.target.values(rows) - self.flow.log_prob(rows)
        return replace(self, moved=moved, moved_rows=rows, missed=self._missed(rng))

    def _missed(self, rng: np.random.Generator) -> np.ndarray | None:
        """(K,): see `missed`. Only a centre whose log p~ - log q towers over that of all draws can
        be the top of a peak that has no draw."""
        if self.modes is None:
            return None
        centres = self.modes.centres
        highest = np.max(self.log_p - self.log_q, initial=-np.inf, where=np.isfinite(self.log_p))
        above = self.target.values(centres) - self.flow.log_prob(centres) > highest + TOWERS
        share = np.zeros(len(centres))
        for k in np.flatnonzero(above):
            share[k] = missed_share(self.target.values, self.flow, self.peak(k), rng)
        return share

    def peak(self, k: int) -> Gaussian:
        """The Gaussian of the curvature of log p~ at the centre of mode k."""
        near = Gaussian(self.rows.mean(axis=0), factor_of(self.rows))
        return peak_at(self.target, near, self.modes.centres[k])

    def _moves(self, n: int, leapfrogs: int, rng: np.random.Generator) -> np.ndarray:
        """(n CHAINS, d): resampled draws after steps of HMC, which have no part in q."""
        near = Gaussian(self.rows.mean(axis=0), factor_of(self.rows))
        start = np.linalg.solve(near.factor, (self.rows[self._chosen(CHAINS, rng)] - near.mean).T)
        log_p, options = near.target(self.target).anywhere, {"leapfrogs": leapfrogs, "rng": rng}
        u, _, _ = hmc(log_p, start.T, n, warm_up=15, step=0.3, **options)
        return near.of(u.reshape(-1, self.flow.dim))

    def with_target(self, log_target: Callable) -> Inference:
        """The same draws of q, weighted by a target: an argument as for `infer`.

        An `Inference` from a file needs it, since a file does not hold the target. A target with
        another likelihood or prior shows how sensitive the posterior is. Priors that were passed in
        support= are added as before. Cost: one call of the target with all draws.
        """
        target = LogTarget(self.space.on_line(log_target), self.space.free)
        log_p, slope = target(self.rows)
        return replace(self, target=target, log_p=log_p, slope=slope).checked()

    def as_record(self) -> Inference:
        """The same without the target, a function, for `save`; other settings become texts."""
        if (history := self.history) is not None:
            plain = {k: v if isinstance(v, PLAIN) else str(v) for k, v in history.settings.items()}
            history = replace(history, settings=plain)
        return replace(self, target=None, history=history)

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"target": None}

    @cached_property
    def draws(self) -> Any:
        """The draws of q, as arguments of the target: x (n, D), or {name: (n, *shape)}."""
        return self.space.from_line(self.rows)[0]

    @cached_property
    def _points(self) -> Any:
        """The draws, and below them the moved draws, as arguments of the target."""
        if self.moved_rows is None:
            return self.draws
        return self.space.from_line(np.concatenate([self.rows, self.moved_rows]))[0]

    @cached_property
    def _numbers(self) -> np.ndarray:
        """`_points` as rows (n + m, K) of all numbers, in the order of `Space.labels`."""
        share = self.weights
        if self.moved_rows is not None:
            share = np.append(share, np.zeros(len(self.moved_rows)))
        return self.space.numbers(self._points, share)

    def log_prob(self, x: Any) -> np.ndarray:
        """log q of parameters x, in their own units, (n,); x as in `draws`.

        NaN for parameters with NaN, -inf outside of the support, and on its boundary.
        """
        y = self.space.to_line(x, strict=False)
        missing, inside = np.isnan(y).any(axis=1), np.isfinite(y).all(axis=1)
        y[~inside] = 0.0
        log_q = self.flow.log_prob(y) - self.space.from_line(y)[1]
        return np.where(inside, log_q, np.where(missing, np.nan, -np.inf))

    @cached_property
    def elbo(self) -> tuple[float, float]:
        """(E_q[log p~ - log q], standard error) in nats; log Z - ELBO = KL(q || p) >= 0.

        If p~ is 0 or not finite at some draws, q is the flow restricted to the other draws: see
        `elbo_and_error`.
        """
        return elbo_and_error(self.log_p - self.log_q)

    @cached_property
    def _weighted(self) -> tuple[float, np.ndarray, float, float]:
        """log of the mean weight, shares (n,), effective number of draws, k-hat."""
        log_w = np.where(np.isnan(self.log_p), -np.inf, self.log_p) - self.log_q
        smoothed, k_hat = pareto_smoothed(log_w[None])
        log_mean, share, ess = normalized(smoothed)
        return float(log_mean[0]), share[0], float(ess[0]), float(k_hat[0])

    @property
    def k_hat(self) -> float:
        """Pareto's k of the tail of the weights (Vehtari et al. 2024): see `trusted`.

        -inf: the weights have no tail that matters; inf: no tail can be fitted.
        """
        return self._weighted[3]

    @property
    def weights(self) -> np.ndarray:
        """Pareto-smoothed importance weights of the draws, (n,), of sum 1; all 0 if p~ is 0."""
        return self._weighted[1]

    @property
    def effective_sample_size(self) -> float:
        """1 / sum w^2: the equivalent number of exact draws, if the fit is `trusted`."""
        return self._weighted[2]

    @property
    def log_evidence(self) -> tuple[float, float]:
        """(log Z, standard error) in nats, from the mean weight.

            error = hypot(e / (1 - k), t, b)
            e = (standard deviation of the weights) / (their mean) / sqrt(n)
            t = f max(0, m - s sqrt(2 log 4d)), of both sides       f = 1 / (r - 1), in [0.3, 1]
            b = max(0, the `missing_mass`)

        Reverse KL lacks mass in the tails of p, where draws are rare and their weights large, so
        the standard error e alone is too small. The factor 1 / (1 - k), chosen by measurement,
        corrects it: k, in [0, 0.9], is the shape of the largest tenth of the weights, or k-hat if
        it is larger. t stands for a tail that no draw reaches: m is the `missing_tail` of one side,
        s its standard error, and r is -(y - its t) d log p / dy at the farthest draws; of the two
        thresholds, the one that shows more.
        """
        # Of an exponential tail with the share T, m is T log(a / T), where the share a of all draws
        # is beyond t. Of a tail y^-r it is (r - 1) T. s sqrt(2 log 4d) is the largest of 4d
        # estimates by chance. A median has much to see, but s is less where few draws are beyond t.
        k = np.clip(max(shape_of_tail(self.weights[None])[0], self.k_hat), 0, LONGEST)
        e = self.weights.std() * math.sqrt(len(self.rows))
        t = self._tail_shares.sum(axis=0).max()
        b = np.fmax(0, self.missing_mass[0])
        return self._weighted[0], math.hypot(e / (1 - k), t, b)

    def expectation(self, function: Callable = lambda x: x) -> tuple[Any, Any]:
        """(E_p[f], standard error) of f(x) (n, ...), by self-normalised weights.

            error = hypot(e / (1 - k), t, b)                           k = max(0, `k_hat_of` f)
            e = sqrt(sum_i w_i^2 (f_i - E_p[f])^2)
            t = sum over both sides of (share of p in the missing tail) |f at its end - E_p[f]|
            b = |mean of (1 - r_i) (f_i - E_p[f])| of moved draws      see `missing_mass`

        t and b stand for what q misses, as in `log_evidence`; t is the largest of all coordinates.
        The error is infinite where the expectation may not exist: where `k_hat_of` is above 0.7.
        function gets the same argument as the target. If it returns a dictionary, as it does by
        default for named parameters, the results are two dictionaries.
        """
        values = function(self._points)
        mean = mapped(lambda one: self._mean_and_error(one)[0], values)
        return mean, mapped(lambda one: self._mean_and_error(one)[1], values)

    def k_hat_of(self, function: Callable = lambda x: x) -> Any:
        """Pareto's k of the tail of w |f - median of f|, in the form of the expectation of f.

        Above k = 0.7 no practicable number of draws is enough to compute E_p[f]; from k = 1 on, it
        does not exist. Then use quantiles. -inf: f has no tail that matters. Source: Vehtari et al.
        2024.
        """
        return mapped(self._k_of, function(self.draws))

    def _k_of(self, values) -> np.ndarray:
        values, good = np.asarray(values, float), self.weights > 0
        shape = values.shape[1:]
        if not good.any():
            return np.full(shape, np.inf)
        values = values[good].reshape(np.count_nonzero(good), -1)
        tails = self.weights[good] * np.abs(values - np.median(values, axis=0)).T
        return shape_of_tail(tails, SHARE).reshape(shape)

    def _moments(self, values) -> tuple[np.ndarray, np.ndarray]:
        values = self._where_p(np.asarray(values, float))
        w = self.weights.reshape((-1,) + (1,) * (values.ndim - 1))
        mean = np.sum(w * values, axis=0)
        return mean, np.sqrt(np.sum(w**2 * (values - mean) ** 2, axis=0))

    def _where_p(self, values: np.ndarray) -> np.ndarray:
        """f (n, ...), 0 at draws where p~ is 0: it need not be defined there."""
        return np.where(self.weights.reshape((-1,) + (1,) * (values.ndim - 1)) > 0, values, 0.0)

    def _mean_and_error(self, values) -> tuple[np.ndarray, np.ndarray]:
        """See `expectation`, of the values of f at `_points`."""
        of_draws, of_moved = np.split(np.asarray(values, float), [len(self.rows)])
        mean, error = self._moments(of_draws)
        k = np.maximum(self._k_of(of_draws), 0)
        error = error / (1 - np.minimum(k, MOST_K))
        error = np.hypot(error, self._lost_in_tails(of_draws, mean))
        if len(of_moved):
            lost = np.tensordot(1 - self._reached, of_moved - mean, axes=1) / len(of_moved)
            error = np.hypot(error, np.abs(lost))
        return mean, np.where(k > MOST_K, np.inf, error)

    def _lost_in_tails(self, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """t of `expectation`: f in a missing tail is like the mean of f over the farthest draws."""
        values = self._where_p(values)
        ends = [[values[rows].mean(axis=0) for rows in side.T] for side in self._farthest]
        share = self._tail_shares.reshape(2, -1, *(1,) * mean.ndim)
        return np.sum(share * np.abs(ends - mean), axis=0).max(axis=0)

    def summary(self) -> dict[str, dict[str, float]]:
        """{name: {"mean", "error", "sd", "5%", "50%", "95%"}} of every number of the parameters.

        error is the standard error of the mean. A mean, or an sd, that may not exist is NaN: see
        `k_hat_of`. An angle is counted within half a turn of its circular mean, so it may lie
        outside of its support. As a table: `pd.DataFrame(found.summary()).T`.
        """
        mean, error = self._mean_and_error(self._numbers)
        values = self._numbers[: len(self.rows)]
        squares = (values - mean) ** 2
        exists = np.isfinite(error), np.isfinite(error) & (self._k_of(squares) <= MOST_K_OF_SQUARES)
        mean = np.where(exists[0], mean, np.nan)
        deviation = np.sqrt(np.where(exists[1], self._moments(squares)[0], np.nan))
        levels = quantiles(values, self.weights, LEVELS)
        columns = np.stack([mean, error, deviation, *levels], axis=1).tolist()
        names = ("mean", "error", "sd", *(f"{level:.0%}" for level in LEVELS))
        rows = [dict(zip(names, row, strict=True)) for row in columns]
        return dict(zip(self.space.labels(), rows, strict=True))

    def resample(self, n: int, rng: Seed = None) -> Any:
        """n draws of p: resampled from `draws`, with replacement, by their weights."""
        index = self._chosen(n, np.random.default_rng(rng))
        return mapped(lambda x: x[index], self.draws)

    def columns(self, n: int, rng: Seed = None) -> dict[str, np.ndarray]:
        """`resample` as {name: (n,)}, with the names of `summary`: columns of a table."""
        rows = self._numbers[self._chosen(n, np.random.default_rng(rng))]
        return dict(zip(self.space.labels(), rows.T, strict=True))

    def _chosen(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Indices of n draws, chosen by their weights."""
        if not self.weights.any():
            raise ValueError("the target is finite at no draw: there is nothing to resample")
        return rng.choice(len(self.rows), check_count(n), p=self.weights)

    @cached_property
    def stretch(self) -> tuple[float, float]:
        """(slope of the ELBO as q is stretched about its mean, standard error), nats per factor e.

            d + E_q[(y - E y) . grad log p~(y)]            0 where q is the best of its family

        An improper target, of infinite integral, has a slope of about the number of improper
        directions. NaN if p~ is not finite at some draws.
        """
        pull = np.sum((self.rows - self.rows.mean(axis=0)) * self.slope, axis=1)
        if not np.isfinite(self.log_p).all():
            return math.nan, math.nan
        with np.errstate(over="ignore"):  # slopes of a draw far out, where p is 0 to all digits
            error = float(pull.std() / math.sqrt(len(pull)))
        return self.flow.dim + float(pull.mean()), error

    @cached_property
    def missing_tail(self) -> tuple[float, float]:
        """(estimated share of p in a tail that no draw reaches, standard error).

            E_p[1(y > t)] + E_p[(y - t)_+ d log p / dy]         0 for a proper p, by parts

        where t is the median of a coordinate, or has a twentieth of the draws beyond it. The
        estimate is that of the t, the coordinate and the side with the most significant result. It
        is NaN if p~ is not finite at some draws.
        """
        share, error, _ = self._tails
        worst = np.argmax(share - verdict.SURE * error)
        return float(share.flat[worst]), float(error.flat[worst])

    @cached_property
    def _tails(self) -> np.ndarray:
        """(3, 2 L, d): m, s and r, see `log_evidence`, below and above each coordinate, for each of
        the L = 2 shares of draws in TAILS. NaN if p~ is not finite at some draws."""
        if not np.isfinite(self.log_p).all():
            return np.full((3, 2 * len(TAILS), self.flow.dim), math.nan)
        found = []
        for tail in TAILS:
            for level, side, ends in zip((tail, 1 - tail), (-1, 1), self._farthest, strict=True):
                far = self.rows - np.quantile(self.rows, level, axis=0)
                pull = far * self.slope
                m, s = self._moments((side * far > 0) * (1 + pull))
                found.append([m, s, -np.median(np.take_along_axis(pull, ends, axis=0), axis=0)])
        return np.swapaxes(found, 0, 1)

    @cached_property
    def _farthest(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n / 1000, d) of the farthest draws, below and above, of each coordinate."""
        n = -(-len(self.rows) // FARTHEST)
        order = np.argsort(self.rows, axis=0)
        return order[:n], order[-n:]

    @cached_property
    def _tail_shares(self) -> np.ndarray:
        """(2, d): the share of p in a missing tail beyond what chance shows, f max(0, m - ...) of
        `log_evidence`, below and above each coordinate; 0 if p~ is not finite at some draws."""
        m, s, r = self._tails
        beyond = np.maximum(0, m - s * math.sqrt(2 * math.log(m.size)))
        share = beyond / np.clip(r - 1, 1 / LONGEST_TAIL, 1 / OF_TAIL)
        return np.nan_to_num(share).reshape(len(TAILS), 2, -1).max(axis=0)

    @cached_property
    def missing_mass(self) -> tuple[float, float]:
        """(estimated share of p where q has next to no draws, standard error), by moves.

            1 - mean of r over moved draws       r = f / mean of f over weighted draws
                                                 f = min(1, Z q / p~)

        500 resampled draws take 16 steps of Hamiltonian Monte Carlo. They enter gaps of q near its
        draws, such as the seam of a ring, where f is about 0, but reach no mode far away. NaN
        without moves. Source: bridge sampling, Meng and Wong, 1996, with the bridge min(q, p).
        """
        if self.moved is None:
            return math.nan, math.nan
        ratio = self._reached  # its error is small: draws of q are many
        return 1 - float(ratio.mean()), float(ratio.std() / math.sqrt(len(ratio)))

    @cached_property
    def _reached(self) -> np.ndarray:
        """r (m,) of the moved draws, see `missing_mass`: about 0 where q has no draws."""
        each = self.log_p - self.log_q, self.moved
        of_q, of_p = (np.exp(-np.maximum(log_w - self._weighted[0], 0)) for log_w in each)
        return of_p / self._moments(of_q)[0]

    @property
    def doubts(self) -> list[str]:
        """The reasons why weighted draws cannot be used; none if the fit is `trusted`.

        - The effective sample size must be at least 30. If k-hat is above 0.5 (the variance of the
          weights is infinite), the size must be a tenth of all draws; above 0.7, half of them;
          above 1, nine tenths; and above 2, 95%.
        - `missing_tail` must be at most 0.03, or 4 of its standard errors if that is more.
        - `missing_mass` must be at most 0.03, or 4 of its standard errors if that is more.
        - `missed` must be at most 0.03 at each mode: a peak inside of a mode may have no draw.
        - `stretch` must be at most 0.25, or 5 of its standard errors if that is more. A larger
          slope means that training was too short, or p~ is improper.
        - If training diverged, an epoch must have ended, and log p~ must be finite at all draws.
        - The target must not be NaN at more than a hundredth of the draws.
        """
        return verdict.doubts(self)

    @property
    def trusted(self) -> bool:
        """Whether weighted draws can be used: there are no `doubts`.

        The draws show nothing of a mode that none of them is near: see `modes`.
        """
        return not self.doubts

    @property
    def verdict(self) -> str:
        """Whether this can be trusted, what to try if not, and where modes were searched for."""
        return verdict.verdict(self)

    def refit(self, n: int = DRAWS, rng: Seed = 0, **options: Any) -> Inference:
        """The flow after more training, by maximum likelihood on moved draws: forward KL.

        The rows are 10,000 draws of p, resampled ones after steps of Hamiltonian Monte Carlo: they
        enter the edges of q and its gaps, where reverse KL misses mass. A mode without a draw is
        still missed. options: of `fit`. Cost: 560,000 rows of the target, and one `fit`.
        """
        self.target(self.rows[:1])  # which raises if a file did not hold it
        rng = np.random.default_rng(rng)
        flow, history = fit(self.flow, self._moves(PER_CHAIN, FAR, rng), rng=rng, **options)
        again = Inference.of(flow, self.target, n, rng, history, self.space, self.modes)
        return again.checked(rng)

    def metropolis(self, n: int, rng: Seed = None) -> tuple[Any, float]:
        """(a chain of n draws with the stationary density p, the share of accepted proposals).

        Independence Metropolis-Hastings with the flow as its proposal: y' ~ q is accepted with the
        probability min(1, w(y') / w(y)). It starts at a resampled draw. Cost: n draws.
        """
        rng = np.random.default_rng(rng)
        proposed = Inference.of(self.flow, self.target, n, rng)
        log_w = proposed.log_p - proposed.log_q
        (start,) = self._chosen(1, rng)
        now, at = self.log_p[start] - self.log_q[start], -1
        place, bars = np.empty(n, int), np.log(rng.random(n))
        for i in range(n):
            if bars[i] < log_w[i] - now:
                now, at = log_w[i], i
            place[i] = at
        chain = np.where((place < 0)[:, None], self.rows[start], proposed.rows[place])
        return self.space.from_line(chain)[0], float(np.mean(place == np.arange(n)))

    @property
    def latent_target(self) -> LogTarget:
        """log p~(f(z)) + log |det df/dz| of rows z, with its gradient: close to log p of the base.

        `space.from_line(flow.from_latent(z))[0]` converts z to draws. Errors: ValueError for a
        `Mixture`, which has a z for every mode.
        """
        if isinstance(self.flow, Mixture):
            raise ValueError(
                f"the flow is a Mixture of {len(self.flow.parts)} flows, one a mode, so it has no "
                "one z: use hmc() or metropolis()"
            )
        return latent_target(self.target.anywhere, self.flow)

    def hmc(
        self, n: int, chains: int = 20, *, warm_up: int = 200, leapfrogs: int = 8,
        step: float = 0.3, rng: Seed = None,
    ) -> tuple[Any, float]:  # fmt: skip
        """(draws (chains, n, ...) of p, the share of accepted proposals): NeuTra.

        Hamiltonian Monte Carlo on z, where the target is nearly a Gaussian. Chains start at
        resampled draws. If the flow is a `Mixture`, each chain moves in the z of the part that its
        start most likely came from, and the chains of a part share their step size; few chains
        change their mode. Cost: (warm_up + n) * leapfrogs calls of the target with `chains` rows.

        n, chains : draws of each chain, and how many chains
        warm_up : updates in which the step size is found; they are dropped
        leapfrogs, step : the number of steps of a trajectory, and their size at first
        """
        rng = np.random.default_rng(rng)
        start = self.rows[self._chosen(chains, rng)]
        y, accepted = neutra(
            self.target.anywhere, self.flow, start, n, rng, warm_up=warm_up, leapfrogs=leapfrogs,
            step=step,
        )  # fmt: skip
        x = self.space.from_line(y.reshape(-1, self.flow.dim))[0]
        return mapped(lambda one: one.reshape(chains, n, *one.shape[1:]), x), accepted

    def __str__(self):
        return verdict.report(self)


def _missing(y):
    raise ValueError(
        "a file does not hold log_target: pass it, found = found.with_target(log_target)"
    )
