"""Maximum likelihood: the negative log-likelihood (NLL) of rows, and its gradient.

    value(theta) = - sum_n w_n log p(x_n; theta) / sum_n w_n                            in nats

It is linear in the log densities. So its gradient is one vector-Jacobian product of
`flow.log_prob`, with the cotangent -w / sum(w): the one place where training meets autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from autograd.core import make_vjp

from ..core import without_warnings
from ..core.inputs import check_context
from ..core.rows import Rows
from ..distributions import Distribution
from .loss import MeanLoss, NotFinite
from .shards import BoundLogProb
from .table import Table


class _Step(NamedTuple):
    """log p of a number of rows, its gradient by autograd, and the cotangent of that gradient."""

    log_prob: BoundLogProb
    vjp: Callable
    cotangent: np.ndarray


class Likelihood(MeanLoss):
    """The NLL of rows, and a penalty: what `fit` minimises. A batch is `Rows`.

    flow      anything with `log_prob(x, params=theta, context=c)`, differentiable in theta
    penalty   see `Loss`; table   see `MeanLoss`
    threads   how many work on a large batch; None: see `n_threads`; rng   not used

    >>> import flowcore
    >>> flow = flowcore.flows.maf(2, layers=1, hidden=[8], standardize=False)
    >>> loss = Likelihood(flow, penalty=lambda theta: 0.1 * (theta**2).sum())
    >>> value, gradient = loss(flow.params, Rows(np.zeros((5, 2))))
    >>> bool(np.isclose(value - loss.penalty_value, np.log(2 * np.pi))), gradient.shape
    (True, (36,))
    """

    def __init__(self, flow, penalty=None, threads=None, table: Table | None = None, rng=None):
        super().__init__(flow, penalty, table)
        self._threads, self._steps = threads, {}

    def values(self, theta: np.ndarray, rows: Rows) -> np.ndarray:
        """-log p of the rows; values may be infinite or NaN, without a warning of NumPy."""
        built_in = getattr(type(self.flow), "log_prob", None) is Distribution.log_prob
        options = {"threads": self._threads} if built_in else {}
        with np.errstate(all="ignore"), without_warnings():  # of far contexts, in every epoch
            return -self.flow.log_prob(rows.x, params=theta, context=rows.context, **options)

    def value_and_gradient(self, theta: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
        """The NLL of the rows, and its gradient, which the next call overwrites.

        The tape lives only in here, so theta may change as soon as this returns.
        """
        self.weight = rows.total_weight
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
        """Whatever the steps with this number of rows have in common; bound to theta itself, which
        changes."""
        step = self._steps.get(len(rows.x))
        if step is None or step.log_prob.theta is not theta:
            with without_warnings():  # these contexts are training rows now
                check_context(rows.context, self.flow.context_dim, self.flow)
            log_prob = BoundLogProb(self.flow, len(rows.x), theta, self._threads)
            step = _Step(log_prob, log_prob.traced(), Rows(rows.x).cotangent)
            self._steps[len(rows.x)] = step
        return step

    def _log_prob_of(self, rows: Rows) -> Callable:
        """log p of the rows (n,), as a function of theta, for a flow of the user's own class."""

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
