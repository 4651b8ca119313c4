"""From a table to a mixture of candidates: folds, fits, weights, a summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..core import BLAS
from ..distributions import Distribution, Mixture, TransformedDistribution
from .candidates import Candidate, Family, FlowCandidate
from .plan import Plan
from .rows import Fold, Rows
from .stacking import crossed, mixed, stacked_weights
from .stopping import Fit, stopped_together
from .summary import Scored, Summary, mean_and_error
from .workers import run

MODES, MOST_MODES = 3, 6  # of a flow's base: if no mixture of Gaussians was fitted, and at most
SMALLEST_WEIGHT = 0.01  # of a candidate that is kept


@dataclass(frozen=True)
class Fitted:
    """A candidate after its fits: a density of every fold, the log-densities of all held-out rows
    (n,), and its line in the summary."""

    candidate: Candidate | FlowCandidate
    densities: tuple[Distribution, ...]
    log_p: np.ndarray
    scored: Scored


@dataclass(frozen=True)
class Selection:
    """What was chosen: a density of standardised rows, the best single part that has a latent
    space, and the log-densities (n,) of held-out rows, those of the others NaN."""

    density: Mixture
    latent: TransformedDistribution
    log_p: np.ndarray
    summary: Summary


class Folds:
    """The rows, and which of them are held out when."""

    def __init__(self, rows: Rows, plan: Plan, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.used)
        number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self.folds = [Fold(rows, number == k) for k in range(plan.used)]
        self.held_out = number < plan.used  # (n,)
        self.number = number[self.held_out]
        self.weight = rows.weight[self.held_out]

    def tasks(
        self, candidate: Candidate | FlowCandidate, seed: int, **options
    ) -> Iterator[Callable[..., Fit]]:
        """A candidate's fits, one for each fold."""
        for fold, own in zip(self.folds, self._seeds, strict=True):
            words = np.random.SeedSequence([*own.generate_state(2).tolist(), seed])
            yield partial(candidate.fitted, fold, int(words.generate_state(1)[0]), **options)

    def fitted(self, candidate: Candidate | FlowCandidate, fits: list[Fit]) -> Fitted:
        """The candidate, stopped at the epoch that is best for all folds."""
        weights = [self.weight[self.number == k] for k in range(len(fits))]
        densities, scores = zip(*stopped_together(fits, weights), strict=True)
        log_p = np.empty(len(self.number))
        for k, own in enumerate(scores):
            log_p[self.number == k] = own
        mean, error = mean_and_error(log_p, self.weight)
        scored = Scored(candidate.name, mean, error, 0.0, candidate.is_flow)
        return Fitted(candidate, densities, log_p, scored)


def select(
    rows: Rows, plan: Plan, seeds: np.random.SeedSequence, n_jobs, alone: bool, progress: bool
) -> Selection:
    """Fit the candidates of the plan to every fold, and stack them.

    alone: the flows are; the simpler densities are in the summary, without a weight
    """
    folds = Folds(rows, plan, seeds)
    with BLAS.single_threaded():  # small products: threads would wait for each other
        simple = [best_of(family, folds) for family in plan.families]
    components = max(one.candidate.options.get("n_components", 0) for one in simple)
    options = {
        "epochs": plan.epochs,
        "snapshots": plan.snapshots,
        "n_modes": min(components or MODES, MOST_MODES),
    }
    tasks = [
        task for i, flow in enumerate(plan.flows) for task in folds.tasks(flow, 200 + i, **options)
    ]
    fits = iter(run(tasks, plan.seconds, n_jobs, progress))
    flows = [folds.fitted(flow, [next(fits) for _ in folds.folds]) for flow in plan.flows]
    return stacked([*simple, *flows], len(simple) if alone else 0, folds, plan.left_out)


def best_of(family: Family, folds: Folds) -> Fitted:
    """The best of a family by held-out rows: larger sizes are tried until two are no better."""
    best, worse = None, 0
    for variants in family:
        fitted = [
            folds.fitted(one, [fit() for fit in folds.tasks(one, one.seed)]) for one in variants
        ]
        top = max(fitted, key=lambda one: one.scored.score)
        better = best is None or top.scored.score > best.scored.score
        best, worse = (top, 0) if better else (best, worse + 1)
        if worse == 2:
            break
    return best


def stacked(
    fitted: list[Fitted], first: int, folds: Folds, left_out: tuple[str, ...] = ()
) -> Selection:
    """The mixture of the candidates from the first one on, those of little weight left out."""
    log_p = np.stack([one.log_p for one in fitted[first:]], axis=1)
    w = stacked_weights(log_p, folds.weight)
    mean, error = mean_and_error(crossed(log_p, folds.number, folds.weight), folds.weight)
    kept = (w >= SMALLEST_WEIGHT) | [one.candidate.kept for one in fitted[first:]]
    w = np.where(kept, w, 0) / w[kept].sum()
    scored = [
        replace(one.scored, weight=weight)
        for one, weight in zip(fitted, [0.0] * first + w.tolist(), strict=True)
    ]
    parts = [
        (density, own.weight / len(one.densities))
        for one, own in zip(fitted, scored, strict=True)
        for density in one.densities
        if own.weight
    ]
    latent = max(
        (i for i, one in enumerate(fitted) if hasattr(one.densities[0], "to_latent")),
        key=lambda i: scored[i].weight,
    )
    scores = np.full(len(folds.held_out), np.nan)
    scores[folds.held_out] = mixed(log_p[:, w > 0], w[w > 0])
    total = Scored("this density", mean, error, 1.0, False)
    counts = len(scores), len(folds.number), len(folds.folds)
    summary = Summary(tuple(scored), total, *counts, left_out)
    return Selection(
        Mixture(*zip(*parts, strict=True)), fitted[latent].densities[0], scores, summary
    )
