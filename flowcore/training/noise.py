"""Errors of measurement: noise for the rows of a fit, fresh in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..core.inputs import column_labels, in_order, where
from ..core.rows import Rows, check_finite

NO_EPOCH = 2**32  # in place of an epoch's number, in seeds of batches that belong to none


class Noise(NamedTuple):
    """The noise of x and of the context, which is not yet in the rows that hold it.

    Each is None, a function (rows, rng) -> noisy rows, or the standard deviations of Gaussian
    noise: one, one a column, or one for each number of each row.
    """

    x: np.ndarray | Callable | None
    context: np.ndarray | Callable | None
    seed: int

    @property
    def of_rows(self) -> list:
        """The standard deviations that differ from row to row: (n, D), (n, C)."""
        return [part for part in self if np.ndim(part) == 2]

    def take(self, index: np.ndarray, axis: int) -> Noise:
        """The noise of some of the rows."""
        return Noise(*(part.take(index, axis) if np.ndim(part) == 2 else part for part in self))


def with_noise(rows: Rows, noise, context_noise, own, labels, rng: np.random.Generator) -> Rows:
    """The rows with their noise, checked.

    own      the names of the columns of the user's X and context, if any
    labels   those of the rows, which are some of them, perhaps in another order
    """
    if noise is None and context_noise is None:
        return rows
    x = _checked("noise", noise, "X", rows.x, own[0], labels[0])
    c = _checked("context_noise", context_noise, "context", rows.context, own[1], labels[1])
    return rows._replace(noise=Noise(x, c, int(rng.integers(2**32))))


def noisy(blocks: Iterable[Rows], epoch: int = NO_EPOCH, first: int = 0) -> Iterator[Rows]:
    """Blocks of rows, counted from `first`, after their noise was added.

    The noise depends on the numbers of the epoch and of the block, so a resumed run draws the same.
    """
    for k, (x, weight, context, noise) in enumerate(blocks, first):
        rng = np.random.default_rng([noise.seed, epoch, k])
        x = _added("noise", noise.x, x, rng)
        yield Rows(x, weight, _added("context_noise", noise.context, context, rng))


def _checked(name: str, noise, of: str, x: np.ndarray | None, own, labels):
    """The noise of a table x, the user's argument `of`, with its columns in the order of x."""
    if noise is not None and x is None:
        raise ValueError(f"{name} needs {of}=, the rows that get it")
    if noise is None or callable(noise):
        return noise
    if hasattr(noise, "to_frame") and hasattr(noise, "index"):  # a Series of pandas has names
        noise = noise.to_frame().T
    scale = in_order(name, noise, labels)
    if column_labels(noise) is None and scale.ndim and own and own != labels:
        if scale.shape[-1] != len(own):
            raise ValueError(f"{name} has {scale.shape[-1]} columns, but {of} has {len(own)}")
        scale = scale[..., [own.index(label) for label in labels]]
    scale = scale[0] if scale.shape[:-1] == (1,) else scale
    if scale.shape not in ((), x.shape[1:], x.shape):
        raise ValueError(
            f"{name} has shape {scale.shape}: pass one standard deviation, one a column "
            f"{x.shape[1:]}, one for each number of {of} {x.shape}, or a function (rows, rng)"
        )
    check_finite(name, np.atleast_2d(scale), labels=labels)
    if scale.min() < 0:
        negative = where(np.atleast_2d(scale) < 0, labels)
        raise ValueError(f"{name} has negative standard deviations {negative}")
    return scale


def _added(name: str, noise, x, rng: np.random.Generator):
    """A table x (n, D) with noise; x itself without."""
    if noise is None:
        return x
    found = noise(x.copy(), rng) if callable(noise) else x + noise * rng.standard_normal(x.shape)
    found = np.asarray(found, x.dtype)
    if found.shape != x.shape or not np.isfinite(found).all():
        raise ValueError(f"{name} must return finite rows like those that it gets, {x.shape}")
    return found
