"""Numbers of folds and epochs depend only on n, D, the candidates and the budget.

So the same table gives the same density on a busy machine, too. Seconds are of one core of the
machine that measured the costs of an update (`benchmarks.studies.estimator.costs`). In wide tables
work and memory grow as D^2: candidates beyond the budget, or beyond MEMORY, are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..training.defaults import batch_size_for, epochs_for
from .candidates import CLAMPED, Candidate, FlowCandidate, simple_candidates
from .rows import MOST_ROWS

CORES, USED = 2, 0.8  # of the machine that the budget is of, and how much of it flows can take
FOLDS, SMALL, FOLDS_OF_SMALL = 5, 1000, 10  # with fewer rows than SMALL more of them learn
MANY, HELD_OUT = 10_000, 5_000  # rows: from there on a fold holds out a tenth, at most so many
LONGER = 2  # times as many epochs as `fit` makes, of MANY rows: worth more than another fold
LEAST_EPOCHS, FEW_ROWS = 4, 40  # of fewer rows no flow can be learned
CORRELATED, ROWS_PER_COLUMN = 300.0, 100  # condition number, rows: of a white spline flow, at least
TOGETHER = 2000  # rows: up to there all folds stop at the same epoch, of many
SNAPSHOTS, FEWER, LEAST = 40, 16, 4  # of a flow's training, where memory holds them
LARGE, STOPPED = 5000, 0.5  # with fewer rows, early stopping leaves such a share of all epochs
MEMORY = 2e9  # bytes: of the parameters and matrices of all folds, and of the fits that run
FITTING = 25  # times its parameters: what the fit of a flow holds
MATRICES = 3 * 7  # (D, D), that a fold holds: 7 for each Gaussian that has been evaluated
LEAST_SECONDS = 10.0  # of the budget of a whole fit, however small it is
PER_SHARE = 2e-8  # seconds of EM per row, component and entry of a covariance matrix
OF_MIXTURES = 1 / 4  # of the time, at most
OF_RACE = 0.5  # of the budget, for the leader and the questions; others may go on to the end
ASKED = 16, 4  # parts of all epochs, after which a flow is asked what it adds
RACED = 2  # folds of a race without questions
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # of mixtures: their components
Flows = Sequence[FlowCandidate]


@dataclass(frozen=True)
class Plan:
    """The plan of a fit.

    simple        the simple densities, in groups of a growing size
    seconds       of an epoch of each flow, on one core; the leader comes first
    alone         a single flow is asked for: only it gets a weight, other densities are just listed
    parts, used   the number of parts that the rows are cut into; how many of them are held out
    first         on how many folds the flows race
    epochs        of every flow
    snapshots     of a flow's training
    budget        seconds of one core, of all flows
    left_out      candidates that would need too much time or memory, and how much, in words
    """

    simple: list[list[Candidate]]
    seconds: dict[FlowCandidate, float]
    alone: bool
    parts: int
    used: int
    first: int
    epochs: int
    snapshots: int
    budget: float
    left_out: list[str]

    @property
    def flows(self) -> list[FlowCandidate]:
        """The leader first."""
        return list(self.seconds)


def default_minutes(n: int) -> float:
    """The budget for n rows: 10 seconds up to 500, then as the cube root of n: 34 for 20,000."""
    return 10 * (max(n, 500) / 500) ** (1 / 3) / 60


def plan(
    n: int, dim: int, context_dim: int, flows: Flows, minutes: float, condition: float = 1.0,
    share: float = 1.0,
) -> Plan:  # fmt: skip
    """The plan with as many epochs as a share of the budget allows.

    condition: the condition number of the correlations of X or of the context, the larger one.

    Errors: ValueError for more columns than a full covariance matrix can have.
    """
    budget, dims = share * max(60 * minutes * CORES * USED, LEAST_SECONDS), (dim, context_dim)
    most = int(MEMORY / (8 * MATRICES * dim**2))  # folds
    if not most:
        raise ValueError(
            f"X has {dim:,} columns, but a Gaussian of D columns has D^2 numbers: take at most "
            f"{math.isqrt(int(MEMORY / 8 / MATRICES)):,}, or their principal components"
        )
    folds = FOLDS if n >= SMALL else FOLDS_OF_SMALL
    parts = min(n, max(10, n // HELD_OUT) if n >= MANY else folds)
    used = min(parts, most, folds)
    first, rows = min(RACED if n < TOGETHER else 1, used), n - n // parts
    simple, left_out = _simple(n, dim, used, budget)
    if any(flow.clamped for flow in flows):
        simple = [CLAMPED]
    alone, flows = len(flows) == 1, [one.with_bins_for(n) for one in flows]
    if not alone:
        flows = [one for one in flows if _suits(one, n, dim, condition)]
        flows.sort(key=_leads, reverse=True)  # the leader first
        flows, others = _affordable(flows, rows, dims, budget)
        left_out += others
    seconds = {flow: _seconds(flow, rows, dims) for flow in flows}
    epochs = epochs_for(rows) * (LONGER if n >= MANY else 1)
    if flows:
        leader, *others = seconds.values()
        raced = first * sum(seconds.values()) if n < TOGETHER else leader + sum(others) / ASKED[0]
        stopped = STOPPED if n < LARGE else 1.0
        epochs = max(LEAST_EPOCHS, min(epochs, int(OF_RACE * budget / (stopped * raced))))
    nbytes = used * sum(flow.nbytes(*dims) for flow in flows)
    snapshots = int(MEMORY / max(nbytes, 1))  # half of the memory, in float32
    snapshots = max(LEAST, min(snapshots, SNAPSHOTS if n < TOGETHER else FEWER))
    return Plan(simple, seconds, alone, parts, used, first, epochs, snapshots, budget, left_out)


def _simple(n: int, dim: int, used: int, budget: float) -> tuple[list[list[Candidate]], list[str]]:
    """(the simple densities, with mixtures that take a quarter of the budget at most; the others in
    words)."""
    sizes = [k for k in SIZES if k * (dim + 5) <= n]
    groups, each = simple_candidates(sizes), used * min(n, MOST_ROWS) * dim**2 * PER_SHARE
    work = accumulate(k * len(group) for k, group in zip(sizes, groups[1:], strict=True))
    fast = sum(each * components <= OF_MIXTURES * budget for components in work)
    return groups[: 1 + fast], [f"mixtures of {k}: too slow" for k in sizes[fast:]]


def _suits(flow: FlowCandidate, n: int, dim: int, condition: float) -> bool:
    """Whether it may be of use for such a table."""
    if _leads(flow):
        return condition >= CORRELATED and n >= max(FEW_ROWS, ROWS_PER_COLUMN * dim)
    return n >= FEW_ROWS and dim >= (3 if flow.white else 2 if flow.modes else 1)


def _leads(flow: FlowCandidate) -> bool:
    """Whether the others are compared with it, if it suits the table: the white spline flow."""
    return flow.white and flow.bins > 0


def _affordable(
    flows: Flows, n: int, dims: tuple[int, int], budget: float
) -> tuple[list[FlowCandidate], list[str]]:
    """(the flows whose shortest fits are within budget and memory; the others in words)."""
    kept, left_out, spent, held = [], [], 0.0, 0.0
    for flow in flows:
        seconds = LEAST_EPOCHS * _seconds(flow, n, dims)
        nbytes = flow.nbytes(*dims)
        memory = (1 + CORES * FITTING) * nbytes
        if spent + seconds > budget or held + memory > MEMORY:
            what = f"{seconds:.0f} s and {memory / 1e9:.1f} GB or more"
            left_out.append(f"{flow.name}, which takes {what}")
        else:
            kept.append(flow)
            spent, held = spent + seconds, held + nbytes
    return kept, left_out


def _seconds(flow: FlowCandidate, n: int, dims: tuple[int, int]) -> float:
    """One epoch of a flow, trained on n rows, on one core; dims: (D, columns of the context)."""
    (dim, context_dim), batch = dims, batch_size_for(n)
    return 1e-3 * math.ceil(n / batch) * flow.milliseconds(dim, min(n, batch), context_dim)
