"""The log-density of rows that are infinite or NaN, or whose arithmetic overflows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import without_warnings
from ..core.inputs import gate


def extreme_rows_corrected(density: Any, found, x, far, params, context) -> np.ndarray:
    """`found`, set right at rows x that are infinite or NaN, or overflow on the way."""
    with without_warnings():  # the first call has warned
        x, theta, context, _ = gate(density, x, params, context)
    lead, found = found.shape, found.reshape(-1)
    far = np.broadcast_to(False if far is None else far, (*lead, density.dim))
    far = far.reshape(x.shape).any(axis=1)
    unknown = np.isnan(x).any(axis=1)
    if context is not None:
        unknown |= np.isnan(context).any(axis=1)
    unclear = np.flatnonzero(~(found < np.inf) & ~far & ~unknown)
    if unclear.size and np.isfinite(theta).all():
        own_context = None if context is None else context[unclear]
        overflowed = unclear[density._overflowed(x[unclear], theta, own_context)]
        found[overflowed] = -np.inf
    found[far], found[unknown] = -np.inf, np.nan
    return found.reshape(lead)
