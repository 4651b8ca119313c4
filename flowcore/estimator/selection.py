"""From a table to a mixture of candidates: folds, fits in parallel, weights, a summary."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from ..core import BLAS, n_threads
from ..distributions import Mixture
from .candidates import Candidate, Part, judged, learn_mixture
from .plan import Plan
from .rows import Rows, fold_of
from .stacking import crossed, mixed, stacked_weights
from .stopping import Seen, stopped_together
from .summary import Scored, Summary, mean_and_error

LIGHT = 2.0  # seconds of one core: what is done by then is not worth a second process
PRIORS = (0.3, 0.01)  # of mixtures of Gaussians: clusters that touch, and such that are far apart
MOST_MODES = 6
SMALLEST_WEIGHT = 0.01  # of a candidate that is kept


@dataclass(frozen=True)
class Fitted:
    """One candidate after its fits: a density of every fold, and what it says of held-out rows."""

    candidate: Candidate
    densities: tuple
    log_p: np.ndarray

    @property
    def name(self) -> str:
        return self.candidate.name


@dataclass(frozen=True)
class Selection:
    """What was chosen: a density of standardised rows, held-out scores, and the best single part
    that has a latent space."""

    density: Mixture
    latent: object
    held_out: np.ndarray
    log_p: np.ndarray
    summary: Summary


class Folds:
    """The rows, and who is held out when."""

    def __init__(self, rows: Rows, plan: Plan, seeds: np.random.SeedSequence):
        cut, *self._seeds = seeds.spawn(1 + plan.used)
        self.fold = fold_of(len(rows), plan.parts, np.random.default_rng(cut))
        self.fold[self.fold >= plan.used] = -1  # never held out
        self.held_out = np.flatnonzero(self.fold >= 0)
        self.parts = [
            Part(rows, np.flatnonzero(self.fold != k), np.flatnonzero(self.fold == k))
            for k in range(plan.used)
        ]
        self.weight = rows.weight[self.held_out]

    def tasks(self, candidate: Candidate, number: int, **options):
        """(function, arguments, options) of one candidate's fit on every fold."""
        for part, seed in zip(self.parts, self._seeds, strict=True):
            words = np.random.SeedSequence([*seed.generate_state(2).tolist(), number])
            yield judged, (candidate, part, int(words.generate_state(1)[0])), options

    def gathered(self, candidate: Candidate, results: list) -> Fitted:
        """The candidate's densities, and their log-densities in the order of the rows."""
        watched = [k for k, (density, _) in enumerate(results) if isinstance(density, Seen)]
        if watched:
            weights = [self.parts[k].table.weight[self.parts[k].judge] for k in watched]
            stopped = stopped_together([results[k][0] for k in watched], weights)
            results = list(results)
            for k, result in zip(watched, stopped, strict=True):
                results[k] = result
        log_p = np.empty(len(self.fold))
        for part, (_, found) in zip(self.parts, results, strict=True):
            log_p[part.judge] = np.maximum(found, -1e300)  # not -inf, of which no mean is a number
        return Fitted(candidate, tuple(density for density, _ in results), log_p[self.held_out])


def select(rows: Rows, plan: Plan, seeds, workers, only_flows: bool, progress: bool) -> Selection:
    """Fit what the plan says and mix it.

    workers(tasks, seconds, progress) -> results, in order; only_flows: baselines are shown, but
    have no part in the density
    """
    folds = Folds(rows, plan, seeds)
    with BLAS.single_threaded():  # small products: threads would wait for each other
        light = [folds.gathered(c, [f(*a, **o) for f, a, o in folds.tasks(c, i)])
                 for i, c in enumerate(plan.baselines)]  # fmt: skip
        light = _one_gaussian(light, folds.weight) + _best_mixture(folds, plan)
    options = {"epochs": plan.epochs, "snapshots": plan.snapshots}
    to_train = [_with_modes(flow, light[-1].candidate) for flow in plan.flows]
    tasks = [
        task for i, flow in enumerate(to_train) for task in folds.tasks(flow, 200 + i, **options)
    ]
    results = workers(tasks, plan.seconds, progress)
    flows = [
        folds.gathered(flow, results[i * plan.used : (i + 1) * plan.used])
        for i, flow in enumerate(to_train)
    ]
    found = _mixed(light, flows, folds, only_flows and bool(flows))
    return replace(found, summary=replace(found.summary, left_out=plan.left_out))


def _one_gaussian(light: list[Fitted], weight) -> list[Fitted]:
    """Of the two Gaussians the one that tells held-out rows better, under the plain name."""
    shrunk, plain, *others = light
    best = max(shrunk, plain, key=lambda fitted: np.average(fitted.log_p, weights=weight))
    return [Fitted(shrunk.candidate, best.densities, best.log_p), *others]


def _best_mixture(folds: Folds, plan: Plan) -> list[Fitted]:
    """The mixture of Gaussians of the best number of components: more, until it is twice worse."""
    best, best_score, worse = None, -np.inf, 0
    for k in plan.components:
        worse += 1
        for i, prior in enumerate(PRIORS):
            options = {"n_components": k, "prior": prior}
            candidate = Candidate(f"mixture of {k}", learn_mixture, options=options)
            results = [f(*a, **o) for f, a, o in folds.tasks(candidate, 10 + 2 * k + i)]
            fitted = folds.gathered(candidate, results)
            score = np.average(fitted.log_p, weights=folds.weight)
            if score > best_score:
                best, best_score, worse = fitted, score, 0
        if worse == 2:
            break
    return [] if best is None else [best]


def _with_modes(flow: Candidate, mixture: Candidate) -> Candidate:
    """A flow whose base has modes, as many as the best mixture of Gaussians has, but not many."""
    if "n_modes" not in flow.options:
        return flow
    found = mixture.options.get("n_components", flow.options["n_modes"])
    return replace(flow, options={**flow.options, "n_modes": min(found, MOST_MODES)})


def _mixed(light: list[Fitted], flows: list[Fitted], folds: Folds, only_flows: bool) -> Selection:
    mixable = flows if only_flows else [*light, *flows]
    log_p = np.stack([fitted.log_p for fitted in mixable], axis=1)
    weights = stacked_weights(log_p, folds.weight)
    fold = folds.fold[folds.held_out]
    held_out = crossed(log_p, fold, folds.weight)
    keep = weights >= SMALLEST_WEIGHT
    keep |= [fitted.name == "Student t" for fitted in mixable]  # the net below far rows
    weights = np.where(keep, weights, 0) / weights[keep].sum()
    densities, shares = [], []
    for fitted, w in zip(mixable, weights, strict=True):
        if w > 0:
            densities += fitted.densities
            shares += [w / len(fitted.densities)] * len(fitted.densities)
    by_name = dict(zip((fitted.name for fitted in mixable), weights, strict=True))
    with_latent = [f for f in mixable if hasattr(f.densities[0], "to_latent")]
    latent = max(with_latent, key=lambda f: by_name[f.name]).densities[0]
    scored = [
        Scored(f.name, *mean_and_error(f.log_p, folds.weight), float(by_name.get(f.name, 0.0)),
               f.candidate.is_flow)
        for f in [*light, *flows]
    ]  # fmt: skip
    total = Scored("this density", *mean_and_error(held_out, folds.weight), 1.0, False)
    summary = Summary(tuple(scored), total, len(folds.fold), len(folds.held_out), len(folds.parts))
    return Selection(Mixture(densities, shares), latent, folds.held_out,
                     mixed(log_p[:, weights > 0], weights[weights > 0]), summary)  # fmt: skip


def in_processes(n_jobs: int | None):
    """workers(tasks, seconds, progress): joblib's processes, where the work is worth them."""

    def run(tasks: Iterable, seconds: float, progress: bool) -> list:
        from joblib import Parallel, delayed
        from joblib.parallel import get_active_backend

        tasks = list(tasks)
        jobs = _n_jobs(n_jobs) if seconds > LIGHT and len(tasks) > 1 else 1
        threads = {"threads": 1} if jobs != 1 else {}
        calls = (delayed(f)(*a, **o, **threads) for f, a, o in tasks)
        if not get_active_backend()[0].supports_return_generator:  # multiprocessing: all at once
            return Parallel(n_jobs=jobs)(calls)
        with nullcontext() if jobs == 1 else _deaf_to_interrupts():
            results = Parallel(n_jobs=jobs, return_as="generator")(calls)
        return list(_shown(results, len(tasks)) if progress else results)

    return run


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started here hear no Ctrl-C, which a terminal sends to all of them: each
    would tell of it in a traceback of its own. Who started them hears it, and ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _n_jobs(n_jobs: int | None) -> int | None:
    """None: what a joblib context says; without one, all cores; inside of a worker, one."""
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    if n_jobs is not None or configured not in (None, 1) or backend.nesting_level:
        return n_jobs
    return n_threads()


def _shown(results: Iterable, total: int) -> Iterable:
    from tqdm.auto import tqdm

    return tqdm(results, total=total, unit="flow")
