"""What `fit` minimises, and its gradient: the one place where training meets autograd.

    loss(theta) = - sum_n w_n log p(x_n; theta) / sum_n w_n  +  penalty(theta)          in nats

The first term, the negative log-likelihood (NLL), is linear in the log densities. So its gradient
is one vector-Jacobian product of `flow.log_prob`, with the cotangent -w / sum(w).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import isbox

from ..core import n_threads
from ..core.inputs import check_context
from ..distributions import Distribution
from .shards import BoundLogProb
from .table import Rows


class NotFinite(Exception):
    """The loss or its gradient is not finite; the message says what, and where.

    at_start   what to ask oneself if this happens before any update
    """

    def __init__(self, what: str, at_start: str = "is the loss smooth at the initial parameters?"):
        super().__init__(what)
        self.at_start = at_start


class _Step(NamedTuple):
    """log p of a number of rows, autograd's way back from it, and what the way back starts with."""

    log_prob: BoundLogProb
    vjp: Callable
    cotangent: np.ndarray


class Loss:
    """The loss of a flow, as a function of its flat parameter vector theta and of some rows.

    flow      anything with `log_prob(x, params=theta, context=c)`, differentiable in theta
    penalty   None, or a function in autograd.numpy: penalty(theta), or penalty(theta, flow)
    threads   how many work on a large batch; None: see `n_threads`

    `penalty_value` is the penalty's share of the last loss: what is left of it is the NLL.

    >>> import flowcore
    >>> flow = flowcore.flows.maf(2, layers=1, hidden=[8], standardize=False)
    >>> loss = Loss(flow, penalty=lambda theta: 0.1 * (theta**2).sum())
    >>> value, gradient = loss(flow.params, Rows(np.zeros((5, 2))))
    >>> bool(np.isclose(value - loss.penalty_value, np.log(2 * np.pi))), gradient.shape
    (True, (36,))
    """

    def __init__(self, flow, penalty: Callable | None = None, threads: int | None = None):
        self.flow, self._threads = flow, n_threads(threads)
        self.penalty = None if penalty is None else _as_function_of_theta(penalty, flow)
        self.penalty_value = 0.0
        self._steps: dict[int, _Step] = {}

    def __call__(self, theta: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
        """(loss, its gradient by theta), of the rows' x (n, D), weights and contexts.

        The tape lives only in here, so theta may change as soon as this returns; the gradient is
        good until the next call. Errors: NotFinite if the loss is not a finite number (the
        gradient is the caller's to check).
        """
        with np.errstate(all="ignore"):  # what is not finite is looked for, not warned about
            nll, gradient = self.nll_and_gradient(theta, rows)
            if self.penalty is None:
                return nll, gradient
            self.penalty_value, slope = _penalty_and_gradient(self.penalty, theta)
            return nll + self.penalty_value, gradient + slope

    def value(self, theta: np.ndarray, blocks: Iterable[Rows] | None) -> float | None:
        """The NLL alone, without penalty or gradient, of the rows of all blocks; None of None."""
        return None if blocks is None else self.value_and_error(theta, blocks)[0]

    def value_and_error(self, theta: np.ndarray, blocks: Iterable[Rows]) -> tuple[float, float]:
        """The NLL, and its standard error: what other rows of the same kind would change."""
        values, weights = [], []
        for rows in blocks:
            values.append(self._values(theta, rows))
            weights.append(np.ones(len(rows.x)) if rows.weight is None else rows.weight)
        v, w = np.concatenate(values).astype(float), np.concatenate(weights)
        w = w / w.sum()
        with np.errstate(all="ignore"):
            nll = -float(np.dot(w, v))
            return nll, math.sqrt(np.dot(w * w, (v + nll) ** 2))

    def _values(self, theta, rows):
        """log p of the rows; what is not finite is looked for, not warned about."""
        built_in = getattr(type(self.flow), "log_prob", None) is Distribution.log_prob
        options = {"threads": self._threads} if built_in else {}
        with np.errstate(all="ignore"):
            return self.flow.log_prob(rows.x, params=theta, context=rows.context, **options)

    def nll_and_gradient(self, theta: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
        """The NLL of the rows, and its gradient: without the penalty."""
        if isinstance(self.flow, Distribution):
            step = self._step(theta, rows)
            values, vjp = step.log_prob.run(rows.x, rows.context), step.vjp
            cotangent = step.cotangent if rows.weight is None else rows.cotangent
        else:
            vjp, values = make_vjp(self._log_prob_of(rows), theta)
            cotangent = rows.cotangent
        nll = float(np.dot(cotangent, values))
        if not math.isfinite(nll):
            what = _what_failed(self.flow, theta, rows, nll)
            raise NotFinite(what, "is the row outside the support of the flow?")
        gradient = vjp(cotangent.astype(values.dtype, copy=False))
        return nll, np.asarray(gradient, theta.dtype)

    def _step(self, theta, rows: Rows) -> _Step:
        """What the steps with this number of rows share: bound to theta itself, which changes."""
        step = self._steps.get(len(rows.x))
        if step is None or step.log_prob.theta is not theta:
            check_context(rows.context, self.flow.context_dim, self.flow)
            log_prob = BoundLogProb(self.flow, len(rows.x), theta, self._threads)
            step = _Step(log_prob, log_prob.traced(), Rows(rows.x).cotangent)
            self._steps[len(rows.x)] = step
        return step

    def _log_prob_of(self, rows: Rows) -> Callable:
        """log p of the rows (n,), as a function of theta; of a flow that is somebody's own."""

        def log_prob(theta):
            values = self.flow.log_prob(rows.x, params=theta, context=rows.context)
            if values.shape != rows.x.shape[:1]:
                shapes = f"log_prob of {rows.x.shape} has shape {values.shape}"
                raise ValueError(f"{shapes}: not one a row")
            return values

        return log_prob


def _what_failed(flow, theta, rows: Rows, loss: float) -> str:
    with np.errstate(all="ignore"):
        values = flow.log_prob(rows.x, params=theta, context=rows.context)
    bad = np.flatnonzero(~np.isfinite(values))
    if not bad.size:
        return f"the loss is {loss}"
    row = rows.x[bad[0]]
    x = np.array2string(row, precision=6, threshold=8)
    low, high = getattr(getattr(flow, "bijector", None), "codomain", (-math.inf, math.inf))
    outside = np.flatnonzero((row <= low) | (row >= high))
    where = ""
    if outside.size:
        i = outside[0]
        ends = (np.broadcast_to(end, row.shape)[i] for end in (low, high))
        where = ", of which column {} must be above {:g} and below {:g}".format(i, *ends)
    return f"the loss is {loss}: log_prob is {values[bad[0]]} for x = {x}{where}"


# ---------------------------------------------------------------- the penalty


def _as_function_of_theta(penalty: Callable, flow) -> Callable:
    """The penalty as a function of theta alone, tried once where training starts."""
    if not callable(penalty):
        raise TypeError(f"penalty must be a function of theta, or None: got {penalty!r}")
    two = _n_required(penalty) >= 2
    of_theta = (lambda theta: penalty(theta, flow)) if two else penalty
    results = []

    def watched(theta):
        results.append(of_theta(theta))
        return anp.sum(theta)

    try:
        with np.errstate(all="ignore"):
            make_vjp(watched, flow.params)
    except TypeError as problem:
        raise TypeError(
            f"penalty cannot be called or differentiated: {problem}. It is a function of theta, or "
            "of theta and the flow, written in autograd.numpy"
        ) from problem
    (result,) = results
    if isbox(result) and result.shape != ():
        raise ValueError(
            f"penalty must return one number, but returned an array of shape {result.shape}: "
            "sum it, or take its mean"
        )
    if not isbox(result):
        raise ValueError(
            f"penalty returned {result!r:.60}, which does not depend on theta: compute it in "
            "autograd.numpy from the theta that it is given (params=theta), not from flow.params"
        )
    return of_theta


def _n_required(function: Callable) -> int:
    """How many arguments by position it cannot do without; 1 if nobody knows."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_position and p.default is p.empty for p in parameters)


def _penalty_and_gradient(penalty: Callable, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Both, finite."""

    def of_theta(params):  # autograd warns of a constant, and a hinge may be one for a while
        return penalty(params) + anp.sum(params[:0])

    vjp, value = make_vjp(of_theta, theta)
    if not math.isfinite(value):
        raise NotFinite(f"the penalty is {value}", "is it defined at the initial parameters?")
    slope = np.asarray(vjp(1.0), theta.dtype)
    if not np.isfinite(slope).all():
        i = np.flatnonzero(~np.isfinite(slope))[0]
        raise NotFinite(
            f"the penalty is {value:.4g}, but its gradient is {slope[i]} by parameter {i} "
            f"(which is {theta[i]:.4g})",
            "is the penalty smooth at the initial parameters?",
        )
    return float(value), slope
