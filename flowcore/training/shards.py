"""The log-densities of a batch, bound once for many steps, a single primitive for autograd.

A large batch is cut into shards of rows, each with its own plan. A few threads take the shards from
one queue: a thread without a core, because other programs use it, delays the others by one shard
at most. The cuts depend only on the flow and the number of rows, and the gradients are added in
the order of the rows: bit for bit the same for any number of threads.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp, primitive

from ..core import LARGE, Plan, in_threads, is_built_in, n_threads

SHARDS = {0: 1, 800: 2, 3200: 4, 12800: 8}  # from so many rows on: with smaller ones, or more of
# them, one core alone would need more than a tenth longer


def n_shards(n_rows: int, n_params: int) -> int:
    """The number of shards of a batch."""
    if n_rows * n_params < LARGE:
        return 1
    return max(n for least, n in SHARDS.items() if n_rows >= least)


class BoundLogProb:
    """log p of n rows at theta, a vector that changes in place; and the way back to theta.

    flow      a `Distribution`
    threads   number of threads for the shards. There is only one if the flow has a part of the
              user's own: it may use autograd itself, and autograd numbers the levels of nested
              traces for all threads together. Flowcore's own parts have one level each.

    The gradient by x is computed only if there is a part of the user's own: its `bind` may need it.
    """

    def __init__(self, flow, n_rows: int, theta: np.ndarray, threads: int | None = 1):
        built_in = is_built_in(flow)
        n = n_shards(n_rows, flow.n_params)
        self.theta, self.values = theta, np.empty(n_rows, theta.dtype)
        self.threads = n_threads(threads) if built_in and n > 1 else 1
        self.shards = [
            (slice(a, b), Plan(flow, "log_prob", b - a, theta.dtype, True, theta, not built_in))
            for a, b in pairwise(n_rows * i // n for i in range(n + 1))
        ]

    def run(self, x, context) -> np.ndarray:
        """log p of the rows (n,), good until the next run."""

        def run(shard):
            here, plan = shard
            plan.load(self.theta, None if context is None else context[here])
            self.values[here] = plan(x[here])[0]

        self._for_all(run)
        return self.values

    def gradient(self, l_bar: np.ndarray) -> np.ndarray:
        """theta_bar, given the gradient by the values: an array that the next call changes."""
        self._for_all(lambda shard: shard[1].gradient(l_bar[shard[0]]))
        total = self.shards[0][1].at.theta_bar
        for _, plan in self.shards[1:]:
            np.add(total, plan.at.theta_bar, total)
        return total

    def _for_all(self, f) -> None:
        if len(self.shards) == 1:
            f(self.shards[0])
        else:
            in_threads(f, self.shards, self.threads)

    def traced(self):
        """autograd's function l_bar -> theta_bar. Its trace is one node, whatever the rows and the
        values: so this, too, is done once for many steps."""
        vjp, _ = make_vjp(lambda theta: _log_prob(theta, self), self.theta)
        return vjp


@primitive
def _log_prob(theta, bound: BoundLogProb):
    """The values that `bound.run` has computed: to autograd, a whole flow is one operation."""
    return bound.values


defvjp(_log_prob, lambda values, theta, bound: bound.gradient, argnums=(0,))
