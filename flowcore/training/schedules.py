"""Learning-rate schedules: functions step -> number, the first step being 0.

`cosine_decay` and `constant` make schedules that can be printed and compared; `scheduled` puts the
one that `fit` was called with into an optimiser.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .optim import Optimizer

LearningRate = float | Callable[[int], float]
SCHEDULES = ("auto", "constant", "cosine")


@dataclass(frozen=True)
class CosineDecay:
    """The schedule that `cosine_decay` makes."""

    peak: float
    steps: int
    warm_up: int = 0

    def __post_init__(self):
        if not (is_number(self.peak, above=0.0) and is_number(self.steps, above=0.0)):
            raise ValueError(
                f"peak and steps must be positive numbers: got {self.peak!r} and {self.steps!r}"
            )
        check_warm_up(self.warm_up, self.steps)

    def __call__(self, step: int) -> float:
        if step < self.warm_up:
            return float(self.peak) * (step + 1) / (self.warm_up + 1)
        done = min((step - self.warm_up) / (self.steps - self.warm_up), 1.0)
        return float(self.peak) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Constant:
    """The schedule that `constant` makes."""

    peak: float
    warm_up: int = 0

    def __post_init__(self):
        if not is_number(self.peak, above=0.0):
            raise ValueError(f"peak must be a positive number: got {self.peak!r}")
        check_warm_up(self.warm_up)

    def __call__(self, step: int) -> float:
        return float(self.peak) * min((step + 1) / (self.warm_up + 1), 1.0)


def cosine_decay(peak: float, steps: int, warm_up: int = 0) -> CosineDecay:
    """The learning-rate schedule that falls smoothly from `peak` to 0, reached at step `steps`.

        peak (step + 1) / (warm_up + 1)                                         step < warm_up
        peak/2 (1 + cos(pi (step - warm_up) / (steps - warm_up)))               afterwards

    Reference: Loshchilov and Hutter, "SGDR", 2017, eq. 5 without restarts; the linear warm-up is
    Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2.

    Parameters
    ----------
    peak : float
        The largest learning rate.
    steps : int
        Updates until it is 0.
    warm_up : int
        Number of updates at the start during which the rate grows linearly.

    Returns
    -------
    CosineDecay
        A function step -> learning rate.

    Examples
    --------
    >>> rate = cosine_decay(1e-3, steps=100)
    >>> rate(0), rate(50), rate(100)
    (0.001, 0.0005, 0.0)
    >>> rate = cosine_decay(1.0, steps=100, warm_up=3)
    >>> [rate(step) for step in range(4)]
    [0.25, 0.5, 0.75, 1.0]
    """
    return CosineDecay(peak, steps, warm_up)


def constant(peak: float, warm_up: int = 0) -> Constant:
    """The schedule peak (step + 1) / (warm_up + 1) for step < warm_up, and `peak` afterwards.

    Parameters
    ----------
    peak : float
        The learning rate.
    warm_up : int
        Number of updates at the start during which the rate grows linearly.

    Returns
    -------
    Constant
        A function step -> learning rate.

    Examples
    --------
    >>> rate = constant(1e-3, warm_up=1)
    >>> rate, rate(0), rate(1), rate(2)
    (Constant(peak=0.001, warm_up=1), 0.0005, 0.001, 0.001)
    """
    return Constant(peak, warm_up)


def scheduled(optimizer: Optimizer, schedule: str, warm_up: int | str, steps: int) -> Optimizer:
    """The same optimiser with its constant learning rate made a schedule over `steps` updates.

    A schedule that is "auto" is "cosine", or "constant" if the optimiser's learning rate is not a
    number; a warm-up that is "auto" is a twentieth of the steps before a cosine, else none.
    """
    rate = getattr(optimizer, "learning_rate", None)
    can = is_dataclass(optimizer) and is_number(rate)
    if schedule == "auto":
        schedule = "cosine" if can else "constant"
    if isinstance(warm_up, str):
        warm_up = steps // 20 if schedule == "cosine" else 0
    if schedule == "constant" and warm_up == 0:
        return optimizer
    if not can:
        raise ValueError(
            f"schedule={schedule!r} with warm_up={warm_up} needs a number as learning_rate, not "
            f"that of {optimizer!r}: give either fit or the optimizer a schedule"
        )
    new = cosine_decay(rate, steps, warm_up) if schedule == "cosine" else constant(rate, warm_up)
    return replace(optimizer, learning_rate=new)


def check_warm_up(warm_up, steps: float = math.inf) -> None:
    """warm_up is an integer in 0..steps - 1."""
    whole = isinstance(warm_up, (int, np.integer)) and not isinstance(warm_up, bool)
    if not (whole and 0 <= warm_up < steps):
        most = "" if steps == math.inf else f" and < {steps}, the number of steps"
        raise ValueError(f"warm_up must be an integer >= 0{most}: got {warm_up!r}")


def is_number(value, above: float = -math.inf) -> bool:
    """Is it one finite real number larger than `above`?"""
    try:
        return math.isfinite(value) and value > above
    except TypeError:
        return False
