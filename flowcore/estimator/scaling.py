"""Standardised rows, for the candidates: a far value does not decide the scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..bijectors import ElementwiseAffine
from .rows import Rows

FAR = 10.0  # interquartile ranges from the quartiles: what lies beyond counts as if it were there


def scaling(x: np.ndarray) -> ElementwiseAffine:
    """x = loc + scale z, so that the columns of z have mean 0 and variance 1, far values apart."""
    low, high = np.quantile(x, (0.25, 0.75), axis=0)
    reach = FAR * (high - low)
    wide = np.where(reach > 0, reach, np.inf)
    near = np.clip(x, low - wide, high + wide)
    unit = np.abs(near).max(axis=0)  # no square overflows, none underflows
    unit[unit == 0] = 1.0
    scale = unit * (near / unit).std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return ElementwiseAffine(near.mean(axis=0), scale)


def standardised(
    rows: Rows, scale: ElementwiseAffine, context_scale: ElementwiseAffine | None
) -> Rows:
    """The same rows, standardised."""
    context = None if rows.context is None else context_scale.inverse(rows.context)
    return replace(rows, x=scale.inverse(rows.x), context=context)
