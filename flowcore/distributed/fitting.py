"""`fit` on the workers of a cluster: the gradient of the one flat vector, summed over their rows.

    loss(theta) = sum_b nll_b(theta) / sum_b w_b + penalty(theta)          b the blocks of the table

The loop, Adam, schedules, averages, the history and the options are those of `flowcore.fit`; only
the loss differs, `TotalLikelihood`. Data on the workers are results of tasks, and random numbers
come from seeds that the client draws. So if a worker dies, the scheduler computes its results
elsewhere, with the same numbers.
"""

from __future__ import annotations

import inspect
import itertools
import math
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from dask import delayed

from ..core import BLAS
from ..core.inputs import column_labels
from ..training import Likelihood, Loss, Rows, Run, train
from ..training import fit as fit_of_one_machine
from ..training.checks import check_flow, check_options, check_scales
from ..training.columns import check_columns
from ..training.defaults import batch_size_for, is_auto, resolved
from ..training.schedules import scheduled
from ..training.table import MOST_NUMBERS, MOST_ROWS, WEIGHTED, as_rows, merged
from .blocks import da, options_of, table

if TYPE_CHECKING:
    from ..distributions import TransformedDistribution
    from ..training import History


def fit(
    client: Any,
    flow: TransformedDistribution,
    X: Any,
    *,
    validation_data: Any = None,
    sample_weight: Any = None,
    context: Any = None,
    **options: Any,
) -> tuple[TransformedDistribution, History]:
    """`flowcore.fit` of a table that the workers of a `dask.distributed` cluster hold.

        gradient of a batch = sum_b gradient_b / sum_b w_b     b = the blocks of X

    Every worker keeps its blocks in memory. In every update each of them gets theta, and returns
    the gradient of its part of the batch. In float64 the sum equals that of one machine up to
    rounding. Random numbers depend only on rng and the blocks, so results do not depend on the
    workers. If a worker dies, others load its blocks again, and the run continues with the same
    numbers, as long as the source of X can be read again.

    Options are those of `flowcore.fit`, with these differences. Equal rows are merged only within a
    block. Every block sets aside its own part for validation, and shuffles its own rows: a batch
    has rows of all blocks. `initialize`, and the checks of columns, get at most 100,000 rows,
    evenly spaced. A batch_size "auto" is the usual one for each block, since an update needs
    messages to the workers and back. Callbacks and the penalty are called here, not by workers.
    `checkpoint` and `threads` are refused: save `report.flow` in a callback, and set the threads of
    a worker by `Client(threads_per_worker=...)`.

    Errors: as for `flowcore.fit`; TypeError if a table is no Dask collection, or the client not one
    of dask.distributed. Cost of an update: theta is sent to every block, a gradient comes back, and
    Dask needs time of its own (docs/past_one_machine.md). So take large batches, and about as many
    blocks as the workers have threads (`X.rechunk`, `X.repartition`).

    Parameters
    ----------
    client : dask.distributed.Client
        The client of the cluster that computes.
    flow : TransformedDistribution
        Its `initialize` is called once, here, with some of the training rows.
    X : dask.array.Array or dask.dataframe.DataFrame
        (n, D).
    validation_data : Dask collection or tuple of them
        X_val, (X_val, context_val) or (X_val, context_val, weights_val), instead of a split.
    sample_weight, context : Dask collections
        (n,) and (n, context_dim), in blocks like X.
    **options
        epochs, batch_size and so on: see `flowcore.fit`.

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
    from distributed import Client

    started = time.perf_counter()
    if not isinstance(client, Client):
        raise TypeError(f"client must be a dask.distributed.Client, not {client!r:.60}")
    check_flow(flow)
    bound = inspect.signature(fit_of_one_machine).bind(flow, X, **options)
    bound.apply_defaults()
    o = SimpleNamespace(**bound.arguments)
    if o.checkpoint is not None or o.threads is not None:
        raise ValueError("checkpoint= and threads= are for flowcore.fit on one machine")
    check_options(
        o.epochs, o.batch_size, o.validation_split, o.patience, o.clip_norm, o.callbacks,
        o.schedule, o.warm_up, o.average,
    )  # fmt: skip
    rng = np.random.default_rng(o.rng)

    split = o.validation_split if validation_data is None else 0.0
    blocks, sizes, held = _blocks(client, flow, split, rng, X, context, sample_weight)
    if validation_data is not None:
        parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
        *_, held = _blocks(client, flow, 1.0, rng, *parts)
    n, size = int(sizes.sum()), o.batch_size
    if n == 0 or ((split or o.patience) and not held):
        what = "for validation" if n else "to train on"
        raise ValueError(f"validation_split={split} leaves no row {what}: take larger blocks")
    if is_auto(size):
        size = batch_size_for(n) * len(blocks)
    epochs, size, optimizer = resolved(n, o.epochs, size, o.learning_rate, o.optimizer)
    size = n if size is None else min(int(size), n)
    # no more batches than the largest block has rows: then none is empty
    n_batches = min(math.ceil(n / size), int(sizes.max()))
    optimizer = scheduled(optimizer, o.schedule, o.warm_up, epochs * n_batches)

    first = _initial_rows(client, blocks, flow, sample_weight is None)
    check_columns(first.x, np.arange(len(first.x)), column_labels(X))
    check_scales(flow, first.x, first.context)
    initialized = flow.initialize(first.x, context=first.context, rng=rng)

    loss = TotalLikelihood(
        client, initialized, o.penalty, blocks, held, size, n_batches, o.shuffle, first
    )
    run = Run(
        loss, optimizer, epochs=epochs, average=o.average, patience=o.patience,
        clip_norm=o.clip_norm, rng=rng, started=started,
    )  # fmt: skip
    run.history.settings["blocks"] = len(blocks)
    return train(run, o.callbacks, o.progress)


class TotalLikelihood(Loss):
    """The NLL of the rows of all workers: sums over blocks, in their order. A batch is its index.

    client   of dask.distributed; blocks, held   futures of a `Block` for every block, none without
             rows to train on, or held out
    first    the rows that `initialize` got
    """

    def __init__(
        self, client, flow, penalty, blocks: list, held: list = (), batch_size: int = 1,
        n_batches: int = 1, shuffle: bool = False, first: Rows | None = None,
    ):  # fmt: skip
        super().__init__(flow, penalty)
        self._client, self._blocks, self._held, self._first = client, blocks, held, first
        self.batch_size, self.n_batches, self.validated = batch_size, n_batches, bool(held)
        self._shuffle, self._calls = shuffle and n_batches > 1, [(s, None) for s in blocks]
        self._there = client.compute(delayed(flow))

    def batches(self, rng: np.random.Generator, epoch: int, first: int = 0) -> range:
        """The numbers of the batches; every block takes its rows in another order."""
        if self._shuffle:
            seeds = rng.integers(2**63, size=len(self._blocks)).tolist()
            orders = self._client.map(_order, self._blocks, seeds, pure=False)
            self._calls = list(zip(self._blocks, orders, strict=True))
        return range(first, self.n_batches)

    def value_and_gradient(self, theta: np.ndarray, batch: int) -> tuple[float, np.ndarray]:
        """The NLL of a batch, and its gradient."""
        found = self._sum(_nll, theta, self._calls, batch, self.n_batches)
        self.weight = float(found[0])
        return float(found[1]) / self.weight, (found[2:] / self.weight).astype(theta.dtype)

    def validation(self, theta: np.ndarray) -> tuple[float, float] | None:
        """The NLL of all rows held out, and its standard error."""
        if not self.validated:
            return None
        weight, nll, *moments = self._sum(_moments, theta, [(block,) for block in self._held])
        mean = nll / weight
        variance = np.dot(moments, [mean**2, -2 * mean, 1.0])  # sum w^2 (v - mean)^2
        return mean, math.sqrt(variance) / weight if variance >= 0 else math.nan

    def first_batch(self, theta: np.ndarray) -> tuple[float, float]:
        """The NLL of a batch of the rows that `initialize` got."""
        rows = Rows(*(None if part is None else part[: self.batch_size] for part in self._first))
        return Likelihood(self.flow, threads=1).value_and_error(theta, [rows])

    def _sum(self, task, theta: np.ndarray, calls: list[tuple], *args) -> np.ndarray:
        theta = delayed(theta, pure=False)
        parts = [delayed(task)(self._there, theta, *call, *args) for call in calls]
        return self._client.compute(delayed(sum)(parts)).result()


class Block(NamedTuple):
    """The rows of one block: training rows, and held-out rows."""

    train: Rows
    held: Rows


def _blocks(client, flow, held_out: float, rng, X, context=None, weight=None):
    """Futures of a `Block` for every block of rows: those with rows to train on, and how many, and
    those with rows held out."""
    X = table("X", X)
    columns = [_delayed_blocks(X, X)]
    for name, part, ndim in (("context", context, 2), ("sample_weight", weight, 1)):
        none = [None] * len(columns[0])
        columns.append(none if part is None else _delayed_blocks(table(name, part, ndim), X))
        if len(columns[-1]) != len(none):
            raise ValueError(f"{name} has not as many blocks as X, {len(none)}: cut both alike")
    task, seeds = delayed(_block, pure=False), rng.integers(2**63, size=len(columns[0])).tolist()
    options = flow.dim, flow.params.dtype, held_out
    parts = enumerate(zip(*columns, seeds, strict=True))
    blocks = client.compute([task(number, *part, *options) for number, part in parts])
    sizes = client.map(lambda block: (len(block.train.x), len(block.held.x)), blocks, pure=False)
    sizes = np.array(client.gather(sizes))
    train, held = (list(itertools.compress(blocks, of > 0)) for of in sizes.T)
    return train, sizes[sizes[:, 0] > 0, 0], held


def _delayed_blocks(part, X) -> list:
    """The blocks of rows of a table, as delayed values; an array is cut like X, if it can be."""
    if not isinstance(part, da.Array):
        return list(part.to_delayed())
    if isinstance(X, da.Array) and part.shape[0] == X.shape[0]:  # and known
        part = part.rechunk({0: X.chunks[0]})
    return part.to_delayed().ravel().tolist()


def _initial_rows(client, blocks: list, flow, counted: bool) -> Rows:
    """All training rows, each as often as its weight demands, or at most 100,000 of them, evenly
    spaced, brought here; counted: weights are numbers of equal rows."""
    of_blocks = client.map(lambda s: (s.train.total_weight, len(s.train.x)), blocks, pure=False)
    weights, sizes = np.array(client.gather(of_blocks)).T
    n, width = (weights if counted else sizes).sum(), flow.dim + getattr(flow, "context_dim", 0)
    n, ends = n if counted else max(n, WEIGHTED), np.cumsum(weights)
    most = int(min(round(n), MOST_ROWS, max(2, MOST_NUMBERS // width)))
    at = (np.arange(most) + 0.5) * (ends[-1] / most)  # on the scale of added weights
    cuts = np.split(at, np.searchsorted(at, ends[:-1]))
    wanted = [cut - end + weight for cut, end, weight in zip(cuts, ends, weights, strict=True)]

    def some(block, at):
        x, weight, _ = block.train
        total = np.arange(len(x)) + 1.0 if weight is None else np.cumsum(weight)
        return block.train.take(np.searchsorted(total, at, side="right"))

    parts = zip(*client.gather(client.map(some, blocks, wanted, pure=False)), strict=True)
    x, _, context = (None if part[0] is None else np.concatenate(part) for part in parts)
    return Rows(x, None, context)


# ---------------------------------------------------------------- tasks


def _block(number: int, x, context, weight, seed: int, dim: int, dtype, held_out: float) -> Block:
    """A block checked, without its rows of weight 0, and split."""
    rows = Rows(np.empty((0, dim)))
    if len(x) and (weight is None or np.any(weight)):  # a block may have none
        try:
            rows = as_rows(dim, x, context, weight, dtype)
        except ValueError as problem:
            raise ValueError(f"{problem} (rows are counted in block {number})") from None
    if rows.weight is not None:  # by as_rows the largest is 1
        rows = rows._replace(weight=rows.weight * np.max(weight))
    rows = merged(rows)
    rows = rows.take(rows.used)
    order = np.random.default_rng(seed).permutation(len(rows.x))
    held, train = np.split(order, [round(held_out * len(order))])
    return Block(rows.take(np.sort(train)), rows.take(np.sort(held)))


def _order(block: Block, seed: int) -> np.ndarray:
    """The order of the training rows in an epoch."""
    return np.random.default_rng(seed).permutation(len(block.train.x))


def _nll(flow, theta, block: Block, order, batch: int, n_batches: int) -> np.ndarray:
    """[sum_n w_n, sum_n -w_n log p(x_n), its gradient by theta], of one of n_batches parts."""
    rows, n = block.train, len(block.train.x)
    if n_batches > 1:
        part = slice(n * batch // n_batches, n * (batch + 1) // n_batches)
        rows = rows.take((np.arange(n) if order is None else order)[part])
    if not len(rows.x):
        return np.zeros(2 + len(theta))
    with BLAS.single_threaded():
        nll, gradient = Likelihood(flow, threads=1)(theta, rows)
    return rows.total_weight * np.concatenate([[1.0, nll], gradient])


def _moments(flow, theta, block: Block) -> np.ndarray:
    """[sum w, sum w v, sum w^2, sum w^2 v, sum w^2 v^2] of the rows held out, v = -log p(x)."""
    x, weight, context = block.held
    with BLAS.single_threaded(), np.errstate(all="ignore"):
        v = -flow.log_prob(x, params=theta, **options_of(flow.log_prob, context)).astype(float)
        w = np.ones(len(x)) if weight is None else weight
        return np.array([w.sum(), w @ v, w @ w, w**2 @ v, w**2 @ v**2])
