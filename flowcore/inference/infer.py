"""`infer`: a flow fitted to an unnormalised density, with what shows whether it can be trusted.

    w_i = p~(x_i) / q(x_i),   x_i ~ q        E_p[f] = E_q[w f] / E_q[w],        Z = E_q[w]

The weights correct the flow, if k-hat, the shape of their largest ones, is below 0.7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bijectors import Blockwise, Chain, Exp, Permute, Sigmoid
from ..conditionals.pareto import pareto_smoothed
from ..conditionals.weights import normalized, trusted
from ..core import derived
from ..core.inputs import check_dim
from ..distributions import TransformedDistribution
from ..flows import iaf
from ..training import History, fit, fit_reverse_kl
from ..training.reverse_kl import Target, elbo_and_error

if TYPE_CHECKING:
    from ..core.typing import Seed

DRAWS, GOOD_K = 4000, 0.5  # k-hat up to which the flow is close
LAYERS, LEAST_WIDTH = 4, 32  # of the flow that is fitted by itself


@dataclass(frozen=True, eq=False)
class Inference:
    """A flow q beside its target p~, and n draws of q with their importance weights.

    Parameters
    ----------
    flow : TransformedDistribution
        q, in the units of the target.
    history : History or None
        Of its training: -ELBO.
    target : Target
        log p~, with its gradient.
    draws : ndarray
        x (n, D), from q.
    log_q, log_p : ndarray
        log q(x) and log p~(x), (n,).

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> found = infer(lambda x: -0.5 * anp.sum(x**2, axis=1), 2, epochs=3, batches=20)
    >>> value, error = found.log_evidence
    >>> bool(abs(value - np.log(2 * np.pi)) < 0.02), found.k_hat < 0.7
    (True, True)
    """

    flow: TransformedDistribution
    history: History | None
    target: Target
    draws: np.ndarray
    log_q: np.ndarray
    log_p: np.ndarray

    @classmethod
    def of(
        cls, flow: TransformedDistribution, target: Target, n: int, rng: Seed = 0, history=None
    ) -> Inference:
        """n draws of a flow, weighed by a target."""
        draws, log_q = flow.sample_and_log_prob(n, rng)
        return cls(flow, history, target, draws, log_q, target(draws)[0])

    @derived
    def elbo(self) -> tuple[float, float]:
        """(E_q[log p~ - log q], standard error) in nats; log Z - ELBO = KL(q || p) >= 0.

        If p~ is 0 or not finite at some draws, q is the flow without them: see `elbo_and_error`.
        """
        return elbo_and_error(self.log_p - self.log_q)

    @derived
    def _weighted(self) -> tuple[float, np.ndarray, float, float]:
        """log of the mean weight, shares (n,), effective number of draws, k-hat."""
        smoothed, k_hat = pareto_smoothed((self.log_p - self.log_q)[None])
        log_mean, share, ess = normalized(smoothed)
        return float(log_mean[0]), share[0], float(ess[0]), float(k_hat[0])

    @property
    def k_hat(self) -> float:
        """Pareto's k of the largest weights: below 0.7 they are reliable (Vehtari et al. 2024)."""
        return self._weighted[3]

    @property
    def weights(self) -> np.ndarray:
        """Pareto-smoothed importance weights of the draws, (n,), of sum 1; all 0 if p~ is."""
        return self._weighted[1]

    @property
    def effective_sample_size(self) -> float:
        """1 / sum w^2: so many exact draws would be as good, if k-hat is below 0.7."""
        return self._weighted[2]

    @property
    def log_evidence(self) -> tuple[float, float]:
        """(log Z, standard error), by the mean weight, in nats."""
        n = len(self.draws)
        return self._weighted[0], float(n * self.weights.std() / math.sqrt(n))

    def expectation(self, function: Callable = lambda x: x) -> tuple[np.ndarray, np.ndarray]:
        """(E_p[f], standard error) of f(x), rows (n, D) -> (n, ...): self-normalised weights."""
        values = np.asarray(function(self.draws), float)
        w = self.weights.reshape((-1,) + (1,) * (values.ndim - 1))
        mean = np.sum(w * values, axis=0)
        return mean, np.sqrt(np.sum(w**2 * (values - mean) ** 2, axis=0))

    def resample(self, n: int, rng: Seed = None) -> np.ndarray:
        """n draws (n, D) of p: of the draws, with replacement, by their weights."""
        return self.draws[np.random.default_rng(rng).choice(len(self.draws), n, p=self.weights)]

    @property
    def verdict(self) -> str:
        """Whether this can be trusted, and what to try if not."""
        k, ess = self.k_hat, self.effective_sample_size
        at = f"k-hat is {k:.2f}, and {len(self.draws):,} draws are worth {ess:,.0f}"
        if k < GOOD_K and ess > len(self.draws) / 2:
            return f"{at}: the flow is close to the target, and its weights correct the rest."
        if trusted(ess, k):
            return f"{at}: the weights are reliable, though the flow is not close to the target."
        return (
            f"{at}: neither the flow nor its weights can be trusted. Try refit(), more epochs, a "
            "wider flow or nsf, other coordinates (such as a non-centred scale), or a base with "
            "the target's modes."
        )

    def refit(self, n: int = DRAWS, rng: Seed = 0, **options: Any) -> Inference:
        """The flow, trained on by maximum likelihood on the weighted draws: forward KL.

        It covers mass that reverse KL leaves out at the edges; a mode without a draw stays unknown.
        options: those of `fit`.
        """
        flow, history = fit(self.flow, self.draws, sample_weight=self.weights, rng=rng, **options)
        return Inference.of(flow, self.target, n, rng, history)

    def metropolis(self, n: int, rng: Seed = None) -> tuple[np.ndarray, float]:
        """(a chain (n, D) whose stationary density is p, the share of proposals that it took).

        Independence Metropolis-Hastings with the flow as its proposal: x' ~ q is taken with the
        probability min(1, w(x') / w(x)). It starts at a resampled draw. Cost: n draws.
        """
        rng = np.random.default_rng(rng)
        proposed = Inference.of(self.flow, self.target, n, rng)
        log_w = proposed.log_p - proposed.log_q
        start = rng.choice(len(self.draws), p=self.weights)
        now, at = self.log_p[start] - self.log_q[start], -1
        place, bars = np.empty(n, int), np.log(rng.random(n))
        for i in range(n):
            if bars[i] < log_w[i] - now:
                now, at = log_w[i], i
            place[i] = at
        chain = np.where((place < 0)[:, None], self.draws[start], proposed.draws[place])
        return chain, float(np.mean(place == np.arange(n)))

    def __str__(self):
        (elbo, elbo_error), (log_z, error) = self.elbo, self.log_evidence
        mean, mean_error = self.expectation()
        deviation = np.sqrt(self.expectation(lambda x: (x - mean) ** 2)[0])
        lines = [f"{'':>8}{'mean':>12}{'+-':>10}{'sd':>12}"]
        for i, (m, e, s) in enumerate(zip(mean, mean_error, deviation, strict=True)):
            lines.append(f"{f'x_{i + 1}':>8}{m:12.4g}{e:10.2g}{s:12.4g}")
        lines.append(
            f"log evidence {log_z:.3f} +- {error:.3f}, ELBO {elbo:.3f} +- {elbo_error:.3f}"
        )
        if n_bad := np.count_nonzero(~np.isfinite(self.log_p)):
            lines.append(f"the target was not finite at {n_bad:,} of {len(self.log_p):,} draws")
        return "\n".join([*lines, self.verdict])


def infer(
    log_target: Callable,
    dim: int | None = None,
    *,
    flow: TransformedDistribution | None = None,
    support: str | tuple[float, float] | Sequence | None = None,
    draws: int = DRAWS,
    rng: Seed = 0,
    **options: Any,
) -> Inference:
    """Fit a flow to an unnormalised density by reverse KL, weigh draws of it, and judge the fit.

    Errors: those of `fit_reverse_kl`. Cost: its training, and one call of the target with `draws`
    rows.

    Parameters
    ----------
    log_target : callable
        Rows (n, D) -> log p~ (n,), in autograd.numpy; or -> (log p~, its gradient (n, D)).
    dim : int or None
        D; None: that of the flow.
    flow : TransformedDistribution or None
        None: an IAF of four layers. A new one is initialised with a Gaussian near the target.
    support : str, pair, sequence or None
        Where p lives: None or "real", "positive", (low, high); or one of these for every
        coordinate. A map from the line (exp, or a scaled sigmoid) is put at the flow's data end.
    draws : int
        How many draws are weighed.
    rng : int or Generator
        Decides everything random.
    **options
        Of `fit_reverse_kl`.

    Returns
    -------
    Inference
        Print it.

    References
    ----------
    Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016. Yao,
    Vehtari, Simpson and Gelman, "Yes, but did it work?", 2018.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> def log_target(x):  # a Gamma(3, 1)
    ...     return anp.sum(2 * anp.log(x) - x, axis=1)
    >>> found = infer(log_target, 1, support="positive", epochs=5, batches=30)
    >>> mean, error = found.expectation()
    >>> bool(abs(mean[0] - 3) < 0.2)
    True
    """
    if flow is None:
        if dim is None:
            raise ValueError("infer needs dim, the number of coordinates, or a flow")
        dim = check_dim("dim", dim)
        flow = iaf(dim, layers=LAYERS, hidden=[max(LEAST_WIDTH, 2 * dim)] * 2, rng=0)
    elif dim not in (None, flow.dim):
        raise ValueError(f"dim is {dim}, but the flow has dim {flow.dim}")
    end = _from_the_line(support, flow.dim)
    rng = np.random.default_rng(rng)
    target = Target(log_target, flow.dim)
    if end is None:
        flow, history = fit_reverse_kl(flow, log_target, rng=rng, **options)
        return Inference.of(flow, target, draws, rng, history)

    def on_the_line(y):
        """log p~(x(y)) + log|det dx/dy|, and its gradient by y."""
        return _pulled_back(end, target, y)

    flow, history = fit_reverse_kl(flow, on_the_line, rng=rng, **options)
    whole = TransformedDistribution(flow.base, Chain([end, flow.bijector]))
    return Inference.of(whole, target, draws, rng, history)


def _pulled_back(end, target: Target, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from autograd.core import make_vjp

    vjp, x = make_vjp(end.forward, y)
    log_p, slope = target(x)
    log_det_vjp, log_det = make_vjp(lambda rows: end.forward_log_det(rows), y)
    return log_p + log_det, vjp(slope) + log_det_vjp(np.ones_like(log_det))


def _from_the_line(support, dim: int):
    """The map from the whole line to the support of every coordinate; None if that is the line."""
    is_one = support is None or isinstance(support, (str, tuple))
    every = [support] * dim if is_one else list(support)
    if len(every) != dim:
        raise ValueError(f"support has {len(every)} entries for {dim} coordinates")
    parts = [_part(one) for one in every]
    return None if all(isinstance(part, Permute) for part in parts) else Blockwise(parts, [1] * dim)


def _part(support):
    if support in (None, "real"):
        return Permute([0])
    if support == "positive":
        return Exp(1)
    if isinstance(support, tuple) and len(support) == 2:
        return Sigmoid(1, *support)
    raise ValueError(f'a support is "real", "positive" or (low, high): got {support!r:.60}')
