"""`Inference`: a flow and its target, with weighted draws, corrections and a verdict.

    w_i = p~(x_i) / r(x_i),   x_i ~ r        E_p[f] = E_r[w f] / E_r[w],        Z = E_r[w]
    r = (1 - a) q + a t                      q the flow, t wide, a = 0.05

Reverse KL leaves out tails of p, and draws of q alone would not show them: a probability there
would be 0 with an error of 0. So some draws come from t, a Student t density of 1.5 degrees of
freedom with the mean and twice the deviations of q (a defensive mixture: Hesterberg, "Weighted
average importance sampling and defensive mixture distributions", 1995). The weights correct the
flow, if it is `trusted`: k-hat describes their tail, and `missing_tail` detects a tail of p that q
leaves out.
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
from ..mixtures import MultivariateTMixture
from ..pareto import SHARE, pareto_smoothed, shape_of_tail
from ..training import History, fit
from . import verdict
from .hmc import hmc, latent_target, neutra
from .modes import TOWERS, Gaussian, Modes, missed_share, peak_at
from .reverse_kl import elbo_and_error
from .space import Space, mapped
from .start import factor_of
from .unnormalised import OF_ROWS, LogTarget

if TYPE_CHECKING:
    from ..core.typing import Seed
    from ..distributions import TransformedDistribution

DRAWS = 20_000  # k-hat of fewer draws is too uncertain
# of t: its share, its deviations in those of q, its degrees of freedom; draws that it needs, over D
WIDE, WIDER, DF, LEAST = 0.05, 2.0, 1.5, 4
LEAST_MEAN = 0.5  # of v, in the mean of w: what a regression may correct
LEVELS = (0.05, 0.5, 0.95)  # of the quantiles of a summary
MOST_K_OF_SQUARES = 0.85  # with an sd; the sd is shown without an error
LONGEST = 0.9  # k of weights whose error can be estimated
CHAINS, PER_CHAIN = 500, 20  # of moves; rows of each for `refit`
LEAPFROGS, FAR = 8, 32  # of a move; for `refit`, which has to cross gaps
EXACT = 0.99  # of the draws: with such an effective size hardly any mass is missing
PLAIN = (bool, int, float, str, np.generic, type(None))  # settings that a file holds as they are


@dataclass(frozen=True, eq=False)
class Inference:
    """The result of `infer`: weighted draws of p. Print it for their means and the verdict.

    It holds a flow q, its target p~, and n draws with their weights: most of q, and a twentieth of
    a wide density t, for the tails. With a support, all are densities of free coordinates y on the
    whole line, and `space` maps them to the parameters x. Without a support, y is x.

    Parameters
    ----------
    flow : TransformedDistribution
        q, a density of y.
    history : History or None
        The history of its training: -ELBO.
    target : LogTarget
        log p~ of y, with its gradient; not in a file, see `with_target`.
    rows : ndarray
        y (n, d), those of q before those of t.
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
    missed : ndarray or None
        The share of p in a peak at the centre of each mode that q misses, (K,): see `doubts`.
    wide, n_wide : MultivariateTMixture or None, int
        t, and the number of its draws.

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
    missed: np.ndarray | None = None
    wide: MultivariateTMixture | None = None
    n_wide: int = 0

    def __post_init__(self):
        if self.target is None:
            object.__setattr__(self, "target", LogTarget(_missing, self.flow.dim))

    @classmethod
    def of(
        cls, flow: TransformedDistribution, target: LogTarget, n: int, rng: Seed = 0, history=None,
        space: Space | None = None, modes: Modes | None = None,
    ) -> Inference:  # fmt: skip
        """n draws, weighted by a target."""
        rng = np.random.default_rng(rng)
        space = Space(None, flow.dim) if space is None else space
        n_wide = 0 if space.is_periodic or n <= LEAST * flow.dim else int(WIDE * n)
        rows, log_q = flow.sample_and_log_prob(n - n_wide, rng)
        log_p, slope = target(rows)
        found = cls(flow, history, target, rows, log_q, log_p, slope, space, modes)
        return found._with_wide(n_wide, rng) if n_wide else found

    def _with_wide(self, n: int, rng: np.random.Generator) -> Inference:
        """The same with n draws of t, too. The target may be anything so far out."""
        mean, factor = self._near
        wide = MultivariateTMixture(mean[None], WIDER * factor[None], df=DF)
        rows = wide.sample(n, rng)
        log_p, slope = self.target.anywhere(rows)
        log_p = np.where(log_p < np.inf, log_p, np.nan)
        return replace(
            self,
            rows=np.concatenate([self.rows, rows]),
            log_q=np.concatenate([self.log_q, self.flow.log_prob(rows)]),
            log_p=np.concatenate([self.log_p, log_p]),
            slope=np.concatenate([self.slope, slope]),
            wide=wide,
            n_wide=n,
        )

    @property
    def of_flow(self) -> slice:
        """The draws of q, which stand before those of t."""
        return slice(len(self.rows) - self.n_wide)

    @cached_property
    def _near(self) -> Gaussian:
        """The Gaussian of the draws of q."""
        rows = self.rows[self.of_flow]
        return Gaussian(rows.mean(axis=0), factor_of(rows))

    def _log_r(self, rows: np.ndarray, log_q: np.ndarray) -> np.ndarray:
        """log r of rows y, from their log q, (n,)."""
        if self.wide is None:
            return log_q
        a = self.n_wide / len(self.rows)
        return np.logaddexp(np.log1p(-a) + log_q, np.log(a) + self.wide.log_prob(rows))

    @cached_property
    def log_r(self) -> np.ndarray:
        """log r of the draws, (n,)."""
        return self._log_r(self.rows, self.log_q)

    def checked(self, rng: Seed = 0) -> Inference:
        """The same with what draws of q cannot show: `moved` draws, and `missed` peaks.

        Cost: 64,000 rows of the target for the moves, which are left out if q is close to p; a row
        for the centre of each mode, and 2,000 for each of those that q may miss.
        """
        rng, moved = np.random.default_rng(rng), None
        least = max(LEAST_ESS, 2 * self.flow.dim)
        if least < self.effective_sample_size < EXACT * len(self.rows):
            rows = self._moves(1, LEAPFROGS, rng)
            moved = self.target.values(rows) - self.flow.log_prob(rows)
        return replace(self, moved=moved, missed=self._missed(rng))

    def _missed(self, rng: np.random.Generator) -> np.ndarray | None:
        """(K,): see `missed`. Only a centre whose log p~ - log r towers over that of all draws can
        be the top of a peak that has no draw."""
        if self.modes is None:
            return None
        centres = self.modes.centres
        log_w = self.log_p - self.log_r
        highest = np.max(log_w, initial=-np.inf, where=np.isfinite(self.log_p))
        log_r = self._log_r(centres, self.flow.log_prob(centres))
        above = self.target.values(centres) - log_r > highest + TOWERS
        share = np.zeros(len(centres))
        for k in np.flatnonzero(above):
            share[k] = missed_share(self.target.values, self.flow, self.peak(k), rng)
        return share

    def peak(self, k: int) -> Gaussian:
        """The Gaussian of the curvature of log p~ at the centre of mode k."""
        return peak_at(self.target, self._near, self.modes.centres[k])

    def _moves(self, n: int, leapfrogs: int, rng: np.random.Generator) -> np.ndarray:
        """(n CHAINS, d): resampled draws after steps of HMC, which have no part in q."""
        near = self._near
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
        """The draws, as arguments of the target: x (n, D), or {name: (n, *shape)}."""
        with np.errstate(over="ignore"):  # far out, where p~ is 0
            return self.space.from_line(self.rows)[0]

    @cached_property
    def _numbers(self) -> np.ndarray:
        """The draws as rows (n, K) of all numbers, in the order of `Space.labels`; 0 for those of
        weight 0, which may be anything."""
        return np.where(
            self.weights[:, None] > 0, self.space.numbers(self.draws, self.weights), 0.0
        )

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
        own = self.of_flow
        return elbo_and_error(self.log_p[own] - self.log_q[own])

    @cached_property
    def _weighted(self) -> tuple[float, np.ndarray, float, float]:
        """log of the mean weight, shares (n,), effective number of draws, k-hat."""
        log_w = np.where(np.isnan(self.log_p), -np.inf, self.log_p - self.log_r)
        log_w[self.of_flow], k_hat = pareto_smoothed(log_w[None, self.of_flow])
        log_mean, share, ess = normalized(log_w[None])
        return float(log_mean[0]), share[0], float(ess[0]), float(k_hat[0])

    @cached_property
    def _of_q(self) -> tuple[np.ndarray, np.ndarray]:
        """(log p~ - log q, its shares), (m,), of the draws of q alone: for what q lacks."""
        log_w = (self.log_p - self.log_q)[self.of_flow]
        smoothed, _ = pareto_smoothed(np.where(np.isnan(log_w), -np.inf, log_w)[None])
        return log_w, normalized(smoothed)[1][0]

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
        """(log Z, standard error) in nats, from the mean weight, less what is known to be noise.

            Z = mean of v_i = w_i - b (t(x_i) / r(x_i) - 1)        error = hypot(e / (1 - k), m)
            e = (standard deviation of v) / (mean of v) / sqrt(n)
            m = max(0, the `missing_mass`)

        The mean of t / r - 1 is 0, and b, the slope of a regression, makes the variance of v
        smallest: so draws of t add no noise where q is exact (Owen and Zhou, "Safe and effective
        importance sampling", 2000). The factor 1 / (1 - k), chosen by measurement, corrects an
        error that is too small where weights have a long tail: k, in [0, 0.9], is k-hat.
        """
        k = np.clip(self.k_hat, 0, LONGEST)
        v = self.weights * len(self.rows)  # w in units of its mean
        if self.wide is not None:
            known = np.exp(self.wide.log_prob(self.rows) - self.log_r) - 1
            v = v - np.cov(v, known, ddof=0)[0, 1] / known.var() * known
        mean = max(v.mean(), LEAST_MEAN)
        e = v.std() / mean / math.sqrt(len(v))
        error = math.hypot(e / (1 - k), np.fmax(0, self.missing_mass[0]))
        return self._weighted[0] + math.log(mean), error

    def expectation(self, function: Callable = lambda x: x) -> tuple[Any, Any]:
        """(E_p[f], standard error) of f(x) (n, ...), by self-normalised weights.

            error = sqrt(sum_i w_i^2 (f_i - E_p[f])^2) / (1 - k)       k = max(0, `k_hat_of` f)

        The error is infinite where the expectation may not exist: where `k_hat_of` is above 0.7.
        function gets the same argument as the target, and may raise where the target does. If it
        returns a dictionary, as it does by default for named parameters, the results are two.
        """
        values = self._values(function)
        mean = mapped(lambda one: self._mean_and_error(one)[0], values)
        return mean, mapped(lambda one: self._mean_and_error(one)[1], values)

    def k_hat_of(self, function: Callable = lambda x: x) -> Any:
        """Pareto's k of the tail of w |f - median of f|, in the form of the expectation of f.

        Above k = 0.7 no practicable number of draws is enough to compute E_p[f]; from k = 1 on, it
        does not exist. Then use quantiles. -inf: f has no tail that matters. Source: Vehtari et al.
        2024.
        """
        return mapped(self._k_of, self._values(function))

    @np.errstate(over="ignore", invalid="ignore")  # far out, where p~ is 0
    def _values(self, function: Callable) -> Any:
        try:
            return function(self.draws)
        except OF_ROWS:  # perhaps at draws where the target raises, too: their weights are 0
            counts = self.weights > 0
            if counts.all():
                raise
            found = function(mapped(lambda x: x[counts], self.draws))
        return mapped(lambda values: spread(values, counts), found)

    def _k_of(self, values) -> np.ndarray:
        values, good = np.asarray(values, float), self.weights > 0
        shape = values.shape[1:]
        if not good.any():
            return np.full(shape, np.inf)
        values = values[good].reshape(np.count_nonzero(good), -1)
        tails = self.weights[good] * np.abs(values - np.median(values, axis=0)).T
        return shape_of_tail(tails, SHARE).reshape(shape)

    def _mean_and_error(self, values) -> tuple[np.ndarray, np.ndarray]:
        """See `expectation`."""
        mean, error = mean_and_error(np.asarray(values, float), self.weights)
        k = np.maximum(self._k_of(values), 0)
        return mean, np.where(k > MOST_K, np.inf, error / (1 - np.minimum(k, MOST_K)))

    def summary(self) -> dict[str, dict[str, float]]:
        """{name: {"mean", "error", "sd", "5%", "50%", "95%"}} of every number of the parameters.

        error is the standard error of the mean. A mean, or an sd, that may not exist is NaN: see
        `k_hat_of`. An angle is counted within half a turn of its circular mean, so it may lie
        outside of its support. As a table: `pd.DataFrame(found.summary()).T`.
        """
        values = self._numbers
        mean, error = self._mean_and_error(values)
        squares = (values - mean) ** 2
        exists = np.isfinite(error), np.isfinite(error) & (self._k_of(squares) <= MOST_K_OF_SQUARES)
        mean = np.where(exists[0], mean, np.nan)
        deviation = np.sqrt(np.where(exists[1], self.weights @ squares, np.nan))
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
        own = self.of_flow
        if not np.isfinite(self.log_p[own]).all():
            return math.nan, math.nan
        pull = np.sum((self.rows[own] - self._near.mean) * self.slope[own], axis=1)
        with np.errstate(over="ignore"):  # slopes of a draw far out, where p is 0 to all digits
            error = float(pull.std() / math.sqrt(len(pull)))
        return self.flow.dim + float(pull.mean()), error

    @cached_property
    def missing_tail(self) -> tuple[float, float]:
        """(estimated share of p in a tail that no draw of q reaches, standard error).

            E_p[1(y > c)] + E_p[(y - c)_+ d log p / dy]         0 for a proper p, by parts

        where c is the median of a coordinate. The estimate is that of the coordinate and the side
        of c with the most significant result, by draws of q alone, with the weights p~ / q. It is
        NaN if p~ is not finite at some of them.
        """
        own = self.of_flow
        if not np.isfinite(self.log_p[own]).all():
            return math.nan, math.nan
        far = self.rows[own] - np.median(self.rows[own], axis=0)
        terms = [(side * far > 0) * (1 + far * self.slope[own]) for side in (-1, 1)]
        share, error = mean_and_error(np.concatenate(terms, axis=1), self._of_q[1])
        worst = np.argmax(share - verdict.SURE * error)
        return float(share[worst]), float(error[worst])

    @cached_property
    def missing_mass(self) -> tuple[float, float]:
        """(estimated share of p where q has next to no draws, standard error), by moves.

            1 - mean of f over moved draws / mean of f over weighted draws,    f = min(1, Z q / p~)

        500 resampled draws take 16 steps of Hamiltonian Monte Carlo. They enter gaps of q near its
        draws, such as the seam of a ring, where f is about 0, but reach no mode far away. NaN
        without moves. Source: bridge sampling, Meng and Wong, 1996, with the bridge min(q, p).
        """
        if self.moved is None:
            return math.nan, math.nan
        log_w, weights = self._of_q
        each = log_w, self.moved
        of_q, of_p = (np.exp(-np.maximum(log_w - self._weighted[0], 0)) for log_w in each)
        ratio = of_p / mean_and_error(of_q, weights)[0]  # its error is small: draws are many
        return 1 - float(ratio.mean()), float(ratio.std() / math.sqrt(len(ratio)))

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
        proposed, log_q = self.flow.sample_and_log_prob(n, rng)
        log_w = self.target(proposed)[0] - log_q
        (start,) = self._chosen(1, rng)
        now, at = self.log_p[start] - self.log_q[start], -1
        place, bars = np.empty(n, int), np.log(rng.random(n))
        for i in range(n):
            if bars[i] < log_w[i] - now:
                now, at = log_w[i], i
            place[i] = at
        chain = np.where((place < 0)[:, None], self.rows[start], proposed[place])
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


def mean_and_error(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(weighted mean, its standard error) of values (n, ...), for weights (n,) of sum 1.

    Values where the weight is 0 need not be defined.
    """
    w = weights.reshape((-1,) + (1,) * (values.ndim - 1))
    values = np.where(w > 0, values, 0.0)
    mean = np.sum(w * values, axis=0)
    return mean, np.sqrt(np.sum(w**2 * (values - mean) ** 2, axis=0))


def spread(values, counts: np.ndarray) -> np.ndarray:
    """values of the rows that count (n,), 0 at the others."""
    values = np.asarray(values, float)
    everywhere = np.zeros((len(counts), *values.shape[1:]))
    everywhere[counts] = values
    return everywhere


def _missing(y):
    raise ValueError(
        "a file does not hold log_target: pass it, found = found.with_target(log_target)"
    )
