"""Whatever is judged, seen as two functions: the log-density of rows, and draws.

flowcore's densities have `log_prob(x, context=)` and `sample(n, rng, context=)`; scikit-learn's
estimators `score_samples(x)` and `sample(n, random_state=)`, or without a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, NamedTuple

import numpy as np

from ..core import warn
from ..core.inputs import as_numbers, column_labels, named
from ..core.labels import check_labels

LOOKED_AT = 2000  # held-out rows, for whether they are training rows


class Rows(NamedTuple):
    """x (n, D), and the context of each, (n, C) or None."""

    x: np.ndarray
    context: np.ndarray | None

    def of(self, index: np.ndarray) -> Rows:
        """Some of the rows."""
        return Rows(self.x[index], None if self.context is None else self.context[index])


def warn_of_shared(held_out: Rows, train: Rows) -> None:
    """A warning if most of the held-out rows are training rows."""
    own = different(held_out.of(np.arange(min(len(held_out.x), LOOKED_AT))))
    shared = len(own.intersection(_as_bytes(train)))
    if 2 * shared > len(own):
        warn(
            f"{shared:,} of {len(own):,} different rows of X_held_out are in X_train: the density "
            "has seen them, and looks better than it is; keep rows back before the fit"
        )


def different(rows: Rows) -> set[bytes]:
    """The rows, each once."""
    return set(_as_bytes(rows))


def _as_bytes(rows: Rows) -> Iterator[bytes]:
    x, context = rows
    return (row.tobytes() for row in (x if context is None else np.column_stack([x, context])))


@dataclass(frozen=True)
class Judged:
    """A density of rows of length `dim`, by anybody."""

    density: Any
    dim: int

    @classmethod
    def of(cls, density: Any, n_columns: int, table: Any = None, context: Any = None) -> Judged:
        """The adapter; TypeError or ValueError for what cannot be judged on so many columns.

        table, context: the rows as they were given. An estimator that knows the names of its
        columns wants the same ones; a copy of it forgets them, since it is handed arrays.
        """
        scores = any(hasattr(density, name) for name in ("log_prob", "score_samples"))
        if not (scores and hasattr(density, "sample")):
            steps = hasattr(density, "steps")
            fix = "; write diagnose(pipe[-1], pipe[:-1].transform(X_held_out))" if steps else ""
            raise TypeError(
                "diagnose needs a density with log_prob(x), or score_samples(x), and "
                f"sample(n, rng): {type(density).__name__ if steps else repr(density):.80} has not"
                f"{fix}"
            )
        dim = getattr(density, "dim", getattr(density, "n_features_in_", n_columns))
        if dim != n_columns:
            raise ValueError(f"the density has dim {dim}, but X_held_out has {n_columns} columns")
        return cls(_without_names(density, table, context), dim)

    @property
    def name(self) -> str:
        """What a report calls it."""
        return type(self.density).__name__

    def log_prob(self, what: str, x: np.ndarray, context: np.ndarray | None) -> np.ndarray:
        """(n,) in float64; ValueError if it is no log-density of the rows `what`."""
        run = getattr(self.density, "log_prob", None) or self.density.score_samples
        found = np.asarray(run(x, **_given(context)), float)
        if found.shape != (len(x),):
            raise ValueError(
                f"the density's log_prob of rows {x.shape} has shape {found.shape}: not one a row"
            )
        wrong = np.flatnonzero(np.isnan(found) | np.isposinf(found))
        if wrong.size:
            raise ValueError(
                f"the density's log_prob is NaN or +inf in {named('row', wrong)} of {what}: "
                "there is nothing to judge before it is a number"
            )
        return found

    def draw(
        self, n: int, rng: np.random.Generator, context: np.ndarray | None = None
    ) -> np.ndarray:
        """n draws (n, D), in no order; with a context (n, C) one for each of its rows."""
        sample, options = self.density.sample, _given(context)
        count = n if context is None else 1
        wanted = _arguments(sample)
        if "random_state" in wanted:
            options["random_state"] = int(rng.integers(2**31))
        elif "rng" in wanted:
            options["rng"] = rng
        args = (count,) if options or not _second_is_needed(sample) else (count, rng)
        drawn = sample(*args, **options)
        if isinstance(drawn, tuple):  # scikit-learn's mixture returns components, too
            drawn = drawn[0]
        drawn = as_numbers("the density's sample", drawn).astype(float, copy=False)
        shape = (n, self.dim) if context is None else (1, n, self.dim)
        if drawn.shape != shape:
            raise ValueError(
                f"the density's sample({count}, ...) has shape {drawn.shape}, not {shape}"
            )
        return rng.permutation(drawn) if context is None else drawn[0]


def _without_names(density, table, context):
    """The density; of an estimator that knows names, which are checked here, a copy without."""
    known = getattr(density, "__dict__", {})
    for what, own, given in (
        ("X_held_out", "feature_names_in_", table),
        ("context", "context_names_in_", context),
    ):
        names = known.get(own)
        if names is not None:
            check_labels(what, column_labels(given), list(names))
    if known.get("feature_names_in_") is not None:
        density = copy(density)
        del density.feature_names_in_
    return density


def _given(context) -> dict:
    return {} if context is None else {"context": context}


def _arguments(function) -> set[str]:
    try:
        return set(signature(function).parameters)
    except (TypeError, ValueError):  # of compiled code it may not be known
        return {"rng"}


def _second_is_needed(function) -> bool:
    """Has it a second argument, of another name than ours, that has to be given?"""
    try:
        second = list(signature(function).parameters.values())[1:2]
    except (TypeError, ValueError):
        return False
    return any(p.kind is not Parameter.VAR_KEYWORD for p in second)
