"""`fit_matching`: a continuous flow by regression on straight paths (conditional flow matching).

    minimise  E |v(x_t, t) - (x - z)|^2 / D,     x_t = (1 - t) z + t x,   t ~ U(0, 1)

over pairs of a base draw z and a row x. The best v is E[x - z | x_t], and its flow moves the base
to the data (Lipman et al. 2023). Training evaluates no density, and solves no equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..bijectors import (
    Bijector,
    Chain,
    ContinuousFlow,
    Invert,
    Permute,
    Standardize,
    StandardizeContext,
)
from ..core import Plan, imported
from ..core.inputs import check_dim, positive
from .checks import check_flow
from .defaults import resolved
from .fit import fit
from .history import EpochReport, History
from .loss import Loss, NotFinite, Objective
from .table import Rows, evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..distributions import TransformedDistribution

# what "auto" stands for, chosen on `pinwheel` and `ring`, 2,000 rows
EPOCHS_TIMES = 4  # as many epochs as `fit` makes: a regression on noise learns slowly
BATCH, LEARNING_RATE = 256, 5e-3
VALIDATION = 2_000  # pairs, always the same, by which the best epoch is chosen
EXAMINED = 500  # rows that choose the grid, or whose exact NLL is computed
PAIRINGS = ("random", "optimal")


class Pairs(NamedTuple):
    """Base draws z and rows x (n, D), times t (n,), the rows' context and their weights."""

    z: np.ndarray
    x: np.ndarray
    t: np.ndarray
    context: np.ndarray | None
    weight: np.ndarray


class Path(NamedTuple):
    """A flow that `fit_matching` trains: base -> continuous -> end -> data.

    end       parts without parameters at the data end
    context   the standardisation of the context, or None
    """

    continuous: ContinuousFlow
    end: Bijector
    context: Standardize | None

    @classmethod
    def of(cls, flow) -> Path:
        """Errors: ValueError for a flow of another kind."""
        steps = flow.bijector.steps("inverse") if hasattr(flow, "bijector") else [(None, None)]
        *end, (last, way) = steps
        context = None
        if isinstance(last, StandardizeContext):
            last, context = last.bijector, last.standardize
        if (
            not isinstance(last, ContinuousFlow)
            or way != "inverse"
            or flow.n_params > last.n_params
            or any(part.context_dim for part, _ in end)
            or getattr(flow.base, "context_dim", 0)
        ):
            raise ValueError(
                "fit_matching takes a ContinuousFlow over a base without parameters, and towards "
                "the data only parts without parameters, such as a Standardize (see "
                f"flows.continuous): got {flow!r:.200}"
            )
        end = [part if way == "inverse" else Invert(part) for part, way in end]
        return cls(last, Chain(end) if end else Permute(range(flow.dim)), context)


class Matching(Loss):
    """The mean squared distance of v from x - z, per coordinate: the loss of `fit_matching`.

    flow      initialised, see `Path`
    table     the rows, see `Table`; None if only single batches are evaluated
    seed      of base draws and times: those of a batch depend on its epoch and number, so that
              a resumed run draws the same
    pairing, tolerance, nll_every   see `fit_matching`
    """

    def __init__(
        self, flow, table=None, penalty=None, *, seed: int = 0, pairing: str = "random",
        tolerance: float = 1e-4, nll_every: int = 25,
    ):  # fmt: skip
        super().__init__(flow, penalty)
        self.path, self._seed, self._plans, self._fixed = Path.of(flow), seed, {}, []
        self._optimal, self._tolerance, self._every = pairing == "optimal", tolerance, nll_every
        self.options, self.callbacks = {"pairing": pairing}, [self._note_nll]
        if table is not None:
            # batches of about one size: an update by a few rows left is all noise
            self.n_batches = table.batches_per_epoch
            self.batch_size = math.ceil(len(table.rows) / self.n_batches)
            self._table = replace(table, batch_size=self.batch_size)
            self.validated = table.validation is not None

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator[Pairs]:
        """The training rows, each with a base draw and a time."""
        for k, rows in enumerate(self._table.batches(rng, first), first):
            yield self.pairs(rows, epoch, k)

    def pairs(self, rows: Rows, *seed: int) -> Pairs:
        """Rows with base draws and times. The times are stratified: one in each n-th of [0, 1]."""
        rng, path, n = np.random.default_rng([self._seed, *seed]), self.path, len(rows.x)
        if self._optimal and rows.weight is not None:  # an assignment would weight the draws, too
            p = rows.weight / rows.weight.sum()
            rows = rows.take(rng.choice(n, n, p=p))._replace(weight=np.full(n, rows.weight.mean()))
        x = path.end.inverse(rows.x)
        z = np.asarray(self.flow.base.sample(n, rng), float)
        if self._optimal:
            z = z[closest(z, x)]
        t = (rng.permutation(n) + rng.random(n)) / n
        context = rows.context if path.context is None else path.context.inverse(rows.context)
        weight = np.ones(n) if rows.weight is None else rows.weight
        return Pairs(z, x, t, context, weight)

    def value_and_gradient(self, theta, pairs: Pairs) -> tuple[float, np.ndarray]:
        """(the loss of a batch, its gradient): one pass of the network, and one back."""
        self.weight = float(pairs.weight.sum())
        w = pairs.weight / (self.weight * self.flow.dim)
        plan, error = self._run(theta, pairs, tape=True)
        value = float(np.einsum("dn,dn,n", error, error, w))
        if not math.isfinite(value):
            raise NotFinite(f"the matching loss is {value}", "are all rows finite in its dtype?")
        return value, plan.gradient((2 * w * error).astype(theta.dtype, copy=False))[0]

    def validation(self, theta) -> tuple[float, float] | None:
        """The loss of the validation rows, always with the same draws, and its standard error."""
        if not self.validated:
            return None
        if not self._fixed:
            blocks = [part for rows in self._table.validation for part in self._cut(rows)]
            times = math.ceil(VALIDATION / sum(len(rows.x) for rows in blocks))
            self._fixed = [
                self.pairs(rows, 2**32, time, k)  # no epoch has this number
                for time in range(times)
                for k, rows in enumerate(blocks)
            ]
        return self._value_and_error(theta, self._fixed)

    def _cut(self, rows: Rows) -> list[Rows]:
        """For an assignment in pieces like batches: its cost grows with their cube."""
        n = len(rows.x)
        size = self.batch_size if self._optimal else n
        return [rows.take(part) for part in np.split(np.arange(n), range(size, n, size))]

    def first_batch(self, theta) -> tuple[float, float]:
        """The same of the first batch, in the order of the data."""
        rows = next(self._table.batches(None))
        return self._value_and_error(theta, [self.pairs(rows, 2**32, 2**32, 0)])

    def _note_nll(self, report: EpochReport) -> None:
        nll = report.history.settings.setdefault("nll", {})
        if (report.epoch + 1) % self._every == 0:
            nll[report.epoch + 1] = self._nll(report.flow)

    def _nll(self, flow) -> float:
        held_out = self._table.validation
        rows = _some(self._first_rows if held_out is None else next(iter(held_out)))
        context = {} if rows.context is None else {"context": rows.context}
        return -float(np.mean(flow.log_prob(rows.x, **context)))

    @property
    def _first_rows(self) -> Rows:
        """Training rows, each as often as its weight demands."""
        return self._table.initial_rows()._replace(weight=None)

    def finished(self, flow, history: History):
        """The flow on a grid that is fine enough for its training rows; and its exact NLL."""
        flow = with_tolerance(flow, _some(self._first_rows), self._tolerance)
        history.settings["n_steps"] = Path.of(flow).continuous.n_steps
        history.settings.setdefault("nll", {})[len(history.train_nll)] = self._nll(flow)
        return flow, history

    def _value_and_error(self, theta, blocks: Sequence[Pairs]) -> tuple[float, float]:
        errors = [self._run(theta, pairs, tape=False)[1] for pairs in blocks]
        values = np.concatenate([np.mean(error.astype(float) ** 2, axis=0) for error in errors])
        w = np.concatenate([pairs.weight for pairs in blocks])
        w = w / w.sum()
        mean = float(w @ values)
        return mean, math.sqrt(np.dot(w * w, (values - mean) ** 2))

    def _run(self, theta, pairs: Pairs, tape: bool):
        """(the network's plan, v - (x - z) (D, n))."""
        net, kind = self.path.continuous.velocity, (len(pairs.x), tape)
        if kind not in self._plans:
            self._plans[kind] = Plan(net, "phi", len(pairs.x), theta.dtype, tape, inputs_bar=False)
        plan, t = self._plans[kind], pairs.t[:, None]
        x_t = pairs.z + t * (pairs.x - pairs.z)
        plan.load(theta, pairs.context)
        inputs = np.concatenate([x_t, self.path.continuous.time_features(pairs.t)], axis=1)
        (v,) = plan(inputs)
        return plan, v - (pairs.x - pairs.z).T


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
    nll_every: int = 25,
    **options: Any,
) -> tuple[TransformedDistribution, History]:
    """Fit a continuous flow to rows by flow matching; returns (new_flow, history).

        minimise over theta   E |v(x_t, t; theta) - (x - z)|^2 / D,     x_t = (1 - t) z + t x

    over rows x, draws z of the base and uniform times t. Loop, batches, checkpoints, interrupts and
    divergence are those of `fit`, but the loss differs: history.train_nll and .val_nll are this
    loss, not a negative log-likelihood, and it does not fall to 0 (x - z is not a function of x_t).
    So every `nll_every` epochs, and at the end, the exact NLL of at most 500 validation rows is
    computed: history.settings["nll"] is {epochs done: NLL in nats} (after a resumption only the
    later ones).

    After training, `ContinuousFlow.with_tolerance` chooses the grid of the solver for 500 training
    rows; the grid is part of the flow, and of its file.

    Errors: as for `fit`; ValueError unless the flow is a `ContinuousFlow` over a base without
    parameters, followed only by parts without parameters. Cost of an epoch: one pass of the
    velocity's network forward and back for every row, and one forward pass for each validation row
    (at least 2,000 pairs). pairing="optimal" also costs the cube of the batch size.

    Parameters
    ----------
    flow : TransformedDistribution
        A continuous flow, such as `flows.continuous(D)`.
    X : array_like
        As in `fit`.
    pairing : str
        The pairing of rows with base draws. "random"; or "optimal": the pairing within a batch that
        has the least sum of squared distances. Its paths cross less, so that the loss is less noisy
        and trajectories are straighter (Tong et al. 2024). "optimal" takes no context: the draws of
        a row would no longer be independent of its context. With "optimal", each batch draws
        weighted and repeated rows by their weights.
    tolerance : float
        Largest error of the solver, in units of the standardised rows, and in nats.
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
    own = {
        "pairing": pairing,
        "tolerance": positive("tolerance", tolerance),
        "nll_every": check_dim("nll_every", nll_every),
    }

    def loss(flow, table, penalty, threads, rng):
        return Matching(flow, table, penalty, seed=int(rng.integers(2**32)), **own)

    auto = partial(resolved, times=EPOCHS_TIMES, batch_of=lambda n: BATCH, rate=LEARNING_RATE)
    return fit(flow, X, objective=Objective(loss, auto), **options)


def with_tolerance(flow, rows: Rows, tolerance: float):
    """The flow with a grid fine enough for these rows, see `ContinuousFlow.with_tolerance`."""
    continuous, end, standardize = Path.of(flow)
    context = rows.context if standardize is None else standardize.inverse(rows.context)
    on_a_grid = continuous.with_tolerance(end.inverse(rows.x), tolerance, context)
    return flow.rebuilt({id(continuous): on_a_grid})


def _some(rows: Rows) -> Rows:
    """At most EXAMINED of the rows, evenly spaced, each as often as its weight demands."""
    n = len(rows.x)
    return rows.take(evenly_spaced(min(EXAMINED, n), n, rows.weight))
