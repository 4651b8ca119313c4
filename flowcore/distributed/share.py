"""What a worker holds, and is asked: the functions here are the tasks of a distributed `fit`.

A share is one block of the table. It is made from the block by a task, so if its worker dies it is
made again, elsewhere, the same: what is drawn at random follows from the block's number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core import BLAS
from ..training import Loss, Rows
from ..training.checks import as_weights
from ..training.table import as_rows, merged
from .blocks import one_thread


class Sums(NamedTuple):
    """Of some rows: sum_n w_n, sum_n -w_n log p(x_n), and the gradient of the latter by theta."""

    weight: float
    nll: float
    gradient: np.ndarray


class Spread(NamedTuple):
    """Of held-out rows: sum w, the mean m of -log p, and sum w^2 (-log p - m)^k, k = 0, 1, 2."""

    weight: float
    mean: float
    moments: list[float]


class Share:
    """The rows of one block: what is trained on, and what is held out.

    Beside them it keeps what may be made again: a loss whose work arrays are bound, its theta, and
    the order of the rows in one epoch. One task at a time works with a share.
    """

    def __init__(self, train: Rows, held: Rows, seed: tuple[list[int], int]):
        self.train, self.held, self.seed = train, held, seed
        self._forget()

    def _forget(self):
        self._loss = self._theta = None
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))

    def batch(self, epoch: int, batch: int, n_batches: int, shuffle: bool) -> Rows:
        """One of n_batches parts of the training rows, all about equally large."""
        n = len(self.train.x)
        if n_batches == 1:
            return self.train
        a, b = n * batch // n_batches, n * (batch + 1) // n_batches
        if not shuffle:
            return self.train.take(np.arange(a, b))
        if self._order[0] != epoch:
            self._order = epoch, generator(self.seed, epoch + 1).permutation(n)
        return self.train.take(self._order[1][a:b])

    def loss_at(self, flow, theta: np.ndarray) -> tuple[Loss, np.ndarray]:
        """The flow's loss, and a theta of the same numbers that is always the same array."""
        if self._loss is None or self._loss.flow is not flow:
            self._loss, self._theta = Loss(flow, threads=1), np.array(theta)
        self._theta[...] = theta
        return self._loss, self._theta

    def __sizeof__(self) -> int:
        """Dask asks, to know when a worker's memory is full."""
        return sum(
            part.nbytes for rows in (self.train, self.held) for part in rows if part is not None
        )

    def __getstate__(self):
        return self.train, self.held, self.seed

    def __setstate__(self, state):
        self.train, self.held, self.seed = state
        self._forget()


def generator(seed: tuple[list[int], int], use: int) -> np.random.Generator:
    """The generator of a block, for one use: 0 the split, e + 1 the order in epoch e."""
    entropy, number = seed
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(number, use)))


# ---------------------------------------------------------------- tasks


def itself(value):
    return value


def share_of(
    x, context, weight, kind: tuple[int, np.dtype], held_out: float, seed: tuple[list[int], int]
) -> Share:
    """A block checked, without its rows of weight 0, and split. kind: the flow's dim and dtype."""
    try:
        rows = _rows_of(x, context, weight, *kind)
    except ValueError as problem:
        raise ValueError(f"{problem} (rows are counted in block {seed[1]})") from None
    n = len(rows.x)
    if held_out == 1:
        return Share(rows.take(np.arange(0)), rows, seed)
    order = generator(seed, 0).permutation(n)
    most = round(held_out * n)
    if most == 0:
        return Share(rows, rows.take(np.arange(0)), seed)
    return Share(rows.take(np.sort(order[most:])), rows.take(np.sort(order[:most])), seed)


def _rows_of(x, context, weight, dim: int, dtype) -> Rows:
    if len(x) == 0:
        wide = None if context is None else np.empty((0, np.shape(context)[1]))
        return Rows(np.empty((0, dim)), None if weight is None else np.empty(0), wide)
    w = None if weight is None else np.asarray(weight)
    if w is not None and (w.shape != (len(x),) or w.any()):  # a block may have none
        w = as_weights(weight, len(x)) * w.max()
    rows = merged(as_rows(dim, x, context, None, dtype)._replace(weight=w))
    return rows.take(rows.used)


def counts(share: Share) -> tuple[int, int, float]:
    """Rows to train on, rows held out, the weight of the former."""
    return len(share.train.x), len(share.held.x), share.train.total_weight


def some_rows(share: Share, at: np.ndarray) -> Rows:
    """The training rows that these positions on the scale of added weights fall on."""
    x, weight, context = share.train
    index = at if weight is None else np.searchsorted(np.cumsum(weight), at, side="right")
    return Rows(x, None, context).take(index.astype(int))


def sums(share: Share, flow, theta, epoch: int, batch: int, n_batches: int, shuffle: bool):
    """The `Sums` of a batch of the share; None if there is no row for it."""
    rows = share.batch(epoch, batch, n_batches, shuffle)
    if not len(rows.x):
        return None
    with BLAS.single_threaded():
        loss, theta = share.loss_at(flow, theta)
        nll, gradient = loss(theta, rows)
        weight = rows.total_weight
        return Sums(weight, weight * nll, weight * gradient)


def total(parts: list[Sums | None]) -> Sums:
    """Added in the order of the blocks."""
    parts = [part for part in parts if part is not None]
    gradient = parts[0].gradient.copy()
    for part in parts[1:]:
        gradient += part.gradient
    return Sums(sum(p.weight for p in parts), sum(p.nll for p in parts), gradient)


def spread(share: Share, flow, theta) -> Spread | None:
    """The `Spread` of the rows held out; None if there are none."""
    if not len(share.held.x):
        return None
    x, weight, context = share.held
    with BLAS.single_threaded(), np.errstate(all="ignore"):
        values = flow.log_prob(x, params=theta, context=context, **one_thread(flow.log_prob))
        v, w = -values.astype(float), np.ones(len(x)) if weight is None else weight
        mean = np.dot(w, v) / w.sum()
        moments = [float(np.dot(w * w, (v - mean) ** k)) for k in range(3)]
    return Spread(float(w.sum()), float(mean), moments)
