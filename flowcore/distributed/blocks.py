"""Log-densities and draws, block by block: graphs of Dask, for any scheduler.

A flow is one value in the graph: it is sent to every worker once, not with every block.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from .._imports import imported
from ..core import BLAS
from ..core.inputs import check_context, check_count, check_dim, check_event

try:
    import dask.array as da
    from dask import delayed, is_dask_collection
except ImportError as problem:
    raise ImportError(f"{problem}; flowcore.distributed: pip install 'flowcore[dask]'") from None

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.typing import Seed
    from ..distributions import TransformedDistribution

NUMBERS = 2**22  # in a block of draws: 32 MB in float64


def log_prob(flow: TransformedDistribution, X: Any, context: Any = None) -> Any:
    """log p(x) of every row of a Dask array or dataframe, lazily and block by block, in nats.

    Every block is `flow.log_prob` of its rows. Workers replace threads: a block has one thread,
    also in BLAS. So the numbers do not depend on the workers, and on the blocks only by rounding.
    If the columns of an array are in several blocks, they are put together.

    Errors: TypeError if X is no Dask collection, ValueError if its columns or the context do not
    fit the flow. Faults in the numbers of a block are found when it is computed. Cost: a density
    per row, and Dask's own time for every block, so take blocks of 10,000 rows or more.

    Parameters
    ----------
    flow : TransformedDistribution
        Any density with `dim` and `log_prob`.
    X : dask.array.Array or dask.dataframe.DataFrame
        (n, D), or (..., D) if it is an array. All columns of a frame are used, in the flow's order:
        `frame[["x", "y"]]`.
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
    X = table("X", X)
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

    Every block has its own seed, made from rng and the block's number: the same rng gives the same
    draws for any workers, each time they are computed. They differ from the draws of
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
        None: a fresh seed, which stays the same however often the result is computed.
    context : dask.array.Array or array_like
        (m, C): n draws for each of the m rows, in the blocks of the context; (C,): one context for
        all draws.
    rows : int
        Rows of a block; None: about 4 million numbers.
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


# ---------------------------------------------------------------- what is done with a block


def log_prob_of_block(x, context=None, flow=None, dtype=None):
    """log p of the rows of a block; of a frame, a Series with its index.

    A frame is passed to `log_prob` as a frame, so that an error can name its columns.
    """
    if np.ndim(context) > 1 and len(context) != len(x):
        raise ValueError(
            f"a block of X has {len(x)} rows, and that of context {len(context)}: cut both alike"
        )
    with BLAS.single_threaded():
        found = flow.log_prob(x, **options_of(flow.log_prob, context))
    if isinstance(x, np.ndarray):
        return found
    return imported("pandas").Series(np.asarray(found, dtype), x.index, name="log_prob")


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


def table(name: str, X, ndim: int = 2):
    """A Dask array, all columns in one block; or a frame with this number of axes, checked in every
    partition. TypeError for anything else."""
    if isinstance(X, da.Array):
        return X.rechunk({X.ndim - 1: -1}) if X.ndim > 1 else X
    if not (is_dask_collection(X) and hasattr(X, "map_partitions") and X.ndim == ndim):
        raise TypeError(
            f"{name} must be a Dask array or dataframe, not {type(X).__name__}: make one by "
            f"dask.array.from_array({name}, chunks=(100_000, D)), or use flow.log_prob and fc.fit"
        )
    return X if ndim == 1 else X.map_partitions(_announced, list(X.columns), meta=X._meta)


def _announced(part, names: list):
    """A partition of a frame, checked to have the frame's columns in their order."""
    if list(part.columns) != names:
        raise ValueError(
            f"a partition has the columns {list(part.columns)}, but its frame announces {names}: "
            f"give all partitions one order, as part[{names}] where they are made"
        )
    return part


def _context_of(flow, context):
    """One context for all rows, an array (C,) or None; or a table with the context of each."""
    rowwise = is_dask_collection(context) or np.ndim(context) > 1
    context = table("context", context) if rowwise else context
    shown = np.empty((0, *context.shape[-1:])) if rowwise else context
    shown = check_context(shown, getattr(flow, "context_dim", 0), flow)
    return context if rowwise else shown
