"""`train`: the one loop over epochs and batches, for any loss.

The loop minimises a `Loss`. An optimizer (`optim.py`) turns a gradient into a change of theta. A
`Run` holds everything that changes during training, and ends it. A checkpoint is the file from
which a stopped run continues.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np

from ..core import BLAS, OutOfTime, limit
from .history import progress_bar
from .loss import NotFinite
from .run import Run


def train(run: Run, callbacks: Sequence[Callable] = (), progress: bool = False, checkpoint=None):
    """Minimise the loss of a run, from its present state; returns (new_flow, history).

    checkpoint   None, or a context that sets the run to the state in a file, and updates the file

    For the other arguments, the errors and the warnings, see `fit`.
    """
    loss, ends = run.loss, limit()
    file = nullcontext() if checkpoint is None else checkpoint
    with (
        file,
        run,
        BLAS.single_threaded(),
        progress_bar(progress, run.epochs, run.reported_epochs) as bar,
    ):
        callbacks = [*bar, *callbacks]
        if run.initial is None:
            run.initial = loss.validation(run.flow.params)
        run.report(callbacks)  # an epoch whose end was the last thing of an earlier run
        while run.goes_on():
            run.begin_epoch()
            for batch in loss.batches(run.rng, run.epoch, run.batch):
                if time.monotonic() > ends:
                    raise OutOfTime  # as an interrupt, it ends the run
                gradient, value = None, math.nan
                try:
                    value, slope = loss(run.theta, batch)
                    shorter = clipped(slope, run.clip_norm)
                    if loss.skip_above is None or not run.is_outlying(slope):
                        gradient = shorter
                except NotFinite:
                    if not run.leaves_out():
                        raise
                run.step(gradient, value - loss.penalty_value, loss.weight)
            run.end_epoch(loss.validation(run.result))
            run.report(callbacks)
    return run.finish()


def clipped(gradient: np.ndarray, longest: float | None) -> np.ndarray:
    """The gradient, scaled down to the norm `longest` if it is longer; None: unchanged.

    Errors: NotFinite if the norm is not finite.
    """
    with np.errstate(all="ignore"):
        norm = math.sqrt(np.dot(gradient, gradient))
        if longest is not None and norm > longest:
            if math.isinf(norm):  # perhaps its square only: float32 ends at 3e38
                gradient = gradient / float(np.abs(gradient).max())
                norm = math.sqrt(np.dot(gradient, gradient))
            gradient = gradient * (float(longest) / norm)
    if not math.isfinite(norm):
        raise NotFinite("the loss is finite, but its gradient is not finite")
    return gradient
