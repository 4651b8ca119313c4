"""From a table to a mixture of candidates: a trial, folds, fits, weights, a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..core import BLAS, OutOfTime, until, warn
from ..distributions import Distribution, Mixture, TransformedDistribution
from .candidates import Candidate, Family, Fit, FlowCandidate, floored
from .plan import FEWEST, OF_MIXTURES, TRIAL, FitPlan
from .record import Scored, Summary
from .rows import Fold, Sample
from .stacking import cross_fitted, mean_and_error, mixed, stacked_weights
from .workers import run

MODES, MOST_MODES = 3, 6  # of a flow's base: if no mixture of Gaussians was fitted, and at most
SMALLEST_WEIGHT = 0.01  # of a candidate that is kept
SMALLEST_GAIN = 0.01  # nats a row, of a flow that is worth its time
MOST_ROWS = 10_000  # of a trial
Selection = tuple[Mixture, TransformedDistribution, np.ndarray, Summary]


@BLAS.single_threaded()  # small products: threads would wait for each other
def select(
    rows: Sample, planned: Callable[..., FitPlan], seeds: np.random.SeedSequence, n_jobs,
    alone: bool, progress: bool, ends: float,
) -> Selection:  # fmt: skip
    """Fit the candidates of the plan to every fold, and stack them; see `stacked`.

    A trial comes first if there are several flows: it chooses the simple density of each family,
    and the flows, see `forward_selection`. If its part of the time is over, it chooses nothing.

    planned: `plan` with its arguments, of which the trial replaces some
    alone: only the flows get weights; the simpler densities are just listed in the summary
    ends: the time (`time.time()`) at which unfinished fits stop; they return their best so far,
    with a warning; the first family is always fitted
    """
    plan, how, late = planned(), (seeds, n_jobs, progress), []
    left_out = [*plan.left_out]
    if len(plan.flows) > 1:
        planned = partial(planned, share=1 - TRIAL)  # the rest
        plan = planned()
        left_out = [*plan.left_out]
        some = np.random.default_rng(seeds.spawn(1)[0]).permutation(len(rows))[:MOST_ROWS]
        trial = planned(n=len(some), flows=plan.flows, share=TRIAL, trial=True)
        now, unfinished = time.time(), []
        tried = fit_candidates(
            rows.take(np.sort(some)), trial, *how, now + TRIAL * (ends - now), unfinished
        )
        if not unfinished:
            flows, others = forward_selection(*tried, planned)
            families = [[[one.candidate]] for one in tried[1]]
            plan, left_out = replace(planned(flows=flows), families=families), left_out + others
    folds, simple, flows = fit_candidates(rows, plan, *how, ends, late)
    if late:
        left_out += [f"{what}, as max_seconds was over" for what in late]
        warn(
            f"max_seconds was over before {', '.join(late)}: the result depends on "
            "the clock, and may be better with more time, or on a machine that is less busy",
            always=True,
        )
    return stacked([*simple, *flows], len(simple) if alone and flows else 0, folds, left_out)


def fit_candidates(
    rows: Sample, plan: FitPlan, seeds: np.random.SeedSequence, n_jobs, progress: bool, ends: float,
    late: list[str],
) -> tuple[Folds, list[Fitted], list[Fitted]]:  # fmt: skip
    """(the folds, the best of each family, the flows); what has no time is added to `late`."""
    folds = Folds(rows, plan, seeds)
    now = time.time()
    simple = [best_of(plan.families[0], folds, late)]
    with until(now + OF_MIXTURES * (ends - now)):
        simple += [best_of(family, folds, late) for family in plan.families[1:]]
    simple = [one for one in simple if one]
    components = max(one.candidate.options.get("n_components", 0) for one in simple)
    snapshots = plan.snapshots or FEWEST * (rows.drawn is not None)
    how = partial(folds.tasks, epochs=plan.epochs, snapshots=snapshots,
                  n_modes=min(components or MODES, MOST_MODES))  # fmt: skip
    tasks = [task for i, flow in enumerate(plan.flows) for task in how(flow, 200 + i)]
    seconds = np.repeat(plan.seconds, len(folds.folds))
    fits, flows = iter(run(tasks, seconds, n_jobs, progress, ends)), []
    for flow in plan.flows:
        of_folds = [next(fits) for _ in folds.folds]
        if not all(of_folds):
            late.append(flow.name)
            continue
        flows.append(folds.fitted(flow, of_folds))
        if any(fit.cut for fit in of_folds):
            late.append(f"the end of {flow.name}")
    return folds, simple, flows


def forward_selection(
    folds: Folds, simple: list[Fitted], flows: list[Fitted], planned: Callable[..., FitPlan]
) -> tuple[list[FlowCandidate], list[str]]:
    """(the flows that add to the density, the best one always; the others in words).

    In turn the flow that adds most to the stacked density of those before it, as long as that is
    more than its standard error, and than SMALLEST_GAIN nats a row, or costs the others nothing:
    the plan is full with it. Of flows that are as good, up to the standard error of the difference,
    the cheapest.
    """
    taken, others, chosen = [*simple], [*flows], []

    def log_p_of(densities: list[Fitted]) -> np.ndarray:
        log_p = np.stack([one.log_p for one in densities], axis=1)
        return mixed(log_p, stacked_weights(log_p, folds.weight))

    def seconds(one: Fitted) -> float:
        return planned(flows=[one.candidate], minutes=np.inf).seconds[0]  # of all epochs

    while others:
        before, after = log_p_of(taken), [log_p_of([*taken, one]) for one in others]
        gains = [mean_and_error(log_p - before, folds.weight) for log_p in after]
        best = gains.index(max(gains))
        more, error = gains[best]
        full = more > 0 and planned(flows=[*chosen, others[best].candidate]).full
        if chosen and more < max(error, SMALLEST_GAIN) and not full:
            break
        less = [mean_and_error(after[best] - log_p, folds.weight) for log_p in after]
        as_good = [
            one for one, (own, _), (difference, its_error) in zip(others, gains, less, strict=True)
            if own >= SMALLEST_GAIN and difference <= its_error
        ]  # fmt: skip
        one = min(as_good or [others[best]], key=seconds)
        others.remove(one)
        chosen.append(one.candidate)
        taken.append(one)
    return chosen, [f"{one.candidate.name}, which added little in a trial" for one in others]


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

    def __init__(self, rows: Sample, plan: FitPlan, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.used)
        number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self.held_out = number < plan.used  # (n,)
        self.folds = [
            Fold(rows.take(number != k).completed(), rows.take(number == k))
            for k in range(plan.used)
        ]
        self.number = number[self.held_out]
        self.weight = rows.weight[self.held_out]

    def tasks(
        self, candidate: Candidate | FlowCandidate, seed: int, **options
    ) -> Iterator[Callable[..., Fit]]:
        """A candidate's fits, one for each fold."""
        for fold, seeds in zip(self.folds, self._seeds, strict=True):
            state = np.random.SeedSequence([*seeds.generate_state(2).tolist(), seed])
            yield partial(candidate.fitted, fold, int(state.generate_state(1)[0]), **options)

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


def best_of(family: Family, folds: Folds, late: list[str]) -> Fitted | None:
    """The best of a family by held-out rows: larger sizes are tried until two are no better, or
    the time is over; then the size that was not finished is added to `late`."""
    best, worse = None, 0
    for variants in family:
        try:
            fitted = [
                folds.fitted(one, [fit() for fit in folds.tasks(one, one.seed)]) for one in variants
            ]
        except OutOfTime:
            late.append(variants[0].name)
            break
        top = max(fitted, key=lambda one: one.scored.score)
        better = best is None or top.scored.score > best.scored.score
        best, worse = (top, 0) if better else (best, worse + 1)
        if worse == 2:
            break
    return best


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
    by_weight = [one.densities[0] for one, _ in sorted(chosen, key=lambda own: -own[1])]
    latent = next(density for density in by_weight if hasattr(density, "to_latent"))
    scored = tuple(replace(one.scored, weight=weight) for one, weight in chosen)
    total = Scored("this density", mean, error, 1.0, False)
    counts = len(scores), len(folds.number), len(folds.folds)
    summary = Summary(scored, total, *counts, tuple(left_out))
    return Mixture(*zip(*parts, strict=True)), latent, scores, summary
