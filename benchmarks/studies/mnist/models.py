"""The flows of the MAF paper's table 2: how each is built, trained and scored.

The networks are the paper's: 1,024 hidden units in one layer, 10 components, five MADEs of
alternating order. Differences: no batch normalisation; the noise of dequantisation is fresh in
every epoch, where the paper adds it once; the learning rate is annealed, and the weights averaged
(the defaults of `fit`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import flowcore as fc

from ..tabular.training import Log
from .digits import CLASSES, DIM, Digits, bits_per_pixel, logits

UNITS = 1024
VALIDATED = 2000  # digits that choose the epoch
SEED = 42  # of the test digits' noise


@dataclass(frozen=True)
class Model:
    """A row of the published table, and our settings, chosen on validation digits.

    published   test log-likelihood in nats of logit space: the paper's, and that of a careful port
                (kamenbliznashki/normalizing_flows on GitHub)
    classes     the flow gets the class as a one-hot context
    """

    row: str
    published: tuple[float, float]
    recipe: str
    epochs: int
    learning_rate: float
    batch_size: int = 200
    options: Mapping = field(default_factory=dict)
    classes: bool = False

    def build(self):
        """The untrained float32 flow."""
        return getattr(fc.flows, self.recipe)(
            DIM, hidden=[UNITS], context_dim=CLASSES * self.classes, activation="relu",
            dtype=np.float32, **self.options,
        )  # fmt: skip

    def context(self, digits: Digits) -> np.ndarray | None:
        return digits.classes if self.classes else None


MADE = {"recipe": "made", "epochs": 30, "learning_rate": 3e-3, "batch_size": 100}
MAF5 = {"recipe": "maf", "epochs": 24, "learning_rate": 1.5e-3, "options": {"layers": 5}}
MODELS: dict[str, Model] = {
    "made": Model("MADE", (-1380.8, -1393.7), **MADE),
    "made+class": Model("MADE", (-1361.9, -1341.0), classes=True, **MADE),
    "maf5": Model("MAF (5)", (-1300.5, -1272.7), **MAF5),
    "maf5+class": Model("MAF (5)", (-591.7, -1268.2), classes=True, **MAF5),
    "made_mog": Model("MADE MoG", (-1038.5, -1023.1), "made_mog", 15, 2e-3),
    "maf_mog5": Model(
        "MAF MoG (5)", (-1100.3, -1080.5), "maf_mog", 8, 1.5e-3, options={"layers": 5}
    ),
}


def train(name: str, train: Digits, validation: Digits, epochs: int, folder: Path | None):
    """Fit; returns the flow and the training part of its row. A stopped run goes on there."""
    model, held = MODELS[name], validation[:VALIDATED]
    resume = {"checkpoint": folder / f"{name}.checkpoint.npz"} if folder else {}
    started = time.perf_counter(), time.process_time()
    flow, history = fc.fit(
        model.build(),
        train.pixels,
        context=model.context(train),
        validation_data=(held.pixels, model.context(held)),
        noise=logits,
        epochs=epochs,
        batch_size=model.batch_size,
        learning_rate=model.learning_rate,
        callbacks=[Log(epochs)],
        checkpoint_key="1",
        **resume,
    )
    busy = (time.process_time() - started[1]) / (time.perf_counter() - started[0])
    return flow, {
        "parameters": flow.n_params,
        "epochs": len(history.train_nll),
        "best_epoch": history.best_epoch,
        "interrupted": history.interrupted,
        "cpu_minutes": busy * history.seconds / 60,  # also of earlier runs
        "train_by_epoch": [-nll for nll in history.train_nll],
        "validation_by_epoch": [-nll for nll in history.val_nll],
    }


def scores(flow, model: Model, test: Digits) -> dict:
    """Mean test log-likelihood of logits, its standard error, and bits a pixel."""
    x = logits(test.pixels, np.random.default_rng(SEED))
    log_prob = log_prob_of_digits(flow, model, x)
    return {
        "test": log_prob.mean(),
        "standard_error": log_prob.std(ddof=1) / np.sqrt(len(x)),
        "bits": bits_per_pixel(log_prob, x).mean(),
    }


def gaussian_scores(train: Digits, test: Digits) -> dict:
    """The scores of a full-covariance Gaussian, which show whether the data are the published ones.

    Published: -1366.9 nats, 2.01 bits a pixel.
    """
    x = logits(train.pixels, np.random.default_rng(0))  # not the noise of the test digits
    return scores(fc.MultivariateNormalMixture.from_data(x, 1), MODELS["made"], test)


def log_prob_of_digits(flow, model: Model, x: np.ndarray) -> np.ndarray:
    """log p(x); with classes log [1/10 sum_y p(x | y)], as the paper evaluates it."""
    if not model.classes:
        return np.asarray(flow.log_prob(x), float)
    each = np.eye(CLASSES, dtype=np.float32)
    given = [np.asarray(flow.log_prob(x, context=y), float) for y in each]
    return np.logaddexp.reduce(given) - np.log(CLASSES)


def drawing_seconds(flow, n: int = 100) -> dict:
    """CPU seconds of n draws: by degree (the best of five), and by the textbook's loop, which runs
    each network D times."""
    layers = [
        fc.MaskedAutoregressiveFlow(layer.made, layer.transformer, method="sequential")
        if isinstance(layer, fc.MaskedAutoregressiveFlow) else layer
        for layer in flow.bijector.bijectors
    ]  # fmt: skip
    loop = fc.TransformedDistribution(flow.base, fc.Chain(layers))
    by_degree = min(_cpu_seconds(flow, n) for _ in range(5))
    return {"by_degree": by_degree, "textbook": _cpu_seconds(loop, n)}


def _cpu_seconds(flow, n: int) -> float:
    start = time.process_time()
    flow.sample(n, rng=0)
    return time.process_time() - start
