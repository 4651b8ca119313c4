"""The candidates, as data: what is fitted to the training rows of every fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..bijectors import Chain
from ..core import remaking
from ..distributions import Distribution, TransformedDistribution
from ..training import TrainingDivergedError, fit
from .gaussians import gaussian, mixture, modes, student
from .rows import Fold, Rows
from .stopping import Fit, Snapshots, log_prob

PRIORS = (0.3, 0.01)  # of mixtures of Gaussians: clusters that touch, and such that are far apart
PATIENCE = 25  # epochs: of few rows, flows have learned what they can after a third of them all
WIDTH = 32  # columns: in wider tables, networks are wider
PER_PARAMETER = 2e-5  # milliseconds of an update


@dataclass(frozen=True)
class Candidate:
    """A simple density: density(rows, rng, **options), fitted to standardised rows.

    seed   of its random numbers, beside that of the fold; kept   however small its weight is
    """

    name: str
    density: Callable[..., Distribution]
    options: dict = field(default_factory=dict)
    seed: int = 0
    kept: bool = False
    is_flow = False

    def fitted(self, fold: Fold, seed: int) -> Fit:
        """To the training rows of a fold."""
        rng = np.random.default_rng(seed)
        with remaking():  # warnings about the table have been given
            found = self.density(fold.training, rng, **self.options)
            return Fit(found, log_prob(found, fold.held_out)[None])


# Candidates of one family differ in little, and the best one of them is stacked. They come by size,
# as mixtures do: those of a larger size are tried while they are better.
Family = Sequence[Sequence[Candidate]]
GAUSSIAN: Family = [
    [Candidate("Gaussian", gaussian), Candidate("Gaussian", gaussian, {"shrink": False})]
]
STUDENT: Family = [[Candidate("Student t", student, kept=True)]]  # the net below far rows


def mixtures(sizes: Sequence[int]) -> Family:
    """Mixtures of Gaussians of so many components."""
    return [
        [
            Candidate(f"mixture of {k}", mixture, {"n_components": k, "prior": p}, 10 + 2 * k + i)
            for i, p in enumerate(PRIORS)
        ]
        for k in sizes
    ]


@dataclass(frozen=True)
class FlowCandidate:
    """A flow, recipe(dim, rng=..., **options), and what it costs.

    cost     milliseconds of an update, (constant, per D, per row of the batch, per row and D), as
             measured on one core up to D = WIDTH
    modes    its base is a mixture of Gaussians
    white    it starts at the Gaussian, with a full matrix at the data end
    widens   its networks are as wide as the table: from there on, work and memory grow as D^2
    least_dim, below_rows   in smaller dimensions, or of so many rows, "auto" leaves it out
    """

    name: str
    recipe: Callable[..., TransformedDistribution]
    cost: tuple[float, float, float, float]
    modes: bool = False
    white: bool = False
    widens: bool = True
    least_dim: int = 1
    below_rows: float = np.inf
    kept = False
    is_flow = True

    def fitted(
        self, fold: Fold, seed: int, epochs: int, snapshots: int, n_modes: int, threads=None
    ) -> Fit:
        """To the training rows of a fold, until the log-density of held-out ones stops improving.

        snapshots: how many to take, so that the epoch is chosen later; 0: it is chosen here
        """
        rng = np.random.default_rng(seed)
        rows, held_out = fold.training, fold.held_out
        seen = Snapshots(held_out, -(-epochs // max(snapshots, 1)), PATIENCE)
        options = {"epochs": epochs, "threads": threads, "rng": rng, "context": rows.context}
        if (rows.weight != rows.weight[0]).any():
            options["sample_weight"] = rows.weight
        if snapshots:
            options |= {"validation_split": 0, "callbacks": [seen]}
        else:
            others = held_out.x if held_out.context is None else (held_out.x, held_out.context)
            options |= {"validation_data": others, "patience": PATIENCE}
        with remaking():
            flow = None
            if (
                (rows.x != rows.x[0]).any(axis=0).all()
            ):  # else a column varies in held-out rows only
                flow = _trained(self._untrained(rows, rng, n_modes), rows.x, options)
            if seen.thetas:
                return seen.fit()
            if snapshots or flow is None:  # it diverged before the first one
                flow = student(rows)
            return Fit(flow, log_prob(flow, held_out, threads)[None])

    def _untrained(self, rows: Rows, rng, n_modes: int) -> TransformedDistribution:
        options = {"base": modes(rows, rng, n_modes)} if self.modes else {}
        options["context_dim"] = 0 if rows.context is None else rows.context.shape[1]
        options |= {"standardize": False, "standardize_context": False}  # that has been done
        flow = self.recipe(rows.x.shape[1], rng=rng, **options)
        if not self.white:
            return flow
        return TransformedDistribution(flow.base, Chain([gaussian(rows).bijector, flow.bijector]))

    def milliseconds(self, dim: int, batch_size: int) -> float:
        """Of one update."""
        fixed, per_dim, per_row, per_number = self.cost
        size = self._size(dim)
        return fixed + per_dim * size + batch_size * (per_row + per_number * size)

    def nbytes(self, dim: int) -> float:
        """Of its parameters, about, in float64: what an update costs per D is their part of it."""
        return 8 * self.cost[1] * self._size(dim) / PER_PARAMETER

    def _size(self, dim: int) -> float:
        return dim * max(1.0, dim / WIDTH) if self.widens else dim


def _trained(flow, x: np.ndarray, options: dict) -> TransformedDistribution:
    """The flow that `fit` returns, the best finite one; an interrupt ends all fits, not one."""
    try:
        flow, history = fit(flow, x, **options)
    except TrainingDivergedError as error:
        return error.flow
    if history.interrupted:
        raise KeyboardInterrupt
    return flow
