"""The two moons of scikit-learn, standardised, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...bijectors import ElementwiseAffine
from ...distributions import TransformedDistribution
from ...targets import two_moons

NOISE, N_DATA, N_TRAIN, N_FRESH = 0.05, 1000, 800, 20_000


@dataclass(frozen=True)
class Moons:
    """The tutorial's data, and the truth in the same standardised units."""

    seed: int  # of the data; the weights, batches and draws follow from it
    x: np.ndarray  # (1000, 2), standardised by their own mean and scale
    label: np.ndarray  # (1000,), which moon
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def make(cls, seed: int) -> Moons:
        from sklearn.datasets import make_moons

        x, label = make_moons(N_DATA, noise=NOISE, random_state=seed)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        return cls(seed, (x - mean) / scale, label, mean, scale)

    @property
    def train(self):
        return self.x[:N_TRAIN]

    @property
    def validation(self):
        return self.x[N_TRAIN:]

    def truth(self) -> TransformedDistribution:
        """The density that the data come from, with the same exact log_prob as `two_moons`."""
        standardize = ElementwiseAffine(-self.mean / self.scale, 1 / self.scale)
        return TransformedDistribution(two_moons(NOISE), standardize)

    def entropy(self) -> float:
        """Exact entropy of the standardised moons in nats: no honest NLL lies below it."""
        return two_moons(NOISE).entropy() - float(np.log(self.scale).sum())

    def fresh(self) -> np.ndarray:
        """20,000 new points of the truth, in the training data's units."""
        rng = np.random.default_rng([self.seed, 1])
        return (two_moons(NOISE).sample(N_FRESH, rng) - self.mean) / self.scale
