"""A table in the workers' memory, as the client sees it: futures, and how many rows they have."""

from __future__ import annotations

import math

import numpy as np

from ..core import warn
from ..training import Rows
from ..training.table import FIRST_LOOK, FIRST_NUMBERS
from .blocks import as_announced, check_dask, imported_dask, is_collection, whole_rows
from .share import counts, share_of, some_rows

MANY = 8  # blocks for every thread of the workers: from then on Dask's own time is felt


class SharedTable:
    """A table in the workers' memory: a future of a `Share` for every block, and its training rows.

    sizes   the training rows of every block, and their weights; n   the rows of all
    """

    def __init__(self, client, flow, X, context, weight, held_out: float, rng):
        kind = check_dask("X", X)
        blocks = [_blocks("X", X)]
        width = len(X.columns) if kind == "frame" else X.shape[-1] if X.ndim == 2 else None
        if width != flow.dim:
            shape = f"{width} columns" if kind == "frame" else f"shape {X.shape}"
            raise ValueError(f"X has {shape}, but the flow has dim {flow.dim}: (n, {flow.dim})")
        for name, part in (("context", context), ("sample_weight", weight)):
            blocks.append([None] * len(blocks[0]) if part is None else _blocks(name, part, X))
            if len(blocks[-1]) != len(blocks[0]):
                raise ValueError(
                    f"{name} has {len(blocks[-1])} blocks, X {len(blocks[0])}: cut both alike"
                )
        entropy = rng.integers(2**63, size=4).tolist()
        delayed = imported_dask("dask").delayed
        task, of_flow = delayed(share_of, pure=False), (flow.dim, flow.params.dtype)
        tasks = [
            task(*parts, of_flow, held_out, (entropy, i))
            for i, parts in enumerate(zip(*blocks, strict=True))
        ]
        self.shares = client.compute(tasks)
        self._client, self._width = client, flow.dim + getattr(flow, "context_dim", 0)
        found = np.array(client.gather(client.map(counts, self.shares, pure=False)))
        self.sizes, held = found[:, 0].astype(int), found[:, 1].sum()
        self.n, self.weights = int(self.sizes.sum()), found[:, 2]
        self._counted = weight is None
        if held_out == 1.0:
            return
        if self.n == 0 or (held_out > 0 and held == 0):
            what = "no row to train on" if self.n == 0 else "no row for validation"
            raise ValueError(
                f"X in {len(self.shares)} blocks with validation_split={held_out} leaves {what}: "
                "take larger blocks, or another split"
            )
        _check_blocks(client, len(self.shares))

    def first_look(self) -> Rows:
        """All training rows, each as often as its weight asks for, or at most 100,000 of them,
        evenly spaced, brought here."""
        ends = np.cumsum(self.weights)
        n = round(ends[-1]) if self._counted else self.n
        most = min(n, FIRST_LOOK, max(2, FIRST_NUMBERS // self._width))
        at = (np.arange(most) + 0.5) * (ends[-1] / most)
        cuts = np.split(at, np.searchsorted(at, ends[:-1]))
        found = self._client.gather([
            self._client.submit(some_rows, share, cut - (end - size), pure=False)
            for share, cut, end, size in zip(self.shares, cuts, ends, self.weights, strict=True)
        ])  # fmt: skip
        parts = zip(*found, strict=True)
        return Rows(*(None if part[0] is None else np.concatenate(part) for part in parts))


def _blocks(name: str, table, like=None) -> list:
    """The blocks of rows of a Dask collection, as delayed values."""
    if not is_collection(table):
        check_dask(name, table)
    if not hasattr(table, "chunks"):
        return list((as_announced(table) if table.ndim == 2 else table).to_delayed())
    if table.ndim == 2:
        table = whole_rows(table)
    edges = table.chunks[0] if like is None or not hasattr(like, "chunks") else like.chunks[0]
    known = not math.isnan(sum(edges) + sum(table.chunks[0]))
    if known and sum(edges) != sum(table.chunks[0]):
        raise ValueError(f"{name} has {len(table)} rows, X {len(like)}: it needs one for each of X")
    if known:
        table = table.rechunk({0: edges})
    return table.to_delayed().ravel().tolist()


def _check_blocks(client, n: int) -> None:
    threads = sum(client.nthreads().values())
    if n > MANY * max(1, threads):
        warn(
            f"X has {n} blocks for {threads} of the workers' threads, and every update asks all of "
            f"them: {threads} are faster, by X.rechunk or X.repartition(npartitions={threads})"
        )
