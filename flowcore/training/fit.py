"""`fit`: maximum likelihood, for rows in the memory of one machine, or for fresh draws.

`loop.py` has the loop, `likelihood.py` the loss, `table.py` the batches of rows, and `draws.py`
those of a function; the room `resume` continues a run after a power cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import moment_after, n_threads, until
from .checks import check_checkpoint, check_flow, check_options
from .defaults import AUTO, is_auto, optimizer_at, patience_of
from .draws import of_draws
from .history import EpochReport, History
from .likelihood import Likelihood
from .loop import train
from .loss import Objective
from .optim import Optimizer
from .run import Run
from .schedules import LearningRate, scheduled

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike

    from ..core.typing import Context, Seed
    from ..distributions import TransformedDistribution


def fit(
    flow: TransformedDistribution,
    X: ArrayLike | Callable,
    *,
    epochs: int | str = AUTO,
    steps: int | None = None,
    batch_size: int | str | None = AUTO,
    learning_rate: LearningRate | str = AUTO,
    optimizer: str | Optimizer = "adam",
    schedule: str = AUTO,
    warm_up: int | str = AUTO,
    average: float | None = 0.999,
    validation_split: float = 0.1,
    validation_data: ArrayLike | tuple | None = None,
    patience: int | str | None = AUTO,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight: ArrayLike | None = None,
    context: Context = None,
    noise: ArrayLike | Callable | None = None,
    context_noise: ArrayLike | Callable | None = None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    checkpoint_key: str | None = None,
    threads: int | None = None,
    penalty: Callable | None = None,
    max_seconds: float | None = None,
    rng: Seed = 0,
) -> tuple[TransformedDistribution, History]:
    """Fit a flow to rows of data by maximum likelihood; returns (new_flow, history).

    The flow itself is not changed. The new flow has the parameters with the best validation NLL or,
    without validation data, the last ones. If the initial parameters are better than every epoch,
    by more than the standard error, `fit` warns and returns these. After a KeyboardInterrupt you
    get the best parameters so far (`history.interrupted`).

    If you have a simulator or a formula instead of rows, pass a function that draws rows:
    `fit(flow, draw, steps=800)`. Every step is an update by `batch_size` fresh rows, so there is
    nothing to hold out, and nothing to overfit. The last parameters are returned.

    "auto" values depend on the number of rows, see `training/defaults.py`; the history has the
    chosen values. For the textbook's loop pass schedule="constant", average=None, and numbers for
    epochs, batch_size and learning_rate.

    Equal rows (of X and context) count as one row, with the sum of their weights, because a copy of
    a training row must not be held out. (Metropolis chains and bootstraps repeat rows.) If rows
    repeat, the history has the numbers of `rows` and of `distinct_rows`.

    With a checkpoint, a run may be stopped or killed at any moment. Make the same call again to
    continue it: the result is exactly that of an uninterrupted run. For a finished run the call
    returns the result at once. Callbacks, `patience`, `threads`, `progress`, `max_seconds` and
    `checkpoint_every` may change between the calls; so may `epochs` if the schedule does not depend
    on it, as with schedule="constant". For another flow, other data or other options, `fit` raises
    an error. It cannot compare a function (a learning rate, a penalty, noise), an optimizer of your
    own class, or a part of a flow that `save` cannot describe. If you use one of these, pass
    checkpoint_key="1", and another text whenever you change your code.

    Errors:

    * ValueError for bad input, or a checkpoint that is damaged, in use, or from another run;
    * OSError if a checkpoint cannot be read, or none can be written at the start (later, `fit`
      warns and tries again);
    * `TrainingDivergedError`, which holds the best finite flow, if the loss, the penalty or a
      gradient is not finite.

    Cost of an epoch: a density and its gradient for every training row, a density for every
    validation row.

    Parameters
    ----------
    flow : TransformedDistribution
        Its `initialize` is called once, with the training rows. Parts that are already initialised
        do not change; `fit` warns if a Standardize was fitted to rows of another scale.
    X : array_like
        (n, D); integers are cast to float64, a float array (or memmap) is not copied. A memmap may
        be larger than memory: it is read in blocks and batches.
        Or a function (n, rng) -> X or (X, context), which returns n fresh rows of them, and takes
        all its random numbers from rng. It is called with n=batch_size, once for every step and
        about 10,000 / n times before, to initialise the flow.
    epochs : int or "auto"
        Passes over the training rows.
    steps : int
        With a function as X: the number of batches that it draws. At most 100 of them count as an
        epoch, for the history, callbacks and the progress bar.
    batch_size : int or "auto"
        Rows per update; the last batch of an epoch holds the rest. None, or any number >= n: all
        rows at once. With a function as X: 512, or your number.
    learning_rate : float, callable or "auto"
        A number, or a function step -> number, steps (updates) counted from 0.
    optimizer : str or Optimizer
        "adam", or an object such as `Adam(1e-3, beta2=0.99)`, which has its own learning rate.
    schedule : str
        "constant"; "cosine": the learning rate, a number, falls to 0 over all planned updates (see
        `cosine_decay`); or "auto": cosine if the learning rate is a number, else constant.
    warm_up : int or "auto"
        Number of updates at the start during which the learning rate grows linearly; "auto": a
        twentieth of all updates if the schedule is cosine, else none.
    average : float
        Decay rate in (0, 1): the exponential moving average of theta over the updates is validated,
        reported and returned; train_nll is still computed at theta itself. None: no average.
    validation_split : float
        Fraction of the rows that is set aside to choose the best epoch, always at random; 0: none.
    validation_data : array_like or tuple of them
        X_val, (X_val, context_val) or (X_val, context_val, weights_val), instead of a split.
        context_val may be None. A split takes the weights of its rows from `sample_weight`.
    patience : int or "auto"
        Stop after this number of epochs without a better validation NLL. "auto": half of them, if
        `epochs` is "auto", too. None: never stop early.
    shuffle : bool
        Draw new random batches in every epoch; otherwise batches are consecutive rows.
    clip_norm : float
        Largest norm of a gradient (Euclidean); a longer gradient is scaled down to it.
    sample_weight : array_like
        (n,) weights >= 0; rows of weight 0 are left out of training and validation.
    context : array_like
        (n, context_dim), one row for each row of X. The flow keeps the names of a table's columns,
        and reads later contexts by name.
    noise, context_noise : float, array_like or callable
        Errors of measurement that X and the context are to have. Every epoch adds fresh Gaussian
        noise, with one standard deviation, one a column (D,), or one for each number, (n, D). A
        function (rows, rng) -> noisy rows adds any other noise, such as `Dequantize()` to integers.
        Validation rows get noise once, also `validation_data` (but not noise for each number, which
        belongs to the rows of X).
    callbacks : sequence of callables
        Functions called after every epoch with an `EpochReport`; training stops if one of them
        returns True.
    progress : bool
        Show a progress bar; if standard error is no terminal, print it once a minute.
    checkpoint : str or PathLike
        The file for the state of the run. The same call continues from this file.
    checkpoint_every : float
        Least number of seconds between two checkpoints; they may fall in the middle of an epoch.
    checkpoint_key : str
        With a checkpoint: your name for the present version of your own functions and classes.
    threads : int
        Number of threads for a large batch, and for validation rows; None: the environment variable
        FLOWCORE_THREADS, or the cores that this process may use, at most 8. The result does not
        depend on it, bit for bit. While `fit` runs, BLAS has one thread (in the whole process).
    penalty : callable
        A function of the flat parameter vector in autograd.numpy, such as
        `lambda theta: 1e-3 * np.sum(theta**2)`, or of theta and the (initialised) flow,
        penalty(theta, flow): one number, added to the loss of every batch, but not to the NLLs of
        the history. To evaluate the flow in it, pass theta on, as in
        `flow.bijector.inverse(x, params=theta)`.
    max_seconds : float
        Training ends after this number of seconds, as if interrupted, with the best epoch so far.
        None: no limit. A schedule ignores this limit.
    rng : int or numpy Generator
        Decides the split, `initialize` and the batches.

    Returns
    -------
    flow, history : TransformedDistribution, History
        The flow with the parameters of the best epoch, and the record of the run.

    Examples
    --------
    >>> import flowcore
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(300, 2))
    >>> flow, history = flowcore.fit(flowcore.flows.maf(2, layers=1, hidden=[8]), X, epochs=3)
    >>> len(history.train_nll), len(history.val_nll)
    (3, 3)

    >>> def draw(n, rng):
    ...     return rng.normal(5.0, 2.0, size=(n, 2))
    >>> flow, history = flowcore.fit(flow, draw, steps=200, batch_size=64)
    >>> len(history.train_nll), len(history.val_nll)
    (2, 0)
    """
    started, ends = time.perf_counter(), moment_after(max_seconds)
    check_flow(flow)
    check_options(
        epochs, batch_size, validation_split, patience, clip_norm, callbacks,
        schedule, warm_up, average,
    )  # fmt: skip
    if checkpoint is not None:
        check_checkpoint(checkpoint, checkpoint_every)
    if threads is not None:
        n_threads(threads)  # a ValueError for a wrong number
    rng = np.random.default_rng(rng)
    rng_state = rng.bit_generator.state

    if callable(X):
        passes = None if is_auto(epochs) else epochs
        of_rows = passes, context, noise, context_noise, sample_weight, validation_data
        X = of_draws(X, steps, *of_rows)
    elif steps is not None:
        raise TypeError("steps is for fit(flow, draw) of a function: rows take epochs")
    data, loss_of = X if isinstance(X, Objective) else (X, Likelihood.of_rows)
    loss = loss_of(
        flow, data, context=context, sample_weight=sample_weight, noise=noise,
        context_noise=context_noise, validation_split=validation_split,
        validation_data=validation_data, batch_size=batch_size, shuffle=shuffle, penalty=penalty,
        threads=threads, rng=rng,
    )  # fmt: skip
    if not (loss.validated or patience is None or is_auto(patience)):
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    patience = patience_of(patience, loss.epochs if is_auto(epochs) and loss.validated else None)
    epochs = loss.epochs if is_auto(epochs) else int(epochs)
    optimizer = optimizer_at(learning_rate, optimizer, loss.learning_rate)
    optimizer = scheduled(optimizer, schedule, warm_up, epochs * loss.n_batches)
    run = Run(
        loss, optimizer, epochs=epochs, average=average, patience=patience, clip_norm=clip_norm,
        rng=rng, started=started,
    )  # fmt: skip
    run.history.settings |= loss.options
    file = None
    if checkpoint is not None:
        from .resume import Checkpoint
        from .resume.fingerprint import fingerprint

        tables, options = loss.compared()
        options |= {"optimizer": optimizer, "average": average, "clip_norm": clip_norm,
                    "penalty": penalty}  # fmt: skip
        identity = fingerprint(flow, tables, options, rng_state, checkpoint_key)
        file = Checkpoint(checkpoint, checkpoint_every, run, identity)
    with until(ends):
        trained = train(run, [*loss.callbacks, *callbacks], progress, file)
    return loss.finished(*trained)
