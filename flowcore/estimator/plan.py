"""Numbers of folds and epochs depend only on n, D, the candidates and the budget.

So the same table gives the same density on a busy machine, too. Seconds are those of one core of
the machine on which the costs of an update were measured (`benchmarks.studies.estimator.costs`).
In wide tables work and memory grow as D^2: candidates beyond the budget, or beyond MEMORY, are left
out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..training.defaults import batch_size_for, epochs_for
from .candidates import GAUSSIAN, OF_PRESENT, STUDENT, Family, FlowCandidate, mixtures
from .gaussians import MOST_ROWS

CORES, USED = 2, 0.8  # of the machine that the budget is of, and how much of it flows can take
FOLDS = ((10, 10), (5, 5), (10, 3), (10, 2), (10, 1))  # (into how many parts, how many are used)
HELD_OUT = 1000  # rows at least, or all of them: by fewer, candidates differ too little
LEAST_EPOCHS, FEW_ROWS = 4, 40  # of fewer rows no flow can be learned
TOGETHER = 2000  # rows: up to there all folds stop at the same epoch
SNAPSHOTS, FEWEST = 40, 8  # of a flow, for that; where memory holds fewer, each fold stops alone
LARGE, STOPPED = 5000, 0.5  # with fewer rows, early stopping leaves such a share of all epochs
MEMORY = 2e9  # bytes: of the parameters and matrices of all folds, and of the fits that run
FITTING = 25  # times its parameters: what the fit of a flow holds
MATRICES = 3 * 7  # (D, D), that a fold holds: 7 for each Gaussian that has been evaluated
LEAST_SECONDS = 10.0  # that flows get, however small the budget is
PER_SHARE = 2e-8  # seconds of EM per row, component and entry of a covariance matrix
Flows = Sequence[FlowCandidate]
OF_MIXTURES = 1 / 4  # of the time, at most
TRIAL = 0.1  # of the budget, in which the flows are chosen that get the rest
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # of mixtures of Gaussians: their components


@dataclass(frozen=True)
class FitPlan:
    """The plan of a fit.

    families, flows   the candidates: the best of each family, and every flow
    parts, used       the number of parts that the rows are cut into; how many of them are held out
    epochs, seconds   of every flow; of one fit of each, on one core
    snapshots         of a flow's training, among which one is chosen for all folds; 0: each fold
                      chooses its own
    left_out          candidates that would need too much time or memory, and how much, in words
    full              whether the budget allows all epochs on ten folds
    """

    families: list[Family]
    flows: Flows
    parts: int
    used: int
    epochs: int
    seconds: list[float]
    snapshots: int
    left_out: list[str]
    full: bool


def default_minutes(n: int) -> float:
    """The budget for n rows: 10 seconds up to 500, then as n^0.41: 45 for 20,000."""
    return 10 * (max(n, 500) / 500) ** 0.41 / 60


def plan(
    n: int, dim: int, context_dim: int, flows: Flows, minutes: float | None = None,
    condition: float = 1.0, share: float = 1.0, trial: bool = False,
) -> FitPlan:  # fmt: skip
    """The plan with as many folds, and then epochs, as the budget allows.

    condition: the condition number of the correlations of X or of the context, the larger one.
    share: of the budget, that the flows get.
    trial: one part of the rows, a tenth or up to a third, is held out once. No flow is left out, so
    four epochs of wide tables may take more than the share.

    Errors: ValueError for more columns than a full covariance matrix can have.
    """
    minutes = default_minutes(n) if minutes is None else minutes
    whole = 60 * minutes * CORES * USED
    budget = share * whole
    most = int(MEMORY / (8 * MATRICES * dim**2))  # folds
    if not most:
        raise ValueError(
            f"X has {dim:,} columns, but a Gaussian of D columns has D^2 numbers: take at most "
            f"{math.isqrt(int(MEMORY / 8 / MATRICES)):,}, or their principal components"
        )
    allowed = [(parts, used) for parts, used in FOLDS
               if used <= most and used * n >= parts * min(n, HELD_OUT)]  # fmt: skip
    allowed = allowed or [(FOLDS[1][0], most)]
    if trial:
        allowed = [(min(max(n // HELD_OUT, 3), 10), 1)]
    families, left_out = _families(n, dim, context_dim, whole)
    if any(flow.clamped for flow in flows):
        families = OF_PRESENT
    flows = [one.with_bins_for(n) for one in flows]
    if len(flows) > 1 and not trial:  # a single one was asked for
        flows = [one for one in flows if _suits(one, n, dim, condition)]
        flows, others = _affordable(flows, n, (dim, context_dim), *allowed[-1], budget)
        left_out += others
    for parts, used in allowed:
        rows = n - n // parts
        epochs = epochs_for(rows)
        seconds = [_seconds(flow, rows, (dim, context_dim), epochs) for flow in flows]
        if used * sum(seconds) <= budget:
            break
    else:
        epochs = max(LEAST_EPOCHS, int(epochs * budget / (used * sum(seconds))))
        seconds = [_seconds(flow, rows, (dim, context_dim), epochs) for flow in flows]
    full = (used, epochs) == (FOLDS[0][1], epochs_for(rows))
    used = min(used, n)
    nbytes = used * sum(flow.nbytes(dim, context_dim) for flow in flows)
    snapshots = min(int(MEMORY / max(nbytes, 1)), SNAPSHOTS)  # half of the memory, in float32
    snapshots = snapshots if n < TOGETHER and snapshots >= FEWEST else 0
    parts = min(parts, n)
    return FitPlan(families, flows, parts, used, epochs, seconds, snapshots, left_out, full)


def _families(n: int, dim: int, context_dim: int, budget: float) -> tuple[list[Family], list[str]]:
    """(the simple densities, mixtures of Gaussians that take a quarter of the budget at most among
    them; the others in words). A context is nothing for mixtures."""
    sizes = [k for k in SIZES if k * (dim + 5) <= n and not context_dim]
    seconds = min(n, MOST_ROWS) * dim**2 * PER_SHARE  # of one Gaussian of a mixture
    kept = [k for k in sizes if k * seconds <= OF_MIXTURES * max(budget, LEAST_SECONDS)]
    left_out = [
        f"mixture of {k}, which takes {k * seconds:.0f} s or more" for k in sizes[len(kept) :]
    ]
    return [GAUSSIAN, STUDENT, *[mixtures(kept)] * bool(kept)], left_out


def _suits(flow: FlowCandidate, n: int, dim: int, condition: float) -> bool:
    """Whether it may be of use for such a table."""
    least = max(FEW_ROWS, flow.rows_per_column * dim)
    return n >= least and dim >= flow.least_dim and condition >= flow.least_condition


def _affordable(
    flows: Flows, n: int, dims: tuple[int, int], parts: int, used: int, budget: float
) -> tuple[Flows, list[str]]:
    """(the flows whose shortest fits are together within budget and memory, the cheap ones first;
    the others in words)."""
    kept, left_out, spent, held = [], [], 0.0, 0.0
    for flow in sorted(flows, key=lambda flow: flow.milliseconds(dims[0], batch_size_for(n))):
        seconds = used * _seconds(flow, n - n // parts, dims, LEAST_EPOCHS)
        nbytes = (used + CORES * FITTING) * flow.nbytes(*dims)
        if spent + seconds > max(budget, LEAST_SECONDS):
            left_out.append(f"{flow.name}, which takes {seconds:.0f} s or more")
        elif held + nbytes > MEMORY:
            left_out.append(f"{flow.name}, which takes {nbytes / 1e9:.1f} GB")
        else:
            kept.append(flow)
            spent, held = spent + seconds, held + used * flow.nbytes(*dims)
    return [flow for flow in flows if flow in kept], left_out


def _seconds(flow: FlowCandidate, n: int, dims: tuple[int, int], epochs: int) -> float:
    """One flow, trained on n rows, on one core; dims: (D, columns of the context)."""
    (dim, context_dim), batch = dims, batch_size_for(n)
    epochs = epochs * (STOPPED if n < LARGE else 1)
    return 1e-3 * epochs * math.ceil(n / batch) * flow.milliseconds(dim, min(n, batch), context_dim)
