"""Large inputs in blocks of rows, in a few threads: bounded memory, every core busy.

A block of rows fits into the cache and a whole table does not, so blocks alone are faster. NumPy
releases the interpreter lock in its products, so threads are even faster. While they run, BLAS is
limited to one thread. The edges of the blocks are fixed: results are bit for bit the same for any
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock

import numpy as np

from .blas import BLAS
from .cores import n_threads
from .threads import in_threads

ROWS = 1024  # per block
MANY = 4 * ROWS  # fewer rows than this are one block, or two
FEW = 800  # fewer rows than this are one block, whatever they cost
LARGE = 5e7  # rows * parameters: with fewer, starting threads costs more than they save


@cache
def keep_freed_memory() -> None:
    """Let the C library keep freed memory instead of returning it to the system at once.

    Splines and mixtures allocate their arrays in every call. glibc returns large freed arrays to
    the system and requests them again, page by page: 274 page faults, half of the processor time of
    `log_prob` of 500 rows by a spline layer at D = 6. glibc sets its limit by the largest array
    that was freed. So the first plan allocates 31 MB once, and frees them unused. (glibc then keeps
    up to 62 MB, and all freed memory below memory in use.)
    """
    np.empty(31 * 2**20, np.uint8)


def block_rows(n_rows: int, n_params: int) -> int:
    """The number of rows in a block: ROWS if there are many; half of all, if fewer rows need much
    work; else all."""
    if n_rows >= MANY:
        return ROWS
    if n_rows >= FEW and n_rows * n_params >= LARGE:
        return -(-n_rows // 2)
    return max(n_rows, 1)


def map_blocks(
    f: Callable, inputs: Sequence, threads=None, out=None, n_params: int = 0
) -> list[np.ndarray]:
    """The results of f for blocks of rows of the inputs, joined to whole arrays.

    f(*inputs)   a list of arrays, with the rows on the first axis
    inputs       arrays with the same number of rows, or None (passed on)
    out          where the first result is written, e.g. an input that has the same shape
    n_params     the work of one row: see `block_rows`

    The edges of the blocks are fixed, and BLAS has one thread meanwhile: bit for bit the same for
    any number of threads. The first error ends the run.
    """
    n_rows, workers = len(inputs[0]), n_threads(threads)
    size = block_rows(n_rows, n_params)
    if n_rows <= size and out is None:
        return f(*inputs)
    wholes: list = [] if out is None else [out]
    starts = range(0, max(n_rows, 1), size)
    making = Lock()  # of the arrays that all blocks write to

    def run(start):
        rows = slice(start, start + size)
        found = f(*(None if a is None else a[rows] for a in inputs))
        with making:
            for a in found[len(wholes) :]:
                wholes.append(np.empty((n_rows, *a.shape[1:]), a.dtype))
        for whole, a in zip(wholes, found, strict=True):
            whole[rows] = a

    with BLAS.single_threaded():
        in_threads(run, starts, workers)
    return wholes
