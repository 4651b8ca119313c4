"""Names of types that many functions use, all in one place; nothing imports them at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike as ArrayLike
from numpy.typing import DTypeLike as DTypeLike

from .workspace import Workspace as Workspace

if TYPE_CHECKING:
    from typing_extensions import Self as Self

Array: TypeAlias = np.ndarray  # where a gradient is taken: a box of autograd's that holds one
Params: TypeAlias = ArrayLike | None  # other values for `params`; None: the object's own
Context: TypeAlias = ArrayLike | None  # conditioning variables, (..., context_dim); None: none
Threads: TypeAlias = int | None  # None: FLOWCORE_THREADS, else the number of cores
Limits: TypeAlias = tuple[float, float] | None  # of an axis of a picture; None: chosen
Box: TypeAlias = tuple[Any, Any]  # (low, high): numbers or (D,) arrays
Bound: TypeAlias = tuple[Callable[..., Any], Callable[..., Any]]  # (run, back): see core/workspace
Base: TypeAlias = Any  # with dim, sample(n, rng) and log_prob(z)
Law: TypeAlias = tuple[Callable[..., Any], Callable[..., Any], tuple[Any, Any]]  # see `law_of`
Weights: TypeAlias = Sequence[tuple[Any, ...]]  # [(W, b, C), ...], a layer each; C may be None
Seed: TypeAlias = int | np.random.Generator | None  # `rng`; None draws a fresh seed
TableLike: TypeAlias = Any  # of pandas, polars or pyarrow; a mapping of columns; an array (n, D)
Hidden: TypeAlias = Sequence[int] | None  # widths of hidden layers; None: sane ones


class HasLogProb(Protocol):
    """A flow, a base, a target, or an object of your own."""

    def log_prob(self, x: ArrayLike, /) -> Any:
        """log p(x), (...), in nats, of x (..., D)."""


class Density(HasLogProb, Protocol):
    """A density that can be sampled, too: see `flowcore.targets`."""

    dim: int

    def sample(self, n: int, /, rng: Any = None) -> Any:
        """n rows, (n, D)."""
