"""Checks of the options of `fit`, and of a flow beside its rows (`core/rows.py` checks these)."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence

import numpy as np

from ..bijectors import StandardizeContext, check_resolution
from ..bijectors.linear import Standardization
from ..core import warn
from ..core.inputs import named
from ..core.labels import names_of
from .defaults import is_auto
from .schedules import SCHEDULES, check_warm_up, is_number

LARGE = 100.0  # of a context: its mean size
FAR = 10.0  # of standardised rows: their means, and the factor by which their deviations are off
EXAMINED = 10_000  # rows, evenly spaced, that are looked at where a part is enough


def check_flow(flow) -> None:
    """A flow that can be trained: it has a log_prob and at least one free parameter."""
    if not all(hasattr(flow, name) for name in ("log_prob", "initialize", "with_params")):
        raise TypeError(
            f"fit needs a flow, not a {type(flow).__name__}: write "
            "TransformedDistribution(base, bijector), such as Normal(dim) for the base"
        )
    if flow.n_params == 0:
        raise ValueError(f"{flow!r} has no free parameters: there is nothing to fit")


def check_options(
    epochs, batch_size, validation_split, patience, clip_norm, callbacks, schedule, warm_up, average
) -> None:
    """The numbers and texts among the arguments of `fit`."""
    if not is_auto(epochs):
        _check_count("epochs", epochs, ' or "auto"')
    if not (batch_size is None or is_auto(batch_size)):
        _check_count("batch_size", batch_size, ' or None (all rows) or "auto"')
    if not (patience is None or is_auto(patience)):
        _check_count("patience", patience, ' or None (never stop early) or "auto"')
    if not (is_number(validation_split) and 0 <= validation_split < 1):
        raise ValueError(
            f"validation_split is a fraction of the rows in [0, 1): got {validation_split!r}"
        )
    if clip_norm is not None and not is_number(clip_norm, above=0.0):
        raise ValueError(f"clip_norm must be a positive number or None: got {clip_norm!r}")
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a list or tuple of functions: got {callbacks!r}")
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {', '.join(map(repr, SCHEDULES))}: got {schedule!r}; pass a "
            "function of the step as learning_rate"
        )
    if not is_auto(warm_up):
        check_warm_up(warm_up)
    if average is not None and not (is_number(average) and 0 < average < 1):
        raise ValueError(f"average is a decay rate in (0, 1), or None: got {average!r}")


def check_checkpoint(checkpoint, checkpoint_every) -> None:
    """A path where a file can be written."""
    if not (is_number(checkpoint_every) and checkpoint_every >= 0):
        raise ValueError(f"checkpoint_every is a number of seconds >= 0: got {checkpoint_every!r}")
    folder = os.path.dirname(os.path.realpath(os.fsdecode(checkpoint)))
    if not os.access(folder, os.W_OK):
        raise OSError(f"checkpoint={checkpoint!r}: no file can be written in {folder}")


def with_names_of(flow, X, context):
    """The flow with the names of these tables, if it is one that keeps names and has none yet."""
    if not hasattr(flow, "with_names"):
        return flow
    names = flow.names or names_of("X", X), flow.context_names or names_of("context", context)
    return flow.with_names(*names)


def check_scales(flow, x: np.ndarray, context: np.ndarray | None) -> None:
    """Compare an initialised flow, and networks that read a raw context, with the scale of these
    rows: an error where the flow's dtype is too coarse, warnings where the scale is another one."""
    x, context = (None if a is None else a[:: math.ceil(len(a) / EXAMINED)] for a in (x, context))
    _check_context(flow, context)
    if getattr(flow, "initialized", True):  # else `initialize` looks at the resolution
        check_resolution(x, flow)
        _check_constants(flow, x)


def _check_constants(flow, x: np.ndarray) -> None:
    """A warning if the Standardize at the data end was fitted to rows of another scale."""
    for part, way in flow.bijector.steps("inverse") if hasattr(flow, "bijector") else ():
        if part.n_params:
            return
        x = getattr(part, way)(x)
        if isinstance(part, Standardization):
            break
    else:
        return
    with np.errstate(all="ignore"):
        mean, scale = x.mean(axis=0), x.std(axis=0)
    far = np.flatnonzero((np.abs(mean) > FAR) | (scale > FAR) | (scale < 1 / FAR))
    if far.size:
        warn(
            f"the flow's {type(part).__name__} was fitted to other rows, and stays: in its units, "
            f"column {far[0]} now has the mean {mean[far[0]]:.3g} and the standard deviation "
            f"{scale[far[0]]:.3g}, not 0 and 1. To keep the parameters but standardise anew, "
            "pass flow.restandardized()"
        )


def _check_context(flow, context: np.ndarray | None) -> None:
    """A warning about context columns far from the size that networks are made for, if they are
    not standardised."""
    if context is None or not _reads_it_raw(flow):
        return
    far = np.flatnonzero(np.abs(context).mean(axis=0) > LARGE)
    if far.size:
        warn(
            f"context is large in {named('column', far)} (column {far[0]}: up to "
            f"{np.abs(context[:, far[0]]).max():.6g}), and networks see it as it is: wrap the "
            "bijector that reads it in a StandardizeContext, as the recipes of flowcore.flows do",
        )


def _reads_it_raw(part) -> bool:
    """Whether something outside of every StandardizeContext reads the context."""
    if isinstance(part, StandardizeContext):
        return False
    parts = getattr(part, "parts", ())  # a user's own flow may have none, nor a context_dim
    return any(map(_reads_it_raw, parts)) if parts else getattr(part, "context_dim", 1) != 0


def _check_count(name: str, value, alternative: str = "") -> None:
    try:
        if operator.index(value) >= 1 and not isinstance(value, bool):
            return
    except TypeError:
        pass
    raise ValueError(f"{name} must be an integer >= 1{alternative}: got {value!r}")
