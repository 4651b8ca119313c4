"""`fit_matching`: a continuous flow by regression on straight paths (conditional flow matching).

    minimise  E || v(x_t, t) - (x - z) ||^2,     x_t = (1 - t) z + t x,   t ~ U(0, 1)

over pairs of a base draw z and a row x. The best v is E[x - z | x_t], whose flow takes the base to
the data (Lipman et al. 2023): no density is evaluated, and no path is solved for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from autograd.core import make_vjp

from ..bijectors import Chain, ContinuousFlow
from ..core.inputs import column_labels
from ..distributions import Normal, TransformedDistribution
from .checks import check_checkpoint, check_flow, check_options, check_scales
from .defaults import is_auto, resolved
from .history import EpochReport, History
from .loop import train
from .loss import Loss, NotFinite
from .optim import LearningRate, Optimizer, as_optimizer, scheduled
from .resume import Checkpoint
from .resume.fingerprint import fingerprint_of
from .run import Run
from .table import as_rows, as_training_table, merged

if TYPE_CHECKING:
    from os import PathLike

    from ..core.typing import ArrayLike, Context, Seed

EPOCHS_TIMES = 4  # as many passes as `fit` makes: a regression on noise learns slowly
VALIDATION = 10_000  # pairs, always the same, by which the best epoch is chosen
GRIDS, TOLERANCE, TRIED = (5, 10, 20, 40, 80, 160), 1e-4, 500  # steps; error of x and of log p


class Pairs(NamedTuple):
    """Base draws z and rows x (n, D), times t (n, 1), the context and weights of the rows."""

    z: np.ndarray
    x: np.ndarray
    t: np.ndarray
    context: np.ndarray | None
    weight: np.ndarray | None


class Matching(Loss):
    """Mean squared distance of v from x - z, by coordinate: what `fit_matching` minimises.

    flow     a TransformedDistribution over a Normal, initialised: a ContinuousFlow, and at the data
             end parts without parameters (see `split_flow`)
    table    the rows, see `Table`
    seed     of base draws and times
    pairing  "random" or "optimal", see `fit_matching`
    """

    def __init__(self, flow, table, penalty=None, seed: int = 0, pairing: str = "random"):
        super().__init__(flow, penalty)
        self._continuous, self._end = split_flow(flow)
        self._table, self._seed, self._optimal = table, seed, pairing == "optimal"
        self.batch_size, self.n_batches = table.batch_size, table.batches_per_epoch
        self.validated = table.validation is not None
        self._fixed: list = []

    def batches(self, rng, epoch: int, first: int = 0) -> Iterator[Pairs]:
        """The training rows, each with a base draw and a time of the batch's own seed."""
        for k, rows in enumerate(self._table.batches(rng, first), first):
            yield self._pairs(rows, epoch, k)

    def _pairs(self, rows, *seed: int) -> Pairs:
        rng = np.random.default_rng([self._seed, *seed])
        x = rows.x if self._end is None else self._end.inverse(rows.x)
        x = np.asarray(x, self.flow.dtype)
        z = rng.standard_normal(x.shape).astype(x.dtype)
        if self._optimal:
            z = z[_optimal(z, x)]
        # times in strata: their mean error is smaller
        t = (rng.permutation(len(x)) + rng.random(len(x)))[:, None] / len(x)
        return Pairs(z, x, t.astype(x.dtype), rows.context, rows.weight)

    def value_and_gradient(self, theta, pairs: Pairs) -> tuple[float, np.ndarray]:
        """(the loss of a batch, its gradient): one pass of the network and one back."""
        self.weight = float(len(pairs.x) if pairs.weight is None else pairs.weight.sum())
        net, found = self._continuous.velocity, []

        def velocity(params):
            return net(self._features(pairs), params, pairs.context)

        vjp, v = make_vjp(velocity, theta)
        apart = v - (pairs.x - pairs.z)
        w = np.full(len(v), 1 / len(v)) if pairs.weight is None else pairs.weight / self.weight
        found = float(w @ np.mean(apart**2, axis=1))
        if not math.isfinite(found):
            raise NotFinite(f"the matching loss is {found}", "are the rows finite?")
        gradient = vjp(2 * w[:, None].astype(v.dtype) * apart / v.shape[1])
        return found, np.asarray(gradient, theta.dtype)

    @staticmethod
    def _features(pairs: Pairs) -> np.ndarray:
        return np.concatenate([(1 - pairs.t) * pairs.z + pairs.t * pairs.x, pairs.t], axis=1)

    def validation(self, theta) -> tuple[float, float] | None:
        """The loss of the validation rows, always with the same draws, and its standard error."""
        if not self.validated:
            return None
        if not self._fixed:
            blocks = list(self._table.validation)
            n = sum(len(rows.x) for rows in blocks)
            times = max(1, math.ceil(VALIDATION / n))
            self._fixed = [self._pairs(rows, 2**32, k, j) for j in range(times)
                           for k, rows in enumerate(blocks)]  # fmt: skip
        return self._value_and_error(theta, self._fixed)

    def first_batch(self, theta) -> tuple[float, float]:
        """The same of the first batch, in the order of the data."""
        rows = next(self._table.batches(None))
        return self._value_and_error(theta, [self._pairs(rows, 2**32 + 1)])

    def _value_and_error(self, theta, blocks) -> tuple[float, float]:
        net, values, weights = self._continuous.velocity, [], []
        for pairs in blocks:
            v = net(self._features(pairs), theta, pairs.context)
            values.append(np.mean((v - pairs.x + pairs.z) ** 2, axis=1).astype(float))
            n = len(v)
            weights.append(np.ones(n) if pairs.weight is None else pairs.weight)
        value, w = np.concatenate(values), np.concatenate(weights)
        w = w / w.sum()
        mean = float(w @ value)
        return mean, math.sqrt(np.dot(w * w, (value - mean) ** 2))


def _optimal(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which base draw belongs to each row, so that the sum of squared distances is least."""
    from scipy.optimize import linear_sum_assignment

    cost = np.sum(x**2, axis=1)[:, None] - 2 * x @ z.T + np.sum(z**2, axis=1)
    return linear_sum_assignment(cost)[1]


def split_flow(flow) -> tuple[ContinuousFlow, object]:
    """(the continuous flow, the map from where it ends to the data; None: the identity).

    Errors: ValueError for a flow that is not a Normal, a ContinuousFlow, and at the data end parts
    without parameters.
    """
    bijector = flow.bijector
    parts = [*bijector.parts] if isinstance(bijector, Chain) else [bijector]
    # a Chain lists the part at the data end first
    last = parts[-1]
    good = type(flow.base) is Normal and isinstance(last, ContinuousFlow)
    if not good or any(part.n_params for part in parts[:-1]):
        raise ValueError(
            "fit_matching needs Normal(dim), a ContinuousFlow, and at the data end parts without "
            f"parameters, such as a Standardize: got {flow!r:.120}"
        )
    return last, Chain(parts[:-1]) if len(parts) > 1 else None


def fit_matching(
    flow: TransformedDistribution,
    X: ArrayLike,
    *,
    pairing: str = "random",
    tolerance: float = TOLERANCE,
    epochs: int | str = "auto",
    batch_size: int | str | None = "auto",
    learning_rate: LearningRate | str = "auto",
    optimizer: str | Optimizer = "adam",
    schedule: str = "auto",
    warm_up: int | str = "auto",
    average: float | None = 0.999,
    validation_split: float = 0.1,
    validation_data: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    patience: int | None = None,
    shuffle: bool = True,
    clip_norm: float | None = None,
    sample_weight: ArrayLike | None = None,
    context: Context = None,
    callbacks: Sequence[Callable[[EpochReport], bool | None]] = (),
    progress: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    checkpoint_key: str | None = None,
    penalty: Callable | None = None,
    rng: Seed = 0,
) -> tuple[TransformedDistribution, History]:
    """Fit a continuous flow to rows by flow matching; returns (new_flow, history).

    `fit`'s loop: history.train_nll and .val_nll are the mean squared distance of the velocity from
    x - z, by coordinate, and not a negative log-likelihood; it does not go to 0, and `flow.log_prob`
    of held-out rows is the figure to compare flows by. A batch's base draws and times come from a
    seed of its own. At the end the number of solver steps is the smallest for which 500 training
    rows move, and their log p changes, by less than the tolerance if it is doubled.

    Errors: those of `fit`; ValueError for another flow than `split_flow` takes. Cost of an epoch:
    one pass of the velocity's network and one back for every row.

    Parameters
    ----------
    flow : TransformedDistribution
        Such as `flows.continuous(D)`.
    X, context, sample_weight, validation_split, validation_data :
        As in `fit`.
    pairing : str
        Which base draw a row is paired with: "random", or "optimal" within the batch, the least sum
        of squared distances (Tong et al. 2024), whose paths are straighter. Without a context.
    tolerance : float
        Of the solver, in units of the standardised rows, and nats.
    epochs : int or "auto"
        "auto": four times as many as for `fit`.
    batch_size, learning_rate, optimizer, schedule, warm_up, average, patience, shuffle, clip_norm :
        As in `fit`.
    callbacks, progress, checkpoint, checkpoint_every, checkpoint_key, penalty, rng :
        As in `fit`.

    Returns
    -------
    flow, history : TransformedDistribution, History
        The flow of the best epoch, on its grid, and what happened.

    References
    ----------
    Lipman, Chen, Ben-Hamu, Nickel, Le, "Flow matching for generative modeling", 2023. Tong et al.,
    "Improving and generalizing flow-based generative models with minibatch optimal transport", 2024.

    Examples
    --------
    >>> from flowcore import flows
    >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(300, 2))
    >>> flow, history = fit_matching(flows.continuous(2, hidden=[16]), X, epochs=3)
    >>> len(history.train_nll), flow.sample(4, rng=0).shape
    (3, (4, 2))
    """
    started = time.perf_counter()
    check_flow(flow)
    check_options(epochs, batch_size, validation_split, patience, clip_norm, callbacks, schedule,
                  warm_up, average)  # fmt: skip
    if pairing not in ("random", "optimal") or (pairing == "optimal" and context is not None):
        raise ValueError(f'pairing is "random", or without a context "optimal": got {pairing!r:.40}')
    split_flow(flow)
    if checkpoint is not None:
        check_checkpoint(checkpoint, checkpoint_every)
    rng = np.random.default_rng(rng)
    rng_state, dtype = rng.bit_generator.state, flow.params.dtype
    rows = as_rows(flow.dim, X, context, sample_weight, dtype)
    data = merged(rows)
    n = len(rows.x) if data is rows else len(data.used)
    passes, batch_size, learning_rate = resolved(n, epochs, batch_size, learning_rate, optimizer)
    epochs = EPOCHS_TIMES * passes if is_auto(epochs) else passes
    optimizer = as_optimizer(optimizer, learning_rate)
    table = as_training_table(rows, data, validation_split, validation_data, batch_size, shuffle,
                              rng, column_labels(X), dtype)  # fmt: skip
    if patience is not None and table.validation is None:
        raise ValueError(f"patience={patience} needs validation_split > 0 or validation_data")
    optimizer = scheduled(optimizer, schedule, warm_up, epochs * table.batches_per_epoch)
    first = table.first_look()
    check_scales(flow, first.x, first.context)
    initialized = flow.initialize(first.x, context=first.context, rng=rng)
    loss = Matching(initialized, table, penalty, int(rng.integers(2**32)), pairing)
    run = Run(loss, optimizer, epochs=epochs, average=average, patience=patience,
              clip_norm=clip_norm, rng=rng, started=started)  # fmt: skip
    file = None
    if checkpoint is not None:
        options = {"clip_norm": clip_norm, "penalty": penalty, "pairing": pairing}
        identity = fingerprint_of(flow, table, run, rng_state, checkpoint_key, **options)
        file = Checkpoint(checkpoint, checkpoint_every, run, identity)
    fitted, history = train(run, callbacks, progress, file)
    some = slice(None, None, math.ceil(len(first.x) / TRIED))
    own = None if first.context is None else first.context[some]
    fitted = _on_a_grid(fitted, first.x[some], own, tolerance)
    history.settings["steps"] = split_flow(fitted)[0].steps_of_solver
    return fitted, history


def _on_a_grid(flow, x, context, tolerance: float):
    """The flow with the fewest steps whose results are within the tolerance of twice as many."""
    continuous, end = split_flow(flow)
    y = x if end is None else end.inverse(x)
    y = np.asarray(y, flow.dtype)
    before, steps = None, GRIDS[-1]
    for number in GRIDS:
        z, log_det = continuous.with_steps(number).inverse_and_log_det(y, context=context)
        if before is not None:
            apart = max(np.abs(z - before[0]).max(), np.abs(log_det - before[1]).max())
            if apart < tolerance:
                steps = number // 2
                break
        before = z, log_det
    new = continuous.with_steps(steps)
    parts = [*end.parts, new] if end is not None else [new]
    return TransformedDistribution(flow.base, Chain(parts) if len(parts) > 1 else new)
