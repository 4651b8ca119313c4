"""A fitted `FlowDensity` as data, which `save` writes and `load` reads: no scikit-learn in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from ..distributions import TransformedDistribution
from ..distributions.conditioning import from_given
from .summary import Scored, Summary

if TYPE_CHECKING:
    from ..bijectors import ElementwiseAffine
    from ..core.typing import Base

OPTIONS = ("flow", "budget", "contamination", "n_jobs", "random_state", "progress")


@dataclass(eq=False)
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

    options: dict
    density: Base
    latent: Base
    names: Sequence[str] | None
    held_out_scores: np.ndarray
    offset: float
    summary: dict
    context_names: Sequence[str] | None = None
    context_dim: int = 0
    context_scaling: ElementwiseAffine | None = None

    def __post_init__(self):
        if self.context_scaling is not None:
            old, self.context_scaling = self.context_scaling, None
            self.context_dim = old.dim
            self.density = from_given(self.density, old.loc, old.scale)
            self.latent = from_given(self.latent, old.loc, old.scale)
        flows, names, dim = (self.density, self.latent), self.names, self.density.dim
        context_names, context_dim = self.context_names, self.context_dim
        widths = [getattr(flow, "context_dim", 0) for flow in flows]
        for wrong, message in (
            (sorted(self.options) != sorted(OPTIONS), f"its options are not {sorted(OPTIONS)}"),
            (not all(isinstance(flow, TransformedDistribution) for flow in flows),
             "its density or latent is no flow"),
            (self.latent.dim != dim, "its latent space is not that of its density"),
            (names is not None and not len(set(names)) == len(names) == dim,
             f"it has {len(set(names or ()))} names for {dim} columns"),
            (not {*widths} <= {0, context_dim},
             f"its flows want contexts of widths {widths}, not of {context_dim}"),
            (context_names is not None and len(context_names) != context_dim,
             f"it has {len(context_names or ())} names for a context of {context_dim}"),
            (self.held_out_scores.ndim != 1 or self.held_out_scores.dtype != float,
             "its held-out scores are no vector of floats"),
            (not math.isfinite(self.offset), f"its offset is {self.offset}"),
        ):  # fmt: skip
            if wrong:
                raise ValueError(message)
        checked_options(*(self.options[name] for name in ("budget", "contamination", "n_jobs")))
        as_summary(self.summary)

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return {name: v for name, v in vars(self).items() if name != "context_scaling"}


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
    """The summary from `as_data`; a ValueError for other data."""
    try:
        candidates = tuple(_scored(one) for one in data["candidates"])
        counts = (int(data[name]) for name in ("n_rows", "n_held_out", "n_folds"))
        left_out = tuple(map(str, data.get("left_out", ())))  # not in older files
        return Summary(candidates, _scored(data["density"]), *counts, left_out)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise ValueError(f"its summary is no summary: {problem!r:.100}") from problem


def _scored(data: dict) -> Scored:
    numbers = (float(data[name]) for name in ("score", "error", "weight"))
    return Scored(str(data["name"]), *numbers, bool(data["is_flow"]))
