"""What is tried, on how many folds, for how many epochs: decided by n, D and the budget alone.

So the same table gives the same density on a slow day, too. Seconds are of one core of the machine
on which the costs of an update were measured (`benchmarks.estimator.costs`). In wide tables work
and memory grow as D^2: candidates beyond the budget, or beyond MEMORY, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

from ..flows import maf, nsf
from ..training.defaults import batch_size_for, epochs_for
from . import candidates
from .candidates import Candidate
from .gaussians import MOST_ROWS

CORES, USED = 2, 0.8  # of the machine that the budget is of, and how much of it flows can take
FOLDS = ((10, 10), (5, 5), (10, 3), (10, 2), (10, 1))  # (into how many parts, how many are used)
HELD_OUT = 1000  # rows at least, or all of them: fewer do not tell candidates apart
LEAST_EPOCHS, FEW_ROWS = 4, 40  # fewer rows than that say nothing about a flow
MODES = 3  # of the base of `modes`
TOGETHER = 2000  # rows: up to there all folds stop at the same epoch
SNAPSHOTS, FEWEST = 40, 8  # of a run, for that; where memory holds fewer, each fold stops alone
LARGE = 5000  # rows: from there on the candidates for few rows are left out
STOPPED = 0.5  # of all epochs, of fewer rows than LARGE: what early stopping leaves
MEMORY = 2e9  # bytes: of the parameters and matrices of all folds, and of the fits that run
FITTING = 25  # times its parameters: what the fit of a flow holds
MATRICES = 3 * 7  # (D, D), that a fold holds: 7 for each Gaussian that has been evaluated
LEAST_SECONDS = 10.0  # that flows get, however small the budget is
PER_SHARE = 2e-8  # seconds of EM per row, component and entry of a covariance matrix

affine = partial(maf, base="student_t", activation="tanh")  # a base with tails, as that of `nsf`
spline = partial(nsf, activation="tanh")
GAUSSIANS = (
    Candidate("Gaussian", candidates.learn_gaussian),
    Candidate("Gaussian, not shrunk", candidates.learn_gaussian, options={"shrink": False}),
    Candidate("Student t", candidates.learn_broad),
)
FLOWS = {
    "spline": Candidate("spline flow", candidates.learn_flow, True, (1.2, 0.09, 0.002, 0.002),
                        {"recipe": spline}),
    "affine": Candidate("affine flow", candidates.learn_flow, True, (0.5, 0.015, 0.003, 0.0002),
                        {"recipe": affine}),
    "modes": Candidate("spline flow of modes", candidates.learn_flow, True,
                       (0.8, 0.05, 0.002, 0.001),
                       {"recipe": partial(spline, layers=2), "n_modes": MODES}),
    "white": Candidate("affine flow, white", candidates.learn_flow, True,
                       (0.5, 0.015, 0.003, 0.0002),
                       {"recipe": partial(affine, layers=3), "white": True}),
    "small": Candidate("small affine flow", candidates.learn_flow, True,
                       (0.3, 0.01, 0.001, 0.0001),
                       {"recipe": partial(affine, layers=3, hidden=[32])}, widens=False),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a fit will do.

    baselines, flows   candidates; components   the sizes of mixtures to try, in order
    parts, used        the rows are cut into so many parts; so many of them are held out in turn
    epochs, seconds    of every flow, and of all of them together, on one core
    snapshots          of a flow's run, among which one is chosen for all folds; 0: each fold stops
                       by itself
    left_out           what would have taken too much time or memory, and how much, in words
    """

    baselines: tuple[Candidate, ...]
    flows: tuple[Candidate, ...]
    components: tuple[int, ...]
    parts: int
    used: int
    epochs: int
    seconds: float = 0.0
    snapshots: int = 0
    left_out: tuple[str, ...] = ()


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
    """The largest number of folds, and then of epochs, that the budget allows.

    Errors: ValueError for more columns than a full covariance matrix can have.
    """
    minutes = default_minutes(n) if minutes is None else minutes
    budget = 60 * minutes * CORES * USED
    most = int(MEMORY / (8 * MATRICES * dim**2))  # folds
    if not most:
        raise ValueError(
            f"X has {dim:,} columns, but a Gaussian of D columns has D^2 numbers: take at most "
            f"{math.isqrt(int(MEMORY / 8 / MATRICES)):,}, or their principal components"
        )
    allowed = [(parts, used) for parts, used in FOLDS
               if used <= most and used * n >= parts * min(n, HELD_OUT)]  # fmt: skip
    allowed = allowed or [(FOLDS[1][0], most)]
    counts = () if context_dim else component_counts(n, dim)
    seconds = min(n, MOST_ROWS) * dim**2 * PER_SHARE  # of one Gaussian of a mixture
    sizes = tuple(k for k in counts if k * seconds <= max(budget, LEAST_SECONDS) / 4)
    left_out = tuple(
        f"mixture of {k}, which takes {k * seconds:.0f} s or more" for k in counts[len(sizes) :]
    )
    if len(flows) > 1:  # a single one was asked for
        flows, others = _affordable(_worth_trying(flows, n, dim), n, dim, *allowed[-1], budget)
        left_out += others
    found = Plan(GAUSSIANS, flows, sizes, 1, 1, 0, left_out=left_out)
    for parts, used in allowed:
        learn = n - n // parts
        epochs = epochs_for(learn)
        seconds = used * sum(seconds_of(flow, learn, dim, epochs) for flow in flows)
        found = replace(found, parts=min(parts, n), used=min(used, n), epochs=epochs,
                        seconds=seconds)  # fmt: skip
        if seconds <= budget:
            break
    else:
        epochs = max(LEAST_EPOCHS, int(found.epochs * budget / found.seconds))
        found = replace(found, epochs=epochs, seconds=found.seconds * epochs / found.epochs)
    return replace(found, snapshots=_snapshots(n, found.used * sum(f.nbytes(dim) for f in flows)))


def _affordable(
    flows: tuple[Candidate, ...], n: int, dim: int, parts: int, used: int, budget: float
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """(the flows whose shortest fits are together within budget and memory, the cheap ones first;
    the others in words)."""
    kept, left_out, spent, held = [], (), 0.0, 0.0
    for flow in sorted(flows, key=lambda flow: flow.milliseconds(dim, batch_size_for(n))):
        seconds = used * seconds_of(flow, n - n // parts, dim, LEAST_EPOCHS)
        nbytes = (used + CORES * FITTING) * flow.nbytes(dim)
        if spent + seconds > max(budget, LEAST_SECONDS):
            left_out += (f"{flow.name}, which takes {seconds:.0f} s or more",)
        elif held + nbytes > MEMORY:
            left_out += (f"{flow.name}, which takes {nbytes / 1e9:.1f} GB",)
        else:
            kept, spent = [*kept, flow], spent + seconds
            held += used * flow.nbytes(dim)
    return tuple(flow for flow in flows if flow in kept), left_out


def _snapshots(n: int, nbytes: float) -> int:
    """As many as half of the memory holds, in float32; nbytes: the parameters of all folds."""
    most = min(int(MEMORY / max(nbytes, 1)), SNAPSHOTS)
    return most if n < TOGETHER and most >= FEWEST else 0


def _worth_trying(flows: tuple[Candidate, ...], n: int, dim: int) -> tuple[Candidate, ...]:
    """Those for a table of this size."""
    left_out = [] if n < LARGE else ["white", "small"]
    left_out += ["white"] if dim < 3 else []
    left_out += ["modes"] if dim < 2 else []
    left_out = [FLOWS[name] for name in (FLOWS if n < FEW_ROWS else left_out)]
    return tuple(flow for flow in flows if flow not in left_out)


def component_counts(n: int, dim: int) -> tuple[int, ...]:
    """Numbers of Gaussians in a mixture that n rows of D numbers could tell apart."""
    return tuple(k for k in (2, 3, 4, 6, 8, 12, 16, 24, 32) if k * (dim + 5) <= n)
