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

import numpy as np
from autograd.core import make_vjp

from ._checks import check_columns, check_context_scale, check_flow, check_options, check_run
from ._rows import Rows, as_rows, batches, chosen, first_look, split
from .checkpoint import Checkpoint, Kept, Run, fingerprint
from .history import EpochReport, History, TrainingDivergedError, asks_to_stop, progress_bar
from .optim import DEFAULT_LEARNING_RATE, LearningRate, Optimizer, as_optimizer, scheduled

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
    schedule: str = "constant",
    warm_up: int = 0,
    average: float | None = None,
    validation_split: float = 0.1,
    validation_data=None,
    patience: int | None = None,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight=None,
    context=None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    checkpoint=None,
    checkpoint_every: float = 60.0,
    rng: int | np.random.Generator = 0,
):
    """Fit a flow to rows of data by maximum likelihood; returns (new_flow, history).

    The given flow is not changed: other threads may go on evaluating it.

    flow              a TransformedDistribution; `initialize` is called once, with the training rows
    X                 (n, D); integers are cast to float64, a float array (or memmap) is not copied.
                      A memmap may be larger than memory: `initialize` then gets at most 100,000 of
                      its training rows (of 84 and more columns: 2^23 numbers), evenly spaced, and
                      only batches are ever read
    epochs            passes over the training rows
    batch_size        rows per update; the last batch of an epoch is smaller if they do not divide;
                      None, or any number >= n: all rows at once
    learning_rate     a number, or a function step -> number, steps (updates) counted from 0
    optimizer         "adam", or an object such as `Adam(1e-3, beta2=0.99)`, whose own learning rate
                      then holds
    schedule          "constant", or "cosine": a learning rate that is a number falls to 0 over the
                      planned updates, epochs * ceil(training rows / batch_size), see `cosine_decay`
    warm_up           so many updates at first with a learning rate that grows linearly
    average           decay rate in (0, 1), such as 0.999: not theta itself but its exponential
                      moving average over the updates (`optim.Average`) is validated, given to the
                      callbacks and returned; train_nll stays that of theta. None: no average
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
    checkpoint        a path: the state of the run is written there, and the same call goes on from
                      it (see below)
    checkpoint_every  at most every so many seconds, also in the middle of an epoch
    rng               int or Generator; decides the split, `initialize` and the batches

    With validation data the parameters of the best validation NLL are returned, otherwise the last
    ones. A KeyboardInterrupt ends training early in the same way (`history.interrupted`).

    With a checkpoint, a run that was stopped at any moment, even killed, goes on when the same call
    is made again, and ends with the very numbers of an uninterrupted one: parameters, history
    (seconds add up), the state of a Generator given as rng. A finished run returns its result at
    once. The file is replaced atomically; it belongs to one run, and a call that differs in the
    flow, the data or an option is refused (a Generator must be in the state that it had). Only
    `epochs` and `patience` may change: more epochs continue a finished run. With
    schedule="cosine" they may not, since the length is part of that schedule. Functions, such as
    a learning rate, are told apart by name only. Callbacks are not told again of epochs that the
    file holds; those since it was written are done, and told, once more.

    Errors: ValueError for bad input or a checkpoint that is damaged or of another run; OSError if
    one cannot be written; `TrainingDivergedError`, which holds the best finite flow, if the loss or
    its gradient is not finite. Cost of an epoch: a density and its gradient for every
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
    check_run(schedule, warm_up, average, checkpoint, checkpoint_every)
    optimizer = as_optimizer(optimizer, learning_rate)
    rng = np.random.default_rng(rng)
    rng_state = rng.bit_generator.state
    data = as_rows(flow.dim, X, context, sample_weight)
    rows, validation = split(data, validation_split, validation_data, rng)
    if patience is not None and validation is None:
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    check_columns(data.x, rows, stacklevel=3)
    check_context_scale(data.context, rows, stacklevel=3)

    if batch_size is None or batch_size >= len(rows):
        batch_size = len(rows)
    steps = epochs * math.ceil(len(rows) / batch_size)
    optimizer = scheduled(optimizer, schedule, warm_up, steps)
    training = first_look(data, rows)
    file = None
    if checkpoint is not None:
        given = None if validation_data is None else validation[0]
        options = {
            "batch_size": int(batch_size),
            "optimizer": optimizer,
            "average": average,
            "validation_split": validation_split if given is None else None,
            "shuffle": bool(shuffle),
            "clip_norm": clip_norm,
            "rows for initialize": len(training.x),  # fewer of a large memmap
        }
        marks = fingerprint(flow, data, given, rng_state, options)
        file = Checkpoint(checkpoint, checkpoint_every, started, marks)

    flow = flow.initialize(training.x, context=training.context, rng=rng)
    if batch_size == len(rows):
        data = training if len(training.x) == len(rows) else chosen(data, rows)
        rows = None
    del training  # nothing is copied from here on

    run = Run(np.array(flow.params), optimizer, average, int(epochs), rng)
    history: History = run.history
    if file:
        file.resume(run, rng)
    try:
        with progress_bar(progress, epochs, run.epoch - (not run.reported)) as bar:
            while run.goes_on(patience) or not run.reported:
                if run.reported:
                    run.begin_epoch(rng)
                    left = batches(data, rows, batch_size, rng if shuffle else None, run.batch)
                    _train_epoch(flow, run, left, clip_norm, file)
                    val_nll = None if validation is None else _nll(flow, run.result, validation)
                    run.end_epoch(val_nll, rng)
                told = [*bar, *callbacks]
                stop = bool(told) and asks_to_stop(told, _report(flow, run))
                run.after_report(stop, rng)
    except KeyboardInterrupt:
        history.interrupted = True
    except BaseException as problem:
        if file:
            file.rescue(run)
        if isinstance(problem, _NotFinite):
            raise _diverged(problem, flow, run, started) from None
        raise
    if file:
        file.write_last(run)

    best = run.best
    if best.epoch < 0:  # no epoch was chosen: the last parameters, or the last finite ones
        if history.val_nll and not history.interrupted:
            warnings.warn(_NO_FINITE_VALIDATION, UserWarning, stacklevel=2)
        probe = next(batches(data, rows, batch_size, None))
        last = Kept(len(history.train_nll) - 1, math.inf, run.result)
        best = last if math.isfinite(_nll(flow, last.theta, [probe])) else run.latest
    history._close(best.epoch, started - run.seconds)
    return flow.with_params(best.theta.copy()), history


class _NotFinite(Exception):
    """The loss or the gradient of this batch is not finite."""

    def __init__(self, what: str, batch: int):
        super().__init__(what)
        self.batch = batch


def _report(flow, run: Run) -> EpochReport:
    """What the callbacks are told about the epoch that has just ended."""
    history = run.history
    nll = history.train_nll[-1], history.val_nll[-1] if history.val_nll else None
    return EpochReport(run.epoch - 1, *nll, history, flow, run.result.copy())


def _train_epoch(flow, run: Run, batches: Iterable[Rows], clip_norm, file=None) -> None:
    """An update per batch, and a checkpoint whenever one is due."""
    for rows in batches:
        _update(flow, run, rows, clip_norm)
        if file is not None:
            file.write_if_due(run)


def _update(flow, run: Run, rows: Rows, clip_norm: float | None) -> float:
    """One step of theta, in place; returns the loss before it."""
    loss, gradient, norm = _loss_and_gradient(flow, run.theta, rows)
    if clip_norm is not None and norm > clip_norm:
        gradient, norm = _clipped(gradient, norm, clip_norm)
    if not math.isfinite(norm):
        raise _NotFinite(_what_failed(flow, run.theta, rows, loss), run.batch)
    run.step(gradient, loss, rows.total_weight)
    return loss


def _clipped(gradient: np.ndarray, norm: float, longest: float):
    """A gradient of the same direction and the norm `longest`, and that; or it is not finite."""
    if math.isinf(norm):  # perhaps its square only: float32 ends at 3e38
        most = float(np.abs(gradient).max())
        if math.isinf(most):
            return gradient, norm
        gradient = gradient / most
        norm = math.sqrt(np.dot(gradient, gradient))
    return gradient * float(longest / norm), longest


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


def _nll(flow, theta: np.ndarray, blocks: Iterable[Rows]) -> float:
    """The loss alone, without a tape, of the rows of all blocks."""
    found = []
    for rows in blocks:
        with np.errstate(all="ignore"):
            values = flow.log_prob(rows.x, params=theta, context=rows.context)
            found.append((float(np.dot(rows.cotangent, values)), rows.total_weight))
    if len(found) == 1:
        return found[0][0]
    return sum(nll * weight for nll, weight in found) / sum(weight for _, weight in found)


def _what_failed(flow, theta, rows: Rows, loss: float) -> str:
    if math.isfinite(loss):
        return f"the loss is {loss:.4g}, but its gradient is not finite"
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


def _diverged(problem: _NotFinite, flow, run: Run, started: float) -> TrainingDivergedError:
    """The error for the caller, with the best parameters that are known to be finite."""
    # what an epoch starts from is known to be good as soon as its first batch was
    latest = run.latest if problem.batch > 0 else run.earlier
    good = run.best if run.best.epoch >= 0 else latest
    run.history._close(good.epoch, started - run.seconds)
    advice = _advice(problem, run.epoch, good.epoch)
    flow = flow.with_params(good.theta)
    return TrainingDivergedError(advice, run.epoch, problem.batch, flow, run.history)


def _advice(problem: _NotFinite, epoch: int, kept: int) -> str:
    what = f"training diverged at epoch {epoch}, batch {problem.batch}: {problem}. "
    if epoch == problem.batch == 0:
        return what + "This is before any update: is the row outside the support of the flow?"
    return what + (
        "Try a smaller learning_rate, clip_norm, or a log_scale_bound for the flow. The error's "
        f".flow has the {'initial parameters' if kept < 0 else f'parameters of epoch {kept}'}."
    )
