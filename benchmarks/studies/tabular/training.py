"""One training run: how many epochs fit into the time, the schedule, a line per epoch."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import flowcore as fc
from flowcore import cosine_decay

from .datasets import Dataset
from .models import EPOCHS, Settings

MEASURED = 200  # updates whose seconds decide how many epochs fit
SHARE = 0.9  # of the minutes that are planned for: other work may slow the machine down
LATE = 1.25  # times the minutes, a run that turned out slower is stopped before its schedule's end


def train(flow, data: Dataset, settings: Settings, minutes=None, seed: int = 0, checkpoint=None):
    """Fit; returns (flow, history, the settings with the epochs planned, what went wrong or None).

    minutes       as many epochs are planned as fit, so that the learning rate reaches 0; a slower
                  run stops at LATE times that
    checkpoint    path without suffix; a run that was stopped goes on from there
    """
    if checkpoint is not None:
        Path(checkpoint).parent.mkdir(parents=True, exist_ok=True)
    settings = planned(flow, data, settings, minutes, seed, checkpoint)
    rate = cosine_decay(settings.learning_rate, settings.epochs * updates(data, settings))
    limit = math.inf if minutes is None else 60 * minutes * LATE
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
            callbacks=[Log(settings.epochs, limit)],
            rng=seed,
            checkpoint_key="1",
            **resume,
        )
    except fc.TrainingDivergedError as problem:  # the models after this one are still wanted
        return problem.flow, problem.history, settings, str(problem)
    return flow, history, settings, "interrupted" if history.interrupted else None


def updates(data: Dataset, settings: Settings) -> int:
    """Updates of an epoch."""
    return math.ceil(len(data.train) / settings.batch_size)


def planned(flow, data, settings, minutes, seed=0, checkpoint=None) -> Settings:
    """The settings with a number of epochs: as many as fit into the minutes.

    Epochs that were asked for are an upper bound, and what is planned for without minutes. A run
    that is resumed keeps the plan it was started with, which its schedule depends on.
    """
    if minutes is None:
        return replace(settings, epochs=settings.epochs or EPOCHS[data.name])
    plan = None if checkpoint is None else Path(f"{checkpoint}-plan.json")
    if plan is not None and plan.exists():
        return replace(settings, epochs=json.loads(plan.read_text("utf-8"))["epochs"])
    seconds = seconds_per_epoch(flow, data, settings, seed)
    fit = max(1, int(SHARE * 60 * minutes / seconds))
    settings = replace(settings, epochs=min(settings.epochs or fit, fit))
    print(
        f"  an epoch takes {seconds:.3g} s: {settings.epochs} epochs "
        f"({settings.epochs * seconds / 60:.3g} of {minutes:g} minutes)",
        flush=True,
    )
    if plan is not None:
        plan.write_text(json.dumps({"epochs": settings.epochs}), "utf-8")
    return settings


def seconds_per_epoch(flow, data, settings, seed=0) -> float:
    """Measured on MEASURED updates of a copy of the flow, and one validation."""
    batches = min(MEASURED, updates(data, settings))
    rows = data.train[: batches * settings.batch_size]
    flow = flow.initialize(rows)
    start = time.perf_counter()
    fc.fit(
        flow, rows, epochs=1, batch_size=settings.batch_size, validation_split=0,
        learning_rate=settings.learning_rate, average=None, clip_norm=settings.clip_norm, rng=seed,
        noise=data.noise if settings.fresh_noise else None,
    )  # fmt: skip
    trained = time.perf_counter()
    flow.log_prob(data.validation)
    validated = time.perf_counter()
    return (trained - start) * updates(data, settings) / batches + validated - trained


class Log:
    """A callback of `fit`: one line per epoch to stderr; stops after `limit` seconds."""

    def __init__(self, epochs: int, limit: float):
        self.epochs, self.limit, self.start = epochs, limit, time.perf_counter()

    def __call__(self, report) -> bool:
        seconds = time.perf_counter() - self.start
        print(
            f"  epoch {report.epoch + 1}/{self.epochs}  {seconds / 60:.2f} min  "
            f"train {-report.train_nll:.4f}  validation {-report.val_nll:.4f}",
            file=sys.stderr,
            flush=True,
        )
        return seconds > self.limit
