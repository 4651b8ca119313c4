"""From a table to a mixture of candidates: a race on the first fold, other folds, weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..core import BLAS, OutOfTime, until, warn
from ..distributions import Distribution, Mixture, TransformedDistribution
from .candidates import Candidate, Fit, FlowCandidate, Question, added, floored
from .plan import FIRST, OF_MIXTURES, SECOND, Plan
from .record import Scored, Summary
from .rows import Fold, Sample
from .stacking import cross_fitted, mean_and_error, mixed, stacked_weights
from .workers import run

MODES, MOST_MODES = 3, 6  # of a flow's base: if no mixture of Gaussians was fitted, and at most
SMALLEST_WEIGHT = 0.003  # of a candidate that is kept
WORTH = 0.03  # the weight, on the first fold, of a flow that is worth the others
ANOTHER = 0.02  # nats a row that one more flow has to add
Selection = tuple[Mixture, TransformedDistribution, np.ndarray, Summary]
Fits = list[tuple["Candidate | FlowCandidate", list[Fit]]]  # of each candidate, one for each fold


@BLAS.single_threaded()  # small products: threads would wait for each other
def select(
    rows: Sample, plan: Plan, angle: np.ndarray, seeds: np.random.SeedSequence, n_jobs,
    alone: bool, progress: bool, ends: float,
) -> Selection:  # fmt: skip
    """Fit the candidates of the plan, and stack them; see `stacked`.

    On the first fold the simple densities come first. Then the leader, a flow, is trained to the
    end, and the others as long as they add something to it, see `Question`. Those that have a
    weight then, and the simple densities, are fitted on the other folds, as far as the budget goes.
    No fit of a flow that is kept is thrown away.

    alone: only the flow gets a weight; the simpler densities are just listed in the summary
    ends: the time (`time.time()`) at which unfinished fits stop; they return their best so far,
    with a warning; the first density is always fitted
    """
    folds, late = Folds(rows, plan, angle, seeds), []
    simple = first_fits(folds, plan, late, ends)
    work = partial(run, n_jobs=n_jobs, progress=progress, ends=ends)
    flows, left_out, spent = race(folds, plan, simple, work, alone)
    late += [f"the end of {flow.name}" for flow, fits in flows if fits[0].cut]
    cost = sum(plan.seconds_of(flow) * fits[0].epochs for flow, fits in flows)
    used = 1 + int((plan.budget - spent) / cost) if cost else plan.used
    folds = folds.first(max(1, min(used, plan.used)))
    done = other_folds(folds, plan, simple, flows, work)
    if done < len(folds.folds):
        late.append(f"fold {done + 1} of {len(folds.folds)}")
    folds = folds.first(done)
    if late:
        warn(
            f"max_seconds was over before {', '.join(late)}: the result depends on "
            "the clock, and may be better with more time, or on a machine that is less busy",
            always=True,
        )
    left_out = [*plan.left_out, *left_out, *(f"{o}, as max_seconds was over" for o in late)]
    fitted = [folds.fitted(one, fits) for one, fits in [*simple, *flows]]
    return stacked(fitted, len(simple) if alone and flows else 0, folds, left_out)


def first_fits(folds: Folds, plan: Plan, late: list[str], ends: float) -> Fits:
    """The simple densities, on the first fold. Larger mixtures are tried until two sizes are no
    better, or a quarter of the time is over; then the one without a fit is added to `late`."""
    found: Fits = []
    weight, now, best, worse = folds.folds[0].held_out.weight, time.time(), -np.inf, 0
    for group in plan.simple:
        top = -np.inf
        for one in group:
            try:
                with until(now + OF_MIXTURES * (ends - now)) if found else nullcontext():
                    fit = folds.task(one, 0)()
            except OutOfTime:
                late.append(one.name)
                return found
            found.append((one, [fit]))
            top = max(top, fit.log_p[0] @ weight)
        best, worse = (top, 0) if top > best else (best, worse + 1)
        if worse == 2:
            break
    return found


def race(folds: Folds, plan: Plan, simple: Fits, work, alone: bool) -> tuple:
    """(the flows that are worth their time, with their fits on the first fold; those that are not,
    in words; the seconds of one core that all have taken, by the plan's costs)."""
    if not plan.flows:
        return [], [], 0.0
    others = np.stack([fits[0].log_p[0] for _, fits in simple], axis=1)
    weight, how = folds.folds[0].held_out.weight, options_of(plan, simple, others)
    every = -(-plan.epochs // plan.snapshots)
    asked = tuple(max(1, round(plan.epochs / part / every)) for part in (FIRST, SECOND))

    def fitted(flows, question=None):
        tasks = [folds.task(one, 0, **how, question=question) for one in flows]
        return list(zip(flows, work(tasks, [plan.seconds_of(one) for one in flows]), strict=True))

    lead, *rest = plan.flows
    found = fitted([lead])
    if rest and found[0][1]:
        found += fitted(rest, Question(others, found[0][1].log_p, weight, asked))
    left_out = [f"{flow.name}, as max_seconds was over" for flow, fit in found if not fit]
    found = [(flow, fit) for flow, fit in found if fit]
    left_out += [f"{flow.name}, which added little in {fit.epochs} epochs"
                 for flow, fit in found if fit.dropped]  # fmt: skip
    spent = sum(plan.seconds_of(flow) * fit.epochs for flow, fit in found)
    left = [(flow, fit, best_of(fit, weight)) for flow, fit in found if not fit.dropped]
    taken, chosen = others, []
    while left:
        gains = [added(taken, log_p, weight) for *_, log_p in left]
        best = max(range(len(left)), key=lambda i: gains[i][0])
        flow, fit, log_p = left.pop(best)
        gain, error = gains[best]
        if chosen and gain < max(ANOTHER, error):
            left_out += [f"{one[0].name}, which added little" for one in [*left, (flow,)]]
            break
        taken = np.column_stack([taken, log_p])
        if not (alone or chosen) and stacked_weights(taken, weight)[-1] < WORTH:
            left_out += [f"{one[0].name}, which added little" for one in [*left, (flow,)]]
            break
        chosen.append((flow, [fit]))
    return chosen, left_out, spent


def options_of(plan: Plan, simple: Fits, log_p: np.ndarray) -> dict:
    """Those of the fit of a flow that depend on the simple densities; log p (n, C) by these."""
    scores = log_p.mean(axis=0)
    sizes = {one.options["n_components"]: score for (one, _), score in zip(simple, scores, strict=True)
             if one.name.startswith("mixture") and not one.margins}  # fmt: skip
    n_modes = min(max(sizes, key=sizes.get), MOST_MODES) if sizes else MODES
    shrink = {
        one.options.get("shrink", True): score
        for (one, _), score in zip(simple, scores, strict=True)
        if one.name == "Gaussian"
    }
    return {"epochs": plan.epochs, "snapshots": plan.snapshots, "n_modes": n_modes,
            "shrink": max(shrink, key=shrink.get)}  # fmt: skip


def other_folds(folds: Folds, plan: Plan, simple: Fits, flows: Fits, work) -> int:
    """Add the fits on the folds after the first; returns on how many folds all have one."""
    places = range(1, len(folds.folds))
    log_p = np.stack([fits[0].log_p[0] for _, fits in simple], axis=1)
    how = options_of(plan, simple, log_p)
    tasks = [folds.task(flow, k, **how) for flow, _ in flows for k in places]
    seconds = [plan.seconds_of(flow) * fits[0].epochs for flow, fits in flows for _ in places]
    found, done = iter(work(tasks, seconds)), len(folds.folds)
    for _, fits in flows:
        own = [next(found) for _ in places]
        done = min(done, 1 + next((k for k, fit in enumerate(own) if not fit), len(own)))
        fits += own
    for one, fits in simple:
        fits += [folds.task(one, k)() for k in range(1, done)]
    return done


def best_of(fit: Fit, weight: np.ndarray) -> np.ndarray:
    """log p (n,) at the snapshot that is best for the rows."""
    return fit.log_p[int(np.argmax([floored(log_p, weight) @ weight for log_p in fit.log_p]))]


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
        self._number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self._weight = rows.weight
        self.folds = [
            Fold(rows.take(self._number != k).completed(), rows.take(self._number == k), angle)
            for k in range(plan.used)
        ]

    def first(self, used: int) -> Folds:
        """The first ones alone."""
        new = copy(self)
        new.folds = self.folds[:used]
        return new

    @property
    def held_out(self) -> np.ndarray:
        """(n,): which rows are held out."""
        return self._number < len(self.folds)

    @property
    def number(self) -> np.ndarray:
        """The fold of each held-out row."""
        return self._number[self.held_out]

    @property
    def weight(self) -> np.ndarray:
        """Of each held-out row."""
        return self._weight[self.held_out]

    def task(self, candidate: Candidate | FlowCandidate, k: int, **options) -> partial:
        """A candidate's fit on a fold."""
        state = [*self._seeds[k].generate_state(2).tolist(), candidate.seed]
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        return partial(candidate.fitted, self.folds[k], seed, **options)

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
    counts = len(scores), len(folds.number), len(folds.folds)
    summary = Summary(scored, total, *counts, tuple(left_out))
    return Mixture(*zip(*parts, strict=True)), latent, scores, summary
