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
from .candidates import Candidate, Fit, FlowCandidate, evaluated, floored
from .plan import MOST_ROUNDS, OF_MIXTURES, TOGETHER, Plan
from .record import Scored, Summary
from .rows import Fold, Sample
from .stacking import cross_fitted, mean_and_error, mixed, stacked_weights
from .workers import part_of_progress, run

MODES, MOST_MODES = 3, 6  # of a flow's base: if no mixture of Gaussians was fitted, and at most
SMALLEST_WEIGHT = 0.01  # of a candidate that is kept
CLEARLY = 2.0  # standard errors of a difference, behind which no larger mixture is tried
WORTH = 0.05  # the weight in the race of a flow that goes on
ROUNDS = 0.2, 0.2, 0.6  # of rows with holes: shares of the budget; the last density is kept
Selection = tuple[Mixture, TransformedDistribution, np.ndarray, Summary]
Fits = list[tuple["Candidate | FlowCandidate", list[Fit]]]  # of each candidate, one for each fold


@BLAS.single_threaded()  # small products: threads would wait for each other
def select(rows: Sample, plan: Plan, seeds: np.random.SeedSequence, n_jobs) -> Selection:
    """Fit the candidates of the plan, and stack them; see `stacked`.

    A race on the first folds decides which flows go on, see `Race`. These, and the simple
    densities, are fitted on as many folds as the budget allows. No fit of a candidate that is kept
    is thrown away.

    When the time is over (`limit`), unfinished fits return their best so far, with a warning; the
    first density is always fitted.
    """
    late: list[str] = []
    folds = Folds(rows, plan, seeds)
    simple = simple_fits(folds, late)
    race = Race(folds, simple, partial(run, n_jobs=n_jobs, budget=plan.budget), late)
    race.run()
    places = race.run_elsewhere()
    if late:
        warn(
            f"max_seconds was over before {', '.join(late)}: the result depends on "
            "the clock, and may be better with more time, or on a machine that is less busy",
            always=True,
        )
    left_out = [*plan.left_out, *race.left_out, *(f"{o}, as max_seconds was over" for o in late)]
    listed = len(race.simple) if plan.alone and race.flows else 0
    minutes = plan.minutes(race.spent), plan.minutes(plan.budget)
    return stacked([*race.simple, *race.flows.items()], listed, folds, places, left_out, minutes)


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
    """The simple densities, on the first folds. Larger mixtures are tried until they are clearly
    worse, or a quarter of the time is over; then the one without a fit is added to `late`."""
    found: Fits = []
    now, ends, best = time.monotonic(), limit(), []
    for group in folds.plan.simple:
        size = len(found)
        for one in group:
            try:
                with until(now + OF_MIXTURES * (ends - now) if found else np.inf):
                    fits = [folds.task(one, k)() for k in range(folds.plan.first)]
            except OutOfTime:
                late.append(one.name)
                return found
            found.append((one, fits))
        _, top = max(found[size:], key=lambda own: folds.score(own[1]))
        if size and folds.is_clearly_better(best, top):
            break
        _, best = max(found, key=lambda own: folds.score(own[1]))
    return found


def options_of(folds: Folds, simple: Fits) -> dict:
    """Those of the fit of a flow, of which two depend on the simple densities."""
    best = [one for one, _ in sorted(simple, key=lambda own: -folds.score(own[1]))]
    sizes = (one.options["n_components"] for one in best if "n_components" in one.options)
    shrink = (one.options.get("shrink", True) for one in best if one.latent)
    return {"snapshots": folds.plan.snapshots, "shrink": next(shrink, True),
            "n_modes": min(max(next(sizes, MODES), 2), MOST_MODES)}  # fmt: skip


class Race:
    """The flows, in rounds on the first folds; then all that have a weight, on the other folds.

    A round trains the flows that are left. Those to which stacking then gives a weight go on, as
    long as they still improve. If few rows decide, the better half goes on in any case.

    flows    {flow: its fits}, of those that are left; simple   the simple densities, with theirs
    rounds   {flow: its epochs in each round}; epochs   {(flow, place): those that it trained}
    """

    def __init__(self, folds: Folds, simple: Fits, run: Callable, late: list[str]):
        self.folds, self.plan, self.simple, self.late = folds, folds.plan, simple, late
        self.flows: dict[FlowCandidate, list[Fit]] = {}
        self.rounds: dict[FlowCandidate, list[int]] = {flow: [] for flow in self.plan.seconds}
        self.epochs: dict[tuple[FlowCandidate, int], int] = {}
        self.left_out: list[str] = []
        self.is_large = len(folds.rows) >= TOGETHER
        self._run, self._options = run, options_of(folds, simple)

    @property
    def spent(self) -> float:
        """Seconds of one core that flows have taken, by the plan's costs."""
        return sum(self.plan.seconds[flow] * n for (flow, _), n in self.epochs.items())

    def run(self) -> None:
        """All rounds."""
        running = list(self.rounds)
        for _ in range(MOST_ROUNDS):
            self._train({flow: self.rounds[flow] for flow in running})
            self._keep(0 if self.is_large else len(self.flows) // 2)
            running = [flow for flow, fits in self.flows.items()
                       if not all(fit.ended or fit.cut for fit in fits)]  # fmt: skip
        self._keep(0)

    def _keep(self, at_least: int) -> None:
        """Keep the flows that have a weight, and so many in any case."""
        of_flows = dict(zip(self.flows, self._weights()[len(self.simple) :], strict=True))
        for flow in sorted(self.flows, key=of_flows.get, reverse=True)[at_least:]:
            if of_flows[flow] < WORTH and not self.plan.alone:
                self.left_out.append(f"{flow.name}, which adds little")
                del self.flows[flow]

    def run_elsewhere(self) -> int:
        """Add the fits on the other folds; returns at how many places all have one.

        Of many rows, simple densities without a weight are left out before.
        """
        first = self.plan.first
        cost = sum(self.plan.seconds[flow] * self.epochs[flow, 0] for flow in self.flows)
        more = max(self.plan.budget - self.spent, 0) / cost if cost else self.plan.places
        places = wanted = min(first + round(more), self.plan.places)
        if self.is_large:
            gaussian, *others = self.simple  # the others are compared with it
            weights = self._weights()[1 : len(self.simple)]
            self.simple = [gaussian] + [own for own, weight in zip(others, weights, strict=True)
                                        if own[0].kept or weight >= SMALLEST_WEIGHT]  # fmt: skip
        rounds = {flow: self.rounds[flow] for flow in self.flows}
        for flow, fits in self._fitted(rounds, range(first, places)).items():
            self.flows[flow] += fits
            if None in fits:
                places = min(places, self.flows[flow].index(None))
        try:
            for place in range(first, places):
                for one, fits in self.simple:
                    fits.append(self.folds.task(one, place)())
        except OutOfTime:
            places = place
        if places < wanted:
            self.late.append(f"fit {places + 1} of {wanted}")
        return places

    def _train(self, rounds: dict[FlowCandidate, list[int]]) -> None:
        """One more round of these flows. What has no time for its first one is left out."""
        epochs = self.plan.of_round(rounds, self.spent)
        new = self._fitted({flow: [n] for flow, n in epochs.items()}, range(self.plan.first))
        for flow, fits in new.items():
            if all(fits):
                self.flows[flow] = fits
                self.rounds[flow].append(epochs[flow])
            if not all(fits) or any(fit.cut for fit in fits):
                self.late.append(f"the end of {flow.name}" if flow in self.flows else flow.name)

    def _fitted(
        self, rounds: dict[FlowCandidate, list[int]], places: range
    ) -> dict[FlowCandidate, list[Fit | None]]:
        """Fits of flows in these rounds, going on with those that they have at these places; None
        for a fit that got no time."""
        tasks, seconds, found = [], [], {}
        for flow, epochs in rounds.items():
            known = dict(enumerate(self.flows.get(flow, ())))
            for place in places:
                how = {**self._options, "rounds": epochs, "before": known.get(place)}
                tasks.append(self.folds.task(flow, place, **how))
                seconds.append(self.plan.seconds[flow] * sum(epochs))
        fits = iter(self._run(tasks, seconds))
        for flow in rounds:
            found[flow] = [next(fits) for _ in places]
            for place, fit in zip(places, found[flow], strict=True):
                if fit:
                    self.epochs[flow, place] = fit.epochs
        return found

    def _weights(self) -> np.ndarray:
        """Those of the simple densities and of the flows, by the rows of the first folds."""
        every = [fits for _, fits in self.simple] + list(self.flows.values())
        log_p = np.stack([self.folds.fitted(fits)[1] for fits in every], axis=1)
        return stacked_weights(log_p, self.folds.weight(self.plan.first))


class Folds:
    """The rows, and the folds in which they are held out; number: the fold of each row, (n,).

    A place is a fold and a seed: place p is fold p modulo the number of folds in use.
    """

    def __init__(self, rows: Sample, plan: Plan, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.places)
        self.rows, self.plan = rows, plan
        self.number = np.random.default_rng(cut).permutation(len(rows)) % plan.parts
        self._made: dict[int, Fold] = {}

    def fold(self, place: int) -> Fold:
        """Made when it is asked for: of a large table few are."""
        k = place % self.plan.used
        if k not in self._made:
            here = self.number == k
            learned = self.rows.take(~here & self.rows.heavy).completed()
            self._made[k] = Fold(learned, self.rows.take(here))
        return self._made[k]

    def held_out(self, places: int) -> np.ndarray:
        """The rows that the folds of the first places hold out, fold by fold."""
        used = min(places, self.plan.used)
        return np.concatenate([np.flatnonzero(self.number == k) for k in range(used)])

    def weight(self, places: int) -> np.ndarray:
        """Those of these rows."""
        return self.rows.weight[self.held_out(places)]

    def score(self, fits: list[Fit]) -> float:
        """The mean log-density of the held-out rows, by their weights, of the first fits."""
        return mean_and_error(self.fitted(fits)[1], self.weight(len(fits)))[0]

    def is_clearly_better(self, fits: list[Fit], others: list[Fit]) -> bool:
        """Whether the first fits of one candidate are better than those of another one."""
        log_p, other = self.fitted(fits)[1], self.fitted(others)[1]
        gain, error = mean_and_error(log_p - other, self.weight(len(fits)))
        return gain > CLEARLY * error

    def task(self, candidate: Candidate | FlowCandidate, place: int, **options) -> partial:
        """A candidate's fit at a place."""
        state = [*self._seeds[place].generate_state(2).tolist(), candidate.seed]
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        return partial(candidate.fitted, self.fold(place), seed, **options)

    def fitted(self, fits: list[Fit]) -> tuple[Sequence[Distribution], np.ndarray]:
        """(a density per place, log p of all held-out rows (n,), fold by fold) of a candidate, at
        the snapshot that is best for all places together; a fit whose training had ended before
        takes its own best. The seeds of a fold are averaged."""
        curves, of_fold = [], [[] for _ in range(min(len(fits), self.plan.used))]
        for place, fit in enumerate(fits):
            weight = self.rows.weight[self.number == place % self.plan.used]
            curves.append(np.array([floored(log_p, weight) @ weight for log_p in fit.log_p]))
        longest = max(map(len, curves))
        best = int(np.argmax(sum(np.pad(c, (0, longest - len(c)), "edge") for c in curves)))
        densities = []
        for place, (fit, curve) in enumerate(zip(fits, curves, strict=True)):
            density, log_p = fit.at(best if best < len(curve) else int(np.argmax(curve)))
            densities.append(density)
            of_fold[place % self.plan.used].append(log_p)
        return densities, np.concatenate([mean_density(own) for own in of_fold])


def mean_density(log_p: Sequence[np.ndarray]) -> np.ndarray:
    """log of the mean of some densities of the same rows."""
    return mixed(np.stack(log_p, axis=1), np.full(len(log_p), 1 / len(log_p)))


def stacked(
    fits: Fits, listed: int, folds: Folds, places: int, left_out: Sequence[str],
    minutes: tuple[float, float],
) -> Selection:  # fmt: skip
    """(a density, its best part with a latent space, log p, a summary), of standardised rows.

    The density is the mixture of the candidates, without those of little weight; the first ones,
    `listed`, are just scored. log p (n,) has the held-out rows, and NaN for the others.
    """
    held_out = folds.held_out(places)
    number, weight = folds.number[held_out], folds.weight(places)
    fitted = [folds.fitted(own[:places]) for _, own in fits]
    log_p = np.stack([own for _, own in fitted[listed:]], axis=1)
    w = stacked_weights(log_p, weight)
    kept = (w >= SMALLEST_WEIGHT) | [one.kept for one, _ in fits[listed:]]
    w = np.where(kept, w, 0) / w[kept].sum()
    scores = np.full(len(folds.rows), np.nan)
    scores[held_out] = mixed(log_p[:, kept], w[kept])
    shares, tried = [0.0] * listed + w.tolist(), [one for one, _ in fits]
    chosen = list(zip(tried, fitted, shares, strict=True))
    parts = [(density, own / places) for _, (found, _), own in chosen if own for density in found]
    _, (best, _), _ = max((own for own in chosen if own[0].latent), key=lambda own: own[2])
    scored = tuple(
        Scored(one.name, *mean_and_error(log_p, weight), share, one.is_flow)
        for one, (_, log_p), share in chosen
    )
    mean, error = mean_and_error(cross_fitted(log_p, number, weight), weight)
    total = Scored("this density", mean, error, 1.0, False)
    used = min(places, folds.plan.used)
    summary = Summary(scored, total, len(scores), len(weight), used, tuple(left_out), minutes)
    return Mixture(*zip(*parts, strict=True)), best[0], scores, summary
