"""Names for what many public functions take. Types only: nothing here is imported at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

Seed: TypeAlias = int | np.random.Generator | None  # `rng`; None draws a fresh seed
Hidden: TypeAlias = Sequence[int] | None  # widths of hidden layers; None: sane ones


class HasLogProb(Protocol):
    """A flow, a base, a target, or an object of your own."""

    def log_prob(self, x: ArrayLike, /) -> Any:
        """log p(x), (...), in nats, of x (..., D)."""


class Density(HasLogProb, Protocol):
    """What can be sampled, too: see `flowcore.targets`."""

    dim: int

    def sample(self, n: int, /, rng: Any = None) -> Any:
        """n rows, (n, D)."""
