"""Maximum likelihood on fresh draws: `fit` of a function that draws rows, in place of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import check_dim, selected
from ..core.rows import Rows, as_rows
from .defaults import is_auto
from .likelihood import Likelihood
from .loss import Objective

if TYPE_CHECKING:
    from typing_extensions import Self

STEPS = 100  # of an epoch, at most: so often a run reports
BATCH_SIZE = 512
INITIAL = 10_000  # rows that a new flow is initialised with, about
BEFORE = 2**32 - 1  # in place of an epoch's number, in seeds of batches that belong to none


def of_draws(draw: Callable, steps: int | None, *of_rows) -> Objective:
    """What `fit` minimises if it gets a function; of_rows: options of rows, which must be None."""
    if steps is None or any(option is not None for option in of_rows):
        raise TypeError(
            "write fit(flow, draw, steps=1000), without epochs, context, noise, context_noise, "
            "sample_weight and validation_data: draw(n, rng) returns noisy X or (X, context)"
        )
    return Objective(draw, partial(LikelihoodOfDraws.of_draws, steps=check_dim("steps", steps)))


def drawn(draw: Callable, flow, n: int, *seed: int) -> Rows:
    """The rows that a function draws by a seed, checked."""
    parts = draw(n, np.random.default_rng(seed))
    x, context = parts if isinstance(parts, tuple) and len(parts) == 2 else (parts, None)
    x = selected("draw", x, getattr(flow, "names", None))
    context = selected("context of draw", context, getattr(flow, "context_names", None))
    rows = as_rows(x, flow.dim, context, None, flow.params.dtype, of="draw")
    if len(rows.x) != n:
        raise ValueError(f"draw({n}, rng) returned {len(rows.x)} rows")
    return rows


class LikelihoodOfDraws(Likelihood):
    """The NLL of rows that are drawn anew for every batch, so that none are held out.

    Each batch has a seed of its own, so a resumed run draws the same.

    draw    a function (n, rng) -> X or (X, context); size   the rows of a batch
    steps   the number of batches; seed   of all of them
    """

    validated = False

    def __init__(self, flow, *, draw: Callable, steps: int, size: int, seed: int, table, **options):
        super().__init__(flow, **options)
        self.epochs, self.batch_size = math.ceil(steps / STEPS), size
        self.n_batches, self.options = math.ceil(steps / self.epochs), {"steps": steps}
        self._draw, self._rows = draw, partial(drawn, draw, flow, size, seed)

    @classmethod
    def of_draws(cls, flow, draw, *, steps, batch_size, rng, penalty, threads, **_) -> Self:
        """The loss of a flow that is initialised with the first draws; see `fit`.

        Errors: ValueError where draws do not follow from rng, or not from it alone.
        """
        size = BATCH_SIZE if batch_size is None or is_auto(batch_size) else int(batch_size)
        seed = int(rng.integers(2**32))
        rows = [drawn(draw, flow, size, seed, BEFORE, k) for k in range(2 + INITIAL // size)]
        again = drawn(draw, flow, size, seed, BEFORE, 0)
        if np.array_equal(rows[0].x, rows[-1].x) or not np.array_equal(rows[0].x, again.x):
            raise ValueError(
                "draw(n, rng) must return equal rows for equal rng, and others for another: take "
                "random numbers from rng alone, and seed other programs by rng.integers(2**31)"
            )
        contexts = None if again.context is None else np.concatenate([r.context for r in rows])
        return cls.of_rows(
            flow, np.concatenate([r.x for r in rows]), context=contexts, sample_weight=None,
            validation_split=0, validation_data=None, batch_size=size, shuffle=False,
            penalty=penalty, threads=threads, rng=rng, draw=draw, steps=steps, size=size, seed=seed,
        )  # fmt: skip

    def compared(self) -> tuple[dict, dict]:
        """Its options, and the function, which needs a `checkpoint_key`."""
        return {}, {"draw": self._draw, "batch_size": self.batch_size, **self.options}

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator[Rows]:
        """The draws of an epoch: of the last one perhaps fewer."""
        left = self.options["steps"] - epoch * self.n_batches
        for batch in range(first, min(self.n_batches, left)):
            yield self._rows(epoch, batch)

    def first_batch(self, theta: np.ndarray) -> tuple[float, float]:
        """The loss of draws that no epoch sees, and its standard error."""
        return self.value_and_error(theta, [self._rows(BEFORE, 0)])
