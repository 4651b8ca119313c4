"""The history of a training loop, its report after every epoch, and the error of a divergence."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from io import StringIO
from typing import Any

import numpy as np

from .._imports import imported
from ..files import Record


@dataclass
class History(Record):
    """The record of one `fit`; complete when it returns.

    Parameters
    ----------
    train_nll : list of float
        For every epoch the weighted mean of its batches' NLLs, each computed before the batch's
        update (nats); a penalty is not included.
    val_nll : list of float
        The NLL of all validation rows after the last update of each epoch; empty without validation
        data.
    best_epoch : int
        Index of the epoch whose parameters were returned (without validation data the last one);
        None for the initial parameters.
    seconds : float
        Wall time of the whole `fit`; if it was resumed from a checkpoint, of all its runs.
    interrupted : bool
        True if a KeyboardInterrupt or `max_seconds` ended the fit (the last run of a resumed fit).
    settings : dict
        The options that decided the updates, with a value for each "auto": epochs, batch_size,
        optimizer (with its schedule), average, clip_norm; if rows repeat, the numbers of rows and
        distinct_rows; if training diverged, where and why.

    Examples
    --------
    >>> History(train_nll=[2.0, 1.5], best_epoch=1, seconds=0.25, settings={"batch_size": 64})
    History(best epoch 1, 2 epochs in 0.25 s, train NLL 2 -> 1.5, batch_size=64)
    """

    train_nll: list[float] = field(default_factory=list)
    val_nll: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    seconds: float = 0.0
    interrupted: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __repr__(self):
        parts = [f"best epoch {self.best_epoch}"]
        parts += [f"{len(self.train_nll)} epochs in {self.seconds:.3g} s"]
        for name, nll in (("train", self.train_nll), ("val", self.val_nll)):
            if nll:
                parts.append(f"{name} NLL {nll[0]:.4g} -> {nll[-1]:.4g}")
        parts += [f"{name}={value!r}" for name, value in self.settings.items()]
        return f"History({', '.join(parts)}{', interrupted' if self.interrupted else ''})"

    def __str__(self):
        chosen = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        lines = [
            f"{len(self.train_nll)} epochs in {self.seconds:.3g} s, best epoch {self.best_epoch}"
            f"{', interrupted' if self.interrupted else ''}"
        ]
        for name, nll in (("training", self.train_nll), ("validation", self.val_nll)):
            if nll:
                lines.append(f"{name} NLL {nll[0]:.4g} -> {nll[-1]:.4g}, least {min(nll):.4g}")
        return "\n".join([*lines, chosen] if chosen else lines)

    def _repr_html_(self):
        """The lines of `print`, and the curve of the losses, for a notebook."""
        lines = f"<pre>{escape(str(self))}</pre>"
        if not self.train_nll:
            return lines
        picture = StringIO()
        axes = imported("flowcore.plots").losses(self)
        axes.figure.savefig(picture, format="svg")
        svg = picture.getvalue()
        return lines + svg[svg.index("<svg") :]


def training_notes(history: History | None) -> list[str]:
    """What did not go as planned in a training, for a verdict; empty if all did."""
    if history is None:
        return []
    settings, notes, epochs = history.settings, [], len(history.train_nll)
    kept = history.best_epoch
    if "diverged" in settings:
        of = "the initial parameters" if kept is None else f"the parameters of epoch {kept}"
        notes.append(f"training diverged at {settings['diverged']}; the flow has {of}")
    if history.interrupted:
        notes.append(f"training was interrupted after {epochs} of {settings['epochs']} epochs")
    if skipped := settings.get("skipped_updates"):
        notes.append(f"updates left out because of an outlying gradient: {skipped:,}")
    if raised := settings.get("raised_rows"):
        notes.append(f"rows at which the target raised, where p counts as 0: {raised:,}")
    return notes


@dataclass(frozen=True, eq=False)
class EpochReport:
    """The argument of a callback of `fit`, after every epoch.

    epoch       counted from 0
    train_nll   the epoch's mean training loss, val_nll the validation NLL after it, or None
    history     the `History` so far
    flow        a copy of the flow as it was after this epoch, even if you read it later
    """

    epoch: int
    train_nll: float
    val_nll: float | None
    history: History
    _flow: object = field(repr=False)
    _theta: np.ndarray = field(repr=False)

    @property
    def flow(self):
        return self._flow.with_params(self._theta)


class TrainingDivergedError(RuntimeError):
    """The loss or its gradient was not finite; the update was not applied.

    Parameters
    ----------
    message : str
        The problem, and what helps.
    epoch, batch : int
        Where, both counted from 0.
    flow : TransformedDistribution
        The flow with the best finite parameters so far. With validation data these parameters have
        the best validation NLL, and may be the initial ones. Without validation data they are those
        at the start of the last epoch that began with a finite loss.
    history : History
        The `History` up to this update.
    """

    def __init__(self, message: str, epoch: int, batch: int, flow: Any, history: History):
        super().__init__(message)
        self.epoch, self.batch, self.flow, self.history = epoch, batch, flow, history

    def __reduce__(self):  # so that it survives the way back from a worker process
        return type(self), (str(self), self.epoch, self.batch, self.flow, self.history)


@contextmanager
def progress_bar(wanted: bool, epochs: int, done: int = 0):
    """A list of callbacks: the one that moves a tqdm bar if it is wanted, or none."""
    if not wanted:
        yield []
        return
    with sparse_bar(epochs, "epoch", done) as bar:

        def show(report: EpochReport):
            nll = {"train": report.train_nll, "val": report.val_nll}
            shown = {name: f"{value:.4f}" for name, value in nll.items() if value is not None}
            bar.set_postfix(shown, refresh=False)
            bar.update()

        yield [show]


def sparse_bar(total: int | None, unit: str, done: int = 0, **options):
    """A bar of tqdm. In a log, where nothing is overwritten, it is written once a minute."""
    from tqdm.auto import tqdm

    if sys.stderr is None:  # closed by the shell
        options["disable"] = True
    overwritten = "ipykernel" in sys.modules or (sys.stderr and sys.stderr.isatty())
    rarely = {} if overwritten else {"mininterval": 60, "delay": 5}  # seconds
    return tqdm(total=total, initial=done, unit=unit, **rarely, **options)
