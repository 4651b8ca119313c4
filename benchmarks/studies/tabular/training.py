"""One training run, with a line per epoch."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import flowcore as fc
from flowcore import cosine_decay

from .datasets import Dataset
from .models import Settings


def train(flow, data: Dataset, settings: Settings, seed: int = 0, checkpoint=None):
    """Fit; returns (flow, history, what went wrong or None).

    checkpoint    path without suffix; a run that was stopped goes on from there
    """
    if checkpoint is not None:
        Path(checkpoint).parent.mkdir(parents=True, exist_ok=True)
    updates = settings.epochs * math.ceil(len(data.train) / settings.batch_size)
    rate = cosine_decay(settings.learning_rate, updates)
    resume = {} if checkpoint is None else {"checkpoint": f"{checkpoint}.npz"}
    try:
        flow, history = fc.fit(
            flow,
            data.train,
            validation_data=data.validation,
            noise=data.noise if settings.fresh_noise else None,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=rate,
            schedule="constant",
            average=None,
            patience=settings.patience,
            clip_norm=settings.clip_norm,
            callbacks=[Log(settings.epochs)],
            rng=seed,
            checkpoint_key="1",
            **resume,
        )
    except fc.TrainingDivergedError as problem:  # the models after this one are still wanted
        return problem.flow, problem.history, str(problem)
    return flow, history, "interrupted" if history.interrupted else None


class Log:
    """A callback of `fit`: one line per epoch to stderr."""

    def __init__(self, epochs: int):
        self.epochs, self.start = epochs, time.perf_counter()

    def __call__(self, report) -> None:
        seconds = time.perf_counter() - self.start
        print(
            f"  epoch {report.epoch + 1}/{self.epochs}  {seconds / 60:.2f} min  "
            f"train {-report.train_nll:.4f}  validation {-report.val_nll:.4f}",
            file=sys.stderr,
            flush=True,
        )
