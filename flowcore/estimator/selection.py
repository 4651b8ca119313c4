"""From a table to a mixture of candidates: a race on the first fold, other folds, weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..conditionals.completion import completed
from ..core import BLAS, OutOfTime, until, warn
from ..distributions import Distribution, Mixture, TransformedDistribution
from ..training.columns import check_columns
from .candidates import Candidate, Fit, FlowCandidate, evaluated, floored
from .plan import OF_MIXTURES, TOGETHER, Plan
from .record import Scored, Summary
from .rows import Fold, Sample
from .stacking import cross_fitted, mean_and_error, mixed, stacked_weights
from .workers import part_of_progress, run

MODES, MOST_MODES = 3, 6  # of a flow's base: if no mixture of Gaussians was fitted, and at most
SMALLEST_WEIGHT = 0.01  # of a candidate that is kept
WORTH, MOST_FLOWS = 0.08, 2  # the weight in the race of a flow that is worth the other folds
ROUNDS = 0.2, 0.2, 0.6  # of rows with holes: shares of the budget; the last density is kept
Selection = tuple[Mixture, TransformedDistribution, np.ndarray, Summary]
Fits = list[tuple["Candidate | FlowCandidate", list[Fit]]]  # of each candidate, one for each fold


@BLAS.single_threaded()  # small products: threads would wait for each other
def select(
    rows: Sample, plan: Plan, angle: np.ndarray, seeds: np.random.SeedSequence, n_jobs,
    alone: bool, ends: float,
) -> Selection:  # fmt: skip
    """Fit the candidates of the plan, and stack them; see `stacked`.

    A race on the first folds decides which flows are fitted on the others, see `race`. These, and
    the simple densities, are fitted on as many folds as the budget allows. No fit of a candidate
    that is kept is thrown away.

    alone: only the flow gets a weight; the simpler densities are just listed in the summary
    ends: the time (`time.time()`) at which unfinished fits stop; they return their best so far,
    with a warning; the first density is always fitted
    """
    folds, late = Folds(rows, plan, angle, seeds), []
    simple = simple_fits(folds, plan, late, ends)
    work = partial(run, n_jobs=n_jobs, ends=ends, budget=plan.budget)
    flows, left_out, spent = race(folds, plan, simple, work, late, alone)
    cost = sum(plan.seconds_of(flow) * fits[0].epochs for flow, fits in flows)
    more = int(max(plan.budget - spent, 0) / cost) if cost else plan.used  # folds
    used = min(plan.first + more, plan.used)
    used = other_folds(folds, used, plan, simple, flows, work, late, ends)
    folds = folds.first(used)
    if late:
        warn(
            f"max_seconds was over before {', '.join(late)}: the result depends on "
            "the clock, and may be better with more time, or on a machine that is less busy",
            always=True,
        )
    left_out = [*plan.left_out, *left_out, *(f"{o}, as max_seconds was over" for o in late)]
    fitted = [folds.fitted(one, fits[:used]) for one, fits in [*simple, *flows]]
    return stacked(fitted, len(simple) if alone and flows else 0, folds, left_out)


def select_with_holes(
    rows: Sample, planned: Callable[[Sample, float], Plan], angle, seeds, *how, labels, ends
) -> tuple[Sample, Selection]:
    """(the rows with their draws, the result of `select`) for rows with NaN; see `completion`.

    planned: the plan of such rows for a share of the budget; how: other arguments of `select`.
    """
    rng, now = np.random.default_rng(seeds.spawn(1)[0]), time.time()
    with until(now + ROUNDS[0] * (ends - now)):
        drawn = completed(rows.x, rows.context, rows.weight, rng)
    for k, share in enumerate(ROUNDS):
        rows, now = replace(rows, x=drawn.copies[:, 0], drawn=drawn), time.time()
        if k == 0:
            check_columns(rows.x, np.arange(len(rows)), labels)
        own = now + share / sum(ROUNDS[k:]) * (ends - now)
        with part_of_progress(share):
            found = select(rows, planned(rows, share), angle, seeds, *how, own)
            drawn = drawn.resampled(evaluated(found[0]), rows.context, rng)
    return rows, found


def simple_fits(folds: Folds, plan: Plan, late: list[str], ends: float) -> Fits:
    """The simple densities, on the first folds. Larger mixtures are tried until two sizes are no
    better, or a quarter of the time is over; then the one without a fit is added to `late`."""
    found: Fits = []
    now, best, worse = time.time(), -np.inf, 0
    for group in plan.simple:
        top = -np.inf
        for one in group:
            try:
                with until(now + OF_MIXTURES * (ends - now)) if found else nullcontext():
                    fits = [folds.task(one, k)() for k in range(plan.first)]
            except OutOfTime:
                late.append(one.name)
                return found
            found.append((one, fits))
            top = max(top, folds.score(fits))
        best, worse = (top, 0) if top > best else (best, worse + 1)
        if worse == 2:
            break
    return found


def race(folds: Folds, plan: Plan, simple: Fits, work, late: list[str], alone: bool) -> tuple:
    """(the flows that are worth their time, with their fits on the first folds; the others, in
    words; the seconds of one core that all have taken, by the plan's costs).

    Worth their time are those to which stacking gives a weight. If there are many rows, a leader is
    trained to the end, and the others as long as they add something to it, see `Question`.
    """
    how = options_of(folds, plan, simple)

    def raced(flows, question=None):
        tasks = [folds.task(flow, k, **how, question=question)
                 for flow in flows for k in range(plan.first)]  # fmt: skip
        seconds = [plan.seconds_of(flow) for flow in flows for _ in range(plan.first)]
        fits = iter(work(tasks, seconds))
        return [(flow, [next(fits) for _ in range(plan.first)]) for flow in flows]

    asked = len(folds.rows) >= TOGETHER
    found = raced(plan.flows[: 1 if asked else None])
    if asked and found and all(found[0][1]):
        found += raced(plan.flows[1:], plan.question(simple, found[0][1][0], folds))
    late += [flow.name for flow, fits in found if not all(fits)]
    found = [(flow, fits) for flow, fits in found if all(fits)]
    late += [f"the end of {flow.name}" for flow, fits in found if any(fit.cut for fit in fits)]
    spent = sum(plan.seconds_of(flow) * fit.epochs for flow, fits in found for fit in fits)
    few = folds.first(plan.first)
    others = [few.fitted(*one).log_p for one in simple]
    running = [(flow, fits) for flow, fits in found if not fits[0].dropped]
    log_p = np.stack([*others, *(few.fitted(*one).log_p for one in running)], axis=1)
    weight = stacked_weights(log_p, few.weight)[len(others) :]
    best = np.argsort(-weight, kind="stable")[:MOST_FLOWS]
    kept = [running[i] for i in best if alone or weight[i] >= WORTH]
    names = {flow.name for flow, _ in kept}
    return (
        kept,
        [f"{flow.name}, which adds little" for flow, _ in found if flow.name not in names],
        spent,
    )


def options_of(folds: Folds, plan: Plan, simple: Fits) -> dict:
    """Those of the fit of a flow, of which two depend on the simple densities."""
    scores = [(one, folds.score(fits[: plan.first])) for one, fits in simple]
    scores = sorted(scores, key=lambda own: -own[1])
    sizes = [one.options["n_components"] for one, _ in scores if one.options.get("n_components")]
    shrink = [one.options.get("shrink", True) for one, _ in scores if one.latent]
    return {"epochs": plan.epochs, "snapshots": plan.snapshots, "shrink": [*shrink, True][0],
            "n_modes": min(max([*sizes, MODES][0], 2), MOST_MODES)}  # fmt: skip


def other_folds(
    folds: Folds, used: int, plan: Plan, simple: Fits, flows: Fits, work, late: list[str],
    ends: float,
) -> int:  # fmt: skip
    """Add the fits on the folds after the first ones; returns on how many folds all have one."""
    places, how = range(plan.first, used), options_of(folds, plan, simple)
    tasks = [folds.task(flow, k, **how) for flow, _ in flows for k in places]
    seconds = [plan.seconds_of(flow) * fits[0].epochs for flow, fits in flows for _ in places]
    found = iter(work(tasks, seconds))
    for _, fits in flows:
        fits += [next(found) for _ in places]
        if not all(fits):
            used = min(used, fits.index(None))
            late.append(f"fold {used + 1} of {plan.used}")
    for k in range(plan.first, used):
        if time.time() > ends:
            late.append(f"fold {k + 1} of {plan.used}")
            return k
        for one, fits in simple:
            fits.append(folds.task(one, k)())
    return used


@dataclass(frozen=True)
class Fitted:
    """A candidate after its fits: a density per fold, the log-densities of all held-out rows
    (n,), and its line in the summary."""

    candidate: Candidate | FlowCandidate
    densities: list[Distribution]
    log_p: np.ndarray
    scored: Scored


class Folds:
    """The rows, and the folds in which they are held out."""

    def __init__(self, rows: Sample, plan: Plan, angle, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.used)
        self.rows, self.used, self._angle = rows, plan.used, angle
        self._number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self._made: dict[int, Fold] = {}

    def fold(self, k: int) -> Fold:
        """Made when it is asked for: of a large table few are."""
        if k not in self._made:
            here = self._number == k
            training = self.rows.take(~here).completed()
            self._made[k] = Fold(training, self.rows.take(here), self._angle)
        return self._made[k]

    def score(self, fits: list[Fit]) -> float:
        """The mean log-density of the held-out rows, by their weights, of a simple density's fits
        on the first folds."""
        weights = [self.fold(k).held_out.weight for k in range(len(fits))]
        return float(np.mean([fit.log_p[0] @ w for fit, w in zip(fits, weights, strict=True)]))

    def first(self, used: int) -> Folds:
        """The first ones alone."""
        new = copy(self)
        new.used = used
        return new

    @property
    def held_out(self) -> np.ndarray:
        """(n,): which rows are held out."""
        return self._number < self.used

    @property
    def number(self) -> np.ndarray:
        """The fold of each held-out row."""
        return self._number[self.held_out]

    @property
    def weight(self) -> np.ndarray:
        """Of each held-out row."""
        return self.rows.weight[self.held_out]

    def task(self, candidate: Candidate | FlowCandidate, k: int, **options) -> partial:
        """A candidate's fit on a fold."""
        state = [*self._seeds[k].generate_state(2).tolist(), candidate.seed]
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        return partial(candidate.fitted, self.fold(k), seed, **options)

    def fitted(self, candidate: Candidate | FlowCandidate, fits: list[Fit]) -> Fitted:
        """The candidate at the snapshot that is best for all folds together; a fold whose training
        had ended before takes its own best."""
        parts = [self.number == k for k in range(len(fits))]
        weights = [self.weight[part] for part in parts]
        curves = [
            np.array([floored(log_p, weight) @ weight for log_p in fit.log_p])
            for fit, weight in zip(fits, weights, strict=True)
        ]
        longest = max(map(len, curves))
        best = int(np.argmax(sum(np.pad(c, (0, longest - len(c)), "edge") for c in curves)))
        densities, log_p = [], np.empty(len(self.number))
        for fit, part, curve in zip(fits, parts, curves, strict=True):
            density, log_p[part] = fit.at(best if best < len(curve) else int(np.argmax(curve)))
            densities.append(density)
        mean, error = mean_and_error(log_p, self.weight)
        scored = Scored(candidate.name, mean, error, 0.0, candidate.is_flow)
        return Fitted(candidate, densities, log_p, scored)


def stacked(
    fitted: list[Fitted], first: int, folds: Folds, left_out: Sequence[str] = ()
) -> Selection:
    """(a density, its best part with a latent space, log p, a summary), of standardised rows.

    The density is the mixture of the candidates, from the number `first` on, without those of
    little weight. log p (n,) has the held-out rows, and NaN for the others.
    """
    log_p = np.stack([one.log_p for one in fitted[first:]], axis=1)
    w = stacked_weights(log_p, folds.weight)
    mean, error = mean_and_error(cross_fitted(log_p, folds.number, folds.weight), folds.weight)
    kept = (w >= SMALLEST_WEIGHT) | [one.candidate.kept for one in fitted[first:]]
    w = np.where(kept, w, 0) / w[kept].sum()
    scores = np.full(len(folds.held_out), np.nan)
    scores[folds.held_out] = mixed(log_p[:, kept], w[kept])
    chosen = list(zip(fitted, [0.0] * first + w.tolist(), strict=True))
    parts = [
        (density, weight / len(one.densities))
        for one, weight in chosen
        for density in one.densities
        if weight
    ]
    by_weight = sorted(chosen, key=lambda own: -own[1])
    latent = next(one.densities[0] for one, _ in by_weight if one.candidate.latent)
    scored = tuple(replace(one.scored, weight=weight) for one, weight in chosen)
    total = Scored("this density", mean, error, 1.0, False)
    counts = len(scores), len(folds.number), folds.used
    summary = Summary(scored, total, *counts, tuple(left_out))
    return Mixture(*zip(*parts, strict=True)), latent, scores, summary
