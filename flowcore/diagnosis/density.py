"""Any density as two functions: the log-density of rows, and draws.

flowcore's densities have `log_prob(x, context=)` and `sample(n, rng, context=)`; scikit-learn's
estimators `score_samples(x)` and `sample(n, random_state=)`, or without a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

from ..core import warn
from ..core.inputs import as_numbers, named
from ..training.repeats import first_equal

PER_ROW = 19  # draws for every row with a context of its own, at least
MOST_ROWS = 20_000  # rows that get draws of their own
LOOKED_AT = 2000  # held-out rows, for whether they are training rows
FEW_COPIES = 0.05  # of the rows: more are a warning
DIGITS = 12  # after the point, at most, of rounded numbers


class GivenRows(NamedTuple):
    """x (n, D), or the frame of a table, and the context of each, (n, C) or None."""

    x: np.ndarray
    context: np.ndarray | None

    def of(self, index) -> GivenRows:
        """Some of the rows."""
        x = self.x[index] if isinstance(self.x, np.ndarray) else self.x.take(index)
        return GivenRows(x, None if self.context is None else self.context[index])

    @property
    def joint(self) -> np.ndarray:
        """(x, context), (n, D + C)."""
        return self.x if self.context is None else np.hstack([self.x, self.context])

    @np.errstate(over="ignore", invalid="ignore")
    def rounded_as(self, others: GivenRows) -> GivenRows:
        """The rows with as many digits after the point as the first 1,000 other rows have."""
        x = self.x.copy()
        for own, column in zip(x.T, others.x[:1000].T, strict=True):
            digits = (d for d in range(DIGITS) if (np.round(column, d) == column).all())
            if (d := next(digits, None)) is not None:
                own[:] = np.round(own, d)
        return self._replace(x=x)

    @property
    def different(self) -> set[bytes]:
        """The rows, each once."""
        return {row.tobytes() for row in self.joint}


def warn_of_shared(held_out: GivenRows, train: GivenRows) -> None:
    """A warning if most of the held-out rows are training rows."""
    own = held_out.of(slice(LOOKED_AT)).different
    shared = len(own & train.different)
    if 2 * shared > len(own):
        warn(
            f"{shared:,} of {len(own):,} different rows of X_held_out are in X_train: the density "
            "was fitted to them, and looks better than it is; keep rows back before the fit"
        )


def distinct(rows: GivenRows, drawn: Callable[[int], GivenRows]) -> np.ndarray:
    """Indices of the rows, without copies of earlier ones; many copies are a warning.

    If as many draws, drawn(n), are rounded like the rows and then repeat at least half as often,
    the values are on a grid. Equal rows are then no copies: each counts, and all are returned.
    """
    n, index = len(rows.x), _first(rows)
    copies = n - len(index)
    if copies:
        draws = drawn(n).rounded_as(rows)
        if 2 * (len(draws.x) - len(_first(draws))) >= copies:
            return np.arange(n)
    if copies > FEW_COPIES * n:
        warn(
            f"X_held_out has {n:,} rows, but only {len(index):,} different ones, like a Markov "
            "chain or a bootstrap sample: each counts once here. Thin a chain: its rows depend on "
            "each other, and p-values assume independent rows",
            always=True,
        )
    return index


def _first(rows: GivenRows) -> np.ndarray:
    first = first_equal(rows.x, rows.context)
    return np.arange(len(rows.x)) if first is None else np.unique(first)


class AnyDensity(NamedTuple):
    """A density of rows of length `dim`, of any library."""

    density: Any
    dim: int

    @classmethod
    def of(cls, density: Any, table: Any) -> AnyDensity:
        """A density of rows of this table; TypeError for any other object.

        A copy of an estimator with column names, without these, gets arrays.
        """
        scores = hasattr(density, "log_prob") or hasattr(density, "score_samples")
        if not (scores and hasattr(density, "sample")):
            is_pipeline = hasattr(density, "steps")
            fix = "; write diagnose(pipe[-1], pipe[:-1].transform(X_held_out))" * is_pipeline
            raise TypeError(
                "diagnose needs a density with log_prob(x), or score_samples(x), and sample(n, "
                f"rng): {type(density).__name__ if is_pipeline else repr(density):.80} has not{fix}"
            )
        dim = getattr(density, "dim", getattr(density, "n_features_in_", None))
        if dim is None:
            dim = (*np.shape(table), 1)[1]
        if hasattr(density, "feature_names_in_"):
            density = copy(density)
            del density.feature_names_in_
        return cls(density, dim)

    def log_prob(self, what: str, rows: GivenRows) -> np.ndarray:
        """(n,) in float64; ValueError if these are not log-densities of the rows `what`."""
        run = getattr(self.density, "log_prob", None) or self.density.score_samples
        context = {} if rows.context is None else {"context": rows.context}
        found = np.asarray(run(rows.x, **context), float)
        if found.shape != (len(rows.x),):
            raise ValueError(
                f"the density's log_prob of rows {rows.x.shape} has shape {found.shape}: not one a "
                "row"
            )
        wrong = np.flatnonzero(np.isnan(found) | np.isposinf(found))
        if wrong.size:
            raise ValueError(
                f"the density's log_prob is NaN or +inf in {named('row', wrong)} of {what}: "
                "diagnose needs numbers"
            )
        return found

    def sample(
        self, n: int, rng: np.random.Generator, context: np.ndarray | None = None
    ) -> np.ndarray:
        """n draws (n, D), in random order; with a context (n, C) one for each of its rows."""
        count = n if context is None else 1
        parameters = signature(self.density.sample).parameters.values()
        known = [own.name for own in parameters if own.kind is not Parameter.VAR_KEYWORD]
        options, seed = {} if context is None else {"context": context}, []
        if "random_state" in known:
            options["random_state"] = int(rng.integers(2**31))
        elif "rng" in known:
            options["rng"] = rng
        elif len(known) > 1:
            seed = [rng]
        drawn = self.density.sample(count, *seed, **options)
        if isinstance(drawn, tuple):  # scikit-learn's mixture returns components, too
            drawn = drawn[0]
        drawn = as_numbers("the density's sample", drawn).astype(float, copy=False)
        shape = (n, self.dim) if context is None else (1, n, self.dim)
        if drawn.shape != shape:
            raise ValueError(
                f"the density's sample({count}, ...) has shape {drawn.shape}, not {shape}"
            )
        return rng.permutation(drawn) if context is None else drawn[0]


class Draws(NamedTuple):
    """The density's own draws, finite ones, and the held-out rows to compare with them.

    Without a context all rows are compared with the same draws x (m, D). With one, row i of those
    at `index` has k draws given its own context, x (n, k, D): its rank among them is uniform,
    whatever the contexts are. `count` draws were made.
    """

    index: np.ndarray
    x: np.ndarray
    count: int
    n_not_finite: int

    @property
    def flat(self) -> np.ndarray:
        """All draws, (m, D)."""
        return self.x.reshape((-1, self.x.shape[-1]))


def draws_of(density: AnyDensity, rows: GivenRows, n: int, rng: np.random.Generator) -> Draws:
    """About n draws; ValueError if half of them or more are not finite."""
    index, shape, context = np.arange(len(rows.x)), (n,), None
    if rows.context is not None:
        index = index[:: math.ceil(len(index) / MOST_ROWS)]
        shape = len(index), max(PER_ROW, math.ceil(n / len(index)))
        context = np.repeat(rows.context[index], shape[1], axis=0)
    x = density.sample(math.prod(shape), rng, context)
    finite = np.isfinite(x).all(axis=1)
    if finite.mean() <= 0.5:
        raise ValueError(
            f"{np.count_nonzero(~finite):,} of {len(finite):,} draws of the density are not "
            "finite: there is nothing to compare the rows with"
        )
    kept = finite.reshape((shape[0], -1)).all(axis=1)  # a row needs all its draws
    index = index if context is None else index[kept]
    x = x.reshape((*shape, -1))[kept]
    return Draws(index, x, len(finite), int(np.count_nonzero(~finite)))


def log_p_of(density: AnyDensity, rows: GivenRows, draws: Draws) -> np.ndarray:
    """log p of the draws, in the shape of their x without D."""
    context = rows.context
    if context is not None:
        context = np.repeat(context[draws.index], draws.x.shape[1], axis=0)
    log_p = density.log_prob("its own draws", GivenRows(draws.flat, context))
    return log_p.reshape(draws.x.shape[:-1])
