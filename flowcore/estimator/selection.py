"""From a table to a mixture of candidates: a race on the first fold, other folds, weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..conditionals.completion import completed
from ..core import BLAS, OutOfTime, limit, until, warn
from ..distributions import Distribution, Mixture, TransformedDistribution
from ..training.columns import check_columns
from .candidates import Candidate, Fit, FlowCandidate, Question, evaluated, floored, still_adds
from .plan import ASKED, OF_MIXTURES, TOGETHER, Plan
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
def select(rows: Sample, plan: Plan, seeds: np.random.SeedSequence, n_jobs) -> Selection:
    """Fit the candidates of the plan, and stack them; see `stacked`.

    A race on the first folds decides which flows are fitted on the others, see `race`. These, and
    the simple densities, are fitted on as many folds as the budget allows. No fit of a candidate
    that is kept is thrown away.

    When the time is over (`limit`), unfinished fits return their best so far, with a warning; the
    first density is always fitted.
    """
    folds, late = Folds(rows, plan, seeds), []
    simple = simple_fits(folds, late)
    train = partial(trained, folds, run=partial(run, n_jobs=n_jobs, budget=plan.budget),
                    how=options_of(folds, simple))  # fmt: skip
    flows, left_out, spent = race(folds, simple, train, late)
    cost = sum(plan.seconds[flow] * fits[0].epochs for flow, fits in flows)
    more = int(max(plan.budget - spent, 0) / cost) if cost else plan.used  # folds
    used = other_folds(folds, min(plan.first + more, plan.used), simple, flows, train, late)
    if late:
        warn(
            f"max_seconds was over before {', '.join(late)}: the result depends on "
            "the clock, and may be better with more time, or on a machine that is less busy",
            always=True,
        )
    left_out = [*plan.left_out, *left_out, *(f"{o}, as max_seconds was over" for o in late)]
    listed = len(simple) if plan.alone and flows else 0
    return stacked([*simple, *flows], listed, folds, used, left_out)


def select_with_holes(
    rows: Sample, planned: Callable[[Sample, float], Plan], seeds, n_jobs, labels
) -> Selection:
    """The result of `select` for rows with NaN; see `completion`.

    planned: the plan of such rows for a share of the budget
    """
    rng, now, ends = np.random.default_rng(seeds.spawn(1)[0]), time.monotonic(), limit()
    with until(now + ROUNDS[0] * (ends - now)):
        drawn = completed(rows.x, rows.context, rows.weight, rng)
    check_columns(drawn.copies[:, 0], np.arange(len(rows)), labels)
    density = None
    for k, share in enumerate(ROUNDS):
        if density is not None:
            drawn = drawn.resampled(evaluated(density), rows.context, rng)
        rows, now = replace(rows, x=drawn.copies[:, 0], drawn=drawn), time.monotonic()
        with part_of_progress(share), until(now + share / sum(ROUNDS[k:]) * (ends - now)):
            density, *others = select(rows, planned(rows, share), seeds, n_jobs)
    return density, *others


def simple_fits(folds: Folds, late: list[str]) -> Fits:
    """The simple densities, on the first folds. Larger mixtures are tried until two sizes are no
    better, or a quarter of the time is over; then the one without a fit is added to `late`."""
    found: Fits = []
    now, ends, best, worse = time.monotonic(), limit(), -np.inf, 0
    for group in folds.plan.simple:
        top = -np.inf
        for one in group:
            try:
                with until(now + OF_MIXTURES * (ends - now) if found else np.inf):
                    fits = [folds.task(one, k)() for k in range(folds.plan.first)]
            except OutOfTime:
                late.append(one.name)
                return found
            found.append((one, fits))
            top = max(top, folds.score(fits))
        best, worse = (top, 0) if top > best else (best, worse + 1)
        if worse == 2:
            break
    return found


def options_of(folds: Folds, simple: Fits) -> dict:
    """Those of the fit of a flow, of which two depend on the simple densities."""
    best = [one for one, _ in sorted(simple, key=lambda own: -folds.score(own[1]))]
    sizes = (one.options["n_components"] for one in best if "n_components" in one.options)
    shrink = (one.options.get("shrink", True) for one in best if one.latent)
    return {"epochs": folds.plan.epochs, "snapshots": folds.plan.snapshots,
            "shrink": next(shrink, True),
            "n_modes": min(max(next(sizes, MODES), 2), MOST_MODES)}  # fmt: skip


def trained(folds: Folds, costs: dict[FlowCandidate, float], places, run, how, **more) -> Fits:
    """Flows on some folds; None for a fit that got no time. costs: in seconds, what is expected of
    a fit of each."""
    tasks = [folds.task(flow, k, **how, **more) for flow in costs for k in places]
    fits = iter(run(tasks, [seconds for seconds in costs.values() for _ in places]))
    return [(flow, [next(fits) for _ in places]) for flow in costs]


def race(folds: Folds, simple: Fits, train: Callable[..., Fits], late: list[str]) -> tuple:
    """(the flows that are worth their time, with their fits on the first folds; the others, in
    words; the seconds of one core that all have taken, by the plan's costs).

    Worth their time are those to which stacking gives a weight. If there are many rows, a leader is
    trained to the end, and the others as long as they add something to it, see `still_adds`.
    """
    plan = folds.plan
    costs, places, first = dict(plan.seconds), range(plan.first), plan.flows[:1]
    if len(folds.rows) < TOGETHER:
        found = train(costs, places)
    else:
        found = train({flow: costs.pop(flow) for flow in first}, places)
        if found and all(found[0][1]):
            question = question_of(folds, simple, found[0][1][0])
            found += train(costs, places, question=question)
    late += [flow.name for flow, fits in found if not all(fits)]
    found = [(flow, fits) for flow, fits in found if all(fits)]
    late += [f"the end of {flow.name}" for flow, fits in found if any(fit.cut for fit in fits)]
    spent = sum(plan.seconds[flow] * fit.epochs for flow, fits in found for fit in fits)
    running = [(flow, fits) for flow, fits in found if not fits[0].dropped]
    log_p = np.stack([folds.fitted(fits)[1] for _, fits in [*simple, *running]], axis=1)
    weight = stacked_weights(log_p, folds.rows.weight[folds.held_out(plan.first)])[len(simple) :]
    best = np.argsort(-weight, kind="stable")[:MOST_FLOWS]
    kept = [running[i] for i in best if plan.alone or weight[i] >= WORTH]
    names = {flow.name for flow, _ in kept}
    little = [f"{flow.name}, which adds little" for flow, _ in found if flow.name not in names]
    return kept, little, spent


def question_of(folds: Folds, simple: Fits, leader: Fit) -> Question:
    """What the other flows are asked while they train."""
    others = np.stack([fits[0].log_p[0] for _, fits in simple], axis=1)
    every = -(-folds.plan.epochs // folds.plan.snapshots)
    asked = tuple(max(1, round(folds.plan.epochs / part / every)) for part in ASKED)
    return partial(still_adds, others, leader.log_p, folds.fold(0).held_out.weight, asked)


def other_folds(
    folds: Folds, used: int, simple: Fits, flows: Fits, train: Callable[..., Fits], late: list[str]
) -> int:
    """Add the fits on the folds after the first ones; returns on how many folds all have one."""
    plan, places = folds.plan, range(folds.plan.first, used)
    costs = {flow: plan.seconds[flow] * fits[0].epochs for flow, fits in flows}
    for (_, fits), (_, more) in zip(flows, train(costs, places), strict=True):
        fits += more
        if not all(fits):
            used = min(used, fits.index(None))
            late.append(f"fold {used + 1} of {plan.used}")
    try:
        for k in range(plan.first, used):
            for one, fits in simple:
                fits.append(folds.task(one, k)())
    except OutOfTime:
        late.append(f"fold {k + 1} of {plan.used}")
        return k
    return used


class Folds:
    """The rows, and the folds in which they are held out; number: the fold of each row, (n,)."""

    def __init__(self, rows: Sample, plan: Plan, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.used)
        self.rows, self.plan = rows, plan
        self.number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self._made: dict[int, Fold] = {}

    def fold(self, k: int) -> Fold:
        """Made when it is asked for: of a large table few are."""
        if k not in self._made:
            here = self.number == k
            self._made[k] = Fold(self.rows.take(~here).completed(), self.rows.take(here))
        return self._made[k]

    def score(self, fits: list[Fit]) -> float:
        """The mean log-density of the held-out rows, by their weights, of a simple density's fits
        on the first folds."""
        return float(np.mean([fit.log_p[0] @ self.fold(k).held_out.weight
                              for k, fit in enumerate(fits)]))  # fmt: skip

    def held_out(self, used: int) -> np.ndarray:
        """The rows that the first folds hold out, fold by fold."""
        return np.concatenate([np.flatnonzero(self.number == k) for k in range(used)])

    def task(self, candidate: Candidate | FlowCandidate, k: int, **options) -> partial:
        """A candidate's fit on a fold."""
        state = [*self._seeds[k].generate_state(2).tolist(), candidate.seed]
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        return partial(candidate.fitted, self.fold(k), seed, **options)

    def fitted(self, fits: list[Fit]) -> tuple[Sequence[Distribution], np.ndarray]:
        """(a density per fold, log p of all held-out rows (n,), fold by fold) of a candidate, at
        the snapshot that is best for all folds together; a fold whose training had ended before
        takes its own best."""
        curves = []
        for k, fit in enumerate(fits):
            weight = self.rows.weight[self.number == k]
            curves.append(np.array([floored(log_p, weight) @ weight for log_p in fit.log_p]))
        longest = max(map(len, curves))
        best = int(np.argmax(sum(np.pad(c, (0, longest - len(c)), "edge") for c in curves)))
        densities, log_p = zip(*(
            fit.at(best if best < len(curve) else int(np.argmax(curve)))
            for fit, curve in zip(fits, curves, strict=True)
        ), strict=True)  # fmt: skip
        return densities, np.concatenate(log_p)


def stacked(
    fits: Fits, listed: int, folds: Folds, used: int, left_out: Sequence[str] = ()
) -> Selection:
    """(a density, its best part with a latent space, log p, a summary), of standardised rows.

    The density is the mixture of the candidates, without those of little weight; the first ones,
    `listed`, are just scored. log p (n,) has the held-out rows, and NaN for the others.
    """
    held_out = folds.held_out(used)
    number, weight = folds.number[held_out], folds.rows.weight[held_out]
    fitted = [folds.fitted(own[:used]) for _, own in fits]
    log_p = np.stack([own for _, own in fitted[listed:]], axis=1)
    w = stacked_weights(log_p, weight)
    kept = (w >= SMALLEST_WEIGHT) | [one.kept for one, _ in fits[listed:]]
    w = np.where(kept, w, 0) / w[kept].sum()
    scores = np.full(len(folds.rows), np.nan)
    scores[held_out] = mixed(log_p[:, kept], w[kept])
    shares, tried = [0.0] * listed + w.tolist(), [one for one, _ in fits]
    chosen = list(zip(tried, fitted, shares, strict=True))
    parts = [(density, own / used) for _, (found, _), own in chosen if own for density in found]
    _, (best, _), _ = max((own for own in chosen if own[0].latent), key=lambda own: own[2])
    scored = tuple(
        Scored(one.name, *mean_and_error(log_p, weight), share, one.is_flow)
        for one, (_, log_p), share in chosen
    )
    mean, error = mean_and_error(cross_fitted(log_p, number, weight), weight)
    total = Scored("this density", mean, error, 1.0, False)
    summary = Summary(scored, total, len(scores), len(weight), used, tuple(left_out))
    return Mixture(*zip(*parts, strict=True)), best[0], scores, summary
