"""The loss that the client minimises: a sum over the shares that its workers hold.

    loss(theta) = sum_b nll_b(theta) / sum_b w_b + penalty(theta)          b the blocks of the table

Sums are added in the order of the blocks. What is small goes straight from the client to the tasks
and back; what is large is a task's own result, theta as well as the sum, so that one copy of each
passes the client. If a worker dies, the scheduler makes again what it held.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..training import Loss
from .share import itself, spread, sums, total

SMALL = 2**20  # bytes of all gradients of an update: less is faster without tasks in between


class Step(NamedTuple):
    """Which batch of which epoch; how many batches an epoch has, and whether rows are shuffled."""

    epoch: int
    batch: int
    n_batches: int
    shuffle: bool


class TotalLoss(Loss):
    """A `Loss` of the rows that workers hold.

    client      of dask.distributed
    shares      futures of `Share`, to train on; validation   those whose held-out rows count
    """

    def __init__(self, client, flow, penalty, shares: list, validation: list):
        super().__init__(flow, penalty, threads=1)
        self._client, self._shares, self._validation = client, shares, validation
        self._there = self._task(itself, flow)

    def nll_and_gradient(self, theta: np.ndarray, step: Step) -> tuple[float, np.ndarray]:
        """Of one batch: its weight is kept as `weight`."""
        parts = self._of_all(sums, self._shares, theta, *step)
        small = self._is_small(theta)
        found = total(self._client.gather(parts)) if small else self._task(total, parts).result()
        self.weight = found.weight
        return found.nll / found.weight, np.asarray(found.gradient / found.weight, theta.dtype)

    def validated(self, theta: np.ndarray) -> tuple[float, float]:
        """The NLL of all rows held out, and its standard error."""
        found = self._client.gather(self._of_all(spread, self._validation, theta))
        found = [part for part in found if part is not None]
        weight = sum(part.weight for part in found)
        with np.errstate(all="ignore"):
            nll = sum(part.weight * part.mean for part in found) / weight
            variance = 0.0  # sum w^2 (v - nll)^2, from the moments around every block's mean
            for _, mean, (zeroth, first, second) in found:
                variance += second + (mean - nll) * (2 * first + (mean - nll) * zeroth)
        return nll, math.sqrt(variance) / weight if variance >= 0 else math.nan

    def _of_all(self, task, shares: list, theta: np.ndarray, *args) -> list:
        if not self._is_small(theta):
            theta = self._task(itself, theta)
        return [self._task(task, share, self._there, theta, *args) for share in shares]

    def _is_small(self, theta: np.ndarray) -> bool:
        return theta.nbytes * len(self._shares) < SMALL

    def _task(self, function, *args):
        return self._client.submit(function, *args, pure=False)
