"""`fit` on the workers of a cluster: the gradient of the one flat vector, summed over their rows.

What a run remembers and how it ends (`Run`), Adam, schedules, averages, the history and the
options are those of `flowcore.fit`; only the loss is another, `TotalLoss`.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.inputs import column_labels
from ..training import Run, clipped
from ..training.checks import check_flow, check_options, check_scales
from ..training.columns import check_columns
from ..training.defaults import AUTO, is_auto, resolved
from ..training.history import progress_bar
from ..training.optim import as_optimizer, scheduled
from .blocks import imported_dask
from .shared import SharedTable
from .total import Step, TotalLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._typing import Seed
    from ..distributions import TransformedDistribution
    from ..training import EpochReport, History, Optimizer
    from ..training.optim import LearningRate


def fit(
    client: Any,
    flow: TransformedDistribution,
    X: Any,
    *,
    epochs: int | str = AUTO,
    batch_size: int | str | None = AUTO,
    learning_rate: LearningRate | str = AUTO,
    optimizer: str | Optimizer = "adam",
    schedule: str = AUTO,
    warm_up: int | str = AUTO,
    average: float | None = 0.999,
    validation_split: float = 0.1,
    validation_data: Any = None,
    patience: int | None = None,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight: Any = None,
    context: Any = None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    checkpoint: None = None,
    threads: None = None,
    penalty: Callable | None = None,
    rng: Seed = 0,
) -> tuple[TransformedDistribution, History]:
    """`flowcore.fit` of a table that the workers of a `dask.distributed` cluster hold.

        gradient of a batch = sum_b gradient_b / sum_b w_b     b = the blocks of X

    Every worker keeps its blocks in memory. In every update each of them gets theta, and gives the
    gradient of its own part of the batch, in float64 equal to that of one machine but for rounding.
    What is random follows from rng and the numbers of the blocks: results do not depend on the
    workers. If one dies, its blocks are loaded again by others, and the run goes on with the same
    numbers, as long as the source of X can be read again.

    Options are those of `flowcore.fit`, with these differences. All tables are Dask collections.
    Every block sets aside its own part for validation, and shuffles its own rows: a batch has rows
    of all blocks. Equal rows are one row within a block. `initialize`, and the checks of columns,
    see at most 100,000 rows, evenly spaced.
    A batch_size "auto" is the usual one for every block, since an update costs a way to the workers
    and back. There is no `checkpoint` (save `report.flow` in a callback), and no `threads` (a
    worker's are Dask's): both are refused.

    Errors: those of `flowcore.fit`; TypeError if a table is no Dask collection, or the client not
    one of dask.distributed. Cost of an update: theta to every block, a gradient back, and Dask's
    own time, see docs/past_one_machine.md: take large batches, and about as many blocks as the
    workers have threads (`X.rechunk`, `X.repartition`; many more are a warning).

    Parameters
    ----------
    client : dask.distributed.Client
        Of the cluster that computes.
    flow : TransformedDistribution
        Its `initialize` is called once, here, with some of the training rows.
    X : dask.array.Array or dask.dataframe.DataFrame
        (n, D).
    epochs, learning_rate, optimizer, schedule, warm_up, average, patience, shuffle, clip_norm
        See `flowcore.fit`.
    batch_size : int or "auto"
        Rows per update, of all blocks together; None: all rows at once.
    validation_split : float
        Fraction of the rows of every block that is set aside.
    validation_data : Dask collection or pair of them
        X_val or (X_val, context_val), instead of a split.
    sample_weight, context : Dask collections
        (n,) and (n, context_dim), in blocks like X.
    callbacks, progress, penalty, rng
        See `flowcore.fit`; callbacks and the penalty are called here, not by workers.
    checkpoint, threads : None
        Refused, see above.

    Returns
    -------
    flow, history : TransformedDistribution, History
        As from `flowcore.fit`.

    Examples
    --------
    >>> import dask.array as da
    >>> import flowcore as fc
    >>> from distributed import Client
    >>> X = da.random.default_rng(0).normal(5.0, 2.0, size=(300, 2), chunks=(150, 2))
    >>> with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
    ...     flow, history = fit(client, fc.flows.maf(2, layers=1, hidden=[8]), X, epochs=3)
    >>> len(history.train_nll), len(history.val_nll)
    (3, 3)
    """
    started = time.perf_counter()
    _check_client(client)
    _refuse(checkpoint=checkpoint, threads=threads)
    check_flow(flow)
    check_options(
        epochs, batch_size, validation_split, patience, clip_norm, callbacks,
        schedule, warm_up, average,
    )  # fmt: skip
    if patience is not None and validation_split == 0 and validation_data is None:
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    rng = np.random.default_rng(rng)

    held_out = validation_split if validation_data is None else 0.0
    table = SharedTable(client, flow, X, context, sample_weight, held_out, rng)
    validation = table.shares if held_out else []
    if validation_data is not None:
        pair = validation_data if isinstance(validation_data, tuple) else (validation_data, None)
        validation = SharedTable(client, flow, *pair, None, 1.0, rng).shares
    n = table.n
    if is_auto(batch_size):
        batch_size = resolved(n, 1, AUTO, AUTO, "adam")[1] * len(table.shares)
    epochs, batch_size, learning_rate = resolved(n, epochs, batch_size, learning_rate, optimizer)
    batch_size = n if batch_size is None else min(int(batch_size), n)
    # no more batches than the largest block has rows: then none is empty
    n_batches = min(math.ceil(n / batch_size), int(table.sizes.max()))
    optimizer = scheduled(
        as_optimizer(optimizer, learning_rate), schedule, warm_up, epochs * n_batches
    )

    first = table.first_look()
    check_columns(first.x, np.arange(len(first.x)), column_labels(X))
    check_scales(flow, first.x, first.context)
    initialized = flow.initialize(first.x, context=first.context, rng=rng)

    loss = TotalLoss(client, initialized, penalty, table.shares, validation)
    run = Run(initialized, optimizer, average, epochs, patience, rng, started)
    run.history.settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "average": average,
        "clip_norm": clip_norm,
        "blocks": len(table.shares),
    }
    with run, progress_bar(progress, epochs) as bar:
        told = [*bar, *callbacks]
        if validation:
            run.initial = loss.validated(initialized.params)
        while run.goes_on():
            run.begin_epoch()
            for batch in range(n_batches):
                value, gradient = loss(run.theta, Step(run.epoch, batch, n_batches, shuffle))
                gradient = clipped(gradient, clip_norm)
                run.step(gradient, value - loss.penalty_value, loss.weight)
            run.end_epoch(loss.validated(run.result)[0] if validation else None)
            run.tell(told)
    return run.finish(loss, first.take(np.arange(min(batch_size, len(first.x)))))


def _check_client(client) -> None:
    expected = imported_dask("distributed").Client
    if not isinstance(client, expected):
        raise TypeError(f"client must be a dask.distributed.Client, not {client!r:.60}")
    if client.asynchronous:
        raise TypeError("client must not be asynchronous: fit waits for its workers")


def _refuse(**options) -> None:
    reasons = {
        "checkpoint": "save report.flow in a callback",
        "threads": "the threads of a worker are Dask's, Client(threads_per_worker=...)",
    }
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name}= is for flowcore.fit on one machine: {reasons[name]}")
