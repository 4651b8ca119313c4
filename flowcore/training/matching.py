"""`fit_matching`: a continuous flow by regression on straight paths (conditional flow matching).

    minimise  E |v(x_t, t) - (x - z)|^2 / D,     x_t = (1 - t) z + t x,   t ~ U(0, 1)

over pairs of a base draw z and a row x. The best v is E[x - z | x_t], and its flow moves the base
to the data (Lipman et al. 2023). Training evaluates no density, and solves no equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..bijectors import Bijector, ContinuousFlow, Permute, Standardize, StandardizeContext
from ..core import Plan, imported
from ..core.inputs import check_dim, positive
from ..core.rows import Rows
from .checks import check_flow
from .defaults import EPOCHS_OF_MATCHING, epochs_for
from .fit import fit
from .history import EpochReport, History
from .loss import NO_EPOCH, MeanLoss, NotFinite, Objective
from .table import evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..distributions import TransformedDistribution

# what "auto" stands for, chosen on `pinwheel` and `ring`, 2,000 rows
BATCH, LEARNING_RATE = 256, 5e-3
VALIDATION = 1_000  # pairs, always the same, by which the best epoch is chosen
EXAMINED = 500  # rows that choose the grid, or whose exact NLL is computed
PAIRINGS = ("random", "optimal")


class Path(NamedTuple):
    """A flow that `fit_matching` trains: base -> continuous -> end -> data.

    end   the bijector of the flow, with the identity in place of the continuous flow
    context   the mean and scale of a StandardizeContext around the continuous flow, or None
    """

    continuous: ContinuousFlow
    end: Bijector
    context: Standardize | None

    @classmethod
    def of(cls, flow) -> Path:
        """Errors: ValueError for a flow of another kind."""
        steps = flow.bijector.steps("inverse") if hasattr(flow, "bijector") else [(None, None)]
        (last, way), context = steps[-1], None
        if isinstance(last, StandardizeContext):
            last, context = last.bijector, last.standardize
        if (
            not isinstance(last, ContinuousFlow)
            or way != "inverse"
            or flow.n_params > last.n_params
            or getattr(flow.base, "context_dim", 0)
        ):
            raise ValueError(
                "fit_matching takes a ContinuousFlow over a base without parameters, and towards "
                "the data only parts without parameters, such as a Standardize (see "
                f"flows.continuous): got {flow!r:.200}"
            )
        return cls(last, flow.bijector.rebuilt({id(last): Permute(range(flow.dim))}), context)

    def ends(self, rows: Rows) -> Rows:
        """Where the paths to these rows end, and the context as the continuous flow reads it."""
        context = rows.context if self.context is None else self.context.inverse(rows.context)
        return Rows(self.end.inverse(rows.x, context=rows.context), rows.weight, context)


class Pairs(NamedTuple):
    """Points of n paths, at which the velocity is to be `target`.

    inputs    what the network reads beside the context: x_t and the features of t, (n, D + 1 + 2 F)
    target    x - z (n, D)
    """

    inputs: np.ndarray
    context: np.ndarray | None
    target: np.ndarray
    weight: np.ndarray


class Matching(MeanLoss):
    """The mean squared distance of v from x - z, per coordinate: the loss of `fit_matching`.

    flow      initialised, see `Path`; penalty   see `Loss`; table   see `MeanLoss`
    threads   not used: batches are small
    rng       decides a seed. Base draws and times of a batch depend on it and on the epoch and
              number of the batch, so that a resumed run draws the same
    pairing, tolerance, nll_every   see `fit_matching`
    """

    learning_rate = LEARNING_RATE

    @staticmethod
    def batch_size_for(n: int) -> int:
        """Rows of a batch, for any number of rows."""
        return BATCH

    @staticmethod
    def epochs_for(n: int) -> int:
        """Passes over n rows."""
        return EPOCHS_OF_MATCHING * epochs_for(n)

    def __init__(
        self, flow, table=None, penalty=None, threads=None, rng=0, *, pairing: str = "random",
        tolerance: float = 1e-4, nll_every: int = 100,
    ):  # fmt: skip
        if table is not None:
            # batches of about one size: an update by a few rows left is all noise
            size = math.ceil(len(table.rows) / table.batches_per_epoch)
            table = replace(table, batch_size=size)
        super().__init__(flow, penalty, table)
        self.path, self._seed = Path.of(flow), int(np.random.default_rng(rng).integers(2**32))
        self._plans: dict[int, Plan] = {}
        self._optimal, self._tolerance, self._every = pairing == "optimal", tolerance, nll_every
        self.options = {"pairing": pairing, **self.options}
        self.callbacks = [self._note_nll]

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator[Pairs]:
        """The training rows, each with a base draw and a time."""
        for k, rows in enumerate(self._table.batches(rng, epoch, first), first):
            yield self.pairs(rows, epoch, k)

    def pairs(self, rows: Rows, *seed: int) -> Pairs:
        """Rows with base draws and times. The times are stratified: one in each n-th of [0, 1]."""
        rng, n = np.random.default_rng([self._seed, *seed]), len(rows.x)
        if self._optimal and rows.weight is not None:  # an assignment would weight the draws, too
            p = rows.weight / rows.weight.sum()
            rows = rows.take(rng.choice(n, n, p=p))._replace(weight=np.full(n, rows.weight.mean()))
        ends = self.path.ends(rows)
        z = np.asarray(self.flow.base.sample(n, rng), float)
        if self._optimal:  # in pieces like batches: the cost grows with their cube
            size = self.batch_size or n
            for part in np.split(np.arange(n), range(size, n, size)):
                z[part] = z[part][closest(z[part], ends.x[part])]
        t, target = (rng.permutation(n) + rng.random(n)) / n, ends.x - z
        features = self.path.continuous.time_features(t)
        inputs = np.hstack([z + t[:, None] * target, features])
        weight = np.ones(n) if ends.weight is None else ends.weight
        return Pairs(inputs, ends.context, target, weight)

    @cached_property
    def held_out(self) -> list[Pairs]:
        """The validation rows, always with the same draws."""
        blocks = [*self._table.validation]
        times = math.ceil(VALIDATION / sum(len(rows.x) for rows in blocks))
        return [self.pairs(rows, NO_EPOCH, k) for k, rows in enumerate(blocks * times)]

    def values(self, theta, pairs: Pairs) -> np.ndarray:
        """The mean squared distance of each pair."""
        v = self.path.continuous.velocity(pairs.inputs, theta, pairs.context)
        return np.mean((v - pairs.target) ** 2, axis=1)

    def value_and_gradient(self, theta, pairs: Pairs) -> tuple[float, np.ndarray]:
        """(the loss of a batch, its gradient): one pass of the network, and one back."""
        net, n = self.path.continuous.velocity, len(pairs.target)
        if n not in self._plans:
            self._plans[n] = Plan(net, "phi", n, theta.dtype, tape=True, inputs_bar=False)
        plan = self._plans[n]
        plan.load(theta, pairs.context)
        (v,) = plan(pairs.inputs)
        error, self.weight = v - pairs.target.T, float(pairs.weight.sum())
        w = pairs.weight / (self.weight * self.flow.dim)
        value = float(np.einsum("dn,dn,n", error, error, w))
        if not math.isfinite(value):
            raise NotFinite(f"the matching loss is {value}", "are all rows finite in its dtype?")
        return value, plan.gradient((2 * w * error).astype(theta.dtype, copy=False))[0]

    def _note_nll(self, report: EpochReport) -> None:
        if (report.epoch + 1) % self._every == 0:
            self._note(report.flow, report.history)

    def _note(self, flow, history: History) -> None:
        rows = self._some(held_out=self.validated)
        nll = -float(np.mean(flow.log_prob(rows.x, context=rows.context)))
        history.settings.setdefault("nll", {})[len(history.train_nll)] = nll

    def finished(self, flow, history: History):
        """The flow on the grid that is good for its training rows; and its exact NLL."""
        path = Path.of(flow)
        ends = path.ends(self._some(held_out=False))
        on_a_grid = path.continuous.with_tolerance(ends.x, self._tolerance, ends.context)
        flow = flow.rebuilt({id(path.continuous): on_a_grid})
        history.settings["n_steps"] = on_a_grid.n_steps
        self._note(flow, history)
        return flow, history

    def _some(self, held_out: bool) -> Rows:
        """At most EXAMINED validation or training rows, evenly spaced, each as often as its weight
        requires."""
        table = self._table
        rows = next(iter(table.validation)) if held_out else table.initial_rows()
        n = len(rows.x)
        weight = rows.weight if held_out else None  # `initial_rows` are repeated already
        return rows.take(evenly_spaced(min(EXAMINED, n), n, weight))


def closest(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which draw z (n, D) belongs to each row x (n, D), so that the sum of squares is least."""
    cost = np.sum(z**2, axis=1) - 2 * x @ z.T  # and |x|^2, which does not depend on the pairing
    return imported("scipy.optimize").linear_sum_assignment(cost)[1]


def fit_matching(
    flow: TransformedDistribution,
    X: ArrayLike,
    *,
    pairing: str = "random",
    tolerance: float = 1e-4,
    nll_every: int = 100,
    **options: Any,
) -> tuple[TransformedDistribution, History]:
    """Fit a continuous flow to rows by flow matching; returns (new_flow, history).

        minimise over theta   E |v(x_t, t; theta) - (x - z)|^2 / D,     x_t = (1 - t) z + t x

    over rows x, draws z of the base and uniform times t. So training needs no solver. Loop,
    batches, checkpoints, interrupts and divergence are those of `fit`. But history.train_nll and
    .val_nll are this squared distance, not a negative log-likelihood; it does not fall to 0,
    because x - z is not a function of x_t. The exact NLL of at most 500 validation rows is computed
    every `nll_every` epochs, and at the end: history.settings["nll"] is {epochs done: NLL in nats}.

    After training, `ContinuousFlow.with_tolerance` chooses the solver's grid by its error on 500
    training rows; the flow and its file keep this grid.

    Errors: as for `fit`; ValueError unless the flow is a `ContinuousFlow` over a base without
    parameters, followed only by parts without parameters. Cost of an epoch: one pass of the
    velocity's network forward and back for every row, and one forward pass for each validation row
    (at least 1,000 pairs). pairing="optimal" also costs the cube of the batch size.

    Parameters
    ----------
    flow : TransformedDistribution
        A continuous flow, such as `flows.continuous(D)`.
    X : array_like
        As in `fit`.
    pairing : str
        The pairing of rows with base draws. "random"; or "optimal": the pairing within a batch that
        has the least sum of squared distances. The paths of this pairing cross less, so that the
        loss is less noisy and trajectories are straighter (Tong et al. 2024). It takes no context,
        because the draws of a row would depend on its context.
    tolerance : float
        Largest error of the solver. For points: the error of the worst of 500 rows, in units of z.
        For log-densities: the root mean square error over 250 of them, in nats.
    nll_every : int
        Epochs between two exact NLLs.
    **options
        Arguments of `fit`, with other defaults: "auto" is four times as many epochs, batches of 256
        rows, and a learning rate of 5e-3. Batches have about equal sizes, at most `batch_size`.

    Returns
    -------
    flow, history : TransformedDistribution, History
        The flow of the best epoch, on its grid, and what happened.

    References
    ----------
    Lipman, Chen, Ben-Hamu, Nickel, Le, "Flow matching for generative modeling", 2023, eq. 23; Tong
    et al., "Improving and generalizing flow-based generative models with minibatch optimal
    transport", 2024.

    Examples
    --------
    >>> from flowcore import flows
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(300, 2))
    >>> flow, history = fit_matching(flows.continuous(2, hidden=[16] * 3), X, epochs=3)
    >>> len(history.train_nll), flow.sample(4, rng=0).shape
    (3, (4, 2))
    """
    check_flow(flow)
    if pairing not in PAIRINGS:
        raise ValueError(f"pairing must be one of {PAIRINGS}, not {pairing!r:.40}")
    if pairing == "optimal" and options.get("context") is not None:
        raise ValueError(
            'pairing="optimal" takes no context: it would pair draws by their context; use "random"'
        )
    Path.of(flow)
    loss_of = partial(
        Matching.of_rows, pairing=pairing, tolerance=positive("tolerance", tolerance),
        nll_every=check_dim("nll_every", nll_every),
    )  # fmt: skip
    return fit(flow, Objective(X, loss_of), **options)
