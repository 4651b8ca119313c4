"""`box`: the map from the whole space to a box, whose sides may be infinite."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers
from .algebra import Blockwise, Chain, Permute
from .elementwise import ElementwiseAffine
from .fixed_maps import Exp, Sigmoid

if TYPE_CHECKING:
    from ..core.typing import ArrayLike
    from .bijector import Bijector


def box(low: ArrayLike, high: ArrayLike, dim: int) -> Bijector:
    """From z (D,) to x with low_i < x_i < high_i; the ends are numbers or (D,), perhaps infinite.

        x = low + (high - low) sigmoid(z)     both ends finite
        x = low + exp(z)  or  high - exp(z)   one of them
        x = z                                 none

    Errors: ValueError unless low < high.
    """
    low, high = (_ends(name, end, dim) for name, end in (("low", low), ("high", high)))
    if not (low < high).all():
        raise ValueError(f"low must be less than high, not {low} and {high}")
    kinds = np.isfinite(low) + 2 * np.isfinite(high)
    runs = [[*run] for _, run in groupby(range(dim), lambda i: kinds[i])]
    parts = [_sides(kinds[run[0]], low[run], high[run]) for run in runs]
    return parts[0] if len(parts) == 1 else Blockwise(parts)


def _ends(name: str, end: ArrayLike, dim: int) -> np.ndarray:
    if None in np.ravel(np.array(end, object)).tolist():
        raise ValueError(f"{name} holds None: write -np.inf or np.inf for a side without an end")
    end = as_numbers(name, end)
    if end.shape not in ((), (dim,)) or np.isnan(end).any():
        raise ValueError(f"{name} must be a number or of shape ({dim},), without NaN: got {end}")
    return np.broadcast_to(end, dim).astype(float)


def _sides(kind: int, low: np.ndarray, high: np.ndarray) -> Bijector:
    """For sides of one kind: 0 no finite end, 1 low, 2 high, 3 both."""
    if kind == 0:
        return Permute(range(len(low)))
    if kind == 3:
        return Sigmoid(len(low), low, high)
    if kind == 1 and not low.any():
        return Exp(len(low))
    end = ElementwiseAffine(low, 1.0) if kind == 1 else ElementwiseAffine(high, -1.0)
    return Chain([end, Exp(len(low))])
