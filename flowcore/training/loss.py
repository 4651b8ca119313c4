"""The loss that a training loop minimises: its value on a batch, its gradient, and a penalty.

`Loss` is the interface between the loop (`loop.py`) and a loss. `MeanLoss` holds what losses share
that are a mean over the rows of a table. The loss of `fit` is in `likelihood.py`; another loss
is another class of this kind, not another loop.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import isbox

from ..core.inputs import column_labels, selected
from ..core.rows import as_rows
from .checks import check_scales, with_names_of
from .columns import check_condition
from .defaults import LEARNING_RATE, batch_size_for, epochs_for, is_auto
from .noise import NO_EPOCH, with_noise
from .table import Table, as_training_table, merged, n_distinct

if TYPE_CHECKING:
    from typing_extensions import Self

HOLES = "; FlowDensity(missing='learn') learns from rows with NaN"


class Objective(NamedTuple):
    """What functions with a loss of their own pass to `fit` in place of rows."""

    data: Any
    loss_of: Callable[..., Loss]  # of the flow, the data, and options of `fit`


class NotFinite(Exception):
    """The loss or its gradient is not finite; the message names which, and the place.

    at_start   the likely cause, as a question, if this happens before any update
    """

    def __init__(self, what: str, at_start: str = "is the loss smooth at the initial parameters?"):
        super().__init__(what)
        self.at_start = at_start


class Loss:
    """The loss of a flow, as a function of its flat parameter vector theta and of a batch.

        loss(theta, batch) = value(theta, batch) + penalty(theta)

    flow            the flow that is trained, initialised
    penalty         None, or a function in autograd.numpy: penalty(theta), or penalty(theta, flow)
    penalty_value   the value of the penalty in the last loss
    weight          the weight of the last batch in the mean over an epoch

    Abstract. A subclass defines its batches, and writes

    value_and_gradient(theta, batch)   (value, gradient) in nats, without the penalty; it sets
                    `weight`, and raises NotFinite if the value is not finite
    batches(rng, epoch, first)   the batches of an epoch, without the `first` batches that an
                    earlier run has seen. They follow from the epoch's number, and from the state of
                    rng at its start
    validation(theta)   (value, standard error) by which the best epoch is chosen, or None
    first_batch(theta)   (value, standard error) of one batch, always the same
    batch_size, n_batches   rows of a batch and batches of an epoch
    validated       whether there is a validation
    epochs, learning_rate   the values of "auto"

    and perhaps

    done            whether nothing is left to gain: training ends after this epoch
    skip_above      None, or which updates are left out: see `Run.leaves_out`
    options         {name: value}, its own options, for the history
    compared()      ({name: array}, {name: value}), the data and options for the checkpoint
    callbacks       its own callbacks, called after every epoch, before the caller's
    finished(flow, history)   the result of `fit`
    """

    done = False
    skip_above: float | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    callbacks: Sequence[Callable] = ()
    learning_rate = LEARNING_RATE

    def __init__(self, flow, penalty: Callable | None = None):
        self.flow = flow
        self.penalty = None if penalty is None else _as_function_of_theta(penalty, flow)
        self.penalty_value = 0.0
        self.weight = 1.0

    def finished(self, flow, history):
        """Both, as the training has left them."""
        return flow, history

    def compared(self) -> tuple[dict, dict]:
        """Its own options; there are no data."""
        return {}, dict(self.options)

    def __call__(self, theta: np.ndarray, batch: Any) -> tuple[float, np.ndarray]:
        """(loss, its gradient by theta); the gradient may be overwritten by the next call.

        Errors: NotFinite if the loss is not a finite number (the gradient is the caller's to
        check).
        """
        with np.errstate(all="ignore"):  # what is not finite is looked for, not warned about
            value, gradient = self.value_and_gradient(theta, batch)
            if self.penalty is None:
                return value, gradient
            self.penalty_value, slope = _penalty_and_gradient(self.penalty, theta)
            return value + self.penalty_value, gradient + slope


class MeanLoss(Loss):
    """A loss that is the weighted mean of a value of each row, over the rows of a table.

    table   the `Table` whose rows make an epoch; None if only single batches are evaluated

    Abstract. A subclass writes `value_and_gradient`, and

    values(theta, batch)   (n,): the loss of a batch is their mean, weighted by batch.weight

    and `batches` and `held_out`, if its batches are not the `Rows` themselves.
    """

    batch_size: int | None = None
    batch_size_for = staticmethod(batch_size_for)  # rows -> the value of "auto"
    epochs_for = staticmethod(epochs_for)

    def __init__(self, flow, penalty: Callable | None = None, table: Table | None = None):
        super().__init__(flow, penalty)
        if table is not None:
            self._table, self.batch_size = table, table.batch_size
            self.n_batches, self.validated = table.batches_per_epoch, table.validation is not None
            self.epochs, self.options = self.epochs_for(table.n), table.counts

    @classmethod
    def of_rows(
        cls, flow, X, *, context, sample_weight, noise=None, context_noise=None, validation_split,
        validation_data, batch_size, shuffle, penalty, threads, rng, **options,
    ) -> Self:  # fmt: skip
        """The loss of rows and of an initialised flow; for the arguments see `fit`."""
        dtype, names = flow.params.dtype, getattr(flow, "names", None)
        context_names = getattr(flow, "context_names", None)
        own = column_labels(X), column_labels(context)
        labels = names or own[0], context_names or own[1]
        X, context = selected("X", X, labels[0]), selected("context", context, labels[1])
        rows = as_rows(X, flow.dim, context, sample_weight, dtype, more=HOLES)
        flow = with_names_of(flow, X, context)
        rows = with_noise(rows, noise, context_noise, own, labels, rng)
        data = merged(rows)
        if is_auto(batch_size):
            batch_size = cls.batch_size_for(n_distinct(rows, data))
        table = as_training_table(
            rows, data, validation_split, validation_data, batch_size, shuffle, rng, labels, dtype,
        )  # fmt: skip
        first = table.initial_rows()
        check_scales(flow, first.x, first.context)
        check_condition(flow, first.x, first.context)
        flow = flow.initialize(first.x, context=first.context, rng=rng)
        return cls(flow, penalty=penalty, table=table, threads=threads, rng=rng, **options)

    def compared(self) -> tuple[dict, dict]:
        """The rows, and how they are split and cut into batches."""
        tables, options = self._table.compared()
        own = {name: self.options[name] for name in self.options.keys() - self._table.counts}
        return tables, {**options, **own}

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator:
        """The training rows, in a new order if they are shuffled, with the noise of this epoch."""
        return self._table.batches(rng, epoch, first)

    @property
    def held_out(self) -> Iterable:
        """The validation rows, as batches."""
        return self._table.validation

    def validation(self, theta: np.ndarray) -> tuple[float, float] | None:
        """The loss of the validation rows, and its standard error."""
        return self.value_and_error(theta, self.held_out) if self.validated else None

    def first_batch(self, theta: np.ndarray) -> tuple[float, float]:
        """The same of the first batch, in the order of the data."""
        return self.value_and_error(theta, [next(self.batches(None, NO_EPOCH))])

    def value_and_error(self, theta: np.ndarray, blocks: Iterable) -> tuple[float, float]:
        """The loss of all blocks, and its standard error over such rows, without the penalty and
        without a gradient."""
        values, weights = [], []
        for batch in blocks:
            values.append(self.values(theta, batch))
            weights.append(np.ones(len(values[-1])) if batch.weight is None else batch.weight)
        v, w = np.concatenate(values).astype(float), np.concatenate(weights)
        w = w / w.sum()
        with np.errstate(all="ignore"):
            mean = float(np.dot(w, v))
            return mean, math.sqrt(np.dot(w * w, (v - mean) ** 2))


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
            "autograd.numpy from the theta that it gets (params=theta), not from flow.params"
        )
    return of_theta


def _n_required(function: Callable) -> int:
    """How many arguments by position it requires; 1 if it has no signature."""
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
