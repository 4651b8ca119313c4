"""A fitted `FlowDensity` as data, which `save` writes and `load` reads: no scikit-learn in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from ..distributions import TransformedDistribution
from ..distributions.conditioning import given
from .summary import Scored, Summary

if TYPE_CHECKING:
    from .._typing import Base
    from ..bijectors import ElementwiseAffine

OPTIONS = ("flow", "budget", "contamination", "n_jobs", "random_state", "progress")


class Record:
    """What a `FlowDensity` has learned, and its options.

    Errors: ValueError for what does not fit together, as in a file that somebody made by hand.

    Parameters
    ----------
    options : dict
        The estimator's arguments; a `random_state` that is an object is None.
    density, latent : Distribution
        `density_` and `latent_`.
    names : sequence of str or None
        `feature_names_in_`.
    held_out_scores : ndarray
        `held_out_scores_`, (n,).
    offset : float
        `offset_`.
    summary : dict
        `summary_`, see `as_data`.
    context_names : sequence of str or None
        `context_names_in_`.
    context_dim : int
        `context_dim_`.
    context_scaling : ElementwiseAffine or None
        Of older files, whose density and latent want a standardised context.
    """

    def __init__(
        self,
        options: dict,
        density: Base,
        latent: Base,
        names: Sequence[str] | None,
        held_out_scores: np.ndarray,
        offset: float,
        summary: dict,
        context_names: Sequence[str] | None = None,
        context_dim: int = 0,
        context_scaling: ElementwiseAffine | None = None,
    ):
        if context_scaling is not None:
            context_dim, constants = (
                context_scaling.dim,
                (context_scaling.loc, context_scaling.scale),
            )
            density, latent = given(density, *constants), given(latent, *constants)
        self.options, self.density, self.latent = options, density, latent
        self.context_dim, self.offset = context_dim, offset
        self.names = None if names is None else list(names)
        self.held_out_scores, self.summary = held_out_scores, summary
        self.context_names = None if context_names is None else list(context_names)
        if sorted(options) != sorted(OPTIONS):
            raise ValueError(f"its options are {sorted(options)}, not {sorted(OPTIONS)}")
        checked_options(options["budget"], options["contamination"], options["n_jobs"])
        for flow in (density, latent):
            if not isinstance(flow, TransformedDistribution):
                raise ValueError(f"its density or latent is a {type(flow).__name__}, no flow")
        if latent.dim != density.dim:
            raise ValueError("its latent space is not that of its density")
        if names is not None and not len(set(names)) == len(names) == density.dim:
            raise ValueError(f"it has {len(set(names))} names for {density.dim} columns")
        widths = [getattr(p, "context_dim", 0) for p in (density, latent)]
        if not set(widths) <= {0, context_dim}:
            raise ValueError(f"its flows want contexts of widths {widths}, not of {context_dim}")
        if context_names is not None and len(context_names) != context_dim:
            raise ValueError(f"it has {len(context_names)} names for a context of {context_dim}")
        if held_out_scores.ndim != 1 or held_out_scores.dtype != float:
            raise ValueError("its held-out scores are no vector of floats")
        if not math.isfinite(offset):
            raise ValueError(f"its offset is {offset}")
        as_summary(summary)

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return dict(vars(self))


def checked_options(budget, contamination, n_jobs) -> tuple[float | None, float]:
    """(budget, contamination) as floats; a ValueError for an option that is none."""
    if n_jobs is not None and not (isinstance(n_jobs, Integral) and n_jobs != 0):
        raise ValueError(f"n_jobs is a number of processes, -1 for all cores, or None: {n_jobs!r}")
    if budget is not None and not (isinstance(budget, Real) and budget > 0):
        raise ValueError(f"budget is a number of minutes > 0, or None: got {budget!r}")
    if not (isinstance(contamination, Real) and 0 < contamination <= 0.5):
        raise ValueError(f"contamination is a share of the rows in (0, 0.5]: got {contamination!r}")
    return None if budget is None else float(budget), float(contamination)


def as_data(summary: Summary) -> dict:
    """A summary as plain data: dicts and lists of numbers and strings."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(summary).items()}


def as_summary(data: dict) -> Summary:
    """The summary that `as_data` has told of; a ValueError for other data."""
    try:
        counts = {name: int(data[name]) for name in ("n_rows", "n_held_out", "n_folds")}
        candidates = tuple(_scored(one) for one in data["candidates"])
        left_out = tuple(map(str, data.get("left_out", ())))  # not in older files
        found = Summary(candidates, _scored(data["density"]), **counts, left_out=left_out)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise ValueError(f"its summary is no summary: {problem!r:.100}") from problem
    if not candidates:
        raise ValueError("its summary has no candidates")
    return found


def _scored(data: dict) -> Scored:
    numbers = (float(data[name]) for name in ("score", "error", "weight"))
    return Scored(str(data["name"]), *numbers, bool(data["is_flow"]))
