"""Standardised rows, for the candidates: a far value does not decide the scale."""

from __future__ import annotations

import numpy as np

from ..bijectors import Standardize
from ..core.inputs import where

FARTHEST = 1e100  # standard deviations: sums of squares of what is beyond may be no floats
FAR = 10.0  # interquartile ranges from the quartiles: what lies beyond counts as if it were there


@np.errstate(over="ignore")  # differences of huge numbers: nothing is beyond infinity
def scaling(x: np.ndarray) -> Standardize:
    """x = mean + scale z, so that the columns of z have mean 0 and variance 1, far values apart."""
    low, high = np.quantile(x, (0.25, 0.75), axis=0)
    reach = FAR * (high - low)
    wide = np.where(reach > 0, reach, np.inf)
    near = np.clip(x, low - wide, high + wide)
    unit = np.abs(near).max(axis=0)  # no square overflows, none underflows
    unit[unit == 0] = 1.0
    scale = unit * (near / unit).std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return Standardize(x.shape[1]).with_moments(unit * (near / unit).mean(axis=0), scale)


def check_reach(x: np.ndarray, weight: np.ndarray, scale: Standardize, labels: list | None) -> None:
    """A ValueError that names the first value whose square, in units of its column, is no float;
    rows of weight 0 do not count."""
    with np.errstate(over="ignore"):
        far = ~(np.abs(scale.inverse(x)) < FARTHEST) & (weight > 0)[:, None]
    if far.any():
        row, column = np.argwhere(far)[0]
        raise ValueError(
            f"X has a value {where(far, labels)} that is too far from all others: "
            f"{x[row, column]:.3g}, where the column's scale is {scale.scale[column]:.3g}: drop it"
        )
