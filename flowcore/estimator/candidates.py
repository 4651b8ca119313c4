"""The candidates: what is fitted to a part of the rows, to be compared on the rest.

All of them get standardised rows, and give densities of flowcore's, which can be mixed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from .. import flows
from ..bijectors import Chain
from ..core import remaking
from ..distributions import StudentT, TransformedDistribution
from ..training import TrainingDivergedError, fit
from . import gaussians
from .rows import Rows
from .stopping import SNAPSHOTS, Seen, Watch

PATIENCE = 25  # epochs: of few rows, flows have learned what they can after a third of them all


@dataclass(frozen=True)
class Part:
    """One fold: indices of the rows to learn from, and of those to be judged by."""

    table: Rows
    learn: np.ndarray
    judge: np.ndarray

    def rows(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(x, context) of some rows."""
        context = self.table.context
        return self.table.x[index], None if context is None else context[index]

    @property
    def x_to_learn(self) -> np.ndarray:
        """x of the rows to learn from."""
        return self.table.x[self.learn]

    def to_learn(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, weight) of the rows to learn from; the weights have the sum 1."""
        weight = self.table.weight[self.learn]
        return self.x_to_learn, weight / weight.sum()


@dataclass(frozen=True)
class Candidate:
    """A name, and learn(part, rng, **options) -> a density.

    is_flow   it is trained by `fit`; cost: milliseconds of an update, (constant, per D, per row of
              the batch, per row and D), as measured on one core
    """

    name: str
    learn: Callable[..., object]
    is_flow: bool = False
    cost: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    options: dict = field(default_factory=dict)

    def milliseconds(self, dim: int, batch_size: int) -> float:
        """Of one update."""
        fixed, per_dim, per_row, per_number = self.cost
        return fixed + per_dim * dim + batch_size * (per_row + per_number * dim)


def judged(candidate: Candidate, part: Part, seed: int, **options) -> tuple:
    """(the candidate's density, log-densities of the rows to be judged by), in a worker; or what
    was seen of a flow, and None."""
    rng = np.random.default_rng(seed)
    with remaking():  # what is to be said about the table has been said
        density = candidate.learn(part, rng, **candidate.options, **options)
        if isinstance(density, Seen):
            return density, None
        x, context = part.rows(part.judge)
        own_context = {"context": context} if density.context_dim else {}
        log_p = density.log_prob(x, threads=options.get("threads"), **own_context)
    return density, log_p


def learn_gaussian(part: Part, rng, shrink: bool = True, **_):
    """A Gaussian of full covariance."""
    return gaussians.gaussian(*part.to_learn(), shrink)


def learn_broad(part: Part, rng, **_):
    """Tails on every side: independent Student t densities, wide ones, along the principal axes."""
    flow = gaussians.gaussian(*part.to_learn())
    return TransformedDistribution(StudentT(flow.dim, df=3.0), flow.bijector)


def learn_mixture(part: Part, rng, n_components: int, prior: float, **_):
    """A mixture of Gaussians of full covariance."""
    return gaussians.mixture(*_some(part, rng), n_components, rng, prior)


def _some(part: Part, rng) -> tuple[np.ndarray, np.ndarray]:
    """(x, weight) of as many rows to learn from as a mixture needs."""
    x, weight = part.to_learn()
    if len(x) > gaussians.MOST_ROWS:
        chosen = rng.choice(len(x), gaussians.MOST_ROWS, replace=False)
        x, weight = x[chosen], weight[chosen] / weight[chosen].sum()
    return x, weight


def learn_flow(
    part: Part,
    rng,
    recipe: Callable,
    n_modes: int = 0,
    white: bool = False,
    together: bool = False,
    **fit_options,
):
    """A flow, trained until the rows to be judged by are no longer told better.

    recipe(dim, rng=..., **options) -> a flow; n_modes: its base is a mixture of so
    many Gaussians; white: it starts at the Gaussian, with a full matrix at the data end; together:
    what was `Seen` is returned, and when to stop decided later
    """
    x, context = part.rows(part.learn)
    if (x == x[0]).all(axis=0).any():  # a column that varies in the other rows only
        return learn_broad(part, rng)
    options = {"base": gaussians.modes(*_some(part, rng), n_modes, rng)} if n_modes else {}
    options["context_dim"] = 0 if context is None else context.shape[1]
    options |= {"standardize": False, "standardize_context": False}  # that has been done
    flow = recipe(x.shape[1], rng=rng, **options)
    if white:
        ends = gaussians.gaussian(*part.to_learn()).bijector
        flow = TransformedDistribution(flow.base, Chain([ends, flow.bijector]))
    _, weight = part.to_learn()
    fit_options |= {"context": context, "rng": rng}
    if not (weight == weight[0]).all():
        fit_options["sample_weight"] = weight
    trained = (_watched if together else _validated)(flow, part, **fit_options)
    return learn_broad(part, rng) if trained is None else trained


def _watched(flow, part: Part, epochs: int, **fit_options):
    """What was `Seen`; None if nothing was."""
    judge, context = part.rows(part.judge)
    own_context = {} if context is None else {"context": context}
    watch = Watch(judge, own_context, -(-epochs // SNAPSHOTS), PATIENCE)
    fit_options |= {"epochs": epochs, "validation_split": 0, "callbacks": [watch]}
    with suppress(TrainingDivergedError):  # what was seen until then is finite
        _uninterrupted(fit(flow, part.x_to_learn, **fit_options))
    return watch.seen() if watch.thetas else None


def _validated(flow, part: Part, **fit_options):
    """The flow of the epoch that is best for the part's own rows to be judged by."""
    judge, context = part.rows(part.judge)
    judged_by = judge if context is None else (judge, context)
    fit_options |= {"validation_data": judged_by, "patience": PATIENCE}
    try:
        return _uninterrupted(fit(flow, part.x_to_learn, **fit_options))
    except TrainingDivergedError as error:
        return error.flow  # the best finite one


def _uninterrupted(found):
    """The flow that `fit` returned; an interrupt, which ends one fit, ends them all."""
    flow, history = found
    if history.interrupted:
        raise KeyboardInterrupt
    return flow


def affine(dim: int, context_dim: int = 0, **options):
    """A MAF over a base with tails."""
    return flows.maf(dim, context_dim=context_dim, base="student_t", activation="tanh", **options)


def short_affine(dim: int, context_dim: int = 0, **options):
    """The same with three layers: for where the full covariance is another's work."""
    return affine(dim, context_dim, layers=3, **options)


def small_affine(dim: int, context_dim: int = 0, **options):
    """The same with small networks, for few rows."""
    return affine(dim, context_dim, layers=3, hidden=[32], **options)


def spline(dim: int, context_dim: int = 0, **options):
    """A neural spline flow over a base with tails."""
    return flows.nsf(dim, context_dim=context_dim, activation="tanh", **options)


def spline_of_modes(dim: int, context_dim: int = 0, **options):
    """Two spline layers over a base with modes."""
    return flows.nsf(dim, layers=2, context_dim=context_dim, activation="tanh", **options)
