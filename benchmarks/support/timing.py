"""Fair timing: contestants in turn, medians and quartiles, ratios within a round, a control."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from .cases import DTYPES

CONTROL = "control"


class Spread(NamedTuple):
    """Median and quartiles of what was measured in several rounds."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values) -> Spread:
        values = np.asarray(values, float)
        values = values[np.isfinite(values)]
        if not values.size:
            return cls(math.nan, math.nan, math.nan)
        return cls(*(float(q) for q in np.quantile(values, [0.5, 0.25, 0.75])))

    def times(self, scale: float) -> Spread:
        return Spread(*(scale * value for value in self))

    def show(self, scale: float = 1.0) -> str:
        """As "1.23 (1.20-1.31)": the values times `scale`, three significant digits."""
        m, a, b = (significant(value) for value in self.times(scale))
        return f"{m} ({a}-{b})"


class Timings:
    """Seconds per call of every contestant, one per round; NaN where one sat out."""

    def __init__(self, seconds: Mapping[str, np.ndarray]):
        self.seconds = dict(seconds)

    def spread(self, name: str) -> Spread:
        return Spread.of(self.seconds[name])

    def ratio(self, name: str, other: str) -> Spread:
        """seconds of `name` / seconds of `other`, within each round."""
        return Spread.of(self.seconds[name] / self.seconds[other])


def interleave(
    contestants: Mapping[str, Callable], rounds: int, seconds: float, budget: float = math.inf
) -> Timings:
    """Time all contestants in turn, `rounds` times.

    contestants   name -> function; or an object with `time(repeats) -> seconds of all repeats`,
                  for work that is done in another process
    seconds       how long one contestant runs in one round: it is called as often as that takes
    budget        a contestant whose rounds would take longer in all sits out the remaining ones
    """
    repeats = {name: _warm_up(run, seconds) for name, run in contestants.items()}
    found = {name: np.full(rounds, math.nan) for name in contestants}
    spent, last = dict.fromkeys(contestants, 0.0), dict.fromkeys(contestants, 0.0)
    for i in range(rounds):
        for name, run in contestants.items():
            if i > 0 and spent[name] + last[name] > budget:
                continue
            last[name] = elapsed_seconds(run, repeats[name])
            found[name][i] = last[name] / repeats[name]
            spent[name] += last[name]
    return Timings(found)


def elapsed_seconds(run, repeats: int = 1) -> float:
    """Seconds that `repeats` calls take."""
    if hasattr(run, "time"):
        return run.time(repeats)
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return time.perf_counter() - start


def _warm_up(run, seconds: float) -> int:
    """Call it until it is warm; how many calls take about `seconds`."""
    elapsed_seconds(run)  # which may compile
    repeats, elapsed = 1, elapsed_seconds(run)
    while elapsed < seconds / 2:
        repeats = math.ceil(repeats * min(10.0, 1.2 * seconds / max(elapsed, 1e-9)))
        elapsed = elapsed_seconds(run, repeats)
    return max(1, round(repeats * seconds / elapsed))


def control_workload() -> Callable[[], float]:
    """The fixed work that everything is compared with: two products and a little arithmetic.

    It resembles one hidden layer of 256 units on 800 rows, in both precisions. Never change it: the
    stored baseline is in units of it.
    """
    rng = np.random.default_rng(0)
    pairs = [
        (rng.standard_normal((256, 256)).astype(t), rng.standard_normal((256, 800)).astype(t))
        for t in DTYPES.values()
    ]

    def run() -> float:
        total = 0.0
        for weights, units in pairs:
            hidden = weights @ units
            np.maximum(hidden, 0, out=hidden)
            total += float(np.exp(-hidden).sum())
        return total

    return run


def gemm_peak(dtype, size: int = 1536, seconds: float = 0.5) -> float:
    """GFLOP/s of the best of many square matrix products: what the BLAS can do right now."""
    a = np.random.default_rng(0).standard_normal((size, size)).astype(dtype)
    out, best, stop = np.empty_like(a), math.inf, time.perf_counter() + seconds
    while time.perf_counter() < stop:
        best = min(best, elapsed_seconds(lambda: np.matmul(a, a, out=out)))
    return 2e-9 * size**3 / best


def significant(value: float) -> str:
    """Three significant digits, without an exponent."""
    if not math.isfinite(value) or value == 0:
        return "-" if math.isnan(value) else str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"
