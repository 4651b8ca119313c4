"""What is tried, on how many folds, for how many epochs: decided by n, D and the budget alone.

So the same table gives the same density on a slow day, too. Seconds are of one core of the machine
on which the costs of an update were measured (`benchmarks.estimator.costs`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..training.defaults import batch_size_for, epochs_for
from . import candidates
from .candidates import Candidate

CORES, USED = 2, 0.8  # of the machine that the budget is of, and how much of it flows can take
FOLDS = ((10, 10), (5, 5), (10, 3), (10, 2), (10, 1))  # (into how many parts, how many are used)
HELD_OUT = 1000  # rows at least, or all of them: fewer do not tell candidates apart
LEAST_EPOCHS, FEW_ROWS = 4, 40  # fewer rows than that say nothing about a flow
MODES = 3  # of the base of `modes`
TOGETHER = 2000  # rows: up to there all folds stop at the same epoch
LARGE = 5000  # rows: from there on the candidates for few rows are left out
STOPPED = 0.5  # of all epochs, of fewer rows than LARGE: what early stopping leaves

GAUSSIANS = (
    Candidate("Gaussian", candidates.learn_gaussian),
    Candidate("Gaussian, not shrunk", candidates.learn_gaussian, options={"shrink": False}),
    Candidate("Student t", candidates.learn_broad),
)
FLOWS = {
    "spline": Candidate("spline flow", candidates.learn_flow, True, (1.2, 0.09, 0.002, 0.002),
                        {"recipe": candidates.spline}),
    "affine": Candidate("affine flow", candidates.learn_flow, True, (0.5, 0.015, 0.003, 0.0002),
                        {"recipe": candidates.affine}),
    "modes": Candidate("spline flow of modes", candidates.learn_flow, True,
                       (0.8, 0.05, 0.002, 0.001),
                       {"recipe": candidates.spline_of_modes, "n_modes": MODES}),
    "white": Candidate("affine flow, white", candidates.learn_flow, True,
                       (0.5, 0.015, 0.003, 0.0002),
                       {"recipe": candidates.short_affine, "white": True}),
    "small": Candidate("small affine flow", candidates.learn_flow, True,
                       (0.3, 0.01, 0.001, 0.0001), {"recipe": candidates.small_affine}),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a fit will do.

    baselines, flows   candidates; components   the sizes of mixtures to try, in order
    parts, used        the rows are cut into so many parts; so many of them are held out in turn
    epochs, seconds    of every flow, and of all of them together, on one core
    together           all folds stop at the same epoch
    """

    baselines: tuple[Candidate, ...]
    flows: tuple[Candidate, ...]
    components: tuple[int, ...]
    parts: int
    used: int
    epochs: int
    seconds: float = 0.0
    together: bool = False


def default_minutes(n: int) -> float:
    """The budget for n rows: 20 seconds up to 500, then as n^0.41: 90 for 20,000."""
    return 20 * (max(n, 500) / 500) ** 0.41 / 60


def seconds_of(flow: Candidate, n: int, dim: int, epochs: int) -> float:
    """One flow, trained on n rows, on one core."""
    batch = batch_size_for(n)
    epochs = epochs * (STOPPED if n < LARGE else 1)
    return 1e-3 * epochs * math.ceil(n / batch) * flow.milliseconds(dim, min(n, batch))


def plan(
    n: int, dim: int, context_dim: int, flows: tuple[Candidate, ...], minutes: float | None = None
) -> Plan:
    """The largest number of folds, and then of epochs, that the budget allows."""
    minutes = default_minutes(n) if minutes is None else minutes
    budget = 60 * minutes * CORES * USED
    components = () if context_dim else component_counts(n, dim)
    flows = _worth_trying(flows, n, dim)
    found = Plan(GAUSSIANS, flows, components, 1, 1, 0, together=n < TOGETHER)
    allowed = [(parts, used) for parts, used in FOLDS if used * n >= parts * min(n, HELD_OUT)]
    for parts, used in allowed:
        learn = n - n // parts
        epochs = epochs_for(learn)
        seconds = used * sum(seconds_of(flow, learn, dim, epochs) for flow in flows)
        found = replace(found, parts=min(parts, n), used=min(used, n), epochs=epochs,
                        seconds=seconds)  # fmt: skip
        if seconds <= budget:
            return found
    fewer = max(LEAST_EPOCHS, int(found.epochs * budget / found.seconds))
    return replace(found, epochs=fewer, seconds=found.seconds * fewer / found.epochs)


def _worth_trying(flows: tuple[Candidate, ...], n: int, dim: int) -> tuple[Candidate, ...]:
    """Of several flows those for a table of this size; a single one was asked for."""
    if len(flows) == 1:
        return flows
    left_out = [] if n < LARGE else ["white", "small"]
    left_out += ["white"] if dim < 3 else []
    left_out += ["modes"] if dim < 2 else []
    left_out = [FLOWS[name] for name in (FLOWS if n < FEW_ROWS else left_out)]
    return tuple(flow for flow in flows if flow not in left_out)


def component_counts(n: int, dim: int) -> tuple[int, ...]:
    """Numbers of Gaussians in a mixture that n rows of D numbers could tell apart."""
    return tuple(k for k in (2, 3, 4, 6, 8, 12, 16, 24, 32) if k * (dim + 5) <= n)
