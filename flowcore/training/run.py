"""The state of a run: all that changes while a flow is trained, and how training can end.

Everything else (the split, `initialize`) follows from the arguments of `fit`. The random numbers of
an epoch follow from the generator's state at its start. So in the middle of an epoch, a run is
described by this state, the number of batches done, and their running totals.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..core import warn
from .history import EpochReport, History, TrainingDivergedError
from .loss import Loss, NotFinite
from .optim import Average, Optimizer

_NO_BETTER_EPOCH = (
    "no epoch was better than the initial parameters, which are returned: the validation NLL is "
    "{:.6g} there, and {:.6g} after the best epoch. Try a smaller learning_rate, clip_norm, or "
    "more data"
)
_WORSE_AT_THE_END = (
    "training made the flow worse: the loss of the first batch was {:.6g} at the initial "
    "parameters and is {:.6g} at those that are returned. Try a smaller learning_rate, clip_norm, "
    "or more data; with validation data the best parameters are returned"
)
_NOTHING_LEFT = (
    "after the first epoch the loss was no longer finite: the initial parameters are returned. Try "
    "a smaller learning_rate or clip_norm"
)
_NO_FINITE_VALIDATION = (
    "the validation NLL was never finite (are validation rows outside the flow's support?): "
    "returning the parameters of the last epoch"
)


LATEST, FEWEST = 50, 20  # norms whose median is the usual one; how many it needs


class Kept(NamedTuple):
    """Parameters worth keeping: those after `epoch` (-1: before the first), and their val NLL."""

    epoch: int
    nll: float
    theta: np.ndarray


class Run:
    """All that changes while `train` runs. theta changes in place: no other object holds it.

    loss        the loss that is minimised; its flow does not change
    optimizer   see `optim.Optimizer`; average   a decay rate, or None
    epochs      their total number; patience, clip_norm   see `fit`
    rng         the generator of all random numbers
    started     `time.perf_counter()` at the start, from which the history's seconds count

    `with run:` turns an interrupt into `history.interrupted`, and NotFinite into a
    `TrainingDivergedError` with the best parameters that are known to be finite.
    """

    def __init__(
        self, loss: Loss, optimizer: Optimizer, *, epochs: int, rng: np.random.Generator,
        started: float, average=None, patience=None, clip_norm=None,
    ):  # fmt: skip
        self.loss, self.flow, self.optimizer = loss, loss.flow, optimizer
        self.epochs, self.patience, self.clip_norm = epochs, patience, clip_norm
        self.rng, self.started = rng, started
        self.history = History()
        self.history.settings = {
            "epochs": epochs,
            "batch_size": loss.batch_size,
            "optimizer": optimizer,
            "average": average,
            "clip_norm": clip_norm,
        }
        self.theta = np.array(self.flow.params)
        self.state = optimizer.start(self.theta)
        self.average = None if average is None else Average(average, self.theta)
        self.best = self.latest = self.earlier = Kept(-1, math.inf, self.theta.copy())
        # validation NLL of the initial parameters, and its standard error, once computed
        self.initial: tuple[float, float] | None = None
        self.first_nll: float | None = None  # of the first batch, at the initial parameters
        self.epoch = self.batch = 0  # how many of them are done
        self.total = self.weight = 0.0  # of the NLLs in this epoch
        self.norms: list[float] = []  # of the latest gradients, if outlying updates are left out
        self.skipped = 0  # updates that were left out
        self.rng_state = self.rng.bit_generator.state  # at the start of this epoch
        self.reported = True  # the last epoch, to the callbacks
        self.stopped = False  # by a callback, or since nothing is left to gain
        self.seconds = 0.0  # of earlier runs
        # called after every update, epoch and report: whenever all of the above belongs together
        self.after_change: Callable[[], None] | None = None

    @property
    def result(self) -> np.ndarray:
        """The parameters that are validated, kept and returned: theta, or its average."""
        return self.theta if self.average is None else self.average.values

    @property
    def reported_epochs(self) -> int:
        """How many epochs were reported to the callbacks."""
        return self.epoch - (not self.reported)

    # ------------------------------------------------------------ what happens in an epoch

    def goes_on(self) -> bool:
        """Whether there is another epoch to do, or the rest of one."""
        waited = self.epoch - 1 - self.best.epoch
        impatient = self.patience is not None and waited >= self.patience
        return self.epoch < self.epochs and not self.stopped and not impatient

    def begin_epoch(self) -> None:
        """Remember where the epoch starts, unless an earlier run did."""
        if self.latest.epoch != self.epoch - 1:
            now = Kept(self.epoch - 1, math.inf, self.result.copy())
            self.earlier, self.latest = self.latest, now
        self.rng_state = self.rng.bit_generator.state

    def is_outlying(self, gradient: np.ndarray) -> bool:
        """Whether its norm is above `skip_above` times the usual one.

        Its norm counts all the same: after 25 such updates, it is the usual one.
        """
        norm, usual = float(np.linalg.norm(gradient)), self._usual_norm
        self.norms = [*self.norms[1 - LATEST :], norm]
        return norm > self.loss.skip_above * usual

    def leaves_out(self) -> bool:
        """Whether an update that is not finite is left out and training goes on: not if half of the
        last 50 were such. Their norms count as inf."""
        if self.loss.skip_above is None:
            return False
        self.norms = [*self.norms[1 - LATEST :], math.inf]
        return len(self.norms) < FEWEST or self._usual_norm < math.inf

    @property
    def _usual_norm(self) -> float:
        """The median of the last 50; inf if there are too few."""
        return float(np.median(self.norms)) if len(self.norms) >= FEWEST else math.inf

    def step(self, gradient: np.ndarray | None, value: float, weight: float) -> None:
        """One update of theta; `value` is the loss of the batch, without the penalty.

        gradient   None: the update is left out; value   then perhaps NaN
        """
        if gradient is None:
            self.skipped += 1
        else:
            self.state.step(self.theta, gradient)
            if self.average is not None:
                self.average.update(self.theta)
        if math.isfinite(value):
            self.first_nll = value if self.first_nll is None else self.first_nll
            self.total += weight * value
            self.weight += weight
        self.batch += 1
        if self.after_change is not None:
            self.after_change()

    def end_epoch(self, validated: tuple[float, float] | None) -> None:
        """Write the epoch into the history, and keep its parameters if they are the best."""
        best, val_nll = self.best, None if validated is None else validated[0]
        if val_nll is not None and math.isfinite(val_nll) and val_nll < best.nll:
            best = Kept(self.epoch, val_nll, self.result.copy())
        if val_nll is not None:
            self.history.val_nll.append(val_nll)
        self.history.train_nll.append(self.total / self.weight if self.weight else math.nan)
        self.best, self.reported, self.stopped = best, False, self.loss.done
        self.epoch, self.batch, self.total, self.weight = self.epoch + 1, 0, 0.0, 0.0
        self.rng_state = self.rng.bit_generator.state
        if self.after_change is not None:
            self.after_change()

    def report(self, callbacks: Sequence[Callable]) -> None:
        """Call the callbacks for the last epoch, once: they may draw numbers, or return True."""
        if self.reported:
            return
        if not callbacks:
            self.reported = True
            return
        history = self.history
        nll = history.train_nll[-1], history.val_nll[-1] if history.val_nll else None
        report = EpochReport(self.epoch - 1, *nll, history, self.flow, self.result.copy())
        answers = [callback(report) for callback in callbacks]
        stop = any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)
        self.stopped, self.reported = self.stopped or stop, True
        self.rng_state = self.rng.bit_generator.state
        if self.after_change is not None:
            self.after_change()

    # ------------------------------------------------------------ how it ends

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind, problem, traceback) -> bool:
        if isinstance(problem, NotFinite):
            raise self._diverged(problem) from None
        if isinstance(problem, KeyboardInterrupt):
            self.history.interrupted = True
            return True
        return False

    def finish(self):
        """(the new flow, the history).

        With validation rows the flow has the parameters that were best on them, perhaps the initial
        ones. Without validation rows it has the last parameters, or, if the loss of the first batch
        is not finite at the last ones, the latest that are known to be good. A warning follows if
        training ended worse than it began, unless nothing was left to gain.
        """
        kept, problem = self._best_validated()
        if kept is None:
            kept = self._last()
            problem = self._problem(kept)
        if problem and not self.loss.done:
            warn(problem)
        self._close(kept)
        return self.flow.with_params(kept.theta.copy()), self.history

    def _best_validated(self) -> tuple[Kept | None, str]:
        """The best epoch, or the initial parameters if they are better, by more than what is in
        the validation rows by chance; and a warning about that."""
        if self.best.epoch < 0:
            return None, ""
        nll, error = (math.inf, 0.0) if self.initial is None else self.initial
        if self.best.nll > nll + error:
            initial = Kept(-1, nll, np.array(self.flow.params))
            return initial, _NO_BETTER_EPOCH.format(nll, self.best.nll)
        return self.best, ""

    def _last(self) -> Kept:
        """The last parameters, if they and their loss are finite."""
        theta = self.result
        if np.isfinite(theta).all() and math.isfinite(self.loss.first_batch(theta)[0]):
            return Kept(len(self.history.train_nll) - 1, math.inf, theta)
        return self._good

    @property
    def _good(self) -> Kept:
        """Where the latest epoch began of which at least one batch is done: its loss was finite."""
        return self.latest if self.batch > 0 or self.latest.epoch < self.epoch - 1 else self.earlier

    def _problem(self, kept: Kept) -> str:
        """A warning about parameters that were not validated; none before an epoch's end."""
        if self.epoch == 0:
            return ""
        if self.history.val_nll:
            return "" if self.history.interrupted else _NO_FINITE_VALIDATION
        if kept.epoch < 0:
            return _NOTHING_LEFT
        if self.history.train_nll[-1] < self.first_nll:
            return ""
        before, error = self.loss.first_batch(self.flow.params)
        after, _ = self.loss.first_batch(kept.theta)
        if self.loss.penalty is not None:
            before += float(self.loss.penalty(self.flow.params))
            after += float(self.loss.penalty(kept.theta))
        return _WORSE_AT_THE_END.format(before, after) if after > before + error else ""

    def _diverged(self, problem: NotFinite) -> TrainingDivergedError:
        """The error for the caller, with the best parameters that are known to be finite."""
        good = self._best_validated()[0] or self._good
        self.history.settings["diverged"] = f"epoch {self.epoch}, batch {self.batch}: {problem}"
        self._close(good)
        advice = _advice(problem, self.epoch, self.batch, good.epoch)
        flow = self.flow.with_params(good.theta)
        return TrainingDivergedError(advice, self.epoch, self.batch, flow, self.history)

    def _close(self, kept: Kept) -> None:
        history = self.history
        if self.loss.skip_above is not None:
            history.settings["skipped_updates"] = self.skipped
        history.best_epoch = kept.epoch if kept.epoch >= 0 else None
        history.seconds = time.perf_counter() - self.started + self.seconds


def _advice(problem: NotFinite, epoch: int, batch: int, kept: int) -> str:
    what = f"training diverged at epoch {epoch}, batch {batch}: {problem}. "
    if epoch == batch == 0:
        return f"{what}This is before any update: {problem.at_start}"
    return what + (
        "Try a smaller learning_rate, clip_norm, or a log_scale_bound for the flow. The error's "
        f".flow has the {'initial parameters' if kept < 0 else f'parameters of epoch {kept}'}."
    )
