"""Maximum likelihood: `fit`, its history, and the error it raises when training diverges.

    loss(theta) = - sum_n w_n log p(x_n; theta) / sum_n w_n        (nats, the weighted mean NLL)

The loss is linear in the log densities, so its gradient is one vector-Jacobian product of
`flow.log_prob` with the cotangent -w / sum(w): no loss function needs to be differentiated.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from autograd.core import make_vjp

from ._checks import check_columns, check_flow, check_options
from ._rows import Rows, as_rows, batches, split
from .history import EpochReport, History, TrainingDivergedError, asks_to_stop, progress_bar
from .optim import DEFAULT_LEARNING_RATE, LearningRate, Optimizer, as_optimizer

_NO_FINITE_VALIDATION = (
    "the validation NLL was never finite (are validation rows outside the flow's support?): "
    "returning the parameters of the last epoch"
)


def fit(
    flow,
    X,
    *,
    epochs: int = 200,
    batch_size: int | None = 256,
    learning_rate: LearningRate = DEFAULT_LEARNING_RATE,
    optimizer: str | Optimizer = "adam",
    validation_split: float = 0.1,
    validation_data=None,
    patience: int | None = None,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight=None,
    context=None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    rng: int | np.random.Generator = 0,
):
    """Fit a flow to rows of data by maximum likelihood; returns (new_flow, history).

    The given flow is not changed: other threads may go on evaluating it.

    flow              a TransformedDistribution; `initialize` is called once, with the training rows
    X                 (n, D); integers are cast to float64, a float array (or memmap) is not copied
    epochs            passes over the training rows
    batch_size        rows per update; the last batch of an epoch is smaller if they do not divide;
                      None, or any number >= n: all rows at once
    learning_rate     a number, or a function step -> number, steps (updates) counted from 0
    optimizer         "adam", or an object such as `Adam(1e-3, beta2=0.99)`, whose own learning rate
                      then holds
    validation_split  fraction of the rows that is set aside, at random whether or not the batches
                      are shuffled, to choose the best epoch; 0: none
    validation_data   X_val or (X_val, context_val), instead of a split
    patience          stop after so many epochs without a better validation NLL
    shuffle           draw new batches in every epoch; otherwise they are consecutive rows
    clip_norm         longest gradient allowed (Euclidean norm); a longer one is scaled down to it
    sample_weight     (n,) weights >= 0; rows of weight 0 take no part, not even in validation;
                      `initialize` (of a Standardize) counts every other row once
    context           (n, context_dim), one row for each row of X
    callbacks         functions called after every epoch with an `EpochReport`; training stops if
                      one of them returns True
    progress          show a progress bar
    rng               int or Generator; decides the split, `initialize` and the batches

    With validation data the parameters of the best validation NLL are returned, otherwise the last
    ones. A KeyboardInterrupt ends training early in the same way (`history.interrupted`).

    Errors: ValueError for bad input; `TrainingDivergedError`, which holds the best finite flow, if
    the loss or its gradient is not finite. Cost of an epoch: a density and its gradient for every
    training row, a density for every validation row.

    >>> import flowcore
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(300, 2))
    >>> flow, history = flowcore.fit(flowcore.flows.maf(2, layers=1, hidden=[8]), X, epochs=3)
    >>> len(history.train_nll), len(history.val_nll)
    (3, 3)
    """
    started = time.perf_counter()
    check_flow(flow)
    check_options(epochs, batch_size, validation_split, patience, clip_norm, callbacks)
    optimizer = as_optimizer(optimizer, learning_rate)
    rng = np.random.default_rng(rng)
    data = as_rows(flow.dim, X, context, sample_weight)
    rows, validation = split(data, validation_split, validation_data, rng)
    if patience is not None and validation is None:
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    check_columns(data.x, rows, stacklevel=3)

    training = data if len(rows) == len(data.x) else data.take(rows)
    flow = flow.initialize(training.x, context=training.context, rng=rng)
    if batch_size is None or batch_size >= len(rows):
        batch_size, data, rows = len(rows), training, None  # nothing is copied from here on
    del training

    theta = np.array(flow.params)  # the one array that changes in place; nobody else sees it
    state = optimizer.start(theta)
    history = History()
    best = latest = _Kept(-1, math.inf, theta.copy())
    try:
        with progress_bar(progress, epochs) as bar:
            for epoch in range(epochs):
                earlier, latest = latest, _Kept(epoch - 1, math.inf, theta.copy())
                epoch_batches = batches(data, rows, batch_size, rng if shuffle else None)
                train_nll = _train_epoch(flow, theta, state, epoch_batches, clip_norm)
                val_nll = None if validation is None else _nll(flow, theta, validation)
                history._record(train_nll, val_nll)
                if val_nll is not None and math.isfinite(val_nll) and val_nll < best.nll:
                    best = _Kept(epoch, val_nll, theta.copy())
                if bar or callbacks:
                    report = EpochReport(epoch, train_nll, val_nll, history, flow, theta.copy())
                    if asks_to_stop([*bar, *callbacks], report):
                        break
                if patience is not None and epoch - best.epoch >= patience:
                    break
    except KeyboardInterrupt:
        history.interrupted = True
    except _NotFinite as problem:
        # what an epoch starts from is known to be good as soon as its first batch was
        good = best if best.epoch >= 0 else latest if problem.batch > 0 else earlier
        history._close(good.epoch, started)
        raise TrainingDivergedError(
            _advice(problem, epoch, good.epoch),
            epoch,
            problem.batch,
            flow.with_params(good.theta),
            history,
        ) from None

    if best.epoch < 0:  # no epoch was chosen: the last parameters, or the last finite ones
        if history.val_nll and not history.interrupted:
            warnings.warn(_NO_FINITE_VALIDATION, UserWarning, stacklevel=2)
        probe = next(batches(data, rows, batch_size, None))
        finite = math.isfinite(_nll(flow, theta, probe))
        best = _Kept(len(history.train_nll) - 1, math.inf, theta) if finite else latest
    history._close(best.epoch, started)
    return flow.with_params(best.theta.copy()), history


class _Kept(NamedTuple):
    """Parameters worth keeping: those after `epoch` (-1: before the first), and their val NLL."""

    epoch: int
    nll: float
    theta: np.ndarray


class _NotFinite(Exception):
    """The loss or the gradient of this batch is not finite."""

    def __init__(self, what: str, batch: int):
        super().__init__(what)
        self.batch = batch


def _train_epoch(flow, theta, state, batches: Iterable[Rows], clip_norm) -> float:
    """One update of theta, in place, per batch; returns the weighted mean of their losses."""
    total = weight = 0.0
    for batch, rows in enumerate(batches):
        loss, gradient, norm = _loss_and_gradient(flow, theta, rows)
        if not math.isfinite(norm):
            raise _NotFinite(_what_failed(flow, theta, rows, loss), batch)
        if clip_norm is not None and norm > clip_norm:
            gradient = gradient * float(clip_norm / norm)
        state.step(theta, gradient)
        total += rows.total_weight * loss
        weight += rows.total_weight
    return total / weight


def _loss_and_gradient(flow, theta: np.ndarray, rows: Rows):
    """(loss, its gradient, the gradient's norm); (loss, None, nan) if the loss is not finite.

    The tape lives only in here, so theta may change as soon as this returns.
    """

    def log_prob(params):
        return flow.log_prob(rows.x, params=params, context=rows.context)

    with np.errstate(all="ignore"):  # what is not finite is looked for, not warned about
        vjp, values = make_vjp(log_prob, theta)
        if values.shape != rows.x.shape[:1]:
            raise ValueError(f"log_prob of {rows.x.shape} has shape {values.shape}: not one a row")
        cotangent = rows.cotangent
        loss = float(np.dot(cotangent, values))
        if not math.isfinite(loss):
            return loss, None, math.nan
        gradient = np.asarray(vjp(cotangent.astype(values.dtype, copy=False)), theta.dtype)
        return loss, gradient, math.sqrt(np.dot(gradient, gradient))


def _nll(flow, theta: np.ndarray, rows: Rows) -> float:
    """The loss alone, without a tape."""
    with np.errstate(all="ignore"):
        values = flow.log_prob(rows.x, params=theta, context=rows.context)
        return float(np.dot(rows.cotangent, values))


def _what_failed(flow, theta, rows: Rows, loss: float) -> str:
    if math.isfinite(loss):
        return f"the loss is {loss:.4g}, but its gradient is not finite"
    with np.errstate(all="ignore"):
        values = flow.log_prob(rows.x, params=theta, context=rows.context)
    bad = np.flatnonzero(~np.isfinite(values))
    if not bad.size:
        return f"the loss is {loss}"
    x = np.array2string(rows.x[bad[0]], precision=6, threshold=8)
    return f"the loss is {loss}: log_prob is {values[bad[0]]} for x = {x}"


def _advice(problem: _NotFinite, epoch: int, kept: int) -> str:
    what = f"training diverged at epoch {epoch}, batch {problem.batch}: {problem}. "
    if epoch == problem.batch == 0:
        return what + "This is before any update: is the row outside the support of the flow?"
    return what + (
        "Try a smaller learning_rate, clip_norm, or a log_scale_bound for the flow. The error's "
        f".flow has the {'initial parameters' if kept < 0 else f'parameters of epoch {kept}'}."
    )
