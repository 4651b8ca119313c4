"""`fit_reverse_kl`: a flow for a density that can be evaluated up to a constant (variational
inference).

    KL(q || p) + log Z = E_q[log q(x) - log p~(x)] = -ELBO,        p(x) = p~(x) / Z

with draws x = f(z; theta) of the flow, z from its base: log q(x) = log b(z) - log |det df/dz|.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import getval

from ..core.inputs import check_dim
from ..core.rows import as_table
from ..training.checks import check_flow
from ..training.defaults import is_auto
from ..training.fit import fit
from ..training.loss import NO_EPOCH, Loss, NotFinite, Objective
from ..training.schedules import is_number
from .nearest_gaussian import gaussian_rows
from .unnormalised import LogTarget

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..core.typing import ArrayLike
    from ..distributions import TransformedDistribution
    from ..training.history import History

EPOCHS, BATCHES, BATCH_SIZE, LEARNING_RATE = 50, 50, 256, 1e-2  # what "auto" stands for
VALIDATION = 2000  # draws, always the same, by which the best epoch is chosen
STARTS = 1000  # rows that initialise a new flow
LEAST_ERROR = 1e-3  # nats, of a validation
OF_ROWS = {"validation_split", "validation_data", "shuffle", "sample_weight", "context", "threads",
           "noise", "context_noise"}  # fmt: skip
TOLERANCE = 1e-3  # nats of KL(q || p)


class ReverseKL(Loss):
    """-ELBO of a flow, by draws: the loss of `fit_reverse_kl`. A batch is base draws (n, D).

    The gradient by theta of the mean of log q(x) - log p~(x), at x = f(z; theta), is

        total   -d log|det df/dz| / dtheta - (dx/dtheta)^T grad log p~(x)
        path    (dx/dtheta)^T (grad log q(x) - grad log p~(x))

    which have the same expectation. The path derivative leaves out the score of q, whose mean is 0:
    where q = p it has no variance (Roeder, Wu and Duvenaud, "Sticking the landing", 2017). It also
    needs the gradient of log q by x, for which the flow runs in the other direction, too.

    flow      initialised; parameters of its base do not change
    target    a `LogTarget`
    gradient  "path" or "total"
    beta      the power of the target in this epoch: less than 1 while it is annealed
    kl        the least KL(q || p) so far, as the validations estimate it
    start     the rows that a new flow was initialised with, if they were given
    anneal, tolerance, seed, n_batches, batch_size, quasi_random, skip_above   see `fit_reverse_kl`
    """

    validated, epochs, learning_rate = True, EPOCHS, LEARNING_RATE

    def __init__(
        self, flow, target: LogTarget, penalty=None, *, gradient: str = "path",
        anneal: int = 0, tolerance: float = TOLERANCE, seed: int = 0, n_batches: int = BATCHES,
        batch_size: int = BATCH_SIZE, quasi_random: bool = False, start: np.ndarray | None = None,
        skip_above: float | None = None,
    ):  # fmt: skip
        super().__init__(flow, penalty)
        self.start, self.options = start, {"batches": n_batches, "gradient": gradient}
        self.target, self.gradient, self.seed = target, gradient, seed
        self.anneal, self.tolerance, self.skip_above = anneal, tolerance, skip_above
        self.beta, self.kl = 1.0, math.inf
        self.n_batches, self.batch_size, self.quasi_random = n_batches, batch_size, quasi_random
        self._fixed = self.draws(VALIDATION, seed, NO_EPOCH)

    @classmethod
    def of_target(cls, flow, target: LogTarget, *, options: dict, penalty, rng, **_) -> Self:
        """The loss of an initialised flow; the other arguments of `fit` concern rows."""
        seed, start = int(rng.integers(2**32)), options["start"]
        if start is not None:
            options["start"] = start = np.atleast_2d(np.asarray(start, float))
        if not flow.initialized:
            near = target.power(1 / options["anneal"]) if options["anneal"] else target
            flow = flow.initialize(_starting_rows(near, start, flow.dim, rng), rng=rng)
        return cls(flow, target, penalty, seed=seed, **options)

    def compared(self) -> tuple[dict, dict]:
        """The start, and all options; the target is a function."""
        names = "anneal", "tolerance", "batch_size", "quasi_random", "skip_above"
        options = self.options | {name: getattr(self, name) for name in names}
        return {"start": self.start}, options | {"log_target": self.target.log_target}

    def finished(self, flow, history):
        """Both, with the numbers of draws that were left out, and of those where p~ raised."""
        history.settings["bad_rows"] = self.target.n_bad
        history.settings["raised_rows"] = self.target.n_raised
        return flow, history

    def draws(self, n: int, *seed: int) -> np.ndarray:
        """z (n, D) from the base."""
        rng = np.random.default_rng(seed)
        if not self.quasi_random:
            return np.asarray(self.flow.base.sample(n, rng), self.flow.dtype)
        from scipy.special import ndtri
        from scipy.stats.qmc import Sobol

        points = Sobol(self.flow.dim, seed=rng).random_base2(math.ceil(math.log2(n)))
        return ndtri(np.clip(points[:n], 1e-12, 1 - 1e-12)).astype(self.flow.dtype)

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator[np.ndarray]:
        """Base draws, of the batch's own seed: a resumed run draws the same."""
        self.beta = (epoch + 1) / self.anneal if epoch < self.anneal else 1.0
        for batch in range(first, self.n_batches):
            yield self.draws(self.batch_size, self.seed, epoch, batch)

    def value_and_gradient(self, theta, z) -> tuple[float, np.ndarray]:
        """(-ELBO, its gradient) of base draws z; rows where it is not finite are left out."""
        flow, losses = self.flow, []

        def surrogate(params):  # whose gradient is that of the loss
            x, log_det = _images(flow, params, z)
            rows = getval(x)
            log_p, slope = (self.beta * part for part in self.target(rows))
            value = np.asarray(flow.base.log_prob(z)) - getval(log_det) - log_p
            good = np.isfinite(value)
            if not good.any():
                what = "log_target is finite at no draw (if p has bounds, pass support= to infer)"
                raise NotFinite(what, "does its support fit?")
            w = good / np.count_nonzero(good)
            losses.append(-elbo_and_error(-value)[0])
            if self.gradient == "path":
                slope = slope - _slope_by_x(flow, params, rows)
                log_det = 0.0
            slope = np.where(good[:, None], slope, 0.0)
            return -anp.sum(w * (log_det + anp.sum(slope * x, axis=1)))

        vjp, _ = make_vjp(surrogate, theta)
        return losses[0], np.asarray(vjp(1.0), theta.dtype)

    def validation(self, theta) -> tuple[float, float]:
        """-ELBO of 2,000 draws, always the same, and its standard error if they are independent.

        A flow that is right from the start has an error of 0; a thousandth of a nat is no reason to
        return to it.
        """
        value, error = self._value_and_error(theta, self._fixed)
        if math.isfinite(value):
            self.kl = min(self.kl, 0.5 * VALIDATION * error**2)
        return value, max(error, LEAST_ERROR)

    @property
    def done(self) -> bool:
        """Whether the best flow so far is as close to the target as wanted.

        Where q is near p, KL(q || p) is half of the variance of log p~ - log q under q.
        """
        return self.kl <= self.tolerance

    def first_batch(self, theta) -> tuple[float, float]:
        """The same of one batch."""
        return self._value_and_error(theta, self.draws(self.batch_size, self.seed, 0, 0))

    def _value_and_error(self, theta, z) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            x, log_det = _images(self.flow, theta, z)
            log_w = self.target(x)[0] + log_det - self.flow.base.log_prob(z)
        elbo, error = elbo_and_error(log_w)
        return -elbo, error


def elbo_and_error(log_w: np.ndarray) -> tuple[float, float]:
    """(the ELBO, its standard error) in nats, by log w = log p~ - log q (n,) of draws of q.

    The density q / S of the draws where log w is finite, a share S of all, has the ELBO

        E[log w] + log S  <=  log Z,       by its draws; -inf without any
    """
    values = log_w[np.isfinite(log_w)]
    if not len(values):
        return -math.inf, 0.0
    share = len(values) / len(log_w)
    with np.errstate(over="ignore"):
        error = math.sqrt((values.var() + 1 - share) / len(values))  # 1 - share: that of log S
    return float(values.mean()) + math.log(share), error


def _images(flow, theta, z):
    """(x, log|det df/dz|) of base draws, with the bijector's part of theta."""
    return flow.bijector.forward_and_log_det(z, params=flow.params_of(flow.bijector, theta))


def _slope_by_x(flow, params, x) -> np.ndarray:
    """grad_x log q(x), with the parameters held fixed; 0 where it is not finite."""
    theta = getval(params)
    vjp, values = make_vjp(lambda rows: flow.log_prob(rows, params=theta), x)
    slope = vjp(np.ones_like(values))
    return np.where(np.isfinite(slope).all(axis=1, keepdims=True), slope, 0.0)


def fit_reverse_kl(
    flow: TransformedDistribution,
    log_target: Callable,
    *,
    epochs: int | str = "auto",
    batches: int = BATCHES,
    batch_size: int = BATCH_SIZE,
    gradient: str = "path",
    anneal: int = 0,
    tolerance: float = TOLERANCE,
    quasi_random: bool = False,
    start: ArrayLike | None = None,
    skip_above: float | None = None,
    average: float | None = 0.99,
    **options: Any,
) -> tuple[TransformedDistribution, History]:
    """Fit a flow to an unnormalised density by reverse KL; returns (new_flow, history).

        minimise over theta   E_q[log q(x) - log p~(x)] = -ELBO = KL(q || p) - log Z

    The history's train_nll and val_nll are -ELBO in nats: ELBO <= log Z, with equality where q = p.
    The parameters of the epoch with the best -ELBO of 2,000 fixed draws are returned.

    Reverse KL seeks modes: if no draw of q comes near a mode, q misses the mode, and nothing shows
    this. With `anneal`, q reaches more of them.

    Errors: ValueError for a flow with a context, and for a target that has the wrong shape or no
    gradient, is finite nowhere, or has an ELBO that climbs without end. Cost of an update: one call
    of the target and a forward pass with its gradient; with gradient="path" also a density and its
    gradient by x.

    Parameters
    ----------
    flow : TransformedDistribution
        A flow without a context, fast for an IAF and for couplings. The parameters of its base do
        not change.
    log_target : callable
        A function of rows (n, D) that returns log p~ (n,), in autograd.numpy; or log p~ and its
        gradient (n, D). Draws where log p~ is not finite, or where log_target raises an
        ArithmeticError, RuntimeError or ValueError (such as a LinAlgError), are left out of the
        ELBO and of its gradient; history.settings["bad_rows"] is their number.
    epochs : int or "auto"
        "auto": 50.
    batches, batch_size : int
        Updates per epoch, and draws per update.
    gradient : str
        "path", the path derivative ("sticking the landing"); "total", the textbook's.
    anneal : int
        The number of epochs in which q learns p~^beta, with beta rising from 1 / anneal to 1. At
        first the target is flat and its modes are joined, so that q reaches more of them.
    tolerance : float
        Training ends after the first epoch with KL(q || p) <= tolerance, in nats; KL is estimated
        by half of the variance of log p~ - log q at the fixed draws. 0: train for all epochs.
    quasi_random : bool
        Draw the base by scrambled Sobol points (Owen 1997); the base must be a Normal.
    start : array_like or None
        (n, D): rows near the mass of p, which initialise a new flow. One row, or None: a Gaussian
        near the target is searched from this row, or from 0.
    skip_above : float or None
        Leave out updates whose gradient is not finite, or has a norm above this number times the
        median of the last 50 norms, because one extreme draw can have such a gradient. None: use
        every gradient.
    average : float or None
        As in `fit`.
    **options
        The options of `fit` that do not concern rows: learning_rate ("auto" is 0.01 for Adam),
        optimizer, schedule, warm_up, patience, clip_norm, callbacks, progress, checkpoint (with a
        checkpoint_key, because the target is a function), checkpoint_every, penalty, max_seconds,
        rng (the initialisation, and the seed of all batches).

    Returns
    -------
    flow, history : TransformedDistribution, History
        The flow with the parameters of the best epoch, and what happened.

    References
    ----------
    Rezende and Mohamed, "Variational inference with normalizing flows", 2015. Agrawal and Domke,
    "Disentangling impact of capacity, objective, batchsize, estimators, and step-size on flow VI",
    2024.

    Examples
    --------
    >>> import flowcore
    >>> def log_target(x):  # N(3, 2^2), without its constant
    ...     return -0.125 * anp.sum((x - 3) ** 2, axis=1)
    >>> flow = flowcore.flows.iaf(1, layers=1, hidden=[8])
    >>> flow, history = fit_reverse_kl(flow, log_target, epochs=3, batches=20)
    >>> bool(abs(-history.val_nll[-1] - np.log(2 * np.sqrt(2 * np.pi))) < 0.01)
    True
    """
    check_flow(flow)
    if of_rows := OF_ROWS & options.keys():
        raise TypeError(f"fit_reverse_kl has no rows: leave out {', '.join(sorted(of_rows))}")
    epochs = EPOCHS if is_auto(epochs) else epochs
    if is_number(epochs) and check_dim("anneal", anneal, least=0) >= epochs > 0:
        raise ValueError(f"anneal must be less than the {epochs} epochs, not {anneal}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is at least 0, nats of KL(q || p): got {tolerance!r:.40}")
    _check(flow, gradient, quasi_random)
    if not (skip_above is None or (is_number(skip_above) and skip_above > 1)):
        raise ValueError(f"skip_above is a number above 1, or None: got {skip_above!r:.40}")
    loss = {
        "gradient": gradient, "anneal": anneal, "tolerance": tolerance, "start": start,
        "quasi_random": quasi_random, "skip_above": skip_above,
        "n_batches": check_dim("batches", batches),
        "batch_size": check_dim("batch_size", batch_size),
    }  # fmt: skip
    shared = isinstance(log_target, LogTarget)  # with its counts, by `infer`
    target = log_target if shared else LogTarget(log_target, flow.dim)
    objective = Objective(target, partial(ReverseKL.of_target, options=loss))
    return fit(flow, objective, epochs=epochs, average=average, **options)


def _check(flow, gradient: str, quasi_random: bool) -> None:
    if getattr(flow, "context_dim", 0):
        raise ValueError("the flow takes a context: a target has none")
    if gradient not in ("path", "total"):
        raise ValueError(f'gradient is "path" or "total": got {gradient!r:.40}')
    if quasi_random and type(flow.base).__name__ != "Normal":
        raise ValueError(f"quasi_random=True needs a Normal as base, not {flow.base!r:.60}")


def _starting_rows(target: LogTarget, start, dim: int, rng) -> np.ndarray:
    """Rows that a new flow is initialised with."""
    rows = np.zeros((1, dim)) if start is None else as_table("start", start, dim)
    return rows if len(rows) > 1 else gaussian_rows(target, rows[0], STARTS, rng)
