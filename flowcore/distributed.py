"""Past one machine: tables that are Dask arrays or dataframes, and the workers of a cluster.

`log_prob` and `sample` make graphs of Dask, block by block, for any scheduler. A flow is one value
in the graph: it is sent to every worker once, not with every block. `fit` is `flowcore.fit` with
the rows on the workers. The loss and its gradient, one flat vector, are sums over the blocks.

    loss(theta) = sum_b nll_b(theta) / sum_b w_b + penalty(theta)          b the blocks of the table

The loop, Adam, schedules, averages, the history and the options are those of `flowcore.fit`; only
the loss differs, `TotalLikelihood`. Data on the workers are results of tasks, and random numbers
come from seeds that the client draws. So if a worker dies, the scheduler computes its results
elsewhere, with the same numbers.

`pip install 'flowcore[dask]'`. docs/use/past_one_machine.md: costs, and recipes for Ray and Spark.
"""

from __future__ import annotations

import inspect
import itertools
import math
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._imports import imported
from .core import BLAS
from .core.inputs import check_context, check_count, check_dim, check_event, column_labels
from .core.labels import check_labels, selected
from .core.rows import as_rows
from .training import Likelihood, Loss, Rows, Run, train
from .training import fit as fit_of_one_machine
from .training.checks import check_flow, check_options, check_scales, with_names_of
from .training.columns import check_columns, check_condition
from .training.defaults import batch_size_for, is_auto, patience_of, resolved
from .training.schedules import scheduled
from .training.table import MOST_NUMBERS, MOST_ROWS, WEIGHTED, merged

try:
    import dask.array as da
    from dask import delayed, is_dask_collection
except ImportError as problem:
    raise ImportError(f"{problem}; flowcore.distributed: pip install 'flowcore[dask]'") from None

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .core.typing import Seed
    from .distributions import TransformedDistribution
    from .training import History

__all__ = ["fit", "log_prob", "sample"]

NUMBERS = 2**22  # in a block of draws: 32 MB in float64


def log_prob(flow: TransformedDistribution, X: Any, context: Any = None) -> Any:
    """log p(x) of every row of a Dask array or dataframe, lazily and block by block, in nats.

    Every block is `flow.log_prob` of its rows, in one thread, also in BLAS: workers replace
    threads. So the numbers do not depend on the workers, and depend on the blocks only by rounding.
    If the columns of an array are in several blocks, they are joined first.

    Errors: TypeError if X is no Dask collection; ValueError if its columns or the context do not
    fit the flow. Invalid numbers in a block raise an error when it is computed. Cost: a
    density per row, and Dask's own time for every block, so take blocks of 10,000 rows or more.

    Parameters
    ----------
    flow : TransformedDistribution
        Any density with `dim` and `log_prob`.
    X : dask.array.Array or dask.dataframe.DataFrame
        (n, D), or (..., D) if it is an array. The columns of a frame are selected by the names that
        the flow knows; else all are used, in the flow's order: `frame[["x", "y"]]`.
    context : Dask collection or array_like
        As many rows as X has; or one context for all rows, (C,).

    Returns
    -------
    dask.array.Array or dask.dataframe.Series
        (n,), in the flow's dtype; for a frame a Series "log_prob" with the frame's index.

    Examples
    --------
    >>> import dask.array as da
    >>> import flowcore as fc
    >>> X = da.from_array(np.zeros((5, 2)), chunks=(3, 2))
    >>> found = log_prob(fc.Normal(2), X)
    >>> found.chunks, found.compute().round(2)
    (((3, 2),), array([-1.84, -1.84, -1.84, -1.84, -1.84]))
    """
    X = table("X", X, names=getattr(flow, "names", None))
    check_event(np.empty((0, *X.shape[-1:])), flow.dim, flow)
    context = _context_of(flow, context)
    rowwise, dtype = is_dask_collection(context), getattr(flow, "dtype", np.dtype(float))
    options = dict(flow=delayed(flow, pure=True), dtype=dtype)
    if not isinstance(X, da.Array):
        if rowwise and context.npartitions != X.npartitions:
            raise ValueError(
                f"X has {X.npartitions} partitions, context {context.npartitions}: take both from "
                "one frame, as in frame[columns] and frame[others]"
            )
        meta = imported("pandas").Series(np.empty(0, dtype), name="log_prob")
        options |= dict(meta=meta, align_dataframes=False)
        return X.map_partitions(log_prob_of_block, context, **options)
    lead = tuple(range(X.ndim - 1))
    cut = (*lead, -2) if rowwise else None
    options |= dict(meta=np.empty((0,) * len(lead), dtype), concatenate=True)
    return da.blockwise(log_prob_of_block, lead, X, (*lead, -1), context, cut, **options)


def sample(
    flow: TransformedDistribution,
    n: int,
    rng: Seed = None,
    *,
    context: Any = None,
    rows: int | None = None,
    columns: Sequence[str] | None = None,
) -> Any:
    """n draws as a Dask array or dataframe, lazily and block by block.

    Every block has its own seed, made from rng and the block's number. So the same rng gives the
    same draws for any workers, each time they are computed. The draws differ from those of
    `flow.sample(n, rng)`, and depend on `rows`.

    Errors: as `flow.sample`; TypeError for a context with rows that is no Dask array. Cost: a draw
    per row.

    Parameters
    ----------
    flow : TransformedDistribution
        Any density with `dim` and `sample`.
    n : int
        Number of rows; if `context` has rows, the number of draws for each of them.
    rng : int or numpy Generator
        None: a fresh seed. The seed stays the same however often the result is computed.
    context : dask.array.Array or array_like
        (m, C): n draws for each of the m rows, in the blocks of the context; (C,): one context for
        all draws.
    rows : int
        Number of rows of a block; None: those of about 4 million numbers.
    columns : list of str
        Names of the columns: then the result is a dataframe.

    Returns
    -------
    dask.array.Array or dask.dataframe.DataFrame
        (n, D), or (n, m, D).

    Examples
    --------
    >>> import flowcore as fc
    >>> X = sample(fc.Normal(2), 1000, rng=0, rows=400)
    >>> X.chunks, bool((X.compute() == X.compute()).all())
    (((400, 400, 200), (2,)), True)
    """
    n, entropy = check_count(n), np.random.default_rng(rng).integers(2**63, size=4).tolist()
    context, dtype = _context_of(flow, context), getattr(flow, "dtype", np.dtype(float))
    options = dict(flow=delayed(flow, pure=True), entropy=entropy, dtype=dtype)
    if is_dask_collection(context):
        options |= dict(chunks=((n,), context.chunks[0], (flow.dim,)), new_axis=0)
        found = da.map_blocks(_draws, context, meta=np.empty((0, 0, 0), dtype), **options)
    else:
        size = check_dim("rows", max(1, NUMBERS // flow.dim) if rows is None else rows)
        options |= dict(chunks=da.core.normalize_chunks((size, -1), (n, flow.dim)), context=context)
        found = da.map_blocks(_draws, meta=np.empty((0, 0), dtype), **options)
    if columns is None:
        return found
    return imported("dask.dataframe").from_dask_array(found, columns=list(columns))


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

    Every worker keeps its blocks in memory. In every update each block gets theta, and returns the
    gradient of its part of the batch, so in float64 the sum equals that of one machine up to
    rounding. Results do not depend on the workers. If one dies, others load its blocks again, and
    the run continues with the same numbers.

    Options are those of `flowcore.fit`, with these differences:

    * Equal rows are merged only within a block.
    * Every block sets aside its own part for validation, and shuffles its own rows. A batch has
      rows of all blocks.
    * `initialize`, and the checks of columns, get at most 100,000 rows, evenly spaced.
    * A batch_size "auto" is the usual one for each block, since an update needs messages to the
      workers and back.
    * Callbacks and the penalty are called in this process, not by workers.
    * `checkpoint` and `threads` are refused. Save `report.flow` in a callback, and set the threads
      of a worker by `Client(threads_per_worker=...)`.

    Errors: as for `flowcore.fit`; TypeError if a table is no Dask collection, or the client is not
    one of dask.distributed. Cost of an update: theta is sent to every block, a gradient comes back,
    and Dask needs time of its own. So take large batches, and about as many blocks as the workers
    have threads (`X.rechunk`, `X.repartition`).

    Parameters
    ----------
    client : dask.distributed.Client
        The client of the cluster that computes.
    flow : TransformedDistribution
        Its `initialize` is called once, in this process, with some of the training rows.
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
    alone = ("checkpoint", "threads", "noise", "context_noise")
    if any(getattr(o, name) is not None for name in alone):
        raise ValueError(f"{', '.join(map('{}='.format, alone))} are for fits on one machine")
    check_options(
        o.epochs, o.batch_size, o.validation_split, o.patience, o.clip_norm, o.callbacks,
        o.schedule, o.warm_up, o.average,
    )  # fmt: skip
    rng = np.random.default_rng(o.rng)

    split = o.validation_split if validation_data is None else 0.0
    blocks, sizes, held = _blocks(client, flow, split, rng, X, context, sample_weight)
    flow = with_names_of(flow, X, context)
    if validation_data is not None:
        parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
        *_, held = _blocks(client, flow, 1.0, rng, *parts)
    n, size = int(sizes.sum()), o.batch_size
    if n == 0 or ((split or patience_of(o.patience, None)) and not held):
        what = "for validation" if n else "to train on"
        raise ValueError(f"validation_split={split} leaves no row {what}: take larger blocks")
    if is_auto(size):
        size = batch_size_for(n) * len(blocks)
    epochs, size, optimizer = resolved(n, o.epochs, size, o.learning_rate, o.optimizer)
    patience = patience_of(o.patience, epochs if is_auto(o.epochs) and held else None)
    size = n if size is None else min(int(size), n)
    # no more batches than the largest block has rows: then none is empty
    n_batches = min(math.ceil(n / size), int(sizes.max()))
    optimizer = scheduled(optimizer, o.schedule, o.warm_up, epochs * n_batches)

    first = _initial_rows(client, blocks, flow, sample_weight is None)
    check_columns(first.x, np.arange(len(first.x)), column_labels(X))
    check_scales(flow, first.x, first.context)
    check_condition(flow, first.x, first.context)
    initialized = flow.initialize(first.x, context=first.context, rng=rng)

    loss = TotalLikelihood(
        client, initialized, o.penalty, blocks, held, size, n_batches, o.shuffle, first
    )
    run = Run(
        loss, optimizer, epochs=epochs, average=o.average, patience=patience,
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
    X = table("X", X, names=getattr(flow, "names", None) or column_labels(X))
    names = getattr(flow, "context_names", None) or column_labels(context)
    columns = [_delayed_blocks(X, X)]
    for name, part, ndim in (("context", context, 2), ("sample_weight", weight, 1)):
        none = [None] * len(columns[0])
        part = None if part is None else table(name, part, ndim, names)
        columns.append(none if part is None else _delayed_blocks(part, X))
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
        x, weight = block.train[:2]
        total = np.arange(len(x)) + 1.0 if weight is None else np.cumsum(weight)
        return block.train.take(np.searchsorted(total, at, side="right"))

    parts = zip(*client.gather(client.map(some, blocks, wanted, pure=False)), strict=True)
    x, _, context, _ = (None if part[0] is None else np.concatenate(part) for part in parts)
    return Rows(x, None, context)


# ---------------------------------------------------------------- what is done with a block


def log_prob_of_block(x, context=None, flow=None, dtype=None):
    """log p of the rows of a block; of a frame, a Series with its index.

    A frame is passed to `log_prob` as a frame, so that an error can name its columns.
    """
    x, context = with_nan(x), with_nan(context)
    if np.ndim(context) > 1 and len(context) != len(x):
        raise ValueError(
            f"a block of X has {len(x)} rows, and that of context {len(context)}: cut both alike"
        )
    with BLAS.single_threaded():
        found = flow.log_prob(x, **options_of(flow.log_prob, context))
    if isinstance(x, np.ndarray):
        return found
    return imported("pandas").Series(np.asarray(found, dtype), x.index, name="log_prob")


def with_nan(part):
    """A partition whose missing numbers are NaN, also in pandas' own dtypes; else unchanged."""
    if not hasattr(part, "items"):  # an array
        return part
    own = {name: c for name, c in part.items() if not isinstance(c.dtype, np.dtype) and c.hasnans}
    return part.astype({name: float for name, c in own.items() if c.dtype.kind in "iuf"})


def _draws(context=None, flow=None, entropy=None, dtype=None, block_info=None):
    """The draws of one block, by a generator of its own."""
    here = block_info[None]
    seed = np.random.SeedSequence(entropy, spawn_key=(max(here["chunk-location"]),))
    with BLAS.single_threaded():
        options = options_of(flow.sample, context)
        return flow.sample(here["chunk-shape"][0], np.random.default_rng(seed), **options)


def options_of(method, context) -> dict:
    """context=, if there is one; threads=1, if the method of a density takes it."""
    options = {} if context is None else {"context": context}
    return options | ({"threads": 1} if "threads" in inspect.signature(method).parameters else {})


# ---------------------------------------------------------------- tables of Dask


def table(name: str, X, ndim: int = 2, names: Sequence[str] | None = None):
    """A Dask array, all columns in one block; or a frame with this number of axes, of which every
    partition selects its columns by name: `names`, or all. TypeError for anything else."""
    if isinstance(X, da.Array):
        return X.rechunk({X.ndim - 1: -1}) if X.ndim > 1 else X
    if not (is_dask_collection(X) and hasattr(X, "map_partitions") and X.ndim == ndim):
        raise TypeError(
            f"{name} must be a Dask array or dataframe, not {type(X).__name__}: make one by "
            f"dask.array.from_array({name}, chunks=(100_000, D)), or use flow.log_prob and fc.fit"
        )
    if ndim == 1:
        return X
    meta = selected(name, X._meta, names)
    return X.map_partitions(_selected, list(meta.columns), name, meta=meta)


def _selected(part, names: list, name: str):
    """The columns of a partition, whose order need not be that of its frame."""
    check_labels(f"a partition of {name}", list(part.columns), names)
    return part[names]


def _context_of(flow, context):
    """One context for all rows, an array (C,) or None; or a table with the context of each."""
    rowwise = is_dask_collection(context) or np.ndim(context) > 1
    names = getattr(flow, "context_names", None)
    context = table("context", context, names=names) if rowwise else context
    shown = np.empty((0, *context.shape[-1:])) if rowwise else context
    shown = check_context(shown, getattr(flow, "context_dim", 0), flow)
    return context if rowwise else shown


# ---------------------------------------------------------------- tasks of `fit`


def _block(number: int, x, context, weight, seed: int, dim: int, dtype, held_out: float) -> Block:
    """A block checked, without its rows of weight 0, and split."""
    rows = Rows(np.empty((0, dim)))
    if len(x) and (weight is None or np.any(weight)):  # a block may have none
        try:
            rows = as_rows(x, dim, context, weight, dtype)
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
    x, weight, context = block.held[:3]
    with BLAS.single_threaded(), np.errstate(all="ignore"):
        v = -flow.log_prob(x, params=theta, **options_of(flow.log_prob, context)).astype(float)
        w = np.ones(len(x)) if weight is None else weight
        return np.array([w.sum(), w @ v, w @ w, w**2 @ v, w**2 @ v**2])
