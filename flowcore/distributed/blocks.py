"""Log-densities and draws, block by block: what Dask does with them is lazy, and any scheduler's.

A flow is one more value of the graph, which goes to every worker once, and not with every block.
"""

from __future__ import annotations

import inspect
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .._forks import imported
from ..core import BLAS
from ..core.inputs import check_context, check_count, check_dim, check_event
from ..distributions import Distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._typing import Seed
    from ..distributions import TransformedDistribution

NUMBERS = 2**22  # in a block of draws: 32 MB in float64


def log_prob(flow: TransformedDistribution, X: Any, context: Any = None) -> Any:
    """log p(x) of every row of a Dask array or dataframe, lazily and block by block, in nats.

    Every block is `flow.log_prob` of its rows with one thread, and BLAS has one, too: the workers
    are the threads. So numbers do not depend on the workers, nor, but for rounding, on the blocks.
    The columns of an array that are in several blocks are brought together.

    Errors: TypeError if X is no Dask collection, ValueError if its columns or the context do not
    fit the flow; what is wrong with the numbers of a block is found when it is computed. Cost: a
    density a row, and Dask's own time for every block: give it 10,000 rows or more.

    Parameters
    ----------
    flow : TransformedDistribution
        Any density with `dim` and `log_prob`.
    X : dask.array.Array or dask.dataframe.DataFrame
        (n, D), or (..., D) if it is an array. Of a frame, all columns, in the flow's order:
        `frame[["x", "y"]]`.
    context : Dask collection or array_like
        As many rows as X has; or one context for all rows, (C,).

    Returns
    -------
    dask.array.Array or dask.dataframe.Series
        (n,), in the flow's dtype; of a frame a Series "log_prob" with the frame's index.

    Examples
    --------
    >>> import dask.array as da
    >>> import flowcore as fc
    >>> X = da.from_array(np.zeros((5, 2)), chunks=(3, 2))
    >>> found = log_prob(fc.Normal(2), X)
    >>> found.chunks, found.compute().round(2)
    (((3, 2),), array([-1.84, -1.84, -1.84, -1.84, -1.84]))
    """
    kind = check_dask("X", X)
    width = len(X.columns) if kind == "frame" else X.shape[-1]
    if kind == "frame" or X.ndim == 0:
        check_event(np.empty((0, width)), flow.dim, flow)
    else:
        check_event(np.broadcast_to(0.0, (1,) * (X.ndim - 1) + (width,)), flow.dim, flow)
    context, rows_of_context = _context_of(flow, context, kind)
    if kind == "frame":
        return _log_prob_of_frame(flow, X, context, rows_of_context)
    return _log_prob_of_array(flow, X, context, rows_of_context)


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

    Every block has a seed of its own, made from rng and the block's number: the same rng gives the
    same draws, whatever the workers, as often as they are computed. They are not the draws of
    `flow.sample(n, rng)`, and depend on `rows`.

    Errors: as `flow.sample`; TypeError for a context with rows that is no Dask array. Cost: a
    draw a row.

    Parameters
    ----------
    flow : TransformedDistribution
        Any density with `dim` and `sample`.
    n : int
        How many rows; with rows of context, how many for every row of it.
    rng : int or numpy Generator
        None: a fresh seed, the same for every time that the result is computed.
    context : dask.array.Array or array_like
        (m, C): n draws for each of its rows, (n, m, D), in its blocks; or one for all draws, (C,).
    rows : int
        Rows of a block; None: about 4 million numbers.
    columns : list of str
        Names: then a dataframe is made.

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
    da = imported_dask("dask.array")
    n, entropy = check_count(n), np.random.default_rng(rng).integers(2**63, size=4).tolist()
    if columns is not None and len(columns) != flow.dim:
        raise ValueError(f"columns has {len(columns)} names, but the flow has dim {flow.dim}")
    context, rows_of_context = _context_of(flow, context, "array")
    options = dict(flow=_in_graph(flow), entropy=entropy, dtype=dtype_of(flow))
    if rows_of_context is not None:
        if columns is not None:
            raise ValueError("columns= needs (n, D), but draws for rows of context are (n, m, D)")
        if rows_of_context.ndim != 2:
            raise ValueError(f"context must have shape (m, C), not {rows_of_context.shape}")
        context = whole_rows(rows_of_context)
        chunks = ((n,), context.chunks[0], (flow.dim,))
        meta = np.empty((0, 0, 0), options["dtype"])
        return da.map_blocks(
            _draws_for, context, n=n, new_axis=0, chunks=chunks, meta=meta, **options
        )
    size = check_dim("rows", max(1, NUMBERS // flow.dim) if rows is None else rows)
    edges = [*range(0, n, size), n] if n else [0, 0]
    chunks = tuple(b - a for a, b in pairwise(edges))
    meta = np.empty((0, 0), options["dtype"])
    found = da.map_blocks(
        _draws, context=context, chunks=(chunks, (flow.dim,)), meta=meta, **options
    )
    if columns is None:
        return found
    return imported_dask("dask.dataframe").from_dask_array(found, columns=list(columns))


# ---------------------------------------------------------------- what is done with a block


def log_prob_of_block(x, context=None, flow=None):
    """log p of the rows of a block. A frame stays one: an error then names its columns."""
    if context is not None and len(context) != len(x) and np.ndim(context) > 1:
        raise ValueError(
            f"a block of X has {len(x)} rows, and that of context {len(context)}: cut both alike"
        )
    with BLAS.single_threaded():
        return flow.log_prob(x, **_given(context), **one_thread(flow.log_prob))


def _log_prob_of_partition(frame, context=None, flow=None, dtype=None):
    """As a Series with the frame's index."""
    found = log_prob_of_block(frame, context, flow)
    return imported("pandas").Series(np.asarray(found, dtype), frame.index, name="log_prob")


def _draws(flow=None, entropy=None, context=None, dtype=None, block_info=None):
    (n, _), place = block_info[None]["chunk-shape"], block_info[None]["chunk-location"][0]
    return _draw(flow, n, entropy, place, context)


def _draws_for(context, flow=None, entropy=None, n=0, dtype=None, block_info=None):
    return _draw(flow, n, entropy, block_info[0]["chunk-location"][0], context)


def _draw(flow, n: int, entropy: list[int], place: int, context) -> np.ndarray:
    """The draws of block number `place`."""
    rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(place,)))
    with BLAS.single_threaded():
        return flow.sample(n, rng, **_given(context), **one_thread(flow.sample))


def _given(context) -> dict:
    return {} if context is None else {"context": context}


def one_thread(method) -> dict:
    """threads=1, if the method has such an argument; that of somebody's own may have none."""
    return {"threads": 1} if "threads" in inspect.signature(method).parameters else {}


# ---------------------------------------------------------------- what Dask is told


def _log_prob_of_array(flow, X, context, rows_of_context):
    da = imported_dask("dask.array")
    X, dtype = whole_rows(X), dtype_of(flow)
    lead = tuple(range(X.ndim - 1))
    meta = np.empty((0,) * len(lead), dtype)
    options = dict(flow=_in_graph(flow), dtype=dtype, meta=meta, concatenate=True)
    if rows_of_context is None:
        return da.blockwise(log_prob_of_block, lead, X, (*lead, -1), context=context, **options)
    if rows_of_context.shape[:-1] != X.shape[:-1] and not math.isnan(sum(X.shape[:-1])):
        raise ValueError(
            f"context has shape {rows_of_context.shape}, X {X.shape}: it needs a row for each of X"
        )
    rows_of_context = whole_rows(rows_of_context)
    return da.blockwise(
        log_prob_of_block, lead, X, (*lead, -1), rows_of_context, (*lead, -2), **options
    )


def _log_prob_of_frame(flow, X, context, rows_of_context):
    dtype, X = dtype_of(flow), as_announced(X)
    meta = imported("pandas").Series(np.empty(0, dtype), X._meta.index, name="log_prob")
    options = dict(flow=_in_graph(flow), dtype=dtype, meta=meta, align_dataframes=False)
    if rows_of_context is None:
        return X.map_partitions(_log_prob_of_partition, context, **options)
    if rows_of_context.npartitions != X.npartitions:
        raise ValueError(
            f"X has {X.npartitions} partitions, context {rows_of_context.npartitions}: take both "
            "from one frame, as in frame[columns] and frame[others]"
        )
    return X.map_partitions(_log_prob_of_partition, as_announced(rows_of_context), **options)


def _context_of(flow, context, kind: str):
    """(one context for all rows, the context of every row): at least one of them is None."""
    context_dim = getattr(flow, "context_dim", 0)
    if not is_collection(context):
        if context is not None and np.ndim(context) != 1:
            raise TypeError(
                f"context must be a Dask {kind} like X, or one for all rows, ({context_dim},): got "
                f"{type(context).__name__} of shape {np.shape(context)}"
            )
        return check_context(context, context_dim, flow), None
    if check_dask("context", context) != kind:
        raise TypeError(f"context must be a Dask {kind}, not {type(context).__name__}")
    width = len(context.columns) if kind == "frame" else context.shape[-1]
    check_context(np.empty((0, width)), context_dim, flow)
    return None, context


def check_dask(name: str, X) -> str:
    """ "array" or "frame"; a TypeError for anything else."""
    if isinstance(X, imported_dask("dask.array").Array):
        return "array"
    if is_collection(X) and hasattr(X, "to_delayed") and hasattr(X, "columns") and X.ndim == 2:
        return "frame"
    raise TypeError(
        f"{name} must be a Dask array or dataframe, not {type(X).__name__}: what fits into memory "
        f"is for flow.log_prob and fc.fit; or dask.array.from_array({name}, chunks=(100_000, D))"
    )


def as_announced(X):
    """X, a frame; ValueError in a partition whose columns are others, or in another order."""
    return X.map_partitions(_with_columns, names=list(X.columns), meta=X._meta)


def _with_columns(part, names: list):
    if list(part.columns) != names:
        raise ValueError(
            f"a partition has the columns {list(part.columns)}, but its frame announces {names}: "
            f"give all partitions one order, as part[{names}] where they are made"
        )
    return part


def is_collection(X) -> bool:
    return imported_dask("dask.base").is_dask_collection(X)


def whole_rows(X):
    """X with all columns in one block."""
    return X if len(X.chunks[-1]) == 1 else X.rechunk({X.ndim - 1: -1})


def _in_graph(flow):
    """The flow as a value of the graph, which tasks refer to."""
    return imported_dask("dask").delayed(flow, pure=True)


def dtype_of(flow) -> np.dtype:
    return flow.dtype if isinstance(flow, Distribution) else np.dtype(float)


def imported_dask(name: str):
    """The module; where there is none, an error that says how to get it."""
    try:
        return imported(name)
    except ImportError as problem:
        raise ImportError(
            f"{problem}; flowcore.distributed: pip install 'flowcore[dask]'"
        ) from None
