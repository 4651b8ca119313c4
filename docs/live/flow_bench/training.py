"""Training in steps, which a page can take as it likes: a few, then look, then a few more.

It is the loop of `flowcore.fit`, or of `fit_matching`, in the same parts: a loss with its gradient,
Adam, and an average of theta over the steps, which is what is shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flowcore.training import Adam, Average, Likelihood, Rows
from flowcore.training.loss import NotFinite
from flowcore.training.matching import Matching

from .densities import Data
from .recipes import build
from .settings import Settings

BATCH = 256
DECAY = 0.99  # of the average
KEPT = 400  # losses that are remembered, evenly spaced


@dataclass(frozen=True)
class Rate:
    """Linear warm-up, then a fall with the square root of the step: training may go on for ever.

    peak    the highest learning rate, after warm_up steps;   fall   when it is lower by sqrt(2)

    >>> [round(1e3 * Rate(6e-3, 20, 400)(step), 2) for step in (0, 20, 420, 4020)]
    [0.29, 6.0, 4.24, 1.81]
    """

    peak: float
    warm_up: int
    fall: float

    def __call__(self, step: int) -> float:
        warm = min(1.0, (step + 1) / (self.warm_up + 1))
        return self.peak * warm / math.sqrt(1.0 + max(0, step - self.warm_up) / self.fall)


# Splines that are hurried are chaotic: with the other rate, a change of the last digit of theta
# has grown to 0.1 after a hundred steps, and no two machines train the same flow.
RATE, RATE_OF_SPLINES = Rate(6e-3, 20, 400.0), Rate(3e-3, 200, 800.0)
RATE_OF_MATCHING = Rate(12e-3, 20, 400.0)


class Training:
    """A flow on its way; `flow` is as good as it gets so far.

    Errors: FloatingPointError if the loss is not finite, with the flow as it was before.
    """

    def __init__(self, settings: Settings, data: Data):
        self.settings, self.data = settings, data
        self.start = build(settings).initialize(data.two_rows)
        self.theta = np.array(self.start.params)
        rate = {"nsf": RATE_OF_SPLINES, "continuous": RATE_OF_MATCHING}.get(settings.flow, RATE)
        self.optimizer = Adam(rate).start(self.theta)
        self.average = Average(DECAY, self.theta)
        self.loss = self._loss()
        self.batches = _batches(data, np.random.default_rng([settings.seed, 2]))
        self.step = 0
        self.losses: list[tuple[int, float]] = []  # (step, loss of its batch)
        self._every = 1  # how many steps apart losses are remembered

    @property
    def matches(self) -> bool:
        """Whether the loss is that of flow matching, and not an NLL."""
        return self.settings.flow == "continuous"

    def _loss(self):
        if not self.matches:
            return Likelihood(self.start, threads=1)
        return Matching(self.start, rng=self.settings.seed)

    @property
    def flow(self):
        """The flow with the averaged parameters; before the first step, as it was made."""
        return self.start.with_params(self.average.values if self.step else self.start.params)

    def steps(self, most: int, seconds: float = math.inf) -> int:
        """Take steps, at most so many and for at most so long; at least one. Returns how many."""
        end, done = time.perf_counter() + seconds, 0
        while done < most and (done == 0 or time.perf_counter() < end):
            self._one()
            done += 1
        return done

    def walk_by(self, settings: Settings) -> None:
        """Go on with the same theta, but another method of the sequential direction."""
        self.settings, self.start = settings, build(settings).initialize(self.data.two_rows)
        self.loss = self._loss()

    def _one(self) -> None:
        batch = Rows(next(self.batches))
        if self.matches:
            batch = self.loss.pairs(batch, self.step)
        try:
            loss, gradient = self.loss(self.theta, batch)
        except NotFinite as problem:
            raise FloatingPointError(f"training diverged at step {self.step}: {problem}") from None
        if not np.isfinite(gradient).all():
            raise FloatingPointError(f"training diverged at step {self.step}: no gradient")
        self.optimizer.step(self.theta, gradient)
        self.average.update(self.theta)
        if self.step % self._every == 0:
            self.losses.append((self.step, float(loss)))
        self.step += 1
        if len(self.losses) > KEPT:
            self.losses, self._every = self.losses[::2], 2 * self._every


def _batches(data: Data, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches for ever: fresh draws of the truth, or all rows in a new order again and again."""
    if data.rows is None:
        while True:
            yield data.truth.sample(BATCH, rng)
    size = min(BATCH, len(data.rows))
    while True:
        order = rng.permutation(len(data.rows))
        for begin in range(0, len(order) - size + 1, size):
            yield data.rows[order[begin : begin + size]]
