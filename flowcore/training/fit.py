"""`fit`: maximum likelihood, for rows in the memory of one machine.

The loop is in `loop.py`, what it minimises in `likelihood.py`, which rows a batch holds in
`table.py`; how a run goes on after a power cut is in the room `resume`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import moment_after, n_threads, until
from ..core.inputs import column_labels
from .checks import check_checkpoint, check_flow, check_options, check_scales
from .defaults import AUTO, resolved
from .history import EpochReport, History
from .likelihood import Likelihood
from .loop import train
from .loss import Objective
from .optim import Optimizer
from .resume import Checkpoint, fingerprint_of
from .run import Run
from .schedules import LearningRate, scheduled
from .table import as_rows, as_training_table, merged

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike

    from ..core.typing import Context, Seed
    from ..distributions import TransformedDistribution


LIKELIHOOD = Objective(
    lambda flow, table, penalty, threads, _: Likelihood(flow, penalty, threads, table), resolved
)


def fit(
    flow: TransformedDistribution,
    X: ArrayLike,
    *,
    epochs: int | str = AUTO,
    batch_size: int | str | None = AUTO,
    learning_rate: LearningRate | str = AUTO,
    optimizer: str | Optimizer = "adam",
    schedule: str = AUTO,
    warm_up: int | str = AUTO,
    average: float | None = 0.999,
    validation_split: float = 0.1,
    validation_data: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    patience: int | None = None,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight: ArrayLike | None = None,
    context: Context = None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    checkpoint_key: str | None = None,
    threads: int | None = None,
    penalty: Callable | None = None,
    max_seconds: float | None = None,
    rng: Seed = 0,
    objective: Objective = LIKELIHOOD,
) -> tuple[TransformedDistribution, History]:
    """Fit a flow to rows of data by maximum likelihood; returns (new_flow, history).

    The flow is not changed: other threads may go on evaluating it.

    "auto" is chosen by the number of rows, see `training/defaults.py`, and the history has what was
    chosen. The textbook's loop is schedule="constant", average=None, with numbers for epochs,
    batch_size and learning_rate.

    Equal rows (of X and context) count as one row, with the sum of their weights: a Metropolis
    chain repeats rows, and so does a bootstrap, and a copy of a training row must not be held out.
    The split, "auto" and an epoch count distinct rows, in the order of their first appearance; the
    history then has the numbers of `rows` and of `distinct_rows`.

    With validation data the parameters of the best validation NLL are returned, otherwise the last
    ones. A KeyboardInterrupt ends training early in the same way (`history.interrupted`). If the
    initial parameters are better than those of every epoch, by more than a standard error of their
    validation NLL, they are returned, with a warning. Without validation data a loss that is larger
    at the end than at the start (of the first batch of rows, in the order of the data) is a
    warning.

    A penalty such as `lambda theta: 1e-3 * np.sum(theta**2)`, with autograd's np, is differentiated
    as it stands; one that looks at what the flow does passes theta on, as in
    `flow.bijector.inverse(x, params=theta)`. It is called before the first update, too, to see that
    it works. The history's train_nll and val_nll, and so the choice of the best epoch, are without
    it: they stay negative log-likelihoods.

    With a checkpoint, a run that was stopped at any moment, even killed, goes on when the same call
    is made again, and ends with the very numbers of an uninterrupted one: parameters, history
    (seconds add up), the state of a Generator given as rng. A finished run returns its result at
    once. The file is replaced atomically; it belongs to one run, and a call that differs in the
    flow, the data or an option is refused (a Generator must be in the state that it had). Only
    `patience` may change, and `epochs` if the schedule does not depend on them, as with
    schedule="constant": more epochs then continue a finished run. `fit` compares numbers, texts,
    arrays and flowcore's own objects. It cannot compare a function (a learning rate, a penalty), an
    optimizer of your own class, or a part of a flow that `save` cannot describe: with these, pass
    checkpoint_key="1", and another text whenever you change them. The callbacks are not compared.
    They are not called again for epochs that the file holds; epochs after its last writing are
    done, and reported, once more. While it runs, `fit` keeps other runs from the path, by a lock on
    a hidden file beside it. If a checkpoint cannot be written, as when the disk is full, that is a
    warning: training goes on, and writing is tried again when it is due.

    Errors: ValueError for bad input or a checkpoint that is damaged, of another run or in use;
    OSError if one cannot be read, or no file can be written there at the start;
    `TrainingDivergedError`, which holds the best finite flow, if the loss, the penalty or a
    gradient is not finite. Cost of an epoch: a density and its gradient for every training row, a
    density for every validation row.

    Parameters
    ----------
    flow : TransformedDistribution
        Its `initialize` is called once, with the training rows. Initialised parts stay as they are,
        with a warning if a Standardize was fitted to rows of another scale.
    X : array_like
        (n, D); integers are cast to float64, a float array (or memmap) is not copied. A memmap may
        be larger than memory: `initialize` then gets at most 100,000 of its training rows (of 84
        and more columns: 2^23 numbers), evenly spaced, and it is read in blocks and batches. The
        search for equal rows takes 8 bytes a row, or 50 if there are some.
    epochs : int or "auto"
        Passes over the training rows.
    batch_size : int or "auto"
        Rows per update; the last batch of an epoch is smaller if they do not divide; None, or any
        number >= n: all rows at once.
    learning_rate : float, callable or "auto"
        A number, or a function step -> number, steps (updates) counted from 0.
    optimizer : str or Optimizer
        "adam", or an object such as `Adam(1e-3, beta2=0.99)`, whose own learning rate then holds.
    schedule : str
        "constant", or "cosine": a learning rate that is a number falls to 0 over the planned
        updates, epochs * ceil(training rows / batch_size), see `cosine_decay`; "auto": cosine, if
        the learning rate is a number.
    warm_up : int or "auto"
        So many updates at first with a learning rate that grows linearly; "auto": the first
        twentieth of all updates if the schedule is cosine, else none.
    average : float
        Decay rate in (0, 1): not theta itself but its exponential moving average over the updates
        (`optim.Average`) is validated, reported and returned; train_nll stays that of theta. None:
        no average.
    validation_split : float
        Fraction of the rows that is set aside, at random whether or not the batches are shuffled,
        to choose the best epoch; 0: none.
    validation_data : array_like or pair of them
        X_val or (X_val, context_val), instead of a split.
    patience : int
        Stop after so many epochs without a better validation NLL.
    shuffle : bool
        Draw new batches in every epoch; otherwise they are consecutive rows.
    clip_norm : float
        Longest gradient allowed (Euclidean norm); a longer one is scaled down to it.
    sample_weight : array_like
        (n,) weights >= 0; rows of weight 0 take no part, not even in validation. `initialize` gets
        rows about in proportion to their weights: a Standardize has the weighted mean.
    context : array_like
        (n, context_dim), one row for each row of X.
    callbacks : sequence of callables
        Functions called after every epoch with an `EpochReport`; training stops if one of them
        returns True.
    progress : bool
        Show a progress bar; where standard error is no terminal, write it about ten times.
    checkpoint : str or PathLike
        The state of the run is written there, and the same call goes on from it (see above).
    checkpoint_every : float
        At most every so many seconds, also in the middle of an epoch.
    checkpoint_key : str
        Your name for the present version of your own functions and classes (see above).
    threads : int
        How many work on a large batch, and on validation rows; None: the environment variable
        FLOWCORE_THREADS, or the cores that this process may use, at most 8. Results do not depend
        on it, bit for bit. While `fit` runs, BLAS has one thread (in the whole process).
    penalty : callable
        A function of the flat parameter vector in autograd.numpy, penalty(theta), or of theta and
        the (initialised) flow, penalty(theta, flow): one number, added to the loss of every batch
        (see above).
    max_seconds : float
        Training ends after so many seconds, as by an interrupt: the best epoch so far is returned,
        and `history.interrupted` is True. None: no limit. A schedule counts on all epochs.
    rng : int or numpy Generator
        Decides the split, `initialize` and the batches.
    objective : Objective
        What is minimised: the negative log-likelihood, unless `fit_matching` asks for its own loss.

    Returns
    -------
    flow, history : TransformedDistribution, History
        The flow with the parameters of the best epoch (see above), and what happened.

    Examples
    --------
    >>> import flowcore
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(300, 2))
    >>> flow, history = flowcore.fit(flowcore.flows.maf(2, layers=1, hidden=[8]), X, epochs=3)
    >>> len(history.train_nll), len(history.val_nll)
    (3, 3)
    """
    started, ends = time.perf_counter(), moment_after(max_seconds)
    check_flow(flow)
    check_options(
        epochs, batch_size, validation_split, patience, clip_norm, callbacks,
        schedule, warm_up, average,
    )  # fmt: skip
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be an Objective, not {objective!r:.60}")
    if checkpoint is not None:
        check_checkpoint(checkpoint, checkpoint_every)
    threads = n_threads(threads)
    rng = np.random.default_rng(rng)
    rng_state = rng.bit_generator.state

    dtype, labels = flow.params.dtype, column_labels(X)
    rows = as_rows(flow.dim, X, context, sample_weight, dtype)
    data = merged(rows)
    n = len(rows.x) if data is rows else len(data.used)
    epochs, batch_size, optimizer = objective.resolved(
        n, epochs, batch_size, learning_rate, optimizer
    )
    table = as_training_table(
        rows, data, validation_split, validation_data, batch_size, shuffle, rng, labels, dtype
    )
    if patience is not None and table.validation is None:
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    optimizer = scheduled(optimizer, schedule, warm_up, epochs * table.batches_per_epoch)
    first = table.initial_rows()
    check_scales(flow, first.x, first.context)
    initialized = flow.initialize(first.x, context=first.context, rng=rng)
    del first  # nothing is copied from here on

    loss = objective.loss(initialized, table, penalty, threads, rng)
    run = Run(
        loss, optimizer, epochs=epochs, average=average, patience=patience, clip_norm=clip_norm,
        rng=rng, started=started,
    )  # fmt: skip
    run.history.settings |= loss.options
    if data is not rows:
        run.history.settings |= {"rows": len(rows.used), "distinct_rows": n}
    file = None
    if checkpoint is not None:
        options = {"clip_norm": clip_norm, "penalty": penalty, **loss.options}
        identity = fingerprint_of(flow, table, run, rng_state, checkpoint_key, **options)
        file = Checkpoint(checkpoint, checkpoint_every, run, identity)
    with until(ends):
        found = train(run, [*loss.callbacks, *callbacks], progress, file)
    return loss.finished(*found)
