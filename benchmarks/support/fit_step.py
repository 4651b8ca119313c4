"""One training step exactly as `flowcore.fit` makes it, timed from outside."""

from __future__ import annotations

import time

BEFORE = 3  # epochs of a run that do not count: the first one binds the flow
SHORT = 0.02  # seconds: where so few epochs take less, a few steps
LEAST = 30  # drown in what a run does once, and so many are timed instead


class FitStep:
    """An epoch of `fit` on one batch: the mean NLL, its gradient, the checks, Adam, the history.

    What it takes is what a longer run takes more than a shorter one, so that what `fit` does once
    does not count. All settings are named, so that another default changes nothing here. With a
    tiny learning rate thousands of steps stay where they began. `interleave` times it.

    options   of `fit`, instead of these
    """

    def __init__(self, flow, x, **options):
        self.flow, self.x = flow, x
        self.options = {"batch_size": len(x), "learning_rate": 1e-7, "schedule": "constant",
                        "average": None, "validation_split": 0, "patience": None, "clip_norm": None,
                        "rng": 0, **options}  # fmt: skip

    def fit(self, epochs: int, **options):
        """(flow, history)."""
        import flowcore

        return flowcore.fit(self.flow, self.x, epochs=epochs, **{**self.options, **options})

    def time(self, steps: int) -> float:
        """Seconds of so many steps."""
        once = self._seconds(BEFORE)
        counted = max(steps, LEAST) if once < SHORT else steps
        return max(self._seconds(BEFORE + counted) - once, 1e-9) * steps / counted

    def _seconds(self, epochs: int) -> float:
        start = time.perf_counter()
        _, self.history = self.fit(epochs)
        return time.perf_counter() - start

    def multiply_adds(self) -> int:
        """Those of all matrix products of one step."""
        from .cases import count_multiply_adds

        shorter, longer = (
            count_multiply_adds(lambda flow: FitStep(flow, self.x).fit(n), self.flow)  # noqa: B023
            for n in (BEFORE, BEFORE + 1)
        )
        return longer - shorter
