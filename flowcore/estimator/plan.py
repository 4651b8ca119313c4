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
FOLDS = 10  # parts of the rows, which are held out in turn
MANY, HELD_OUT = 10_000, 5_000  # rows: from there on a fold holds out a tenth, at most so many
LONGER = 4  # times as many epochs as `fit` makes: what a flow can use, if there is time
LEAST_EPOCHS, FEW_ROWS = 4, 40  # of fewer rows no flow can be learned
CORRELATED, ROWS_PER_COLUMN = 300.0, 100  # condition number, rows: of a white spline flow, at least
TOGETHER = 1000  # rows: below them two folds race, and simple densities are fitted on all folds
SNAPSHOTS, LEAST = 16, 4  # of a round of a flow's training, where memory holds them
MEMORY = 2e9  # bytes: of the parameters and matrices of all folds, and of the fits that run
FITTING = 25  # times its parameters: what the fit of a flow holds
MATRICES = 3 * 7  # (D, D), that a fold holds: 7 for each Gaussian that has been evaluated
LEAST_SECONDS = 10.0  # of the budget of a whole fit, however small it is
PER_SHARE = 2e-8  # seconds of EM per row, component and entry of a covariance matrix
OF_MIXTURES = 1 / 4  # of the time, at most
OF_ROUND = 1 / 4  # of the budget, for the first round
PLACES = 2  # fits of every flow that goes on, for which later rounds leave the time
MOST_ROUNDS = 3
MOST_SEEDS = 4  # of a fold, if the budget is larger than the default
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # of mixtures: their components
Flows = Sequence[FlowCandidate]


@dataclass(frozen=True)
class Plan:
    """The plan of a fit.

    simple        the simple densities, in groups of a growing size
    seconds       of an epoch of each flow, on one core
    alone         a single flow is asked for: only it gets a weight, other densities are just listed
    parts, used   the number of parts that the rows are cut into; how many of them are held out
    first         on how many folds the flows race
    places        on how many folds a candidate is fitted at most, some of them with several seeds
    epochs        of a flow, at most
    snapshots     of a round of a flow's training
    budget        seconds of one core, of all flows
    left_out      candidates that would need too much time or memory, and how much, in words
    """

    simple: list[list[Candidate]]
    seconds: dict[FlowCandidate, float]
    alone: bool
    parts: int
    used: int
    first: int
    places: int
    epochs: int
    snapshots: int
    budget: float
    left_out: list[str]

    def minutes(self, seconds: float) -> float:
        """Of two cores, as `budget=` has them."""
        return seconds / (60 * CORES * USED)

    def of_round(self, rounds: dict[FlowCandidate, Sequence[int]], spent: float) -> dict:
        """The epochs of the next round of each flow, {flow: epochs}: none without time.

        rounds: the epochs of each in the rounds before; spent: seconds of all flows. In the first
        round all flows get the same time. In later ones they get what leaves enough for the same
        rounds on other folds.
        """
        n_flows, found = len(rounds), {}
        for flow, before in rounds.items():
            done, each = sum(before), (self.budget - spent) / n_flows
            if before:
                time = (each - (PLACES - self.first) * done * self.seconds[flow]) / PLACES
            else:
                time = OF_ROUND * self.budget / n_flows / self.first
            epochs = min(self.epochs - done, int(time / self.seconds[flow]))
            if epochs >= LEAST_EPOCHS or not before:
                found[flow] = max(epochs, LEAST_EPOCHS)
        return found


def default_minutes(n: int) -> float:
    """The budget for n rows: 9 seconds up to 500, then as the cube root of n: 31 for 20,000."""
    return 9 * (max(n, 500) / 500) ** (1 / 3) / 60


def plan(
    n: int, dim: int, context_dim: int, flows: Flows, minutes: float, condition: float = 1.0,
    share: float = 1.0,
) -> Plan:  # fmt: skip
    """The plan of a fit for a share of the budget.

    condition: the condition number of the correlations of X or of the context, the larger one.

    Errors: ValueError for more columns than a full covariance matrix can have.
    """
    budget, dims = share * max(60 * minutes * CORES * USED, LEAST_SECONDS), (dim, context_dim)
    most = int(MEMORY / (8 * MATRICES * dim**2))  # fits of a simple density
    if not most:
        raise ValueError(
            f"X has {dim:,} columns, but a Gaussian of D columns has D^2 numbers: take at most "
            f"{math.isqrt(int(MEMORY / 8 / MATRICES)):,}, or their principal components"
        )
    parts = min(n, max(FOLDS, n // HELD_OUT) if n >= MANY else FOLDS)
    used = min(parts, most, FOLDS)
    n_seeds = min(max(1, round(minutes / default_minutes(n))), MOST_SEEDS)
    first, rows = min(1 if n >= TOGETHER else 2, used), n - n // parts
    simple, left_out = _simple(n, dim, used if n < TOGETHER else 2, budget)
    if any(flow.clamped for flow in flows):
        simple = [CLAMPED]
    alone, flows = len(flows) == 1, [one.with_bins_for(n) for one in flows]
    if not alone:
        flows = [one for one in flows if _suits(one, n, dim, condition)]
        flows, others = _affordable(flows, rows, dims, budget)
        left_out += others
    nbytes = MOST_ROUNDS * used * sum(flow.nbytes(*dims) for flow in flows)
    snapshots = int(MEMORY / max(nbytes, 1))  # half of the memory, in float32
    snapshots = max(LEAST, min(snapshots, SNAPSHOTS))
    seconds = {flow: _seconds(flow, rows, dims) for flow in flows}
    places, epochs = min(n_seeds * used, most), LONGER * epochs_for(rows)
    return Plan(simple, seconds, alone, parts, used, first, places, epochs, snapshots, budget,
                left_out)  # fmt: skip


def _simple(n: int, dim: int, times: int, budget: float) -> tuple[list[list[Candidate]], list[str]]:
    """(the simple densities, with mixtures that take a quarter of the budget at most; the others in
    words)."""
    sizes = [k for k in SIZES if k * (dim + 5) <= n]
    groups, each = simple_candidates(sizes, n, dim), times * min(n, MOST_ROWS) * dim**2 * PER_SHARE
    work = accumulate(k * len(group) for k, group in zip(sizes, groups[1:], strict=True))
    fast = sum(each * components <= OF_MIXTURES * budget for components in work)
    return groups[: 1 + fast], [f"mixtures of {k}: too slow" for k in sizes[fast:]]


def _suits(flow: FlowCandidate, n: int, dim: int, condition: float) -> bool:
    """Whether it may be of use for such a table."""
    if flow.white and flow.bins:
        return condition >= CORRELATED and n >= max(FEW_ROWS, ROWS_PER_COLUMN * dim)
    return n >= FEW_ROWS and dim >= (3 if flow.white else 2 if flow.modes else 1)


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
