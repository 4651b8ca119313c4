"""The candidates, as data: flows and simple densities, fitted to the training rows of a fold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..bijectors import Chain, Clamped, Whiten
from ..core import check_time, limit, without_warnings
from ..distributions import ClampedBase, Distribution, StudentT, TransformedDistribution
from ..distributions.conditioning import with_standardized_context
from ..flows import maf, nsf
from ..training import TrainingDivergedError, fit
from ..training.defaults import AUTO, batch_size_for, bins_for, is_auto
from . import simple_densities as simple
from .rows import Fold, Sample, near, quantiles

LOWEST, BELOW = 0.01, 5.0  # nats: a row counts no less than so much below this quantile
LOG_DF_OF_NORMAL = 30.0  # of a Student t: training does not move it from there
LEAST = -1e150  # of log p: means and squares of it are numbers
STRONG, WEAK = 0.3, 0.01  # priors of mixtures: clusters that touch, and such as are far apart
ROWS_PER_NUMBER = 3  # of a mixture with the weak prior: of fewer rows it learns their noise
PRIOR_OF_T, DF, MOST_T = 0.02, 5.0, 6  # of mixtures of t densities; MOST_T components at most
PATIENCE = 18  # epochs: of few rows, flows have learned what they can after a third of them all
WIDTH = 32  # columns: in wider tables, networks are wider
WIDE_CONTEXT = 200  # columns of a context: each more has as many parameters as a column
PER_PARAMETER = 2e-5  # milliseconds of an update
FLOAT32 = 0.7  # of the time of float64, in which the costs were measured
BINS = 8  # of the splines whose costs were measured; a third of these costs grows with the bins


@dataclass(frozen=True)
class Fit:
    """A density fitted to the training rows of a fold, at S snapshots of its training.

    density   at the last snapshot
    log_p     (S, n), of the held-out rows at each snapshot
    thetas    (S, P), the parameters there; None: S = 1
    flow      as it was trained last, in the rows of the fold; None: it was not
    epochs    of its training
    ended     whether held-out rows had stopped improving
    cut       whether its time ended too early
    """

    density: Distribution
    log_p: np.ndarray
    thetas: np.ndarray | None = None
    flow: TransformedDistribution | None = None
    epochs: int = 0
    ended: bool = True
    cut: bool = False

    def at(self, snapshot: int) -> tuple[Distribution, np.ndarray]:
        """The density at a snapshot, and its log-densities of the held-out rows."""
        density, thetas = self.density, self.thetas
        if thetas is not None:
            density = density.with_params(thetas[snapshot].astype(float))
        return density, self.log_p[snapshot]


@dataclass(frozen=True)
class Candidate:
    """A simple density: density(rows, rng, **options), fitted to standardised rows.

    margins   fitted to the rows in the `Margins` of their columns
    seed      of its random numbers, together with the fold's seed
    kept      even with a small weight: the net below far rows
    latent    whether it has a latent space, in which rows are normal
    clamped   of rows that lack some numbers, see `Clamped`
    """

    name: str
    density: Callable[..., Distribution]
    options: dict = field(default_factory=dict)
    margins: bool = False
    seed: int = 0
    kept: bool = False
    latent: bool = False
    clamped: bool = False
    is_flow = False

    def fitted(self, fold: Fold, seed: int) -> Fit:
        """To the training rows of a fold. A context moves the means, linearly."""
        check_time()
        with without_warnings():  # warnings about the table have been given
            own = fold.in_margins if self.margins else fold
            own = own if self.clamped else own.about_means
            found = self.density(own.training, np.random.default_rng(seed), **self.options)
            density = own.restored(found)
            return Fit(density, log_prob(density, fold.held_out)[None])

    @property
    def of_margins(self) -> Candidate:
        """The same of rows in their `Margins`."""
        return replace(self, name=f"{self.name} of margins", margins=True)


CLAMPED = [Candidate("Gaussian", simple.gaussian_of_present, clamped=True, latent=True),
           Candidate("Student t", simple.student_of_present, kept=True, clamped=True)]  # fmt: skip


def simple_candidates(sizes: Sequence[int], n: int, dim: int) -> list[list[Candidate]]:
    """The simple densities of n rows (n, D) in groups: those of one component, then mixtures with
    these numbers of components, with both priors, and small ones of t densities; all of rows and of
    margins."""
    groups = []
    for k in (1, *sizes):
        kinds = []
        if k <= MOST_T:
            options = {"n_components": k, "df": DF, "prior": PRIOR_OF_T}
            name = f"mixture of {k} t" if k > 1 else "t"
            kinds.append(Candidate(name, simple.mixture, options, seed=k))
        if k > 1:
            strong = {"n_components": k, "prior": STRONG}
            kinds.append(Candidate(f"mixture of {k}", simple.mixture, strong, seed=100 + k))
        if k > 1 and ROWS_PER_NUMBER * k * dim * (dim + 3) / 2 <= n:
            weak = {"n_components": k, "prior": WEAK}
            name = f"mixture of {k}, weak prior"
            kinds.append(Candidate(name, simple.mixture, weak, seed=100 + k))
        groups.append([own for one in kinds for own in (one, one.of_margins)])
    gaussians, nets = [], []
    for how in ("", ", not shrunk"):
        one = Candidate("Gaussian", simple.gaussian, {"shrink": not how}, latent=True)
        gaussians += [replace(own, name=own.name + how) for own in (one, one.of_margins)]
        nets.append(Candidate(f"Student t{how}", simple.student, one.options, kept=not how))
    groups[0] = [*gaussians, *groups[0], *nets]  # some density in any case: a quick one first
    return groups


@dataclass(frozen=True)
class FlowCandidate:
    """A flow, recipe(dim, rng=..., **options), and its cost.

    cost     milliseconds of an update, (constant, per D, per row of the batch, per row and D),
             measured on one core up to D = WIDTH, of splines with BINS bins
    bins     of its splines; 0: its recipe takes none
    modes    its base is a mixture of Gaussians
    white    it starts at the Gaussian, with a full matrix at the data end, and reads the principal
             axes of the context
    widens   its networks are as wide as the table: from there on, work and memory grow as D^2
    clamped  of rows that lack some numbers, see `Clamped`
    margins  of the rows in their `Margins`
    """

    name: str
    recipe: Callable[..., TransformedDistribution]
    cost: tuple[float, float, float, float]
    bins: int = 0
    modes: bool = False
    white: bool = False
    widens: bool = True
    clamped: bool = False
    margins: bool = False
    seed = 200
    kept = False
    latent = True
    is_flow = True

    def fitted(
        self, fold: Fold, seed: int, rounds: Sequence[int], snapshots: int, n_modes: int,
        shrink: bool, before: Fit | None = None, threads=None,
    ) -> Fit:  # fmt: skip
        """Fit to the training rows of a fold in rounds, until held-out rows stop improving or time
        is over. In every round the learning rate falls once.

        OutOfTime if the time is over before the training begins.

        rounds: the epochs of each; snapshots: how many to take in each, so that the epoch is chosen
        later; shrink: the Gaussian where a white flow starts; before: the fit to go on with
        """
        own = fold.in_margins if self.margins else fold
        rng, rows, seen = np.random.default_rng(seed), own.training, Snapshots(own, before)
        check_time()
        with without_warnings():
            flow, cut = before and before.flow, False
            # else a column is constant in this fold; an absent one does no harm
            if self.clamped or (rows.x != rows.x[0]).any(axis=0).all():
                flow = flow or self._untrained(rows, rng, n_modes, shrink)
                for epochs in rounds:
                    if not (seen.ended or cut):
                        seen.begin(epochs, snapshots)
                        flow, cut = self._trained(flow, rows, seen, rng, threads)
            if seen.thetas:
                log_p, thetas = np.array(seen.log_p), np.array(seen.thetas)
                return Fit(seen.density, log_p, thetas, flow, seen.epochs, seen.ended, cut)
            if flow is None or not cut:  # it diverged before the first snapshot
                flow = simple.student_of_present(rows) if self.clamped else simple.student(rows)
            density = own.restored(flow)
            return Fit(density, log_prob(density, fold.held_out, threads)[None], cut=cut)

    def _trained(
        self, flow: TransformedDistribution, rows: Sample, seen: Snapshots, rng, threads
    ) -> tuple[TransformedDistribution, bool]:
        """(the flow after one more round; whether the time ended it)."""
        equal = (rows.weight == rows.weight[0]).all()
        try:
            flow, history = fit(
                flow,
                rows.x,
                epochs=seen.planned,
                rng=rng,
                context=rows.context,
                threads=threads,
                sample_weight=None if equal else rows.weight,
                validation_split=0,
                batch_size=batch_size_for(round(len(rows) / rows.times)),
                callbacks=[seen],
            )
        except TrainingDivergedError as error:
            history, seen.ended = error.history, True
        if history.interrupted and time.monotonic() <= limit():
            raise KeyboardInterrupt  # ends all fits, not one
        return flow, history.interrupted

    def _untrained(self, rows: Sample, rng, n_modes: int, shrink: bool) -> TransformedDistribution:
        context_dim = 0 if rows.context is None else rows.context.shape[1]
        # what is standardised has been standardised
        options = {"context_dim": context_dim, "standardize": False, "standardize_context": False,
                   "dtype": np.float32}  # fmt: skip
        if self.modes:
            options["base"] = simple.modes(rows, rng, n_modes, self.clamped)
        if self.bins:
            options["bins"] = self.bins
        flow = self.recipe(rows.x.shape[1], rng=rng, **options)
        if isinstance(flow.base, StudentT) and flow.base.trainable:
            light = np.any(rows.light) if self.white else rows.light
            base = flow.base.with_params(np.where(light, LOG_DF_OF_NORMAL, flow.base.params))
            flow = TransformedDistribution(base, flow.bijector)
        if self.white:
            axes = simple.gaussian(rows, shrink=shrink).bijector
            if context_dim:
                of_context = Whiten(context_dim).initialize_from_context(
                    near(rows.context, rows.weight)
                )
                flow = with_standardized_context(flow, of_context)
            flow = TransformedDistribution(flow.base, Chain([axes, flow.bijector]))
        if self.clamped:
            base = ClampedBase(flow.base, context_dim)
            flow = TransformedDistribution(base, Clamped(flow.bijector, context_dim))
        return flow

    def with_bins_for(self, n: int) -> FlowCandidate:
        """The same for a table of n rows; a third of its costs grows with the bins."""
        if not self.bins:
            return self
        grown = (2 * self.bins + bins_for(n)) / (3 * self.bins)
        return replace(self, bins=bins_for(n), cost=tuple(grown * part for part in self.cost))

    def milliseconds(self, dim: int, batch_size: int, context_dim: int = 0) -> float:
        """Milliseconds of one update."""
        fixed, _, per_row, per_number = self.cost
        of_parameters = self.nbytes(dim, context_dim) / 8 * PER_PARAMETER
        of_rows = batch_size * (per_row + per_number * self._size(dim))
        return FLOAT32 * (of_parameters + fixed + of_rows)

    def nbytes(self, dim: int, context_dim: int = 0) -> float:
        """About the memory of its parameters in float64, from what an update costs per D."""
        times = 1 + max(0, context_dim - WIDE_CONTEXT) / dim
        return 8 * self.cost[1] * self._size(dim) * times / PER_PARAMETER

    def _size(self, dim: int) -> float:
        return dim * max(1.0, dim / WIDTH) if self.widens else dim


class Snapshots:
    """A callback of `fit`: at regular epochs it keeps the parameters, and log p of the held-out
    rows; it stops a round when that has not improved for PATIENCE epochs of it.

    A fold may hold out only a dozen rows: their best epoch is luck, and their log-density there is
    too high. So all folds take the snapshot that is best for all of them together.
    """

    def __init__(self, fold: Fold, before: Fit | None = None):
        self.fold, self.density = fold, before and before.density
        self.thetas = list(before.thetas) if before else []
        self.log_p = list(before.log_p) if before else []
        self.epochs = before.epochs if before else 0
        self.ended = before is not None and before.ended

    def begin(self, epochs: int, snapshots: int) -> None:
        """A round of about so many epochs; of rows with copies, of as many updates as of rows
        without."""
        epochs = max(1, round(epochs / self.fold.training.times))
        self.every = -(-epochs // snapshots)
        self.planned = -(-epochs // self.every) * self.every
        self.scores = []

    def __call__(self, report) -> bool:
        if (report.epoch + 1) % self.every:
            return False
        self.epochs += self.every
        self.thetas.append(report.flow.params.astype(np.float32))  # half of the memory, of a file
        density = self.fold.restored(report.flow)
        self.density = density.with_params(self.thetas[-1].astype(float))
        self.log_p.append(log_prob(self.density, self.fold.held_out))
        weight = self.fold.held_out.weight
        self.scores.append(floored(self.log_p[-1], weight) @ weight)
        worse = len(self.scores) - 1 - int(np.argmax(self.scores))
        self.ended = worse * self.every * self.fold.training.times >= PATIENCE
        return self.ended


def log_prob(density: Distribution, rows: Sample, threads: int | None = None) -> np.ndarray:
    """log p of the rows, (n,); for rows with holes, of the cells that they have."""
    of = evaluated(density, threads)
    if rows.drawn is None:
        return of(rows.x, rows.context)
    return rows.drawn.log_marginal(of, rows.context)


def evaluated(density: Distribution, threads: int | None = None) -> Callable:
    """log p of rows x (n, D), given their context if the density reads one, as a function."""

    def log_prob(x, context):
        context = context if density.context_dim else None
        log_p = density.log_prob(x, threads=threads, context=context)
        return np.maximum(log_p.astype(float), LEAST)

    return log_prob


def floored(log_p: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """log p of rows (n,), the lowest ones raised, so that no distant row decides alone."""
    return np.maximum(log_p, quantiles(log_p, weight, LOWEST) - BELOW)


affine = partial(maf, base="student_t", activation="tanh")  # with tails, as that of `nsf`
spline = partial(nsf, activation="tanh")
FLOWS = {
    "spline": FlowCandidate("spline flow", spline, (1.2, 0.09, 0.002, 0.002), bins=BINS),
    "margins": FlowCandidate("spline flow of margins", spline, (1.2, 0.09, 0.002, 0.002),
                             bins=BINS, margins=True),
    "modes": FlowCandidate("spline flow of modes", partial(spline, layers=2),
                           (0.8, 0.05, 0.002, 0.001), bins=BINS, modes=True, margins=True),
    "white": FlowCandidate("affine flow, white", partial(affine, layers=3),
                           (0.5, 0.015, 0.003, 0.0002), white=True),
    "small": FlowCandidate("small affine flow", partial(affine, layers=3, hidden=[32]),
                           (0.3, 0.01, 0.001, 0.0001), widens=False),
    "small_modes": FlowCandidate("small affine flow of modes",
                                 partial(affine, layers=2, hidden=[32]),
                                 (0.3, 0.007, 0.001, 0.0001), modes=True, margins=True,
                                 widens=False),
    "white_spline": FlowCandidate("spline flow, white", spline, (1.2, 0.09, 0.002, 0.002),
                                  bins=BINS, white=True),
}  # fmt: skip
AFFINE = FlowCandidate("affine flow", affine, (0.5, 0.015, 0.003, 0.0002))  # if it is asked for
KNOWN = {**FLOWS, "affine": AFFINE}
OF_CLAMPED = "spline", "modes", "small"  # others mix columns
COST = FLOWS["spline"].cost  # of a flow that nobody has measured


def as_candidates(flow, dim: int, context_dim: int, clamped: bool = False) -> list[FlowCandidate]:
    """The flows to try; flow: the argument of `FlowDensity`."""
    if isinstance(flow, TransformedDistribution):
        if (flow.dim, flow.context_dim) != (dim, context_dim):
            raise ValueError(
                f"flow has dim={flow.dim} and context_dim={flow.context_dim}, but the data have "
                f"{dim} and {context_dim}"
            )
        flows = [FlowCandidate("your flow", partial(_own, flow), COST)]
    elif is_auto(flow):
        flows = [FLOWS[name] for name in (OF_CLAMPED if clamped else FLOWS)]
    elif isinstance(flow, str) and flow in KNOWN:
        flows = [KNOWN[flow]]
    else:
        known = ", ".join([AUTO, *KNOWN])
        raise ValueError(f"flow must be one of {known}, or a TransformedDistribution: got {flow!r}")
    return [replace(one, clamped=True, margins=False) for one in flows] if clamped else flows


def angles_in(flow, dim: int) -> np.ndarray:
    """Which columns of a flow of the user's are angles, (D,); False for a name, or another D."""
    if not isinstance(flow, TransformedDistribution) or flow.dim != dim:
        return np.array(False)
    from ..conditionals.angles import OneTurn

    context = np.zeros((1, flow.context_dim)) if flow.context_dim else None
    with without_warnings():  # no warning: it is not fitted yet
        return OneTurn.of(flow, context).angle


def _own(flow, dim, **options) -> TransformedDistribution:
    return flow
